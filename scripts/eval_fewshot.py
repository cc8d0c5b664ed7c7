"""Evaluates a table: a benchmark's folds, each with its checkpoint, in several settings.

    bash scripts/eval_fewshot.sh pascal5i "runs/pascal5i_fold{fold}_resnet101/model" tables \
        --shots 0 1 5 --data-root DATA --splits SPLITS

`{fold}` in the checkpoint's name is the fold's number. Other options go to `lseg fewshot`. Figures
of each run are written to OUT/<setting>_fold<k>.json, the table to OUT/table.md.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from lseg.cli import main
from lseg.commands.options.shared import BENCHMARKS
from lseg.evaluation.fewshot_table import fewshot_table
from lseg.files import atomic_file


class Setting(NamedTuple):
    """A row of the table: its name, its files' name, and what it adds to the command."""

    name: str
    stem: str
    options: list[str]


def settings(shots: list[int], without_text: bool) -> list[Setting]:
    """The rows for some numbers of shots, with the supports alone as well if that is asked."""
    found = []
    for count in shots:
        given = ["--shots", str(count)]
        found.append(Setting(f"{count}-shot" if count else "zero-shot", f"{count}shot", given))
        if count and without_text:
            alone = [*given, "--visual-weight", "1"]
            found.append(Setting(f"{count}-shot, supports alone", f"{count}shot_visual", alone))
    return found


def evaluate(
    options: argparse.Namespace, setting: Setting, fold: int, more: list[str]
) -> dict[str, Any]:
    """Runs `lseg fewshot` on a fold; its figures. Stops as it does where something is wrong."""
    out = options.out / f"{setting.stem}_fold{fold}.json"
    checkpoint = options.checkpoints.replace("{fold}", str(fold))
    command = ["fewshot", "--benchmark", options.benchmark, "--fold", str(fold)]
    command += ["--checkpoint", checkpoint, *setting.options, "--out", str(out), *more]
    started = time.monotonic()
    with contextlib.redirect_stdout(io.StringIO()):
        code = main(command)
    if code:
        sys.exit(code)
    figures: dict[str, Any] = json.loads(out.read_text("utf-8"))
    seconds = time.monotonic() - started
    print(
        f"fold {fold}, {setting.name}: mIoU {figures['miou']:.1f}, FB-IoU "
        f"{figures['fb_iou']:.1f} ({seconds:.0f} s)",
        flush=True,
    )
    return figures


def run() -> None:
    """Evaluates all and writes the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("benchmark", choices=BENCHMARKS)
    parser.add_argument("checkpoints", help="model, {fold} in it is the fold's number")
    parser.add_argument("out", type=Path, help="folder for the figures and table.md")
    parser.add_argument("--shots", type=int, nargs="+", default=[0], help="default 0")
    parser.add_argument("--without-text", action="store_true", help="supports alone as well")
    parser.add_argument("--folds", type=int, nargs="+", help="default 0 to 3; FSS-1000: 0")
    options, more = parser.parse_known_args()
    folds = options.folds or ([0] if options.benchmark == "fss1000" else [0, 1, 2, 3])
    rows = {
        setting.name: [evaluate(options, setting, fold, more) for fold in folds]
        for setting in settings(options.shots, options.without_text)
    }
    table = fewshot_table(options.benchmark, rows)
    with atomic_file(options.out / "table.md") as partial:
        partial.write_text(table, "utf-8")
    print(f"\n{table}\nwritten to {options.out / 'table.md'}")


if __name__ == "__main__":
    run()
