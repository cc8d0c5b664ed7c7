"""What is in a TIFF that Pillow does not read, for a message."""

from __future__ import annotations

import struct

from PIL.TiffImagePlugin import (
    BITSPERSAMPLE,
    SAMPLEFORMAT,
    SAMPLESPERPIXEL,
    ImageFileDirectory_v2,
)

from lseg.data.base.remote import AnyFile

_MAGIC = (b"II*\0", b"MM\0*")
_SAMPLES = {1: "", 2: " signed", 3: " float"}


def describe_unread(path: AnyFile) -> str | None:
    """Say what a TIFF holds and what to do with it; None of another file, or of a damaged one."""
    try:
        with path.open("rb") as file:
            header = file.read(8)
            if header[:4] not in _MAGIC:
                return None
            directory = ImageFileDirectory_v2(header)
            file.seek(directory.next)
            directory.load(file)
    except (OSError, SyntaxError, ValueError, struct.error):
        return None
    if SAMPLESPERPIXEL not in directory:
        return None
    bands = directory.get(SAMPLESPERPIXEL, 1)
    bits = "/".join(map(str, sorted(set(directory.get(BITSPERSAMPLE, (1,))))))
    kind = _SAMPLES.get(directory.get(SAMPLEFORMAT, (1,))[0], "")
    return (
        f"a TIFF of {bands} band(s) of {bits}{kind} bits, which Pillow does not read. Save red, "
        f"green and blue with 8 bits each, such as gdal_translate -b 1 -b 2 -b 3 -ot Byte -scale "
        f"{path.name} {path.stem}.png"
    )
