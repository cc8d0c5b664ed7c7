"""What all networks here have in common: a configuration, preprocessing, loading and saving."""

import os
from collections.abc import Mapping
from typing import Any, Self

import torch
from torch import Tensor, nn

from lseg.config import NetworkConfig
from lseg.models.trunk import Trunk


class Network(nn.Module):
    """Base of `LSeg`, `DPTDepth` and `DPTSegmentation`."""

    config: NetworkConfig
    trunk: Trunk

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config

    def normalize(self, images: Tensor) -> Tensor:
        """RGB images (B, 3, H, W), uint8 in [0, 255], to the network's normalised input."""
        preprocessing = self.config.preprocessing
        mean, std = (
            torch.tensor(values, device=images.device).view(3, 1, 1)
            for values in (preprocessing.mean, preprocessing.std)
        )
        return (images / 255 - mean) / std

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    @classmethod
    def from_pretrained(
        cls,
        source: str | os.PathLike[str],
        device: str | torch.device = "cpu",
        revision: str | None = None,
    ) -> Self:
        """Loads a native folder, a Hub id, a Lightning checkpoint or `tiny`; see `load_model`.

        Raises:
            CheckpointError: If it is none of these, or a network of another kind.
        """
        from lseg.checkpoints.native import load_model  # the layer above: only at call time
        from lseg.errors import CheckpointError

        model = load_model(source, device, revision)
        if not isinstance(model, cls):
            raise CheckpointError(f"{source} is a {type(model).__name__}, not a {cls.__name__}")
        return model

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Writes `config.json` and `model.safetensors` into `folder`; see `save_model`."""
        from lseg.checkpoints.native import save_model  # the layer above: only at call time

        save_model(self, folder)

    def push_to_hub(
        self,
        hub_id: str,
        *,
        figures: Mapping[str, Any] | str | os.PathLike[str] | None = None,
        licence: str | None = None,
        private: bool = False,
        revision: str | None = None,
    ) -> str:
        """Uploads the model with a card of its figures; see `lseg.checkpoints.hub.push_to_hub`."""
        from lseg.checkpoints.hub import push_to_hub  # the layer above: only at call time

        return push_to_hub(
            self, hub_id, figures=figures, licence=licence, private=private, revision=revision
        )
