"""Mask files byte by byte, by their specifications: PNG and TIFF of few or many bits."""

import struct
import zlib

import numpy as np

ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
         (1, 0, 2, 1))  # fmt: skip


def packed(row, bits):
    """Samples of a row, the first in the highest bits, as bytes."""
    shifts = np.arange(bits - 1, -1, -1)
    return np.packbits((np.asarray(row)[:, None] >> shifts & 1).astype(np.uint8).ravel()).tobytes()


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(values, bits, palette=False, interlaced=False, late=()):
    """A PNG of (H, W) samples; `late` are chunks after the pixels."""
    height, width = values.shape
    header = struct.pack(">IIBBBBB", width, height, bits, 3 if palette else 0, 0, 0, interlaced)
    parts = [values[top::down, left::right] for top, left, down, right in ADAM7]
    rows = [row for part in (parts if interlaced else [values]) for row in part if len(row)]
    pixels = zlib.compress(b"".join(b"\0" + packed(row, bits) for row in rows))
    colours = np.random.default_rng(0).integers(0, 256, 3 * 2**bits, np.uint8) if palette else None
    return b"".join([
        b"\x89PNG\r\n\x1a\n",
        chunk(b"IHDR", header),
        b"" if colours is None else chunk(b"PLTE", colours.tobytes()),
        chunk(b"IDAT", pixels),
        *(chunk(*one) for one in late),
        chunk(b"IEND", b""),
    ])  # fmt: skip


def tiff(values, bits, white_is_zero=False, tags=None):
    """An uncompressed little-endian TIFF of (H, W) or (H, W, bands) samples."""
    values = np.asarray(values)
    height, width = values.shape[:2]
    bands = 1 if values.ndim == 2 else values.shape[2]
    if bits == 16:
        pixels = values.astype("<u2").tobytes()
    else:
        pixels = b"".join(packed(row.reshape(-1), bits) for row in values)
    photometric = 2 if bands > 1 else 0 if white_is_zero else 1
    entries = {
        256: [width], 257: [height], 258: [bits] * bands, 259: [1], 262: [photometric],
        273: [8], 277: [bands], 278: [height], 279: [len(pixels)], **(tags or {}),
    }  # fmt: skip
    start = 8 + len(pixels) + len(pixels) % 2
    later = start + 2 + 12 * len(entries) + 4
    directory, rest = struct.pack("<H", len(entries)), b""
    for tag, numbers in sorted(entries.items()):
        data = struct.pack(f"<{len(numbers)}H", *numbers)
        if len(data) > 4:
            rest, data = rest + data, struct.pack("<I", later + len(rest))
        directory += struct.pack("<HHI", tag, 3, len(numbers)) + data.ljust(4, b"\0")
    body = pixels + b"\0" * (len(pixels) % 2) + directory + b"\0" * 4 + rest
    return b"II*\0" + struct.pack("<I", start) + body
