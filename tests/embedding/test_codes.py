"""Codes against the network that they are made by, at sizes with and without padding."""

import hashlib
import json
import pickle

import numpy as np
import pytest
import torch
from drawing import draw
from vit_network import NAMES

from lseg.embedding.codes import CodeBasis, PictureCodes, codes_of
from lseg.embedding.picture_files import CodeFiles, DenseFiles
from lseg.embedding.region_files import RegionFiles, Superpixels
from lseg.embedding.sidecar import describe_config, describe_model, describe_picture
from lseg.embedding.stored import open_embeddings
from lseg.embedding.zarr_store import ZarrArrays
from lseg.errors import ConfigError, DataError, ImageError, LabelError
from lseg.files import write_json
from lseg.inference.embed_config import EmbedConfig
from lseg.inference.pca import Moments
from lseg.inference.segmenter import Segmenter
from lseg.models.embeddings import AffineMap, PixelEmbeddings, merge_projections
from lseg.models.maps import all_logits
from lseg.models.regularization import halo

SIZES = [(64, 96), (64, 110), (97, 66)]  # without padding, with padding, resized and padded


@pytest.fixture
def store(tmp_path):
    """Files of a picture's embeddings, opened: codes of a kind, or dense float32 for None."""

    def call(model, image, kind="exact", pca=None, **options):
        config = EmbedConfig(**{"dtype": "float32", **options})
        result = Segmenter(model).embed_rows(image, config, pca)
        if kind is None:
            files = DenseFiles(".npy")
        else:
            basis = tmp_path / "basis.safetensors"
            CodeBasis.of(merge_projections(model.trunk.project, model.project)).settle(basis)
            files = CodeFiles(kind, basis.name, sha256_of(basis), halo(model.spatial_block))
        written = files.write(tmp_path, "a", result)
        written.finish()
        about = {"source": "a.png", "pca": None, "file": files.file("a")}
        if pca is not None:
            pca.save(tmp_path / "pca.safetensors")
            about["pca"] = {"file": "pca.safetensors"}
        about |= {**describe_model(model), **describe_config(config), **describe_picture(result)}
        write_json(tmp_path / "a.json", {**about, **written.told})
        return open_embeddings(tmp_path / about["file"])

    return call


def sha256_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def network_answer(model, image):
    """Logits (N, H, W) at the picture's size, and the label map."""
    segmenter = Segmenter(model)
    segmenter.set_image(image)
    return answer(segmenter.segment(NAMES))


def answer(segmentation):
    with torch.inference_mode():
        return all_logits(segmentation._logits)[0].numpy(), segmentation.label_map


@pytest.mark.parametrize("block", ["none", "depthwise", "bottleneck"])
@pytest.mark.parametrize("size", SIZES)
def test_exact_codes_answer_as_the_network(make_model, store, block, size):
    model, image = make_model(block), draw(*size)
    logits, label_map = answer(store(model, image).segment(NAMES))
    wanted, wanted_map = network_answer(model, image)
    assert len(np.unique(wanted_map)) > 2
    np.testing.assert_allclose(logits, wanted, atol=1e-5, rtol=0)
    assert np.array_equal(label_map, wanted_map)


def test_only_what_visible_pixels_need_is_stored(make_model, store, tmp_path):
    image = draw(64, 110)
    for block, wanted in (("none", (16, 30)), ("depthwise", (16, 31))):
        found = store(make_model(block), image)
        assert found.sidecar.codes.grid == (16, 32)
        assert PictureCodes.load(tmp_path / "a.safetensors").values.shape[1:] == wanted
        assert found.embed().shape[1:] == found.sidecar.codes.output == (32, 55)


@pytest.mark.parametrize(("channels", "features"), [(16, 8), (8, 8), (5, 8)])
def test_the_smaller_of_features_and_embeddings_is_stored(channels, features):
    projection = AffineMap(torch.randn(channels, features), torch.randn(channels))
    embeddings = PixelEmbeddings(torch.randn(2, features, 6, 7), projection)
    codes, basis = codes_of(embeddings), CodeBasis.of(projection)
    assert codes.shape == (2, min(channels, features), 6, 7)
    restored = PixelEmbeddings(codes, basis.map)
    assert torch.allclose(restored.dense(), embeddings.dense(), atol=1e-5)
    assert torch.allclose(restored.norms, embeddings.norms, atol=1e-5)


@pytest.mark.parametrize(("kind", "error"), [("float16", 0.05), ("int8", 2.0)])
def test_rounded_codes_lose_little(model, store, kind, error):
    image = draw(64, 96)
    logits, label_map = answer(store(model, image, kind).segment(NAMES))
    wanted, wanted_map = network_answer(model, image)
    assert 0 < np.abs(logits - wanted).max() < error
    assert (label_map == wanted_map).mean() > 0.98


