"""Data: where bytes come from (`sources`), how arrays are kept (`store`), and one builder a file, by kind of data."""
