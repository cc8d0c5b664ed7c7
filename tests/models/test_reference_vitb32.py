"""Every stage of LSeg ViT-B/32 against outputs of the original code, with the same weights."""

import dataclasses

import numpy as np
import plain
import pytest
import torch
from reference import fill, image, manifest, outputs
from remembering import remembering_backbones  # noqa: F401
from torch.nn import functional as F

from lseg.config import LSegConfig
from lseg.models.lseg import LSeg
from lseg.models.maps import all_logits
from lseg.models.upsample import double_size, upsample

NAME = "lseg_clip_vitb32_384"
SIZES = [(384, 384), (352, 480)]
TOLERANCE = 1e-4

pytestmark = pytest.mark.usefixtures("remembering_backbones")

PREFIXES = {
    "net.pretrained.model.": "trunk.backbone.vit.",
    "net.scratch.head1.": "project.",
    "net.scratch.head_block.depthwise.depthwise.": "spatial_block.conv.",
    **{f"net.scratch.layer{n}_rn.": f"trunk.fusion.level_convs.{n - 1}." for n in range(1, 5)},
    **{
        f"net.pretrained.act_postprocess{n}.{theirs}.": f"trunk.reassemble.{n - 1}.{ours}."
        for n in range(1, 5)
        for theirs, ours in {"0.project.0": "read.linear", "3": "project", "4": "resample"}.items()
    },
    **{
        f"net.scratch.refinenet{n}.{theirs}": f"trunk.fusion.blocks.{n - 1}.{ours}"
        for n in range(1, 5)
        for theirs, ours in {
            "out_conv.": "project.",
            "resConfUnit1.conv": "skip_unit.conv",
            "resConfUnit1.bn": "skip_unit.norm",
            "resConfUnit2.conv": "unit.conv",
            "resConfUnit2.bn": "unit.norm",
        }.items()
    },
}
UNUSED = (
    "net.clip_pretrained.",
    "net.pretrained.model.norm.",
    "net.pretrained.model.head.",
    "net.scratch.refinenet4.resConfUnit1.",
)
TEXT = ("transformer.", "token_embedding.", "positional_embedding", "ln_final.", "text_projection")


def our_key(key):
    (prefix,) = (prefix for prefix in PREFIXES if key.startswith(prefix))
    return PREFIXES[prefix] + key.removeprefix(prefix)


def build(config, weights):
    with torch.device("meta"):  # no time for random weights
        model = LSeg(config)
    model.load_state_dict(weights, assign=True)
    return model.eval()


@pytest.fixture(scope="module")
def stored():
    return outputs(NAME)


@pytest.fixture(scope="module")
def weights():
    return {
        our_key(key): fill(key, shape)
        for key, shape in manifest(NAME).items()
        if not key.startswith(UNUSED)
    }


@pytest.fixture(scope="module")
def model(weights):
    return build(LSegConfig.preset("vitb32"), weights)


@pytest.fixture(scope="module")
def text20(stored):
    vectors = torch.from_numpy(stored["text_features20"])
    assert vectors.norm(dim=-1).min() > 2  # stored before their division by the norm
    return F.normalize(vectors, dim=-1)


@pytest.fixture(scope="module")
def clip():
    """CLIP's text tower with the original's weights; its vectors for label names."""
    import open_clip

    vision = {"image_size": 32, "layers": 1, "width": 64, "patch_size": 32, "head_width": 64}
    config = open_clip.get_model_config("ViT-B-32-quickgelu")
    net = open_clip.model.CLIP(512, vision, config["text_cfg"], quick_gelu=True).eval()
    prefix = "net.clip_pretrained."
    text = {
        key.removeprefix(prefix): fill(key, shape)
        for key, shape in manifest(NAME).items()
        if key.removeprefix(prefix).startswith(TEXT) and key.startswith(prefix)
    }
    missing, unexpected = net.load_state_dict(text, strict=False)
    assert not unexpected
    assert all(key.startswith(("visual.", "logit_scale")) for key in missing)
    tokenizer = open_clip.get_tokenizer("ViT-B-32")
    return lambda labels: net.encode_text(tokenizer(list(labels)), normalize=True).detach()


