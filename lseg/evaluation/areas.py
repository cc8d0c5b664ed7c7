"""Few-shot metrics: areas are summed for each class over its episodes, then divided (HSNet)."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from lseg.data.fewshot.episode_data import LEFT_OUT


class FewShotScores(NamedTuple):
    """Scores of a fold.

    Attributes:
        miou: Mean of `iou`, in [0, 1].
        fb_iou: Mean of the IoU of foreground and background, each pooled over the classes.
        iou: (K,) foreground IoU of each class; 0 for one that never occurred.
    """

    miou: float
    fb_iou: float
    iou: Tensor


def episode_areas(prediction: Tensor, mask: Tensor) -> Tensor:
    """Pixels of intersection and union.

    Args:
        prediction: (B, H, W) of 0 (background) and 1 (the class).
        mask: (B, H, W) of 0, 1, and `LEFT_OUT` where a pixel does not count.

    Returns:
        (B, 2, 2) int64: background and class by intersection and union.
    """
    counted = mask != LEFT_OUT
    sides = []
    for value in (0, 1):
        predicted, true = (prediction == value) & counted, mask == value
        sides.append(torch.stack([predicted & true, predicted | true], dim=1).flatten(2).sum(-1))
    return torch.stack(sides, dim=1)


def scores_from_areas(areas: Tensor, classes: Sequence[int]) -> FewShotScores:
    """Scores of summed areas (N, 2, 2), as `episode_areas` gives them, over `classes` of the N."""
    areas = areas[list(classes)].double().cpu()
    pooled = areas.sum(0)
    iou = areas[:, 1, 0] / areas[:, 1, 1].clamp_min(1)
    fb_iou = (pooled[:, 0] / pooled[:, 1].clamp_min(1)).mean()
    return FewShotScores(iou.mean().item(), fb_iou.item(), iou)
