"""The text tower of any open_clip model."""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from lseg.errors import ConfigError, shown
from lseg.paths import ASSETS, is_file
from lseg.text.location import FOLDER
from lseg.text.pretrained import cached_weights
from lseg.text.remote_code import refuse_remote_code
from lseg.text.source import Answer, FreeText
from lseg.text.tower import build_text_tower, quick_gelu_twin, text_config
from lseg.text.waiting import told_if_slow

ReplyT = TypeVar("ReplyT")

IMAGE_SIDE = ("visual.", "logit_")
"""Before the names of those weights of a CLIP that its text side does not need."""

LOADING = (
    RuntimeError, OSError, ValueError, SafetensorError, UnpicklingError, ImportError, EOFError,
    LookupError, AttributeError, TypeError,
)  # fmt: skip
"""What open_clip and its libraries raise for files and names that they cannot make sense of."""


class OpenClipText(FreeText):
    """The text tower of any open_clip model, frozen."""

    def __init__(self, model: str, pretrained: str | None, tower: Path | None = None) -> None:
        """Builds the tower.

        Args:
            model: open_clip model name, `local-dir:FOLDER`, `hf-hub:...` or `tiny`.
            pretrained: A tag or a weight file (of the whole model, or a `.safetensors` of the text
                tower alone), where the model's folder does not hold the weights.
            tower: A `.safetensors` file with the weights of the text tower alone, instead.

        Raises:
            ConfigError: If open_clip knows no such model or tag, or cannot get the weights or the
                tokenizer.
        """
        import open_clip  # seconds to import, and often never needed

        if tower is None and pretrained is not None and _holds_text_alone(pretrained):
            tower = Path(pretrained)
        weights = _folder_tower(model) if tower is None else _read_tower(tower)
        if weights is not None:
            self.tokenizer = _tokenizer(model)
            if tower is not None:
                _warn_of_activation(model, tower, weights.get("text_projection"))
            self.net = build_text_tower(model, weights).eval().requires_grad_(False)
            self.key = f"{model} {_stamp(model, None if tower is None else str(tower))}"
            return
        if model == "tiny":
            model = f"{FOLDER}{ASSETS / 'tiny_clip'}"
        elif ":" not in model and pretrained is None:
            raise ConfigError(f"text encoder {model!r} has no weights: give a tag or a file")
        tag = (open_clip.get_pretrained_cfg(model, pretrained) or {}) if pretrained else {}
        kept = cached_weights(tag)  # as a file: for a tag the Hub is asked even then
        net = _explained(
            f"text encoder {model!r} with weights {pretrained!r}",
            lambda: open_clip.create_model(
                model,
                pretrained if kept is None else str(kept),
                force_quick_gelu=bool(tag.get("quick_gelu")),
                require_pretrained=True,
            ),
        )
        if pretrained is not None and not tag and is_file(pretrained):
            _warn_of_activation(model, Path(pretrained), _projection(Path(pretrained)))
        self.tokenizer = _tokenizer(model)
        net.visual = torch.nn.Identity()  # the image tower is not needed
        self.net = net.eval().requires_grad_(False)
        self.key = f"{model} {pretrained} {_stamp(model, pretrained)}"

    def answer(self, name: str) -> Answer:
        """The name itself, and whether it is too long to be read whole; see `TextSource`."""
        return Answer(name, self._shortened(name))

    def _shortened(self, name: str) -> str | None:
        """What to say of a name whose end the tokenizer cuts off."""
        longest = getattr(self.tokenizer, "context_length", None) or 0
        if len(name.encode("utf-8", "replace")) + 2 <= longest:
            return None  # a token is a byte or more, and two say where the text begins and ends
        tokens = self.tokenizer([name])
        length = tokens.shape[1]
        if torch.equal(self.tokenizer([name], context_length=length + 1)[:, :length], tokens):
            return None
        return (
            f"{shown(name)} is longer than the text encoder reads: what comes after its first "
            f"{length} tokens is left out"
        )

    @torch.inference_mode()
    def encode(self, prompts: Sequence[str], device: torch.device) -> Tensor:
        """Tokenises and encodes, 256 prompts at a time; see `TextSource`."""
        net = self.net.to(device)
        tokens = self.tokenizer(list(prompts)).to(device)
        vectors = [self.vectors(net, chunk) for chunk in tokens.split(256)]
        return torch.cat(vectors).float().cpu()

    def vectors(self, net: Any, tokens: Tensor) -> Tensor:
        """Unit vectors (n, C) of tokens (n, length), by the tower on their device."""
        return net.encode_text(tokens, normalize=True)


