"""`lseg predict` and `lseg embed`: files for every picture."""

import argparse
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from tqdm import tqdm

from lseg.commands.model import model_from
from lseg.data.images import list_images, load_image
from lseg.data.labels import parse_labels
from lseg.errors import ImageError
from lseg.files import whole_file, write_json
from lseg.report import versions
from lseg.segmenter import Segmenter


def predict(options: argparse.Namespace) -> None:
    """Writes `<stem>.png`, `<stem>.overlay.png` and `<stem>.json` for every picture."""
    labels = parse_labels(options.labels)
    images = unique_stems(list_images(options.images))
    model = model_from(options)
    model.encode_labels(labels)  # a wrong label is reported before the first picture is read
    segmenter = Segmenter(model, options.size)
    if model.config.description:
        print(model.config.description)
    for path in tqdm(images, unit="image", disable=len(images) < 2):
        segmenter.set_image(path)
        result = segmenter.segment(labels)
        result.save(options.out / f"{path.stem}.png")
        if len(images) == 1:
            shares = sorted(result.shares.items(), key=lambda item: -item[1])
            print(", ".join(f"{label} {share:.1%}" for label, share in shares if share > 0))
    print(f"{len(images)} label map(s) with overlay and JSON in {options.out}")


def embed(options: argparse.Namespace) -> None:
    """Writes `<stem>.<format>` (C, h, w) and `<stem>.json` for every picture but finished ones."""
    images = unique_stems(list_images(options.images))
    model = model_from(options)
    segmenter = Segmenter(model, options.size)
    settings = {
        "checkpoint": str(options.checkpoint),
        "text": {"model": model.config.text.model, "pretrained": model.config.text.pretrained},
        "preprocessing": model.config.to_dict()["preprocessing"],
        "size": segmenter.size,
        "scales": options.scales,
        "flip": options.flip,
        "normalized": not options.raw,
        "dtype": options.dtype,
        "layout": "CHW",
        "versions": versions(),
    }
    for path in tqdm(images, unit="image"):
        sidecar = options.out / f"{path.stem}.json"
        if sidecar.is_file():  # written last, so its file of embeddings is complete
            continue
        image = load_image(path)
        embeddings = segmenter.embed(
            image, None, options.dtype, not options.raw, options.scales, options.flip
        )
        save_embeddings(options.out / f"{path.stem}.{options.format}", embeddings)
        shape = {"shape": list(embeddings.shape), "image": [image.height, image.width]}
        write_json(sidecar, {"source": path.name, **shape, **settings})
    print(f"embeddings of {len(images)} picture(s) in {options.out}")


def save_embeddings(path: Path, embeddings: np.ndarray) -> None:
    """Writes (C, h, w) as `.npy`, `.safetensors` or `.pt`, whole or not at all."""
    with whole_file(path) as partial:
        if path.suffix == ".npy":
            np.save(partial, embeddings)
        elif path.suffix == ".safetensors":
            save_file({"embeddings": torch.from_numpy(embeddings)}, partial)
        else:
            torch.save(torch.from_numpy(embeddings), partial)


def unique_stems(images: Iterable[Path]) -> list[Path]:
    """The pictures, whose results are named after their stems.

    Raises:
        ImageError: If two would write the same file.
    """
    stems: dict[str, Path] = {}
    for path in images:
        if path.stem in stems:
            raise ImageError(
                f"{stems[path.stem]} and {path} would both write {path.stem}.*: run them apart, "
                "with another --out"
            )
        stems[path.stem] = path
    return list(stems.values())
