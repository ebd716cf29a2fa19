"""Tests of the side-by-side measurements, on tiny shapes; nothing here is timed."""
