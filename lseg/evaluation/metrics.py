"""Data-set metrics: intersections and unions are pooled over all pictures, then divided.

(`torchmetrics.segmentation.MeanIoU` averages over pictures, which no published figure does.)
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torchmetrics.classification import MulticlassConfusionMatrix


class Scores(NamedTuple):
    """What a confusion matrix says.

    Attributes:
        miou: Mean IoU over the counted classes that occur in truth or prediction, in [0, 1].
        pixel_accuracy: Share of labelled pixels that are right, in [0, 1].
        iou: (N,) IoU of each class in [0, 1]; NaN where it occurs in neither.
    """

    miou: float
    pixel_accuracy: float
    iou: Tensor


def scores_from_confusion(confusion: Tensor, first: int = 0) -> Scores:
    """Scores of a confusion matrix (N, N): rows are truth, columns prediction, in pixels.

    mIoU is the mean over classes from `first` on: 1 leaves out a background at 0.
    """
    confusion = confusion.double()
    right = confusion.diagonal()
    union = confusion.sum(0) + confusion.sum(1) - right
    iou = right / union  # 0 / 0 is NaN: the class occurs nowhere
    return Scores(
        miou=iou[first:].nanmean().item(),
        pixel_accuracy=(right.sum() / confusion.sum()).item(),
        iou=iou,
    )


class SegmentationMetric(MulticlassConfusionMatrix):
    """Pooled per-class IoU, mIoU and pixel accuracy; summed over devices when computed.

    `update(prediction, truth)` takes label maps of equal shape; pixels whose truth is
    `ignore_index` do not count.
    """

    def __init__(self, num_classes: int, ignore_index: int | None = 255, first: int = 0) -> None:
        """`num_classes` is the number of labels; mIoU is the mean over those from `first` on."""
        self.first = first
        super().__init__(num_classes, ignore_index=ignore_index, validate_args=False)

    def update(self, prediction: Tensor, truth: Tensor) -> None:
        """Counts label maps of equal shape; without waiting for the device that they are on."""
        classes = self.num_classes
        counted = truth != self.ignore_index if self.ignore_index is not None else truth >= 0
        cells = torch.where(counted, truth * classes + prediction, classes * classes).flatten()
        counts = torch.zeros(classes * classes + 1, dtype=torch.long, device=cells.device)
        counts.scatter_add_(0, cells, torch.ones_like(cells))
        self.confmat += counts[:-1].view(classes, classes)

    def compute(self) -> Scores:  # type: ignore[override]
        """The scores of everything seen since the last `reset`."""
        return scores_from_confusion(torch.as_tensor(super().compute()), self.first)
