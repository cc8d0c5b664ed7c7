"""The demo, for hosts that start a file: the same as `lseg demo`, with the same options."""

import sys

from lseg.cli import main

if __name__ == "__main__":
    sys.exit(main(["demo", *sys.argv[1:]]))
