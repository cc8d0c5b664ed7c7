"""Figures of a training's validation or test sets: pooled in each set, averaged over groups."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from torch import Tensor

from lseg.data.base.datamodule import LabelSet
from lseg.evaluation.metrics import Scores, SegmentationMetric
from lseg.models.lseg import LSeg
from lseg.models.strips import label_map
from lseg.training.candidates import Batch, candidate_labels, candidate_text
from lseg.training.monitors import FIGURES, by_group


class Evaluation:
    """Counts the pixels of some sets, which have a loader each."""

    def __init__(
        self, net: LSeg, sets: Sequence[LabelSet], ignore_value: int, first_counted_label: int
    ) -> None:
        """Encodes the labels of the sets, once; see `SegmentationMetric` for the numbers."""
        self.text = [net.encode_labels(labels) for _, labels in sets]
        self.metrics = {
            name: SegmentationMetric(len(labels), ignore_value, first_counted_label).to(net.device)
            for name, labels in sets
        }

    def count(self, net: LSeg, batch: Batch, index: int) -> Tensor:
        """Counts a batch of a set; returns its label maps (B, H, W)."""
        pixels = net.normalize(batch["image"])
        rows = label_map(net.logits(pixels, candidate_text(self.text[index], batch)))
        prediction = candidate_labels(rows, batch)
        list(self.metrics.values())[index].update(prediction, batch["mask"])
        return prediction

    def scores(self) -> dict[str, Scores]:
        """Of each set, over the pictures of all processes."""
        return {name: metric.compute() for name, metric in self.metrics.items()}


def mean_figures(scores: Mapping[str, Scores], overall: str | None) -> dict[str, dict[str, float]]:
    """`FIGURES` of each group of sets, the means over its sets.

    Args:
        scores: Of each set.
        overall: Under this name also the means over the groups, if it is given.
    """
    means = {
        group: {figure: fmean(getattr(one, figure) for one in members) for figure in FIGURES}
        for group, members in by_group(scores).items()
    }
    if overall is None:
        return means
    groups = means.values()
    return means | {overall: {name: fmean(group[name] for group in groups) for name in FIGURES}}
