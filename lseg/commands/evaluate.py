"""`lseg evaluate`: figures on whole data sets, of models or of label maps."""

from tqdm import tqdm

from lseg.commands.comparison import compare_tables
from lseg.commands.evaluated_data import evaluated_data, protocol_of, rest_class
from lseg.commands.examples import examples_data
from lseg.commands.figures_file import FiguresFile
from lseg.commands.generalised import add_generalised
from lseg.commands.model import asking_from
from lseg.commands.model_table import EvaluatedSet, model_tables
from lseg.commands.options.evaluate import EvaluateOptions
from lseg.commands.processes import run_shared
from lseg.commands.suite import evaluate_suite
from lseg.commands.viewing import view_rule
from lseg.data.base.fingerprint import fingerprint
from lseg.errors import ConfigError
from lseg.evaluation.referee.judge import referee
from lseg.evaluation.report import print_scores
from lseg.inference.sharding import Shard


def evaluate(options: EvaluateOptions) -> None:
    """Prints a table of figures, and writes them as JSON.

    Of a model on a data set; of label maps with `--predictions`; of many data sets with `--suite`;
    with `--compare` the difference of two tables.

    Raises:
        ConfigError: If options do not go together.
    """
    _check(options)
    if options.suite is not None:
        run_shared(evaluate_suite, options)
    elif options.compare is None and options.predictions is None:
        run_shared(_evaluate_model, options)
    elif Shard.of_process().first:  # without a model there is nothing to share
        (_evaluate_maps if options.compare is None else compare_tables)(options)


def _evaluate_model(options: EvaluateOptions) -> None:
    data = evaluated_data(options)
    view_rule(options)  # a wrong value is reported before the model is loaded
    asking_from(options)
    rest_class(options, data)
    if options.examples is not None:
        examples_data(options)
    file = FiguresFile(options)
    for table in model_tables(options, [EvaluatedSet(options, data)]):
        file.write(table)
        file.announce()


def _evaluate_maps(options: EvaluateOptions) -> None:
    """Label maps that were made elsewhere; no model is loaded."""
    assert options.predictions is not None
    data = evaluated_data(options)
    file = FiguresFile(options)
    protocol = protocol_of(options, data)
    table = referee(
        data, options.predictions, data.classes, protocol, options.claimed, options.workers, tqdm
    )
    title = f"{options.predictions} on {options.data_root or options.dataset}"
    print_scores(f"{title}, {table['pictures']} pictures", table)
    for warning in table["warnings"]:
        print(f"warning: {warning}")
    table["data"] = fingerprint(data.files())
    file.write(add_generalised(options, data, table))
    file.announce()


def _check(options: EvaluateOptions) -> None:
    given = [name for name in ("predictions", "compare", "suite") if getattr(options, name)]
    if len(given) > 1:
        raise ConfigError(f"--{given[0]} and --{given[1]} do not go together: give one of them")
    if options.engine != "local" and given in (["predictions"], ["compare"]):
        raise ConfigError(
            f"--engine {options.engine} runs a model, and --{given[0]} needs none: leave it out"
        )
    if options.claimed is not None and options.predictions is None:
        raise ConfigError("--claimed is about the label maps of --predictions: give both")
    if options.models is not None and options.suite is None:
        raise ConfigError("--models are those of a --suite; one model is given by --checkpoint")
    if options.examples is not None and (given or options.memory is not None):
        raise ConfigError("--examples draws its own, for one model on one --dataset: give it alone")
    if options.dataset is not None and given in (["compare"], ["suite"]):
        raise ConfigError(f"--dataset does not go with --{given[0]}, which names its own")
