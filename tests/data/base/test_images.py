"""Reading pictures and masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lseg.data.base.images import list_images, load_image, load_mask
from lseg.errors import ImageError


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.new("L", (2, 2), 100), (100, 100, 100)),
        (Image.new("1", (2, 2), 1), (255, 255, 255)),
        (Image.new("RGBA", (2, 2), (9, 9, 9, 0)), (255, 255, 255)),
        (Image.new("RGBA", (2, 2), (9, 8, 7, 255)), (9, 8, 7)),
        (Image.new("LA", (2, 2), (50, 255)), (50, 50, 50)),
        (Image.new("RGB", (2, 2), (1, 2, 3)).quantize(4), (1, 2, 3)),
        (Image.fromarray(np.full((2, 2), 65535, np.uint16)), (255, 255, 255)),
        (Image.fromarray(np.full((2, 2), 30000, np.uint16)), (117, 117, 117)),
        (np.full((2, 2, 3), (4, 5, 6), np.uint8), (4, 5, 6)),
    ],
)
def test_every_kind_of_picture_becomes_rgb(
    tmp_path: Path, image: Image.Image | np.ndarray, expected: tuple[int, int, int]
) -> None:
    loaded = load_image(image)
    assert (loaded.mode, loaded.getpixel((1, 1))) == ("RGB", expected)
    if isinstance(image, Image.Image):
        image.save(tmp_path / "image.png")
        assert load_image(tmp_path / "image.png").getpixel((1, 1)) == expected


def test_exif_rotation_is_honoured(tmp_path: Path) -> None:
    image = Image.new("RGB", (8, 4), "red")
    exif = image.getexif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    image.save(tmp_path / "turned.png", exif=exif)
    assert load_image(str(tmp_path / "turned.png")).size == (4, 8)
    assert load_image(Image.open(tmp_path / "turned.png")).size == (4, 8)


def test_truncated_pil_image_is_refused(tmp_path: Path) -> None:
    """Pillow opens it without a word, as only the header is read then."""
    path = tmp_path / "image.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:-900])
    with pytest.raises(ImageError, match="the picture cannot be decoded"):
        load_image(Image.open(path))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (Image.new("RGB", (0, 4)), "is empty: 0x4"),
        ("nowhere.jpg", "there is no image file nowhere.jpg"),
        (Path(), "is a folder"),
        (Path(__file__), "cannot be read as an image"),
        (np.zeros((3, 8, 8), np.uint8), r"shape \(3, 8, 8\).*transpose"),
        (np.zeros((8, 8), np.uint8), r"shape \(8, 8\)"),
        (np.zeros((0, 8, 3), np.uint8), r"shape \(0, 8, 3\)"),
        (np.zeros((8, 8, 3)), "float64.*255"),
        (Image.new("F", (2, 2)), "float values"),
        (None, "NoneType is no picture"),
    ],
)
def test_bad_pictures_say_what_is_wrong(source: object, said: str) -> None:
    with pytest.raises(ImageError, match=said) as caught:
        load_image(source)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_mask_keeps_palette_indices(tmp_path: Path) -> None:
    indices = np.array([[0, 1], [2, 255]], np.uint8)
    mask = Image.fromarray(indices).convert("P")
    mask.putpalette([255, 0, 0, 0, 255, 0, 9, 9, 9] + [7] * 759)
    mask.save(tmp_path / "mask.png")
    assert Image.open(tmp_path / "mask.png").mode == "P"
    assert np.array_equal(load_mask(tmp_path / "mask.png"), indices)


def test_list_images(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("b.jpg", "a.PNG", "notes.txt", "[1].png", "sub/c.png"):
        (tmp_path / name).touch()
    names = [p.name for p in list_images([tmp_path, tmp_path / "b.jpg"])]
    assert names == ["[1].png", "a.PNG", "b.jpg"]
    assert list_images(str(tmp_path / "*.jpg")) == [tmp_path / "b.jpg"]
    assert list_images(tmp_path / "[1].png") == [tmp_path / "[1].png"]
    assert len(list_images(tmp_path / "**")) == 4
    for nothing in ([], [tmp_path / "none.jpg"], [tmp_path / "*.bmp"]):
        with pytest.raises(ImageError):
            list_images(nothing)
