"""`lseg query`: label maps from files of embeddings, without the network."""

import glob
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from torch import Tensor
from tqdm import tqdm

from lseg.commands.model import text_from
from lseg.commands.options.query import QueryOptions
from lseg.commands.output import (
    LABEL_MAP_SUFFIXES,
    note_lone_label,
    output_folder,
    refuse_overwriting,
)
from lseg.commands.record import OptionsRecord
from lseg.config import TextConfig
from lseg.data.base.images import load_image
from lseg.data.base.labels import parse_labels
from lseg.embedding.files import FORMATS
from lseg.embedding.presets import PRESETS
from lseg.embedding.query import segment_stored
from lseg.embedding.sidecar import Sidecar, label_encoder
from lseg.errors import DataError
from lseg.paths import user_path


def query(options: QueryOptions) -> None:
    """Writes `<stem>.png`, `<stem>.overlay.png` and `<stem>.json` for every file."""
    labels = parse_labels(options.labels)
    note_lone_label(labels)
    files = list_embeddings(options.embeddings)
    out = output_folder(options.out)
    sidecars = {file: sidecar_of(file) for file in files}
    refuse_overwriting([*sidecars.values(), *files], LABEL_MAP_SUFFIXES, out)
    record = OptionsRecord.in_folder(out, "query", options)
    stems = unique_pictures(sidecars)

    @cache
    def vectors(text: TextConfig, tower: str | None, width: int) -> Tensor:
        return label_encoder(text, tower, width).encode(labels)

    replacement = None if options.text_table is None else text_from(options.text_table)
    for file in tqdm(files, unit="image", disable=len(files) < 2):
        sidecar = Sidecar.read(sidecars[file])
        if replacement is None:
            text = vectors(sidecar.text, sidecar.tower, sidecar.embed_dim)
        else:
            text = vectors(replacement, None, sidecar.embed_dim)
        picture = None
        if options.pictures is not None:
            path = user_path(options.pictures) / sidecar.source
            picture = load_image(path, sidecar.upright)
        result = segment_stored(file, sidecar, text, labels, picture)
        record.write()
        result.save(out / f"{stems[file]}.png")
    print(f"{len(files)} label map(s) with overlay and JSON in {out}")


def list_embeddings(sources: Iterable[str]) -> list[Path]:
    """The files of embeddings that files, folders and patterns name: sorted, each once.

    Raises:
        DataError: If something is missing, or holds none.
    """
    found: set[Path] = set()
    for source in sources:
        path = user_path(source)
        if path.is_file():
            found.add(path)
            continue
        if path.is_dir():
            candidates = [file for file in path.iterdir() if not file.name.startswith(".")]
        elif glob.has_magic(source):
            candidates = [Path(match) for match in glob.glob(str(path), recursive=True)]
        else:
            raise DataError(f"there is no file or folder {source}")
        files = [
            file for file in candidates if file.suffix in FORMATS and _described(file) is not None
        ]
        if not files:
            raise DataError(f"no embeddings in {source}: give what `lseg embed` wrote")
        found.update(files)
    return sorted(found)


def sidecar_of(file: Path) -> Path:
    """The JSON that was written beside a file of embeddings.

    Raises:
        DataError: If there is none.
    """
    found = _described(file)
    if found is None:
        raise DataError(
            f"{file} has no JSON beside it that tells how it was made: embeddings are asked with "
            "what `lseg embed` writes"
        )
    return found


def unique_pictures(sidecars: dict[Path, Path]) -> dict[Path, str]:
    """Stems of the results of each file.

    Raises:
        DataError: If two would write the same file.
    """
    stems: dict[str, Path] = {}
    for file, sidecar in sidecars.items():
        if sidecar.stem in stems:
            raise DataError(f"{stems[sidecar.stem]} and {file} would both write {sidecar.stem}.*")
        stems[sidecar.stem] = file
    return {file: stem for stem, file in stems.items()}


def _described(file: Path) -> Path | None:
    """A sidecar has the stem of the picture, of which the file's stem may have more (a tail)."""
    stems = {file.stem.removesuffix(preset.tail) for preset in PRESETS.values()}
    for candidate in sorted({file.stem, *stems}):
        sidecar = file.with_name(f"{candidate}.json")
        try:
            if json.loads(sidecar.read_text("utf-8")).get("file") == file.name:
                return sidecar
        except (OSError, ValueError, AttributeError):
            continue
    return None
