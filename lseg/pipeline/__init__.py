"""A run over pictures: rows in, files and an index out; one description, several engines."""
