"""Which JSON tells of a file of embeddings."""

from pathlib import Path

from lseg.embedding.presets import PRESETS
from lseg.errors import DataError
from lseg.parsing import parse_json


def sidecar_of(file: Path) -> Path:
    """The JSON that was written beside a file of embeddings.

    Raises:
        DataError: If there is none.
    """
    found = find_sidecar(file)
    if found is None:
        raise DataError(
            f"{file} has no JSON beside it that tells how it was made: embeddings are asked with "
            "what `lseg embed` writes"
        )
    return found


def find_sidecar(file: Path) -> Path | None:
    """As `sidecar_of`; None if there is none.

    It has the stem of the picture, of which the file's stem may have more (a tail); or the file
    lies in a folder with the stem of the picture, beside which it is.
    """
    stems = {file.stem.removesuffix(preset.tail) for preset in PRESETS.values()}
    beside = [file.with_name(f"{stem}.json") for stem in sorted({file.stem, *stems})]
    for sidecar in (*beside, file.parent.with_name(f"{file.parent.name}.json")):
        if file_of(sidecar) == file:
            return sidecar
    return None


def file_of(sidecar: Path) -> Path | None:
    """The file or array that a JSON tells of; None if it tells of none."""
    try:
        values = parse_json(sidecar.read_text("utf-8"))
        return sidecar.parent / str(values["file"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
