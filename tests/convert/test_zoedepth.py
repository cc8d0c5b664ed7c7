"""ZoeDepth: the outputs are those of transformers, in metres."""

import json

import pytest
import torch
from dpt_family import save_peer, zoedepth
from safetensors.torch import load_file, save_file

from lseg.checkpoints.load import load_model
from lseg.config import TrunkConfig, ZoeDepthConfig
from lseg.convert.checkpoint import ConvertOptions, convert
from lseg.errors import CheckpointError, ConfigError
from lseg.models.upsample import upsample
from lseg.models.zoedepth.network import ZoeDepth

SIZES = [(64, 64), (80, 112)]  # that of the tables; an odd grid that is no square
DOMAINS = ("nyu", "kitti")


@torch.no_grad()
def theirs(peer, pixels):
    """Of each picture for itself, as their batches vote on one domain."""
    maps = [peer(picture[None]).predicted_depth[:, None] for picture in pixels]
    return upsample(torch.cat(maps), pixels.shape[-2:])[:, 0]


@torch.no_grad()
def lean(peer, first, second):
    """Makes two pictures choose unlike domains: the border lies half way between them."""
    logits = [peer(picture[None]).domain_logits[0] for picture in (first, second)]
    leanings = [(each[0] - each[1]).item() for each in logits]
    peer.metric_head.mlp_classifier.linear2.bias[0] -= sum(leanings) / 2


@torch.no_grad()
@pytest.mark.parametrize(
    "options",
    [{}, {"min_temp": 0.5, "use_batch_norm_in_fusion_residual": True},
     {"add_projection": True, "fusion_hidden_size": 256, "bottleneck_features": 256}],
    ids=["published", "batch norm", "projection"],
)  # fmt: skip
def test_one_domain_equals_theirs(tmp_path, options):
    peer = zoedepth(max_temp=2.0, **options)
    model = load_model(save_peer(peer, tmp_path, 64))
    assert model.config.unit == "metres"
    torch.manual_seed(1)
    for size in SIZES:
        pixels = torch.randn(2, 3, *size)
        wanted = theirs(peer, pixels)
        assert wanted.std() > 0.1
        assert (model(pixels) - wanted).abs().max() < 1e-4


@torch.no_grad()
def test_two_domains_equal_theirs_picture_by_picture(tmp_path):
    peer = zoedepth(*DOMAINS, max_temp=2.0)
    torch.manual_seed(1)
    pixels = torch.randn(2, 3, *SIZES[1])
    lean(peer, *pixels)
    chosen = [peer(picture[None]).domain_logits.argmax().item() for picture in pixels]
    assert sorted(chosen) == [0, 1]
    convert(save_peer(peer, tmp_path / "theirs", 64), tmp_path / "ours")
    model = load_model(tmp_path / "ours")
    assert model.config.domains == DOMAINS
    wanted = theirs(peer, pixels)
    assert wanted.std() > 0.1
    assert (model(pixels) - wanted).abs().max() < 1e-4
    square = torch.randn(1, 3, *SIZES[0])
    assert (model(square) - theirs(peer, square)).abs().max() < 1e-4


def test_what_older_files_have_besides_is_left_out(tmp_path):
    file = save_peer(zoedepth(), tmp_path, 64) / "model.safetensors"
    before = "metric_head.conditional_log_binomial.log_binomial_transform."
    more = {f"{before}{name}": torch.zeros(1, 8, 1, 1) for name in ("k_idx", "k_minus_1")}
    save_file({**load_file(file), **more}, file)
    told = convert(tmp_path, tmp_path / "ours").dropped
    assert "number of bins" in told[f"{before}k_idx"]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"bin_centers_type": "normed"}, "bin_centers_type is normed"),
        ({"attractor_kind": "sum"}, "attractor_kind is sum"),
        ({"readout_type": "add"}, "readout_type is add"),
        ({"bottleneck_features": 8}, "bottleneck_features is 8"),
        ({"num_attractors": [1, 2]}, "num_attractors"),
        ({"num_patch_transformer_layers": 3}, "num_patch_transformer_layers is 3"),
        ({"patch_transformer_num_attention_heads": 3}, "patch_transformer_num_attention_heads"),
        ({"bin_configurations": [{"n_bins": 8}, {"n_bins": 8}]}, "two of unlike names"),
        ({"bin_configurations": [{"name": "a", "n_bins": 8}, {"name": "b", "n_bins": 9}]},
         "that they share"),
        ({"bin_configurations": [{"name": str(i), "n_bins": 8} for i in range(3)]}, "one, or two"),
        ({"bin_configurations": 3}, "bin_configurations is 3"),
        ({"backbone_config": {"model_type": "dinov2"}}, "model_type is dinov2"),
    ],
)  # fmt: skip
def test_a_zoedepth_that_networks_here_cannot_be_is_refused(tmp_path, changes, named):
    folder = save_peer(zoedepth(*DOMAINS), tmp_path / "theirs", 64)
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    with pytest.raises(CheckpointError, match=named) as caught:
        convert(folder, tmp_path / "ours")
    assert "\n" not in str(caught.value)


def test_broken_weights_are_named_as_the_folder_has_them(tmp_path):
    folder = save_peer(zoedepth(*DOMAINS), tmp_path / "theirs", 64)
    file = folder / "model.safetensors"
    weights = load_file(file)
    for name in (
        "metric_head.attractors.kitti.2.conv2.bias",
        "metric_head.patch_transformer.transformer_encoder.1.self_attn.key.bias",
        "metric_head.seed_projector.conv1.weight",
    ):
        save_file({key: value for key, value in weights.items() if key != name}, file)
        with pytest.raises(CheckpointError, match=name):
            load_model(folder)
    save_file({**weights, "metric_head.more": torch.ones(1)}, file)
    with pytest.raises(CheckpointError, match=r"unknown weight: 'metric_head.more'"):
        load_model(folder)


def test_a_task_is_for_folders_with_several_heads(tmp_path):
    folder = save_peer(zoedepth(), tmp_path / "theirs", 64)
    with pytest.raises(CheckpointError, match="leave out --task"):
        convert(folder, tmp_path / "ours", ConvertOptions(task="depth"))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"domains": ()}, "domains are"),
        ({"domains": ("a", "a")}, "each once"),
        ({"embedding": 1}, "an embedding two"),
        ({"bins": 4, "max_depth": 10.0}, "no use in a ZoeDepth"),
    ],
)
def test_a_configuration_that_fits_no_network_is_refused(changes, named):
    with pytest.raises(ConfigError, match=named):
        ZoeDepthConfig(**changes)


def test_a_configuration_survives_its_file():
    trunk = TrunkConfig("beit_base_patch16_384", {"depth": 4}, (0, 1, 2, 3))
    config = ZoeDepthConfig(trunk, domains=DOMAINS, attractors=(16, 16, 16, 16))
    assert ZoeDepthConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert ZoeDepth.config_type is ZoeDepthConfig
