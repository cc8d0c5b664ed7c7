"""The authors' checkpoints: key maps on the shapes of all seven, and one full-size file."""

import argparse
import dataclasses
import functools
import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F
from torch.testing import assert_close

import lseg.checkpoints.convert
import lseg.checkpoints.native
from lseg.checkpoints.convert import ConvertOptions, convert, recognise, strip_prefix
from lseg.checkpoints.keymap import Conversion, Rule, rename, take
from lseg.checkpoints.native import load_model, load_weights, save_model
from lseg.checkpoints.official import (
    LSEG_RULES,
    SpatialBlockOptions,
    convert_dpt,
    convert_lseg,
    default_labels,
    is_official_dpt,
    is_official_lseg,
    text_config,
    trunk_config,
)
from lseg.config import DepthConfig, LSegConfig, Preprocessing, SegmentationConfig, TextConfig
from lseg.errors import CheckpointError
from lseg.models.dpt import DPTDepth
from lseg.models.registry import architecture_name, build_network
from lseg.models.text import LabelEncoder

REFERENCE = Path(__file__).parents[3] / "shared" / "reference"
needs_manifests = pytest.mark.skipif(not REFERENCE.is_dir(), reason=f"no manifests in {REFERENCE}")

LSEG = {"lseg_clip_vitl16_384": "vitl16", "lseg_clip_vitb32_384": "vitb32",
        "lseg_clip_resnet101": "resnet101"}  # fmt: skip
DPT = {"dpt_large-midas": "vitl16", "dpt_large-ade20k": "vitl16",
       "dpt_hybrid-midas": "hybrid", "dpt_hybrid-ade20k": "hybrid"}  # fmt: skip
NO_BLOCK = SpatialBlockOptions()
BLOCK_KEYS = [f"scratch.head_block.depthwise.depthwise.{leaf}" for leaf in ("weight", "bias")]


@functools.cache
def manifest(name):
    return json.loads((REFERENCE / f"manifest_{name}.json").read_text())


