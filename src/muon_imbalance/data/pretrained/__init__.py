"""Pretrained weights kept like data sets, and data sets of what frozen layers make of samples."""
