"""The text tower of a dino.txt (arXiv:2412.16334): a causal transformer of CLIP's form, but wider.

Its vectors have two halves, for the whole of a picture and for its patches. The second is used.
"""

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from lseg.errors import ConfigError
from lseg.text.clip import LOADING, OpenClipText
from lseg.text.location import DINOTXT
from lseg.text.tower import load_tower, tower_like_clip

TEXT_SIDE = "text_model."
"""Before the names of its weights in a file with those of more."""

HEAD_WIDTH = 64
"""Of the attention, in all networks of these authors."""

STEP = 8
"""Prompts are encoded at the next multiple of it of the longest one's tokens."""

_BLOCK = r"backbone\.blocks\.(\d+)\."
_NAMES = (
    (r"backbone\.(token_embedding\.weight|positional_embedding|ln_final\..*)", r"\1"),
    (rf"{_BLOCK}attention_norm\.(.*)", r"transformer.resblocks.\1.ln_1.\2"),
    (rf"{_BLOCK}attention\.qkv\.(weight|bias)", r"transformer.resblocks.\1.attn.in_proj_\2"),
    (rf"{_BLOCK}attention\.proj\.(.*)", r"transformer.resblocks.\1.attn.out_proj.\2"),
    (rf"{_BLOCK}ffn_norm\.(.*)", r"transformer.resblocks.\1.ln_2.\2"),
    (rf"{_BLOCK}feed_forward\.fc1\.(.*)", r"transformer.resblocks.\1.mlp.c_fc.\2"),
    (rf"{_BLOCK}feed_forward\.fc2\.(.*)", r"transformer.resblocks.\1.mlp.c_proj.\2"),
    (r"head\.linear_projection\.weight", "text_projection"),
)
"""Patterns of names, and open_clip's names for them."""


class DinoTxtText(OpenClipText):
    """The text tower of a dino.txt, frozen; as a tower of open_clip, which has the same parts."""

    def __init__(self, model: str) -> None:
        """Reads the tower.

        Args:
            model: `dinotxt:FILE`, a file that has it, with or without the rest.

        Raises:
            ConfigError: If it cannot be had of the file.
        """
        import open_clip

        file = Path(model.removeprefix(DINOTXT))
        weights = in_open_clips_names(read_text_side(file), file)
        length, width = weights["positional_embedding"].shape
        text = {
            "context_length": length,
            "vocab_size": len(weights["token_embedding.weight"]),
            "width": width,
            "heads": width // HEAD_WIDTH,
            "layers": len({name.split(".")[2] for name in weights if ".resblocks." in name}),
        }
        net = tower_like_clip(weights["text_projection"].shape[1], text)
        self.net = load_tower(net, weights, str(file)).eval().requires_grad_(False)
        self.tokenizer = open_clip.SimpleTokenizer(context_length=length)
        stat = file.stat()
        self.key = f"{model} {stat.st_size}:{stat.st_mtime_ns}"

    def vectors(self, net: Any, tokens: Tensor) -> Tensor:
        """See `OpenClipText`; without what follows the end of all prompts, which none of them sees.

        Most prompts have a dozen tokens, and the tower is large.
        """
        ends = tokens.argmax(dim=-1)
        length = min(int(ends.max()) // STEP * STEP + STEP, tokens.shape[1])
        tokens = tokens[:, :length]
        embedded = net.token_embedding(tokens) + net.positional_embedding[:length]
        encoded = net.transformer(embedded, attn_mask=net.attn_mask[:length, :length])
        pooled = net.ln_final(encoded)[torch.arange(len(tokens), device=tokens.device), ends]
        return F.normalize(pooled @ net.text_projection, dim=-1)


def is_text_side(names: Collection[str]) -> bool:
    """Whether weights are those of a text tower alone."""
    return "backbone.token_embedding.weight" in names


def read_text_side(file: Path) -> dict[str, Tensor]:
    """The weights of the text tower in a file, under the names that they have in the tower.

    No code that a pickle may hold is run.

    Raises:
        ConfigError: If it cannot be read, or has no text tower.
    """
    try:
        if file.suffix == ".safetensors":
            weights = load_file(file)
        else:
            weights = torch.load(file, "cpu", weights_only=True, mmap=True)
    except (*LOADING, SafetensorError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ConfigError(f"{file}, the weights of the text encoder: {reason}") from error
    alone = is_text_side(weights)
    found = {
        name.removeprefix(TEXT_SIDE): value
        for name, value in weights.items()
        if alone or name.startswith(TEXT_SIDE)
    }
    if not is_text_side(found):
        raise ConfigError(f"{file} has no text encoder of a dino.txt")
    return found


def in_open_clips_names(weights: Mapping[str, Tensor], file: Path) -> dict[str, Tensor]:
    """The weights of the text tower as open_clip has them, for the vectors of patches alone.

    Raises:
        ConfigError: Naming the first weight that is not known, or is missing.
    """
    found = {}
    for name, value in weights.items():
        new = next((re.sub(a, b, name) for a, b in _NAMES if re.fullmatch(a, name)), None)
        if new is None:
            raise ConfigError(f"{file} has an unknown weight of the text encoder: {name!r}")
        found[new] = value.float()
    for name in ("positional_embedding", "text_projection"):
        if name not in found:
            raise ConfigError(f"{file} lacks a weight of the text encoder, open_clip's {name!r}")
    halves = found["text_projection"]
    found["text_projection"] = halves[len(halves) // 2 :].T.contiguous()
    for name in [name for name in found if name.endswith(".attn.in_proj_weight")]:
        bias = name.replace("_weight", "_bias")
        found.setdefault(bias, torch.zeros(len(found[name])))  # open_clip always has one
    return found
