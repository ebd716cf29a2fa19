"""From tidy tables to selected hyperparameters, statistics and verdicts on the papers' claims."""
