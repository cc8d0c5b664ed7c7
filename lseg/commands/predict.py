"""`lseg predict`: label maps of pictures."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from lseg.commands.coco import NAME as INSTANCES
from lseg.commands.coco import InstancesFile
from lseg.commands.engine import do_run, model_here, patience_of, refuse_address, refuse_engine
from lseg.commands.model import asking_from, inference_config
from lseg.commands.options.predict import PredictOptions
from lseg.commands.output import LABEL_MAP_SUFFIXES, destination, note_lone_label
from lseg.commands.predict_job import PredictJob, question_of
from lseg.commands.reading import frames_of
from lseg.commands.record import OptionsRecord
from lseg.data.base.labels import parse_labels
from lseg.inference.prefetch import Picture
from lseg.inference.segmenter import Segmentation
from lseg.inference.sharding import Shard, process_group
from lseg.models.lseg import LSeg
from lseg.models.network import Network
from lseg.pipeline.loop import end_run, run_rows
from lseg.pipeline.rows import Row, at_hand, check_results, check_sources
from lseg.pipeline.sources import picture_rows
from lseg.pipeline.step import Step


def predict(options: PredictOptions) -> None:
    """Writes `<stem>.png`, `<stem>.overlay.png` and `<stem>.json` for every picture.

    With `--format coco`, one COCO instances file for all of them instead.
    """
    labels = None if options.labels is None else parse_labels(options.labels)
    note_lone_label(labels)
    rows = picture_rows(options.images, options.keep_folders, frames_of(options))
    out = destination(options.out)
    coco = options.format == "coco"
    if coco:
        refuse_engine(options, "--format coco")
        refuse_address(out, "--format coco")
        check_sources(rows)
    else:
        check_results(rows, LABEL_MAP_SUFFIXES, out.folder)
    record = OptionsRecord.in_folder(out.folder, "predict", options)
    config = inference_config(options)
    asking = asking_from(options, labels)
    model = model_here(options, Network)
    # A wrong label is reported before the first picture is read.
    question = question_of(model, labels, config, asking, options.memory)
    if isinstance(model, LSeg) and model.config.description:
        print(model.config.description)
    job = PredictJob(options, config, question)
    step = job.step(model)
    if len(rows) == 1:
        step = replace(step, answer=telling(step.answer))
    if coco:
        names = labels or list(getattr(model, "labels", ()))
        write_instances(options, step, rows, names, record)
        return
    outcome = do_run(options, rows, out, record, job, step, resume=len(rows) > 1)
    done = len(rows) - outcome.failed
    if Shard.of_process().first and done:
        print(f"{done} label map(s) with overlay and JSON in {out}{outcome.note}")
    end_run(outcome.failed, rows)


def telling(segment: Callable[[Picture], Segmentation]) -> Callable[[Picture], Segmentation]:
    """The same, which prints what covers the picture."""

    def segment_and_tell(picture: Picture) -> Segmentation:
        result = segment(picture)
        shares = sorted(result.shares.items(), key=lambda item: -item[1])
        print(", ".join(f"{label} {share:.1%}" for label, share in shares if share > 0))
        return result

    return segment_and_tell


def write_instances(
    options: PredictOptions,
    step: Step[Segmentation],
    rows: Sequence[Row],
    names: Sequence[str],
    record: OptionsRecord,
) -> None:
    """Writes one COCO instances file for all pictures."""
    shard, out = Shard.of_process(), record.path.parent
    with process_group(shard):
        file = InstancesFile(out, names, shard, options.without_other)

        def work(row: Row, picture: Picture) -> None:
            result = step.answer(picture)
            record.write()
            file.add(row.source, result)

        try:
            patience = patience_of(options)
            failed = run_rows(
                rows,
                lambda row: step.decode(at_hand(row.path)),
                work,
                shard,
                patience,
                lambda *_: file.skip(),
            )
            file.finish()
        finally:
            file.discard()
    if shard.first and failed < len(rows):
        print(f"label maps of {len(rows) - failed} picture(s) in {out / INSTANCES}")
    end_run(failed, rows)
