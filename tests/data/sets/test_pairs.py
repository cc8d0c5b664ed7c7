"""Data sets of listed pairs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from needs import PHOTOS, needs_photos
from PIL import Image

from lseg.data.sets.pairs import PairsDataset, find_problems
from lseg.errors import DataError, ImageError
from lseg.paths import resolve_data_path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A pairs folder: three images of 40x30, masks whose left half is 0, right half 2 and 255."""
    rng = np.random.default_rng(0)
    mask = np.zeros((30, 40), np.uint8)
    mask[:, 20:] = 2
    mask[:5, 20:] = 255
    lines = []
    for name in ("a", "b b", "c"):
        pixels = rng.integers(0, 256, (30, 40, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
        Image.fromarray(mask).save(tmp_path / f"{name}_mask.png")
        lines.append(f"{name}.png {name}_mask.png")
    (tmp_path / "train.txt").write_text("\n".join(lines) + "\n\n")
    (tmp_path / "classes.txt").write_text("sky\nroad\ncar\n")
    return tmp_path


def test_items_are_the_files(folder: Path) -> None:
    dataset = PairsDataset(folder, "train")
    assert (len(dataset), dataset.names) == (3, ["a", "b b", "c"])
    assert dataset.labels == dataset.classes == ["sky", "road", "car"]
    for key in (1, (7, 1)):
        item = dataset[key]
        assert torch.equal(
            item["image"].permute(1, 2, 0), torch.tensor(np.array(Image.open(folder / "b b.png")))
        )
        assert item["mask"].dtype == torch.int64
        assert item["mask"].unique().tolist() == [0, 2, 255]
        assert item["mask"][0, 20] == 255
    assert find_problems(dataset) == []
    assert len(list(dataset)) == 3  # type: ignore[call-overload]


def test_classes_must_be_text_though_names_of_files_may_be_anything(folder: Path) -> None:
    (folder / "classes.txt").write_bytes(b"sky\nro\xe9d\ncar\n")
    with pytest.raises(DataError, match=r"classes\.txt' cannot be read as UTF-8 text"):
        PairsDataset(folder, "train")


def test_transform_is_told_seed_epoch_and_index(folder: Path) -> None:
    seeds = []

    def note(image: torch.Tensor, mask: torch.Tensor, seed: tuple[int, ...]) -> tuple:
        seeds.append(seed)
        return image, mask

    dataset = PairsDataset(folder, "train", transform=note, seed=5)
    _ = dataset[2], dataset[(4, 0)]
    assert seeds == [(5, 0, 2), (5, 4, 0)]


def test_prompts_become_labels(folder: Path) -> None:
    (folder / "prompts.json").write_text('{"road": "street|road"}')
    dataset = PairsDataset(folder, "train", prompts=folder / "prompts.json")
    assert dataset.labels == ["sky", "street|road", "car"]
    assert dataset.classes == ["sky", "road", "car"]


def test_tab_separates_names_with_spaces(folder: Path) -> None:
    (folder / "tab.txt").write_text("not there.png\tno mask.png\n")
    (pair,) = PairsDataset(folder, "tab").folder.pairs.values()
    assert (pair.image, pair.mask) == (folder / "not there.png", folder / "no mask.png")


def test_relative_root_is_looked_up_under_lseg_data(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("LSEG_DATA", str(folder.parent))
    assert PairsDataset(folder.name, "train").folder.root == folder
    assert resolve_data_path("none") == folder.parent / "none"
    (elsewhere / "here").mkdir()
    assert resolve_data_path("here") == Path("here")
    monkeypatch.delenv("LSEG_DATA")
    assert resolve_data_path("none") == Path("data/none")
    assert resolve_data_path(folder) == folder


def _save_mask(folder: Path, mask: np.ndarray) -> None:
    Image.fromarray(mask).save(folder / "a_mask.png")


@pytest.mark.parametrize(
    ("damage", "error", "said"),
    [
        (
            lambda f: _save_mask(f, np.zeros((40, 30), np.uint8)),
            DataError,
            ["a.png: image 40x30, mask 30x40 pixels", "a_mask.png must agree"],
        ),
        (
            lambda f: _save_mask(f, np.array([0, 3, 7, 255], np.uint8).repeat(300).reshape(30, 40)),
            DataError,
            ["a_mask.png has the values 3, 7; accepted are 0 to 2", "255 (ignore_index)"],
        ),
        (
            lambda f: _save_mask(f, np.zeros((30, 40, 3), np.uint8)),
            ImageError,
            ["a_mask.png is a mask in mode RGB", "class indices"],
        ),
        (lambda f: (f / "a.png").unlink(), DataError, ["a.png, named in line 1 of", "not exist"]),
        (
            lambda f: (f / "a.png").write_bytes((f / "a.png").read_bytes()[:900]),
            ImageError,
            ["a.png cannot be decoded"],
        ),
        (
            lambda f: _save_mask(f, np.full((30, 40), 255, np.uint8)),
            None,
            ["a_mask.png has no labelled pixel"],
        ),
        (
            lambda f: (f / "train.txt").write_text("a.png a_mask.png\nc.png c_mask.png\n" * 2),
            None,
            ["a.png is listed twice, on lines 1 and 3"],
        ),
    ],
)
def test_damaged_files_are_found(
    folder: Path, damage: Callable[[Path], object], error: type[Exception] | None, said: list[str]
) -> None:
    damage(folder)
    dataset = PairsDataset(folder, "train")
    problem = find_problems(dataset)[0]
    if error is not None:
        with pytest.raises(error) as caught:
            dataset[0]
        assert all(part in str(caught.value) for part in said)
        assert len(find_problems(dataset)) == 1
    assert all(part in problem for part in said)
    assert "\n" not in problem


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda f: (f / "classes.txt").unlink(), "there is no file"),
        (lambda f: (f / "classes.txt").write_text("sky\n\ncar\n"), "line 2 of"),
        (lambda f: (f / "classes.txt").write_text("\n"), "names no class"),
        (lambda f: (f / "train.txt").unlink(), "text files in that folder: classes.txt"),
        (lambda f: (f / "train.txt").write_text("\n"), "lists no image"),
        (lambda f: (f / "train.txt").write_text("a.png\n"), "line 1 of"),
        (lambda f: (f / "train.txt").write_text("b b.png c c.png\n"), "with a tab"),
    ],
)
def test_malformed_lists_are_refused(
    folder: Path, damage: Callable[[Path], object], said: str
) -> None:
    damage(folder)
    with pytest.raises(DataError) as caught:
        PairsDataset(folder, "train")
    assert said in str(caught.value)
    assert str(folder) in str(caught.value)


