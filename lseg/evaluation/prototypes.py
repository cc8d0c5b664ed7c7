"""Few-shot label vectors: text blended with what support pictures look like.

LSeg compares every pixel with the vectors of two texts, `others` and the class. With support
pictures each text vector t is blended with a visual prototype p, the mean of the unit pixel
embeddings under the support masks (masked average pooling: Zhang et al., SG-One, 2018; Wang et al.,
PANet, ICCV 2019), also a unit vector:

    v = (1 - weight) t + weight p,    then brought to norm 1.

The class has one prototype over all supports. The background is many things, so it has several,
found by spherical k-means over the supports' background; a pixel's background score is the largest
of theirs. Weight 0, or no support, leaves the two text vectors as they are: plain LSeg.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from lseg.errors import ConfigError

DEFAULT_WEIGHT = 0.2  # best on the shapes world, of 0.2, 0.35, 0.5 and 0.7
DEFAULT_CLUSTERS = 3

_CELLS = 32  # background is clustered on a grid of about this many cells a side
_ROUNDS = 10


class LabelVectors(NamedTuple):
    """Label vectors of which several may belong to one label.

    Attributes:
        vectors: (N, C) unit vectors.
        labels: (N,) int64: 0 where a row is background, 1 where it is the class. A map of best rows
            becomes a map of labels by `labels[rows]`, as the largest row is the label's score.
    """

    vectors: Tensor
    labels: Tensor


def label_vectors(
    text: Tensor,
    embeddings: Tensor,
    masks: Tensor,
    weight: float = DEFAULT_WEIGHT,
    clusters: int = DEFAULT_CLUSTERS,
) -> LabelVectors:
    """Label vectors for one episode.

    Args:
        text: (2, C) unit vectors of the background label and the class.
        embeddings: (S, C, h, w) pixel embeddings of the supports, of any norm; S may be 0.
        masks: (S, H, W) of any size with the same aspect: 1 is the class, 0 the background, other
            values are left out.
        weight: Share of the visual prototype in a vector, in [0, 1].
        clusters: Number of background prototypes, at least 1.

    Returns:
        `text` itself as two rows for weight 0 or no support; else always `clusters` rows of the
        background, then one of the class (so that episodes can be stacked). A label without a pixel
        in the supports keeps its text vector.

    Raises:
        ConfigError: If `weight` or `clusters` is out of range.
    """
    if not 0 <= weight <= 1:
        raise ConfigError(f"the visual weight is {weight}: give 0 (text alone) to 1 (none of it)")
    if clusters < 1:
        raise ConfigError(f"{clusters} background prototypes: give 1 or more")
    if weight == 0 or len(embeddings) == 0:
        return LabelVectors(text, torch.arange(2, device=text.device))
    background = cluster(*masked_cells(embeddings, masks == 0), clusters)
    sums, _ = masked_cells(embeddings, masks == 1)
    prototypes = torch.cat([background, F.normalize(sums.sum(0, keepdim=True), dim=1)])
    labels = torch.tensor([0] * clusters + [1], device=text.device)
    vectors = (1 - weight) * text[labels] + weight * prototypes.to(text)
    empty = (prototypes.norm(dim=1, keepdim=True) == 0).to(text.device)
    return LabelVectors(F.normalize(torch.where(empty, text[labels], vectors), dim=1), labels)


class Cells(NamedTuple):
    """Pixel embeddings added up over the cells of a grid: (P, C), and their number, (P,)."""

    sums: Tensor
    counts: Tensor


def masked_cells(embeddings: Tensor, masks: Tensor) -> Cells:
    """Unit pixel embeddings under a mask, averaged over a coarse grid.

    Args:
        embeddings: (S, C, h, w).
        masks: (S, H, W) bool; an embedding counts by the share of its pixels that are inside.

    Returns:
        Only cells with something inside; sums and counts in embeddings a cell's size.
    """
    size = (embeddings.shape[-2], embeddings.shape[-1])
    share = F.adaptive_avg_pool2d(masks[:, None].to(embeddings), size)  # (S, 1, h, w)
    unit = F.normalize(embeddings.float(), dim=1) * share
    step = max(1, max(size) // _CELLS)
    sums, counts = (
        F.avg_pool2d(maps, step, ceil_mode=True, divisor_override=1).flatten(2).transpose(1, 2)
        for maps in (unit, share.float())
    )
    sums, counts = sums.flatten(0, 1), counts.flatten()
    return Cells(sums[counts > 0], counts[counts > 0])


def cluster(sums: Tensor, counts: Tensor, number: int) -> Tensor:
    """Spherical k-means, the same on every run: it starts from points far from one another.

    Args:
        sums: (P, C) sums of unit vectors.
        counts: (P,) how many vectors each is the sum of.
        number: Clusters.

    Returns:
        (number, C) unit vectors: the directions of the clusters' sums. Fewer points than clusters
        give some of them repeatedly; no point gives zeros.
    """
    if len(sums) == 0:
        return sums.new_zeros(number, sums.shape[1])
    points = F.normalize(sums, dim=1)
    centres = F.normalize(sums.sum(0, keepdim=True), dim=1)
    for _ in range(1, number):
        nearest = (points @ centres.T).amax(1)  # the next one: where much lies far from all
        centres = torch.cat([centres, points[((1 - nearest) * counts).argmax()][None]])
    for _ in range(_ROUNDS):
        owner = (points @ centres.T).argmax(1)
        moved = torch.zeros_like(centres).index_add_(0, owner, sums)
        kept = moved.norm(dim=1, keepdim=True) == 0
        centres = torch.where(kept, centres, F.normalize(moved, dim=1))
    return centres
