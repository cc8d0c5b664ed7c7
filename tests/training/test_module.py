import copy

import numpy as np
import pytest
import torch
from needs import needs_gpu
from PIL import Image
from pytorch_lightning import Callback, Trainer
from torch.nn import functional as F

from lseg.config import TextConfig
from lseg.data.base.transforms import AugmentConfig
from lseg.data.sets.pairs import PairsDataModule
from lseg.errors import ConfigError
from lseg.text.encoder import LabelEncoder, OpenClipText
from lseg.training.module import LSegModule
from lseg.training.objective import sample_mask
from lseg.training.optim import OptimConfig

QUIET = {
    "accelerator": "cpu",
    "logger": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "enable_checkpointing": False,
}


def adamw(**options):
    return OptimConfig(name="adamw", lr=1e-3, decoder_factor=1.0, **options)


@pytest.mark.parametrize(("loss_stride", "precision"), [(1, "fp32"), (4, "fp32"), (1, "bf16")])
def test_a_run_changes_every_weight_and_reports_finite_scores(
    network, data, loss_stride, precision
):
    torch.manual_seed(0)
    module = LSegModule(network, adamw(), loss_stride=loss_stride, precision=precision)
    before = copy.deepcopy(dict(module.net.named_parameters()))
    Trainer(**QUIET, max_epochs=1).fit(module, datamodule=data)
    unchanged = [
        name for name, value in module.net.named_parameters() if torch.equal(value, before[name])
    ]
    assert unchanged == []
    assert list(module.scores) == ["seen/fold1", "seen/fold2", "seen/fold3", "unseen"]
    assert all(0 <= scores.miou <= 1 for scores in module.scores.values())
    assert module.net.config.labels == tuple(data.labels)


def test_half_precision_training_takes_nearly_the_same_steps(network, data):
    def losses(precision):
        torch.manual_seed(0)
        module = LSegModule(network, adamw(), precision=precision)
        trainer = Trainer(**QUIET, max_epochs=3, limit_val_batches=0)
        trainer.fit(module, datamodule=copy.deepcopy(data))
        assert (module.net.trunk.autocast is None) == (precision == "fp32")
        assert all(weight.dtype == torch.float32 for weight in module.net.parameters())
        return trainer.callback_metrics["train/loss"].item()

    assert losses("bf16") == pytest.approx(losses("fp32"), rel=0.05)


@pytest.mark.slow
def test_compiled_training_takes_the_same_steps(network, data):
    def loss(compiled):
        torch.manual_seed(0)
        module = LSegModule(network, adamw(), compiled=compiled)
        programs = torch._dynamo.utils.counters["stats"]["unique_graphs"]
        trainer = Trainer(**QUIET, max_epochs=2)
        trainer.fit(module, datamodule=copy.deepcopy(data))
        compiled_now = torch._dynamo.utils.counters["stats"]["unique_graphs"] - programs
        assert (compiled_now > 0) == compiled
        return trainer.callback_metrics["train/loss"].item()

    assert loss(True) == pytest.approx(loss(False), rel=1e-3)


@needs_gpu
@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16"])
def test_a_gpu_takes_nearly_the_same_steps(network, data, precision):
    def loss(accelerator, precision):
        torch.manual_seed(0)
        module = LSegModule(network, adamw(), precision=precision)
        trainer = Trainer(**{**QUIET, "accelerator": accelerator}, devices=1, max_epochs=2)
        trainer.fit(module, datamodule=copy.deepcopy(data))
        return trainer.callback_metrics["train/loss"].item()

    assert loss("gpu", precision) == pytest.approx(loss("cpu", "fp32"), rel=0.05)


def test_balanced_classes_weigh_by_the_pixels_of_the_training_masks(network, tmp_path, table):
    masks = [np.zeros((32, 32), np.uint8), np.full((32, 32), 1, np.uint8)]
    masks[1][:8] = 2
    masks[0][0] = 255
    for index, mask in enumerate(masks):
        Image.fromarray(mask).save(tmp_path / f"m{index}.png")
        Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(tmp_path / f"i{index}.png")
    (tmp_path / "classes.txt").write_text("background\nred circle\nblue star\nred star\n")
    (tmp_path / "train.txt").write_text("i0.png m0.png\ni1.png m1.png\n")
    (tmp_path / "val.txt").write_text("i0.png m0.png\n")
    pairs = PairsDataModule(tmp_path, augment=AugmentConfig(crop=32), batch_size=2)
    module = LSegModule(network, adamw(), class_balance=0.5)
    Trainer(**QUIET, max_epochs=1).fit(module, datamodule=pairs)
    counts = np.array([992, 768, 256])
    wanted = [*np.sqrt(768 / counts), 1.0]  # no picture shows the last class
    torch.testing.assert_close(
        module.asked[0].class_weights, torch.tensor(wanted, dtype=torch.float32)
    )


