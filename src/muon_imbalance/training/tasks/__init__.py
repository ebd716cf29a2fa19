"""One kind of training problem a file: what a model sees, its loss and its measurements."""
