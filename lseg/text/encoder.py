"""Label vectors: a frozen CLIP text encoder, or a table of vectors that stands in for one.

Nothing here is a `torch.nn.Module` that a network could register: the text side has no entry in a
state dict, no gradient, no train mode, and is built only when label strings are first asked for.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from lseg.config import TextConfig
from lseg.data.base.labels import clean_name
from lseg.errors import LabelError
from lseg.text.cache import TextCache
from lseg.text.clip import OpenClipText
from lseg.text.distinct import refuse_equal
from lseg.text.location import located
from lseg.text.table import LabelTable

__all__ = ["LabelEncoder", "LabelTable", "OpenClipText", "TextSource"]

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


class LabelEncoder:
    """Labels to vectors: splits synonyms, fills templates, caches in memory and on disk."""

    def __init__(
        self, config: TextConfig, embed_dim: int, source: TextSource | None = None
    ) -> None:
        """Cheap: `source` is built from `config` when first needed, unless it is given.

        Attributes:
            tower: File with the weights of the text tower, where they came with the network.
            folder: Of the file that `config` is from, where it is from one; its relative paths
                start there.
        """
        self.tower: Path | None = None
        self.folder: Path | None = None
        self.config = config
        self.embed_dim = embed_dim
        self._source: TextSource | None = source
        self._known: dict[str, Tensor] = {}
        self._checked: tuple[str, ...] = ()  # a thousand labels are often asked for again

    @property
    def source(self) -> TextSource:
        """The text encoder or table, built now if it was not yet."""
        if self._source is None:
            config = located(self.config, self.folder)
            if config.table is not None:
                self._source = LabelTable(Path(config.table))
            else:
                self._source = OpenClipText(config.model, config.pretrained, self.tower)
        return self._source

    def encode(
        self,
        labels: Sequence[str],
        device: torch.device | str = "cpu",
        distinct: bool = True,
    ) -> Tensor:
        """One vector a label: the normalised mean over its synonyms and the prompt templates.

        Args:
            labels: Free text; `|` separates synonyms.
            device: Where the encoder runs and the result lies.
            distinct: Refuse different labels whose vectors are equal. To be left out only where
                pixels never have to choose between all of them.

        Returns:
            (N, C) unit vectors, float32.

        Raises:
            LabelError: If there is no label, one is empty, a table lacks one, two of them are one
                to the text encoder (see `refuse_equal`), or the vectors are not as wide as the
                model's pixel embeddings.
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
        vectors = F.normalize(torch.stack(means), dim=-1)
        if distinct and tuple(labels) != self._checked:
            refuse_equal(vectors, labels)
            self._checked = tuple(labels)
        return vectors.to(device)

    def _prompts(self, label: str) -> list[str]:
        synonyms = (clean_name(part) for part in label.split(SYNONYM_SEPARATOR))
        names = [name for name in synonyms if name]
        if not names:
            raise LabelError(f"label {label!r} is empty: give it a name")
        if not self.source.templates:
            return names
        templates = self.config.templates
        # Not `format`, to which all other braces would mean something.
        return [template.replace("{}", name) for name in names for template in templates]

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
