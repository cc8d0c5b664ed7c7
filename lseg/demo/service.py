"""The demo without its page: questions about uploaded pictures, answered from one shared cache."""

import hashlib
from dataclasses import dataclass, replace
from threading import Lock

import numpy as np
from PIL import Image
from torch import Tensor

from lseg.demo.cache import SharedCache
from lseg.demo.limits import Limits
from lseg.demo.marks import read_label
from lseg.demo.memories import read_memory
from lseg.demo.questions import decode_upload, read_labels, read_upload
from lseg.demo.visitors import Taught, Visitors
from lseg.demo.words import DemoLabelEncoder
from lseg.errors import CheckpointError, ConfigError, ImageError, LabelError
from lseg.inference.segmenter import EncodedPicture, Segmentation, Segmenter
from lseg.memory.marks import Marks
from lseg.models.lseg import LSeg
from lseg.text.asking import AS_TRAINED, Asking


@dataclass(frozen=True)
class Picture:
    """An encoded picture, and the same one at the size that the page shows."""

    full: EncodedPicture
    shown: EncodedPicture

    @property
    def nbytes(self) -> int:
        """Bytes of memory that keeping it takes."""
        embeddings = self.full.embeddings
        tensors: list[Tensor] = [embeddings.features, embeddings.norms, *embeddings.projection]
        tensors += self.full.look.levels
        images = {id(encoded.image): encoded.image for encoded in (self.full, self.shown)}
        pixels = sum(image.width * image.height for image in images.values())
        return 3 * pixels + sum(tensor.nbytes for tensor in tensors)


@dataclass(frozen=True)
class Ranking:
    """The best labels of a pixel with their probabilities among all of the same list.

    Attributes:
        pixel: Column and row in the picture at its own size.
        labels: Out of those that were asked for.
        vocabulary: Out of the built-in words.
    """

    pixel: tuple[int, int]
    labels: list[tuple[str, float]]
    vocabulary: list[tuple[str, float]]


