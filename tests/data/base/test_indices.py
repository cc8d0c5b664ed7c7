"""Masks are read as the numbers that were stored, whatever Pillow makes of them."""

import numpy as np
import pytest
from mask_files import png, tiff
from PIL import Image

from lseg.data.base.images import load_colours, load_mask
from lseg.errors import ImageError


def values(bits, height=5, width=11):
    """Every small value, and the greatest."""
    found = np.arange(height * width).reshape(height, width) % min(2**bits, 50)
    found[2, 3] = 2**bits - 1
    return found


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_grey_pngs(tmp_path, bits, interlaced):
    (tmp_path / "mask.png").write_bytes(png(values(bits), bits, interlaced=interlaced))
    found = load_mask(tmp_path / "mask.png")
    assert np.array_equal(found, values(bits))
    assert found.dtype == (np.uint16 if bits == 16 else np.uint8)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palettes(tmp_path, bits, interlaced):
    (tmp_path / "mask.png").write_bytes(png(values(bits), bits, True, interlaced))
    assert np.array_equal(load_mask(tmp_path / "mask.png"), values(bits))


@pytest.mark.parametrize("white_is_zero", [False, True])
@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_tiffs(tmp_path, bits, white_is_zero):
    (tmp_path / "mask.tif").write_bytes(tiff(values(bits), bits, white_is_zero))
    assert np.array_equal(load_mask(tmp_path / "mask.tif"), values(bits))


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32])
def test_compressed_tiffs(tmp_path, compression, dtype):
    wanted = values(8).astype(dtype)
    Image.fromarray(wanted).save(tmp_path / "mask.tiff", compression=compression)
    assert np.array_equal(load_mask(tmp_path / "mask.tiff"), wanted)


@pytest.mark.parametrize("maximum", [7, 20, 255, 999, 65535])
@pytest.mark.parametrize("plain", [False, True])
def test_pgms_whatever_their_maximum(tmp_path, maximum, plain):
    wanted = np.arange(12).reshape(3, 4) % (maximum + 1)
    header = f"P{2 if plain else 5}\n4 3\n{maximum}\n".encode()
    kind = np.uint8 if maximum < 256 else ">u2"
    text = " ".join(map(str, wanted.ravel())).encode()
    (tmp_path / "m.pgm").write_bytes(header + (text if plain else wanted.astype(kind).tobytes()))
    assert np.array_equal(load_mask(tmp_path / "m.pgm"), wanted)


@pytest.mark.parametrize("suffix", ["bmp", "gif", "png"])
def test_other_formats(tmp_path, suffix):
    image = Image.fromarray(values(8).astype(np.uint8))
    image.save(tmp_path / f"mask.{suffix}", optimize=False)  # of GIFs it renumbers the colours
    assert np.array_equal(load_mask(tmp_path / f"mask.{suffix}"), values(8))


@pytest.mark.parametrize(
    ("mode", "name", "said"),
    [
        ("RGB", "m.png", "mode RGB; a mask must have one channel of class indices.*`colors`"),
        ("RGBA", "m.png", "mode RGBA.*`colors` in the dataset.yaml"),
        ("LA", "m.png", "mode LA"),
        ("F", "m.tif", "mode F"),
        ("L", "m.jpg", "is a JPEG, which changes values near edges: save masks as PNG"),
    ],
)
def test_what_holds_no_indices_is_refused(tmp_path, mode, name, said):
    Image.new(mode, (4, 3)).save(tmp_path / name)
    with pytest.raises(ImageError, match=said) as caught:
        load_mask(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_values_beyond_16_bits_are_refused(tmp_path):
    Image.fromarray(np.full((2, 2), 70000, np.int32)).save(tmp_path / "m.tif")
    with pytest.raises(ImageError, match="values outside 0-65535"):
        load_mask(tmp_path / "m.tif")


def test_colours(tmp_path):
    colours = np.array([[[1, 2, 3], [255, 0, 128]]], np.uint8)
    for mode in ("RGB", "RGBA", "P"):
        image = Image.fromarray(colours)
        (image.quantize(4) if mode == "P" else image.convert(mode)).save(tmp_path / "m.png")
        assert load_colours(tmp_path / "m.png").tolist() == [[0x010203, 0xFF0080]]
    clear = Image.fromarray(colours).convert("RGBA")
    clear.putpixel((0, 0), (1, 2, 3, 7))
    clear.save(tmp_path / "m.png")
    with pytest.raises(ImageError, match="transparent pixels"):
        load_colours(tmp_path / "m.png")
    Image.fromarray(colours).save(tmp_path / "m.jpg")
    with pytest.raises(ImageError, match="JPEG"):
        load_colours(tmp_path / "m.jpg")