@functools.cache
def filler():
    spec = importlib.util.spec_from_file_location("reference_fill", REFERENCE / "fill.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def dtype_of(key):
    return torch.int64 if key.endswith("num_batches_tracked") else torch.float32


def blank(name):
    """A checkpoint without memory."""
    weights = {
        key: torch.empty(shape, dtype=dtype_of(key), device="meta")
        for key, shape in manifest(name).items()
    }
    return strip_prefix(weights, "net.")


def recognised(weights, block=NO_BLOCK, labels=(), **depth):
    if is_official_lseg(set(weights)):
        return convert_lseg(weights, "the file", block)
    assert is_official_dpt(set(weights))
    return convert_dpt(weights, "the file", labels, depth)


@functools.cache
def network(name):
    """The network that a manifest stands for, without memory."""
    config = recognised(blank(name)).config
    with torch.device("meta"):
        return config, build_network(architecture_name(type(config)), config.to_dict())


def fit(name, conversion):
    """Loads a conversion into its network, which is that of the manifest where shapes agree."""
    config, model = network(name)
    if conversion.config != config:
        with torch.device("meta"):
            values = conversion.config.to_dict()
            model = build_network(architecture_name(type(config)), values)
    load_weights(model, conversion.weights, "the file", assign=True)


def refusal(function, *arguments):
    """The message that something is refused with: one line."""
    with pytest.raises(CheckpointError) as caught:
        function(*arguments)
    message = str(caught.value)
    assert "\n" not in message
    return message


# ---- keys and shapes -----------------------------------------------------------------------------


@needs_manifests
@pytest.mark.parametrize("name", [*LSEG, *DPT])
def test_every_key_is_kept_or_dropped_with_a_reason(name):
    weights = blank(name)
    keys = list(weights)
    conversion = recognised(weights)
    assert conversion.config == network(name)[0]
    assert all(reason for reason in conversion.dropped.values())
    assert list(weights) == [key for key in keys if key in conversion.dropped]
    kept = len(conversion.weights) + len(conversion.text or {})
    assert kept + len(conversion.dropped) == len(keys)
    fit(name, conversion)
    assert set(conversion.weights) == set(network(name)[1].state_dict())


@needs_manifests
@pytest.mark.parametrize(("name", "preset"), LSEG.items())
def test_the_configuration_of_lseg_is_that_of_the_preset(name, preset):
    wanted = LSegConfig.preset(preset)
    config = recognised(blank(name)).config
    text = TextConfig("ViT-B-32-quickgelu", "openai")  # the plain one is silently wrong
    assert config == dataclasses.replace(wanted, text=text)


@needs_manifests
@pytest.mark.parametrize(("name", "preset"), DPT.items())
def test_the_configuration_of_dpt(name, preset):
    config = recognised(blank(name)).config
    depth = name.endswith("midas")
    trunk = dataclasses.replace(LSegConfig.preset(preset).trunk, batch_norm=not depth)
    if depth:
        assert config == DepthConfig(trunk, Preprocessing(size=384))
    else:
        assert config == SegmentationConfig(trunk, Preprocessing(size=480), default_labels(150))


@needs_manifests
def test_the_clip_of_an_lseg_is_split_into_text_tower_and_rest():
    conversion = recognised(blank("lseg_clip_vitb32_384"))
    keys = {key.split(".")[0] for key in conversion.text}
    assert keys == {
        "positional_embedding", "text_projection", "transformer", "token_embedding", "ln_final",
    }  # fmt: skip
    clip = [key for key in conversion.dropped if key.startswith("clip_pretrained.")]
    assert all(key.split(".")[1] in ("visual", "logit_scale") for key in clip)


@needs_manifests
@pytest.mark.parametrize("name", ["lseg_clip_vitb32_384", "dpt_hybrid-midas"])
def test_another_size_of_the_position_table(name):
    weights = blank(name)
    width = weights["pretrained.model.pos_embed"].shape[-1]
    stride = 32 if "b32" in name else 16
    weights["pretrained.model.pos_embed"] = torch.empty(1, 1 + 15**2, width, device="meta")
    assert trunk_config(weights, "the file").backbone_options == {"img_size": 15 * stride}


@needs_manifests
@pytest.mark.parametrize(
    ("width", "resnet", "model"),
    [
        (512, False, "ViT-B-32-quickgelu"),
        (640, True, "RN50x4-quickgelu"),
        (768, True, "RN50x16-quickgelu"),
        (768, False, "ViT-L-14-quickgelu"),
    ],
)
def test_the_text_encoder_is_known_by_its_width(width, resnet, model):
    import open_clip

    weights = {"clip_pretrained.text_projection": torch.empty(512, width, device="meta")}
    if resnet:
        weights["clip_pretrained.visual.layer1.0.conv1.weight"] = torch.empty(1, device="meta")
    assert text_config(weights, "the file") == TextConfig(model, "openai")
    options = open_clip.get_model_config(model)
    assert options["embed_dim"] == width
    assert options["quick_gelu"]
    weights["clip_pretrained.text_projection"] = torch.empty(512, 333, device="meta")
    assert "333" in refusal(text_config, weights, "the file")


def test_the_first_matching_rule_decides():
    rules = [
        Rule(r"a\.(\w+)", r"b.\1"),
        Rule(r"a\..+", None, "not wanted"),
        Rule(r"c(\d)\.(\w+)", r"d.\1.\2"),
    ]
    renaming = rename(["a.x", "a.x.y", "c3.w"], rules, "the file")
    assert renaming.kept == {"a.x": "b.x", "c3.w": "d.3.w"}
    assert renaming.dropped == {"a.x.y": "not wanted"}
    assert "'xa.x'" in refusal(rename, ["a.x", "xa.x"], rules, "the file")


def test_tensors_move_to_their_new_names():
    weights = {"a": torch.zeros(1), "b": torch.ones(1)}
    assert take(weights, {"a": "c"}) == {"c": torch.zeros(1)}
    assert list(weights) == ["b"]


def test_a_prefix_is_dropped_only_where_all_keys_have_it():
    weights = {"net.a": torch.zeros(1), "net.b": torch.zeros(1)}
    assert list(strip_prefix(weights, "net.")) == ["a", "b"]
    mixed = {**weights, "c": torch.zeros(1)}
    assert strip_prefix(mixed, "net.") is mixed


def test_the_classes_of_ade20k():
    labels = default_labels(150)
    assert len(set(labels)) == 150
    assert labels[:3] == ("wall", "building", "sky")
    assert default_labels(3) == ("class 0", "class 1", "class 2")


# ---- what does not fit ---------------------------------------------------------------------------

CASES = [
    ("lseg_clip_vitb32_384", "pretrained.model.blocks.3.mlp.fc1.bias"),
    ("lseg_clip_vitb32_384", "pretrained.model.cls_token"),
    ("lseg_clip_vitb32_384", "pretrained.model.pos_embed"),
    ("lseg_clip_vitb32_384", "pretrained.act_postprocess1.4.weight"),
    ("lseg_clip_vitb32_384", "scratch.layer1_rn.weight"),
    ("lseg_clip_vitb32_384", "scratch.layer3_rn.weight"),
    ("lseg_clip_vitb32_384", "scratch.refinenet2.resConfUnit1.bn2.running_var"),
    ("lseg_clip_vitb32_384", "scratch.refinenet1.out_conv.bias"),
    ("lseg_clip_vitb32_384", "scratch.head1.bias"),
    ("lseg_clip_resnet101", "pretrained.layer1.1.running_mean"),
    ("lseg_clip_resnet101", "pretrained.layer3.22.bn3.weight"),
    ("lseg_clip_resnet101", "pretrained.layer2.0.downsample.0.weight"),
    ("dpt_hybrid-ade20k", "pretrained.model.patch_embed.backbone.stages.1.blocks.0.norm1.bias"),
    ("dpt_hybrid-ade20k", "scratch.output_conv.1.running_var"),
    ("dpt_large-ade20k", "scratch.output_conv.4.weight"),
    ("dpt_large-ade20k", "scratch.output_conv.4.bias"),
    ("dpt_large-midas", "pretrained.act_postprocess2.0.project.0.weight"),
    ("dpt_large-midas", "scratch.output_conv.2.bias"),
    ("dpt_large-midas", "scratch.output_conv.4.weight"),
]


def loaded(name, weights):
    fit(name, recognised(weights))


def our_name(name, key):
    """What a key is called here: errors may name either."""
    rules = LSEG_RULES
    if name.startswith("dpt"):
        official = lseg.checkpoints.official
        rules = official.SEGMENTATION_RULES if "ade20k" in name else official.DEPTH_RULES
    return rename([key], rules, "the file").kept[key]


def assert_named(message, name, key):
    assert repr(key) in message or repr(our_name(name, key)) in message, message


@needs_manifests
@pytest.mark.parametrize(("name", "key"), CASES)
def test_a_missing_weight_is_named(name, key):
    weights = blank(name)
    del weights[key]
    assert_named(refusal(loaded, name, weights), name, key)


@needs_manifests
@pytest.mark.parametrize(("name", "key"), CASES)
@pytest.mark.parametrize("shape", [(), (3,), (2, 2, 2, 2, 2)], ids=str)
def test_a_weight_of_another_shape_is_named(name, key, shape):
    weights = blank(name)
    weights[key] = torch.empty(shape, device="meta")
    assert_named(refusal(loaded, name, weights), name, key)


@needs_manifests
@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("lseg_clip_vitb32_384", "scratch.head1.bias", "scratch.head2.bias"),
        ("lseg_clip_vitb32_384", "scratch.layer1_rn.weight", "scratch.layer5_rn.weight"),
        ("lseg_clip_vitb32_384", "pretrained.act_postprocess1.3.bias", "pretrained.act.bias"),
        ("lseg_clip_resnet101", "pretrained.layer4.0.bn1.bias", "pretrained.layer5.0.bn1.bias"),
        ("dpt_large-midas", "scratch.output_conv.4.bias", "scratch.output_conv.6.bias"),
        ("dpt_hybrid-ade20k", "scratch.output_conv.4.bias", "scratch.output_conv.4"),
    ],
)
def test_a_renamed_weight_is_named(name, old, new):
    weights = blank(name)
    weights[new] = weights.pop(old)
    message = refusal(loaded, name, weights)
    assert repr(old) in message or repr(new) in message


