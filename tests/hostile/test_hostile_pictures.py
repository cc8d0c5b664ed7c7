"""Pictures of every format, whole and broken: the right size of an answer, or one line."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from hostile import bounded, outcome, refusal
from PIL import Image

from lseg.data.base.images import load_image, load_mask
from lseg.errors import ImageError

HEIGHT, WIDTH = 24, 36
_PLACES = np.mgrid[:HEIGHT, :WIDTH]
PIXELS = np.stack([_PLACES[0] * 9, _PLACES[1] * 7, np.full((HEIGHT, WIDTH), 90)], -1).astype(
    np.uint8
)
RGB = Image.fromarray(PIXELS)


def bytes_of(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


FORMATS = {
    "png": ("PNG", {}), "jpg": ("JPEG", {"quality": 95}), "webp": ("WEBP", {"lossless": True}),
    "tif": ("TIFF", {}), "lzw.tif": ("TIFF", {"compression": "tiff_lzw"}),
    "jpeg.tif": ("TIFF", {"compression": "jpeg", "quality": 95}), "gif": ("GIF", {}),
    "bmp": ("BMP", {}), "ppm": ("PPM", {}), "tga": ("TGA", {}),
    "rle.tga": ("TGA", {"compression": "tga_rle"}), "qoi": ("QOI", {}),
    "avif": ("AVIF", {"quality": 95}), "jp2": ("JPEG2000", {}), "dib": ("DIB", {}),
}  # fmt: skip


def broken(data):
    """What a file becomes on a bad disk or a bad line."""
    flipped, middle = bytearray(data), bytearray(data)
    flipped[len(data) // 3] ^= 0xFF
    middle[8:24] = bytes(16)
    return {
        "cut to a half": data[: len(data) // 2],
        "cut to the first 20 bytes": data[:20],
        "cut before the last byte": data[:-1],
        "a byte flipped": bytes(flipped),
        "zeros in the header": bytes(middle),
        "backwards": data[::-1],
    }


def close(found, wanted, kind):
    """Whether pixels are the same, but for what a lossy format does to them."""
    most = {"gif": 40, "jpg": 12, "jpeg.tif": 12, "avif": 12}.get(kind, 0)
    return np.abs(found.astype(int) - wanted.astype(int)).mean() <= most


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("suffix", ["", ".png", ".jpg"])
def test_a_picture_is_read_whatever_its_name_ends_in(tmp_path, look, kind, suffix):
    path = tmp_path / f"a.{kind}{suffix}"
    name, options = FORMATS[kind]
    path.write_bytes(bytes_of(RGB, name, **options))
    assert close(np.asarray(load_image(path)), PIXELS, kind)
    assert look(path) == (HEIGHT, WIDTH)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("fault", list(broken(bytes(100))))
def test_a_broken_picture_is_refused_or_has_its_size(tmp_path, look, kind, fault):
    path = tmp_path / f"a.{kind}"
    name, options = FORMATS[kind]
    path.write_bytes(broken(bytes_of(RGB, name, **options))[fault])
    found = outcome(lambda: look(path))
    if isinstance(found, ImageError):
        assert str(path) in str(found)
    else:
        assert np.prod(found) < 10**6
        assert fault not in ("cut to the first 20 bytes", "backwards") or kind == "tga"


def palette(transparent):
    image = RGB.quantize(16)
    if transparent:
        image.info["transparency"] = 0
    return image


def deep(kind):
    values = (PIXELS[..., 0].astype(np.uint32) * 257).astype(kind)
    return Image.fromarray(values)


def animated(kind, **options):
    other = Image.fromarray(255 - PIXELS)
    return bytes_of(RGB, kind, save_all=True, append_images=[other, other], **options)


def turned(tag):
    exif = Image.Exif()
    exif[0x0112] = tag
    return bytes_of(RGB, "PNG", exif=exif)


GREY = PIXELS[..., :1].repeat(3, axis=2)
MODES = {
    "RGBA": (bytes_of(RGB.convert("RGBA"), "PNG"), PIXELS),
    "grey": (bytes_of(Image.fromarray(PIXELS[..., 0]), "PNG"), GREY),
    "grey and alpha": (bytes_of(Image.fromarray(PIXELS[..., 0]).convert("LA"), "PNG"), GREY),
    "two values": (
        bytes_of(Image.fromarray(PIXELS[..., 0] > 99), "PNG"), (GREY > 99) * np.uint8(255),
    ),
    "16 bits": (bytes_of(deep(np.uint16), "PNG"), GREY),
    "16 bits, TIFF": (bytes_of(deep(np.uint16), "TIFF"), GREY),
    "animated GIF": (animated("GIF"), None),
    "animated PNG": (animated("PNG"), PIXELS),
    "animated WebP": (animated("WEBP", lossless=True), PIXELS),
    "pages of a TIFF": (animated("TIFF"), PIXELS),
    "palette": (bytes_of(palette(False), "PNG"), None),
    "palette, transparent": (bytes_of(palette(True), "PNG"), None),
    "CMYK": (bytes_of(RGB.convert("CMYK"), "JPEG"), None),
    "CMYK, TIFF": (bytes_of(RGB.convert("CMYK"), "TIFF"), PIXELS),
    "LAB, TIFF": (bytes_of(Image.new("LAB", (WIDTH, HEIGHT)), "TIFF"), None),
    "EXIF that is damaged": (bytes_of(RGB, "PNG", exif=b"Exif\0\0MM\0*\0\0\xff\xff\xff"), PIXELS),
    "a colour profile that is damaged": (bytes_of(RGB, "PNG", icc_profile=b"none"), PIXELS),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MODES)
def test_every_mode_is_a_picture(tmp_path, look, name):
    data, wanted = MODES[name]
    path = tmp_path / "a.img"
    path.write_bytes(data)
    found = np.asarray(load_image(path))
    if wanted is None:
        assert found.shape == PIXELS.shape
    else:
        assert np.abs(found.astype(int) - wanted).max() <= 1
    assert look(path) == (HEIGHT, WIDTH)


@pytest.mark.parametrize("tag", range(10))
def test_exif_rotations(tmp_path, look, tag):
    path = tmp_path / "a.png"
    path.write_bytes(turned(tag))
    assert look(path) == ((WIDTH, HEIGHT) if 5 <= tag <= 8 else (HEIGHT, WIDTH))


@pytest.mark.parametrize("size", [(1, 1), (1, 10_000), (10_000, 1), (2, 3), (31, 33)])
def test_pictures_of_odd_sizes(tmp_path, look, size):
    path = tmp_path / "a.png"
    Image.new("RGB", size, "red").save(path)
    with bounded():
        assert look(path) == size[::-1]


def png(width, height, rows=b""):
    """A PNG that says it is of some size, and holds less."""
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))]
    parts += [(b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")]
    chunks = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def bitmap(width, height):
    data = bytearray(bytes_of(RGB, "BMP"))
    data[18:26] = struct.pack("<ii", width, height)
    return bytes(data)


def gif(width, height):
    data = bytearray(bytes_of(RGB, "GIF"))
    data[6:10] = struct.pack("<HH", width, height)
    return bytes(data)


BOMBS = {
    "PNG": png(60_000, 60_000),
    "PNG with rows": png(60_000, 60_000, bytes(10**7)),
    "PNG of 2^31": png(2**31 - 1, 2**31 - 1),
    "BMP": bitmap(60_000, 60_000),
    "PPM": b"P6 60000 60000 255\n",
    "PPM of many digits": b"P6 " + b"9" * 5000 + b" 1 255\n",
    "GIF": gif(65_535, 65_535),
    "no width": png(0, 5),
    "text of gigabytes": b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 2**31 - 1) + b"zTXt",
}
OTHERS = {
    "nothing": b"",
    "a byte": b"\0",
    "text": b"no picture\n",
    "HTML": b"<!DOCTYPE html><html><body>404</body></html>",
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) (w) file\nshowpage\n",
    "PostScript in DOS": b"\xc5\xd0\xd3\xc6" + bytes(26),
    "PDF": b"%PDF-1.4\n1 0 obj\n",
    "zip": b"PK\3\4" + bytes(40),
    "pickle": b"\x80\x04cos\nsystem\n(S'true'\ntR.",
    "zeros": bytes(10_000),
    "ones": b"\xff" * 10_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_at_once(tmp_path, name):
    path = tmp_path / "a.png"
    path.write_bytes(BOMBS[name])
    with bounded(seconds=20, gigabytes=0.5):
        assert str(path) in refusal(lambda: load_image(path))
        assert str(path) in refusal(lambda: load_mask(path))


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_picture_is_refused(tmp_path, look, name):
    path = tmp_path / "a.png"
    path.write_bytes(OTHERS[name])
    text = refusal(lambda: look(path))
    assert str(path) in text
    if name == "nothing":
        assert "the file is empty" in text
    if "PostScript" in name:
        assert "which is not run here" in text


def test_postscript_starts_no_interpreter(tmp_path, monkeypatch):
    """Pillow hands it to a program called `gs`, whatever the file's name."""
    witness = tmp_path / "witness"
    (tmp_path / "gs").write_text(f"#!/bin/sh\ntouch {witness}\n")
    (tmp_path / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    path = tmp_path / "a.png"
    RGB.save(path, "EPS")
    refusal(lambda: load_image(path))
    assert not witness.exists()


@pytest.mark.parametrize("kind", ["folder", "loop", "long loop", "dangling", "none", "device"])
def test_places_that_hold_no_picture(tmp_path, look, kind):
    path = tmp_path / "a.png"
    if kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "long loop":
        path.symlink_to("b.png")
        (tmp_path / "b.png").symlink_to("a.png")
    elif kind == "dangling":
        path.symlink_to("nowhere")
    elif kind == "device":
        path.symlink_to(os.devnull)
    text = refusal(lambda: look(path))
    assert str(path) in text


ARRAYS = {
    "floats": np.zeros((4, 4, 3)),
    "no channels": np.zeros((4, 4), np.uint8),
    "four channels": np.zeros((4, 4, 4), np.uint8),
    "channels first": np.zeros((3, 40, 40), np.uint8),
    "no pixels": np.zeros((0, 4, 3), np.uint8),
    "objects": np.array([[["a", None, 3]]], dtype=object),
    "texts": np.array([[["a", "b", "c"]]]),
    "a scalar": np.uint8(3)[None],
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_that_are_no_pictures(look, name):
    refusal(lambda: look(ARRAYS[name]))


@pytest.mark.parametrize("value", [None, 3, b"a.png", ["a.png"], {}, object(), 2.5])
def test_things_that_are_no_pictures(look, value):
    refusal(lambda: look(value))
