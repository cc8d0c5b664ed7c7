"""`lseg predict`: label maps of pictures."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from lseg.commands.coco import NAME as INSTANCES
from lseg.commands.coco import InstancesFile
from lseg.commands.model import asking_from, inference_config, model_from
from lseg.commands.options.predict import PredictOptions
from lseg.commands.output import LABEL_MAP_SUFFIXES, note_lone_label, output_folder
from lseg.commands.reading import picture_reader
from lseg.commands.record import OptionsRecord
from lseg.commands.rows import Row, check_results, check_sources, picture_rows
from lseg.commands.run import end_run, run_rows
from lseg.data.base.labels import parse_labels
from lseg.errors import CheckpointError, LabelError
from lseg.inference.memory import Memory
from lseg.inference.prefetch import Picture
from lseg.inference.segmenter import ClassSegmenter, Segmentation, Segmenter
from lseg.inference.sharding import Shard, process_group
from lseg.inference.views import InferenceConfig
from lseg.models.dpt import DPTSegmentation
from lseg.models.lseg import LSeg
from lseg.models.network import Network
from lseg.text.asking import AS_TRAINED, Asking

Writer = Callable[[Row, Segmentation], None]


def predict(options: PredictOptions) -> None:
    """Writes `<stem>.png`, `<stem>.overlay.png` and `<stem>.json` for every picture.

    With `--format coco`, one COCO instances file for all of them instead.
    """
    labels = None if options.labels is None else parse_labels(options.labels)
    note_lone_label(labels)
    rows = picture_rows(options.images, options.keep_folders)
    out = output_folder(options.out)
    coco = options.format == "coco"
    if coco:
        check_sources(rows)
    else:
        check_results(rows, LABEL_MAP_SUFFIXES, out)
    record = OptionsRecord.in_folder(out, "predict", options)
    config = inference_config(options)
    asking = asking_from(options, labels)
    model = model_from(options, Network)
    segment = predictor(model, labels, config, asking, options.memory, options.guided)
    shard = Shard.of_process()
    read = picture_reader(options, model.device)
    with ExitStack() as stack:
        stack.enter_context(process_group(shard, needed=coco))
        file = None
        if coco:
            names = labels or list(getattr(model, "labels", ()))
            file = InstancesFile(out, names, shard, options.without_other)
            stack.callback(file.discard)

        def work(row: Row, picture: Picture) -> None:
            result = segment(picture)
            record.write()
            if file is None:
                result.save(out / f"{row.name}.png")
            else:
                file.add(row.source, result)
            if len(rows) == 1:
                shares = sorted(result.shares.items(), key=lambda item: -item[1])
                print(", ".join(f"{label} {share:.1%}" for label, share in shares if share > 0))

        failed = run_rows(
            rows,
            lambda row: read(row.path),
            work,
            shard,
            options.strict,
            skip=lambda row: None if file is None else file.skip(),
        )
        if file is not None:
            file.finish()
    done = len(rows) - failed
    if shard.first and done:
        what = f"label maps of {done} picture(s) in {out / INSTANCES}"
        print(what if coco else f"{done} label map(s) with overlay and JSON in {out}")
    end_run(failed, rows)


def predictor(
    model: Network,
    labels: list[str] | None,
    config: InferenceConfig,
    asking: Asking = AS_TRAINED,
    examples: Path | None = None,
    guided: bool | None = None,
) -> Callable[[Picture], Segmentation]:
    """What turns a picture into its segmentation: by `labels`, or by the model's fixed classes.

    Raises:
        LabelError: If labels are missing or not possible.
        CheckpointError: If the model segments nothing, or cannot as `config` says.
    """
    plain = config.scales == (1.0,) and not config.flip and config.window is None
    if isinstance(model, DPTSegmentation):
        if examples is not None:
            raise CheckpointError("--memory needs an LSeg checkpoint: this one has fixed classes")
        if labels is not None:
            raise LabelError(
                f"this model has {len(model.labels)} fixed classes: leave --labels out, or take an "
                "LSeg checkpoint"
            )
        if not plain or guided:
            raise CheckpointError("--scales, --flip, --window, --guided need an LSeg checkpoint")
        return ClassSegmenter(model, config.size).segment
    if not isinstance(model, LSeg):
        raise CheckpointError(f"a {type(model).__name__} segments nothing: use `lseg depth`")
    if labels is None:
        raise LabelError('no labels: give some, such as --labels "sky,road,other"')
    memory = None if examples is None else Memory.load(examples, model)
    segmenter = Segmenter(model, config.size, asking, memory, guided)
    # A wrong label is reported before the first picture is read.
    question = segmenter.question(labels)
    if model.config.description:
        print(model.config.description)

    def segment(picture: Picture) -> Segmentation:
        if not plain:
            return segmenter.segment_image(picture, question, config)
        segmenter.set_image(picture)
        return segmenter.segment(question)

    return segment
