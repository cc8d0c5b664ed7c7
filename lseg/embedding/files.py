"""Arrays on disk that are written a strip of rows at a time, and read without being loaded."""

import json
import mmap
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch

from lseg.errors import ConfigError, DataError
from lseg.files import atomic_file, save_torch
from lseg.inference.layout import as_chw

TENSOR_NAME = "embeddings"
"""Of the tensor in a `.safetensors` file."""

HDF5_NAME = "pixfeat"
"""Of the dataset in an `.h5` file, as VLMaps reads it."""

RESIDENT_BYTES = 2**28
"""How much of a file that is being written may lie in this process's memory."""

_SAFETENSORS = {"<f2": "F16", "<f4": "F32", "<f8": "F64"}


class RowsFile:
    """A new array in a file, mapped into memory; rows are put in from anywhere."""

    def __init__(
        self, file: BinaryIO, header: bytes, shape: tuple[int, ...], dtype: np.dtype, layout: str
    ) -> None:
        """Writes the header and reserves the space, so that a full disk is noticed now."""
        size = len(header) + dtype.itemsize * int(np.prod(shape))
        file.write(header)
        file.flush()
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        file.truncate(size)
        self._map = mmap.mmap(file.fileno(), size)
        self.array = np.frombuffer(self._map, dtype, offset=len(header)).reshape(shape)
        self._rows = as_chw(self.array, layout)
        self._written = 0

    def put(self, start: int, rows: np.ndarray) -> None:
        """Writes (C, r, W) to rows from `start` on; pages already written leave this process."""
        self._rows[:, start : start + rows.shape[1]] = rows
        self._written += rows.shape[1] * self._rows[:, :1].nbytes
        if self._written > RESIDENT_BYTES and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)  # of a shared map: to the page cache
            self._written = 0

    def close(self) -> None:
        """Ends the mapping; the arrays are gone."""
        del self._rows, self.array
        self._map.flush()
        self._map.close()


@contextmanager
def new_embeddings(
    path: Path, shape: tuple[int, ...], dtype: str, layout: str
) -> Iterator[RowsFile]:
    """A file for embeddings, of one of `FORMATS`, which appears whole or not at all.

    Args:
        path: Its suffix says the format.
        shape: Of the array, in its layout.
        dtype: NumPy type.
        layout: Order of the axes.

    Raises:
        OutputError: If there is no room for it; told at the start.
    """
    kind, made = np.dtype(dtype).newbyteorder("<"), FORMATS[path.suffix]
    with atomic_file(path) as partial:
        with partial.open("w+b") as file:
            rows = RowsFile(file, made.header(shape, kind), shape, kind, layout)
            try:
                yield rows
            finally:
                rows.close()
        made.finish(partial, shape, kind)


def read_array(path: Path) -> np.ndarray:
    """The stored array, in its own layout, read from the disk where it is used.

    Raises:
        DataError: If the file is missing, or holds no embeddings.
    """
    if path.suffix not in FORMATS:
        raise DataError(f"{path} is no file of embeddings: expected {', '.join(FORMATS)}")
    try:
        array = FORMATS[path.suffix].read(path)
    except FileNotFoundError:
        raise DataError(f"there is no file {path}") from None
    except ConfigError:
        raise
    except Exception as error:  # torch and NumPy raise many kinds for what is no array
        raise DataError(f"{path} cannot be read as embeddings: {error}") from error
    if array.ndim not in (3, 4) or array.dtype.kind != "f":
        raise DataError(f"{path} holds {array.dtype} {array.shape}: expected embeddings (C, H, W)")
    return array


class Format:
    """A kind of file.

    Attributes:
        header: Bytes before the array, of its shape and type.
        read: Maps the array of a file.
        finish: Makes the file out of header and array.
    """

    def __init__(
        self,
        header: Callable[[tuple[int, ...], np.dtype], bytes],
        read: Callable[[Path], np.ndarray],
        finish: Callable[[Path, tuple[int, ...], np.dtype], None] = lambda *_: None,
    ) -> None:
        self.header = header
        self.read = read
        self.finish = finish


def _npy_header(shape: tuple[int, ...], dtype: np.dtype) -> bytes:
    header = BytesIO()
    values = {"descr": dtype.str, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, values)
    return header.getvalue()


def _read_npy(path: Path) -> np.ndarray:
    return np.lib.format.open_memmap(path, mode="r")  # unlike np.load, no pickles and no archives


def _safetensors_header(shape: tuple[int, ...], dtype: np.dtype) -> bytes:
    """Length (8 bytes), then JSON, padded with spaces to 8 bytes (safetensors' specification)."""
    size = dtype.itemsize * int(np.prod(shape))
    entry = {"dtype": _SAFETENSORS[dtype.str], "shape": list(shape), "data_offsets": [0, size]}
    text = json.dumps({TENSOR_NAME: entry}, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _read_safetensors(path: Path) -> np.ndarray:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        entries = json.loads(file.read(min(length, 2**20)))
    entry = entries[TENSOR_NAME]
    dtype = next(np.dtype(key) for key, name in _SAFETENSORS.items() if name == entry["dtype"])
    offset = 8 + length + entry["data_offsets"][0]
    return np.memmap(path, dtype, "r", offset, tuple(entry["shape"]))


def _pack(path: Path, pack: Callable[[Path], None]) -> None:
    """The bare array at `path` becomes a file of a library's, by way of one beside it."""
    packed = path.with_name(f"{path.stem}.packed{path.suffix}")
    try:
        pack(packed)
        packed.replace(path)
    finally:
        packed.unlink(missing_ok=True)


def _pack_torch(path: Path, shape: tuple[int, ...], dtype: np.dtype) -> None:
    values = torch.from_numpy(np.memmap(path, dtype, "r+", 0, shape))
    _pack(path, lambda packed: save_torch(values, packed))


def _pack_hdf5(path: Path, shape: tuple[int, ...], dtype: np.dtype) -> None:
    def pack(packed: Path) -> None:
        with hdf5().File(packed, "w") as file:
            file.create_dataset(HDF5_NAME, data=np.memmap(path, dtype, "r", 0, shape))

    _pack(path, pack)


def _read_hdf5(path: Path) -> np.ndarray:
    with hdf5().File(path, "r") as file:
        dataset = file[HDF5_NAME]
        offset = dataset.id.get_offset()
        if offset is None:  # chunked, as others may have written it
            return dataset[()]
        return np.memmap(path, dataset.dtype, "r", offset, dataset.shape)


def hdf5() -> Any:
    """The library that reads and writes HDF5.

    Raises:
        ConfigError: If it is not installed.
    """
    try:
        import h5py
    except ImportError as error:
        raise ConfigError('HDF5 needs h5py: pip install "lseg[stores]"') from error
    return h5py


def _read_torch(path: Path) -> np.ndarray:
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True).numpy()
    except UnicodeEncodeError:  # torch maps no path that is no UTF-8
        with path.open("rb") as file:
            return torch.load(file, map_location="cpu", weights_only=True).numpy()


FORMATS = {
    ".npy": Format(_npy_header, _read_npy),
    ".safetensors": Format(_safetensors_header, _read_safetensors),
    ".pt": Format(lambda *_: b"", _read_torch, _pack_torch),
    ".h5": Format(lambda *_: b"", _read_hdf5, _pack_hdf5),
}
