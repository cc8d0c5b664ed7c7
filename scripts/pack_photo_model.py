"""Put a trained photo network into the package, as `lseg.load_model("photo")`.

`scripts/make_photo_model.sh` calls it. Weights are stored in half precision; the table of label
vectors comes along, so that words are answered without a network. Figures of the card are those of
the suite's JSON.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import torch

from lseg.checkpoints.load import load_model
from lseg.models.lseg import LSeg
from lseg.paths import ASSETS
from lseg.text.location import located
from lseg.text.table import LabelTable

FOLDER = ASSETS / "photo"
TABLE = "labels.safetensors"
MEGABYTES = 14


def main() -> None:
    """Copies the network of a run, and the table it was trained with, into the package's assets."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of a training, such as runs/photo")
    parser.add_argument("--suite", type=Path, help="JSON of `lseg evaluate --suite`, for the card")
    arguments = parser.parse_args()
    run: Path = arguments.run
    model = load_model(run / "model")
    assert isinstance(model, LSeg)
    table = located(model.config.text, run / "model").table
    assert table is not None
    FOLDER.mkdir(exist_ok=True)
    shutil.copyfile(table, FOLDER / TABLE)
    words = LabelTable(FOLDER / TABLE).names
    model.config = dataclasses.replace(
        model.config, text=dataclasses.replace(model.config.text, table=str(FOLDER / TABLE))
    )
    model.text.folder = FOLDER
    model.save_pretrained(FOLDER, torch.float16)
    config = json.loads((FOLDER / "config.json").read_text("utf-8"))
    config["text"]["table"] = TABLE
    (FOLDER / "config.json").write_text(json.dumps(config, indent=2) + "\n", "utf-8")

    seconds = json.loads((run / "result.json").read_text("utf-8"))["train_seconds"]
    suite = json.loads(arguments.suite.read_text("utf-8")) if arguments.suite else {"rows": []}
    (FOLDER / "README.md").write_text(card(model, words, seconds, suite["rows"]), "utf-8")
    size = sum(file.stat().st_size for file in FOLDER.iterdir()) / 1e6
    print(f"{FOLDER}: {size:.1f} MB, {len(words)} words")
    if size > MEGABYTES:
        raise SystemExit(f"that is more than the {MEGABYTES} MB that the package may hold")


def card(model: LSeg, words: list[str], seconds: float, rows: list[dict[str, Any]]) -> str:
    """The model card, in Markdown."""
    parameters = sum(parameter.numel() for parameter in model.parameters())
    lines = [f"| {row['name']} | {row['miou']:.1f} | {row['pixel_accuracy']:.1f} |" for row in rows]
    return f"""# Photo

`lseg.load_model("photo")`, the model of every command where no other is named: a DPT decoder
({model.config.trunk.features} channels) over EfficientNet-Lite2, {parameters:,} parameters in fp16,
and CLIP ViT-B/16 vectors of {len(words)} words.

**Data.** 100 COCO 2017 photographs with panoptic masks (133 things and stuff) and 719 PASCAL VOC
2012 photographs (20 things); ImageNet initialisation. {seconds / 60:.0f} minutes on
two CPU cores, by `scripts/make_photo_model.sh` (`configs/photo.yaml`). No street scenes of CamVid,
Cityscapes or the like were seen.

**What it knows.** Frequent things and surroundings: people, pets and farm animals, vehicles, sky,
trees, grass, water, roads, buildings, furniture. Words outside the table need its text encoder
(open_clip ViT-B-16, `openai`).

**What it is bad at.** Small and thin things (poles, signs, cutlery), rare classes (most of the 133
had a handful of training pictures), outlines (its maps have a quarter of the picture's
resolution), the difference between neighbours such as road and pavement. It is a small network
taught by few pictures: do not rely on it where a mistake does harm.

| validation set | mIoU % | pixel accuracy % |
| --- | --- | --- |
{chr(10).join(lines)}

Licences and sources: [NOTICE](NOTICE).
"""


if __name__ == "__main__":
    main()
