"""Published zero-shot figures, to print beside ours."""

from typing import NamedTuple


class PublishedRow(NamedTuple):
    """A line of a paper's table, in percent.

    Attributes:
        method: Whose it is.
        folds: mIoU of each fold; empty where the benchmark has one.
        miou: Its mean.
        fb_iou: FB-IoU; None where none was reported.
        unverified: Which of "fold0" ... "fold3", "miou", "fb_iou" were not checked against the
            paper; tables mark them with a dagger.
    """

    method: str
    folds: tuple[float, ...]
    miou: float
    fb_iou: float | None = None
    unverified: frozenset[str] = frozenset()


PUBLISHED: dict[str, tuple[PublishedRow, ...]] = {
    "pascal5i": (
        PublishedRow(
            "LSeg ResNet-101", (52.8, 53.8, 44.4, 38.5), 47.4, 64.1, frozenset({"fb_iou"})
        ),
        PublishedRow(
            "LSeg ViT-L/16", (61.3, 63.6, 43.1, 41.0), 52.3, 67.0, frozenset({"fold3", "miou"})
        ),
        PublishedRow("SAZS ViT-L", (), 59.5),
    ),
    "coco20i": (
        PublishedRow(
            "LSeg ResNet-101", (22.1, 25.1, 24.9, 21.5), 23.4, 57.9, frozenset({"fb_iou"})
        ),
        PublishedRow(
            "LSeg ViT-L/16",
            (28.1, 27.5, 30.0, 23.2),
            27.2,
            59.9,
            frozenset({"fold3", "miou", "fb_iou"}),
        ),
        PublishedRow("SAZS ViT-L", (), 35.3),
    ),
    "fss1000": (
        PublishedRow("LSeg ResNet-101", (), 84.7),
        PublishedRow("LSeg ViT-L/16", (), 87.8),
    ),
}  # fmt: skip
"""By benchmark. LSeg: Li et al., ICLR 2022. SAZS: Liu et al., 2023."""
