"""The table of a suite: in Markdown to read, as JSON to keep; published figures beside ours."""

from collections.abc import Sequence
from typing import Any

from lseg.evaluation.published_semantic import PublishedRow, published_rows
from lseg.evaluation.report import percent
from lseg.evaluation.suite import SuiteEntry, SuiteRow

_NOTES = "◊"

_COLUMNS = {
    "mIoU": "miou",
    "pixel accuracy": "pixel_accuracy",
    "mean accuracy": "mean_accuracy",
    "fw IoU": "fw_iou",
    "seen mIoU": "seen_miou",
    "unseen mIoU": "unseen_miou",
}


def suite_to_json(rows: Sequence[SuiteRow]) -> dict[str, Any]:
    """`rows`, a list with `name` and the figures of each, and the `published` rows beside them."""
    return {
        "rows": [row.to_json() for row in rows],
        "published": [
            {
                "method": row.method,
                "source": row.source,
                "from_notes": row.from_notes,
                "miou": dict(row.miou),
                "mean": row.mean,
            }
            for row in published_rows(frozenset(row.entry.dataset for row in rows))
        ],
    }


def suite_table(rows: Sequence[SuiteRow]) -> str:
    """Two tables in Markdown, in percent.

    The first has a line for each model and each published method, and a column for each data set;
    the second all figures of each model on each data set.
    """
    entries = list({row.entry.name: row.entry for row in rows}.values())
    return f"{_overview(rows, entries)}\n{_details(rows)}"


def class_tables(rows: Sequence[SuiteRow]) -> str:
    """A table in Markdown for each data set: the IoU of each class by each model, in percent."""
    tables = []
    for name in dict.fromkeys(row.entry.name for row in rows):
        same = [row for row in rows if row.entry.name == name]
        lines = [
            [label, *(percent(row.figures["per_class"][label], 1) for row in same)]
            for label in same[0].figures["per_class"]
        ]
        table = _markdown(["class", *(row.model for row in same)], lines)
        tables.append(f"IoU of each class of {name}\n\n{table}")
    return "\n".join(tables)


def _overview(rows: Sequence[SuiteRow], entries: Sequence[SuiteEntry]) -> str:
    lines = []
    for model in dict.fromkeys(row.model for row in rows):
        found = {row.entry.name: row.figures["miou"] for row in rows if row.model == model}
        mious = [found.get(entry.name) for entry in entries]
        there = [one for one in mious if one is not None]
        mean = sum(there) / len(there) if len(there) == len(entries) else None
        lines.append([model, *(percent(one, 1) for one in mious), percent(mean, 1), "this run"])
    published = published_rows(frozenset(entry.dataset for entry in entries))
    lines += [_published(row, entries) for row in published]
    table = _markdown(["mIoU", *(entry.name for entry in entries), "mean", "source"], lines)
    if any(row.from_notes for row in published):
        table += f"\n{_NOTES} from notes on the paper, not from the paper.\n"
    return table


def _published(row: PublishedRow, entries: Sequence[SuiteEntry]) -> list[str]:
    cells = [percent(row.miou.get(entry.dataset), 1) for entry in entries]
    source = f"{row.source} {_NOTES}" if row.from_notes else row.source
    return [row.method, *cells, percent(row.mean, 1), source]


def _details(rows: Sequence[SuiteRow]) -> str:
    keys = {
        title: key
        for title, key in _COLUMNS.items()
        if any(row.figures.get(key) is not None for row in rows)
    }
    lines = []
    for row in rows:
        cells = [percent(row.figures.get(key)) for key in keys.values()]
        edges = row.figures.get("miou_interval")
        cells.insert(1, "-" if edges is None else f"{percent(edges[0])}–{percent(edges[1])}")
        lines.append([row.entry.name, row.model, *cells, str(row.figures.get("pictures", "-"))])
    titles = list(keys)
    header = ["data set", "model", titles[0], "95 % interval", *titles[1:], "pictures"]
    return _markdown(header, lines, left=2)


def _markdown(header: Sequence[str], lines: Sequence[Sequence[str]], left: int = 1) -> str:
    rule = ["---"] * left + ["---:"] * (len(header) - left)
    rows = [header, rule, *lines]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |\n" for row in rows)
