"""`lseg embed`: files of pixel embeddings."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from lseg.commands.embed_basis import BASIS, BASIS_SIDECAR, Basis
from lseg.commands.model import model_from
from lseg.commands.options.embed import EmbedOptions
from lseg.commands.output import output_folder
from lseg.commands.reading import picture_reader
from lseg.commands.record import OptionsRecord
from lseg.commands.rows import Row, check_results, picture_rows
from lseg.commands.run import end_run, run_rows
from lseg.embedding.files import new_embeddings
from lseg.embedding.presets import PRESETS, Preset
from lseg.embedding.sidecar import (
    describe_config,
    describe_model,
    describe_picture,
    describe_text,
    made_with,
)
from lseg.errors import ConfigError, ImageError
from lseg.evaluation.report import versions
from lseg.files import clear_partial_files, write_json
from lseg.inference.embed_config import EmbedConfig, StrideGrid, parse_grid
from lseg.inference.embeddings import stored
from lseg.inference.prefetch import Picture
from lseg.inference.segmenter import Segmenter
from lseg.inference.sharding import Shard, process_group
from lseg.models.lseg import LSeg


def embed(options: EmbedOptions) -> None:
    """Writes `<stem>.<format>` and `<stem>.json` for every picture but finished ones."""
    rows = picture_rows(options.images, options.keep_folders)
    out = output_folder(options.out)
    preset = preset_from(options)
    ending = f"{preset.tail}.{preset.format}"
    own = () if options.pca is None else (BASIS, BASIS_SIDECAR)
    check_results(rows, (ending, ".json"), out, own=own)
    record = OptionsRecord.in_folder(out, "embed", options)
    model = model_from(options, LSeg)
    segmenter = Segmenter(model, preset.config.size)
    config = replace(preset.config, size=segmenter.size)
    if config.long_side is not None:
        config = replace(config, size=None)
    settings = {
        "format": preset.format,
        "checkpoint": str(options.checkpoint),
        "preset": options.preset,
        "orientation": options.orientation,
        "precision": options.precision,
        "compiled": options.compile,
        **describe_model(model, out),
        **describe_config(config),
        "pca": None,
        "versions": versions(),
    }
    shard = Shard.of_process()
    clear_unfinished(shard.take(rows), out, preset.tail)
    if shard.first:
        clear_partial_files(out, {record.path.stem})
    text_from = cache(partial(describe_text, model))
    decode = picture_reader(options, model.device)
    with process_group(shard, needed=options.pca is not None):
        basis = None
        if options.pca is not None:
            basis = Basis.wanted(options, out, segmenter, rows, config, settings, shard)
        job = Job(segmenter, config, basis, settings, text_from, record, ending, decode)
        failed = run_rows(rows, job.read, job.work, shard, options.strict)
    if shard.first and failed < len(rows):
        print(f"embeddings of {len(rows) - failed} picture(s) in {out}")
    end_run(failed, rows)


class Source(NamedTuple):
    """A picture that is to be done, and what its sidecar tells of its file."""

    picture: Picture
    told: dict[str, Any]


@dataclass(frozen=True)
class Job:
    """What is to be done with each picture.

    Attributes:
        segmenter: Runs the network.
        config: How embeddings are computed.
        basis: Reduces them.
        settings: What sidecars tell of all pictures.
        text_from: What those in a folder tell of the source of label vectors.
        record: Of the options; it lies in the folder of the results.
        ending: Of the results' names, after the picture's.
        decode: Reads a picture's file.
    """

    segmenter: Segmenter
    config: EmbedConfig
    basis: Basis | None
    settings: dict[str, Any]
    text_from: Callable[[Path], dict[str, Any]]
    record: OptionsRecord
    ending: str
    decode: Callable[[Path], Picture]

    def files(self, row: Row) -> tuple[Path, Path]:
        """Embeddings and sidecar of a picture."""
        out = self.record.path.parent
        return out / f"{row.name}{self.ending}", out / f"{row.name}.json"

    def read(self, row: Row) -> Source | None:
        """Reads a picture; None if its files are there, made of this content in this very way."""
        file, sidecar = self.files(row)
        told = {**source_of(row), **self.settings, "text": self.text_from(sidecar.parent)}
        if self.basis is not None:
            told["pca"] = self.basis.seen_from(row)
        if file.is_file() and made_with(sidecar, told):
            return None
        return Source(self.decode(row.path), told)

    def work(self, row: Row, source: Source | None) -> None:
        """Makes a picture's files; the sidecar comes last, so that it vouches for the other.

        Raises:
            ConfigError: If an embedding is too large for float16.
        """
        if source is None:
            self.record.write()  # the run may have nothing else to do
            return
        file, sidecar = self.files(row)
        sidecar.unlink(missing_ok=True)
        pca = None if self.basis is None else self.basis.pca
        result = self.segmenter.embed_rows(source.picture, self.config, pca)
        dtype, layout = self.config.dtype, self.config.layout
        try:
            with new_embeddings(file, result.shape, dtype, layout) as array:
                for start, rows in result.strips():
                    array.put(start, stored(rows, self.config))
        except ConfigError as error:
            raise ConfigError(f"{row.path}: {error}") from error
        self.record.write()
        write_json(sidecar, {**source.told, "file": file.name, **describe_picture(result)})


def source_of(row: Row) -> dict[str, Any]:
    """What sidecars tell of a picture's file: its content counts, neither its time nor its place.

    Raises:
        ImageError: If it cannot be read.
    """
    try:
        with row.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
    except OSError as error:
        raise ImageError(f"{row.path} cannot be read: {error.strerror}") from error
    return {"source": row.source, "source_bytes": size, "source_sha256": digest}


def clear_unfinished(rows: Iterable[Row], out: Path, tail: str) -> None:
    """Deletes what a killed run left of the files of these rows."""
    stems: defaultdict[Path, set[str]] = defaultdict(set)
    for row in rows:
        path = out / row.name
        stems[path.parent] |= {path.name, path.name + tail}
    for folder, names in stems.items():
        clear_partial_files(folder, names)


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
