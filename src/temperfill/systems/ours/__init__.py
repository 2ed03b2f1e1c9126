"""Our network in training."""
