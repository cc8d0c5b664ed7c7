"""The data sets of `lseg evaluate`."""

from collections.abc import Callable

from lseg.commands.generalised import benchmark_data
from lseg.commands.options.evaluate import EvaluateOptions
from lseg.data.base.turned_pictures import warn_of_ambiguity
from lseg.data.fewshot.all_classes import AllClassesData
from lseg.data.sets.pairs import PairsDataset
from lseg.errors import ConfigError
from lseg.evaluation.figures import Protocol
from lseg.evaluation.protocols import TEST_PROTOCOLS, Files

EvaluatedData = PairsDataset | AllClassesData


def evaluated_data(options: EvaluateOptions) -> EvaluatedData:
    """The data set that `--dataset` and the options about it name.

    Raises:
        ConfigError: If no data set is named.
        DataError: If files are missing or malformed.
    """
    if options.dataset is None:
        raise ConfigError(f"`lseg evaluate` needs --dataset: {', '.join(EVALUATED)}")
    return EVALUATED[options.dataset](options)


def protocol_of(options: EvaluateOptions, data: EvaluatedData) -> Protocol:
    """By which rules the figures of a data set are made."""
    return Protocol(str(options.dataset), options.split, data.ignore_index)


def pairs_data(options: EvaluateOptions) -> PairsDataset:
    """The pictures of the list `--split` of a pairs folder."""
    folder = Files(options.data_root).folder
    data = PairsDataset(
        folder,
        options.split,
        options.ignore_index,
        options.prompts,
        orientation=options.orientation,
    )
    warn_of_ambiguity(data.folder)
    return data


EVALUATED: dict[str, Callable[[EvaluateOptions], EvaluatedData]] = {
    **dict.fromkeys(TEST_PROTOCOLS, benchmark_data),
    "pairs": pairs_data,
}
