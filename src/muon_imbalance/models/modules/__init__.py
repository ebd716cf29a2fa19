"""Torch modules, one network at a time, for training on minibatches."""
