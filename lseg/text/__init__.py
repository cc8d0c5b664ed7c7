"""Labels to vectors."""
