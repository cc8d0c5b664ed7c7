"""Models of the transformers library: folders, here or on the Hub, read as JSON and safetensors.

No code and no pickle of such a folder is ever run, and files of these kinds are not even fetched.
"""

from pathlib import Path
from typing import Any

from torch import Tensor

from lseg.errors import CheckpointError
from lseg.parsing import parse_json
from lseg.paths import resolve_data_path
from lseg.store.hub import Repository
from lseg.store.location import hub_id
from lseg.store.sharded import read_sharded
from lseg.text.location import TRANSFORMERS

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
WEIGHT_PATTERNS = ("*.json", "*.safetensors")


def transformers_name(name: str) -> str | None:
    """What stands behind `hf:`, or None where that is not how a name begins."""
    return name.removeprefix(TRANSFORMERS) if name.startswith(TRANSFORMERS) else None


def transformers_folder(name: str, needed: tuple[str, ...], patterns: tuple[str, ...]) -> Path:
    """The folder of a model; what is kept here is taken without asking the Hub.

    Args:
        name: A folder, where relative ones are looked up under LSEG_DATA first; or a Hub id.
        needed: Files of which one must be there for a kept copy to be enough.
        patterns: Of the files that are fetched otherwise.

    Raises:
        CheckpointError: If there is no such folder, or the Hub cannot be reached or refuses.
    """
    folder = resolve_data_path(name)
    if folder.is_dir():
        return folder
    of_hub = hub_id(name)
    if of_hub is None:
        raise CheckpointError(
            f"{TRANSFORMERS}{name}: there is no folder {folder}; give one with {CONFIG_FILE} and "
            f"{WEIGHTS_FILE}, or a Hub id such as {TRANSFORMERS}facebook/dinov2-small"
        )
    repository = Repository(of_hub)
    kept = repository.kept()
    if kept is not None and any((kept / file).is_file() for file in needed):
        return kept
    return repository.fetch(list(patterns))


def read_transformers_config(name: str) -> dict[str, Any]:
    """The `config.json` of a model.

    Raises:
        CheckpointError: As `transformers_folder`, or if there is none, or it is no JSON object.
    """
    folder = transformers_folder(name, (CONFIG_FILE,), ("*.json",))
    return read_json_object(folder / CONFIG_FILE)


def read_transformers_weights(name: str) -> dict[str, Tensor]:
    """All tensors of a model, out of `model.safetensors` or its shards.

    Raises:
        CheckpointError: As `transformers_folder`, or if files are missing or cannot be read.
    """
    folder = transformers_folder(name, (WEIGHTS_FILE, INDEX_FILE), WEIGHT_PATTERNS)
    return read_sharded(folder, "model")


def read_json_object(path: Path) -> dict[str, Any]:
    """The object that a JSON file holds.

    Raises:
        CheckpointError: If there is no such file, or it holds anything else.
    """
    try:
        values = parse_json(path.read_text("utf-8"))
    except OSError as error:
        raise CheckpointError(
            f"{path.parent} has no {path.name}: it is no folder of the transformers library"
        ) from error
    except ValueError as error:  # JSON's or the encoding's
        raise CheckpointError(f"{path} is no configuration: {error}") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} is no configuration: it holds no JSON object")
    return values
