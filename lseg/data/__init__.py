"""Data sets, labels and what is done to pictures on their way to the network."""
