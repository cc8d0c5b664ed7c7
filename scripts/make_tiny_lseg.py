"""Put a trained quickstart network into the package, as `lseg.load_model("tiny")`.

The embedded network was made by

    bash scripts/train.sh --trainer.default_root_dir runs/tiny --trainer.max_epochs 12
    python scripts/make_tiny_lseg.py runs/tiny

Weights are stored in half precision, and its figures go into `lseg/assets/tiny_lseg/README.md`.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

import torch

from lseg.checkpoints.load import load_model
from lseg.data.sets.shapes import COLOURS, SHAPES, fold_classes
from lseg.paths import ASSETS

DESCRIPTION = (
    f"The embedded model knows the shapes world ({', '.join(COLOURS)}; {', '.join(SHAPES)}; "
    "background), not photographs."
)


def main() -> None:
    """Copies the network of a run into the package's assets."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of a finished quickstart run")
    run: Path = parser.parse_args().run
    result = json.loads((run / "result.json").read_text("utf-8"))
    model = load_model(run / "model")
    model.config = dataclasses.replace(model.config, description=DESCRIPTION)
    folder = ASSETS / "tiny_lseg"
    model.save_pretrained(folder, torch.float16)
    (folder / "README.md").write_text(
        f"""# Tiny LSeg

`lseg.load_model("tiny")`: the preset `tiny` ({sum(p.numel() for p in model.parameters()):,}
parameters, fp16), trained on 27 of the 36 classes of the shapes world (`lseg/data/shapes.py`) with
the label vectors of `tiny_clip`. {DESCRIPTION}

Never seen in its training: {", ".join(fold_classes(0))}.

Measured at the end of the training, nine labels and the background asked for: mIoU
{result["seen_miou"]:.1f} % on seen classes, {result["unseen_miou"]:.1f} % on never-seen ones.

Made by the two commands at the top of `scripts/make_tiny_lseg.py`. Licence: MIT.
""",
        "utf-8",
    )
    print(f"{folder}: {sum(file.stat().st_size for file in folder.iterdir()) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
