"""Label vectors on disk, one small file a prompt, so that a thousand labels are encoded once."""

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from lseg.errors import LSegError
from lseg.files import atomic_file
from lseg.paths import cache_dir


class TextCache:
    """Vectors of one text encoder, kept under `cache_dir()/text`.

    Files appear whole or not at all, so processes may share a cache. A cache that cannot be read or
    written only costs time.
    """

    def __init__(self, key: str) -> None:
        """`key` identifies the encoder and its weights."""
        self.folder = cache_dir() / "text" / _digest(key)

    def read(self, prompts: Iterable[str]) -> dict[str, Tensor]:
        """The vectors (C,) of those prompts that are cached."""
        found = {}
        for prompt in prompts:
            try:
                found[prompt] = load_file(self._file(prompt))["vector"]
            except (OSError, SafetensorError, KeyError):
                continue
        return found

    def write(self, vectors: Mapping[str, Tensor]) -> None:
        """Keeps vectors (C,) for later."""
        with suppress(OSError, SafetensorError, LSegError):  # the last for a name too long
            for prompt, vector in vectors.items():
                with atomic_file(self._file(prompt)) as partial:
                    save_file({"vector": vector.contiguous()}, partial, {"prompt": prompt})

    def _file(self, prompt: str) -> Path:
        return self.folder / f"{_digest(prompt)}.safetensors"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
