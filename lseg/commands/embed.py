"""`lseg embed`: files of pixel embeddings."""

from dataclasses import replace
from pathlib import Path

from lseg.commands.embed_basis import Basis
from lseg.commands.embed_files import files_of, names_of
from lseg.commands.embed_job import EmbedJob, described
from lseg.commands.engine import do_run, model_here, refuse_address, refuse_engine
from lseg.commands.options.embed import EmbedOptions
from lseg.commands.output import destination
from lseg.commands.reading import frames_of
from lseg.commands.record import OptionsRecord
from lseg.embedding.codes import BASIS as CODE_BASIS
from lseg.embedding.presets import PRESETS, Preset
from lseg.errors import ConfigError
from lseg.files import clear_partial_files
from lseg.inference.embed_config import EmbedConfig, StrideGrid, parse_grid
from lseg.inference.segmenter import Segmenter
from lseg.inference.sharding import Shard, process_group
from lseg.models.lseg import LSeg
from lseg.pipeline.loop import end_run
from lseg.pipeline.remote import store
from lseg.pipeline.rows import check_results
from lseg.pipeline.sources import picture_rows


def embed(options: EmbedOptions) -> None:
    """Writes `<stem>.<format>` and `<stem>.json` for every picture but finished ones."""
    rows = picture_rows(options.images, options.keep_folders, frames_of(options))
    out = destination(options.out)
    preset = preset_from(options)
    names = names_of(options, preset)
    check_results(rows, (*names.endings, ".json"), out.folder, own=names.own)
    shared = [name for name in names.own if name != CODE_BASIS]
    if shared:
        refuse_address(out, f"what all pictures share ({', '.join(shared)})")
    if options.pca is not None and options.pca.isdecimal():
        refuse_engine(options, f"--pca {options.pca} (but --pca FILE)")
    record = OptionsRecord.in_folder(out.folder, "embed", options)
    model = model_here(options, LSeg)
    segmenter = Segmenter(model, preset.config.size)
    config = replace(preset.config, size=segmenter.size)
    if config.long_side is not None:
        config = replace(config, size=None)
    preset = replace(preset, config=config)
    shard = Shard.of_process()
    if shard.first:
        clear_partial_files(out.folder, {record.path.stem})
    with process_group(shard, needed=bool(names.own)):
        files, basis = files_of(options, preset, model, out.folder, shard), None
        if out.address is not None and options.codes is not None:
            store(out.folder / CODE_BASIS, f"{out.address}/{CODE_BASIS}")
        if options.pca is not None:
            settings = described(options, preset, files, model, out.folder)
            basis = Basis.wanted(options, out.folder, segmenter, rows, config, settings, shard)
        here = out.folder if out.address is None else Path.cwd()  # where paths in sidecars start
        job = EmbedJob(options, preset, files, here, basis)
        outcome = do_run(options, rows, out, record, job, job.step(model))
    if shard.first and outcome.failed < len(rows):
        print(f"embeddings of {len(rows) - outcome.failed} picture(s) in {out}{outcome.note}")
    end_run(outcome.failed, rows)


def preset_from(options: EmbedOptions) -> Preset:
    """The preset that is named, or none, changed by every option that was given.

    Raises:
        ConfigError: If options contradict each other.
    """
    if options.size is not None and options.long_side is not None:
        raise ConfigError("--size and --long-side exclude each other: give one of them")
    if options.output_size is not None and options.stride is not None:
        raise ConfigError("--output-size and --stride exclude each other: give one of them")
    preset = PRESETS[options.preset] if options.preset else Preset(EmbedConfig(), "npy", "", "")
    names = ("size", "long_side", "scales", "flip", "window", "dtype", "layout", "normalize")
    changes = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    if "scales" in changes:
        changes["scales"] = tuple(changes["scales"])
    if "size" in changes:
        changes["long_side"] = None
    if options.window == 0:
        changes["window"] = None
    if options.output_size is not None:
        changes["grid"] = parse_grid(options.output_size)
    if options.stride is not None:
        changes["grid"] = StrideGrid(options.stride)
    changed = preset.given(changes)
    return replace(changed, format=options.format or preset.format)
