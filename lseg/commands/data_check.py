"""`lseg data check`: what is missing or corrupt in a data set."""

import os
from pathlib import PurePath

from tqdm import tqdm

from lseg.commands.data_check_published import check_published
from lseg.commands.options.data_check import DataCheckOptions
from lseg.commands.options.shared import BENCHMARK_FOLDERS
from lseg.commands.problems import note_orientation, print_part, refuse_problems
from lseg.data.base.check import Problem
from lseg.data.base.formats import IMAGE_SUFFIXES
from lseg.data.fewshot.check import LISTED_PICTURES, ListedPictures, find_problems
from lseg.data.fewshot.folds import Part
from lseg.data.fewshot.lists import BenchmarkFolders
from lseg.data.sets.pairs import PairsDataset
from lseg.data.sets.pairs import find_problems as find_pairs_problems
from lseg.errors import CorruptDataError, DataError
from lseg.evaluation.protocols import BenchmarkFiles
from lseg.paths import resolve_data_path

PARTS = {"train": Part.TRAIN, "val": Part.TEST}


def data_check(options: DataCheckOptions) -> None:
    """Lists what is wrong with a data set.

    Raises:
        DataError: If anything is, or there is nothing to check.
    """
    if options.dataset in BENCHMARK_FOLDERS:
        check_benchmark(options)
    elif options.dataset == "pairs":
        check_pairs(options)
    else:
        check_published(options)


def check_pairs(options: DataCheckOptions) -> None:
    """Lists all problems of a pairs folder.

    Without `--split` all lists that are there are checked.

    Raises:
        DataError: If there is one, or nothing to check.
    """
    folder = BenchmarkFiles(options.data_root).folder
    problems: list[str] = []
    lists = options.split or list_names(folder)
    for split in lists:
        try:
            data = PairsDataset(
                folder, split, options.ignore_index, options.prompts, None, 0, options.orientation
            )
        except DataError as error:
            if options.split or len(lists) == 1:
                raise
            print(f"{split}: cannot be read")
            problems.append(str(error).splitlines()[0])
            continue
        found = find_pairs_problems(data)
        print(f"{split}: {len(data)} pictures, {len(found)} problem(s)")
        note_orientation(data.folder, data.stems)
        problems += found
    for problem in problems:
        print(f"  {problem}")
    if problems:
        raise DataError(f"{len(problems)} problem(s) in {folder}")


def list_names(root: str) -> list[str]:
    """Names of a pairs folder's lists of pictures, without `.txt`; prints which text is none.

    A list's first line ends in the name of an image file. Where there is no list, it is the train
    list that is missed.
    """
    names = []
    for path in sorted(resolve_data_path(root).glob("*.txt")):
        if path.name == "classes.txt":
            continue
        with path.open("rb") as file:
            words = next((line.split() for line in file if line.strip()), [b""])
        if PurePath(os.fsdecode(words[-1])).suffix.lower() in IMAGE_SUFFIXES:
            names.append(path.stem)
        else:
            print(f"{path.name}: not checked, it does not begin with the names of image files")
    return names or ["train"]


def check_benchmark(options: DataCheckOptions) -> None:
    """Counts what is missing or corrupt, and lists the first problems.

    Without `--split` the parts that are there are checked.

    Raises:
        DataError: If there is a problem, or nothing to check.
    """
    unknown = [name for name in options.split or () if name not in PARTS]
    if unknown:
        raise DataError(f"--split {unknown[0]}: {options.dataset} has the parts train and val")
    root = BenchmarkFiles(options.data_root).folder
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
    layout = next(iter(listings.values())).folder.layout
    refuse_problems(problems, options.data_root, layout)


def _problems(name: str, listing: ListedPictures) -> list[Problem]:
    """The problems of a part, after printing how many there are of each kind."""
    shown = tqdm(find_problems(listing), name, len(listing.classes), leave=False, disable=None)
    found = [problem for problems in shown for problem in problems]
    print_part(name, len(listing.classes), found, listing.notes)
    note_orientation(listing.folder, listing.classes)
    return found
