"""Which kind of Hugging Face folder it is, and its conversion."""

from collections.abc import Callable
from pathlib import Path

from lseg.convert.huggingface.content import FolderContent
from lseg.convert.huggingface.depth_anything import convert_depth_anything
from lseg.convert.huggingface.dpt import convert_dpt_folder
from lseg.convert.huggingface.tipsv2 import convert_tipsv2
from lseg.convert.huggingface.zoedepth import convert_zoedepth
from lseg.convert.keymap import Conversion
from lseg.errors import CheckpointError
from lseg.files import read_json
from lseg.store.folder import CONFIG_FILE
from lseg.store.foreign_kinds import DPT_FAMILY

CONVERTERS = (convert_dpt_folder, convert_depth_anything, convert_tipsv2, convert_zoedepth)
KINDS: dict[str, Callable[[FolderContent], Conversion]] = dict(
    zip(DPT_FAMILY, CONVERTERS, strict=True)
)
"""Converters by the `model_type` of `config.json`."""


def is_huggingface(folder: Path) -> bool:
    """Whether `config.json` is one of the transformers library, of any kind of model."""
    return model_type(folder) is not None


def model_type(folder: Path) -> str | None:
    """The type of model that a folder of the transformers library says it holds; else None."""
    file = folder / CONFIG_FILE
    try:
        found = read_json(file).get("model_type") if file.is_file() else None
    except CheckpointError:
        return None
    return None if found is None else str(found)


def convert_huggingface(folder: Path, task: str | None = None) -> Conversion:
    """A network of the DPT family that transformers can load, in this project's terms.

    Args:
        folder: Holds `config.json` and `model.safetensors` or `pytorch_model.bin`, whole or in
            shards with an index, and perhaps `preprocessor_config.json`.
        task: `depth`, `normals` or `segmentation`, where it has a head for each; the first of them
            that it has by default.

    Raises:
        CheckpointError: If a file is missing or broken, the model is of another family, has an
            option that networks here do not have, or a weight with an unknown name; it names the
            first.
    """
    content = FolderContent(folder, read_json(folder / CONFIG_FILE), task)
    kind = str(content.options.get("model_type"))
    if kind not in KINDS:
        known = ", ".join(map(repr, KINDS))
        raise CheckpointError(
            f"{folder} holds a model of type {kind!r}: only {known} are converted"
        )
    if task is not None and kind != "tipsv2_dpt":
        raise CheckpointError(f"{folder} is of type {kind!r}, which has one head: leave out --task")
    return KINDS[kind](content)
