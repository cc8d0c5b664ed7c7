"""`lseg data check` for the few-shot benchmarks."""

import argparse

from tqdm import tqdm

from lseg.data.base.sources import Part
from lseg.data.fewshot.trees import Place
from lseg.data.fewshot.verify import LISTINGS, Listing, Problem, count_problems, find_problems
from lseg.errors import DataError

PARTS = {"train": Part.TRAIN, "val": Part.TEST}
SHOWN = 50


def check(options: argparse.Namespace) -> None:
    """Counts what is missing or corrupt, and lists the first problems.

    Without `--split` the parts that are there are checked.

    Raises:
        DataError: If there is a problem, or nothing to check.
    """
    unknown = [name for name in options.split or () if name not in PARTS]
    if unknown:
        raise DataError(f"--split {unknown[0]}: {options.dataset} has the parts train and val")
    place = Place.named(options.data_root, options.splits)
    listings: dict[str, Listing] = {}
    reasons = []
    for name in options.split or PARTS:
        try:
            listings[name] = LISTINGS[options.dataset](place, PARTS[name])
        except DataError as error:
            if options.split:
                raise
            reasons.append(error)
            print(f"{name}: not checked, {str(error).splitlines()[0]}")
    if not listings:
        raise reasons[-1]
    problems = [problem for name in listings for problem in _problems(name, listings[name])]
    for problem in problems[:SHOWN]:
        print(f"  {problem.kind}: {problem.text}")
    if len(problems) > SHOWN:
        print(f"  and {len(problems) - SHOWN} more")
    if problems:
        raise DataError(
            f"{len(problems)} problem(s) in {options.data_root}. Expected: "
            f"{next(iter(listings.values())).tree.layout}"
        )


def _problems(name: str, listing: Listing) -> list[Problem]:
    """The problems of a part, after printing how many there are of each kind."""
    shown = tqdm(find_problems(listing), name, len(listing.asked), leave=False, disable=None)
    found = [problem for problems in shown for problem in problems]
    kinds = ", ".join(f"{count} {kind}" for kind, count in count_problems(found).items())
    print(f"{name}: {len(listing.asked)} pictures, {len(found)} problem(s)", end="")
    print(f": {kinds}" if kinds else "")
    for note in listing.notes:
        print(f"  note: {note}")
    return found
