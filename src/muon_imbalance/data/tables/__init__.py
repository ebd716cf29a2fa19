"""Data sets that are tables: the Gaussian mixture and the organisms."""
