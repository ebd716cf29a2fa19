"""Importing this fails the test that looks for a class in it."""

raise RuntimeError("imported")
