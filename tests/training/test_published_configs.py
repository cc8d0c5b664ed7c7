"""Configurations of large sets build and take a step: planted trees, small network, small crops."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from fewshot_trees import save_png
from networks import save_table
from PIL import Image
from published_trees import enlarge, plant

from lseg.config import LSegConfig
from lseg.data.base.mixture import MixedDataModule
from lseg.data.base.transforms import AugmentConfig
from lseg.data.sets.coco_categories import panoptic_categories
from lseg.data.sets.label_table import read_labels
from lseg.data.sets.published_data import PublishedDataModule
from lseg.training.configs import read_config

CONFIGS = Path(__file__).parents[2] / "configs"
PAIRS = ("bdd100k", "idd", "sunrgbd")
SMALL = {
    "trunk": {
        "backbone": "resnet10t",
        "backbone_options": {"channels": [8, 8, 16, 16]},
        "levels": [1, 2, 3, 4],
        "level_widths": [8, 8, 16, 16],
        "readout": "ignore",
        "features": 8,
    },
    "embed_dim": 16,
}


def plant_panoptic(root):
    category = panoptic_categories()[0].id
    for split in ("train2017", "val2017"):
        entries = []
        for name in ("000000000009", "000000000025"):
            save_png(np.zeros((30, 40, 3), np.uint8), root / split / f"{name}.jpg")
            png = np.zeros((30, 40, 3), np.uint8)
            png[:20, :, 0] = 7
            save_png(png, root / f"annotations/panoptic_{split}" / f"{name}.png")
            segment = {"id": 7, "category_id": category, "iscrowd": 0}
            entries.append(
                {"image_id": int(name), "file_name": f"{name}.png", "segments_info": [segment]}
            )
        images = [
            {"id": e["image_id"], "file_name": e["file_name"].replace("png", "jpg")}
            for e in entries
        ]
        (root / f"annotations/panoptic_{split}.json").write_text(
            json.dumps({"images": images, "annotations": entries})
        )


def plant_pairs(root, classes):
    root.mkdir(parents=True)
    (root / "classes.txt").write_text("\n".join(classes))
    Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(root / "i.png")
    mask = np.resize(np.array([*range(len(classes)), 255], np.uint8), (30, 40))
    Image.fromarray(mask).save(root / "m.png")
    for split in ("train", "val"):
        (root / f"{split}.txt").write_text("i.png m.png\n" * 2)


@pytest.fixture
def small(tmp_path, monkeypatch, build):
    """What a configuration builds, with a small network, small crops and a table of its labels."""
    monkeypatch.setenv("LSEG_DATA", str(tmp_path))

    def small(name):
        values = read_config(CONFIGS / f"{name}.yaml")
        network = SMALL | {"text": {"table": str(tmp_path / "table.safetensors")}}
        values["model"] |= {"network": network, "backbone_weights": None}
        if "linear_start" in values["model"]:
            short = {"linear_start": {"batches": 1, "steps": 2}, "freeze_backbone": False}
            values["model"] |= short
        data = values["data"]["init_args"]
        data |= {"batch_size": 4, "workers": 0, "repeat": 2}
        sets = data.get("sets", {})
        parts = [entry["data"]["init_args"] for entry in sets.values()] or [data]
        for part in parts:
            part["augment"] = part["augment"] | {"crop": 32}
        values["trainer"] |= {
            "default_root_dir": str(tmp_path / "run"),
            "fast_dev_run": 1,
            "accumulate_grad_batches": 1,
            "callbacks": None,  # averages of weights begin after hundreds of steps
            "enable_progress_bar": False,
            "enable_model_summary": False,
        }
        enlarge(tmp_path)
        config = tmp_path / "small.yaml"
        config.write_text(yaml.safe_dump(values, sort_keys=False))
        cli = build("--config", config)
        save_table(tmp_path / "table.safetensors", cli.datamodule.labels)
        return cli

    return small


def step(cli):
    """Train a step and validate a batch; what should learn has moved, and nothing else."""
    weights = list(cli.model.net.parameters())
    before = [weight.detach().clone() for weight in weights]
    cli.trainer.fit(cli.model, datamodule=cli.datamodule)
    assert cli.trainer.global_step == 1
    assert torch.isfinite(cli.trainer.callback_metrics["train/loss"])
    moved = [not torch.equal(old, new) for old, new in zip(before, weights, strict=True)]
    learns = [weight.requires_grad for weight in weights]
    assert sum(moved) > sum(learns) / 2
    assert not any(change and not learning for change, learning in zip(moved, learns, strict=True))


@pytest.mark.parametrize(
    ("name", "dataset", "labels"),
    [
        ("ade20k_vitl16", "ade20k", 150),
        ("ade20k_vitb32", "ade20k", 150),
        ("cityscapes_vitl16", "cityscapes", 19),
        ("coco_stuff_vitl16", "coco_stuff", 171),
    ],
)
def test_one_published_set(name, dataset, labels, small, tmp_path):
    plant(tmp_path, dataset)
    cli = small(name)
    data = cli.datamodule
    assert isinstance(data, PublishedDataModule)
    assert (data.dataset, len(data.labels)) == (dataset, labels)
    (facts,) = data.training_facts()
    assert (facts.source, facts.pictures, facts.labels, facts.share) == (dataset, 2, labels, 1.0)
    assert facts.licence
    step(cli)
    assert "val/val/miou" in cli.trainer.callback_metrics


def test_the_seven_sets_of_the_demo_model(small, tmp_path):
    for dataset in ("ade20k", "cityscapes", "mapillary"):
        plant(tmp_path, dataset)
    plant_panoptic(tmp_path)
    for name in PAIRS:
        plant_pairs(tmp_path / name, ["road", "sky", f"a thing of {name}"])
    cli = small("seven_sets_vitl16")
    assert isinstance(cli.datamodule, MixedDataModule)
    names = ["ade20k", "cityscapes", "coco", "mapillary", "bdd", "idd", "sunrgbd"]
    assert [name for name, _ in cli.datamodule.train_sets] == names
    assert [len(labels) for _, labels in cli.datamodule.train_sets] == [150, 19, 133, 65, 3, 3, 3]
    assert {round(facts.share, 6) for facts in cli.datamodule.training_facts()} == {0.142857}
    step(cli)
    assert {f"val/{name}/miou" for name in [*names, "mean"]} <= cli.trainer.callback_metrics.keys()


@pytest.fixture
def photos(tmp_path):
    plant_pairs(tmp_path / "coco_panoptic200", ["person", "sky"])
    plant_pairs(tmp_path / "voc_aug21", read_labels("voc").names)
    (tmp_path / "clip_text").mkdir()
    (tmp_path / "clip_text" / "coco133_prompt_names.json").write_text('{"sky": "sky-other"}')


def test_the_two_sets_of_photos(photos, small):
    cli = small("multi")
    (_, coco), (_, voc) = cli.datamodule.train_sets
    assert coco == ["person", "sky-other"]
    assert len(voc) == 20
    assert {"airplane", "couch", "tv", "person"} <= set(voc)
    step(cli)


def test_the_embedded_model_starts_as_linear_maps(photos, small):
    cli = small("photo")
    cli.trainer.fit(cli.model, datamodule=cli.datamodule)
    assert cli.trainer.global_step == 1
    assert torch.isfinite(cli.trainer.callback_metrics["train/loss"])
    (*_, asked) = cli.model.asked
    assert len(asked.rest) == 1  # of COCO's two labels, the one that VOC has not
    for block in cli.model.net.trunk.fusion.blocks:
        kernel = block.project.weight.detach()[:, :, 0, 0]
        torch.testing.assert_close(kernel, torch.eye(len(kernel)), rtol=0, atol=1e-3)


def test_the_recipe_is_the_published_one():
    values = read_config(CONFIGS / "ade20k_vitl16.yaml")
    assert LSegConfig.from_dict(values["model"]["network"]) == LSegConfig.preset("vitl16")
    small = read_config(CONFIGS / "ade20k_vitb32.yaml")
    assert LSegConfig.from_dict(small["model"]["network"]) == LSegConfig.preset("vitb32")
    optim = values["model"]["optim"]
    assert optim == {
        "name": "sgd", "lr": 0.004, "decoder_factor": 10.0, "momentum": 0.9, "weight_decay": 1e-4,
        "schedule": "poly", "power": 0.9,
    }  # fmt: skip
    augment = AugmentConfig(**values["data"]["init_args"]["augment"])
    assert (augment.crop, augment.base_size, augment.base_side) == (480, 520, "long")
    for config in (values, small):
        batch = config["data"]["init_args"]["batch_size"]
        assert batch * config["trainer"]["accumulate_grad_batches"] == 16
        assert config["trainer"]["max_epochs"] == 240
