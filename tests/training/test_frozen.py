import pytest
import torch

from lseg.config import LSegConfig, TrunkConfig
from lseg.errors import ConfigError
from lseg.training.module import LSegModule
from lseg.training.objective import AskedSet, LossConfig, batch_loss
from lseg.training.optim import build_optimizer

TRUNK = TrunkConfig("mobilenetv2_035", {}, (1, 2, 3, 4), (8, 16, 32, 112), "ignore", 16)


def module(frozen):
    return LSegModule(LSegConfig(TRUNK, embed_dim=24), freeze_backbone=frozen)


def trained(frozen):
    """Names of the backbone's parameters that a step changes."""
    made = module(frozen)
    backbone = made.net.trunk.backbone
    before = {name: value.clone() for name, value in backbone.named_parameters()}
    optimizer = build_optimizer(made.optim, backbone, made.net)
    made.net.coarse_logits(torch.randn(2, 3, 64, 64), torch.randn(3, 24)).square().sum().backward()
    optimizer.step()
    after = dict(backbone.named_parameters())
    return {name for name, value in before.items() if not torch.equal(value, after[name])}


def test_the_decoder_alone():
    assert trained(False)
    assert trained(True) == set()


def test_patterns():
    kept = trained(["net.conv_stem.*", "net.blocks.0.*", "*.conv_dw.*"])
    assert kept
    assert not [name for name in kept if name.startswith(("net.conv_stem", "net.blocks.0."))]
    assert not [name for name in kept if "conv_dw" in name]
    assert [name for name in kept if name.startswith("net.blocks.1.")]


def test_a_pattern_without_a_parameter_is_refused():
    with pytest.raises(ConfigError, match=r"'net\.stage\.\*'.*some of its \d+ are net\.conv_stem"):
        module(["net.stage.*"])


def test_a_frozen_backbone_gives_the_same_first_loss_and_records_nothing():
    batch = {
        "image": torch.randint(0, 256, (2, 3, 64, 64)),
        "mask": torch.randint(0, 5, (2, 64, 64)),
    }
    losses = []
    for frozen in (False, True):
        torch.manual_seed(0)
        made = module(frozen)
        text = torch.nn.functional.normalize(torch.randn(5, 24), dim=-1)
        losses.append(batch_loss(made.net, [AskedSet(text)], batch, LossConfig(4, 0.0, 255)))
        levels = made.net.trunk.backbone(made.net.normalize(batch["image"]))
        assert all(level.map.requires_grad is not frozen for level in levels)
    assert torch.equal(losses[0], losses[1])
