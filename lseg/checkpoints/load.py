"""`load_model`: a network from whatever a user calls a checkpoint."""

import os

import torch

from lseg.convert.direct import HuggingFaceFolders
from lseg.models.architectures import network_type
from lseg.models.network import Network
from lseg.store.checkpoint import read_checkpoint


def load_model(
    source: str | os.PathLike[str],
    device: str | torch.device = "cpu",
    revision: str | None = None,
) -> Network:
    """A trained network in eval mode, float32.

    An `LSeg`, a `DPTDepth`, a `DPTNormals` or a `DPTSegmentation`.

    Args:
        source: A native folder, a Hugging Face folder of the DPT family, the Hub id of either, a
            Lightning checkpoint of this project, or an embedded model: `photo` (photographs) or
            `tiny` (coloured shapes).
        device: Where to put the weights.
        revision: Branch, tag or commit of a Hub id.

    Raises:
        CheckpointError: If there is nothing to load there, or it is of another kind, truncated, or
            does not fit its own configuration.
    """
    checkpoint = read_checkpoint(source, revision, HuggingFaceFolders())
    return network_type(checkpoint).from_stored(checkpoint).to(device).eval()
