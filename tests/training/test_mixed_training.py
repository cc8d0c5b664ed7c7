"""Training on several data sets at once."""

import json

import pytest
import torch
import yaml
from pytorch_lightning import Callback, Trainer
from torch.nn import functional as F

from lseg.cli import main
from lseg.data.base.mixture import MixedDataModule, MixedSet
from lseg.data.sets.shapes_data import ShapesDataModule
from lseg.training.module import LSegModule
from lseg.training.objective import AskedSet, LossConfig, batch_loss
from lseg.training.optim import OptimConfig

QUIET = {
    "accelerator": "cpu",
    "logger": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "enable_checkpointing": False,
    "num_sanity_val_steps": 0,
}


def mixture(**options):
    """Two worlds of shapes with labels of their own, of which most are shared."""
    sets = {
        f"fold{fold}": MixedSet(
            data=ShapesDataModule(fold=fold, train_length=6, val_length=1, size=32), weight=weight
        )
        for fold, weight in ((0, 1), (1, 2))
    }
    return MixedDataModule(sets=sets, **{"batch_size": 4, "val_batch_size": 1, **options})


@pytest.mark.parametrize("stride", [1, 4])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_of_each_picture_is_over_the_labels_of_its_own_set(network, stride, weighted):
    """Against softmax and sums picture by picture, and so are the gradients."""
    torch.manual_seed(0)
    data = mixture(batch_size=6)
    net = LSegModule(network).net.eval()
    sets = []
    for _, labels in data.train_sets:
        text = net.encode_labels(labels)
        sets.append(AskedSet(text, torch.rand(len(text)) + 0.5 if weighted else None))
    batch = next(iter(data.train_dataloader()))
    batch["mask"][:, :3] = 255
    assert len(set(batch["set"].tolist())) == 2
    assert sets[0].text.shape == sets[1].text.shape
    assert not torch.equal(sets[0].text, sets[1].text)
    found = batch_loss(net, sets, batch, LossConfig(stride, 0.0, 255))
    total, weight = 0, 0
    for image, mask, number in zip(batch["image"], batch["mask"], batch["set"], strict=True):
        pixels, asked = net.normalize(image[None]), sets[number]
        if stride == 1:
            logits = net(pixels, asked.text)
        else:
            logits = net.coarse_logits(pixels, asked.text)
            where = torch.linspace(0, 31, logits.shape[-1]).round().long()
            mask = mask[where][:, where]
        total += F.cross_entropy(
            logits, mask[None], asked.class_weights, ignore_index=255, reduction="sum"
        )
        each = torch.ones(28) if asked.class_weights is None else asked.class_weights
        weight += each[mask[mask != 255]].sum()
    wanted = total / weight
    torch.testing.assert_close(found, wanted)
    parameters = list(net.parameters())
    for ours, theirs in zip(
        *(torch.autograd.grad(loss, parameters, allow_unused=True) for loss in (found, wanted)),
        strict=True,
    ):
        if ours is not None:
            torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-5)


def test_where_a_set_asks_for_the_rest_any_label_of_another_is_right(network):
    """Against -log of the sum of their probabilities, pixel by pixel."""
    torch.manual_seed(0)
    net = LSegModule(network).net.eval()
    text, rest, weights = torch.randn(3, 16), torch.randn(5, 16), torch.tensor([1.0, 2.0, 3.0, 0.5])
    image = torch.randint(256, (2, 3, 32, 32))
    mask = torch.randint(5, (2, 32, 32))
    mask[mask == 4] = 255
    batch = {"image": image, "mask": mask, "set": torch.tensor([0, 0])}
    found = batch_loss(net, [AskedSet(text, weights, rest)], batch, LossConfig(4, 0.0, 255))

    logits = net.coarse_logits(net.normalize(image), torch.cat([text, rest]))
    where = torch.linspace(0, 31, logits.shape[-1]).round().long()
    probabilities = logits.detach().double().softmax(dim=1)
    total, weight = 0.0, 0.0
    for number in range(2):
        for row, y in enumerate(where.tolist()):
            for column, x in enumerate(where.tolist()):
                label = int(mask[number, y, x])
                if label == 255:
                    continue
                at = probabilities[number, :, row, column]
                right = at[3:].sum() if label == 3 else at[label]
                total -= float(weights[label] * right.log())
                weight += float(weights[label])
    assert found.item() == pytest.approx(total / weight, rel=1e-5)


def test_a_batch_of_one_set_is_no_exception(network):
    data = mixture()
    net = LSegModule(network).net.eval()
    sets = [AskedSet(net.encode_labels(labels)) for _, labels in data.train_sets]
    batch = next(iter(data.train_dataloader()))
    batch["set"][:] = 1
    alone = {name: batch[name] for name in ("image", "mask")}
    for stride in (1, 4):
        config = LossConfig(stride, 0.1, 255)
        assert torch.equal(
            batch_loss(net, sets, batch, config), batch_loss(net, sets[1:], alone, config)
        )


