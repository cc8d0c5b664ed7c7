import sys

import pytest
import torch
import yaml
from networks import VIT, WIDTH

import lseg
from lseg.cli import main
from lseg.config import LSegConfig, TrunkConfig
from lseg.errors import ConfigError
from lseg.models.lseg import LSeg
from lseg.training.lora import LoraConfig, called_linears
from lseg.training.module import LSegModule

CONFIG = LSegConfig(VIT, embed_dim=WIDTH)


def adapted(**options):
    return LSegModule(CONFIG, lora=LoraConfig(**options))


def move_adaptors(net):
    with torch.no_grad():
        for name, value in net.named_parameters():
            if "lora_B" in name:
                value += 0.1 * torch.randn_like(value)


def test_adaptors_begin_as_nothing_and_alone_learn_in_the_backbone():
    torch.manual_seed(0)
    plain = LSeg(CONFIG).eval()
    torch.manual_seed(0)
    module = adapted(rank=2).eval()
    pixels, labels = torch.randn(1, 3, 64, 64), torch.randn(3, WIDTH)
    with torch.no_grad():
        assert torch.equal(module.net(pixels, labels), plain(pixels, labels))
    backbone = module.net.trunk.backbone
    learning = [name for name, value in backbone.named_parameters() if value.requires_grad]
    assert len(learning) == 2 * 4 * 4  # two matrices for each of four layers in four blocks
    assert all("lora_" in name for name in learning)
    assert all(value.requires_grad for value in module.net.trunk.fusion.parameters())
    module.net(pixels, labels).square().sum().backward()
    ups = [value for name, value in backbone.named_parameters() if "lora_B" in name]
    assert all(value.grad.abs().max() > 0 for value in ups)


def test_the_saved_network_is_merged_and_answers_alike():
    module = adapted(rank=3, alpha=5.0).eval()
    move_adaptors(module.net)
    merged = module.trained
    assert merged.state_dict().keys() == LSeg(CONFIG).state_dict().keys()
    pixels, labels = torch.randn(1, 3, 50, 70), torch.randn(3, WIDTH)
    with torch.no_grad():
        found, wanted = merged(pixels, labels), module.net(pixels, labels)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


def test_patterns_choose_layers():
    module = adapted(targets=("*.qkv",))
    names = [name for name, _ in module.net.trunk.backbone.named_parameters() if "lora_A" in name]
    assert len(names) == 4
    assert all(".qkv." in name for name in names)


def test_a_layer_that_is_passed_by_gets_no_adaptor():
    options = {"depth": 4, "embed_dim": 32, "num_heads": 2, "img_size": 64}
    trunk = TrunkConfig("beit_base_patch16_224", options, (0, 1, 2, 3), (8,) * 4, "ignore", 8)
    names = called_linears(LSeg(LSegConfig(trunk, embed_dim=WIDTH)).trunk)
    assert names
    assert not [name for name in names if "qkv" in name]  # BEiT takes its kernel by itself


@pytest.mark.parametrize(
    ("options", "part"),
    [({"targets": ("*.query",)}, "no linear layer .* some of its 16 are"), ({"rank": 0}, "rank")],
)
def test_what_cannot_be_is_told_in_one_line(options, part):
    with pytest.raises(ConfigError, match=part) as caught:
        adapted(**options)
    assert "\n" not in str(caught.value)


def test_lora_and_frozen_weights_exclude_each_other():
    with pytest.raises(ConfigError, match="not both"):
        LSegModule(CONFIG, lora=LoraConfig(), freeze_backbone=True)


def test_without_peft_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ConfigError, match=r"pip install \"lseg\[lora\]\""):
        adapted()


def test_a_run_is_taken_up_again_and_its_files_need_no_peft(config, tmp_path, monkeypatch):
    values = yaml.safe_load(config.read_text())
    values["model"]["network"]["trunk"] = LSegConfig(VIT).to_dict()["trunk"]
    values["model"]["lora"] = {"rank": 2}
    config.write_text(yaml.safe_dump(values))
    torch.manual_seed(0)
    assert main(["fit", "--config", str(config)]) == 0
    again = ["fit", "--config", str(config), "--resume", "last", "--trainer.max_epochs", "2"]
    assert main(again) == 0
    monkeypatch.setitem(sys.modules, "peft", None)
    last = lseg.load_model(tmp_path / "run" / "checkpoints" / "last.ckpt")
    model = lseg.load_model(tmp_path / "run" / "model")
    assert model.state_dict().keys() == last.state_dict().keys() == LSeg(CONFIG).state_dict().keys()
