"""`lseg data check`: what is missing or corrupt in a data set."""

from collections.abc import Iterable

from tqdm import tqdm

from lseg.commands.options.data_check import DataCheckOptions
from lseg.commands.options.shared import BENCHMARK_FOLDERS
from lseg.data.base.check import Problem, count_problems
from lseg.data.base.folder import AnnotatedFolder
from lseg.data.base.turned_pictures import ambiguity, ambiguous_pictures
from lseg.data.fewshot.check import LISTED_PICTURES, ListedPictures, find_problems
from lseg.data.fewshot.folds import Part
from lseg.data.fewshot.lists import BenchmarkFolders
from lseg.data.sets.pairs import PairsDataset
from lseg.data.sets.pairs import find_problems as find_pairs_problems
from lseg.errors import CorruptDataError, DataError
from lseg.evaluation.protocols import Files

PARTS = {"train": Part.TRAIN, "val": Part.TEST}
SHOWN = 50


def data_check(options: DataCheckOptions) -> None:
    """Lists what is wrong with a data set.

    Raises:
        DataError: If anything is, or there is nothing to check.
    """
    if options.dataset in BENCHMARK_FOLDERS:
        check_benchmark(options)
    else:
        check_pairs(options)


def check_pairs(options: DataCheckOptions) -> None:
    """Lists all problems of a pairs folder.

    Raises:
        DataError: If there is one.
    """
    folder = Files(options.data_root).folder
    problems: list[str] = []
    for split in options.split or ("train", "val"):
        data = PairsDataset(
            folder, split, options.ignore_index, options.prompts, orientation=options.orientation
        )
        found = find_pairs_problems(data)
        print(f"{split}: {len(data)} pictures, {len(found)} problem(s)")
        note_orientation(data.folder, data.stems)
        problems += found
    for problem in problems:
        print(f"  {problem}")
    if problems:
        raise DataError(f"{len(problems)} problem(s) in {folder}")


def check_benchmark(options: DataCheckOptions) -> None:
    """Counts what is missing or corrupt, and lists the first problems.

    Without `--split` the parts that are there are checked.

    Raises:
        DataError: If there is a problem, or nothing to check.
    """
    unknown = [name for name in options.split or () if name not in PARTS]
    if unknown:
        raise DataError(f"--split {unknown[0]}: {options.dataset} has the parts train and val")
    root = Files(options.data_root).folder
    folders = BenchmarkFolders.find(root, options.splits, options.orientation)
    listings: dict[str, ListedPictures] = {}
    reasons = []
    for name in options.split or PARTS:
        try:
            listings[name] = LISTED_PICTURES[options.dataset](folders, PARTS[name])
        except DataError as error:
            if options.split or isinstance(error, CorruptDataError):
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
            f"{next(iter(listings.values())).folder.layout}"
        )


def _problems(name: str, listing: ListedPictures) -> list[Problem]:
    """The problems of a part, after printing how many there are of each kind."""
    shown = tqdm(find_problems(listing), name, len(listing.classes), leave=False, disable=None)
    found = [problem for problems in shown for problem in problems]
    kinds = ", ".join(f"{count} {kind}" for kind, count in count_problems(found).items())
    print(f"{name}: {len(listing.classes)} pictures, {len(found)} problem(s)", end="")
    print(f": {kinds}" if kinds else "")
    for note in listing.notes:
        print(f"  note: {note}")
    note_orientation(listing.folder, listing.classes)
    return found


def note_orientation(folder: AnnotatedFolder, stems: Iterable[str]) -> None:
    """Prints how many pictures a mask could lie over in two ways, and what is made of them."""
    found = list(ambiguous_pictures(folder, stems))
    if found:
        print(f"  note: {ambiguity(folder, found[0], len(found))}")