@needs_manifests
def test_an_unknown_transformer_is_refused_with_the_known_ones():
    weights = blank("lseg_clip_vitb32_384")
    weights["pretrained.model.patch_embed.proj.weight"] = torch.empty(384, 3, 16, 16, device="meta")
    assert "384" in refusal(trunk_config, weights, "the file")


@needs_manifests
@pytest.mark.parametrize("rows", [0, 1])
def test_a_position_table_without_positions_is_refused(rows):
    weights = blank("lseg_clip_vitb32_384")
    weights["pretrained.model.pos_embed"] = torch.empty(1, rows, 768, device="meta")
    assert "pos_embed" in refusal(loaded, "lseg_clip_vitb32_384", weights)


@needs_manifests
@pytest.mark.parametrize("key", BLOCK_KEYS)
def test_spatial_blocks_must_be_described(key):
    weights = blank("lseg_clip_vitb32_384")
    weights[key] = torch.empty((1, 1, 3, 3) if key.endswith("weight") else (1,), device="meta")
    message = refusal(recognised, weights)
    assert all(option in message for option in ("--block", "bottleneck", "depthwise"))


@needs_manifests
@pytest.mark.parametrize("kind", ["depthwise", "bottleneck"])
def test_spatial_blocks_as_described(kind):
    weights = blank("lseg_clip_vitb32_384")
    shapes = [(1, 1, 3, 3), (1,)]
    weights.update(
        {key: torch.empty(s, device="meta") for key, s in zip(BLOCK_KEYS, shapes, strict=True)}
    )
    conversion = recognised(weights, SpatialBlockOptions(kind, 2, "tanh"))
    config = conversion.config
    assert (config.block, config.block_depth, config.block_activation) == (kind, 2, "tanh")
    blocks = [key for key in conversion.weights if key.startswith("spatial_block.")]
    assert sorted(blocks) == ["spatial_block.conv.bias", "spatial_block.conv.weight"]
    wanted = dataclasses.replace(network("lseg_clip_vitb32_384")[0], block=kind, block_depth=2,
                                 block_activation="tanh")  # fmt: skip
    assert config == wanted


