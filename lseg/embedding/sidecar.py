"""What is written beside a file of embeddings: how it was made, enough to ask it for labels."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lseg.config import LSegConfig, TextConfig
from lseg.data.base.decoding import MAX_PIXELS
from lseg.errors import DataError, shown
from lseg.inference.embed_config import EmbedConfig, PaddedSizes, Size
from lseg.inference.embeddings import EmbeddedPicture
from lseg.inference.layout import check_layout
from lseg.models.lseg import LSeg
from lseg.models.regularization import SpatialBlock
from lseg.parsing import field, parse_json
from lseg.paths import exists, resolve_data_path
from lseg.store.tensors import fingerprint
from lseg.text.encoder import LabelEncoder
from lseg.text.location import located, path_from, relative

_NO_SIDECAR = (
    OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RuntimeError,
)  # fmt: skip
"""Raised while a file is read that is none, or a damaged one; the last by weights of the block."""


def describe_model(model: LSeg, folder: Path | None = None) -> dict[str, Any]:
    """What of a model is needed to compare its embeddings with labels, and to tell it apart.

    Args:
        model: Makes the embeddings.
        folder: Of the sidecars, by default the working folder; the paths in them start there, so
            that all may be moved together.
    """
    told = {
        "weights": fingerprint(model),
        "embed_dim": model.config.embed_dim,
        "logit_scale": model.config.logit_scale,
        "spatial_block": _describe_block(model.spatial_block, model.config.block_activation),
        "text": describe_text(model, Path.cwd() if folder is None else folder),
        "preprocessing": model.config.to_dict()["preprocessing"],
    }
    return {**told, "cells": True} if model.cells else told  # files from before it stay valid


def describe_text(model: LSeg, folder: Path) -> dict[str, Any]:
    """The source of a model's label vectors, as sidecars in `folder` name it."""
    text = relative(model.text.config, folder, model.text.folder, absolute_too=True)
    tower = model.text.tower
    return {
        "model": text.model,
        "pretrained": text.pretrained,
        "table": text.table,
        "templates": list(text.templates),
        "tower": None if tower is None else path_from(folder, tower),
    }


def describe_config(config: EmbedConfig) -> dict[str, Any]:
    """How embeddings were asked for."""
    return {
        "size": config.size,
        "long_side": config.long_side,
        "scales": list(config.scales),
        "flip": config.flip,
        "window": config.window,
        "window_stride": config.stride,
        "output_size": str(config.grid),
        "normalized": config.normalize,
        "dtype": config.dtype,
        "layout": config.layout,
    }


def describe_picture(picture: EmbeddedPicture) -> dict[str, Any]:
    """Shape and sizes: of the array, the picture, and the network's input, padded if it matters."""
    return {
        "shape": list(picture.shape),
        "image": list(picture.sizes.picture),
        "network_input": list(picture.sizes.network),
        "padding": None if picture.padding is None else picture.padding._asdict(),
    }


@dataclass(frozen=True)
class CodesTold:
    """What a sidecar tells of codes (see `lseg.embedding.codes`).

    Attributes:
        basis: Where their basis lies, as seen from the sidecar's folder.
        sha256: Of that file's content.
        grid: Height and width of the codes before their margin was taken off.
        output: Those of the network's output.
    """

    basis: str
    sha256: str
    grid: Size
    output: Size


def made_with(sidecar: Path, settings: dict[str, Any]) -> bool:
    """Whether a sidecar tells of embeddings that were made with these settings.

    It may have been moved since: what counts is which files its paths lead to.
    """
    try:
        told = parse_json(sidecar.read_text("utf-8"))
        text = "text" not in settings or (
            _find_text(told, sidecar.parent) == _find_text(settings, sidecar.parent)
        )
    except _NO_SIDECAR:
        return False  # it is none
    return text and all(
        key in told and told[key] == value for key, value in settings.items() if key != "text"
    )


