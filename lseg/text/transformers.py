"""The text tower of an encoder in the layout of the transformers library."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from torch import Tensor
from torch.nn import functional as F

from lseg.errors import CheckpointError, ConfigError
from lseg.files import read_json
from lseg.text.source import FreeText
from lseg.text.waiting import told_if_slow

ReplyT = TypeVar("ReplyT")

TOWERS = {
    "clip": ("CLIPTextModelWithProjection", "text_embeds"),
    "siglip": ("SiglipTextModel", "pooler_output"),
    "tipsv2": ("Tipsv2TextModel", "pooler_output"),
}
"""By `model_type`: the library's class of the text side, and which of its outputs is the vector."""


class TransformersText(FreeText):
    """The text tower of a CLIP, a SigLIP or a TIPSv2, frozen."""

    def __init__(self, folder: Path) -> None:
        """Builds the tower; nothing but the files of the folder is read, and no code in it.

        Raises:
            ConfigError: If the library is missing, a file is missing or damaged, or weights do not
                fit.
        """
        try:
            values = read_json(folder / "config.json")
        except CheckpointError as error:
            raise ConfigError(str(error)) from error
        kind = values.get("model_type")
        if kind not in TOWERS:
            raise ConfigError(f"{folder} has no text encoder: known are {', '.join(TOWERS)}")
        try:
            import transformers
        except ImportError as error:
            raise ConfigError(
                f'the text encoder of {folder} needs transformers: pip install "lseg[hf]"'
            ) from error
        name, self.output = TOWERS[kind]
        tower = getattr(transformers, name, None)
        if tower is None:
            raise ConfigError(
                f"transformers {transformers.__version__} has no {name}: install a newer one"
            )
        local = {"local_files_only": True, "trust_remote_code": False}
        with quiet():
            self.tokenizer = _explained(
                f"the tokenizer of {folder}",
                lambda: transformers.AutoTokenizer.from_pretrained(folder, **local),
            )
            if self.tokenizer.pad_token is None:
                raise ConfigError(f"the tokenizer of {folder} has no token to fill prompts up with")
            config = _explained(
                f"the configuration of {folder}",
                lambda: transformers.AutoConfig.from_pretrained(folder, **local),
            )
            if kind == "clip":  # of two places, this is the one that a CLIP itself goes by
                config.text_config.projection_dim = config.projection_dim
            self.net, report = _explained(
                f"the text encoder of {folder}",
                lambda: tower.from_pretrained(
                    folder,
                    config=config.text_config,
                    use_safetensors=True,
                    output_loading_info=True,
                    dtype=torch.float32,
                    local_files_only=True,
                ),
            )
        lacking = sorted(report["missing_keys"]) + sorted(map(str, report["mismatched_keys"]))
        if lacking:
            raise ConfigError(
                f"{folder} lacks the weight {lacking[0]!r}, or has it in another size"
            )
        self.net.eval().requires_grad_(False)
        self.length = self.net.config.max_position_embeddings
        self.padding = "longest" if kind == "clip" else "max_length"
        stats = [file.stat() for file in sorted(folder.iterdir()) if file.is_file()]
        told = " ".join(f"{stat.st_size}:{stat.st_mtime_ns}" for stat in stats)
        self.key = f"{kind} of transformers {told}"

    @torch.inference_mode()
    def encode(self, prompts: Sequence[str], device: torch.device) -> Tensor:
        """Tokenises and encodes, 256 prompts at a time; see `TextSource`."""
        net = self.net.to(device)
        found = []
        for first in range(0, len(prompts), 256):
            inputs = self.tokenize(prompts[first : first + 256]).to(device)
            vectors = getattr(net(**inputs), self.output)
            found.append(F.normalize(vectors.float(), dim=-1))
        return torch.cat(found).cpu()

    def tokenize(self, prompts: Sequence[str]) -> Any:
        """What the library's processor makes of prompts: cut off, and padded as in the training."""
        return self.tokenizer(
            list(prompts),
            padding=self.padding,
            truncation=True,
            max_length=self.length,
            return_tensors="pt",
        )


def _explained(what: str, load: Callable[[], ReplyT]) -> ReplyT:
    """What the library loads; its failure is told in one line."""
    try:
        with told_if_slow(f"transformers to load {what}"):
            return load()
    except (
        OSError, ValueError, RuntimeError, ImportError, SafetensorError, LookupError, TypeError,
        AttributeError,
    ) as error:  # fmt: skip
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        if "trust_remote_code" in str(error):
            reason = "it is code of the repository, which is never run here"
        raise ConfigError(f"transformers cannot load {what}: {reason}") from error


@contextmanager
def quiet() -> Iterator[None]:
    """The library's progress bars and reports are not printed; what is wrong is raised here."""
    from transformers.utils import logging as library

    level, bars = library.get_verbosity(), library.is_progress_bar_enabled()
    library.set_verbosity(logging.CRITICAL)
    library.disable_progress_bar()
    try:
        yield
    finally:
        library.set_verbosity(level)
        if bars:
            library.enable_progress_bar()
