"""Data modules: batches, loaders, and their use by Lightning."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.cli import LightningCLI
from torch import Tensor

from lseg.data.base.datamodule import SegmentationDataModule
from lseg.data.base.sampler import EpochSampler, ExactSampler
from lseg.data.base.transforms import AugmentConfig
from lseg.data.sets.pairs import PairsDataModule
from lseg.data.sets.shapes import fold_classes, seen_classes
from lseg.data.sets.shapes_data import ShapesDataModule
from lseg.errors import ConfigError, DataError

SMALL = AugmentConfig(crop=32, scale=(0.5, 2.0), color=0.2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A pairs folder with five training and three validation images; those differ in size."""
    rng = np.random.default_rng(0)
    for split, sizes in (("train", [(48, 64)] * 5), ("val", [(40, 50), (40, 50), (30, 40)])):
        lines = []
        for number, (height, width) in enumerate(sizes):
            coarse = rng.integers(0, 256, (6, 8, 3), np.uint8)
            Image.fromarray(coarse).resize((width, height)).save(tmp_path / f"{split}{number}.png")
            mask = rng.integers(0, 2, (height, width), np.uint8)
            Image.fromarray(mask).save(tmp_path / f"{split}{number}_mask.png")
            lines.append(f"{split}{number}.png {split}{number}_mask.png")
        (tmp_path / f"{split}.txt").write_text("\n".join(lines))
    (tmp_path / "classes.txt").write_text("sky\nroad\n")
    return tmp_path


def _batches(data: SegmentationDataModule, epochs: list[int]) -> list[dict[str, Tensor]]:
    loader = data.train_dataloader()
    batches = []
    for epoch in epochs:
        loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        batches += list(loader)
    return batches


def _same(a: list[dict[str, Tensor]], b: list[dict[str, Tensor]]) -> bool:
    return len(a) == len(b) and all(
        torch.equal(x[key], y[key]) for x, y in zip(a, b, strict=True) for key in ("image", "mask")
    )


def test_training_batches_do_not_depend_on_workers_or_history(folder: Path) -> None:
    def build(workers: int = 0, seed: int = 0) -> PairsDataModule:
        return PairsDataModule(
            folder, augment=SMALL, batch_size=2, workers=workers, seed=seed, repeat=2
        )

    batches = _batches(build(), [0, 1])
    assert len(batches) == 10  # 5 images twice an epoch in batches of 2, two epochs
    assert batches[0]["image"].shape == (2, 3, 32, 32)
    assert (batches[0]["image"].dtype, batches[0]["mask"].dtype) == (torch.uint8, torch.int64)
    assert _same(batches, _batches(build(workers=2), [0, 1]))
    assert _same(batches[5:], _batches(build(), [1]))
    assert not _same(batches[:5], batches[5:])
    assert not _same(batches[:5], _batches(build(seed=1), [0]))
    orders = [list(build(seed=seed).train_dataloader().sampler) for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]


def test_workers_run_one_thread(folder: Path) -> None:
    """Several threads a worker would fight over the cores; torch sees to it."""
    data = PairsDataModule(folder, augment=SMALL, batch_size=2, workers=1)
    threads = data.make_train_set()
    threads.transform = lambda image, mask, seed: (image, mask * 0 + torch.get_num_threads())
    data.make_train_set = lambda: threads  # type: ignore[method-assign]
    assert _batches(data, [0])[0]["mask"].unique().tolist() == [1]


def test_validation_is_exact_and_keeps_sizes(folder: Path) -> None:
    data = PairsDataModule(folder, augment=SMALL)
    (loader,) = data.val_dataloader()
    sizes = [tuple(batch["image"].shape) for batch in loader]
    assert sizes == [(1, 3, 40, 50), (1, 3, 40, 50), (1, 3, 30, 40)]
    assert data.val_sets == data.test_sets == [("val", ["sky", "road"])]
    assert data.labels == data.val_labels == ["sky", "road"]
    assert data.ignore_value == 255
    assert PairsDataModule(folder, test_split="train").test_sets[0][0] == "test"


def test_batch_of_different_sizes_is_refused(folder: Path) -> None:
    loader = PairsDataModule(folder, val_batch_size=3).val_dataloader()[0]
    with pytest.raises(DataError, match=r"40x30, 50x40.*set data\.val_batch_size to 1"):
        next(iter(loader))


