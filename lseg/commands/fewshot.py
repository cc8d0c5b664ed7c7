"""`lseg fewshot`: zero-shot and few-shot benchmarks."""

from itertools import chain
from pathlib import Path
from typing import Any

from lseg.commands.engine import counting_engine, model_here
from lseg.commands.fewshot_job import AnswerPictures, FewShotJob
from lseg.commands.options.fewshot import FewShotOptions
from lseg.commands.output import output_file, output_folder
from lseg.commands.processes import run_shared
from lseg.commands.record import OptionsRecord
from lseg.data.base.fingerprint import fingerprint
from lseg.data.fewshot.benchmark_labels import LabelChoice
from lseg.errors import ConfigError
from lseg.evaluation.fewshot import (
    AskedFold,
    EpisodeCounter,
    FewShotConfig,
    fold_part,
    fold_scores,
    scores_to_json,
    summed_areas,
)
from lseg.evaluation.protocols import TEST_PROTOCOLS, BenchmarkFiles, EpisodeRequest, open_folds
from lseg.evaluation.published import PUBLISHED, PublishedRow
from lseg.evaluation.report import percent, print_table, versions
from lseg.evaluation.supports import DEFAULT_WEIGHT
from lseg.files import write_json
from lseg.inference.sharding import Shard
from lseg.models.lseg import LSeg


def fewshot(options: FewShotOptions) -> None:
    """Prints mIoU and FB-IoU of every fold beside published ones, and writes them as JSON."""
    run_shared(_fewshot, options)


def _fewshot(options: FewShotOptions) -> None:
    config = _config(options)
    labels = LabelChoice(options.label_file, options.prompts, options.natural_names)
    fold = _folds(options.fold)
    episodes = EpisodeRequest(fold, options.shots, options.episodes, options.seed, options.size)
    files = BenchmarkFiles(
        options.data_root,
        options.splits,
        options.split,
        options.ignore_index,
        options.orientation,
    )
    out = None if options.out is None else output_file(options.out)
    record = None if out is None else OptionsRecord.beside(out, "fewshot", options)
    pictures = _pictures_folder(options, out)
    folds = open_folds(TEST_PROTOCOLS[options.benchmark], files, episodes, labels.labels)
    model = model_here(options, LSeg)
    asked = tuple(AskedFold.of(model, fold, config.background) for fold in folds)
    saver = None
    if pictures is not None:
        saver = AnswerPictures(asked, config.background, options.save_pictures, pictures)
    job = FewShotJob(options, asked, config, saver)
    engine = counting_engine(options, job, EpisodeCounter(model, asked, config, saver))
    counted = engine.counts([fold_part(fold, config) for fold in folds])
    areas = [summed_areas(fold, counts) for fold, counts in zip(folds, counted, strict=True)]
    if not Shard.of_process().first:
        return
    figures = scores_to_json(folds, [fold_scores(*pair) for pair in zip(folds, areas, strict=True)])
    _print(options, figures)
    if pictures is not None:
        print(f"pictures in {pictures}")
    if out is not None and record is not None:
        details = {
            "benchmark": options.benchmark,
            "shots": options.shots,
            "options": options.to_dict(),
            "protocol": {
                "size": folds[0].data.size,
                "background": config.background,
                "visual_weight": config.visual_weight if options.shots else 0.0,
            },
            "published": [line._asdict() | {"unverified": sorted(line.unverified)} for line in
                          PUBLISHED.get(options.benchmark, ())],
            "network": model.config.to_dict(),
            "data": fingerprint(chain.from_iterable(fold.data.files() for fold in folds)),
            "versions": versions(),
        }  # fmt: skip
        record.write()
        write_json(out, {**figures, **details})
        print(f"written to {out}")


def _config(options: FewShotOptions) -> FewShotConfig:
    weight = DEFAULT_WEIGHT if options.visual_weight is None else options.visual_weight
    if not 0 <= weight <= 1:
        raise ConfigError(f"--visual-weight {weight}: give 0 (text alone) to 1 (supports alone)")
    return FewShotConfig(
        options.background_label,
        weight,
        batch_size=options.batch_size,
        workers=options.workers,
    )


def _folds(text: str) -> tuple[int, ...] | None:
    if text == "all":
        return None
    if not text.isdecimal():
        raise ConfigError(f"--fold {text}: give a number from 0, or all")
    return (int(text),)


def _pictures_folder(options: FewShotOptions, out: Path | None) -> Path | None:
    if options.save_pictures == 0:
        return None
    stem = Path("fewshot.json") if out is None else out
    return output_folder(stem.with_name(f"{stem.stem}_pictures"))


def _print(options: FewShotOptions, figures: dict[str, Any]) -> None:
    rows = [[name, percent(iou, 1)] for name, iou in figures["per_class"].items()]
    print_table(f"{options.benchmark}: foreground IoU of each class", ["class", "IoU %"], rows)
    folds = figures["folds"]
    columns = [
        "zero-shot" if options.shots == 0 else f"{options.shots}-shot",
        *(f"fold {fold['fold']}" for fold in folds),
        "mIoU",
        "FB-IoU",
    ]
    title = f"{options.checkpoint} on {options.benchmark}"
    ours = [percent(fold["miou"]) for fold in folds]
    lines = [["this run", *ours, percent(figures["miou"]), percent(figures["fb_iou"])]]
    lines.append(["  FB-IoU", *(percent(fold["fb_iou"]) for fold in folds), "", ""])
    lines.append(["  episodes", *(str(fold["episodes"]) for fold in folds), "", ""])
    numbers = [fold["fold"] for fold in folds]
    lines += [_published_row(line, numbers) for line in PUBLISHED.get(options.benchmark, ())]
    print_table(title, columns, lines)
    if any(line.unverified for line in PUBLISHED.get(options.benchmark, ())):
        print("Published rows are zero-shot, the mean of all folds; † not checked at the source.")


def _published_row(line: PublishedRow, folds: list[int]) -> list[str]:
    def cell(figure: float | None, key: str) -> str:
        return percent(figure, 1) + ("†" if key in line.unverified else "")

    by_fold = [cell(line.folds[k] if line.folds else None, f"fold{k}") for k in folds]
    return [line.method, *by_fold, cell(line.miou, "miou"), cell(line.fb_iou, "fb_iou")]
