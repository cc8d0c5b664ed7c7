"""Encoders of pictures and texts in the layouts that others publish; read as they are."""
