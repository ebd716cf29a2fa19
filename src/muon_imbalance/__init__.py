"""How optimizers learn the tail: the paper's data, optimizers, theory, training, analysis and report."""
