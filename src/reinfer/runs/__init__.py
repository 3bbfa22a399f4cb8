"""What a run needs besides its mathematics: config, randomness, loop, checkpoints, models."""
