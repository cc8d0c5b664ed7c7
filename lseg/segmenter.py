"""Image in, answers out: a picture is encoded once, then any labels can be asked for."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from lseg.data.images import load_image
from lseg.data.labels import display_name, parse_labels
from lseg.errors import ImageError, LabelError
from lseg.evaluation.inference import InferenceConfig, resize_short_side, to_tensor, views
from lseg.files import whole_file, write_json
from lseg.models.dpt import DPTSegmentation
from lseg.models.embeddings import PixelEmbeddings
from lseg.models.lseg import LSeg
from lseg.models.maps import Dense, Maps, Resized, label_map, strips, top_labels, whole
from lseg.models.similarity import PixelLogits
from lseg.models.trunk import pad_to_multiple
from lseg.models.upsample import upsample
from lseg.visualize import label_colours, overlay, with_legend

ImageSource = str | os.PathLike[str] | Image.Image | np.ndarray


@dataclass(frozen=True)
class Encoded:
    """What `Segmenter` keeps of a picture.

    Attributes:
        image: The picture, RGB.
        embeddings: Pixel embeddings on the padded patch grid, of a batch of 1.
        padded: Height and width of the padded network input.
        size: Height and width of the network input without padding.
    """

    image: Image.Image
    embeddings: PixelEmbeddings
    padded: tuple[int, int]
    size: tuple[int, int]


class Segmenter:
    """Answers questions about one picture at a time, with the model's own preprocessing.

    The picture's shorter side is brought to `size`; answers come at the picture's own size.
    """

    def __init__(self, model: LSeg, size: int | None = None) -> None:
        """`size` replaces the model's own (`config.preprocessing.size`); 0 never resizes."""
        self.model = model.eval()
        self.size = model.config.preprocessing.size if size is None else size
        InferenceConfig(self.size)  # refuses a negative one
        self._encoded: Encoded | None = None

    @classmethod
    def from_pretrained(
        cls, source: str | os.PathLike[str], device: str = "cpu", size: int | None = None
    ) -> Self:
        """A segmenter of `LSeg.from_pretrained(source, device)`."""
        return cls(LSeg.from_pretrained(source, device), size)

    def set_image(self, image: ImageSource) -> None:
        """Encodes a picture: a path, a PIL image, or an (H, W, 3) uint8 array.

        Raises:
            ImageError: If it cannot be read.
        """
        self._encoded = self.encode(image)

    @torch.inference_mode()
    def encode(self, image: ImageSource) -> Encoded:
        """Encodes a picture without keeping it; for callers with a cache of their own.

        Raises:
            ImageError: If it cannot be read.
        """
        picture = load_image(image)
        pixels = resize_short_side(to_tensor(picture), self.size)
        pixels = self.model.normalize(pixels[None].to(self.model.device))
        padded, size = pad_to_multiple(pixels, self.model.trunk.multiple)
        embeddings = self.model.embed(padded)
        _ = embeddings.norms  # computed now and kept, so that labels need not wait for it
        return Encoded(picture, embeddings, (padded.shape[-2], padded.shape[-1]), size)

    def segment(
        self, labels: Sequence[str] | str | Tensor, names: Sequence[str] | None = None
    ) -> "Segmentation":
        """The current picture by these labels; costs one product with the cached embedding.

        Args:
            labels: Names (`a|b` for synonyms), a comma-separated string, or vectors (N, C).
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
        encoded: Encoded,
        labels: Sequence[str] | str | Tensor,
        names: Sequence[str] | None = None,
    ) -> "Segmentation":
        """As `segment`, for a picture from `encode`."""
        if isinstance(labels, Tensor):
            if labels.ndim != 2:
                raise LabelError(f"label vectors have shape {tuple(labels.shape)}: expected (N, C)")
            names = list(names or (str(index) for index in range(len(labels))))
            if len(set(names)) != len(labels):
                raise LabelError(f"{len(set(names))} different names for {len(labels)} vectors")
            vectors = labels
        else:
            names = parse_labels(labels)
            vectors = self.model.encode_labels(names)
        half = self.model.compare(encoded.embeddings, vectors)
        maps = PixelLogits(half, encoded.padded, encoded.size)
        return Segmentation(list(names), encoded.image, maps)

    @torch.inference_mode()
    def embed(
        self,
        image: ImageSource,
        size: tuple[int, int] | None = None,
        dtype: str = "float16",
        normalize: bool = True,
        scales: Sequence[float] = (1.0,),
        flip: bool = False,
    ) -> np.ndarray:
        """Pixel embeddings of a picture, in the space of the label vectors.

        Args:
            image: A path, a PIL image, or an (H, W, 3) uint8 array.
            size: Height and width of the result; by default those of the network's output, half of
                its input.
            dtype: NumPy type of the result.
            normalize: Divide each embedding by its norm.
            scales: Factors on the input size; embeddings are averaged over them.
            flip: Also average with the mirrored picture.

        Returns:
            (C, h, w).

        Raises:
            ImageError: If the picture cannot be read.
            ConfigError: If there is no scale, or one is not positive.
        """
        config = InferenceConfig(self.size, tuple(scales), flip)
        picture = to_tensor(load_image(image)).to(self.model.device)
        short = self.size or min(picture.shape[-2:])
        if size is None:
            size = self.model.output_size(*resize_short_side(picture, short).shape[-2:])
        total = torch.zeros(self.model.config.embed_dim, *size, device=self.model.device)
        for view in views(picture, short, config):
            embeddings = self.model.encode_image(self.model.normalize(view.image[None]))
            embeddings = embeddings.flip(-1) if view.mirrored else embeddings
            total += upsample(embeddings, size)[0].float()
        mean = total / (len(config.scales) * (1 + flip))
        mean = F.normalize(mean, dim=0) if normalize else mean
        return np.ascontiguousarray(mean.cpu().numpy(), dtype)


class ClassSegmenter:
    """A picture by the fixed classes of a `DPTSegmentation`; the counterpart of `Segmenter`."""

    def __init__(self, model: DPTSegmentation, size: int | None = None) -> None:
        """`size` replaces the model's own (`config.preprocessing.size`); 0 never resizes."""
        self.model = model.eval()
        self.size = model.config.preprocessing.size if size is None else size
        InferenceConfig(self.size)  # refuses a negative one

    @torch.inference_mode()
    def segment(self, image: ImageSource) -> "Segmentation":
        """The picture by the model's own labels.

        Raises:
            ImageError: If it cannot be read.
        """
        picture = load_image(image)
        pixels = resize_short_side(to_tensor(picture), self.size)
        logits = self.model(self.model.normalize(pixels[None].to(self.model.device)))
        return Segmentation(self.model.labels, picture, Dense(logits.float()))