def test_a_data_module_that_cannot_count_says_so(network, data):
    with pytest.raises(ConfigError, match="class_balance 0"):
        Trainer(**QUIET, max_epochs=1).fit(LSegModule(network, class_balance=0.5), datamodule=data)


def test_training_touches_no_weight_of_the_text_encoder(network, data):
    module = LSegModule(network, adamw())
    source = OpenClipText("tiny", None)
    module.net.text = LabelEncoder(TextConfig("tiny", None), 64, source)
    module.net.project = torch.nn.Conv2d(8, 64, 1)
    module.net.config = network.__class__(**{**vars(network), "embed_dim": 64})
    before = copy.deepcopy(source.net.state_dict())
    trainer = Trainer(**QUIET, max_epochs=1)
    trainer.fit(module, datamodule=data)
    module.train()
    after = source.net.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert not source.net.training
    assert not any(parameter.requires_grad for parameter in source.net.parameters())
    in_optimizer = {id(p) for group in trainer.optimizers[0].param_groups for p in group["params"]}
    assert in_optimizer == {id(parameter) for parameter in module.net.parameters()}
    assert not any("text" in name for name in module.state_dict())


def test_a_resumed_run_ends_with_the_weights_of_an_uninterrupted_one(network, data, tmp_path):
    def run(epochs, resume=None):
        torch.manual_seed(0)
        module = LSegModule(network, adamw(schedule="poly"))
        trainer = Trainer(**QUIET, max_epochs=3, limit_val_batches=0)
        stop = StopAfter(epochs, tmp_path / f"{epochs}.ckpt")
        trainer.callbacks.append(stop)
        trainer.fit(module, datamodule=copy.deepcopy(data), ckpt_path=resume)
        return module.net.state_dict()

    whole = run(3)
    run(1)
    resumed = run(3, tmp_path / "1.ckpt")
    assert all(torch.equal(resumed[name], value) for name, value in whole.items())


class StopAfter(Callback):
    """Saves at the end of an epoch and stops there."""

    def __init__(self, epochs, path):
        self.epochs, self.path = epochs, path

    def on_train_epoch_end(self, trainer, pl_module):
        if trainer.current_epoch + 1 == self.epochs:
            trainer.save_checkpoint(self.path)
            trainer.should_stop = True


def test_frozen_backbone_norm_keeps_its_statistics_while_the_decoder_learns(network, data):
    module = LSegModule(network, adamw(), freeze_backbone_norm=True)
    buffers = {name: value.clone() for name, value in module.net.named_buffers()}
    Trainer(**QUIET, max_epochs=1).fit(module, datamodule=data)
    for name, value in module.net.named_buffers():
        if name.endswith("running_mean"):
            assert torch.equal(value, buffers[name]) == name.startswith("trunk.backbone"), name


def test_sampled_mask_lies_where_aligned_corners_put_the_logits():
    mask = torch.arange(9 * 13).reshape(1, 9, 13)
    sampled = sample_mask(mask, (3, 4))
    wanted = F.interpolate(mask[None].double(), (3, 4), mode="bilinear", align_corners=True)[0]
    assert torch.equal(sampled.double(), wanted)


def test_values_that_do_not_fit_together_are_refused(network):
    with pytest.raises(ConfigError, match="loss_stride is 3"):
        LSegModule(network, loss_stride=3)
    with pytest.raises(ConfigError, match="class_balance is -1"):
        LSegModule(network, class_balance=-1)
    with pytest.raises(ConfigError, match="not both"):
        LSegModule(network, backbone_weights="timm", init_from="tiny")
    with pytest.raises(ConfigError, match="positive"):
        OptimConfig(lr=-1.0)
