"""How optimizers learn the tail: the paper's data, optimizers, theory, training, analysis and report."""

import gc
import sys

if sys.argv[:1] == ["-m"]:
    # A stage starts (`python -m muon_imbalance.stages.train`): looking for garbage takes a seventh of the time of
    # `import torch`, which leaves none. `errors.run_stage` turns the search on again.
    gc.disable()
