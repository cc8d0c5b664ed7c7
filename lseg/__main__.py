"""`python -m lseg` is the `lseg` command."""

from lseg.cli import script

script()
