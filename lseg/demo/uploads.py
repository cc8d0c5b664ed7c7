"""Files between Gradio's cache and the service."""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gradio.processing_utils import hash_bytes
from gradio.utils import get_upload_folder

from lseg.errors import ImageError

Upload = Mapping[str, Any] | None
"""A picture as Gradio's page and clients send it (`ImageData`, `path` names the uploaded file)."""


def uploaded_path(picture: Upload) -> str | None:
    """Where an uploaded picture lies; Gradio has looked at this already, but so much depends on it.

    Raises:
        ImageError: If it is no upload, such as another file of this machine, or a URL.
    """
    if picture is None:
        return None
    path = picture.get("path")
    if not isinstance(path, str) or not _uploaded(path):
        raise ImageError("that is no uploaded file: upload it itself")
    return path


def _uploaded(path: str) -> bool:
    try:
        place = Path(path).resolve()
    except (OSError, ValueError):  # a null character, or a loop
        return False
    return place.is_relative_to(Path(get_upload_folder()).resolve())


def offered_file(data: bytes, name: str) -> str:
    """Path of a new file that visitors may download, and that is deleted with the uploads.

    Equal files are one, as Gradio would have them, and may be on their way to somebody just now: it
    is there as a whole or not at all.
    """
    folder = Path(get_upload_folder()).resolve()
    path = folder / hash_bytes(data) / name
    path.parent.mkdir(exist_ok=True)
    partial = folder / f"tmp{secrets.token_hex(8)}"
    partial.write_bytes(data)
    partial.replace(path)
    return str(path)