@dataclass(frozen=True)
class Sidecar:
    """What `query` needs of a sidecar.

    Attributes:
        text: Source of the label vectors; its paths are as this process can open them.
        tower: File with the weights of the text tower, where they came with the network.
        embed_dim: Width C of the embeddings before a reduction.
        logit_scale: Factor of the cosine.
        block: Spatial block, or the identity.
        normalized: Whether embeddings were divided by their norms.
        layout: Order of the axes.
        source: File name of the picture, or its path below the folder of the run's pictures.
        image: Its height and width.
        network_input: Height and width of what the network saw at scale 1.
        padding: Of the network, where the embeddings are one pass of it.
        pca: Where the basis lies, as seen from the sidecar's folder.
        upright: Whether the picture was turned as its EXIF orientation says.
        weights: Hash of the model's weights; empty in sidecars that do not tell it.
        cells: Whether embeddings are those of cells; see `lseg.models.upsample`.
        codes: If the file holds codes in place of embeddings.
        regions: Layout of the file, if it holds regions in place of embeddings.
        file: Name of the file of embeddings.
    """

    text: TextConfig
    tower: str | None
    embed_dim: int
    logit_scale: float
    block: nn.Module
    normalized: bool
    layout: str
    source: str
    image: Size
    network_input: Size
    padding: PaddedSizes | None
    pca: str | None
    upright: bool
    weights: str = ""
    cells: bool = False
    codes: CodesTold | None = None
    regions: str | None = None
    file: str = ""

    @classmethod
    def read(cls, path: Path) -> "Sidecar":
        """Reads the JSON beside a file of embeddings.

        Raises:
            DataError: If it is missing, or was not written by `lseg embed`.
        """
        try:
            values = parse_json(path.read_text("utf-8"))
            text, tower = _find_text(values, path.parent)
            padding, codes, regions = (values.get(key) for key in ("padding", "codes", "regions"))
            layout = field(values, "layout", str)
            check_layout(layout)
            return cls(
                text,
                tower,
                field(values, "embed_dim", int),
                field(values, "logit_scale", float),
                _build_block(values["spatial_block"]),
                field(values, "normalized", bool),
                layout,
                field(values, "source", str),
                _size(values, "image"),
                _size(values, "network_input"),
                padding and PaddedSizes(_size(padding, "input"), _size(padding, "output")),
                None if values["pca"] is None else field(values["pca"], "file", str),
                values.get("orientation") != "stored",
                str(values.get("weights", "")),
                bool(values.get("cells", False)),
                codes and _codes(codes),
                regions and str(regions["layout"]),
                str(values.get("file", "")),
            )
        except FileNotFoundError:
            raise DataError(
                f"there is no {path}: embeddings are asked with the JSON that `lseg embed` "
                "writes beside them"
            ) from None
        except _NO_SIDECAR as error:
            raise DataError(
                f"{path} was not written by `lseg embed`, or is damaged: {shown(error)}"
            ) from error


def _find_text(values: dict[str, Any], folder: Path) -> tuple[TextConfig, str | None]:
    """The text side that a sidecar in `folder` tells of, and its tower, as they can be opened.

    Where the tower is not, the model may still be where it was when the embeddings were made.
    """
    text = dict(field(values, "text", dict))
    tower = text.pop("tower")
    config = located(TextConfig.from_dict(text), folder)
    if tower is None:
        return config, None
    found = resolve_data_path(tower, folder)
    model = Path(str(values.get("checkpoint", "")), found.name)
    return config, str(found if exists(found) or not exists(model) else model)


def label_encoder(text: TextConfig, tower: str | None, width: int) -> LabelEncoder:
    """The text side of a model that made embeddings; `tower` is its file, where it has one."""
    encoder = LabelEncoder(text, width)
    encoder.tower = None if tower is None else Path(tower)
    return encoder


def _codes(told: dict[str, Any]) -> CodesTold:
    basis, sha256 = (field(told, name, str) for name in ("basis", "sha256"))
    return CodesTold(basis, sha256, _size(told, "grid"), _size(told, "output"))


def _size(values: object, name: str) -> Size:
    height, width = (int(value) for value in field(values, name, list))
    if height < 1 or width < 1 or height * width > MAX_PIXELS:
        raise ValueError(f"its {name!r} is {height} x {width}")
    return height, width


def _describe_block(block: nn.Module, activation: str) -> dict[str, Any] | None:
    if not isinstance(block, SpatialBlock):
        return None
    return {
        "kind": "bottleneck" if block.bottleneck else "depthwise",
        "depth": block.depth,
        "activation": activation,
        "weights": {name: value.tolist() for name, value in block.state_dict().items()},
    }


def _build_block(values: dict[str, Any] | None) -> nn.Module:
    if values is None:
        return nn.Identity()
    config = LSegConfig.from_dict({
        "block": values["kind"], "block_depth": values["depth"],
        "block_activation": values["activation"],
    })  # fmt: skip
    block = SpatialBlock(config.block, config.block_depth, config.block_activation)
    block.load_state_dict({name: torch.tensor(value) for name, value in values["weights"].items()})
    return block.eval().requires_grad_(False)