def _read_tower(path: Path) -> dict[str, Tensor]:
    """The weights of a text tower.

    Raises:
        ConfigError: If there are none.
    """
    try:
        return load_file(path)
    except FileNotFoundError:
        raise ConfigError(
            f"there is no {path}, the weights of the text encoder: was the model moved without it? "
            "Give its folder, or a table of label vectors, as --text-table"
        ) from None
    except (SafetensorError, OSError) as error:
        raise ConfigError(
            f"{path}, the weights of the text encoder, cannot be read: {error}. Is it whole?"
        ) from error


def _folder_tower(model: str) -> dict[str, Tensor] | None:
    """The text side's weights in a folder of open_clip's; None where that cannot be had so."""
    if not model.startswith(FOLDER):
        return None
    file = Path(model.removeprefix(FOLDER)) / "open_clip_model.safetensors"
    if not is_file(file) or "hf_model_name" in text_config(model):
        return None
    try:
        with safe_open(file, "pt") as stored:
            names = [name for name in stored.keys() if not name.startswith(IMAGE_SIDE)]  # noqa: SIM118
            return {name: stored.get_tensor(name) for name in names}
    except (SafetensorError, OSError) as error:
        raise ConfigError(f"{file} cannot be read: {error}. Is it whole?") from error


def _tokenizer(model: str) -> Any:
    """What turns a model's prompts into numbers; SigLIP's and others' come from a model hub."""
    import open_clip

    refuse_remote_code(model)
    return _explained(f"the tokenizer of {model!r}", lambda: open_clip.get_tokenizer(model))


def _explained(what: str, load: Callable[[], ReplyT]) -> ReplyT:
    """What open_clip loads; its failure is told in one line."""
    try:
        with told_if_slow(f"open_clip to load {what}"):
            return load()
    except LOADING as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise ConfigError(
            f"open_clip cannot load {what}: {reason}. Without a model hub, give a weight file, or "
            "a table of label vectors"
        ) from error


def _holds_text_alone(pretrained: str) -> bool:
    path = Path(pretrained)
    if path.suffix != ".safetensors" or not is_file(path):
        return False
    try:
        with safe_open(path, "pt") as file:
            return not any(key.startswith("visual.") for key in file.keys())  # noqa: SIM118
    except (SafetensorError, OSError):
        return False  # open_clip will say what is wrong


def _projection(path: Path) -> Tensor | None:
    """The text projection in a weight file of a whole CLIP that open_clip has just read."""
    names = ("text_projection", "text.text_projection")
    if path.suffix == ".safetensors":
        with safe_open(path, "pt") as file:
            return next((file.get_tensor(name) for name in names if name in file.keys()), None)  # noqa: SIM118
    try:
        weights = torch.load(path, "meta", weights_only=True)
    except LOADING:  # one of NumPy's, for example
        return None
    weights = weights.get("state_dict", weights)
    return next((weights[name] for name in names if name in weights), None)


def _warn_of_activation(model: str, file: Path, projection: Tensor | None) -> None:
    """Warns where OpenAI's weights would run with another activation than they were trained with.

    They are told by their name, or by their half precision.
    """
    named = any("openai" in part.lower() for part in file.parts[-2:])
    halved = projection is not None and projection.dtype.itemsize == 2
    twin = quick_gelu_twin(model)
    if (named or halved) and twin is not None:
        warnings.warn(
            f"{file} looks like a CLIP of OpenAI's, which are trained with quick GELU, but {model} "
            f"computes plain GELU: if it is one, its label vectors are wrong until you name {twin}",
            stacklevel=3,
        )


def _stamp(model: str, pretrained: str | None) -> str:
    """Size and time of local weights, so that a changed file is not taken for the cached one."""
    local = Path(model.removeprefix(FOLDER)) if model.startswith(FOLDER) else None
    files = sorted(local.glob("*")) if local else [Path(pretrained)] if pretrained else []
    stats = [file.stat() for file in files if is_file(file)]
    return " ".join(f"{stat.st_size}:{stat.st_mtime_ns}" for stat in stats)
