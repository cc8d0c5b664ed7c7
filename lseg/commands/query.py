"""`lseg query`: label maps from files of embeddings, without the network."""

import glob
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from lseg.commands.model import asking_from, text_from
from lseg.commands.options.query import QueryOptions
from lseg.commands.output import LABEL_MAP_SUFFIXES, note_lone_label, output_folder
from lseg.commands.record import OptionsRecord
from lseg.config import TextConfig
from lseg.data.base.images import load_image
from lseg.data.base.labels import parse_labels
from lseg.data.base.patterns import matches
from lseg.embedding.files import FORMATS
from lseg.embedding.found import file_of, find_sidecar, sidecar_of
from lseg.embedding.sidecar import Sidecar, label_encoder
from lseg.embedding.stored import StoredEmbeddings
from lseg.errors import CheckpointError, DataError
from lseg.inference.sharding import Shard, process_group
from lseg.memory.asking import TaughtAsking
from lseg.memory.file import read_examples
from lseg.paths import user_path
from lseg.pipeline.loop import Patience, end_run, run_rows
from lseg.pipeline.rows import Row, check_results, common_folder, tree_pattern
from lseg.text.question import Question
from lseg.text.templates import with_templates


class Found(NamedTuple):
    """The JSON that was written beside a file of embeddings, and the folder that was looked in."""

    sidecar: Path
    top: Path


class Stored(NamedTuple):
    """What is read before a file of embeddings is asked: its sidecar, and perhaps the picture."""

    sidecar: Sidecar
    picture: Image.Image | None


def query(options: QueryOptions) -> None:
    """Writes `<stem>.png`, `<stem>.overlay.png` and `<stem>.json` for every file."""
    labels = parse_labels(options.labels)
    asking = asking_from(options, labels)
    note_lone_label(labels)
    sidecars = embedding_rows(options)
    rows = list(sidecars)
    out = output_folder(options.out)
    check_results(rows, LABEL_MAP_SUFFIXES, out, [*sidecars.values(), *(row.file for row in rows)])
    record = OptionsRecord.in_folder(out, "query", options)
    replacement = None if options.text_table is None else text_from(options.text_table)

    held = None if options.memory is None else read_examples(user_path(options.memory))

    @cache
    def asked(text: TextConfig, tower: str | None, width: int, scale: float) -> Question:
        encoder = label_encoder(text, tower, width)
        if options.templates is not None:
            encoder = with_templates(encoder, options.templates)
        if held is None:
            question = asking.question(encoder, labels)
        else:
            shown = TaughtAsking(asking, held[0], scale, stored=True)
            question = shown.question(encoder, labels)
        question.warn_of_notes()
        return question

    folder = None if options.pictures is None else user_path(options.pictures)

    def read(row: Row) -> Stored:
        sidecar = Sidecar.read(sidecars[row])
        if folder is None:
            return Stored(sidecar, None)
        return Stored(sidecar, load_image(folder / sidecar.source, sidecar.upright))

    def work(row: Row, stored: Stored) -> None:
        sidecar = stored.sidecar
        if held is not None:
            refuse_other_weights(row.file, sidecar, held[1].fingerprint, options.memory)
        width, scale = sidecar.embed_dim, sidecar.logit_scale
        if replacement is None:
            question = asked(sidecar.text, sidecar.tower, width, scale)
        else:
            question = asked(replacement, None, width, scale)
        result = StoredEmbeddings.open(row.file, sidecar).segment(question, labels, stored.picture)
        record.write()
        result.save(out / f"{row.name}.png")

    shard = Shard.of_process()
    with process_group(shard, needed=False):
        failed = run_rows(rows, read, work, shard, Patience(options.strict, options.max_errors))
    if shard.first and failed < len(rows):
        print(f"{len(rows) - failed} label map(s) with overlay and JSON in {out}")
    end_run(failed, rows)


def refuse_other_weights(
    path: Path, sidecar: Sidecar, fingerprint: str, memory: Path | None
) -> None:
    """Makes sure that embeddings and examples are of one model.

    Raises:
        CheckpointError: If they are not.
    """
    if sidecar.weights != fingerprint:
        raise CheckpointError(
            f"{path} and the memory {memory} were made with different models: make one of them "
            "again"
        )


def embedding_rows(options: QueryOptions) -> dict[Row, Path]:
    """The files of embeddings that options name, sorted, each with its sidecar.

    Results are called as the pictures were.

    Those of a folder keep their folders below it; with `--keep-folders` all do, below the longest
    common one.

    Raises:
        DataError: If something is missing, or holds none.
    """
    found = list_embeddings(options.embeddings)
    folders = [each.sidecar.parent for each in found.values()]
    folder = common_folder(folders) if options.keep_folders else None
    rows = {}
    for path, (sidecar, top) in sorted(found.items()):
        row = replace(Row.of(sidecar, folder or top), path=path)
        rows[row] = sidecar
    return rows


def list_embeddings(sources: Iterable[str]) -> dict[Path, Found]:
    """The files of embeddings that files, folders and patterns name.

    Of a folder the subfolders are read too. It is the top of what is found there; that of a file,
    and of what a pattern names, is the folder that its JSON lies in.

    Raises:
        DataError: If something is missing, or holds none.
    """
    found: dict[Path, Found] = {}
    for source in sources:
        path = user_path(source)
        if path.is_file():
            file, sidecar = _pair(path) or (path, sidecar_of(path))
            found.setdefault(file, Found(sidecar, sidecar.parent))
            continue
        folder = path if path.is_dir() else None
        if folder is None and not glob.has_magic(source):
            raise DataError(f"there is no file or folder {source}")
        pattern = str(path) if folder is None else tree_pattern(folder)
        none = True
        for match in matches(pattern):
            if folder is not None and match.suffix != ".json":
                continue
            pair = _pair(match)
            if pair is not None:
                file, sidecar = pair
                found.setdefault(file, Found(sidecar, folder or sidecar.parent))
                none = False
        if none:
            raise DataError(f"no embeddings in {source}: give what `lseg embed` wrote")
    return found


def _pair(path: Path) -> tuple[Path, Path] | None:
    """A file of embeddings and its JSON, of which `path` is one; None if it is neither."""
    if path.suffix == ".json":
        file = file_of(path)
        return None if file is None or not file.exists() else (file, path)
    sidecar = find_sidecar(path) if path.suffix in FORMATS else None
    return None if sidecar is None else (path, sidecar)
