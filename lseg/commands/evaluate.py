"""`lseg evaluate`: figures on a whole data set."""

from collections.abc import Callable

from tqdm import tqdm

from lseg.commands.generalised import add_generalised, benchmark_data
from lseg.commands.model import inference_config, model_from
from lseg.commands.options.evaluate import EvaluateOptions
from lseg.commands.output import output_file
from lseg.commands.record import OptionsRecord
from lseg.data.fewshot.all_classes import AllClassesData
from lseg.data.sets.pairs import PairsDataset
from lseg.evaluation.protocols import TEST_PROTOCOLS, Files
from lseg.evaluation.report import print_scores, versions
from lseg.evaluation.semantic import evaluate as evaluate_data
from lseg.evaluation.semantic import scores_to_json
from lseg.files import write_json
from lseg.models.lseg import LSeg


def evaluate(options: EvaluateOptions) -> None:
    """Prints IoU of every class, mIoU and pixel accuracy, and writes them as JSON."""
    data = EVALUATED[options.dataset](options)
    config = inference_config(options)
    out = None if options.out is None else output_file(options.out)
    record = None if out is None else OptionsRecord.beside(out, "evaluate", options)
    model = model_from(options, LSeg)
    scores = evaluate_data(model, data, config, workers=options.workers, progress=tqdm)
    figures = scores_to_json(scores, data.classes)
    title = f"{options.checkpoint} on {options.data_root or options.dataset}, {len(data)} pictures"
    print_scores(title, figures)
    figures = add_generalised(options, data, figures)
    if out is not None and record is not None:
        details = {
            "options": options.to_dict(),
            "labels": dict(zip(data.classes, data.labels, strict=True)),
            "network": model.config.to_dict(),
            "versions": versions(),
        }
        record.write()
        write_json(out, {**figures, **details})
        print(f"written to {out}")


def pairs_data(options: EvaluateOptions) -> PairsDataset:
    """The pictures of the list `--split` of a pairs folder."""
    folder = Files(options.data_root).folder
    return PairsDataset(folder, options.split, options.ignore_index, options.prompts)


EVALUATED: dict[str, Callable[[EvaluateOptions], PairsDataset | AllClassesData]] = {
    **dict.fromkeys(TEST_PROTOCOLS, benchmark_data),
    "pairs": pairs_data,
}