@pytest.fixture(scope="module", params=SIZES, ids="{0[0]}x{0[1]}".format)
def stages(request, model):
    """The stored prefix and every stored stage of one forward pass, at full size."""
    height, width = request.param
    pixels = image(height, width, seed=1)
    with torch.no_grad():
        stages = plain.stages(model.trunk, pixels)
        stages["embeddings"] = model.embed(pixels)
        stages["head1"] = stages["embeddings"].dense()
        stages["path_1"] = double_size(model.trunk.project(stages["embeddings"].features))
    return f"{height}x{width}", stages


@torch.no_grad()
def full_logits(model, stages, text):
    size, ours = stages
    height, width = map(int, size.split("x"))
    return upsample(all_logits(model.compare(ours["embeddings"], text)), (height, width))


def difference(ours, theirs):
    assert ours.shape == theirs.shape
    return np.abs(ours.numpy() - theirs).max()


def assert_same_logits(logits, stored, name, tolerance=TOLERANCE):
    assert difference(logits[:, :, ::8, ::8], stored[name]) < tolerance
    best = logits.topk(2, dim=1).values
    clear = (best[:, 0] - best[:, 1] > 1e-3).numpy()
    assert clear.mean() > 0.9
    same = logits.argmax(1).numpy() == stored[f"{name}_argmax"]
    assert same[clear].all()
    assert same.mean() > 0.999


@pytest.mark.parametrize(
    ("stage", "steps"),
    [
        ("layer1", (16, 6, 6)),
        ("layer2", (16, 6, 6)),
        ("layer3", (16, 6, 6)),
        ("layer4", (16, 6, 6)),
        ("path_1", (16, 16, 16)),
        ("head1", (32, 16, 16)),
    ],
)
def test_stage(stages, stored, stage, steps):
    size, ours = stages
    channels, rows, columns = steps
    sliced = ours[stage][:, ::channels, ::rows, ::columns]
    assert difference(sliced, stored[f"{size}_l20_{stage}"]) < TOLERANCE


def test_logits_of_twenty_labels(model, stages, stored, text20):
    assert_same_logits(full_logits(model, stages, text20), stored, f"{stages[0]}_l20")


@pytest.mark.parametrize("stages", SIZES[:1], indirect=True, ids=["384x384"])
@pytest.mark.parametrize("activation", ["lrelu", "tanh"])
@pytest.mark.parametrize(("arch", "block"), [(1, "bottleneck"), (2, "depthwise")])
def test_spatial_blocks_of_depth_two(stored, weights, stages, text20, arch, block, activation):
    name = f"{stages[0]}_l20_arch{arch}_d2_{activation}"
    config = dataclasses.replace(
        LSegConfig.preset("vitb32"), block=block, block_depth=2, block_activation=activation
    )
    shapes = {"weight": (1, 1, 3, 3), "bias": (1,)}
    keys = {f"net.scratch.head_block.depthwise.depthwise.{leaf}": shapes[leaf] for leaf in shapes}
    block_weights = {our_key(key): fill(key, shape) for key, shape in keys.items()}
    regularised = build(config, {**weights, **block_weights})
    assert_same_logits(full_logits(regularised, stages, text20), stored, name)


def test_label_names_through_open_clip(clip, stored, text20):
    assert (clip(stored["labels20"]) - text20).abs().max() < 1e-5


def test_logits_of_three_labels(clip, model, stages, stored):
    logits = full_logits(model, stages, clip(stored["labels3"]))
    assert_same_logits(logits, stored, f"{stages[0]}_l3")


def test_whole_forward_on_a_wide_picture(model, stored, text20):
    with torch.no_grad():
        logits = model(image(352, 480, seed=1), text20)
    assert_same_logits(logits, stored, "352x480_l20")


def test_zero_shot_labels_of_each_image(clip, model, stored):
    names = stored["labels20"]
    text = torch.stack([clip(["others", names[0]]), clip(["others", names[7]])])
    with torch.no_grad():
        logits = model(image(384, 384, seed=1, batch=2), text)
    assert_same_logits(logits, stored, "384x384_zs_0_7")
