"""Packs a pairs folder into tar archives, which `lseg.data.ShardsDataModule` trains on.

python scripts/pack_shards.py --data-root FOLDER --split train --out SHARDS [--megabytes 1000]
"""

import argparse
from pathlib import Path

from lseg.data.sets.pack_shards import pack_shards
from lseg.data.sets.pairs import PairsFolder


def main() -> None:
    """Packs one split."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", required=True, help="the pairs folder")
    parser.add_argument("--split", default="train", help="its list, without .txt")
    parser.add_argument("--out", type=Path, required=True, help="folder of the archives")
    parser.add_argument("--megabytes", type=float, default=1000, help="about the size of each")
    options = parser.parse_args()
    folder = PairsFolder(options.data_root, options.split)
    archives = pack_shards(folder, options.split, options.out, options.megabytes)
    print(f"{len(folder.pairs)} pictures in {len(archives)} archives in {options.out}")


if __name__ == "__main__":
    main()