class Segmentation:
    """A picture by a label set. Everything is at the picture's own size."""

    def __init__(self, labels: list[str], image: Image.Image, logits: Maps) -> None:
        """`logits` are (1, N, h, w), over the whole picture, at any resolution."""
        self.labels = labels
        self.image = image
        self._logits = Resized(logits, (image.height, image.width))

    @cached_property
    def label_map(self) -> np.ndarray:
        """(H, W) indices into `labels`; uint8 up to 256 labels, uint16 beyond.

        Takes memory for a strip of logits, however many labels there are.
        """
        return self._indices(label_map(self._logits)[0])

    @cached_property
    def scores(self) -> np.ndarray:
        """(N, H, W) float32 softmax probabilities."""
        return whole(self._logits)[0].softmax(0).cpu().numpy()

    def top(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The `count` best labels of every pixel, best first.

        Returns:
            (count, H, W) indices into `labels`, and (count, H, W) float32 logits; as many as there
            are labels, if those are fewer.
        """
        best = top_labels(self._logits, count)
        return self._indices(best.indices[0]), best.logits[0].cpu().numpy()

    def probability(self, index: int) -> np.ndarray:
        """(H, W) float32 softmax probability of one label; memory as for `label_map`."""
        parts = [self._logits.rows(*strip).softmax(1)[0, index] for strip in strips(self._logits)]
        return torch.cat(parts).cpu().numpy()

    def logits_at(self, x: int, y: int) -> np.ndarray:
        """(N,) float32 logits of the pixel in column `x` and row `y`."""
        return self._logits.rows(y, y + 1)[0, :, 0, x].cpu().numpy()

    def _indices(self, indices: Tensor) -> np.ndarray:
        return indices.cpu().numpy().astype(np.uint8 if len(self.labels) <= 256 else np.uint16)

    @property
    def shares(self) -> dict[str, float]:
        """Share of the picture that each label covers, in [0, 1]."""
        counts = np.bincount(self.label_map.ravel(), minlength=len(self.labels))
        shares = (counts / self.label_map.size).tolist()
        return dict(zip(self.labels, shares, strict=True))

    def overlay(self, opacity: float = 0.55) -> Image.Image:
        """The picture under its label map, with a legend of the labels that occur."""
        colours = label_colours(self.labels)
        mixed = overlay(np.asarray(self.image), self.label_map, colours, opacity)
        names = [display_name(label) for label in self.labels]
        return with_legend(mixed, names, colours, np.unique(self.label_map).tolist())

    def to_coco_rle(self) -> list[dict[str, Any]]:
        """One entry for each label that occurs: label, COCO run-length mask, box, area.

        `segmentation` is `{"size": [H, W], "counts": str}` as pycocotools reads it, `bbox` is
        [x, y, width, height] in pixels, `area` counts pixels.
        """
        from pycocotools import mask as coco

        entries = []
        for index in np.unique(self.label_map).tolist():
            rle = coco.encode(np.asfortranarray(self.label_map == index).astype(np.uint8))
            entries.append({
                "label": self.labels[index],
                "segmentation": {"size": list(rle["size"]), "counts": rle["counts"].decode()},
                "bbox": coco.toBbox(rle).tolist(),
                "area": int(coco.area(rle)),
            })  # fmt: skip
        return entries

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes `<path>.png` (the label map), `<path>.overlay.png` and `<path>.json`.

        A suffix `.png` or `.json` of `path` is dropped. Files appear whole or not at all.
        """
        stem = Path(path)
        if stem.suffix.lower() in (".png", ".json"):
            stem = stem.with_suffix("")
        with whole_file(f"{stem}.png") as partial:
            Image.fromarray(self.label_map).save(partial)
        with whole_file(f"{stem}.overlay.png") as partial:
            self.overlay().save(partial)
        write_json(f"{stem}.json", self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Labels, colours and shares, as `save` writes them."""
        height, width = self.label_map.shape
        colours = label_colours(self.labels).tolist()
        return {
            "width": width,
            "height": height,
            "labels": [
                {"index": index, "label": label, "color": colour, "share": share}
                for index, ((label, share), colour) in enumerate(
                    zip(self.shares.items(), colours, strict=True)
                )
            ],
        }
