"""Scores of label maps that any program has made, and what is wrong with them."""
