"""The commands on encoders of pictures and texts, in each layout: the same as on an LSeg."""

import json

import numpy as np
import pytest
import torch
from dinotxt import NAMES, write_dinotxt
from encoders import open_clip_folder, transformers_folder
from fewshot_trees import voc_tree
from PIL import Image

import lseg
from lseg.embedding.stored import open_embeddings
from lseg.inference.segmenter import Segmenter

KINDS = ("open_clip", "clip", "siglip", "tipsv2", *NAMES)
LABELS = "sky,road,tree"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("encoders")
    open_clip_folder(root / "open_clip")
    for kind in KINDS[1:4]:
        transformers_folder(root / kind, kind)
    for kind in NAMES:
        write_dinotxt(root / kind, kind)
    return root


@pytest.mark.parametrize("kind", KINDS)
def test_predict_embed_and_query_agree(folders, pictures, run, tmp_path, kind):
    model, size = folders / kind, 80
    options = ["--checkpoint", model, "--size", size]
    code, out, err = run(
        "predict", pictures, "--labels", LABELS, *options, "--out", tmp_path / "seen"
    )
    assert code == 0, err
    assert "labels are free text" in out  # it says what it knows
    code, _, err = run(
        "embed", pictures, *options, "--out", tmp_path / "kept", "--dtype", "float32"
    )
    assert code == 0, err
    side = json.loads((tmp_path / "kept" / "a.json").read_text())
    patch = 14 if kind in ("tipsv2", "dinov2") else 16
    assert side["shape"][1:] == [-(-80 // patch), -(-107 // patch)]
    code, _, err = run("query", tmp_path / "kept", "--labels", LABELS, "--out", tmp_path / "asked")
    assert code == 0, err
    segmenter = Segmenter.from_pretrained(model, size=size)
    names = LABELS.split(",")
    for name in ("a.png", "b.jpg"):
        stem = name.split(".")[0]
        files = [tmp_path / folder / f"{stem}.png" for folder in ("seen", "asked")]
        seen, asked = (np.asarray(Image.open(file)) for file in files)
        assert (seen == asked).mean() > 0.995
        segmenter.set_image(pictures / name)
        wanted = segmenter.segment(names).scores
        found = open_embeddings(tmp_path / "kept" / f"{stem}.npy").segment(names).scores
        spread = np.ptp(wanted, axis=(1, 2)).max()
        assert np.abs(found - wanted).max() < 0.01 * spread


@pytest.mark.parametrize("kind", ["open_clip", "tipsv2", *NAMES])
def test_evaluate_and_fewshot(folders, data, run, tmp_path, kind):
    out = tmp_path / "figures.json"
    options = ["--checkpoint", folders / kind, "--size", 64, "--out", out]
    code, _, err = run("evaluate", "--dataset", "pairs", "--data-root", data, *options)
    assert code == 0, err
    assert set(json.loads(out.read_text())["per_class"]) == {"sky", "road", "tree"}
    tree = voc_tree(tmp_path / "voc")
    for shots in (0, 1):
        out = tmp_path / f"{shots}.json"
        code, _, err = run(
            "fewshot", "--benchmark", "pascal5i", "--fold", 1, "--data-root", tree,
            "--splits", tree / "splits", "--episodes", 2, "--shots", shots,
            "--checkpoint", folders / kind, "--out", out,
        )  # fmt: skip
        assert code == 0, err
        assert 0 <= json.loads(out.read_text())["miou"] <= 100


@pytest.mark.parametrize(
    ("kind", "attention"),
    [
        *((kind, way) for kind in ("open_clip", "tipsv2") for way in ("value", "neighbour")),
        *((kind, way) for kind in NAMES for way in ("full", "neighbour")),
    ],
)
def test_export_equals_the_network(folders, run, tmp_path, kind, attention):
    pytest.importorskip("onnxruntime")
    file = tmp_path / "program.onnx"
    code, _, err = run(
        "export", "--checkpoint", folders / kind, "--attention", attention, "--out", file
    )
    assert code == 0, err  # it is compared with the network before it gets its name
    assert file.is_file()


def test_attention_is_an_option(folders, pictures, run, refused, tmp_path, checkpoint):
    options = ["--labels", LABELS, "--out", tmp_path]
    code, _, err = run(
        "predict", pictures, "--checkpoint", folders / "clip", "--attention", "neighbour", *options
    )
    assert code == 0, err
    model = lseg.load_model(folders / "clip")
    model.set_attention("neighbour")
    segmenter = Segmenter(model)
    segmenter.set_image(pictures / "a.png")
    wanted = segmenter.segment(LABELS).label_map
    assert (np.asarray(Image.open(tmp_path / "a.png")) == wanted).all()
    line = refused("predict", pictures, "--checkpoint", checkpoint, "--attention", "full", *options)
    assert "--attention is for encoders" in line


def test_a_native_copy_is_a_text_table_and_a_segmenter(folders, pictures, tmp_path):
    model = lseg.load_model(folders / "tipsv2")
    model.save_pretrained(tmp_path / "copy")
    for source in (folders / "tipsv2", tmp_path / "copy"):
        segmenter = Segmenter.from_pretrained(source)
        segmenter.set_image(pictures / "b.jpg")
        assert segmenter.segment(["cat", "dog", "other"]).label_map.shape == (37, 41)
        segmenter.teach("mine", [(4, 4)])
        assert "mine" in segmenter.memory.labels
        assert np.isfinite(segmenter.segment(["cat", "mine"]).scores).all()


@pytest.mark.parametrize("kind", [*KINDS])
def test_converting_makes_a_native_folder(folders, run, refused, tmp_path, kind):
    source = min((folders / kind).glob("*_dinotxt_*"), default=folders / kind)  # a file, or all
    folder = tmp_path / "native"
    code, out, err = run("convert", source, folder, "--size", 96)
    assert code == 0, err
    assert "labels are free text" in out
    model, wanted = lseg.load_model(folder), lseg.load_model(source)
    assert model.config.preprocessing.size == 96
    pixels = torch.randn(1, 3, 48, 64)
    with torch.inference_mode():
        assert model(pixels, ["cat", "dog"]).allclose(wanted(pixels, ["cat", "dog"]), atol=1e-4)
    line = refused("convert", source, tmp_path / "other", "--invert")
    assert "--invert does not apply to" in line
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(("kind", "name"), [("siglip", "SigLIP"), ("dinov3", "DINOv3")])
def test_demo_starts(folders, kind, name):
    pytest.importorskip("gradio")
    from lseg.commands.demo import about
    from lseg.demo.limits import Limits
    from lseg.demo.server import running_server
    from lseg.demo.service import Service

    model = lseg.load_model(folders / kind)
    limits = Limits()
    words = about(kind, model)
    assert name in words
    with running_server(Service(model, limits), words) as url:
        assert url.startswith("http://127.0.0.1:")
