"""Networks and linear models: `stacked` ones train many at once, `modules` one at a time."""
