"""What a run tells: one table to read, one JSON to keep."""

from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

import lseg

PACKAGES = ("torch", "torchvision", "timm", "open_clip_torch", "pytorch-lightning", "torchmetrics")

_FIGURES = {
    "mIoU": "miou",
    "pixel accuracy": "pixel_accuracy",
    "mean accuracy": "mean_accuracy",
    "frequency-weighted IoU": "fw_iou",
    "mIoU, seen in training": "seen_miou",
    "mIoU, not seen": "unseen_miou",
}


def versions() -> dict[str, str]:
    """Versions of this package and of those that its figures depend on."""
    found = {"lseg": lseg.__version__}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def print_table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """A table on standard output, texts as they are; the first column is left-aligned."""
    table = Table()
    for index, column in enumerate(columns):
        table.add_column(Text(column), justify="left" if index == 0 else "right")
    for row in rows:
        table.add_row(*map(Text, row))
    console = Console(highlight=False)
    console.print(Text(title), soft_wrap=True)
    console.print(table)


def print_scores(title: str, figures: Mapping[str, Any]) -> None:
    """Per-class IoU, then the others, in percent, as far as `figures_to_json` gave them."""
    rows = [[name, percent(iou, 1)] for name, iou in figures["per_class"].items()]
    rows += [[name, percent(figures[key])] for name, key in _FIGURES.items() if key in figures]
    edges = figures.get("miou_interval")
    if edges is not None:
        rows.append(["mIoU, 95 % interval", f"{percent(edges[0])}–{percent(edges[1])}"])
    print_table(title, ["class", "IoU %"], rows)


def percent(figure: float | None, digits: int = 2) -> str:
    """A figure of a table; a dash where there is none."""
    return "-" if figure is None else f"{figure:.{digits}f}"


def listed(names: Iterable[object], count: int = 5) -> str:
    """Names between commas, the first few and how many more."""
    every = list(map(str, names))
    rest = f" and {len(every) - count} more" if len(every) > count else ""
    return ", ".join(every[:count]) + rest
