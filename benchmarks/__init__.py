"""Side-by-side measurements, run by `make bench`; nothing of the pipeline imports them."""
