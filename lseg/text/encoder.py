"""Label vectors: a frozen CLIP text encoder, or a table of vectors that stands in for one.

Nothing here is a `torch.nn.Module` that a network could register: the text side has no entry in a
state dict, no gradient, no train mode, and is built only when label strings are first asked for.
"""

import difflib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Protocol

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from lseg.config import TextConfig
from lseg.errors import ConfigError, LabelError
from lseg.paths import ASSETS, resolve_data_path
from lseg.text.cache import TextCache
from lseg.text.tower import build_text_tower

SYNONYM_SEPARATOR = "|"


class TextSource(Protocol):
    """Turns prompts into vectors.

    Attributes:
        key: Identifies model and weights; vectors of equal keys may be cached together. None where
            nothing is gained by caching.
        templates: Whether prompts are to be put into prompt templates first.
    """

    key: str | None
    templates: bool

    def encode(self, prompts: Sequence[str], device: torch.device) -> Tensor:
        """Unit vectors (n, C), float32, on the CPU."""


class LabelTable:
    """A label-embedding table: `embeddings` (N, C) in a `.safetensors` file, with label names."""

    key: str | None = None
    templates = False

    def __init__(self, path: Path) -> None:
        """Reads the table.

        Raises:
            LabelError: If the file is missing or is no label-embedding table.
        """
        self.path = path
        try:
            with safe_open(path, "pt") as file:
                embeddings = file.get_tensor("embeddings").float()
                names = json.loads((file.metadata() or {})["labels"])
        except FileNotFoundError:
            raise LabelError(f"{path}: no such label-embedding table") from None
        except (SafetensorError, KeyError, json.JSONDecodeError, OSError) as error:
            raise LabelError(
                f"{path} is no label-embedding table: expected a .safetensors file with a tensor "
                f"'embeddings' (N, C) and a JSON list 'labels' in its metadata ({error})"
            ) from error
        if (
            embeddings.ndim != 2
            or not isinstance(names, list)
            or not all(isinstance(name, str) for name in names)
            or len(names) != len(embeddings)
        ):
            raise LabelError(
                f"{path}: labels must be a list of as many names as there are rows in the "
                f"embeddings, which have shape {tuple(embeddings.shape)}"
            )
        self.names = names
        self.vectors = dict(zip(names, F.normalize(embeddings, dim=-1), strict=True))

    def encode(self, prompts: Sequence[str], device: torch.device) -> Tensor:
        """Looks the prompts up; see `TextSource`.

        Raises:
            LabelError: If a prompt is not in the table, with the closest names.
        """
        for prompt in prompts:
            if prompt not in self.vectors:
                near = difflib.get_close_matches(prompt, self.names, n=5, cutoff=0.5)
                known = f"closest: {', '.join(near)}" if near else f"e.g. {self.names[:5]}"
                raise LabelError(
                    f"label {prompt!r} is not among the {len(self.names)} of {self.path.name}; "
                    f"{known}"
                )
        return torch.stack([self.vectors[prompt] for prompt in prompts])


