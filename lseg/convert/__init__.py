"""Foreign checkpoints to native folders."""
