"""Folders from and to the Hugging Face Hub, or a server with its interface (`HF_ENDPOINT`)."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from lseg.errors import CheckpointError
from lseg.text.waiting import told_if_slow

ReplyT = TypeVar("ReplyT")

ANSWER_SECONDS = 5
"""How long the Hub may take to say anything at all; `HF_HUB_ETAG_TIMEOUT` replaces it."""

UNREACHABLE = (
    "it cannot be reached, or HF_HUB_OFFLINE is set, and no copy is kept here; give a model folder "
    "instead"
)


@dataclass(frozen=True)
class Repository:
    """A model on the Hub.

    Attributes:
        hub_id: `user/model`.
        revision: Branch, tag or commit.
    """

    hub_id: str
    revision: str | None = None

    def fetch(self, patterns: list[str]) -> Path:
        """The folder of its local copy, which has all files of these patterns.

        A Hub that does not answer is asked for nothing more: what is kept here must do.

        Raises:
            CheckpointError: If the Hub cannot be reached, knows no such repository, or refuses.
        """
        from huggingface_hub import snapshot_download

        def request() -> Path:
            found = snapshot_download(
                self.hub_id,
                revision=self.revision,
                allow_patterns=patterns,
                local_files_only=not self.answers,
            )
            return Path(found)

        return _explained(self.hub_id, request)

    def kept(self) -> Path | None:
        """The folder of the local copy, whichever of its files there are; asks no network."""
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

        try:
            found = snapshot_download(self.hub_id, revision=self.revision, local_files_only=True)
        except (LocalEntryNotFoundError, HFValidationError):
            return None
        return Path(found)

    @cached_property
    def answers(self) -> bool:
        """Whether the Hub answers; see `hub_answers`."""
        return hub_answers(self.hub_id)


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
        if not hub_answers(hub_id):
            raise CheckpointError(
                f"{hub_id} on the Hugging Face Hub: it cannot be reached, or HF_HUB_OFFLINE is set"
            )
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


def hub_answers(hub_id: str) -> bool:
    """Whether the Hub says anything when asked about a repository, were it that there is none.

    Its client asks without a time limit, so that a silent network would hold it for ever.
    """
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    named = "HF_HUB_ETAG_TIMEOUT" in os.environ
    seconds = constants.HF_HUB_ETAG_TIMEOUT if named else ANSWER_SECONDS
    try:
        HfApi().model_info(hub_id, timeout=seconds)
    except (HfHubHTTPError, HFValidationError):
        return True  # a refusal, which the request itself will meet and explain
    except Exception:  # httpx's errors or httpx2's: the client's version decides
        return False
    return True


def _explained(hub_id: str, request: Callable[[], ReplyT]) -> ReplyT:
    """The reply to a request about a repository; what goes wrong is told in one line."""
    from huggingface_hub import constants

    try:
        with told_if_slow(f"{constants.ENDPOINT} ({hub_id})"):
            return request()
    except CheckpointError:
        raise
    except Exception as error:  # the client's own, the network's, the disk's
        reason = hub_error_reason(error)
        raise CheckpointError(f"{hub_id} on the Hugging Face Hub: {reason}") from error


def hub_error_reason(error: Exception) -> str:
    """What an error of the Hub's client means, in one line."""
    from huggingface_hub import errors

    if isinstance(error, errors.RevisionNotFoundError):
        return "it has no such revision"
    if isinstance(error, errors.RepositoryNotFoundError):
        return "there is no such model, or it is private (log in with `hf auth login`)"
    if isinstance(error, errors.LocalEntryNotFoundError | errors.OfflineModeIsEnabled):
        return UNREACHABLE
    return (str(error).strip() or type(error).__name__).splitlines()[0]
