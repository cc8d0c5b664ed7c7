"""`lseg predict` and `lseg embed`: files for every picture."""

import argparse
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from tqdm import tqdm

from lseg.commands.model import model_from
from lseg.commands.output import output_folder
from lseg.data.images import list_images, load_image
from lseg.data.labels import parse_labels
from lseg.errors import CheckpointError, ImageError, LabelError
from lseg.evaluation.inference import InferenceConfig
from lseg.files import whole_file, write_json
from lseg.models.dpt import DPTSegmentation
from lseg.models.lseg import LSeg
from lseg.models.network import Network
from lseg.report import versions
from lseg.segmenter import ClassSegmenter, Segmentation, Segmenter


def predict(options: argparse.Namespace) -> None:
    """Writes `<stem>.png`, `<stem>.overlay.png` and `<stem>.json` for every picture."""
    labels = None if options.labels is None else parse_labels(options.labels)
    images = unique_stems(list_images(options.images))
    out = output_folder(options.out)
    refuse_overwriting(images, [".png", ".overlay.png", ".json"], out)
    segment = predictor(model_from(options, Network), labels, options.size)
    for path in tqdm(images, unit="image", disable=len(images) < 2):
        result = segment(path)
        result.save(out / f"{path.stem}.png")
        if len(images) == 1:
            shares = sorted(result.shares.items(), key=lambda item: -item[1])
            print(", ".join(f"{label} {share:.1%}" for label, share in shares if share > 0))
    print(f"{len(images)} label map(s) with overlay and JSON in {out}")


def predictor(
    model: Network, labels: list[str] | None, size: int | None
) -> Callable[[Path], Segmentation]:
    """What turns a picture into its segmentation: by `labels`, or by the model's fixed classes.

    Raises:
        LabelError: If labels are missing or not possible.
        CheckpointError: If the model segments nothing.
    """
    if isinstance(model, DPTSegmentation):
        if labels is not None:
            raise LabelError(
                f"this model has {len(model.labels)} fixed classes: leave --labels out, or take an "
                "LSeg checkpoint"
            )
        return ClassSegmenter(model, size).segment
    if not isinstance(model, LSeg):
        raise CheckpointError(f"a {type(model).__name__} segments nothing: use `lseg depth`")
    if labels is None:
        raise LabelError('no labels: give some, such as --labels "sky,road,other"')
    model.encode_labels(labels)  # a wrong label is reported before the first picture is read
    if model.config.description:
        print(model.config.description)
    segmenter = Segmenter(model, size)

    def segment(path: Path) -> Segmentation:
        segmenter.set_image(path)
        return segmenter.segment(labels)

    return segment


def embed(options: argparse.Namespace) -> None:
    """Writes `<stem>.<format>` (C, h, w) and `<stem>.json` for every picture but finished ones."""
    images = unique_stems(list_images(options.images))
    out = output_folder(options.out)
    InferenceConfig(options.size, tuple(options.scales))  # refuses impossible ones
    model = model_from(options, LSeg)
    segmenter = Segmenter(model, options.size)
    settings = {
        "format": options.format,
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
    for path in tqdm(images, unit="image", disable=len(images) < 2):
        file, sidecar = (out / f"{path.stem}.{suffix}" for suffix in (options.format, "json"))
        if file.is_file() and made_with(sidecar, settings):
            continue
        sidecar.unlink(missing_ok=True)  # it is written last, so that it vouches for its file
        image = load_image(path)
        embeddings = segmenter.embed(
            image, None, options.dtype, not options.raw, options.scales, options.flip
        )
        save_embeddings(file, embeddings)
        shape = {"shape": list(embeddings.shape), "image": [image.height, image.width]}
        write_json(sidecar, {"source": path.name, **shape, **settings})
    print(f"embeddings of {len(images)} picture(s) in {out}")


def made_with(sidecar: Path, settings: Mapping[str, Any]) -> bool:
    """Whether a sidecar tells of embeddings that were made with these settings."""
    try:
        told = json.loads(sidecar.read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(told, dict) and all(told.get(key) == settings[key] for key in settings)


def save_embeddings(path: Path, embeddings: np.ndarray) -> None:
    """Writes (C, h, w) as `.npy`, `.safetensors` or `.pt`, whole or not at all."""
    with whole_file(path) as partial:
        if path.suffix == ".npy":
            np.save(partial, embeddings)
        elif path.suffix == ".safetensors":
            save_file({"embeddings": torch.from_numpy(embeddings)}, partial)
        else:
            with partial.open("wb") as file:  # a path would put its random name into the file
                torch.save(torch.from_numpy(embeddings), file)


def refuse_overwriting(images: Iterable[Path], suffixes: Iterable[str], out: Path) -> None:
    """Makes sure that no result would replace a picture that is read.

    Raises:
        ImageError: If one would.
    """
    inputs = {path.resolve() for path in images}
    results = {(out / f"{path.stem}{suffix}").resolve() for path in inputs for suffix in suffixes}
    for path in sorted(inputs & results):
        raise ImageError(f"{path} would be overwritten by a result: give another --out")


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
