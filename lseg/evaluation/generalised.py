"""Generalised zero-shot segmentation: seen and unseen classes asked for together.

mIoU over the seen classes, over the unseen ones, and their harmonic mean (Xian et al., CVPR 2019,
"Semantic Projection Network"; Bucher et al., NeurIPS 2019): high only if both are.
"""

from collections.abc import Collection, Mapping
from typing import Any

from lseg.errors import LabelError


def harmonic_mean(first: float, second: float) -> float:
    """2ab / (a + b) of figures of 0 or more; 0 if both are 0."""
    return 2 * first * second / (first + second) if first + second else 0.0


def generalised_figures(
    per_class: Mapping[str, float | None],
    unseen: Collection[str],
    left_out: Collection[str] = (),
) -> dict[str, Any]:
    """Seen, unseen and harmonic mIoU from the IoU of every class, all asked for at once.

    Args:
        per_class: IoU in percent; None for a class that occurs in neither truth nor prediction,
            which does not count.
        unseen: Names of the classes that the training did not show.
        left_out: Names that are neither, such as the background.

    Returns:
        `seen_miou`, `unseen_miou` and `hiou` in percent, None without a class to count, and the
        names `unseen`.

    Raises:
        LabelError: If a name is no class, or no class is unseen, or none seen.
    """
    unknown = sorted(set(unseen) - set(per_class))
    if unknown:
        raise LabelError(
            f"unseen classes {', '.join(unknown)} are none of the data set's: "
            f"{', '.join(per_class)}"
        )
    rest = [name for name in per_class if name not in unseen and name not in left_out]
    if not unseen or not rest:
        raise LabelError(
            f"{len(unseen)} of {len(per_class)} classes are unseen: some must be, and some not"
        )
    seen_miou = mean_of([per_class[name] for name in rest])
    unseen_miou = mean_of([per_class[name] for name in per_class if name in unseen])
    both = seen_miou is not None and unseen_miou is not None
    return {
        "seen_miou": seen_miou,
        "unseen_miou": unseen_miou,
        "hiou": harmonic_mean(seen_miou, unseen_miou) if both else None,  # type: ignore[arg-type]
        "unseen": [name for name in per_class if name in unseen],
    }


def mean_of(figures: list[float | None]) -> float | None:
    """Mean of the figures that there are; None if there is none."""
    counted = [figure for figure in figures if figure is not None]
    return sum(counted) / len(counted) if counted else None