@pytest.mark.parametrize("kind", ["exact", None])
@pytest.mark.parametrize("size", SIZES)
def test_points_have_the_embeddings_that_logits_are_made_of(model, store, kind, size):
    image = draw(*size)
    found = store(model, image, kind)
    logits, _ = answer(found.segment(NAMES))
    points = [(0, 0), (size[1] - 1, size[0] - 1), (17, 3), (5, 3), (17, 3)]
    vectors = model.encode_labels(NAMES).numpy()
    scores = found.logit_scale * found.embed_at(points) @ vectors.T
    for (column, row), one in zip(points, scores, strict=True):
        np.testing.assert_allclose(one, logits[:, row, column], atol=2e-5)


def test_regions_have_the_means_of_their_pixels(model, store):
    found = store(model, draw(64, 96))
    regions = np.full((64, 96), -1)
    regions[3, 17], regions[10:20, 5:40] = 0, 2
    means = found.embed_regions(regions)
    assert means.shape == (3, model.config.embed_dim)
    np.testing.assert_allclose(means[0], found.embed_at([(17, 3)])[0], atol=1e-6)
    assert not means[1].any()
    inside = found.embed_at([(x, y) for y in range(10, 20) for x in range(5, 40)])
    np.testing.assert_allclose(means[2], inside.mean(0), atol=1e-5)


@pytest.mark.parametrize("size", SIZES)
def test_full_maps_are_the_dense_files(model, store, size):
    image = draw(*size)
    found = store(model, image).embed()
    wanted = Segmenter(model).embed(image, dtype="float32")
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    np.testing.assert_allclose(store(model, image, None).embed(), wanted, atol=1e-6)
    other = store(model, image).embed((20, 30))
    wanted = Segmenter(model).embed(image, (20, 30), "float32")
    np.testing.assert_allclose(other, wanted, atol=1e-6)


def test_dense_files_of_all_components_give_embeddings_back(model, store):
    image, width = draw(64, 96), model.config.embed_dim
    moments = Moments(width)
    for _, rows in Segmenter(model).embed_rows(image, EmbedConfig(dtype="float32")).strips():
        moments.add(rows.flatten(1).T)
    found = store(model, image, None, moments.basis(width))
    np.testing.assert_allclose(found.embed(), store(model, image).embed(), atol=1e-5)


def test_a_code_beyond_float16_is_refused():
    codes = torch.tensor([0.0, 2e5]).expand(1, 3, 2)
    with pytest.raises(ConfigError, match="--codes exact"):
        PictureCodes.of(codes, "float16")
    for kind in ("exact", "int8"):
        assert torch.allclose(PictureCodes.of(codes, kind).restored(), codes)


def test_a_channel_of_one_value_is_restored():
    codes = torch.full((1, 3, 3), 1e5)
    for kind in ("exact", "float16", "int8"):
        assert torch.equal(PictureCodes.of(codes, kind).restored(), codes)


def test_int8_is_within_half_a_step(model):
    codes = torch.randn(4, 9, 9) * torch.tensor([1e-30, 1, 100, 1e30])[:, None, None]
    found = PictureCodes.of(codes, "int8")
    half = found.scale[:, None, None] / 2
    assert ((found.restored() - codes).abs() <= half * 1.001).all()


def test_damaged_and_foreign_files_are_refused(model, store, tmp_path):
    found = store(model, draw(64, 64))
    with pytest.raises(ImageError, match=r"\(64, 0\)"):
        found.embed_at([(64, 0)])
    with pytest.raises(ImageError, match="index map"):
        found.embed_regions(np.zeros((3, 3), int))
    with pytest.raises(LabelError, match=r"3.*16"):
        found.segment(torch.ones(2, 3))
    codes, basis = tmp_path / "a.safetensors", tmp_path / "basis.safetensors"
    kept = basis.read_bytes()
    basis.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
    with pytest.raises(DataError, match="basis of other codes"):
        open_embeddings(codes)
    basis.write_bytes(b"nothing of the kind")
    with pytest.raises(DataError, match="no basis"):
        open_embeddings(codes)
    basis.unlink()
    with pytest.raises(DataError, match="move both together"):
        open_embeddings(codes)
    basis.write_bytes(kept)
    codes.write_bytes(b"nothing of the kind")
    with pytest.raises(DataError, match="cannot be read as codes"):
        open_embeddings(codes)
    with pytest.raises(DataError, match="there is no file"):
        open_embeddings(tmp_path / "none.safetensors")


def test_the_json_opens_its_file(model, store, tmp_path):
    image = draw(64, 64)
    wanted = store(model, image).embed_at([(3, 3)])
    assert np.array_equal(open_embeddings(tmp_path / "a.json").embed_at([(3, 3)]), wanted)


@pytest.mark.parametrize(
    "files",
    [
        DenseFiles(".npy"),
        CodeFiles("exact", "basis.safetensors", "0", 2),
        RegionFiles("langsplat", Superpixels(3)),
        ZarrArrays(),
    ],
)
def test_ways_to_store_can_be_sent_to_other_processes(files):
    assert pickle.loads(pickle.dumps(files)) == files
    assert json.loads(json.dumps(files.settings)) == files.settings
