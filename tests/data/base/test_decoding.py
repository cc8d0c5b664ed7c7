"""Opening files: sizes, limits, and what Pillow does not read."""

import numpy as np
import pytest
from mask_files import chunk, png, tiff
from PIL import Image

from lseg.data.base.decoding import read_orientation, read_size, read_stored
from lseg.data.base.images import load_image
from lseg.data.base.orientation import turned
from lseg.errors import ImageError, LSegWarning


def test_pillows_limit_on_pixels_is_neither_asked_nor_changed(tmp_path, recwarn, monkeypatch):
    wide = np.zeros((1, 1), np.uint8)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    for name in ("a.png", "a.jpg", "a.tif"):
        Image.fromarray(wide.repeat(80, 0).repeat(60, 1)).save(tmp_path / name)
        assert load_image(tmp_path / name).size == (60, 80)
    assert Image.MAX_IMAGE_PIXELS == 1000
    assert not recwarn.list


def test_182_megapixels_are_read(tmp_path):
    Image.new("1", (14000, 13000)).save(tmp_path / "large.png")
    assert read_stored(tmp_path / "large.png").image.size == (14000, 13000)


def test_more_pixels_than_the_limit_are_refused_before_they_are_decoded(tmp_path):
    (tmp_path / "bomb.png").write_bytes(png(np.zeros((4, 2500), int), 8)[:60])
    assert read_size(tmp_path / "bomb.png") == (2500, 4)
    with pytest.raises(ImageError, match=r"2500x4 pixels.*limit of 0.009: raise --max-megapixels"):
        load_image(tmp_path / "bomb.png", max_pixels=9_000)


@pytest.mark.parametrize("tag", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_every_orientation_of_every_format(tmp_path, tag, suffix):
    shown = Image.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3) * 40).convert("RGB")
    shown = shown.resize((48, 32), Image.Resampling.NEAREST)
    exif = Image.Exif()
    exif[0x0112] = tag
    undone = {6: 8, 8: 6}.get(tag, tag)
    stored, path = turned(shown, undone), tmp_path / f"a.{suffix}"
    stored.save(path, exif=exif, quality=95)
    assert read_orientation(path) == tag
    assert read_size(path) == stored.size
    for upright, wanted in ((True, shown), (False, stored)):
        found = load_image(path, upright)
        assert found.size == wanted.size
        assert np.abs(np.asarray(found).astype(int) - np.asarray(wanted)).max() < 9


def test_a_tag_behind_the_pixels_is_seen(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    late = [(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))]
    (tmp_path / "a.png").write_bytes(png(np.zeros((2, 3), int), 8, late=late))
    assert read_orientation(tmp_path / "a.png") == 6
    assert load_image(tmp_path / "a.png").size == (2, 3)
    assert chunk(*late[0]) in (tmp_path / "a.png").read_bytes()


@pytest.mark.parametrize("value", [0, 9, 4000])
def test_an_impossible_orientation_is_none(tmp_path, value):
    exif = Image.Exif()
    exif[0x0112] = value
    Image.new("RGB", (8, 4)).save(tmp_path / "a.jpg", exif=exif)
    assert load_image(tmp_path / "a.jpg").size == (8, 4)


def test_bands_that_pillow_does_not_read_are_named(tmp_path):
    path = tmp_path / "satellite.tif"
    path.write_bytes(tiff(np.zeros((4, 6, 5), int), 16))
    with pytest.raises(ImageError, match=r"a TIFF of 5 band\(s\) of 16 bits.*gdal_translate") as e:
        load_image(path)
    assert "\n" not in str(e.value)
    path.write_bytes(b"II*\0\x08\0\0\0\0\0\0\0\0\0")
    with pytest.raises(ImageError, match="no image format that Pillow reads"):
        load_image(path)


def test_of_five_bands_the_first_three_are_taken_and_that_is_said(tmp_path):
    path = tmp_path / "five.tif"
    path.write_bytes(tiff(np.full((4, 6, 5), [10, 20, 30, 40, 50]), 8, tags={338: [0, 0]}))
    with pytest.warns(LSegWarning, match="of TIFFs of 5 bands the first three"):
        assert load_image(path).getpixel((0, 0)) == (10, 20, 30)


def test_12_bits_in_16_are_scaled_and_that_is_said():
    values = np.array([[0, 2048, 4095]], np.uint16)
    with pytest.warns(LSegWarning, match="read as 12 bits: 4095 is white"):
        found = load_image(Image.fromarray(values))
    assert np.asarray(found)[0, :, 0].tolist() == [0, 128, 255]
    assert np.asarray(load_image(Image.fromarray(values + 1)))[0, :, 0].tolist() == [0, 8, 16]


def test_packed_12_bit_tiffs(tmp_path):
    path = tmp_path / "twelve.tif"
    path.write_bytes(tiff(np.array([[0, 2048, 4095, 0]]), 12))
    with pytest.warns(LSegWarning, match="12 bits"):
        assert np.asarray(load_image(path))[0, :, 0].tolist() == [0, 128, 255, 0]


def test_cmyk_is_said_and_lab_is_converted():
    with pytest.warns(LSegWarning, match="CMYK"):
        assert load_image(Image.new("CMYK", (2, 2), (0, 255, 255, 0))).getpixel((0, 0)) == (
            255, 0, 0,
        )  # fmt: skip
    grey = load_image(Image.new("LAB", (2, 2), (255, 128, 128))).getpixel((0, 0))
    assert min(grey) > 250
