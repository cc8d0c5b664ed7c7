"""Several data sets as one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from lseg.data.base.items import SET
from lseg.data.base.mixture import MixedDataModule, MixedSet
from lseg.data.base.transforms import AugmentConfig
from lseg.data.fewshot.shapes_benchmark import ShapesBenchmark
from lseg.data.fewshot.zeroshot import ZeroShotDataModule
from lseg.data.sets.pairs import PairsDataModule
from lseg.data.sets.shapes_data import ShapesDataModule
from lseg.errors import ConfigError, DataError

CROP = AugmentConfig(crop=32, color=0.2)


def _pairs(root: Path, classes: list[str], values: list[int], count: int = 3) -> Path:
    """A folder of pictures with masks of these values; the colour of picture i is i."""
    root.mkdir()
    lines = []
    for number in range(count):
        Image.fromarray(np.full((40, 50, 3), number, np.uint8)).save(root / f"{number}.png")
        mask = np.resize(np.array(values, np.uint8), (40, 50))
        Image.fromarray(mask).save(root / f"{number}_mask.png")
        lines.append(f"{number}.png {number}_mask.png")
    (root / "classes.txt").write_text("\n".join(classes))
    for split in ("train", "val"):
        (root / f"{split}.txt").write_text("\n".join(lines))
    return root


@pytest.fixture
def streets(tmp_path: Path) -> PairsDataModule:
    return PairsDataModule(
        _pairs(tmp_path / "streets", ["sky", "road", "car"], [0, 1, 2, 255]), augment=CROP
    )


@pytest.fixture
def animals(tmp_path: Path) -> PairsDataModule:
    return PairsDataModule(
        _pairs(tmp_path / "animals", ["background", "cat", "car"], [0, 1, 2, 255], 5),
        augment=CROP,
        background="ignore",
    )


def mixed(*parts: PairsDataModule, **options: int) -> MixedDataModule:
    names = ("streets", "animals")
    sets = {name: MixedSet(data=part) for name, part in zip(names, parts, strict=False)}
    return MixedDataModule(sets=sets, **options)


def _epoch(data: MixedDataModule, epoch: int) -> list[dict[str, Tensor]]:
    loader = data.train_dataloader()
    loader.sampler.set_epoch(epoch)
    return list(loader)


def test_each_set_keeps_its_labels_and_batches_its_order(streets, animals) -> None:
    data = mixed(streets, animals, batch_size=4)
    assert data.train_sets == [("streets", ["sky", "road", "car"]), ("animals", ["cat", "car"])]
    assert data.labels == ["sky", "road", "car", "cat"]
    batches = _epoch(data, 0)
    assert [len(batch["image"]) for batch in batches] == [4, 4]
    numbers = torch.cat([batch[SET] for batch in batches])
    assert numbers.bincount().tolist() == [4, 4]
    for batch in batches:
        assert batch[SET].tolist() == sorted(batch[SET].tolist())
        values = [set(mask.unique().tolist()) for mask in batch["mask"]]
        wanted = ({0, 1, 2, 255}, {0, 1, 255})
        assert all(own <= wanted[n] for own, n in zip(values, batch[SET].tolist(), strict=True))


def test_batches_do_not_depend_on_workers_or_history(tmp_path, streets, animals) -> None:
    def build(**options: int) -> MixedDataModule:
        parts = [
            PairsDataModule(part.root, augment=CROP, background=part.background)
            for part in (streets, animals)
        ]
        return mixed(*parts, batch_size=2, **options)

    def same(a: list[dict[str, Tensor]], b: list[dict[str, Tensor]]) -> bool:
        return all(torch.equal(x[k], y[k]) for x, y in zip(a, b, strict=True) for k in x)

    data = build()
    first, second = _epoch(data, 0), _epoch(data, 1)
    assert same(_epoch(build(workers=2), 1), second)
    assert not same(first, second)
    assert not same(_epoch(build(seed=1), 1), second)


def test_validation_asks_each_set_for_its_own_labels(streets, animals) -> None:
    data = mixed(streets, animals)
    assert data.val_sets == data.train_sets
    assert data.mean_name == "mean"
    assert [loader.dataset[0]["mask"].unique().tolist() for loader in data.val_dataloader()] == [
        [0, 1, 2, 255],
        [0, 1, 255],
    ]
    shapes = ShapesDataModule(size=32, val_length=1, train_length=2)
    names = [name for name, _ in mixed(shapes, streets).val_sets]
    assert names == ["streets/seen/fold1", "streets/seen/fold2", "streets/seen/fold3",
                     "streets/unseen", "animals"]  # fmt: skip
    assert mixed(streets).mean_name is None


def test_one_ignore_value_serves_all_sets(tmp_path: Path, streets) -> None:
    names = [f"class {i}" for i in range(300)]
    many = PairsDataModule(_pairs(tmp_path / "many", names, [7, 255]), augment=CROP)
    data = mixed(streets, many)
    assert data.ignore_value == 65535
    few, large = (loader.dataset[0]["mask"] for loader in data.val_dataloader())
    assert few.unique().tolist() == [0, 1, 2, 65535]
    assert large.unique().tolist() == [7, 255]
    assert {tuple(data.train_data[(0, i)]["mask"].unique().tolist()) for i in (0, 3)} <= {
        (0, 1, 2, 65535), (7, 255), (7, 255, 65535),
    }  # fmt: skip


def test_pixels_are_counted_set_by_set(streets, animals) -> None:
    counts = mixed(streets, animals).pixel_counts_by_set()
    assert [each.tolist() for each in counts] == [[1500] * 3, [2500] * 2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 4}, r"data\.sets\.streets\.data\.batch_size is not the set's to say"),
        ({"seed": 3}, r"data\.seed, which is of all sets"),
    ],
)
def test_what_concerns_batches_is_said_once(streets, change, message) -> None:
    part = PairsDataModule(streets.root, **change)
    with pytest.raises(ConfigError, match=message):
        mixed(part)


def test_entries_that_do_not_fit_are_refused(streets, animals) -> None:
    for weight in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ConfigError, match=r"data\.sets\.a\.weight is"):
            MixedDataModule(sets={"a": MixedSet(data=streets, weight=weight)})
    for name in ("mean", "a/b", ""):
        with pytest.raises(ConfigError, match="cannot name a set"):
            MixedDataModule(sets={name: MixedSet(data=streets)})
    with pytest.raises(ConfigError, match="is a mixture itself"):
        mixed(mixed(streets))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"data\.sets is empty"):
        MixedDataModule(sets={})


def test_crops_of_two_sizes_are_refused(tmp_path, streets) -> None:
    other = PairsDataModule(streets.root, augment=AugmentConfig(crop=48))
    with pytest.raises(DataError, match=r"one augment\.crop for all sets"):
        _epoch(mixed(streets, other, batch_size=6), 0)


def test_a_set_that_asks_pictures_for_labels_of_their_own_is_refused(streets) -> None:
    two_way = ZeroShotDataModule(ShapesBenchmark(train_length=4, test_length=4, size=32), size=32)
    data = mixed(two_way)
    with pytest.raises(ConfigError, match="some do not"):
        _ = mixed(two_way, streets).first_counted_label
    with pytest.raises(DataError, match="labels of its own"):
        _ = data.train_data[(0, 0)]
