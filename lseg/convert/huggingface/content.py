"""What a Hugging Face folder says of its network, before any weight is read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lseg.config import Preprocessing
from lseg.convert.huggingface.preprocessor import preprocessing_config
from lseg.convert.keymap import Source
from lseg.files import read_json

PREPROCESSOR_FILE = "preprocessor_config.json"


@dataclass(frozen=True)
class FolderContent:
    """A folder.

    Attributes:
        folder: Where it is.
        options: Its `config.json`.
        task: Which of its heads is wanted, where it has several.
    """

    folder: Path
    options: dict[str, Any]
    task: str | None = None

    @property
    def source(self) -> Source:
        """What to call it in errors."""
        return Source(str(self.folder))

    @property
    def architecture(self) -> str:
        """The class of transformers that it was saved from."""
        named = self.options.get("architectures")
        return str(named[0]) if isinstance(named, list) and named else "network without a head"

    @property
    def preprocessing(self) -> Preprocessing:
        """What its `preprocessor_config.json` says, if it has one.

        Raises:
            CheckpointError: If that cannot be read, or has an option that `Preprocessing` has not.
        """
        file = self.folder / PREPROCESSOR_FILE
        return preprocessing_config(read_json(file) if file.is_file() else {}, str(file))
