"""Data sets of photos and pictures, one builder a file."""
