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
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        return request()
    except RevisionNotFoundError as error:
        reason, cause = "it has no such revision", error
    except RepositoryNotFoundError as error:
        reason, cause = (
            "there is no such model, or it is private: log in with `hf auth login`",
            error,
        )
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, httpx.TransportError) as error:
        reason = "it cannot be reached (or HF_HUB_OFFLINE is set), and no copy is kept here: give a folder"
        cause = error
    except (HfHubHTTPError, HFValidationError, httpx.HTTPError, OSError) as error:
        reason, cause = (str(error).strip() or type(error).__name__).splitlines()[0], error
    raise CheckpointError(f"{hub_id} on the Hugging Face Hub: {reason}") from cause
