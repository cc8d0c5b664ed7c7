"""The figures of a model on a data set, by one process or several."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from tqdm import tqdm

from lseg.commands.distributed import Place
from lseg.commands.evaluated_data import EvaluatedData, protocol_of, rest_class
from lseg.commands.examples import examples_table
from lseg.commands.generalised import add_generalised
from lseg.commands.memory import memory_from
from lseg.commands.model import asking_from, model_from
from lseg.commands.options.evaluate import EvaluateOptions
from lseg.commands.viewing import view_rule
from lseg.data.base.fingerprint import fingerprint
from lseg.evaluation.figures import table_to_json
from lseg.evaluation.report import print_scores
from lseg.evaluation.semantic import evaluate_pictures
from lseg.inference.sharding import Shard
from lseg.models.lseg import LSeg


@dataclass(frozen=True)
class ModelJob:
    """`lseg evaluate` of one model on one data set; the same in every process."""

    options: EvaluateOptions
    data: EvaluatedData

    def __call__(self, place: Place) -> dict[str, Any] | None:
        """See `model_table`."""
        model = model_from(replace(self.options, device=str(place.device)), LSeg)
        return model_table(self.options, self.data, model, place.shard)


def model_table(
    options: EvaluateOptions, data: EvaluatedData, model: LSeg, shard: Shard
) -> dict[str, Any] | None:
    """The table of a model on a data set, printed by the first process; None in the others."""
    if options.examples is not None:
        return examples_table(options, data, model, shard)
    rule = view_rule(options)
    text, memory = asking_from(options), memory_from(options, model)
    progress = tqdm if shard.first else None
    areas = evaluate_pictures(
        model,
        data,
        rule,
        workers=options.workers,
        progress=progress,
        asking=text if memory is None else memory.asking(text),
        other=rest_class(options, data),
        shard=shard,
    )
    if not shard.first:
        return None
    training = model.config.labels or None
    table = table_to_json(areas, data.classes, protocol_of(options, data), training)
    title = f"{options.checkpoint} on {options.data_root or options.dataset}, {len(data)} pictures"
    print_scores(title, table)
    return {
        **add_generalised(options, data, table),
        "labels": dict(zip(data.classes, data.labels, strict=True)),
        "notes": model.text.notes(list(filter(model.text.knows, data.labels))),
        "views": {"protocol": options.protocol, **asdict(rule)},
        "network": model.config.to_dict(),
        "data": fingerprint(data.files()),
    }
