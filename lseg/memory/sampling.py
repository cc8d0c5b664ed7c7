"""From a picture and its marks to an example: which cells of the network's grid are kept."""

import hashlib
import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lseg.errors import ImageError
from lseg.memory.examples import CELLS, Example, Vectors
from lseg.memory.marks import LABEL, REST, UNKNOWN, Marks
from lseg.models.lseg import Look
from lseg.models.taught import at_size, unit_levels

GOLDEN = (math.sqrt(5) - 1) / 2

_CORE = 0.5  # side of the middle of a box that is taken for the thing itself, as a share of it
_ROUNDS = 3


class Cells:
    """One picture on the network's grid, at a quarter of its input's size."""

    def __init__(self, look: Look, size: tuple[int, int], padded: tuple[int, int]) -> None:
        """Takes what the network saw, and the size of its input without and with padding."""
        features = look.embeddings.features
        height, width = features.shape[-2:]
        rows, columns = (
            math.ceil(count * inner / outer)
            for count, inner, outer in zip((height, width), size, padded, strict=True)
        )
        embeddings = F.normalize(look.embeddings.projection.of(features).float(), dim=1)
        levels = side_by_side(look.levels, (height, width))
        self.size = rows, columns
        self._embeddings, self._levels = (
            maps[0, :, :rows, :columns].flatten(1).T.half() for maps in (embeddings, levels)
        )

    def example(self, label: str, source: str, pixels: np.ndarray, marks: Marks) -> Example:
        """What is kept of a label in this picture, (H, W, 3) uint8.

        Raises:
            ImageError: If the marks do not fit the picture, or mark nothing in it as the label.
        """
        painted = marks.paint(*pixels.shape[:2])
        if not (painted == LABEL).any():
            raise ImageError(f"nothing in {source} is marked as {label!r}: mark where it shows")
        sure = bool((painted == REST).any())
        elsewhere = painted == (REST if sure else UNKNOWN)
        shown, rest = self._inside(painted == LABEL), self._inside(elsewhere)
        if marks.rough:
            shown = self._refined(shown, rest)
        return Example(
            label,
            source,
            _key(pixels, painted),
            float((painted == LABEL).mean()),
            self._spread(shown),
            self._spread(rest),
            sure,
        )

    def _inside(self, mask: np.ndarray) -> Tensor:
        """Cells, row by row, that lie mostly in a mask; if none does, the one that does most."""
        if not mask.any():
            return torch.empty(0, dtype=torch.long)
        share = F.adaptive_avg_pool2d(torch.from_numpy(mask)[None].float(), self.size)[0].flatten()
        inside = (share > 0.5).nonzero()[:, 0]
        return inside if len(inside) else share.argmax()[None]

    def _refined(self, shown: Tensor, rest: Tensor) -> Tensor:
        """Of a box's cells those that look like its middle rather than like what is around it."""
        if len(rest) == 0:
            return shown
        rows, columns = shown // self.size[1], shown % self.size[1]
        core = torch.ones(len(shown), dtype=torch.bool)
        for places in (rows, columns):
            middle = (places.min() + places.max()) / 2
            core &= (places - middle).abs() <= _CORE / 2 * (places.max() - places.min())
        unit = self._embeddings.float().to("cpu")
        kept = shown[core] if core.any() else shown
        outside = F.normalize(unit[rest].mean(0), dim=0)
        for _ in range(_ROUNDS):
            inside = F.normalize(unit[kept].mean(0), dim=0)
            alike = unit[shown] @ (inside - outside) > 0
            if not alike.any():
                break
            kept = shown[alike]
        return kept

    def _spread(self, cells: Tensor) -> Vectors:
        """Up to `CELLS` of these; any first few of them are spread over all of them, too."""
        order = torch.argsort(torch.arange(len(cells), dtype=torch.float64) * GOLDEN % 1)
        some = cells[order[:CELLS]].to(self._embeddings.device)
        return Vectors(self._embeddings[some].cpu(), self._levels[some].cpu())


def side_by_side(levels: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
    """The backbone's maps (B, D, h, w), each of norm 1 in every place, as one map at `size`."""
    return torch.cat([at_size(level, size) for level in unit_levels(levels)], dim=1)


def _key(pixels: np.ndarray, painted: np.ndarray) -> str:
    digest = hashlib.blake2b(digest_size=12)
    digest.update(np.ascontiguousarray(pixels).data)
    digest.update(np.ascontiguousarray(painted).data)
    return digest.hexdigest()
