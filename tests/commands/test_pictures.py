import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from lseg.inference.segmenter import Segmenter

LABELS = "sky, road ,other"


@pytest.fixture
def predict(run, checkpoint, tmp_path):
    def call(*images, labels=LABELS, checkpoint=checkpoint, out=tmp_path / "out", more=()):
        options = ["--labels", labels, "--checkpoint", checkpoint, "--out", out]
        return run("predict", *images, *options, *more)

    return call


@pytest.fixture
def embed(run, checkpoint, tmp_path):
    def call(*images, out=tmp_path / "out", checkpoint=checkpoint, more=()):
        return run("embed", *images, "--checkpoint", checkpoint, "--out", out, *more)

    return call


def contents(folder):
    return {
        path.name: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.glob("*")
        if path.is_file() and not path.name.endswith(".index.jsonl")
    }


def read_embeddings(path):
    if path.suffix == ".npy":
        return np.load(path)
    if path.suffix == ".pt":
        return torch.load(path, weights_only=True).numpy()
    return load_file(path)["embeddings"].numpy().copy()  # not the mapped file


def test_predict_writes_label_map_overlay_and_json_of_every_picture(
    predict, pictures, checkpoint, tmp_path
):
    code, out, _ = predict(pictures)
    assert code == 0
    assert str(tmp_path / "out") in out
    results = [f"{s}{suffix}" for s in "ab" for suffix in (".json", ".overlay.png", ".png")]
    assert sorted(contents(tmp_path / "out")) == [*results, "predict.yaml"]
    segmenter = Segmenter.from_pretrained(checkpoint)
    for name in ("a.png", "b.jpg"):
        segmenter.set_image(pictures / name)
        wanted = segmenter.segment(["sky", "road", "other"])
        label_map = np.asarray(Image.open(tmp_path / "out" / f"{name[0]}.png"))
        assert np.array_equal(label_map, wanted.label_map)
        values = json.loads((tmp_path / "out" / f"{name[0]}.json").read_text())
        assert [entry["label"] for entry in values["labels"]] == ["sky", "road", "other"]


def test_predict_of_one_picture_prints_the_shares(predict, pictures):
    _, out, _ = predict(pictures / "a.png")
    assert any(f"{label} " in out and "%" in out for label in ("sky", "road", "other"))


def test_predict_reads_labels_from_a_file(predict, pictures, tmp_path):
    (tmp_path / "labels.txt").write_text("road\n\nsky\n")
    code, _, _ = predict(pictures / "a.png", labels=tmp_path / "labels.txt")
    assert code == 0
    values = json.loads((tmp_path / "out" / "a.json").read_text())
    assert [entry["label"] for entry in values["labels"]] == ["road", "sky"]


def test_size_changes_what_the_network_sees(predict, pictures, checkpoint, tmp_path):
    predict(pictures / "b.jpg", more=["--size", "0"])
    segmenter = Segmenter.from_pretrained(checkpoint, size=0)
    segmenter.set_image(pictures / "b.jpg")
    wanted = segmenter.segment(["sky", "road", "other"]).label_map
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / "b.png")), wanted)


def messages(err):
    """The lines on standard error without those of the progress bar."""
    lines = err.replace("\r", "\n").splitlines()
    return [line for line in lines if line.strip() and "image/s]" not in line]


def check_refused(result, out, *parts):
    """Exit code 2, one line that has all `parts` in it, and no file."""
    code, _, err = result
    assert code == 2
    (message,) = messages(err)
    assert message.startswith("lseg: ")
    for part in parts:
        assert str(part) in message
    assert not out.exists() or list(out.iterdir()) == []


@pytest.mark.parametrize("labels", ["", " , ", "sky,sky", "lables.txt", "|", "sky,raod"])
def test_bad_labels_are_refused_before_anything_is_written(predict, pictures, tmp_path, labels):
    named = {"sky,sky": "'sky'", "lables.txt": "lables.txt", "sky,raod": "'raod'"}
    result = predict(pictures / "a.png", labels=labels)
    check_refused(result, tmp_path / "out", named.get(labels, "label"))


