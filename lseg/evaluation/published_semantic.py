"""Published mIoU of open-vocabulary segmentation with a fixed label set, to print beside ours."""

from collections.abc import Mapping
from dataclasses import dataclass, field

TRAINING_FREE_SETS = frozenset({
    "voc20", "voc21", "context59", "context60", "coco_object", "coco_stuff", "ade20k", "cityscapes",
})  # fmt: skip
"""The eight over which training-free papers take the mean."""


@dataclass(frozen=True)
class PublishedRow:
    """A line of a paper's table, in percent.

    Attributes:
        method: Whose it is.
        source: Where it stands.
        miou: By data set, as `--dataset` names it.
        from_notes: Whether it was taken from notes on the paper and not from the paper.
        mean: Of the data sets `mean_of`, where the single figures are not at hand.
        mean_of: See `mean`.
    """

    method: str
    source: str
    miou: Mapping[str, float] = field(default_factory=dict)
    from_notes: bool = False
    mean: float | None = None
    mean_of: frozenset[str] = frozenset()


def _trained(
    method: str, source: str, *figures: float | None, from_notes: bool = False
) -> PublishedRow:
    """A row of the usual five sets of methods that are trained on COCO's masks."""
    names = ("ade20k_full", "context459", "ade20k", "context59", "voc20")
    miou = {name: one for name, one in zip(names, figures, strict=True) if one is not None}
    return PublishedRow(method, source, miou, from_notes)


def _frozen(method: str, ade20k: float, cityscapes: float | None, source: str) -> PublishedRow:
    """A row of frozen features compared with text, without masks."""
    miou = {"ade20k": ade20k} | ({} if cityscapes is None else {"cityscapes": cityscapes})
    return PublishedRow(method, source, miou, from_notes="DINOv3" in source)


PUBLISHED_SEMANTIC: tuple[PublishedRow, ...] = (
    _trained("LSeg+ R-101", "OVSeg README", 2.5, 5.2, 13.0, 36.0, 59.0),
    _trained("OVSeg Swin-B + L/14", "OVSeg", 9.0, 12.4, 29.6, 55.7, 94.5, from_notes=True),
    _trained("ODISE (label)", "its README", 11.1, 14.5, 29.9, 57.3, None),
    _trained("FC-CLIP ConvNeXt-L", "its README", 14.8, 18.2, 34.1, 58.4, 95.4),
    _trained("SED ConvNeXt-L", "its README", 13.7, 22.1, 35.3, 60.9, 96.1),
    _trained("CAT-Seg B/16", "its README", 12.0, 19.0, 31.8, 57.5, 94.6),
    _trained("CAT-Seg L/14", "its README", 16.0, 23.8, 37.9, 63.3, 97.0),
    _trained("MaskCLIP++ EVA02-L", "its README", 16.8, 23.9, 38.2, 62.5, 96.8),
    _trained("ESC-Net L/14", "arXiv 2411.14723", 18.1, 27.0, 41.8, 65.6, 98.3, from_notes=True),
    _frozen("CLIP-L, frozen", 6.0, 11.5, "DINOv3's table"),
    _frozen("SigLIP 2-L, frozen", 10.8, 16.3, "DINOv3's table"),
    _frozen("PE-L, frozen", 17.6, 21.4, "DINOv3's table"),
    _frozen("dino.txt (DINOv2), frozen", 19.2, 27.4, "DINOv3's table"),
    _frozen("DINOv3 dino.txt, frozen", 24.7, 36.9, "DINOv3's table"),
    _frozen("TIPSv2 B, frozen", 17.4, None, "its README"),
    _frozen("TIPSv2 L, frozen", 24.7, None, "its README"),
    _frozen("TIPSv2 SO, frozen", 23.3, None, "its README"),
    _frozen("TIPSv2 g, frozen", 17.8, None, "its README"),
    PublishedRow("CorrCLIP L", "source not noted", mean=55.4, mean_of=TRAINING_FREE_SETS),
    PublishedRow(
        "SAM 3 by names", "source not noted", from_notes=True, mean=57.5, mean_of=TRAINING_FREE_SETS
    ),
    PublishedRow(
        "ConceptBank", "source not noted", from_notes=True, mean=67.1, mean_of=TRAINING_FREE_SETS
    ),
)


def published_rows(datasets: frozenset[str]) -> list[PublishedRow]:
    """The rows that have a figure of one of the data sets, or a mean of all of them."""
    return [
        row
        for row in PUBLISHED_SEMANTIC
        if datasets & set(row.miou) or (row.mean is not None and row.mean_of == datasets)
    ]