class OpenClipText:
    """The text tower of any open_clip model, frozen."""

    key: str | None
    templates = True

    def __init__(self, model: str, pretrained: str | None, tower: Path | None = None) -> None:
        """Builds the tower.

        Args:
            model: open_clip model name, `local-dir:FOLDER`, `hf-hub:...` or `tiny`.
            pretrained: A tag or a weight file (of the whole model, or a `.safetensors` of the text
                tower alone), where the model's folder does not hold the weights.
            tower: A `.safetensors` file with the weights of the text tower alone, instead.

        Raises:
            ConfigError: If open_clip knows no such model or tag, or cannot get the weights.
        """
        import open_clip  # seconds to import, and often never needed

        if tower is None and pretrained is not None and _holds_text_alone(pretrained):
            tower = resolve_data_path(pretrained)
        if tower is not None:
            self.net = build_text_tower(model, load_file(tower)).eval().requires_grad_(False)
            self.tokenizer = open_clip.get_tokenizer(model)
            self.key = f"{model} {_stamp(model, str(tower))}"
            return
        if model == "tiny":
            model = f"local-dir:{ASSETS / 'tiny_clip'}"
        elif ":" not in model and pretrained is None:
            raise ConfigError(f"text encoder {model!r} has no weights: give a tag or a file")
        weights = open_clip.get_pretrained_cfg(model, pretrained) if pretrained else {}
        try:
            net = open_clip.create_model(
                model,
                pretrained,
                force_quick_gelu=bool(weights.get("quick_gelu")),
                require_pretrained=True,
            )
            self.tokenizer = open_clip.get_tokenizer(model)
        except (RuntimeError, OSError, ValueError, SafetensorError, UnpicklingError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ConfigError(
                f"open_clip cannot load text encoder {model!r} with weights {pretrained!r}: "
                f"{reason}. Without a model hub, give a weight file, or a table of label vectors"
            ) from error
        net.visual = torch.nn.Identity()  # the image tower is not needed
        self.net = net.eval().requires_grad_(False)
        self.key = f"{model} {pretrained} {_stamp(model, pretrained)}"

    @torch.inference_mode()
    def encode(self, prompts: Sequence[str], device: torch.device) -> Tensor:
        """Tokenises and encodes, 256 prompts at a time; see `TextSource`."""
        net = self.net.to(device)
        tokens = self.tokenizer(list(prompts)).to(device)
        vectors = [net.encode_text(chunk, normalize=True) for chunk in tokens.split(256)]
        return torch.cat(vectors).float().cpu()


def _holds_text_alone(pretrained: str) -> bool:
    path = resolve_data_path(pretrained)
    if path.suffix != ".safetensors" or not path.is_file():
        return False
    try:
        with safe_open(path, "pt") as file:
            return not any(key.startswith("visual.") for key in file.keys())  # noqa: SIM118
    except (SafetensorError, OSError):
        return False  # open_clip will say what is wrong


class LabelEncoder:
    """Labels to vectors: splits synonyms, fills templates, caches in memory and on disk."""

    def __init__(
        self, config: TextConfig, embed_dim: int, source: TextSource | None = None
    ) -> None:
        """Cheap: `source` is built from `config` when first needed, unless it is given.

        Attributes:
            tower: File with the weights of the text tower, where they came with the network.
        """
        self.tower: Path | None = None
        self.config = config
        self.embed_dim = embed_dim
        self._source: TextSource | None = source
        self._known: dict[str, Tensor] = {}

    @property
    def source(self) -> TextSource:
        """The text encoder or table, built now if it was not yet."""
        if self._source is None:
            if self.config.table is not None:
                self._source = LabelTable(resolve_data_path(self.config.table))
            else:
                config = self.config
                self._source = OpenClipText(config.model, config.pretrained, self.tower)
        return self._source

    def encode(self, labels: Sequence[str], device: torch.device | str = "cpu") -> Tensor:
        """One vector a label: the normalised mean over its synonyms and the prompt templates.

        Args:
            labels: Free text; `|` separates synonyms.
            device: Where the encoder runs and the result lies.

        Returns:
            (N, C) unit vectors, float32.

        Raises:
            LabelError: If there is no label, one is empty, a table lacks one, or the vectors are
                not as wide as the model's pixel embeddings.
        """
        device = torch.device(device)
        if (
            isinstance(labels, str)
            or not isinstance(labels, Sequence)
            or not all(isinstance(label, str) for label in labels)
        ):
            raise LabelError(f"labels must be a list of strings, got {labels!r}")
        if not labels:
            raise LabelError("no labels given: name at least one, such as ['sky', 'other']")
        prompts = {label: self._prompts(label) for label in dict.fromkeys(labels)}
        self._learn([prompt for group in prompts.values() for prompt in group], device)
        means = [
            torch.stack([self._known[prompt] for prompt in prompts[label]]).mean(0)
            for label in labels
        ]
        return F.normalize(torch.stack(means), dim=-1).to(device)

    def _prompts(self, label: str) -> list[str]:
        names = [name.strip() for name in label.split(SYNONYM_SEPARATOR) if name.strip()]
        if not names:
            raise LabelError(f"label {label!r} is empty: give it a name")
        if not self.source.templates:
            return names
        return [template.format(name) for name in names for template in self.config.templates]

    def _learn(self, prompts: Sequence[str], device: torch.device) -> None:
        """Brings every prompt into `_known`, from the disk where it is there already."""
        source = self.source
        unknown = [prompt for prompt in dict.fromkeys(prompts) if prompt not in self._known]
        if source.key is not None:
            cache = TextCache(source.key)
            found = cache.read(unknown)
            self._check_width(found.values())
            self._known.update(found)
            unknown = [prompt for prompt in unknown if prompt not in self._known]
        if not unknown:
            return
        vectors = source.encode(unknown, device)
        self._check_width(vectors)
        with torch.inference_mode(mode=False):  # what is kept must serve a training, too
            learnt = dict(zip(unknown, vectors.clone(), strict=True))
        self._known.update(learnt)
        if source.key is not None:
            cache.write(learnt)

    def _check_width(self, vectors: Iterable[Tensor]) -> None:
        for vector in vectors:
            if len(vector) != self.embed_dim:
                raise LabelError(
                    f"label vectors are {len(vector)} wide, this model's pixel embeddings "
                    f"{self.embed_dim}: use the text encoder or table that it was trained with"
                )


def _stamp(model: str, pretrained: str | None) -> str:
    """Size and time of local weights, so that a changed file is not taken for the cached one."""
    local = Path(model.removeprefix("local-dir:")) if model.startswith("local-dir:") else None
    files = sorted(local.glob("*")) if local else [Path(pretrained)] if pretrained else []
    stats = [file.stat() for file in files if file.is_file()]
    return " ".join(f"{stat.st_size}:{stat.st_mtime_ns}" for stat in stats)
