"""What a run tells: one table to read, one JSON to keep."""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from rich.console import Console
from rich.table import Table

import lseg

PACKAGES = ("torch", "torchvision", "timm", "open_clip_torch", "pytorch-lightning", "torchmetrics")


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
    """A table on standard output; the first column is left-aligned."""
    table = Table(title=title, title_justify="left")
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right")
    for row in rows:
        table.add_row(*row)
    Console(width=None, highlight=False).print(table)


def print_scores(title: str, figures: Mapping[str, Any]) -> None:
    """Per-class IoU, mIoU and pixel accuracy, in percent, as `scores_to_json` gives them."""
    rows = [
        [name, "-" if iou is None else f"{iou:.1f}"] for name, iou in figures["per_class"].items()
    ]
    rows += [["mIoU", f"{figures['miou']:.2f}"]]
    rows += [["pixel accuracy", f"{figures['pixel_accuracy']:.2f}"]]
    print_table(title, ["class", "IoU %"], rows)
