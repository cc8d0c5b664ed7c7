"""What all networks here have in common: a configuration, preprocessing, loading and saving."""

import dataclasses
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from lseg.config import NetworkConfig
from lseg.errors import CheckpointError, ConfigError, shown
from lseg.files import read_json
from lseg.models.bounded import bounded_modules
from lseg.models.transformers_config import with_architecture
from lseg.models.trunk import Trunk
from lseg.paths import user_path
from lseg.store.card import model_card
from lseg.store.checkpoint import read_checkpoint
from lseg.store.folder import StoredNetwork, write_folder
from lseg.store.hub import upload
from lseg.store.tensors import (
    load_weights,
    read_tensors,
    ready_to_store,
    refuse_valueless,
    unstored_buffers,
)

MODULES_A_WEIGHT = 20
"""How many modules of a network there may be for each tensor of its checkpoint; few have two."""


class Network(nn.Module):
    """Base of `LSeg`, `DPTDepth` and `DPTSegmentation`."""

    config_type: ClassVar[type[NetworkConfig]]
    config: NetworkConfig
    trunk: Trunk

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        trunk = with_architecture(config.trunk)
        self.config = config if trunk is config.trunk else dataclasses.replace(config, trunk=trunk)

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

    @property
    def text_tower(self) -> Path | None:
        """File with the weights of a text tower that came with the network, if one did."""
        return None

    @classmethod
    def from_pretrained(
        cls,
        source: str | os.PathLike[str],
        device: str | torch.device = "cpu",
        revision: str | None = None,
    ) -> Self:
        """A trained network of this class in eval mode, float32.

        Args:
            source: A native folder, a Hub id, a Lightning checkpoint of this project,
                `photo` or `tiny`.
            device: Where to put the weights.
            revision: Branch, tag or commit of a Hub id.

        Raises:
            CheckpointError: If it is none of these, or a network of another kind.
        """
        return cls.from_stored(read_checkpoint(source, revision)).to(device).eval()

    @classmethod
    def from_stored(cls, checkpoint: StoredNetwork) -> Self:
        """The network around its weights: built without memory, so that weights exist only once.

        Raises:
            CheckpointError: If it is a network of another kind, or does not fit its configuration.
        """
        own, source = cls.config_type.architecture, checkpoint.source
        if checkpoint.architecture != own:
            raise CheckpointError(
                f"{source} is a network of the kind {shown(checkpoint.architecture)}, and "
                f"{cls.__name__} one of {own!r}: lseg.load_model loads any kind"
            )
        try:
            config = cls.config_type.from_dict(checkpoint.config)
            with bounded_modules(2 * MODULES_A_WEIGHT * len(checkpoint.weights)):
                with torch.device("meta"):
                    model = cls(config)
                if any(buffer.is_meta for buffer in unstored_buffers(model)):
                    model = cls(config)  # these are computed when it is built, and are in no file
        except (ConfigError, TypeError, ValueError, RuntimeError) as error:
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise CheckpointError(
                f"the configuration of {source} cannot be built: {reason}"
            ) from error
        refuse_valueless(checkpoint.weights, source)
        load_weights(model, checkpoint.weights, source, assign=True)
        model.float()
        model.trunk.order_kernels()
        return model

    def save_pretrained(
        self, folder: str | os.PathLike[str], dtype: torch.dtype | None = None
    ) -> None:
        """Writes a native folder: `config.json`, `model.safetensors`, and its text tower, if any.

        A text tower is stored only where it came with the network; otherwise the text encoder is
        named in the configuration.

        Args:
            folder: Made if missing; other files in it stay.
            dtype: Type of the stored weights, such as `torch.float16` to halve the file; as they
                are by default. Loading always gives float32.
        """
        folder = user_path(folder)
        self._write(folder, self.config_in(folder), dtype)

    def config_in(self, folder: Path) -> NetworkConfig:
        """The configuration as a file in `folder` tells it: relative paths start there."""
        return self.config

    def _write(self, folder: Path, config: NetworkConfig, dtype: torch.dtype | None) -> None:
        weights = {name: ready_to_store(value, dtype) for name, value in self.state_dict().items()}
        text = None if self.text_tower is None else read_tensors(self.text_tower)
        write_folder(folder, config, weights, text)

    def push_to_hub(
        self,
        hub_id: str,
        *,
        figures: Mapping[str, Any] | str | os.PathLike[str] | None = None,
        licence: str | None = None,
        private: bool = False,
        revision: str | None = None,
    ) -> str:
        """Uploads a native folder with a model card; makes the repository if there is none.

        Args:
            hub_id: `user/model`.
            figures: The `result.json` of its training, or of `lseg evaluate`: a file, or its
                content.
            licence: The Hub's name of a licence, such as `mit`; the card leaves it open by default.
            private: Whether a new repository is to be private.
            revision: Branch to commit to; the main one by default.

        Returns:
            Address of the commit.

        Raises:
            CheckpointError: If the Hub cannot be reached or refuses, or the figures cannot be read.
        """
        values = figures if isinstance(figures, Mapping | None) else read_json(Path(figures))
        with tempfile.TemporaryDirectory() as folder:
            self._write(Path(folder), self.config, None)  # no path from there leads anywhere
            card = model_card(self.config, hub_id, values, licence)
            (Path(folder) / "README.md").write_text(card, "utf-8")
            return upload(folder, hub_id, private, revision)