def test_figures_of_each_set_and_their_mean_are_logged(network):
    module = LSegModule(network, OptimConfig("adamw", 1e-3), loss_stride=4)
    trainer = Trainer(**QUIET, max_epochs=1)
    trainer.fit(module, datamodule=mixture())
    logged = trainer.callback_metrics
    for figure in ("miou", "pixel_accuracy"):
        mean = (logged[f"val/fold0/{figure}"] + logged[f"val/fold1/{figure}"]) / 2
        assert logged[f"val/mean/{figure}"] == pytest.approx(mean)
    assert module.net.config.labels == tuple(mixture().labels)
    assert len(module.net.config.labels) == 37  # each once


class Keep(Callback):
    """Writes a checkpoint after every batch and epoch."""

    def __init__(self, folder):
        self.folder, self.kept = folder, []

    def keep(self, trainer, hook):
        if self.folder is not None:
            self.kept.append(self.folder / f"{len(self.kept)}_{hook}.ckpt")
            trainer.save_checkpoint(self.kept[-1])

    def on_train_batch_end(self, trainer, *_):
        self.keep(trainer, "batch")

    def on_train_epoch_end(self, trainer, *_):
        self.keep(trainer, "epoch")


def test_a_resumed_run_ends_with_bitwise_the_same_weights(network, tmp_path):
    def run(folder=None, resume=None):
        torch.manual_seed(0)
        module = LSegModule(network, OptimConfig("adamw", 1e-3), loss_stride=4)
        keep = Keep(folder)
        trainer = Trainer(**QUIET, max_epochs=3, limit_val_batches=0, callbacks=[keep])
        trainer.fit(module, datamodule=mixture(), ckpt_path=resume)
        return module.net.state_dict(), keep.kept

    weights, kept = run(tmp_path)
    assert len(kept) == 3 * (3 + 1)
    for path in kept[:-1]:
        resumed, _ = run(resume=path)
        assert all(torch.equal(resumed[name], value) for name, value in weights.items()), path


@pytest.fixture
def mixed_config(config):
    """As `config`, with two sets in place of one."""
    values = yaml.safe_load(config.read_text())
    sets = {
        name: {
            "data": {
                "class_path": "lseg.data.ShapesDataModule",
                "init_args": {"fold": fold, "train_length": 4, "val_length": 1, "size": 32},
            }
        }
        for fold, name in enumerate(("one", "two"))
    }
    values["data"] = {
        "class_path": "MixedDataModule", "init_args": {"sets": sets, "batch_size": 4},
    }  # fmt: skip
    values["checkpoint"] = {"monitor": "val/mean/miou"}
    config.write_text(yaml.safe_dump(values))
    return config


def test_a_configuration_names_the_sets_and_a_later_one_changes_them(mixed_config, build, tmp_path):
    later = tmp_path / "later.yaml"
    sets = {"two": {"weight": 3.0}, "three": {"data": {"class_path": "lseg.data.ShapesDataModule"}}}
    values = {"base": mixed_config.name, "data": {"init_args": {"sets": sets}}}
    later.write_text(yaml.safe_dump(values))
    data = build("--config", later).datamodule
    assert {name: entry.weight for name, entry in data.sets.items()} == {
        "one": 1.0, "two": 3.0, "three": 1.0,
    }  # fmt: skip
    assert data.sets["two"].data.fold == 1
    assert len({entry.data.seed for entry in data.sets.values()}) == 3


def test_the_command_trains_on_several_sets(mixed_config, tmp_path):
    assert main(["fit", "--config", str(mixed_config)]) == 0
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["mean_miou"] == pytest.approx((result["one_miou"] + result["two_miou"]) / 2)
    one, two = result["trained_on"]
    assert one == {
        "name": "one", "source": "ShapesDataModule", "licence": "", "pictures": 4, "labels": 28,
        "share": 0.5, "seed": one["seed"], "files": None,
    }  # fmt: skip
    assert (two["name"], result["seed"]) == ("two", 0)
    assert one["seed"] != two["seed"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"one": {"weight": "much"}}, "data.sets.weight is much: it must be float"),
        (
            {"one": {"data": {"class_path": "lseg.data.Nothing"}}},
            "is lseg.data.Nothing, which is no",
        ),
        ({"three": {"weight": 1}}, "a set of data.sets has no data"),
        ({"one": {"data": {"init_args": {"fould": 1}}}}, "no option data.sets.data.fould"),
    ],
)
def test_what_is_wrong_with_a_set_is_said(mixed_config, tmp_path, capsys, change, message):
    later = tmp_path / "later.yaml"
    values = {"base": mixed_config.name, "data": {"init_args": {"sets": change}}}
    later.write_text(yaml.safe_dump(values))
    assert main(["fit", "--config", str(later)]) == 2
    assert message in capsys.readouterr().err


def test_a_monitor_that_nothing_logs_names_the_mean(mixed_config, capsys):
    assert main(["fit", "--config", str(mixed_config), "--checkpoint.monitor=val/val/miou"]) == 2
    assert "val/mean/miou" in capsys.readouterr().err
