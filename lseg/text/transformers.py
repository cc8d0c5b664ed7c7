"""The text tower of a model of the transformers library, such as CLIP, SigLIP 2 or TIPSv2."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from lseg.errors import ConfigError
from lseg.paths import exists
from lseg.text.location import TRANSFORMERS
from lseg.text.source import FreeText
from lseg.text.waiting import told_if_slow

BATCH = 256

TOWERS = {
    "clip": ("CLIPTextModelWithProjection", "text_embeds"),
    "siglip": ("SiglipTextModel", "pooler_output"),
    "tipsv2": ("Tipsv2TextModel", "pooler_output"),
}
"""By `model_type`: the library's class of the text side, and which of its outputs is the vector."""


class TransformersText(FreeText):
    """The text tower of a CLIP, a SigLIP or a TIPSv2, frozen.

    No code of the folder is run, and weights are read as safetensors alone.
    """

    def __init__(self, model: str) -> None:
        """Loads tokenizer and tower; what is kept here is taken without asking the Hub.

        Args:
            model: `hf:NAME`, where NAME is a folder or a Hub id.

        Raises:
            ConfigError: If the library is missing, or the tower cannot be had whole.
        """
        try:
            import transformers
        except ImportError as error:
            raise ConfigError(
                f'the text encoder {model} needs transformers: pip install "lseg[hf]"'
            ) from error
        name = model.removeprefix(TRANSFORMERS)
        config: Any = _loaded(transformers.AutoConfig, name, {})
        kind = config.model_type
        if kind not in TOWERS:
            raise ConfigError(f"{model} has no text encoder: known are {', '.join(TOWERS)}")
        tower, self.output = TOWERS[kind]
        if not hasattr(transformers, tower):
            raise ConfigError(
                f"transformers {transformers.__version__} has no {tower}: install a newer one"
            )
        if kind == "clip":  # of two places, this is the one that a CLIP itself goes by
            config.text_config.projection_dim = config.projection_dim
        self.tokenizer: Any = _loaded(transformers.AutoTokenizer, name, {})
        if {*self.tokenizer.get_vocab()} <= {*self.tokenizer.all_special_tokens}:
            raise ConfigError(
                f"{model} has no tokenizer: its folder must hold tokenizer.json, or the files of "
                "words that its kind of tokenizer needs"
            )
        if self.tokenizer.pad_token is None:
            raise ConfigError(f"the tokenizer of {name} has no token to fill prompts up with")
        options = {
            "config": config.text_config,
            "use_safetensors": True,
            "output_loading_info": True,
            # Named, for a configuration could name an implementation that is fetched from the Hub.
            "attn_implementation": "sdpa",
            "dtype": torch.float32,
        }
        net, report = _loaded(getattr(transformers, tower), name, options)
        lacking = sorted(report["missing_keys"]) + sorted(map(str, report["mismatched_keys"]))
        if lacking:
            raise ConfigError(f"{name} lacks the weight {lacking[0]!r}, or has one of other size")
        self.net = net.eval().requires_grad_(False)
        self.length: int = self.net.config.max_position_embeddings
        self.padding = "longest" if kind == "clip" else "max_length"  # as in the training
        self.key = f"{model} {self.fingerprint()}"

    @torch.inference_mode()
    def encode(self, prompts: Sequence[str], device: torch.device) -> Tensor:
        """Tokenises and encodes, 256 prompts at a time; see `TextSource`."""
        net = self.net.to(device)
        found = []
        for first in range(0, len(prompts), BATCH):
            inputs = self.tokens(prompts[first : first + BATCH])
            vectors = getattr(net(**inputs.to(device)), self.output)
            found.append(F.normalize(vectors.float(), dim=-1))
        return torch.cat(found).cpu()

    def tokens(self, prompts: Sequence[str]) -> Any:
        """What the tower takes of prompts: their tokens, cut and filled up as in its training."""
        return self.tokenizer(
            list(prompts),
            padding=self.padding,
            truncation=True,
            max_length=self.length,
            return_tensors="pt",
        )


def is_kept(model: str) -> bool:
    """Whether the files of `hf:NAME` are on this machine; asks no network."""
    from huggingface_hub import try_to_load_from_cache

    name = model.removeprefix(TRANSFORMERS)
    return exists(name) or (
        name.count("/") <= 1 and isinstance(try_to_load_from_cache(name, "config.json"), str)
    )


@contextmanager
def without_report() -> Iterator[None]:
    """Loads without the bars of the library, and its table of weights that a part leaves over."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _loaded(kind: Any, name: str, options: dict[str, Any]) -> Any:
    """What a class of the library makes of a name: from this machine if it can, else the Hub."""
    code = {} if "config" in options else {"trust_remote_code": False}  # Auto classes alone take it
    options = {**options, **code}
    try:
        with without_report():
            return kind.from_pretrained(name, local_files_only=True, **options)
    except Exception as error:  # of any class, by the code of the many models
        if exists(name):
            raise _cannot(name, error) from error
    try:
        with without_report(), told_if_slow(f"transformers to load {name}"):
            return kind.from_pretrained(name, **options)
    except Exception as error:
        raise _cannot(name, error) from error


def _cannot(name: str, error: Exception) -> ConfigError:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
    if "trust_remote_code" in str(error):
        reason = "it is code of the repository, which is never run here"
    return ConfigError(
        f"transformers cannot load the text encoder {name}: {reason}. Give a folder with its "
        "configuration, tokenizer and model.safetensors, or a table of label vectors"
    )
