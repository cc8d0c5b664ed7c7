"""Weights in one safetensors file, or in several that an index lists, as the Hub keeps them."""

from pathlib import Path

from torch import Tensor

from lseg.errors import CheckpointError
from lseg.files import read_json
from lseg.store.tensors import read_tensors


def read_sharded(folder: Path, name: str) -> dict[str, Tensor]:
    """The tensors of `NAME.safetensors`, or of the files that `NAME.safetensors.index.json` lists.

    Raises:
        CheckpointError: If there is neither, or a file or a weight of it is missing or damaged.
    """
    whole = folder / f"{name}.safetensors"
    if whole.is_file():
        return read_tensors(whole)
    index = folder / f"{name}.safetensors.index.json"
    if not index.is_file():
        pickles = [file.name for file in sorted(folder.glob("*.bin"))]
        hint = f" ({', '.join(pickles)} is a pickle, which is not read)" if pickles else ""
        raise CheckpointError(
            f"{folder} has no {whole.name}{hint}: weights of other kinds can hold code; save them "
            "as safetensors, as transformers' `save_pretrained` does"
        )
    places = weight_places(index)
    tensors: dict[str, Tensor] = {}
    for file in sorted(set(places.values())):
        tensors.update(read_tensors(file))
    refuse_absent(tensors, places)
    return tensors


def weight_places(index: Path) -> dict[str, Path]:
    """The file of each weight that an index lists; all of them lie beside it.

    Raises:
        CheckpointError: If it cannot be read, or is no such index.
    """
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not all(
        isinstance(file, str) and Path(file).name == file for file in places.values()
    ):
        raise CheckpointError(
            f"{index} lists no files of weights: it has no weight_map from weights to files beside "
            "it"
        )
    return {name: index.parent / file for name, file in places.items()}


def refuse_absent(tensors: dict[str, Tensor], places: dict[str, Path]) -> None:
    """Refuses shards without a weight that their index promises.

    Raises:
        CheckpointError: Naming the first one.
    """
    for name, file in places.items():
        if name not in tensors:
            raise CheckpointError(f"{file} lacks the weight {name!r}")
