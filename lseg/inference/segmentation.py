"""The answer to a label set: label map, scores, shares, overlay, COCO masks, files."""

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from lseg.data.base.labels import display_names
from lseg.files import atomic_file, write_json
from lseg.models.maps import Maps, ResizedMaps, all_logits
from lseg.models.strips import row_strips, top_labels, top_strips
from lseg.visualize.colours import label_colours, overlay
from lseg.visualize.legend import with_legend


class Segmentation:
    """A picture by a label set. Everything is at the picture's own size."""

    def __init__(
        self,
        labels: list[str],
        image: Image.Image,
        logits: Maps,
        notes: Sequence[str] = (),
    ) -> None:
        """A picture's answer.

        Args:
            labels: N names.
            image: The picture, RGB.
            logits: (1, N, h, w), over the whole picture, at any resolution.
            notes: What is to be said of labels that were answered by other words than their own.
        """
        self.labels = labels
        self.notes = list(notes)
        self.image = image
        self._logits = ResizedMaps(logits, (image.height, image.width))

    @cached_property
    def label_map(self) -> np.ndarray:
        """(H, W) indices into `labels`; uint8 up to 256 labels, uint16 beyond.

        Takes memory for a strip of logits, however many labels there are.
        """
        with torch.inference_mode():
            best = (strip.indices[0, 0] for strip in top_strips(self._logits, 1))
            return np.concatenate([rows.cpu().numpy().astype(self._dtype) for rows in best])

    @cached_property
    def scores(self) -> np.ndarray:
        """(N, H, W) float32 softmax probabilities."""
        with torch.inference_mode():
            return all_logits(self._logits)[0].softmax(0).cpu().numpy()

    def top(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The `count` best labels of every pixel, best first.

        Returns:
            (count, H, W) indices into `labels`, and (count, H, W) float32 logits; as many as there
            are labels, if those are fewer.
        """
        with torch.inference_mode():
            best = top_labels(self._logits, count)
        return best.indices[0].cpu().numpy().astype(self._dtype), best.logits[0].cpu().numpy()

    def probability(self, index: int) -> np.ndarray:
        """(H, W) float32 softmax probability of one label; memory for a strip of logits."""
        with torch.inference_mode():
            rows = (self._logits.rows(*strip) for strip in row_strips(self._logits))
            return torch.cat([part.softmax(1)[0, index] for part in rows]).cpu().numpy()

    def logits_at(self, x: int, y: int) -> np.ndarray:
        """(N,) float32 logits of the pixel in column `x` and row `y`."""
        with torch.inference_mode():
            return self._logits.rows(y, y + 1)[0, :, 0, x].cpu().numpy()

    @property
    def _dtype(self) -> type[np.unsignedinteger]:
        return np.uint8 if len(self.labels) <= 256 else np.uint16

    @property
    def shares(self) -> dict[str, float]:
        """Share of the picture that each label covers, in [0, 1]."""
        counts = np.zeros(len(self.labels), np.int64)
        for rows in np.array_split(self.label_map, max(1, self.label_map.size // 2**22)):
            counts += np.bincount(rows.ravel(), minlength=len(self.labels))  # copies its argument
        shares = (counts / self.label_map.size).tolist()
        return dict(zip(self.labels, shares, strict=True))

    def overlay(self, opacity: float = 0.55) -> Image.Image:
        """The picture under its label map, with a legend of the labels that occur."""
        colours = label_colours(self.labels)
        mixed = overlay(np.asarray(self.image), self.label_map, colours, opacity)
        shown = np.unique(self.label_map).tolist()
        return with_legend(mixed, display_names(self.labels), colours, shown)

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
        with atomic_file(f"{stem}.png") as partial:
            Image.fromarray(self.label_map).save(partial)
        with atomic_file(f"{stem}.overlay.png") as partial:
            self.overlay().save(partial)
        write_json(f"{stem}.json", self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Labels, colours, shares and notes, as `save` writes them."""
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
            "notes": self.notes,
        }
