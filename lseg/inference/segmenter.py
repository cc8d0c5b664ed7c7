"""Image in, answers out: a picture is encoded once, then any labels can be asked for."""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Self

import numpy as np
import torch
from torch import Tensor

from lseg.checkpoints.load import load_model
from lseg.data.base.labels import parse_labels
from lseg.errors import CheckpointError, ImageError, LabelError
from lseg.inference.embed_config import EmbedConfig, FixedGrid, Grid, NetworkGrid
from lseg.inference.embeddings import EmbeddedPicture, embed_picture
from lseg.inference.encoding import EncodedPicture, ImageSource, as_picture, encode_picture
from lseg.inference.memory import Memory
from lseg.inference.pca import PCA
from lseg.inference.segmentation import Segmentation
from lseg.inference.views import InferenceConfig, image_maps, resize_short_side, to_tensor
from lseg.memory.marks import Marks, Point, clicks
from lseg.models.dpt import DPTSegmentation
from lseg.models.guided import guided as outlined
from lseg.models.lseg import LSeg
from lseg.models.maps import DenseMaps, Maps, ResizedMaps
from lseg.models.pooled import answered
from lseg.models.taught import question_logits
from lseg.text.asking import AS_TRAINED, Asking
from lseg.text.question import Question

Labels = Sequence[str] | str | Tensor | Question


