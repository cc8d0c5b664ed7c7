"""Whatever a user calls a checkpoint: a folder, a file, a Hub id, or the embedded model."""

import os

from lseg.errors import CheckpointError
from lseg.paths import ASSETS, user_path
from lseg.store.folder import ACCEPTED, StoredNetwork, read_folder
from lseg.store.hub import download, is_hub_id
from lseg.store.lightning import read_lightning

EMBEDDED = {"tiny": ASSETS / "tiny_lseg"}


def read_checkpoint(source: str | os.PathLike[str], revision: str | None = None) -> StoredNetwork:
    """What a checkpoint holds.

    Args:
        source: A native folder, a Hugging Face Hub id, a Lightning checkpoint of this project, or
            `tiny` for the embedded model.
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
        return read_folder(path)
    if path.is_file():
        return read_lightning(path)
    if is_hub_id(str(source)):
        return read_folder(download(str(source), revision))
    raise CheckpointError(f"{source}: no such file or folder; a checkpoint is {ACCEPTED}")
