"""Inference on whole pictures, and the figures of data sets."""
