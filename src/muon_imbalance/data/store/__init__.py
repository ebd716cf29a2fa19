"""How a data set lies on disk: arrays, manifest, and the options a builder takes."""
