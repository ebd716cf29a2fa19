"""What all update rules share: the protocol, hyperparameters, schedules, and steps in place."""