def test_training_set_must_fill_a_batch(folder: Path) -> None:
    with pytest.raises(DataError, match=r"5 training images .* fill no batch of 8"):
        PairsDataModule(folder, batch_size=8).train_dataloader()
    assert len(PairsDataModule(folder, batch_size=8, repeat=2).train_dataloader()) == 1


@pytest.mark.parametrize(
    "name", ["batch_size", "val_batch_size", "workers", "prefetch", "seed", "repeat"]
)
def test_numbers_out_of_range_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"data\.{name} is -1"):
        PairsDataModule("anywhere", **{name: -1})  # type: ignore[arg-type]


def test_shapes_hold_a_fold_out_of_training() -> None:
    data = ShapesDataModule(fold=2, train_length=8, val_length=4, size=32, batch_size=4)
    assert data.labels == ["background", *seen_classes(2)]
    assert data.val_sets == [
        ("seen/fold0", ["background", *fold_classes(0)]),
        ("seen/fold1", ["background", *fold_classes(1)]),
        ("seen/fold3", ["background", *fold_classes(3)]),
        ("unseen", ["background", *fold_classes(2)]),
    ]
    assert not set(data.labels[1:]) & set(data.val_sets[-1][1][1:])
    assert len(data.val_labels) == 37
    first, _ = _batches(data, [0])
    assert first["image"].shape == (4, 3, 32, 32)
    seen, *_, unseen = (list(loader) for loader in data.val_dataloader())
    assert [len(batch["image"]) for batch in unseen] == [4]
    assert int(unseen[0]["mask"].max()) <= 9
    assert not torch.equal(seen[0]["image"], first["image"])
    again = ShapesDataModule(fold=2, train_length=8, val_length=4, size=32, seed=7)
    assert torch.equal(next(iter(again.val_dataloader()[-1]))["image"], unseen[0]["image"])


class _Recorder(LightningModule):
    """Notes which batches arrive; has one parameter so that it can be trained."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.batches: list[dict[str, Tensor]] = []
        self.validated: list[int] = []

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        self.batches.append(batch)
        return self.weight * batch["image"].float().mean()

    def validation_step(
        self, batch: dict[str, Tensor], batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self.validated.append(dataloader_idx)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.0)


def test_lightning_keeps_the_samplers_and_tells_the_epoch(folder: Path, tmp_path: Path) -> None:
    module = _Recorder()
    data = PairsDataModule(folder, augment=SMALL, batch_size=2)
    trainer = Trainer(
        max_epochs=3,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=tmp_path,
    )
    trainer.fit(module, datamodule=data)
    train: Any = trainer.train_dataloader
    val: Any = trainer.val_dataloaders
    assert isinstance(train.sampler, EpochSampler)
    assert isinstance(val[0].sampler, ExactSampler)
    assert len(module.validated) == 3 * 3
    assert _same(module.batches, _batches(data, [0, 1, 2]))


def test_lightning_cli_builds_it_from_yaml(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["lseg"])  # Lightning warns if pytest's arguments are there
    config = tmp_path / "config.yaml"
    config.write_text(
        f"""
data:
  class_path: lseg.data.PairsDataModule
  init_args:
    root: {folder}
    augment: {{crop: 24, scale: [0.5, 1.5], fill: [1, 2, 3]}}
    batch_size: 2
trainer: {{logger: false, accelerator: cpu}}
"""
    )

    def build(*arguments: str) -> Any:
        return LightningCLI(
            _Recorder,
            SegmentationDataModule,
            subclass_mode_data=True,
            run=False,
            save_config_callback=None,
            seed_everything_default=False,
            args=["--config", str(config), *arguments],
        ).datamodule

    data = build("--data.augment.flip", "0.25", "--data.repeat=3")
    assert data.augment == AugmentConfig(crop=24, scale=(0.5, 1.5), flip=0.25, fill=(1, 2, 3))
    assert data.repeat == 3
    assert _batches(data, [0])[0]["image"].shape == (2, 3, 24, 24)
    with pytest.raises(SystemExit):
        build("--data.augment.crops=3")