@needs_manifests
def test_spatial_blocks_that_are_not_there_are_refused():
    message = refusal(recognised, blank("lseg_clip_vitb32_384"), SpatialBlockOptions("depthwise"))
    assert "--block" in message


@needs_manifests
@pytest.mark.parametrize("count", [1, 149, 151])
def test_labels_must_be_as_many_as_classes(count):
    labels = tuple(f"label {index}" for index in range(count))
    message = refusal(recognised, blank("dpt_large-ade20k"), NO_BLOCK, labels)
    assert "150" in message
    assert str(count) in message


@needs_manifests
def test_labels_and_depth_options_reach_the_configuration():
    labels = tuple(f"label {index}" for index in range(150))
    config = recognised(blank("dpt_large-ade20k"), labels=labels).config
    assert config.labels == labels
    config = recognised(blank("dpt_hybrid-midas"), scale=3.0, shift=0.5, invert=True).config
    assert (config.scale, config.shift, config.invert) == (3.0, 0.5, True)


# ---- files ---------------------------------------------------------------------------------------


def hollow(name):
    """A checkpoint whose tensors have the right shapes and one element of memory each."""
    return {
        key: torch.zeros((), dtype=dtype_of(key)).expand(shape)
        for key, shape in manifest(name).items()
    }


def test_a_checkpoint_of_another_kind_is_refused_with_what_is_accepted(tmp_path):
    torch.save({"encoder.weight": torch.zeros(3)}, tmp_path / "other.pt")
    message = refusal(recognise, tmp_path / "other.pt", ConvertOptions())
    assert "'encoder.weight'" in message
    assert "isl-org/lang-seg" in message


