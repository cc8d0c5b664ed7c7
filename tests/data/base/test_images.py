"""Reading pictures and masks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lseg.data.base.formats import readable_suffixes, register_plugins
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


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [("jfif", "JPEG"), ("jpe", "JPEG"), ("avif", "AVIF"), ("jp2", "JPEG2000"), ("PPM", "PPM")],
)
def test_folders_give_all_pictures_that_pillow_reads(
    tmp_path: Path, suffix: str, kind: str
) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.new("RGB", (40, 40), "red").save(path, kind)
    for other in ("a.h5", "a.json", "a"):
        (tmp_path / other).touch()
    assert list_images(tmp_path) == [path]
    assert list_images(tmp_path / "*") == [path]
    assert np.abs(np.asarray(load_image(path)) - [255.0, 0.0, 0.0]).max() < 9


def test_hidden_files_are_no_pictures(tmp_path: Path) -> None:
    for name in ("a.jpg", "._a.jpg", ".b.0123abcd.partial.png"):
        (tmp_path / name).touch()
    assert list_images(tmp_path) == [tmp_path / "a.jpg"]
    assert list_images(tmp_path / "**") == [tmp_path / "a.jpg"]
    assert list_images(tmp_path / "._a.jpg") == [tmp_path / "._a.jpg"]


@pytest.fixture
def without_heif(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As where pillow-heif is not installed."""
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    Image.init()
    known = {suffix: name for suffix, name in Image.EXTENSION.items() if name != "HEIF"}
    monkeypatch.setattr(Image, "EXTENSION", known)
    for cached in (readable_suffixes, register_plugins):
        cached.cache_clear()
    yield
    for cached in (readable_suffixes, register_plugins):
        cached.cache_clear()


@pytest.mark.usefixtures("without_heif")
def test_pictures_that_cannot_be_read_here_are_told(tmp_path: Path) -> None:
    for name in ("a.heic", "b.HEIC", "c.heif"):
        (tmp_path / name).write_bytes(b"no matter")
    with pytest.raises(ImageError, match=r"2 .heic files left out.*pip install pillow-heif"):
        list_images(tmp_path)
    Image.new("RGB", (40, 40)).save(tmp_path / "d.png")
    with pytest.warns(UserWarning) as noted:
        found = list_images([tmp_path, tmp_path / "*", tmp_path / "c.heif"])
    assert found == [tmp_path / "c.heif", tmp_path / "d.png"]
    assert [str(note.message) for note in noted] == [
        "2 .heic files left out: Pillow here cannot read them (pip install pillow-heif)"
    ]
    with pytest.raises(ImageError, match=r"format that Pillow reads \(pip install pillow-heif\)"):
        load_image(tmp_path / "a.heic")


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


def test_a_folder_gives_no_other_files_and_no_folders(tmp_path: Path) -> None:
    for name in ("a.png", "notes.md", "b.jpg.txt"):
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    assert list_images(tmp_path) == list_images(tmp_path / "*") == [tmp_path / "a.png"]


def test_a_list_names_files_whatever_the_bytes_of_their_names(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    pictures = [tmp_path / "a \udce9.png", tmp_path / "b" / "é.png"]
    for path in pictures:
        path.touch()
    (tmp_path / "list.txt").write_bytes(b"b/\xc3\xa9.png\n\n a \xe9.png\n")
    assert list_images(tmp_path / "list.txt") == sorted(pictures)
    (tmp_path / "list.txt").write_text("none.png\n")
    with pytest.raises(ImageError, match=r"list\.txt, picture 1: there is no file .*none\.png"):
        list_images(tmp_path / "list.txt")
