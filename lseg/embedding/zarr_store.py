"""One Zarr store a run (format 3): an array a picture, in shards, in chunks as they are read."""

import json
import shutil
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from lseg.embedding.picture_files import Written
from lseg.errors import ConfigError, DataError
from lseg.files import atomic_file
from lseg.inference.embeddings import EmbeddedPicture, stored
from lseg.inference.layout import as_chw, stored_shape

STORE = "embeddings.zarr"

CHUNK_BYTES = 2**22
"""About how large a chunk is before it is compressed: some rows of a picture, all channels."""

SHARD_BYTES = 2**26
"""About how large a file of chunks is, which is written at once."""


def zarr() -> Any:
    """The library.

    Raises:
        ConfigError: If it is not installed.
    """
    try:
        import zarr
    except ImportError as error:
        raise ConfigError('Zarr stores need zarr: pip install "lseg[stores]"') from error
    return zarr


def prepare_store(out: Path) -> None:
    """Makes the store, and deletes what killed runs left in it; nobody else may be writing it."""
    store = out / STORE
    _make_group(store)
    for path in [*store.rglob(".*.partial")]:
        shutil.rmtree(path)


@dataclass(frozen=True)
class ZarrArrays:
    """A `lseg.embedding.picture_files.PictureFiles`; `prepare_store` comes before all pictures."""

    endings: Sequence[str] = ()

    @property
    def settings(self) -> dict[str, Any]:
        """See `PictureFiles`."""
        return {}

    def file(self, name: str) -> str:
        """See `PictureFiles`."""
        return f"{STORE}/{name}"

    def present(self, out: Path, name: str) -> Sequence[str]:
        """See `PictureFiles`."""
        place = out / self.file(name)
        if not (place / "zarr.json").is_file():
            return ()
        files = sorted(path for path in place.rglob("*") if path.is_file())
        return [path.relative_to(out).as_posix() for path in files]

    def write(self, out: Path, name: str, result: EmbeddedPicture) -> Written:
        """See `PictureFiles`; an array appears whole or not at all.

        Raises:
            ConfigError: As `PictureFiles`.
            DataError: If a folder of pictures has the name of one.
        """
        place, config = out / STORE / name, result.config
        for folder in PurePosixPath(name).parents:
            _make_group(out / STORE / folder)
        height, width = result.maps.size
        channels = result.channels
        row = channels * width * np.dtype(config.dtype).itemsize
        chunk = min(height, max(1, CHUNK_BYTES // row))
        shard = chunk * max(1, min(-(-height // chunk), SHARD_BYTES // (chunk * row)))
        partial = place.with_name(f".{place.name}.{uuid.uuid4().hex[:8]}.partial")
        try:
            array = zarr().create_array(
                partial,
                shape=result.shape,
                chunks=stored_shape(config.layout, channels, chunk, width),
                shards=stored_shape(config.layout, channels, shard, width),
                dtype=config.dtype,
                fill_value=0,
                dimension_names=tuple(config.layout),
            )
            for start, rows in _in_steps(result, shard):
                put = np.empty(stored_shape(config.layout, *rows.shape), rows.dtype)
                as_chw(put, config.layout)[:] = rows
                array[_where(config.layout, start, start + rows.shape[1])] = put
            if _kind(place) == "group":
                raise DataError(f"{place} is a group of arrays: rename the picture, or the folder")
            if place.exists():
                shutil.rmtree(place)
            partial.replace(place)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        return Written({}, self.present(out, name))


class ZarrRows:
    """An array of a store; rows are read when they are asked for."""

    def __init__(self, path: Path, layout: str) -> None:
        """Opens it.

        Raises:
            DataError: If there is none.
        """
        library = zarr()
        try:
            self._array = library.open_array(path, mode="r")
        except (OSError, ValueError, KeyError) as error:
            raise DataError(f"{path} is no array of a Zarr store: {error}") from error
        if self._array.ndim != len(layout):
            raise DataError(f"{path} has the shape {self._array.shape}: expected {layout}")
        self._layout = layout
        lengths = dict(zip(layout, self._array.shape, strict=True))
        self.shape = (lengths["C"], lengths["H"], lengths["W"])

    def rows(self, start: int, stop: int) -> np.ndarray:
        """(C, stop - start, W) float32."""
        part = self._array[_where(self._layout, start, stop)]
        return as_chw(np.asarray(part), self._layout).astype(np.float32)


def _where(layout: str, start: int, stop: int) -> tuple[slice, ...]:
    """Rows [start, stop) of an array."""
    return tuple(slice(start, stop) if axis == "H" else slice(None) for axis in layout)


def _in_steps(result: EmbeddedPicture, step: int) -> Iterator[tuple[int, np.ndarray]]:
    """Embeddings as they are stored, (C, `step`, W) at a time, and at last what is left."""
    start, held, count = 0, [], 0
    for _, strip in result.strips():
        held.append(stored(strip, result.config))
        count += held[-1].shape[1]
        while count >= step:
            whole = np.concatenate(held, axis=1)
            yield start, whole[:, :step]
            start, held, count = start + step, [whole[:, step:]], count - step
    if count:
        yield start, np.concatenate(held, axis=1)


def _make_group(folder: Path) -> None:
    """What says that a folder of a store is a group of arrays.

    Raises:
        DataError: If it is an array.
    """
    kind = _kind(folder)
    if kind == "array":
        raise DataError(f"{folder} is the array of a picture: rename the picture, or the folder")
    if kind is None:
        text = '{\n  "attributes": {},\n  "zarr_format": 3,\n  "node_type": "group"\n}'
        with atomic_file(folder / "zarr.json") as partial:
            partial.write_text(text)


def _kind(folder: Path) -> str | None:
    """What lies at a place of a store: "array", "group", or nothing that is known."""
    try:
        return str(json.loads((folder / "zarr.json").read_text("utf-8"))["node_type"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
