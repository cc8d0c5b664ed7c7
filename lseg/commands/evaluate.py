"""`lseg evaluate`: figures on whole data sets, of models or of label maps."""

from typing import Any

from tqdm import tqdm

from lseg.commands.comparison import compare_tables
from lseg.commands.evaluated_data import EvaluatedData, evaluated_data, protocol_of, rest_class
from lseg.commands.figures_file import FiguresFile
from lseg.commands.generalised import add_generalised
from lseg.commands.model import asking_from, inference_config, model_from
from lseg.commands.options.evaluate import EvaluateOptions
from lseg.commands.suite import evaluate_suite
from lseg.errors import ConfigError
from lseg.evaluation.figures import table_to_json
from lseg.evaluation.referee.judge import referee
from lseg.evaluation.report import print_scores
from lseg.evaluation.semantic import evaluate_pictures
from lseg.models.lseg import LSeg


def evaluate(options: EvaluateOptions) -> None:
    """Prints a table of figures, and writes them as JSON.

    Of a model on a data set; of label maps with `--predictions`; of many data sets with `--suite`;
    with `--compare` the difference of two tables.

    Raises:
        ConfigError: If options do not go together.
    """
    _check(options)
    if options.compare is not None:
        compare_tables(options)
    elif options.suite is not None:
        evaluate_suite(options, model_table)
    elif options.predictions is not None:
        _evaluate_maps(options)
    else:
        _evaluate_model(options)


def model_table(options: EvaluateOptions, data: EvaluatedData, model: LSeg) -> dict[str, Any]:
    """The table of a model on a data set, printed."""
    config = inference_config(options)
    areas = evaluate_pictures(
        model,
        data,
        config,
        workers=options.workers,
        progress=tqdm,
        asking=asking_from(options),
        other=rest_class(options, data),
    )
    training = model.config.labels or None
    table = table_to_json(areas, data.classes, protocol_of(options, data), training)
    title = f"{options.checkpoint} on {options.data_root or options.dataset}, {len(data)} pictures"
    print_scores(title, table)
    return {
        **add_generalised(options, data, table),
        "labels": dict(zip(data.classes, data.labels, strict=True)),
        "notes": model.text.notes(list(filter(model.text.knows, data.labels))),
        "network": model.config.to_dict(),
    }


def _evaluate_model(options: EvaluateOptions) -> None:
    data = evaluated_data(options)
    inference_config(options)  # a wrong value is reported before the model is loaded
    asking_from(options)
    rest_class(options, data)
    file = FiguresFile(options)
    file.write(model_table(options, data, model_from(options, LSeg)))
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
    file.write(add_generalised(options, data, table))
    file.announce()


def _check(options: EvaluateOptions) -> None:
    given = [name for name in ("predictions", "compare", "suite") if getattr(options, name)]
    if len(given) > 1:
        raise ConfigError(f"--{given[0]} and --{given[1]} do not go together: give one of them")
    if options.claimed is not None and options.predictions is None:
        raise ConfigError("--claimed is about the label maps of --predictions: give both")
    if options.models is not None and options.suite is None:
        raise ConfigError("--models are those of a --suite; one model is given by --checkpoint")
    if options.dataset is not None and given in (["compare"], ["suite"]):
        raise ConfigError(f"--dataset does not go with --{given[0]}, which names its own")
