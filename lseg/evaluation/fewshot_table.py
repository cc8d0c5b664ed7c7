"""A benchmark's table in Markdown, from the figures of its folds and settings."""

from collections.abc import Mapping, Sequence
from typing import Any

from lseg.evaluation.published import PUBLISHED, PublishedRow
from lseg.evaluation.report import percent

Figures = Mapping[str, Any]


def fewshot_table(benchmark: str, rows: Mapping[str, Sequence[Figures]]) -> str:
    """A Markdown table: mIoU of each fold, their mean, and the mean FB-IoU, in percent.

    Args:
        benchmark: Whose published figures are added, if there are any.
        rows: For each setting ("zero-shot", "1-shot", ...) the JSON figures of `lseg fewshot` on
            one fold after the other, the same folds in every row.
    """
    numbers = [one["folds"][0]["fold"] for one in next(iter(rows.values()))]
    header = [benchmark, *(f"fold {number}" for number in numbers), "mIoU", "FB-IoU"]
    lines = [header, ["---", *["---:"] * (len(header) - 1)]]
    for name, folds in rows.items():
        figures = [[one[key] for one in folds] for key in ("miou", "fb_iou")]
        means = [percent(sum(values) / len(values), 1) for values in figures]
        lines.append([name, *(percent(value, 1) for value in figures[0]), *means])
    lines += [_published(line, numbers) for line in PUBLISHED.get(benchmark, ())]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _published(line: PublishedRow, numbers: Sequence[int]) -> list[str]:
    def cell(figure: float | None, key: str) -> str:
        return percent(figure, 1) + ("†" if key in line.unverified else "")

    folds = [cell(line.folds[k] if line.folds else None, f"fold{k}") for k in numbers]
    name = f"{line.method}, zero-shot, published"
    return [name, *folds, cell(line.miou, "miou"), cell(line.fb_iou, "fb_iou")]
