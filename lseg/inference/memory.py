"""Teaching by example: pictures in which a label is marked, kept as one model sees them."""

import os
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2 import functional as TF

from lseg.data.base.dataset import FolderDataset
from lseg.data.base.labels import Prompts, clean_name
from lseg.data.sets.pairs import PairsDataset
from lseg.errors import LabelError
from lseg.inference.encoding import EncodedPicture, ImageSource, encode_picture
from lseg.inference.prefetch import Picture
from lseg.memory.asking import TaughtAsking
from lseg.memory.drawing import Drawn, draw, occurrences
from lseg.memory.examples import Examples
from lseg.memory.file import Owner, read_examples, save_examples
from lseg.memory.marks import LABEL, REST, UNKNOWN, Marks, Mask
from lseg.memory.sampling import Cells
from lseg.models.lseg import LSeg
from lseg.paths import user_path
from lseg.store.tensors import fingerprint
from lseg.text.asking import AS_TRAINED, Asking


class Memory:
    """Examples of labels, as one model sees them.

    Attributes:
        size: Shorter side of the pictures as it sees them.
        examples: What is kept of the pictures.
    """

    def __init__(
        self, model: LSeg, size: int | None = None, examples: Examples | None = None
    ) -> None:
        """A memory of `examples`, or of nothing yet.

        Args:
            model: In eval mode.
            size: Shorter side of pictures as it sees them; its own by default, 0 for theirs.
            examples: Of this model.
        """
        self._model = model
        self.size = model.config.preprocessing.size if size is None else size
        self.examples = Examples() if examples is None else examples

    @classmethod
    def load(cls, path: str | os.PathLike[str], model: LSeg) -> Self:
        """What `save` wrote.

        Raises:
            CheckpointError: If there is no such file, or it was made with another model.
        """
        examples, owner = read_examples(user_path(path))
        memory = cls(model, owner.size, examples)
        memory.owner.refuse_other(owner, f"the memory {path}")
        return memory

    @classmethod
    def from_pairs(
        cls,
        model: LSeg,
        root: str | Path,
        split: str = "train",
        shots: int | None = None,
        seed: int = 0,
        prompts: Prompts | None = None,
        ignore_index: int | None = None,
    ) -> Self:
        """Examples out of a folder of picture and mask pairs.

        Args:
            model: In eval mode.
            root: The folder.
            split: Its list.
            shots: Pictures a class, drawn by `seed`; all, if not given.
            seed: See there.
            prompts: {class name: label}, or a JSON file that holds it; names by default.
            ignore_index: See `PairsDataset`.

        Raises:
            DataError: If files are missing or malformed.
        """
        data = PairsDataset(root, split, ignore_index, prompts)
        memory = cls(model)
        memory.add_data(data, draw(occurrences(data), shots, seed))
        return memory

    @cached_property
    def owner(self) -> Owner:
        """Which model this is of: to be asked for when a file is read or written."""
        widths = tuple(level.width for level in self._model.trunk.backbone.levels)
        width = self._model.config.embed_dim
        return Owner(fingerprint(self._model), width, widths, self.size)

    @property
    def labels(self) -> list[str]:
        """What there are examples of, in alphabetical order."""
        return self.examples.labels

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes one safetensors file."""
        save_examples(user_path(path), self.examples, self.owner)

    def add(
        self,
        image: ImageSource,
        marks: Marks | np.ndarray,
        label: str,
        source: str = "",
    ) -> None:
        """A picture that shows a label. The same marks in the same picture count once.

        Args:
            image: A path, a PIL image, or an (H, W, 3) uint8 array.
            marks: Where: a mask (H, W) of bool, or of 0 (elsewhere), 1 (here) and 255 (unknown); a
                `Box`; or `Strokes`.
            label: What it shows.
            source: What to call the picture; its file's name by default.

        Raises:
            ImageError: If it cannot be read, or the marks do not fit it.
            LabelError: If the label is empty, or there is no room left.
        """
        encoded = encode_picture(self._model, image, self.size)
        self.add_encoded(encoded, marks, label, source or _named(image))

    def add_encoded(
        self,
        encoded: EncodedPicture,
        marks: Marks | np.ndarray,
        label: str,
        source: str = "picture",
    ) -> None:
        """As `add`, for a picture that the model has seen at this memory's size."""
        self._add(_cells(encoded), encoded.image, marks, label, source)

    def add_data(self, data: FolderDataset, drawn: Iterable[Drawn], progress: Any = None) -> None:
        """Pictures of a data set, as examples of classes in them; labels are those it asks for.

        Raises:
            DataError, ImageError: If a file is missing or damaged.
        """
        by_picture: dict[int, list[int]] = {}
        for picture, cls in drawn:
            by_picture.setdefault(picture, []).append(cls)
        for index in progress(by_picture) if progress else by_picture:
            item = data[index]
            image = TF.to_pil_image(item["image"])
            read = Picture(image, item["image"])
            cells = _cells(encode_picture(self._model, read, self.size))
            for cls in by_picture[index]:
                marks = _class_marks(item["mask"], cls, data.ignore_index)
                self._add(cells, image, marks, data.labels[cls], data.stems[index])

    def remove(self, label: str) -> int:
        """Forgets a label; returns how many examples it had.

        Raises:
            LabelError: If it had none.
        """
        return self.examples.remove(clean_name(label))

    def asking(self, text: Asking = AS_TRAINED) -> TaughtAsking:
        """How labels are asked with these examples, and by text as it says."""
        return TaughtAsking(text, self.examples, self._model.config.logit_scale)

    def _add(
        self, cells: Cells, image: Image.Image, marks: Marks | np.ndarray, label: str, source: str
    ) -> None:
        label = clean_name(label)
        if not label:
            raise LabelError("the label of an example is empty: give it a name")
        marks = Mask(marks) if isinstance(marks, np.ndarray) else marks
        self.examples.add(cells.example(label, source, np.asarray(image), marks))


def _cells(encoded: EncodedPicture) -> Cells:
    return Cells(encoded.look, encoded.size, encoded.padded)


def _class_marks(mask: Tensor, cls: int, ignore_index: int) -> Mask:
    marks = torch.where(mask == cls, LABEL, REST)
    return Mask(marks.masked_fill(mask == ignore_index, UNKNOWN).numpy())


def _named(image: ImageSource) -> str:
    """What a picture is called: by its file, if it is one."""
    return Path(image).name if isinstance(image, str | os.PathLike) else "picture"
