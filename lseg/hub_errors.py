"""What goes wrong with the Hugging Face Hub, in one line."""

from collections.abc import Callable
from typing import TypeVar

from lseg.errors import CheckpointError

AnswerT = TypeVar("AnswerT")


def explained(hub_id: str, request: Callable[[], AnswerT]) -> AnswerT:
    """The answer of a request about a repository.

    Raises:
        CheckpointError: If the Hub cannot be reached, knows no such repository, or refuses.
    """
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