@pytest.mark.parametrize("name", ["empty", "missing", "native"])
def test_a_folder_of_another_kind_is_refused(tmp_path, model, name):
    folder = tmp_path / name
    if name == "native":
        save_model(model, folder)
    elif name == "empty":
        folder.mkdir()
    message = refusal(convert, folder, tmp_path / "out")
    assert str(folder) in message
    assert not (tmp_path / "out").exists()


@needs_manifests
@pytest.mark.parametrize(
    "key",
    ["token_embedding.weight", "transformer.resblocks.5.mlp.c_fc.bias", "text_projection"],
)
@pytest.mark.parametrize("change", ["missing", "shape"])
def test_a_text_encoder_that_does_not_fit_is_refused(tmp_path, key, change):
    weights = hollow("lseg_clip_vitb32_384")
    if change == "missing":
        del weights[f"net.clip_pretrained.{key}"]
    else:
        weights[f"net.clip_pretrained.{key}"] = torch.zeros(2, 512)
    torch.save({"state_dict": weights}, tmp_path / "model.ckpt")
    message = refusal(convert, tmp_path / "model.ckpt", tmp_path / "out")
    assert key in message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.ckpt"]


@pytest.fixture
def depth_net(tmp_path, config):
    torch.manual_seed(0)
    return DPTDepth(DepthConfig(config.trunk, Preprocessing(size=64))).eval()


@pytest.fixture
def source(tmp_path, depth_net, monkeypatch):
    """A file that is recognised as a tiny network."""

    def tiny(path, options):
        weights = lseg.checkpoints.convert.read_state_dict(path)
        return Conversion("a tiny DPT", depth_net.config, weights, None, {"extra": "not used"})

    monkeypatch.setattr(lseg.checkpoints.convert, "recognise", tiny)
    (tmp_path / "in").mkdir()
    torch.save(depth_net.state_dict(), tmp_path / "in" / "tiny.pt")
    return tmp_path / "in" / "tiny.pt"


def assert_same(model, other):
    weights, others = model.state_dict(), other.state_dict()
    assert list(weights) == list(others)
    for key, tensor in weights.items():
        assert tensor.dtype == others[key].dtype, key
        assert torch.equal(tensor, others[key]), key


def test_a_folder_is_written_with_what_was_left_out(source, depth_net, tmp_path):
    out = tmp_path / "a" / "b"
    convert(source, out)
    assert sorted(path.name for path in out.iterdir()) == [
        "config.json", "conversion.json", "model.safetensors",
    ]  # fmt: skip
    assert list(out.parent.iterdir()) == [out]
    told = json.loads((out / "conversion.json").read_text())
    assert told == {"source": "a tiny DPT", "dropped": {"extra": "not used"}}
    model = load_model(out)
    assert type(model) is DPTDepth
    assert model.config == depth_net.config
    assert_same(model, depth_net)


def test_the_size_of_the_input_can_be_given(source, tmp_path):
    convert(source, tmp_path / "out", ConvertOptions(size=320))
    assert load_model(tmp_path / "out").config.preprocessing == Preprocessing(size=320)


def test_an_empty_destination_is_taken(source, tmp_path):
    (tmp_path / "out").mkdir()
    convert(source, tmp_path / "out")
    load_model(tmp_path / "out")


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_destination_that_exists_is_refused_and_stays(source, tmp_path, kind):
    out = tmp_path / "out"
    if kind == "folder":
        out.mkdir()
    file = out / "mine.txt" if kind == "folder" else out
    file.write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    assert str(out) in refusal(convert, source, out)
    assert sorted(tmp_path.rglob("*")) == before
    assert file.read_text() == "mine"


