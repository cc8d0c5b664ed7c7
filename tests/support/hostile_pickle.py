"""A pickle that shows whether it was run."""

from pathlib import Path


class WritesAFile:
    """What a hostile pickle holds: a call."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.write_text, (self.path, "ran"))
