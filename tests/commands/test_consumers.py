"""Files of `lseg embed --preset` as their consumers load them (docs/embeddings.md)."""

import json

import h5py
import numpy as np
import pytest
import torch
from drawing import names
from PIL import Image

import lseg

LABELS = ["--labels", "sky,road,other"]


@pytest.fixture
def made(run, checkpoint, pictures, tmp_path):
    def call(preset, *more):
        out = tmp_path / preset
        options = ["--checkpoint", checkpoint, "--out", out, "--preset", preset]
        code, _, err = run("embed", pictures / "a.png", *options, *more)
        assert code == 0, err
        return out

    return call


@pytest.mark.parametrize("more", [["--regions", "12"], ["--regions", "LABEL MAPS"]])
def test_langsplat(run, made, checkpoint, pictures, tmp_path, more):
    """Camera.get_language_feature of scene/cameras.py, Autoencoder_dataset of autoencoder."""
    if more[1] == "LABEL MAPS":
        more[1] = tmp_path / "maps"
        run("predict", pictures, *LABELS, "--checkpoint", checkpoint, "--out", more[1])
    out = made("langsplat", *more)
    segments = torch.from_numpy(np.load(out / "a_s.npy"))
    features = torch.from_numpy(np.load(out / "a_f.npy"))
    assert segments.shape == (4, 48, 64)
    assert features.dtype == torch.float16
    y, x = torch.meshgrid(torch.arange(48), torch.arange(64), indexing="ij")
    seen = segments[:, y.reshape(-1, 1), x.reshape(-1, 1)].squeeze(-1).long()
    before = -1
    for level in range(4):
        mask = seen[level] != -1
        pixels = features[seen[level : level + 1]].squeeze(0)
        assert pixels.shape == (48 * 64, 16)
        norms = pixels[mask].float().norm(dim=1)
        assert torch.allclose(norms, torch.ones_like(norms), atol=2e-3)
        # OpenGaussian takes the rows of a level to follow those of the one before
        assert segments[level][segments[level] != -1].min() == before + 1
        before = int(segments[level].max())
    assert before == len(features) - 1


def test_scenesplat(made):
    """ScanNetGSDataset.get_data of pointcept/datasets/scannetgs.py, and the chunking before it."""
    out = made("scenesplat", "--regions", "12", "--dtype", "float32")
    assert names(out) == ["a", "a.json", "embed.yaml"]
    loaded = {path.stem: np.load(path) for path in (out / "a").glob("*.npy")}
    assert sorted(loaded) == ["lang_feat", "valid_feat_mask"]
    features, valid = loaded["lang_feat"], loaded["valid_feat_mask"]
    features[valid == 1] /= np.linalg.norm(features[valid == 1], axis=1, keepdims=True)
    assert features.astype(np.float16).shape == (len(valid), 16)
    assert valid.astype(bool).sum() == len(valid) - 1
    assert np.isfinite(features).all()
    pixels = np.asarray(Image.open(out / "a" / "regions.png"))
    assert valid[pixels].all()  # superpixels leave nothing out


def test_vlmaps_h5(made):
    """load_lseg_feat of vlmaps/utils/mapping_utils.py."""
    out = made("vlmaps-h5", "--long-side", "64")
    with h5py.File(out / "a.h5", "r") as file:
        found = np.array(file["pixfeat"])
    assert found.dtype == np.float32
    wanted = np.load(made("vlmaps", "--long-side", "64") / "a.npy")
    assert np.array_equal(found, wanted)
    assert found.shape == (1, 16, 48, 64)


@pytest.mark.parametrize("preset", ["langsplat", "scenesplat", "vlmaps-h5"])
def test_what_consumers_read_can_be_asked_for_labels(run, made, preset, tmp_path):
    more = ["--regions", "200"] if preset != "vlmaps-h5" else ["--long-side", "64"]
    out = made(preset, *more)
    code, _, err = run("query", out, *LABELS, "--out", tmp_path / "asked")
    assert code == 0, err
    asked = np.asarray(Image.open(tmp_path / "asked" / "a.png"))
    file = out / json.loads((out / "a.json").read_text())["file"]
    assert np.array_equal(lseg.open_embeddings(file).segment(LABELS[1]).label_map, asked)
    code, _, _ = run("query", file, *LABELS, "--out", tmp_path / "by file")
    assert code == 0


def test_regions_answer_nearly_as_pixels_do(run, made, checkpoint, pictures, tmp_path):
    run("predict", pictures / "a.png", *LABELS, "--checkpoint", checkpoint, "--out", tmp_path)
    wanted = np.asarray(Image.open(tmp_path / "a.png"))
    found = lseg.open_embeddings(made("langsplat", "--regions", "400") / "a.json")
    assert (found.segment(LABELS[1]).label_map == wanted).mean() > 0.8


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--preset", "langsplat", "--raw"], "--normalize"),
        (["--preset", "scenesplat", "--pca", "3"], "--pca"),
        (["--preset", "langsplat", "--regions", "none"], "folder"),
        (["--preset", "langsplat", "--regions", "0"], "superpixels"),
        (["--regions", "3"], "langsplat"),
        (["--codes", "exact", "--regions", "3"], "--regions"),
    ],
)
def test_what_does_not_fit_is_refused(refused, checkpoint, pictures, tmp_path, more, message):
    options = ["--checkpoint", checkpoint, "--out", tmp_path / "out"]
    assert message in refused("embed", pictures, *options, *more)


def test_a_picture_without_label_map_is_told(run, made, checkpoint, pictures, tmp_path):
    maps = tmp_path / "maps"
    run("predict", pictures / "a.png", *LABELS, "--checkpoint", checkpoint, "--out", maps)
    options = ["--checkpoint", checkpoint, "--out", tmp_path / "out", "--regions", maps]
    code, _, err = run("embed", pictures, *options, "--preset", "langsplat")
    assert code == 3
    assert "b.png" in err
    assert (tmp_path / "out" / "a_f.npy").is_file()