def test_a_wrong_label_is_reported_before_a_picture_is_read(predict, pictures, tmp_path):
    (pictures / "corrupt.png").write_bytes(b"no picture")
    result = predict(pictures / "corrupt.png", labels="sky,raod")
    check_refused(result, tmp_path / "out", "'raod'")


def test_the_closest_labels_of_the_table_are_named(predict, pictures):
    _, _, err = predict(pictures / "a.png", labels="sky,raod")
    assert 'nearest: "road"' in err


@pytest.mark.parametrize("command", ["predict", "embed"])
def test_bad_pictures_and_checkpoints_are_refused(predict, embed, pictures, tmp_path, command):
    call, out = {"predict": predict, "embed": embed}[command], tmp_path / "out"
    check_refused(call(pictures / "none.png"), out, pictures / "none.png")
    check_refused(call(pictures / "*.webp"), out, "*.webp")
    corrupt = pictures / "corrupt.png"
    corrupt.write_bytes((pictures / "a.png").read_bytes()[:200])
    check_refused(call(corrupt), out, corrupt)
    nowhere = tmp_path / "nowhere"
    check_refused(call(pictures / "a.png", checkpoint=nowhere), out, nowhere)
    check_refused(call(pictures / "a.png", checkpoint=pictures / "b.jpg"), out, "b.jpg")
    check_refused(call(pictures / "a.png", checkpoint=pictures), out, pictures, "config.json")
    check_refused(call(pictures / "a.png", more=["--device", "abacus"]), out, "'abacus'")
    shutil.copy(pictures / "a.png", pictures / "b.png")
    check_refused(call(pictures), out, pictures / "b.jpg", pictures / "b.png")


def test_a_table_of_another_width_is_refused(predict, pictures, tmp_path):
    table = tmp_path / "wide.safetensors"
    names = ["sky", "road", "other"]
    save_file({"embeddings": torch.randn(3, 17)}, table, metadata={"labels": json.dumps(names)})
    result = predict(pictures / "a.png", more=["--text-table", table])
    check_refused(result, tmp_path / "out", "17", "16")
    result = predict(pictures / "a.png", more=["--text-table", tmp_path / "none.safetensors"])
    check_refused(result, tmp_path / "out", "none.safetensors")


@pytest.mark.parametrize("command", ["predict", "embed"])
def test_an_error_in_the_middle_has_a_line_of_its_own(predict, embed, pictures, tmp_path, command):
    (pictures / "corrupt.png").write_bytes((pictures / "a.png").read_bytes()[:200])
    code, _, err = {"predict": predict, "embed": embed}[command](pictures)
    assert code == 3
    message, summary = messages(err)
    assert message.startswith("lseg: ")
    assert "corrupt.png" in message
    assert summary.startswith("lseg: 1 of 3 files failed")
    assert not any(name.startswith((".", "corrupt")) for name in contents(tmp_path / "out"))


@pytest.mark.parametrize("command", ["predict", "embed"])
def test_an_output_folder_that_is_a_file_is_refused(predict, embed, pictures, tmp_path, command):
    file = tmp_path / "taken"
    file.write_text("mine")
    call = {"predict": predict, "embed": embed}[command]
    code, _, err = call(pictures / "a.png", out=file)
    assert code == 2
    assert str(file) in err
    assert file.read_text() == "mine"


def test_predict_does_not_overwrite_the_pictures_it_reads(predict, pictures):
    before = contents(pictures)
    predict(pictures / "a.png", out=pictures)
    assert contents(pictures)["a.png"] == before["a.png"]