class Service:
    """Answers every visitor of a demo; threads may share it.

    Nothing is kept about a visitor but what was taught, which is only for who has its key.

    A picture is known by the hash of its file: whoever asks about it again, with whatever labels,
    is answered from its embedding, as long as that is in the cache.
    """

    def __init__(
        self,
        model: LSeg,
        limits: Limits,
        size: int | None = None,
        asking: Asking = AS_TRAINED,
    ) -> None:
        """`size` and `asking` are as for `Segmenter`."""
        self.limits = limits
        self.segmenter = Segmenter(model, size)
        self.words = DemoLabelEncoder(model, limits.prompts, asking)
        self.pictures: SharedCache[Picture] = SharedCache(limits.cache_bytes)
        self.visitors = Visitors(model, self.segmenter.size, limits)
        self._network = Lock()  # one picture at a time: two would take twice the memory

    @property
    def of_shapes(self) -> bool:
        """Whether the text side is the embedded one, which knows coloured shapes and no more."""
        return self.segmenter.model.config.text.model == "tiny"

    def knows(self, labels: list[str]) -> bool:
        """Whether the text side has vectors for these labels."""
        return self.words.knows(labels)

    def picture(self, path: str | None) -> Picture:
        """An uploaded picture, encoded now or before.

        Raises:
            ImageError: If it cannot be used.
        """
        data = read_upload(path, self.limits)
        return self.pictures.get(hashlib.sha256(data).hexdigest(), lambda: self._encode(data))

    def teach(
        self, picture: Picture, marks: Marks, label: str, taught: Taught, source: str
    ) -> None:
        """The picture shows a label; it is marked in the picture as shown, which is bounded.

        Raises:
            ImageError: If the marks do not lie in it.
            LabelError: If the label cannot be used, or there is no room.
        """
        taught.add(picture.shown, marks, read_label(label, self.limits), source)

    def load(self, path: str | None, key: str, session: str | None = None) -> tuple[str, Taught]:
        """An uploaded memory joins what a visitor has taught, or begins it; as `find_or_begin`.

        Raises:
            CheckpointError: If it is none of this model.
            LabelError: If there is no room for it.
        """
        if path is None:
            raise CheckpointError("no memory yet: upload one")
        examples = read_memory(path, self.visitors.owner, self.limits)
        key, taught = self.visitors.find_or_begin(key, session)
        taught.join(examples)
        return key, taught

    def segment(
        self, picture: EncodedPicture, text: str, other: bool, taught: Taught | None = None
    ) -> Segmentation:
        """A picture by the labels in a text, and by examples of them.

        Raises:
            LabelError: If they cannot be used.
        """
        labels = read_labels(text, other, self.limits)
        words = self.words
        question = words.question(labels) if taught is None else taught.question(words, labels)
        if len(labels) == 1:
            raise LabelError(
                f"one label alone, {labels[0]!r}, would be everywhere: name a second one, or other"
            )
        return self.segmenter.segment_encoded(picture, question)

    def ranking(
        self,
        picture: Picture,
        text: str,
        other: bool,
        x: int,
        y: int,
        taught: Taught | None = None,
    ) -> Ranking:
        """The best labels of a pixel of the picture as shown, out of the text and the vocabulary.

        Raises:
            ImageError: If the pixel is not in the picture.
            LabelError: If the labels cannot be used.
        """
        width, height = picture.shown.image.size
        if not (0 <= x < width and 0 <= y < height):
            raise ImageError(f"there is no pixel ({x}, {y}) in a picture of {width} x {height}")
        words = self.words
        known = self.segmenter.segment_encoded(picture.shown, words.vectors, words.vocabulary)
        whole = picture.full.image
        return Ranking(
            (x * whole.width // width, y * whole.height // height),
            best_labels(self.segment(picture.shown, text, other, taught), x, y),
            best_labels(known, x, y),
        )

    def embed(
        self, path: str | None, size: tuple[int, int], dtype: str, normalize: bool
    ) -> np.ndarray:
        """Pixel embeddings (C, h, w) of an uploaded picture; see `Segmenter.embed`.

        `size` is height and width; 0 and 0 stand for the network's own output size.

        Raises:
            ImageError: If the picture cannot be used.
            ConfigError: If the size or the type is none that is given out.
        """
        if dtype not in ("float16", "float32"):
            raise ConfigError(f"dtype is {dtype!r}: choose float16 or float32")
        most = self.limits.embedding_side
        if size != (0, 0) and not (min(size) >= 1 and max(size) <= most):
            raise ConfigError(
                f"height and width are {size[0]} and {size[1]}: give 0 and 0 for the network's own "
                f"size, or both from 1 to {most}"
            )
        image = decode_upload(read_upload(path, self.limits), self.limits)
        aspect = max(image.size) / min(image.size)
        if size == (0, 0) and aspect > self.limits.embedding_aspect:
            raise ConfigError(
                f"the picture is {aspect:.0f} times as long as wide: give height and width"
            )
        with self._network:
            return self.segmenter.embed(image, size if any(size) else None, dtype, normalize)

    def _encode(self, data: bytes) -> Picture:
        image = decode_upload(data, self.limits)
        with self._network:
            full = self.segmenter.encode(image)
        return Picture(full, replace(full, image=shrink_picture(image, self.limits.shown_side)))


def shrink_picture(image: Image.Image, side: int) -> Image.Image:
    """The picture with its longer side at most `side`."""
    factor = side / max(image.size)
    if factor >= 1:
        return image
    width, height = (max(1, round(factor * length)) for length in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def best_labels(
    segmentation: Segmentation, x: int, y: int, count: int = 5
) -> list[tuple[str, float]]:
    """The `count` best labels of a pixel with their softmax probabilities, best first."""
    logits = segmentation.logits_at(x, y).astype(np.float64)
    weights = np.exp(logits - logits.max())
    order = np.argsort(-logits, kind="stable")[:count]
    shares = weights / weights.sum()
    return [(segmentation.labels[index], float(shares[index])) for index in order]
