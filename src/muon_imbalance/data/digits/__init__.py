"""Data sets of digits, one builder a file, and MNIST's file format."""
