"""Folders from and to the Hugging Face Hub, or a server with its interface (`HF_ENDPOINT`)."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from lseg.errors import CheckpointError

ReplyT = TypeVar("ReplyT")


def is_hub_id(source: str) -> bool:
    """Whether a checkpoint's name has the form of a Hub id, `user/model`."""
    parts = source.split("/")
    return len(parts) == 2 and all(parts) and not source.startswith((".", "~"))


def download(hub_id: str, revision: str | None) -> Path:
    """The local copy of a repository's configuration and weights, fetched if it is missing.

    Args:
        hub_id: `user/model`.
        revision: Branch, tag or commit.

    Raises:
        CheckpointError: If the Hub cannot be reached, knows no such repository, or refuses.
    """
    from huggingface_hub import snapshot_download

    wanted = ["*.json", "*.safetensors"]
    return _explained(
        hub_id,
        lambda: Path(snapshot_download(hub_id, revision=revision, allow_patterns=wanted)),
    )


def upload(folder: str, hub_id: str, private: bool, revision: str | None) -> str:
    """Commits a folder to a repository, which is made if there is none.

    Args:
        folder: What to upload.
        hub_id: `user/model`.
        private: Whether a new repository is to be private.
        revision: Branch to commit to; the main one by default.

    Returns:
        Address of the commit.

    Raises:
        CheckpointError: If the Hub cannot be reached or refuses.
    """
    from huggingface_hub import HfApi

    def commit() -> str:
        api = HfApi()
        api.create_repo(hub_id, private=private, exist_ok=True)
        made = api.upload_folder(
            repo_id=hub_id,
            folder_path=folder,
            revision=revision,
            commit_message="Model, configuration and card",
        )
        return str(made.commit_url)

    return _explained(hub_id, commit)


def _explained(hub_id: str, request: Callable[[], ReplyT]) -> ReplyT:
    """The reply to a request about a repository; what goes wrong is told in one line."""
    import httpx
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    failures = (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        httpx.HTTPError,
        OSError,
    )
    try:
        return request()
    except failures as error:
        reason = _reason(error)
        raise CheckpointError(f"{hub_id} on the Hugging Face Hub: {reason}") from error


def _reason(error: Exception) -> str:
    import httpx
    from huggingface_hub import errors

    if isinstance(error, errors.RevisionNotFoundError):
        return "it has no such revision"
    if isinstance(error, errors.RepositoryNotFoundError):
        return "there is no such model, or it is private (log in with `hf auth login`)"
    unreachable = (
        errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled, httpx.TransportError,
    )  # fmt: skip
    if isinstance(error, unreachable):
        return (
            "it cannot be reached, or HF_HUB_OFFLINE is set, and no copy is kept here; give a "
            "model folder instead"
        )
    return (str(error).strip() or type(error).__name__).splitlines()[0]
