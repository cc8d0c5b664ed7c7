"""`load_model`, and the networks that it knows."""
