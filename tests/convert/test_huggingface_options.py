"""Options of Hugging Face's DPT folders: what they become, and what is refused."""

import pytest

from lseg.config import Preprocessing, TrunkConfig
from lseg.convert.huggingface.dpt import trunk_config
from lseg.convert.huggingface.preprocessor import label_names, preprocessing_config
from lseg.errors import CheckpointError

STEM = {
    "global_padding": "same",
    "layer_type": "bottleneck",
    "depths": [3, 4, 9],
    "hidden_sizes": [256, 512, 1024, 2048],
    "out_features": ["stage1", "stage2", "stage3"],
    "embedding_dynamic_padding": True,
}
SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 5,
    "num_attention_heads": 2,
    "intermediate_size": 72,
    "image_size": 64,
    "backbone_out_indices": [0, 1, 2, 3],
    "neck_hidden_sizes": [8, 12, 16, 20],
    "fusion_hidden_size": 16,
}

# The parts of the published configurations that matter here, under the names that they have.
PUBLISHED = {
    "large": (
        {
            "hidden_size": 1024,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
            "intermediate_size": 4096,
            "backbone_out_indices": [5, 11, 17, 23],
            "neck_hidden_sizes": [256, 512, 1024, 1024],
            "layer_norm_eps": 1e-12,
        },
        TrunkConfig(batch_norm=False),
    ),
    "base": ({}, TrunkConfig("vit_base_patch16_384", {}, (2, 5, 8, 11), (96, 192, 384, 768),
                             batch_norm=False)),
    "hybrid": (
        {
            "is_hybrid": True,
            "neck_hidden_sizes": [256, 512, 768, 768],
            "reassemble_factors": [1, 1, 1, 0.5],
            "neck_ignore_stages": [0, 1],
            "backbone_config": STEM,
        },
        TrunkConfig("vit_base_r50_s16_384", {}, (0, 1, 8, 11), (256, 512, 768, 768),
                    batch_norm=False),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_sizes_get_plain_names(name):
    values, expected = PUBLISHED[name]
    assert trunk_config(values, "here") == expected


def test_the_stride_of_a_stem_of_three_stages_is_16_either_way():
    values, expected = PUBLISHED["hybrid"]
    assert (
        trunk_config({**values, "backbone_config": {**STEM, "output_stride": 16}}, "") == expected
    )


def test_another_size_is_named_after_base():
    sizes = {"img_size": 64, "embed_dim": 32, "depth": 5, "num_heads": 2, "mlp_ratio": 2.25}
    expected = TrunkConfig(
        "vit_base_patch16_384", sizes, (0, 1, 2, 3), (8, 12, 16, 20), "project", 16, False
    )
    assert trunk_config(SMALL, "here") == expected


@pytest.mark.parametrize("hidden", range(60, 100))
def test_every_width_of_the_mlp_survives(hidden):
    ratio = trunk_config({**SMALL, "intermediate_size": hidden}, "here").backbone_options[
        "mlp_ratio"
    ]
    assert int(32 * ratio) == hidden  # as timm rounds


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("add_projection", 3),
        ("use_bias_in_fusion_residual", 1),
        ("hidden_act", "relu"),
        ("layer_norm_eps", 1e-5),
        ("num_channels", 4),
        ("head_in_index", 0),
        ("readout_type", "other"),
        ("backbone", "facebook/dinov2-small"),
        ("backbone_out_indices", [0, 1, 2, 5]),
        ("backbone_out_indices", [0, 1, 2]),
        ("reassemble_factors", [2, 1, 0.5, 0.25]),
        ("neck_hidden_sizes", [8, 12, 16]),
        ("image_size", [64, 96]),
        ("hidden_size", "32"),
        ("fusion_hidden_size", 0),
        ("qkv_bias", 1),
    ],
)
def test_an_option_that_networks_here_cannot_have_is_named(key, value):
    with pytest.raises(CheckpointError, match=f"^here: {key} is ") as caught:
        trunk_config({**SMALL, key: value}, "here")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"backbone_config": {**STEM, "depths": [3, 4, 6]}}, "backbone_config: depths is"),
        ({"backbone_config": {**STEM, "global_padding": None, "num_groups": 16}}, "num_groups"),
        ({"backbone_config": {**STEM, "output_stride": 8}}, "output_stride is 8"),
        ({"neck_ignore_stages": []}, "neck_ignore_stages"),
        ({"patch_size": 32}, "patch_size is 32"),
        ({"readout_type": "add"}, "readout_type is add"),
    ],
)
def test_a_hybrid_that_networks_here_cannot_be_is_refused(changes, named):
    with pytest.raises(CheckpointError, match=named):
        trunk_config({**SMALL, "is_hybrid": True, **changes}, "here")


@pytest.mark.parametrize("size", [80, {"height": 96, "width": 80}, {"shortest_edge": 80}])
def test_preprocessing(size):
    values = {"image_mean": [0.1, 0.2, 0], "image_std": [0.4, 0.5, 1], "size": size}
    expected = Preprocessing((0.1, 0.2, 0.0), (0.4, 0.5, 1.0), 80)
    assert preprocessing_config(values, "here") == expected
    expected = Preprocessing((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), 80)
    assert preprocessing_config({**values, "do_normalize": False}, "here") == expected


def test_preprocessing_where_there_is_none():
    assert preprocessing_config({}, "here") == Preprocessing(size=384)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rescale_factor", 1.0),
        ("do_rescale", False),
        ("image_mean", [0.5]),
        ("image_std", ["a", "b", "c"]),
        ("size", {"longest_edge": 80}),
        ("size", {"height": "96", "width": 80}),
        ("size", 0),
    ],
)
def test_preprocessing_that_networks_here_cannot_have_is_named(key, value):
    with pytest.raises(CheckpointError, match=f"^here: {key} is "):
        preprocessing_config({key: value}, "here")


def test_labels_are_in_the_order_of_the_classes():
    names = {"2": "tree", "0": "wall", "1": "sky"}
    assert label_names({"id2label": names}, 3, "here") == ("wall", "sky", "tree")


def test_labels_are_numbered_where_there_are_none():
    assert label_names({}, 2, "here") == ("class 0", "class 1")


@pytest.mark.parametrize("names", [{"0": "wall"}, {"0": "wall", "2": "sky"}, ["wall", "sky"]])
def test_labels_must_name_every_class(names):
    with pytest.raises(CheckpointError, match="id2label does not name the classes 0 to 1"):
        label_names({"id2label": names}, 2, "here")
