"""`lseg data check` of the published sets."""

from typing import cast

from tqdm import tqdm

from lseg.commands.options.data_check import DataCheckOptions
from lseg.commands.problems import note_orientation, print_part, refuse_problems
from lseg.data.base.check import Problem, picture_problems
from lseg.data.base.folder import AnnotatedFolder
from lseg.data.sets.registry import SetName, open_set
from lseg.errors import CorruptDataError, DataError
from lseg.evaluation.protocols import BenchmarkFiles


def check_published(options: DataCheckOptions) -> None:
    """Counts what is missing or corrupt, and lists the first problems.

    Without `--split` those of train and val are checked that are there.

    Raises:
        DataError: If there is a problem, or nothing to check.
    """
    folders = _folders(options)
    problems = [problem for split in folders for problem in _problems(split, folders[split])]
    refuse_problems(problems, options.data_root, next(iter(folders.values())).layout)


def _folders(options: DataCheckOptions) -> dict[str, AnnotatedFolder]:
    """The splits that are asked for, or are there."""
    if options.split:
        return {split: _open(options, split) for split in options.split}
    found: dict[str, AnnotatedFolder] = {}
    reasons: dict[str, DataError] = {}
    for split in ("train", "val"):
        try:
            folder = _open(options, split)
            if folder.stems:  # or an error
                found[split] = folder
        except CorruptDataError:
            raise
        except DataError as error:
            reasons[split] = error
    if not found:
        raise reasons["val"]
    for split, reason in reasons.items():
        print(f"{split}: not checked, {str(reason).splitlines()[0]}")
    return found


def _open(options: DataCheckOptions, split: str) -> AnnotatedFolder:
    name, root = cast(SetName, options.dataset), BenchmarkFiles(options.data_root).folder
    folder = open_set(name, root, split)
    folder.orientation = options.orientation or folder.orientation
    return folder


def _problems(split: str, folder: AnnotatedFolder) -> list[Problem]:
    """The problems of a split, after printing how many there are of each kind."""
    stems = tqdm(folder.stems, split, leave=False, disable=None)
    found = [problem for stem in stems for problem in picture_problems(folder, stem)]
    print_part(split, len(folder.stems), found, folder.notes)
    note_orientation(folder, folder.stems)
    return found