class Segmenter:
    """Answers questions about one picture at a time, with the model's own preprocessing.

    The picture's shorter side is brought to `size`; answers come at the picture's own size.
    """

    def __init__(
        self,
        model: LSeg,
        size: int | None = None,
        asking: Asking = AS_TRAINED,
        memory: Memory | None = None,
        guided: bool | None = None,
    ) -> None:
        """A segmenter without a picture.

        Args:
            model: Set to eval mode.
            size: In place of the model's own (`config.preprocessing.size`); 0 never resizes.
            asking: How label texts are asked for: synonyms, and `other`.
            memory: Examples, of this model; none by default.
            guided: Whether labels follow the picture's outlines, see `lseg.models.guided`; by
                default as the model's `config.preprocessing.guided` says.
        """
        self.model = model.eval()
        self.size = model.config.preprocessing.size if size is None else size
        InferenceConfig(self.size)  # refuses a negative one
        self.guided = model.config.preprocessing.guided if guided is None else guided
        self.asking = asking
        self.memory = Memory(self.model, self.size) if memory is None else memory
        self._encoded: EncodedPicture | None = None
        self._last: tuple[tuple[object, ...], Question] | None = None

    @classmethod
    def from_pretrained(
        cls,
        source: str | os.PathLike[str],
        device: str = "cpu",
        size: int | None = None,
        asking: Asking = AS_TRAINED,
    ) -> Self:
        """A segmenter of `lseg.load_model(source, device)`.

        Raises:
            CheckpointError: If that is a network that no labels can be asked for.
        """
        model = load_model(source, device)
        if not isinstance(model, LSeg):
            raise CheckpointError(
                f"{source} is of the kind {type(model).__name__}, which knows no labels: give an "
                "LSeg, or an encoder of pictures and texts"
            )
        return cls(model, size, asking)

    def set_image(self, image: ImageSource) -> None:
        """Encodes a picture: a path, a PIL image, or an (H, W, 3) uint8 array.

        Raises:
            ImageError: If it cannot be read.
        """
        self._encoded = self.encode(image)

    def encode(self, image: ImageSource) -> EncodedPicture:
        """Encodes a picture without keeping it; for callers with a cache of their own.

        Raises:
            ImageError: If it cannot be read.
        """
        return encode_picture(self.model, image, self.size)

    def teach(self, label: str, marks: Marks | np.ndarray | Sequence[Point]) -> None:
        """The current picture shows a label: from now on it is asked by its examples, too.

        Args:
            label: Any name; it need be none that the text side knows.
            marks: Where it is: a mask (H, W), a `Box`, `Strokes`, or (column, row) points.

        Raises:
            ImageError: If no picture was set, or the marks do not lie in it.
            LabelError: If the label is empty, or there is no room left.
        """
        if self._encoded is None:
            raise ImageError("no picture yet: call set_image first")
        if isinstance(marks, Sequence):
            marks = clicks(marks)
        self.memory.add_encoded(self._encoded, marks, label)

    def forget(self, label: str) -> None:
        """Drops the examples of a label.

        Raises:
            LabelError: If there are none.
        """
        self.memory.remove(label)

    def segment(self, labels: Labels, names: Sequence[str] | None = None) -> Segmentation:
        """The current picture by these labels; costs one product with the cached embedding.

        Args:
            labels: Names (`a|b` for synonyms), a comma-separated string, vectors (N, C), or a
                question that was made of labels before.
            names: What to call the labels where they are vectors.

        Raises:
            ImageError: If no picture was set.
            LabelError: If there is no label, or the model cannot encode one.
        """
        if self._encoded is None:
            raise ImageError("no picture yet: call set_image first")
        return self.segment_encoded(self._encoded, labels, names)

    @torch.inference_mode()
    def segment_encoded(
        self,
        encoded: EncodedPicture,
        labels: Labels,
        names: Sequence[str] | None = None,
    ) -> Segmentation:
        """As `segment`, for a picture from `encode`."""
        question = self.question(labels, names)
        seen = (encoded.look, encoded.padded, encoded.size)
        maps = question_logits(self.model, *seen, question)
        if self.guided:
            full: Maps = outlined(maps, to_tensor(encoded.image))
        else:
            full = ResizedMaps(maps, (encoded.image.height, encoded.image.width))
        return Segmentation(
            list(question.names), encoded.image, answered(full, question), question.notes
        )

    def segment_image(
        self,
        image: ImageSource,
        labels: Labels,
        config: InferenceConfig,
        names: Sequence[str] | None = None,
    ) -> Segmentation:
        """A picture at several scales, mirrored, or by sliding windows; nothing is cached.

        Args:
            image: As for `set_image`.
            labels: As for `segment`.
            config: How it is shown to the network; a `size` of None is this segmenter's, and
                `guided` is.
            names: As for `segment`.
        """
        question = self.question(labels, names)
        picture = as_picture(image)
        size = self.size if config.size is None else config.size
        config = replace(config, size=size, guided=self.guided)
        maps = image_maps(self.model, picture.pixels, question, config)
        return Segmentation(list(question.names), picture.image, maps, question.notes)

    def question(self, labels: Labels, names: Sequence[str] | None = None) -> Question:
        """What pixels are asked, to be given to `segment` for many pictures; see there."""
        if isinstance(labels, Question):
            return labels.to(self.model.device)
        if not isinstance(labels, Tensor):
            found = self._asked(tuple(parse_labels(labels)))
            found.warn_of_notes()
            return found
        if labels.ndim != 2:
            raise LabelError(f"label vectors have shape {tuple(labels.shape)}: expected (N, C)")
        names = list(names or (str(index) for index in range(len(labels))))
        if len(set(names)) != len(labels):
            raise LabelError(f"{len(set(names))} different names for {len(labels)} vectors")
        return Question.of_vectors(self.model.label_vectors(labels), names)

    def _asked(self, labels: tuple[str, ...]) -> Question:
        """A question of texts; the last one is kept where examples were fitted for it."""
        examples = self.memory.examples
        key = (labels, self.asking, self.model.text, examples, examples.changes)
        if self._last is None or self._last[0] != key:
            asking = self.memory.asking(self.asking)
            found = asking.question(self.model.text, labels, self.model.device)
            if found.taught is None:
                return found
            self._last = key, found
        return self._last[1]

    def embed(
        self,
        image: ImageSource,
        size: tuple[int, int] | Grid | None = None,
        dtype: str = "float16",
        normalize: bool = True,
        scales: Sequence[float] = (1.0,),
        flip: bool = False,
        window: int | None = None,
        layout: str = "CHW",
        pca: PCA | None = None,
    ) -> np.ndarray:
        """Pixel embeddings of a picture, in the space of the label vectors.

        Args:
            image: A path, a PIL image, or an (H, W, 3) uint8 array.
            size: Height and width of the result, or a rule for them, a `Grid`; by
                default those of the network's output, half of its input.
            dtype: NumPy type of the result.
            normalize: Divide each embedding by its norm.
            scales: Factors on the input size; embeddings are averaged over them.
            flip: Also average with the mirrored picture.
            window: Side of a sliding window in pixels of the network's input; by default the
                picture is shown whole.
            layout: Order of the axes: CHW, HWC or NCHW.
            pca: Reduces the embeddings to its K components.

        Returns:
            (C, h, w), or as `layout` says.

        Raises:
            ImageError: If the picture cannot be read.
            ConfigError: If there is no scale, or one is not positive, or another value is wrong.
        """
        grid = FixedGrid(*size) if isinstance(size, tuple) else size or NetworkGrid()
        config = EmbedConfig(
            self.size, None, tuple(scales), flip, window,
            grid=grid, dtype=dtype, normalize=normalize, layout=layout,
        )  # fmt: skip
        return self.embed_rows(image, config, pca).array()

    def embed_rows(
        self, image: ImageSource, config: EmbedConfig, pca: PCA | None = None
    ) -> EmbeddedPicture:
        """As `embed`, for results that are to be had a strip of rows at a time.

        `config.size` None is this segmenter's size.
        """
        if config.size is None and config.long_side is None:
            config = replace(config, size=self.size)
        return embed_picture(self.model, as_picture(image).pixels, config, pca)


class ClassSegmenter:
    """A picture by the fixed classes of a `DPTSegmentation`; the counterpart of `Segmenter`."""

    def __init__(self, model: DPTSegmentation, size: int | None = None) -> None:
        """`size` replaces the model's own (`config.preprocessing.size`); 0 never resizes."""
        self.model = model.eval()
        self.size = model.config.preprocessing.size if size is None else size
        InferenceConfig(self.size)  # refuses a negative one

    @torch.inference_mode()
    def segment(self, image: ImageSource) -> Segmentation:
        """The picture by the model's own labels.

        Raises:
            ImageError: If it cannot be read.
        """
        picture = as_picture(image)
        pixels = picture.pixels.to(self.model.device, non_blocking=True)
        logits = self.model(self.model.normalize(resize_short_side(pixels, self.size)[None]))
        return Segmentation(self.model.labels, picture.image, DenseMaps(logits.float()))
