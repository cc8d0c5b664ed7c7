"""Whatever a user calls a checkpoint: a folder, a file, a Hub id, or an embedded model."""

import os
from pathlib import Path

from lseg.errors import CheckpointError
from lseg.paths import ASSETS, user_path
from lseg.store.folder import ACCEPTED, StoredNetwork, read_folder
from lseg.store.foreign_kinds import describe_file, describe_folder
from lseg.store.hub import Repository
from lseg.store.lightning import read_lightning
from lseg.store.location import hub_id, nearest_names

EMBEDDED = {"photo": ASSETS / "photo", "tiny": ASSETS / "tiny_lseg"}


def read_checkpoint(source: str | os.PathLike[str], revision: str | None = None) -> StoredNetwork:
    """What a checkpoint holds.

    Args:
        source: A native folder, a Hugging Face Hub id, a Lightning checkpoint of this project, or
            an embedded model: `photo` or `tiny`.
        revision: Branch, tag or commit of a Hub id.

    Raises:
        CheckpointError: If there is nothing to load there, or it is of another kind or truncated.
    """
    path = user_path(source, CheckpointError)
    embedded = EMBEDDED.get(str(source))
    if revision is not None and (embedded is not None or path.exists()):
        raise CheckpointError(f"{source} is no Hub id: a revision, {revision!r}, is for those")
    if embedded is not None:
        return read_folder(embedded)
    if path.is_dir():
        return _of_folder(path)
    if path.is_file():
        return _of_file(path)
    of_hub = hub_id(str(source))
    if of_hub is not None:
        return _of_hub(Repository(of_hub, revision))
    raise CheckpointError(
        f"{source}: no such file or folder{nearest_names(path, EMBEDDED)}; "
        f"a checkpoint is {ACCEPTED}"
    )


def _of_folder(folder: Path) -> StoredNetwork:
    foreign = describe_folder(folder)
    if foreign is not None:
        raise CheckpointError(foreign)
    return read_folder(folder)


def _of_file(path: Path) -> StoredNetwork:
    try:
        return read_lightning(path)
    except CheckpointError:
        foreign = describe_file(path)
        if foreign is None:
            raise
        raise CheckpointError(foreign) from None


def _of_hub(repository: Repository) -> StoredNetwork:
    """The configuration comes first: a model of another kind is refused before its weights."""
    hub_id = repository.hub_id
    local = hub_id.split("/")[-1]
    foreign = describe_folder(repository.fetch(["*.json"]), called=local)
    if foreign is not None:
        fetch = f"hf download {hub_id} --local-dir {local}"
        raise CheckpointError(f"{foreign} (it is on the Hub: fetch it by `{fetch}`)")
    return read_folder(repository.fetch(["*.json", "*.safetensors"]))