def test_a_destination_below_a_file_is_refused(source, tmp_path):
    (tmp_path / "file").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    refusal(convert, source, tmp_path / "file" / "out")
    assert sorted(tmp_path.rglob("*")) == before


def test_the_working_folder_as_destination(source, tmp_path, monkeypatch):
    """Renaming cannot replace it: refused or filled, but no other error."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    try:
        convert(source, ".")
    except CheckpointError:
        assert not list(Path().iterdir())
    else:
        load_model(tmp_path / "here")


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
@pytest.mark.parametrize("step", ["save_file", "write_json", "conversion.json", "replace"])
def test_an_interrupted_conversion_leaves_nothing(source, tmp_path, monkeypatch, step, error):
    def stop(*arguments, **options):
        if step == "save_file":
            Path(arguments[1]).write_bytes(b"half of it")
        raise error

    if step == "replace":
        monkeypatch.setattr(Path, "replace", stop)
    else:
        place = lseg.checkpoints.convert if step == "conversion.json" else lseg.checkpoints.native
        monkeypatch.setattr(place, "write_json" if "json" in step else step, stop)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(type(error) if isinstance(error, OSError) else error):
        convert(source, tmp_path / "out")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda weights: {k: w.contiguous(memory_format=torch.channels_last) if w.ndim == 4 else w
                         for k, w in weights.items()},
        lambda weights: {**weights, "depth.weight": weights["depth.weight"].mT.contiguous().mT},
        lambda weights: {**weights, "depth.bias": weights["refine.bias"][:1]},
    ],
    ids=["channels last", "transposed", "a view of another"],
)  # fmt: skip
def test_the_layout_of_the_tensors_does_not_matter(source, depth_net, tmp_path, change):
    weights = change(depth_net.state_dict())
    torch.save(weights, source)
    convert(source, tmp_path / "out")
    found = load_model(tmp_path / "out").state_dict()
    for key, tensor in weights.items():
        assert torch.equal(found[key], tensor), key


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_another_float_type_load_as_float32(source, depth_net, tmp_path, dtype):
    weights = {
        key: tensor.to(dtype) if tensor.is_floating_point() else tensor
        for key, tensor in depth_net.state_dict().items()
    }
    torch.save(weights, source)
    convert(source, tmp_path / "out")
    for key, tensor in load_model(tmp_path / "out").state_dict().items():
        assert tensor.dtype == (torch.int64 if "num_batches" in key else torch.float32)
        assert torch.equal(tensor, weights[key].to(tensor.dtype)), key


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(1, dtype=torch.int8),
        torch.zeros(1, dtype=torch.complex64),
        torch.zeros(1).to_sparse(),
    ],
    ids=["int8", "complex", "sparse"],
)
def test_weights_that_are_no_dense_floats_are_refused(source, depth_net, tmp_path, tensor):
    torch.save({**depth_net.state_dict(), "depth.bias": tensor}, source)
    assert "depth.bias" in refusal(convert, source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


# ---- one full-size file --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stored():
    with np.load(REFERENCE / "ref_lseg_clip_vitb32_384.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def original():
    """LSeg ViT-B/32 as it was published: CLIP in half precision (its image side empty here)."""
    half = set(json.loads((REFERENCE / "fp16_keys_clip_vitb32.json").read_text()))
    weights = {}
    for key, shape in manifest("lseg_clip_vitb32_384").items():
        if key.startswith("net.clip_pretrained.visual."):
            weights[key] = torch.zeros(()).expand(shape)
        else:
            weights[key] = filler().fill(key, shape)
        if key in half:
            weights[key] = weights[key].half()
    return weights


@pytest.fixture(scope="module")
def folder(original, tmp_path_factory):
    """The file of the authors and its conversion, removed in the end: they are large."""
    place = tmp_path_factory.mktemp("full")
    options = argparse.Namespace(backbone="clip_vitb32_384", path=Path("data"))
    checkpoint = {"epoch": 3, "state_dict": original, "hyper_parameters": options}
    torch.save(checkpoint, place / "demo.ckpt")
    convert(place / "demo.ckpt", place / "out")
    yield place / "out"
    shutil.rmtree(place)


@needs_manifests
def test_a_full_size_file_becomes_a_folder_with_its_text_encoder(folder, original):
    names = sorted(path.name for path in folder.iterdir())
    assert names == [
        "config.json", "conversion.json", "model.safetensors", "text_encoder.safetensors",
    ]  # fmt: skip
    told = json.loads((folder / "conversion.json").read_text())
    text, weights = (
        load_file(folder / f"{name}.safetensors") for name in ("text_encoder", "model")
    )
    assert len(text) + len(weights) + len(told["dropped"]) == len(original)
    for key, tensor in text.items():
        theirs = original[f"net.clip_pretrained.{key}"]
        assert tensor.dtype == theirs.dtype
        assert torch.equal(tensor, theirs)
    theirs = original["net.pretrained.model.blocks.11.attn.qkv.weight"]
    assert torch.equal(weights["trunk.backbone.vit.blocks.11.attn.qkv.weight"], theirs)


@needs_manifests
@torch.no_grad()
def test_the_folder_gives_the_outputs_of_the_original(folder, stored):
    model = load_model(folder)
    embeddings = model.encode_image(filler().image(384, 384, seed=1))
    found = embeddings[:, ::32, ::16, ::16].numpy()
    assert np.abs(found - stored["384x384_l20_head1"]).max() < 1e-4


@needs_manifests
def test_half_precision_text_weights_answer_label_strings_offline(folder, stored, monkeypatch):
    import open_clip

    def no_download(*arguments, **options):
        raise AssertionError("asked for weights")

    monkeypatch.setattr(open_clip, "create_model", no_download)
    vectors = load_model(folder).encode_labels(list(stored["labels20"]))
    assert vectors.dtype == torch.float32
    assert torch.allclose(vectors.norm(dim=-1), torch.ones(20), atol=1e-5)
    wanted = F.normalize(torch.from_numpy(stored["text_features20"]), dim=-1)
    assert (vectors - wanted).abs().max() < 1e-3  # rounding of the weights


@needs_manifests
def test_full_precision_text_weights_give_the_vectors_of_the_original(stored, tmp_path):
    name = "lseg_clip_vitb32_384"
    weights = blank(name)
    for key in weights:
        if key.startswith("clip_pretrained.") and ".visual." not in key:
            weights[key] = filler().fill(f"net.{key}", weights[key].shape)
    conversion = recognised(weights)
    save_file(conversion.text, tmp_path / "text.safetensors")
    encoder = LabelEncoder(conversion.config.text, 512)
    encoder.tower = tmp_path / "text.safetensors"
    vectors = encoder.encode(list(stored["labels20"]))
    wanted = F.normalize(torch.from_numpy(stored["text_features20"]), dim=-1)
    assert (vectors - wanted).abs().max() < 1e-5


@needs_manifests
@torch.no_grad()
def test_saving_again_keeps_weights_text_encoder_and_outputs(folder, tmp_path):
    model = load_model(folder)
    again = tmp_path / "again"
    try:
        model.save_pretrained(again)
        assert sorted(path.name for path in again.iterdir()) == [
            "config.json", "model.safetensors", "text_encoder.safetensors",
        ]  # fmt: skip
        for name in ("model", "text_encoder"):
            ours, theirs = (load_file(f / f"{name}.safetensors") for f in (again, folder))
            assert list(ours) == list(theirs)
            assert all(ours[key].dtype == theirs[key].dtype for key in ours)
            assert all(torch.equal(ours[key], theirs[key]) for key in ours)
        other = load_model(again)
        assert other.config == model.config
        labels, pixels = ["sky", "road|street", "other"], torch.randn(1, 3, 64, 96)
        assert torch.equal(other.encode_labels(labels), model.encode_labels(labels))
        assert_close(other(pixels, labels), model(pixels, labels), rtol=0, atol=1e-6)
    finally:
        shutil.rmtree(again, ignore_errors=True)
