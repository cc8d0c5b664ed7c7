"""What a run tells: one table to read, one JSON to keep."""

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

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
    """Per-class IoU, mIoU and pixel accuracy, in percent, as `scores_to_json` gives them."""
    rows = [[name, percent(iou, 1)] for name, iou in figures["per_class"].items()]
    rows += [["mIoU", percent(figures["miou"])]]
    rows += [["pixel accuracy", percent(figures["pixel_accuracy"])]]
    print_table(title, ["class", "IoU %"], rows)


def percent(figure: float | None, digits: int = 2) -> str:
    """A figure of a table; a dash where there is none."""
    return "-" if figure is None else f"{figure:.{digits}f}"
