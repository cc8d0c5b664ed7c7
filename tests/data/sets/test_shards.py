"""Pictures and masks in tar archives."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lseg.data.base.tar import read_index
from lseg.data.base.transforms import AugmentConfig
from lseg.data.sets.pack_shards import pack_shards
from lseg.data.sets.pairs import PairsDataModule, PairsFolder
from lseg.data.sets.shards import ShardsDataModule, ShardsFolder
from lseg.errors import DataError, ImageError

AUGMENT = AugmentConfig(crop=32, color=0.3)


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """A pairs folder of seven pictures; one is turned by EXIF, masks have a value to ignore."""
    root = tmp_path / "pairs"
    root.mkdir()
    rng = np.random.default_rng(0)
    lines = []
    for number in range(7):
        height, width = (40, 50) if number else (50, 40)
        image = Image.fromarray(rng.integers(0, 256, (40, 50, 3), np.uint8))
        exif = Image.Exif()
        if number == 0:
            exif[0x0112] = 6
        image.save(root / f"{number}.jpg", exif=exif)
        mask = rng.choice(np.array([0, 1, 2, 7], np.uint8), (height, width))
        Image.fromarray(mask).save(root / f"{number}_mask.png")
        lines.append(f"{number}.jpg {number}_mask.png")
    (root / "classes.txt").write_text("sky\nroad\ncar\n")
    (root / "dataset.yaml").write_text("ignore_index: 7\nlicence: CC0\n")
    for split in ("train", "val"):
        (root / f"{split}.txt").write_text("\n".join(lines))
    return root


@pytest.fixture
def shards(pairs: Path, tmp_path: Path) -> Path:
    """The same as archives of about two pictures each."""
    for split in ("train", "val"):
        folder = PairsFolder(pairs, split)
        files = [pairs / f"{number}{end}" for number in range(2) for end in (".jpg", "_mask.png")]
        size = sum(file.stat().st_size for file in files) / 1e6
        archives = pack_shards(folder, split, tmp_path / "shards", size * 1.1)
        assert len(archives) >= 3
    return tmp_path / "shards"


def archive(path: Path, **files: bytes) -> None:
    with tarfile.open(path, "w:") as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name.replace("__", "."))
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))


@pytest.mark.parametrize("workers", [0, 2])
def test_they_are_read_as_the_files_are(pairs: Path, shards: Path, workers: int) -> None:
    """The same pictures in the same order with the same augmentations, at random positions."""
    options = {"augment": AUGMENT, "batch_size": 3, "seed": 5}
    files = PairsDataModule(pairs, **options)  # type: ignore[arg-type]
    tars = ShardsDataModule(shards, workers=workers, **options)  # type: ignore[arg-type]
    assert tars.labels == files.labels
    assert tars.training_facts()[0].licence == "CC0"
    for epoch in (0, 3):
        loaders = [data.train_dataloader() for data in (files, tars)]
        for loader in loaders:
            loader.sampler.set_epoch(epoch)
        batches = [list(loader) for loader in loaders]
        assert len(batches[0]) == 2
        for wanted, found in zip(*batches, strict=True):
            assert torch.equal(wanted["image"], found["image"])
            assert torch.equal(wanted["mask"], found["mask"])
    (wanted,), (found,) = (data.val_dataloader() for data in (files, tars))
    for ours, theirs in zip(found, wanted, strict=True):
        assert torch.equal(ours["image"], theirs["image"])
        assert torch.equal(ours["mask"], theirs["mask"])
    assert tars.pixel_counts().tolist() == files.pixel_counts().tolist()


def test_archives_may_lie_elsewhere(shards: Path, tmp_path: Path) -> None:
    disks = [tmp_path / "disk1", tmp_path / "disk2"]
    for disk, path in zip(disks, sorted(shards.glob("train-*.tar"))[:2], strict=True):
        disk.mkdir()
        path.rename(disk / path.name)
    patterns = [str(disk / "*.tar") for disk in disks]
    data = ShardsDataModule(shards, archives={"train": [*patterns, "train-*.tar"]})
    whole = ShardsFolder(shards, "val")
    assert len(data.train_data) == len(whole.stems) == 7
    with pytest.raises(DataError, match="there is no archive"):
        ShardsFolder(shards, "train", ["nothing-*.tar"])


def test_the_index_is_kept_and_made_again_when_an_archive_changes(shards: Path) -> None:
    path = next(shards.glob("train-*.tar"))
    first = read_index(path)
    kept = Path(os.environ["LSEG_CACHE"]) / "shards"
    count = len(list(kept.glob("*.json")))
    assert read_index(path) == first
    assert len(list(kept.glob("*.json"))) == count
    archive(path, a__jpg=b"x", a__mask__png=b"yz")
    assert [(entry.member, entry.read_bytes()) for entry in read_index(path)] == [
        ("a.jpg", b"x"),
        ("a.mask.png", b"yz"),
    ]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a__jpg": b"x"}, r"a has no mask a\.mask\.png"),
        ({"a__mask__png": b"x"}, "a has no picture"),
        ({"note__txt": b"x"}, "holds no picture"),
    ],
)
def test_a_picture_and_a_mask_go_together(shards: Path, files, message) -> None:
    archive(shards / "train-000000.tar", **files)
    with pytest.raises(DataError, match=message):
        ShardsFolder(shards, "train")


def test_what_is_no_plain_archive_is_refused(shards: Path) -> None:
    path = shards / "train-000000.tar"
    with tarfile.open(path, "w:gz") as tar:
        tar.add(shards / "classes.txt", "a.txt")
    with pytest.raises(DataError, match=r"no plain tar archive.*gunzip"):
        ShardsFolder(shards, "train")
    path.unlink()
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read_index(path)


def test_an_archive_that_was_cut_is_named_where_it_is_read(shards: Path) -> None:
    folder = ShardsFolder(shards, "train")
    stem = folder.stems[0]
    image = folder.image_file(stem)
    with image.archive.open("r+b") as file:
        file.truncate(image.offset + 10)
    with pytest.raises(ImageError, match="ends within"):
        folder.read(stem)
