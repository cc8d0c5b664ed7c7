"""Label vectors: a frozen CLIP text encoder, or a table of vectors that stands in for one.

Nothing here is a `torch.nn.Module` that a network could register: the text side has no entry in a
state dict, no gradient, no train mode, and is built only when label strings are first asked for.
"""

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from lseg.config import TextConfig
from lseg.data.base.labels import clean_name
from lseg.errors import LabelError, LSegWarning
from lseg.text.cache import TextCache
from lseg.text.clip import OpenClipText
from lseg.text.distinct import refuse_equal
from lseg.text.location import located
from lseg.text.opening import open_encoder
from lseg.text.source import Answer, TextSource
from lseg.text.table import LabelTable
from lseg.text.words import TableWords

__all__ = ["LabelEncoder", "LabelTable", "OpenClipText", "TextSource"]

SYNONYM_SEPARATOR = "|"


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
        self._answers: dict[str, Answer] = {}
        self._checked: tuple[str, ...] = ()  # a thousand labels are often asked for again

    @property
    def source(self) -> TextSource:
        """The text encoder or table, built now if it was not yet."""
        if self._source is None:
            config = located(self.config, self.folder)
            if config.table is not None:
                self._source = TableWords(Path(config.table))
            else:
                self._source = open_encoder(config, self.tower)
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
            LabelError: If there is no label, one is empty, a table has no answer to one (see
                `TableWords`), two of them are one to the text encoder (see `refuse_equal`), or the
                vectors are not as wide as the model's pixel embeddings.
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
            refuse_equal(vectors, labels, self.notes)
            self._checked = tuple(labels)
        return vectors.to(device)

    def notes(self, labels: Sequence[str]) -> list[str]:
        """What is to be said of labels that are answered by other words than their own.

        Such as `"automobiles" answered as "car"`: a table finds its names in other spellings.

        Raises:
            LabelError: As `encode`.
        """
        answers = [self._answer(name) for label in labels for name in _names(label)]
        return list(dict.fromkeys(answer.note for answer in answers if answer.note is not None))

    def warn_of_notes(self, labels: Sequence[str], stacklevel: int = 1) -> None:
        """Says `notes` as warnings, of which the command line makes lines on standard error."""
        for note in self.notes(labels):
            warnings.warn(note, LSegWarning, stacklevel=stacklevel + 1)

    def knows(self, label: str) -> bool:
        """Whether a label has a vector at hand: nothing is loaded or fetched to make one.

        Raises:
            LabelError: If it is empty.
        """
        return all(self.source.knows(name) for name in _names(label))

    def _answer(self, name: str) -> Answer:
        if name not in self._answers:
            self._answers[name] = self.source.answer(name)
        return self._answers[name]

    def _prompts(self, label: str) -> list[str]:
        names = [self._answer(name).prompt for name in _names(label)]
        if not self.source.templates:
            return list(dict.fromkeys(names))  # two spellings of a word are one synonym
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


def _names(label: str) -> list[str]:
    """The synonyms of a label."""
    synonyms = (clean_name(part) for part in label.split(SYNONYM_SEPARATOR))
    names = [name for name in synonyms if name]
    if not names:
        raise LabelError(f"label {label!r} is empty: give it a name")
    return names
