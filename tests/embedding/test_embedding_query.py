import json

import numpy as np
import pytest
import torch
from drawing import draw

from lseg.embedding.files import new_embeddings
from lseg.embedding.sidecar import (
    Sidecar,
    describe_config,
    describe_model,
    describe_picture,
    label_encoder,
    made_with,
)
from lseg.embedding.stored import StoredEmbeddings
from lseg.errors import DataError, LabelError
from lseg.files import write_json
from lseg.inference.embed_config import EmbedConfig
from lseg.inference.pca import Moments
from lseg.inference.segmenter import Segmenter
from lseg.store.tensors import fingerprint

NAMES = ["sky", "road", "tree", "other"]


@pytest.fixture
def ask(tmp_path):
    """Label map of a picture by way of a file of its embeddings."""

    def call(model, image, pca=None, **options):
        config = EmbedConfig(**{"dtype": "float32", **options})
        result = Segmenter(model).embed_rows(image, config, pca)
        file, about = tmp_path / "a.npy", {"source": "a.png", "pca": None}
        if pca is not None:
            pca.save(tmp_path / "basis.safetensors")
            about["pca"] = {"file": "basis.safetensors"}
        with new_embeddings(file, result.shape, config.dtype, config.layout) as array:
            for start, rows in result.strips():
                array.put(start, rows.numpy())
        about |= {**describe_picture(result), **describe_model(model), **describe_config(config)}
        write_json(tmp_path / "a.json", about)
        sidecar = Sidecar.read(tmp_path / "a.json")
        encoder = label_encoder(sidecar.text, sidecar.tower, sidecar.embed_dim)
        vectors = encoder.encode(NAMES)
        return StoredEmbeddings.open(file, sidecar).segment(vectors, NAMES).label_map

    return call


def wanted(model, image):
    segmenter = Segmenter(model)
    segmenter.set_image(image)
    label_map = segmenter.segment(NAMES).label_map
    assert len(np.unique(label_map)) > 2
    return label_map


@pytest.mark.parametrize("size", [(64, 96), (97, 150), (128, 64)])
def test_float32_embeddings_give_the_label_map_of_the_network(model, ask, size):
    image = draw(*size)
    assert np.array_equal(ask(model, image), wanted(model, image))


@pytest.mark.parametrize("block", ["depthwise", "bottleneck"])
def test_spatial_blocks_come_with_the_sidecar(make_model, ask, block):
    model, image = make_model(block), draw(64, 96)
    assert np.array_equal(ask(model, image), wanted(model, image))


@pytest.mark.parametrize("options", [{"normalize": False}, {"layout": "HWC"}, {"layout": "NCHW"}])
def test_norms_and_layouts_do_not_matter(model, ask, options):
    image = draw(64, 96)
    assert np.array_equal(ask(model, image, **options), wanted(model, image))


def test_where_padding_is_cut_off_in_the_middle_of_a_step_only_the_edge_differs(model, ask):
    image = draw(64, 90)  # 32 x 45 embeddings of 32 x 48: the last column needs the next one
    found, right = ask(model, image), wanted(model, image)
    assert np.array_equal(found[:, :-1], right[:, :-1])
    assert (found != right).mean() < 0.01


def test_half_precision_changes_next_to_nothing(model, ask):
    image = draw(64, 96)
    assert (ask(model, image, dtype="float16") == wanted(model, image)).mean() > 0.995


@pytest.mark.parametrize("normalize", [True, False])
def test_all_principal_components_lose_nothing(model, ask, normalize):
    image = draw(64, 96)
    moments = Moments(16)
    config = EmbedConfig(dtype="float32", normalize=normalize)
    for _, rows in Segmenter(model).embed_rows(image, config).strips():
        moments.add(rows.flatten(1).T)
    found = ask(model, image, moments.basis(16), normalize=normalize)
    assert (found == wanted(model, image)).mean() > 0.995


def test_embeddings_of_another_grid_give_maps_of_the_picture_s_size(model, ask):
    image = draw(128, 192)
    for options in ({"flip": True}, {"size": 128, "window": 96}):
        found = ask(model, image, **options)
        assert found.shape == (128, 192)


def test_sidecars_of_others_are_refused(tmp_path):
    with pytest.raises(DataError, match="there is no"):
        Sidecar.read(tmp_path / "none.json")
    for text in ("[]", "{}", '{"text": 3}', "no JSON"):
        (tmp_path / "a.json").write_text(text)
        with pytest.raises(DataError, match="not written by `lseg embed`"):
            Sidecar.read(tmp_path / "a.json")


def test_label_vectors_of_another_width_are_refused(model, ask, tmp_path):
    ask(model, draw(64, 64))
    sidecar = Sidecar.read(tmp_path / "a.json")
    with pytest.raises(LabelError, match=r"17.*16"):
        StoredEmbeddings.open(tmp_path / "a.npy", sidecar).segment(torch.ones(2, 17), ["a", "b"])


def test_an_array_that_is_not_what_its_sidecar_says_is_refused(model, ask, tmp_path):
    ask(model, draw(64, 64))
    np.save(tmp_path / "a.npy", np.zeros((3, 8, 8), np.float32))
    sidecar = Sidecar.read(tmp_path / "a.json")
    with pytest.raises(DataError, match="3 channels"):
        StoredEmbeddings.open(tmp_path / "a.npy", sidecar).segment(torch.ones(2, 16), ["a", "b"])


def test_other_weights_have_another_fingerprint(model):
    before = fingerprint(model)
    assert fingerprint(model) == before
    with torch.no_grad():
        next(iter(model.parameters())).view(-1)[0] += 1e-4
    assert fingerprint(model) != before


def test_settings_must_all_be_told(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"size": 3, "pca": None}))
    assert made_with(tmp_path / "a.json", {"size": 3, "pca": None})
    assert not made_with(tmp_path / "a.json", {"size": 4})
    assert not made_with(tmp_path / "a.json", {"flip": None})
