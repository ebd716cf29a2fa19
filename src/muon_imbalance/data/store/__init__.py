"""How a data set lies on disk: arrays and manifest; what it says of its parents and counts."""