@pytest.mark.parametrize("suffix", ["npy", "safetensors", "pt"])
def test_embed_writes_embeddings_and_how_they_were_made(
    embed, pictures, checkpoint, tmp_path, suffix
):
    code, _, _ = embed(pictures, more=["--format", suffix])
    assert code == 0
    out = tmp_path / "out"
    assert sorted(contents(out)) == [
        "a.json", f"a.{suffix}", "b.json", f"b.{suffix}", "embed.yaml"
    ]  # fmt: skip
    embeddings = read_embeddings(out / f"b.{suffix}")
    assert embeddings.dtype == np.float16
    segmenter = Segmenter.from_pretrained(checkpoint)
    assert np.array_equal(embeddings, segmenter.embed(pictures / "b.jpg"))
    sidecar = json.loads((out / "b.json").read_text())
    assert sidecar["shape"] == list(embeddings.shape)
    assert sidecar["image"] == [37, 41]
    assert sidecar["source"] == "b.jpg"
    assert sidecar["checkpoint"] == str(checkpoint)
    assert sidecar["preprocessing"]["size"] == 64
    assert sidecar["dtype"] == "float16"
    assert sidecar["normalized"] is True
    assert sidecar["versions"]["torch"]


@pytest.mark.parametrize("suffix", ["npy", "safetensors", "pt"])
def test_embed_again_does_only_what_is_missing(embed, pictures, tmp_path, suffix):
    out, more = tmp_path / "out", ["--format", suffix]
    embed(pictures, more=more)
    before = contents(out)
    code, _, _ = embed(pictures, more=more)
    assert code == 0
    assert contents(out) == before
    (out / "a.json").unlink()  # as after an interruption between the two files
    wanted = read_embeddings(out / f"a.{suffix}")
    (out / f"a.{suffix}").write_bytes(b"stale")
    embed(pictures, more=more)
    after = contents(out)
    assert sorted(after) == sorted(before)
    assert after["a.json"][0] == before["a.json"][0]
    assert np.array_equal(read_embeddings(out / f"a.{suffix}"), wanted)
    for name in ("b.json", f"b.{suffix}"):
        assert after[name] == before[name]


@pytest.mark.parametrize("suffix", ["npy", "safetensors", "pt"])
def test_two_runs_write_the_same_bytes(embed, pictures, tmp_path, suffix):
    for out in ("one", "two"):
        embed(pictures / "a.png", out=tmp_path / out, more=["--format", suffix])
    one, two = (tmp_path / out / f"a.{suffix}" for out in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_embed_redoes_a_picture_whose_embeddings_are_gone(embed, pictures, tmp_path):
    embed(pictures)
    (tmp_path / "out" / "a.npy").unlink()
    embed(pictures)
    assert (tmp_path / "out" / "a.npy").is_file()


def test_embed_in_another_format_writes_that_format(embed, pictures, tmp_path):
    embed(pictures, more=["--format", "npy"])
    embed(pictures, more=["--format", "pt"])
    assert (tmp_path / "out" / "a.pt").is_file()


def test_embed_with_other_settings_does_not_keep_the_old_embeddings(embed, pictures, tmp_path):
    embed(pictures / "a.png", more=["--dtype", "float16"])
    embed(pictures / "a.png", more=["--dtype", "float32"])
    assert np.load(tmp_path / "out" / "a.npy").dtype == np.float32


def test_embed_does_not_take_the_json_of_predict_for_its_own(predict, embed, pictures, tmp_path):
    predict(pictures / "a.png")
    embed(pictures / "a.png")
    assert (tmp_path / "out" / "a.npy").is_file()


def test_embed_options_reach_the_segmenter(embed, pictures, checkpoint, tmp_path):
    options = ["--dtype", "float32", "--raw", "--scales", "1.0", "1.5", "--flip", "--size", "48"]
    embed(pictures / "a.png", more=options)
    embeddings = np.load(tmp_path / "out" / "a.npy")
    segmenter = Segmenter.from_pretrained(checkpoint, size=48)
    wanted = segmenter.embed(
        pictures / "a.png", None, "float32", normalize=False, scales=(1.0, 1.5), flip=True
    )
    assert np.array_equal(embeddings, wanted)
    sidecar = json.loads((tmp_path / "out" / "a.json").read_text())
    assert sidecar["scales"] == [1.0, 1.5]
    assert (sidecar["flip"], sidecar["normalized"], sidecar["size"]) == (True, False, 48)


def test_a_scale_of_zero_is_refused(embed, pictures, tmp_path):
    check_refused(embed(pictures / "a.png", more=["--scales", "0"]), tmp_path / "out", "scale")
