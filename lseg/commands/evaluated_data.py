"""The data sets of `lseg evaluate`."""

from collections.abc import Callable
from typing import cast

from lseg.commands.generalised import benchmark_data
from lseg.commands.options.evaluate import EvaluateOptions
from lseg.data.base.dataset import FolderDataset
from lseg.data.base.turned_pictures import warn_of_ambiguity
from lseg.data.fewshot.all_classes import AllClassesData
from lseg.data.sets.class_labels import ClassLabels
from lseg.data.sets.pairs import PairsDataset
from lseg.data.sets.published import refuse_missing_files
from lseg.data.sets.registry import SETS, SetName, open_set
from lseg.errors import ConfigError
from lseg.evaluation.figures import Protocol
from lseg.evaluation.protocols import TEST_PROTOCOLS, BenchmarkFiles
from lseg.text.asking import other_place

EvaluatedData = FolderDataset | AllClassesData


def evaluated_data(options: EvaluateOptions) -> EvaluatedData:
    """The data set that `--dataset` and the options about it name.

    Raises:
        ConfigError: If no data set is named.
        DataError: If files are missing or malformed.
    """
    if options.dataset is None:
        raise ConfigError(f"`lseg evaluate` needs --dataset: {', '.join(EVALUATED)}")
    if options.names is not None and options.dataset not in SETS:
        raise ConfigError(
            f"--names goes with the published sets, whose label files have several words for a "
            f"class; {options.dataset} has one: give others by --prompts or --label-file"
        )
    return EVALUATED[options.dataset](options)


def protocol_of(options: EvaluateOptions, data: EvaluatedData) -> Protocol:
    """By which rules the figures of a data set are made."""
    return Protocol(str(options.dataset), options.split, data.ignore_index)


def rest_class(options: EvaluateOptions, data: EvaluatedData) -> int | None:
    """The class of all that is none of the others: a background, by its name or its label.

    Raises:
        ConfigError: If there is none, and `--other` says how it is to be asked.
    """
    place = other_place(data.classes)
    place = other_place(data.labels) if place is None else place
    if place is None and options.other != "auto":
        raise ConfigError(
            f"--other {options.other} is about a class named background or other, and "
            f"{options.dataset} has none: leave it out"
        )
    return place


def pairs_data(options: EvaluateOptions) -> PairsDataset:
    """The pictures of the list `--split` of a pairs folder."""
    asked = _asked(options)
    data = PairsDataset(
        BenchmarkFiles(options.data_root).folder,
        options.split,
        options.ignore_index,
        options.prompts,
        orientation=options.orientation,
    )
    if options.label_file is not None:
        data.labels = asked.labels(data.classes)
    warn_of_ambiguity(data.folder)
    return data


def published_data(options: EvaluateOptions) -> FolderDataset:
    """The pictures of a split of a published set, and what its label file asks for.

    Raises:
        ConfigError: If `--ignore-index` is given.
        DataError: If folders or files are missing, or there is no such split.
        LabelError: If `--prompts` or `--label-file` do not fit the classes.
    """
    if options.ignore_index is not None:
        raise ConfigError(
            f"--ignore-index is of pairs folders; the masks of {options.dataset} have their own"
        )
    name = cast(SetName, options.dataset)
    folder = open_set(name, BenchmarkFiles(options.data_root).folder, options.split)
    folder.orientation = options.orientation or folder.orientation
    labels = _asked(options).labels(folder.classes, folder.prompts)
    refuse_missing_files(folder)
    warn_of_ambiguity(folder)
    return FolderDataset(folder, labels)


def _asked(options: EvaluateOptions) -> ClassLabels:
    return ClassLabels(options.names or "plain", options.prompts, options.label_file)


EVALUATED: dict[str, Callable[[EvaluateOptions], EvaluatedData]] = {
    **dict.fromkeys(TEST_PROTOCOLS, benchmark_data),
    **dict.fromkeys(SETS, published_data),
    "pairs": pairs_data,
}
