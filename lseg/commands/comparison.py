"""`lseg evaluate --compare`: two tables against one another."""

from pathlib import Path

from lseg.commands.figures_file import FiguresFile
from lseg.commands.options.evaluate import EvaluateOptions
from lseg.errors import ConfigError
from lseg.evaluation.comparison import compare, read_table
from lseg.evaluation.report import print_table


def compare_tables(options: EvaluateOptions) -> None:
    """Prints the difference of each class and of the mIoU, with its interval.

    Raises:
        ConfigError: If not two tables are given.
        DataError: If they cannot be compared.
    """
    paths = list(options.compare or ())
    if len(paths) != 2:
        raise ConfigError(f"--compare takes two tables that --out wrote, not {len(paths)}")
    file = FiguresFile(options)
    first, second = (read_table(Path(path)) for path in paths)
    found = compare(first, second)
    rows = [
        [name, "-" if points is None else f"{points:+.1f}"]
        for name, points in found.per_class.items()
    ]
    print_table(f"{paths[0]} - {paths[1]}", ["class", "points of IoU"], rows)
    print(found.sentence(*paths))
    file.write({**found.to_json(), "tables": paths})
    file.announce()
