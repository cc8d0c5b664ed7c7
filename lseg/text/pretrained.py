"""Where weights of open_clip's tags are: in the cache of the Hub's client, or on the Hub.

Nothing here waits: who asks for a word without a network is to be answered at once.
"""

import threading
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

PROBE_SECONDS = 0.5
"""How long the Hub may take to say anything at all; see `hub_in_reach`."""


def cached_weights(tag: Mapping[str, Any]) -> Path | None:
    """The weight file of a tag in the cache of the Hub's client; asks no network.

    Args:
        tag: What `open_clip.get_pretrained_cfg` says of it.
    """
    from huggingface_hub import try_to_load_from_cache

    repository, _, name = str(tag.get("hf_hub") or "").rpartition("/")
    if not repository:
        return None
    name = name or "open_clip_pytorch_model.bin"
    safe = "open_clip_model.safetensors" if name == "open_clip_pytorch_model.bin" else None
    for file in filter(None, (safe, Path(name).with_suffix(".safetensors").name, name)):
        found = try_to_load_from_cache(repository, file)
        if isinstance(found, str):
            return Path(found)
    return None


def some_clip_is_cached() -> bool:
    """Whether the cache of the Hub's client holds any CLIP: only then is open_clip worth asking.

    (To import it takes a second.)
    """
    from huggingface_hub import constants

    files = Path(constants.HF_HUB_CACHE).glob("models--*/snapshots/*/*")
    return any("clip" in str(file).lower() for file in files)


def why_out_of_reach() -> str:
    """What to say where `hub_in_reach` says no."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE forbids to fetch them"
    return f"{constants.ENDPOINT} does not answer at once"


@cache
def hub_in_reach() -> bool:
    """Whether the Hub answers within `PROBE_SECONDS`, whatever it says; asked once a process.

    Never with HF_HUB_OFFLINE. Looking up a host's name has no time limit of its own, so a thread
    asks, and is left behind where it is not ready.
    """
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session

    if constants.HF_HUB_OFFLINE:
        return False
    answers = []

    def ask() -> None:
        with suppress(Exception):  # requests' errors or httpx's: the client's version decides
            answers.append(get_session().head(constants.ENDPOINT, timeout=PROBE_SECONDS))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PROBE_SECONDS)
    return bool(answers)