def test_missing_folder_shows_the_layout(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no data folder .*nowhere[\s\S]*<split>\.txt"):
        PairsDataset(tmp_path / "nowhere", "train")


def test_ignored_last_class_is_no_label(folder: Path) -> None:
    dataset = PairsDataset(folder, "train", ignore_index=2)
    assert dataset.labels == dataset.classes == ["sky", "road"]
    with pytest.raises(DataError, match=r"has the values 255; accepted are 0 to 1 .* and 2"):
        _ = dataset[0]


@pytest.mark.parametrize(
    ("name", "classes", "ignore"),
    [
        pytest.param("coco_panoptic200", 133, 255, marks=needs_photos("coco_panoptic200")),
        pytest.param("camvid11", 11, 11, marks=needs_photos("camvid11")),
    ],
)
def test_real_folders(name: str, classes: int, ignore: int) -> None:
    dataset = PairsDataset(PHOTOS / name, "val", ignore)
    assert len(dataset.labels) == classes
    dataset.stems = dataset.stems[:5]
    assert find_problems(dataset) == []


def test_a_picture_that_is_listed_twice_keeps_both_its_masks(folder: Path) -> None:
    (folder / "twice.txt").write_text("a.png a_mask.png\na.png other.png\n")
    _save_mask(folder, np.ones((30, 40), np.uint8))
    Image.fromarray(np.zeros((30, 40), np.uint8)).save(folder / "other.png")
    dataset = PairsDataset(folder, "twice")
    assert [int(dataset[index]["mask"].unique()) for index in range(2)] == [1, 0]
    assert dataset.names == ["a", "a"]


def test_pixels_of_each_class_are_counted(folder: Path) -> None:
    counts = PairsDataset(folder, "train").pixel_counts()
    assert counts.tolist() == [3 * 30 * 20, 0, 3 * 25 * 20]
