"""How figures look and are saved; `plots` has the panels that several figures share."""
