"""Networks: they know nothing of data sets, checkpoint formats or training."""
