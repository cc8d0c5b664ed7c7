"""Hugging Face's folders as networks here, without a native folder between."""

from pathlib import Path

from lseg.config import NetworkConfig
from lseg.convert.checkpoint import verify_conversion
from lseg.convert.huggingface.folder import KINDS, convert_huggingface, model_type
from lseg.convert.keymap import Source
from lseg.store.folder import StoredNetwork


class HuggingFaceFolders:
    """Those of the DPT family; see `lseg.store.checkpoint.ForeignFolders`."""

    def knows(self, folder: Path) -> bool:
        """Whether a folder's `config.json` is that of a model that `lseg convert` takes."""
        return model_type(folder) in KINDS

    def read(self, folder: Path) -> StoredNetwork:
        """A folder, converted in memory.

        Raises:
            CheckpointError: If it cannot be; see `convert_huggingface`.
        """
        conversion = convert_huggingface(folder)
        verify_conversion(conversion, Source(str(folder)))
        config = conversion.config
        assert isinstance(config, NetworkConfig)
        return StoredNetwork(
            str(folder), config.architecture, config.to_dict(), conversion.weights, folder=folder
        )
