import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from lseg.demo.limits import Limits
from lseg.demo.questions import decode_upload, read_labels, read_upload
from lseg.errors import ConfigError, ImageError, LabelError

LIMITS = Limits(upload_bytes=1000, pixels=10_000, labels=3, characters=20)


def png(width, height, mode="RGB"):
    file = io.BytesIO()
    Image.new(mode, (width, height), 200).save(file, "PNG")
    return file.getvalue()


def bomb(width, height):
    """A small PNG that says it is large."""

    def chunk(name, data):
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(1000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("text", "other", "labels"),
    [
        ("sky, road|street\n tree ,", False, ["sky", "road|street", "tree"]),
        ("sky", True, ["sky", "other"]),
        ("Other, sky", True, ["sky", "other"]),
        ("other, sky", False, ["sky"]),
        ("/etc/hosts.txt", False, ["/etc/hosts.txt"]),
    ],
)
def test_labels(text, other, labels):
    assert read_labels(text, other, LIMITS) == labels


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no label yet"),
        (" ,\n,", "no label yet"),
        ("sky, sky", "more than once"),
        ("| |", "only empty synonyms"),
        ("a, b, c, d", "4 labels: up to 3"),
        ("a" * 21, "21 characters"),
        ("a," * 1000, "too much text"),
        (["sky"], "must be a text"),
    ],
)
def test_labels_that_cannot_be_used(text, words):
    with pytest.raises(LabelError, match=words):
        read_labels(text, False, LIMITS)


def test_a_text_file_of_the_server_is_not_read(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("a password")
    wide = Limits()
    assert read_labels(str(secret), False, wide) == [str(secret)]


def test_an_upload_is_bounded(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(bytes(1000))
    assert len(read_upload(str(file), LIMITS)) == 1000
    file.write_bytes(bytes(1001))
    with pytest.raises(ImageError, match="larger than"):
        read_upload(str(file), LIMITS)
    with pytest.raises(ImageError, match="upload it again") as caught:
        read_upload(str(tmp_path / "gone"), LIMITS)
    assert str(tmp_path) not in str(caught.value)
    with pytest.raises(ImageError, match="no picture yet"):
        read_upload(None, LIMITS)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP"])
def test_pictures_are_decoded_upright(kind):
    picture = Image.new("RGB", (20, 10), (200, 30, 30))
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    if kind in ("JPEG", "PNG", "WEBP"):
        picture.save(file, kind, exif=exif)
    else:
        picture.save(file, kind)
    found = decode_upload(file.getvalue(), LIMITS)
    assert found.mode == "RGB"
    assert found.size == ((10, 20) if kind in ("JPEG", "PNG", "WEBP") else (20, 10))
    assert np.abs(np.asarray(found).astype(int) - (200, 30, 30)).max() < 30


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (png(101, 100), "101 x 100 pixels: up to 0.01 megapixels"),
        (bomb(20_000, 20_000), "20000 x 20000 pixels"),
        (bomb(9_000, 9_000), "9000 x 9000 pixels"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no picture that can be read"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no picture that can be read"),
        (b"", "no picture that can be read"),
        (png(90, 90)[:80], "cannot be decoded|damaged"),
    ],
)
def test_pictures_that_cannot_be_used(data, words):
    with pytest.raises(ImageError, match=words):
        decode_upload(data, LIMITS)


def test_limits_are_positive():
    with pytest.raises(ConfigError, match="pixels is 0"):
        Limits(pixels=0)
