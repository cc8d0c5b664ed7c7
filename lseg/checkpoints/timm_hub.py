"""Where timm's own weights come from: this machine's cache, else the Hugging Face Hub."""

import sys
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import timm
from huggingface_hub import constants, hf_hub_download
from huggingface_hub.errors import LocalEntryNotFoundError

from lseg.errors import CheckpointError

SECONDS = 5.0  # to wait for a sign of the Hub; its own client tries for most of a minute
FILES = ("model.safetensors", "pytorch_model.bin")


def timm_source(backbone: str) -> dict[str, Any]:
    """Where timm is to take the weights of a backbone from, as a `pretrained_cfg_overlay`.

    What is kept here is taken without asking the Hub. What is not is announced, for it may take a
    while.

    Raises:
        CheckpointError: If there are none, or they are not kept here and the Hub is out of reach.
    """
    config = timm.get_pretrained_cfg(backbone)
    hub_id = config.hf_hub_id if config is not None else None
    if config is None or not (hub_id or config.url):
        raise CheckpointError(
            f"timm has no weights of {backbone}; give backbone_weights a file, or leave it out"
        )
    if hub_id and (folder := _kept(hub_id)):
        return {"source": "local-dir", "file": str(folder)}
    _announce(backbone, constants.ENDPOINT if hub_id else config.url)
    return {}


def _kept(hub_id: str) -> Path | None:
    for name in FILES:
        try:
            return Path(hf_hub_download(hub_id, name, local_files_only=True)).parent
        except LocalEntryNotFoundError:
            pass
    return None


def _announce(backbone: str, address: str) -> None:
    hint = "download them once with a network, or give backbone_weights a file in timm's layout"
    if constants.HF_HUB_OFFLINE:
        raise CheckpointError(
            f"timm's weights of {backbone} are not kept here, and HF_HUB_OFFLINE is set; {hint}"
        )
    print(f"lseg: fetching timm's weights of {backbone} from {address}", file=sys.stderr)
    try:
        urlopen(Request(address, method="HEAD"), timeout=SECONDS).close()
    except HTTPError:
        pass  # an answer, too
    except OSError as error:
        raise CheckpointError(
            f"timm's weights of {backbone} are not kept here, and {address} cannot be reached "
            f"({error}); {hint}"
        ) from error
