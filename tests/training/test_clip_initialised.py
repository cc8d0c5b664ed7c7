"""CLIP's own image weights as an LSeg's image encoder: a configuration and its file."""

from pathlib import Path

import pytest
import torch
import yaml
from networks import save_table
from published_trees import enlarge, plant

from lseg.training.configs import read_config

CONFIG = Path(__file__).parents[2] / "configs" / "ade20k_clip_vitb32.yaml"
TINY = {"depth": 4, "embed_dim": 128, "num_heads": 2, "img_size": 64}


@pytest.fixture
def clip():
    """A CLIP of open_clip, small, with OpenAI's activation."""
    import open_clip

    image = {"image_size": 64, "layers": 4, "width": 128, "head_width": 64, "patch_size": 32}
    text = {"context_length": 8, "vocab_size": 16, "width": 16, "heads": 2, "layers": 1}
    return open_clip.model.CLIP(24, image, text, quick_gelu=True).eval()


@pytest.fixture
def cli(clip, tmp_path, monkeypatch, build):
    """What the configuration builds of that CLIP's file and of planted pictures."""
    monkeypatch.setenv("LSEG_DATA", str(tmp_path))
    plant(tmp_path, "ade20k")
    enlarge(tmp_path)
    torch.save(clip.state_dict(), tmp_path / "clip.pt")
    values = read_config(CONFIG)
    network = values["model"]["network"]
    network["trunk"] |= {"backbone_options": TINY, "levels": [0, 1, 2, 3], "features": 8}
    network["trunk"]["level_widths"] = [8, 8, 16, 16]
    network |= {"embed_dim": 16, "text": {"table": str(tmp_path / "table.safetensors")}}
    values["model"]["backbone_weights"] = str(tmp_path / "clip.pt")
    values["data"]["init_args"] |= {"batch_size": 2, "workers": 0}
    values["data"]["init_args"]["augment"]["crop"] = 32
    values["trainer"] |= {
        "default_root_dir": str(tmp_path / "run"),
        "fast_dev_run": 1,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    cli = build("--config", tmp_path / "small.yaml")
    save_table(tmp_path / "table.safetensors", cli.datamodule.labels)
    return cli


@torch.no_grad()
def test_the_encoder_sees_what_clip_sees(cli, clip):
    backbone = cli.model.net.trunk.backbone.eval()
    pixels = torch.randn(2, 3, 64, 64)
    tower = clip.visual
    seen = tower.ln_post(backbone(pixels)[-1].readout) @ tower.proj
    torch.testing.assert_close(seen, clip.encode_image(pixels), rtol=0, atol=1e-4)


def test_it_takes_a_step(cli):
    before = [weight.detach().clone() for weight in cli.model.net.parameters()]
    cli.trainer.fit(cli.model, datamodule=cli.datamodule)
    assert torch.isfinite(cli.trainer.callback_metrics["train/loss"])
    moved = [
        not torch.equal(old, new)
        for old, new in zip(before, cli.model.net.parameters(), strict=True)
    ]
    assert sum(moved) > len(moved) / 2
    assert cli.model.net.config.preprocessing.mean[0] == 0.48145466
