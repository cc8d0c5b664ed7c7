"""A picture and its mask are read together, and checked, whatever the set."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lseg.data.base.check import count_problems, picture_problems
from lseg.data.base.dataset import FolderDataset
from lseg.data.base.folder import (
    BACKGROUND,
    IGNORE,
    AnnotatedFolder,
    label_mask,
    published_root,
)
from lseg.data.base.images import load_mask
from lseg.errors import DataError, ImageError


class TwoClasses(AnnotatedFolder):
    """Masks of 1 and 2 for the classes, 0 for no label."""

    name = "two"
    layout = "<root>/<name>.jpg and <root>/<name>.png"
    classes = ("cat", "dog")

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def stems(self):
        return sorted(path.stem for path in self.root.glob("*.jpg"))

    def image_path(self, stem):
        return self.root / f"{stem}.jpg"

    def mask_path(self, stem):
        return self.root / f"{stem}.png"

    def decode_mask(self, stem):
        values = load_mask(self.mask_path(stem)).astype(np.int16)
        return np.where(values == 0, IGNORE, values - 1)


def draw(root, stem, mask, turn=None):
    """A picture as large as its mask, which shows the values."""
    mask = np.asarray(mask, np.uint8).repeat(4, 0).repeat(4, 1)
    Image.fromarray(mask).save(root / f"{stem}.png")
    exif = Image.Exif()
    if turn is not None:
        exif[0x0112] = turn
    Image.fromarray(mask * 100).convert("RGB").save(root / f"{stem}.jpg", quality=100, exif=exif)


@pytest.fixture
def folder(tmp_path):
    draw(tmp_path, "a", [[0, 1, 1], [2, 2, 1]])
    draw(tmp_path, "b", [[2, 2], [0, 1]])
    return TwoClasses(tmp_path)


def test_a_picture_comes_with_its_mask(folder):
    image, mask = folder.read("a")
    assert (image.mode, image.size, mask.shape) == ("RGB", (12, 8), (8, 12))
    assert np.unique(mask).tolist() == [IGNORE, 0, 1]
    assert np.abs(np.asarray(image)[..., 0] // 100 - (mask + 1).clip(0)).max() <= 1


def test_pictures_are_turned_only_where_the_folder_says_so(folder, tmp_path):
    draw(tmp_path, "c", [[1, 2, 2]], turn=6)
    assert folder.read("c").image.size == (12, 4)
    folder.upright = True
    image, mask = folder.read("c")
    assert image.size == (4, 12)
    assert mask[::4, 0].tolist() == [0, 1, 1]
    folder.orientation = "displayed"
    with pytest.raises(DataError, match=r"c: image 12x4, mask 12x4 .*displayed as 4x12.*`auto`"):
        folder.read("c")


def test_missing_files_and_other_sizes_are_refused(folder, tmp_path):
    draw(tmp_path, "c", [[1]])
    Image.new("RGB", (5, 6)).save(tmp_path / "c.jpg")
    with pytest.raises(DataError, match=r"image 5x6, mask 4x4 .*c\.jpg and .*c\.png must agree"):
        folder.read("c")
    (tmp_path / "b.png").unlink()
    with pytest.raises(DataError, match=r"b\.png, which the list names, does not exist\.\nExpe"):
        folder.read("b")
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(ImageError, match="cannot be read"):
        folder.read("a")


def test_items_hold_label_indices(folder):
    data = FolderDataset(folder, ["tabby", "hound"], ignore_index=9)
    assert (data.classes, data.labels, data.names) == (
        ["cat", "dog"],
        ["tabby", "hound"],
        ["a", "b"],
    )
    item = data[3, 1]
    assert item["image"].shape == (3, 8, 8)
    assert item["mask"][::4, ::4].tolist() == [[1, 1], [9, 0]]
    assert data.pixel_counts().tolist() == [16 * 4, 16 * 4]


def test_the_backgrounds_label_comes_first():
    mask = np.array([[BACKGROUND, IGNORE, 0, 4]], np.int16)
    assert label_mask(mask, 255, background=True).tolist() == [[0, 255, 1, 5]]
    assert label_mask(mask[:, 1:], 255).dtype == torch.int64


def test_the_sets_own_folder_or_the_one_around_it(tmp_path):
    (tmp_path / "VOC2012").mkdir()
    assert published_root(tmp_path, "VOC2012") == tmp_path / "VOC2012"
    assert published_root(tmp_path / "VOC2012", "VOC2012") == tmp_path / "VOC2012"


def test_each_kind_of_problem_is_named(folder, tmp_path):
    for stem in "cdefg":
        draw(tmp_path, stem, [[1, 2]])
    (tmp_path / "c.jpg").unlink()
    (tmp_path / "c.png").unlink()
    (tmp_path / "d.png").write_bytes(b"no mask")
    draw(tmp_path, "f", [[0, 0]])
    Image.new("RGB", (5, 6)).save(tmp_path / "g.jpg")
    found = [problem for stem in "abcdefg" for problem in picture_problems(folder, stem)]
    assert count_problems(found) == {
        "missing image": 1, "missing mask": 1, "corrupt mask": 1, "nothing labelled": 1,
        "sizes differ": 1,
    }  # fmt: skip
    assert all("\n" not in problem.text for problem in found)
    (absent,) = picture_problems(folder, "f", {0, 1})
    assert absent.kind == "class not in the mask"
    assert "no cat, dog" in absent.text
    assert list(picture_problems(folder, "e", {0, 1})) == []
