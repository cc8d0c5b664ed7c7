"""Data-set metrics: intersections and unions are pooled over all pictures, then divided.

(`torchmetrics.segmentation.MeanIoU` averages over pictures, which no published figure does.)
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torchmetrics.classification import MulticlassConfusionMatrix


class Scores(NamedTuple):
    """What pooled areas say.

    Attributes:
        miou: Mean IoU over the counted classes that occur in truth or prediction, in [0, 1].
        pixel_accuracy: Share of labelled pixels that are right, in [0, 1].
        mean_accuracy: Mean over the counted classes in the truth of the share of a class's pixels
            that are right, in [0, 1].
        fw_iou: IoU of the classes weighted by their pixels in the truth, in [0, 1].
        iou: (N,) IoU of each class in [0, 1]; NaN where it occurs in neither.
    """

    miou: float
    pixel_accuracy: float
    mean_accuracy: float
    fw_iou: float
    iou: Tensor


class ClassAreas(NamedTuple):
    """Labelled pixels of each class, (..., N): what all figures follow from.

    Attributes:
        both: Pixels that are the class in truth and prediction.
        truth: Pixels of the class in the truth.
        predicted: Labelled pixels that are called the class.
    """

    both: Tensor
    truth: Tensor
    predicted: Tensor

    @classmethod
    def of_confusion(cls, confusion: Tensor) -> "ClassAreas":
        """Areas of (N, M) pixels: rows are truth, columns prediction, those from N on no class."""
        columns = confusion.sum(0)[: len(confusion)]
        return cls(confusion.diagonal(), confusion.sum(1), columns)

    def iou(self) -> Tensor:
        """(..., N) float64; NaN for a class in neither truth nor prediction (0 / 0)."""
        union = self.truth + self.predicted - self.both
        return self.both.double() / union.double()

    def scores(self, first: int = 0) -> Scores:
        """Scores of areas (N,); the means are over classes from `first` on.

        `first=1` leaves out a background at 0.
        """
        both, truth = self.both.double(), self.truth.double()
        iou = self.iou()
        return Scores(
            miou=iou[first:].nanmean().item(),
            pixel_accuracy=(both.sum() / truth.sum()).item(),
            mean_accuracy=(both / truth)[first:].nanmean().item(),
            fw_iou=((truth * iou).nansum() / truth.sum()).item(),
            iou=iou,
        )


def scores_from_confusion(confusion: Tensor, first: int = 0) -> Scores:
    """Scores of a confusion matrix (N, N): rows are truth, columns prediction, in pixels."""
    return ClassAreas.of_confusion(confusion).scores(first)


def confusion_matrix(
    prediction: Tensor, truth: Tensor, classes: int, ignore_index: int | None, columns: int = 0
) -> Tensor:
    """Pixels of each pair of classes; without waiting for the device that the maps are on.

    Args:
        prediction: Integers in [0, columns), of any shape.
        truth: Class indices, of the same shape; pixels at `ignore_index` do not count.
        classes: N.
        ignore_index: None if every pixel counts.
        columns: Number of values that a prediction can have; N by default.

    Returns:
        (N, columns) int64: rows are truth, columns prediction.
    """
    columns = columns or classes
    counted = truth != ignore_index if ignore_index is not None else truth >= 0
    cells = torch.where(counted, truth * columns + prediction, classes * columns).flatten()
    counts = torch.zeros(classes * columns + 1, dtype=torch.long, device=cells.device)
    counts.scatter_add_(0, cells, torch.ones_like(cells))
    return counts[:-1].view(classes, columns)


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
        self.confmat += confusion_matrix(prediction, truth, self.num_classes, self.ignore_index)

    def compute(self) -> Scores:  # type: ignore[override]
        """The scores of everything seen since the last `reset`."""
        return scores_from_confusion(torch.as_tensor(super().compute()), self.first)
