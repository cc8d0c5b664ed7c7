"""Whatever a user calls a checkpoint: a folder, a file, a Hub id, or an embedded model."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from lseg.errors import CheckpointError, escaped
from lseg.paths import ASSETS, user_path
from lseg.store.aligned.layouts import encoder_at, layout_of
from lseg.store.aligned.text import TEXT_FOLDER
from lseg.store.folder import ACCEPTED, StoredNetwork, read_folder
from lseg.store.foreign_kinds import describe_file, describe_folder
from lseg.store.hub import Repository
from lseg.store.lightning import read_lightning
from lseg.store.location import hub_id, nearest_names

EMBEDDED = {"photo": ASSETS / "photo", "tiny": ASSETS / "tiny_lseg"}


class ForeignFolders(Protocol):
    """Folders of another library that are read as they are."""

    def knows(self, folder: Path) -> bool:
        """Whether a folder, of which there may be the JSON files alone, is one of them."""

    def read(self, folder: Path) -> StoredNetwork:
        """What such a folder holds, in terms of this project."""


def read_checkpoint(
    source: str | os.PathLike[str],
    revision: str | None = None,
    foreign: ForeignFolders | None = None,
) -> StoredNetwork:
    """What a checkpoint holds.

    Args:
        source: A native folder, a Hugging Face Hub id, a Lightning checkpoint of this project, or
            an embedded model: `photo` or `tiny`.
        revision: Branch, tag or commit of a Hub id.
        foreign: Folders of others to be read, too, local ones and those of the Hub.

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
        return _of_folder(path, foreign)
    if path.is_file():
        return _of_file(path)
    of_hub = hub_id(str(source))
    if of_hub is not None:
        return _of_hub(Repository(of_hub, revision), foreign)
    raise CheckpointError(
        f"{escaped(str(source))}: no such file or folder{nearest_names(path, EMBEDDED)}; "
        f"a checkpoint is {ACCEPTED}"
    )


def _of_folder(folder: Path, foreign: ForeignFolders | None) -> StoredNetwork:
    encoder = encoder_at(folder)
    if encoder is not None:
        return encoder
    if foreign is not None and foreign.knows(folder):
        return foreign.read(folder)
    described = describe_folder(folder)
    if described is not None:
        raise CheckpointError(described)
    return read_folder(folder)


def _of_file(path: Path) -> StoredNetwork:
    encoder = encoder_at(path)
    if encoder is not None:
        return encoder
    try:
        return read_lightning(path)
    except CheckpointError:
        foreign = describe_file(path)
        if foreign is None:
            raise
        raise CheckpointError(foreign) from None


def _of_hub(repository: Repository, foreign: ForeignFolders | None) -> StoredNetwork:
    """The configuration comes first: a model of another kind is refused before its weights.

    A published encoder does not change: a whole copy that is kept here serves, and nobody is asked.
    """
    hub_id = repository.hub_id
    local = hub_id.split("/")[-1]
    kept = repository.kept()
    layout = None if kept is None else layout_of(kept)
    if kept is not None and layout is not None:
        with suppress(CheckpointError):  # it is not whole
            return layout.read(kept)
    configuration = repository.fetch(["*.json"])
    layout = layout_of(configuration)
    if layout is not None:
        return layout.read(repository.fetch(layout.files))
    if foreign is not None and foreign.knows(configuration):
        return foreign.read(repository.fetch(["*.json", "*.safetensors"]))
    described = describe_folder(configuration, called=local)
    if described is not None:
        fetch = f"hf download {hub_id} --local-dir {local}"
        raise CheckpointError(f"{described} (it is on the Hub: fetch it by `{fetch}`)")
    return read_folder(repository.fetch(["*.json", "*.safetensors", f"{TEXT_FOLDER}/*"]))
