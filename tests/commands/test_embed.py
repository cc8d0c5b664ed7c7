import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from drawing import draw
from PIL import Image

from lseg.checkpoints.load import load_model
from lseg.errors import ConfigError
from lseg.inference.pca import PCA
from lseg.inference.segmenter import Segmenter


@pytest.fixture
def embed(run, checkpoint, tmp_path):
    def call(*images, out=tmp_path / "out", more=()):
        return run("embed", *images, "--checkpoint", checkpoint, "--out", out, *more)

    return call


@pytest.fixture
def frames(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(12):
        Image.fromarray(draw(40, 56, seed=number)).save(folder / f"{number:03}.png")
    return folder


def contents(folder):
    """The results in a folder; record and index of the run differ from one to the next."""
    found = (path for path in folder.iterdir() if path.name != "embed.yaml")
    return {path.name: path.read_bytes() for path in found if ".index" not in path.name}


def test_a_killed_run_goes_on_to_the_very_files_of_an_uninterrupted_one(
    run, embed, frames, checkpoint, tmp_path
):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    embed(frames, out=whole)
    command = [sys.executable, "-m", "lseg", "embed", frames, "--checkpoint", checkpoint]
    threads = {"OMP_NUM_THREADS": "1"}  # as here: another number may add up in another order
    environment = {**os.environ, **threads, "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen([*command, "--out", killed], env=environment)
    while process.poll() is None and len(list(killed.glob("*.json"))) < 4:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    record = (killed / "embed.yaml").read_bytes()
    for name in (".011.0123abcd.partial.npy", ".embed.0123abcd.partial.yaml"):
        (killed / name).write_bytes(b"as if killed here")
    (killed / ".other.0123abcd.partial.npy").write_bytes(b"somebody else's")
    assert len(list(killed.glob("*.json"))) >= 4
    run("embed", "--config", killed / "embed.yaml")
    assert (killed / "embed.yaml").read_bytes() == record
    (killed / ".other.0123abcd.partial.npy").unlink()
    assert contents(killed) == contents(whole)


def test_another_picture_or_other_weights_under_the_same_name_are_done_again(
    embed, frames, checkpoint, tmp_path
):
    embed(frames)
    before = contents(tmp_path / "out")
    Image.fromarray(draw(64, 80, seed=99)).save(frames / "003.png")
    embed(frames)
    after = contents(tmp_path / "out")
    assert {name for name in after if after[name] != before[name]} == {"003.npy", "003.json"}
    sidecar = tmp_path / "out" / "005.json"
    sidecar.write_text(sidecar.read_text().replace('"weights": "', '"weights": "0'))
    (tmp_path / "out" / "005.npy").write_bytes(b"of another model")
    embed(frames)
    assert contents(tmp_path / "out") == after


def test_a_picture_of_the_same_size_and_time_but_other_content_is_done_again(
    embed, frames, tmp_path
):
    old, new = (tmp_path / name for name in ("old.bmp", "new.bmp"))
    for number, path in enumerate((old, new)):
        Image.fromarray(draw(40, 56, seed=number)).save(path)
    picture = frames / "x.bmp"
    shutil.copy2(old, picture)
    embed(picture)
    before = contents(tmp_path / "out")
    picture.write_bytes(new.read_bytes())
    shutil.copystat(old, picture)
    assert picture.stat().st_mtime_ns == old.stat().st_mtime_ns
    assert picture.stat().st_size == old.stat().st_size
    embed(picture)
    after = contents(tmp_path / "out")
    assert {name for name in after if after[name] != before[name]} == {"x.npy", "x.json"}
    embed(new, out=tmp_path / "fresh")
    assert after["x.npy"] == contents(tmp_path / "fresh")["new.npy"]


def test_copies_with_other_times_are_not_done_again(embed, frames, tmp_path):
    embed(frames)
    npy = tmp_path / "out" / "003.npy"
    before = npy.stat().st_mtime_ns
    copied = shutil.copytree(frames, tmp_path / "copied", copy_function=shutil.copyfile)
    os.utime(copied / "003.png", ns=(1, 1))
    embed(copied)
    assert npy.stat().st_mtime_ns == before


def test_sidecars_without_a_hash_are_asked_but_do_not_vouch_for_the_picture(
    run, embed, frames, tmp_path
):
    embed(frames / "003.png")
    out = tmp_path / "out"
    before = contents(out)
    told = json.loads(before["003.json"])
    del told["source_sha256"]
    (out / "003.json").write_text(json.dumps(told))
    (out / "003.npy").touch()
    asked = ["--labels", "sky,road", "--out", tmp_path / "asked"]
    assert run("query", out, *asked)[0] == 0
    stale = (out / "003.npy").stat().st_mtime_ns
    embed(frames / "003.png")
    assert (out / "003.npy").stat().st_mtime_ns != stale
    assert contents(out) == before


def test_embeddings_beyond_float16_end_the_run_in_a_line(run, checkpoint, frames, tmp_path):
    model = load_model(checkpoint)
    with torch.no_grad():
        model.project.bias += 1e5
    model.save_pretrained(tmp_path / "large")
    out = tmp_path / "out"
    arguments = ["embed", frames, "--checkpoint", tmp_path / "large", "--out", out, "--raw"]
    code, _, err = run(*arguments)
    assert code == 2
    message = err.replace("\r", "\n").splitlines()[-1]
    assert message.startswith(f"lseg: {frames / '000.png'}: ")
    assert "--dtype float32" in message
    assert not list(out.glob("*"))
    assert run(*arguments, "--dtype", "float32")[0] == 0
    assert np.isfinite(np.load(out / "003.npy")).all()
    assert run(*arguments[:-1], "--dtype", "float16")[0] == 0  # of unit vectors
    segmenter = Segmenter(model)
    with pytest.raises(ConfigError, match="float16 ends at 65504"):
        segmenter.embed(frames / "000.png", normalize=False)


def test_processes_share_the_pictures(embed, frames, tmp_path, monkeypatch):
    embed(frames, out=tmp_path / "alone")
    monkeypatch.setenv("WORLD_SIZE", "3")
    seen = []
    for rank in range(3):
        monkeypatch.setenv("RANK", str(rank))
        before = set(contents(tmp_path / "shared")) if rank else set()
        embed(frames, out=tmp_path / "shared")
        seen.append(len(set(contents(tmp_path / "shared")) - before))
    assert seen == [8, 8, 8]  # two files a picture
    assert contents(tmp_path / "shared") == contents(tmp_path / "alone")


def test_a_text_file_can_name_the_pictures(embed, frames, tmp_path):
    (tmp_path / "list.txt").write_text("frames/001.png\n\nframes/004.png\n")
    code, _, _ = embed(tmp_path / "list.txt")
    assert code == 0
    assert sorted(contents(tmp_path / "out")) == ["001.json", "001.npy", "004.json", "004.npy"]
    (tmp_path / "list.txt").write_text("frames/001.png\nframes/none.png\n")
    code, _, err = embed(tmp_path / "list.txt")
    assert code == 2
    assert "picture 2" in err


def test_a_video_in_a_list_is_refused_with_what_to_do(embed, tmp_path):
    (tmp_path / "film.mp4").write_bytes(b"")
    (tmp_path / "list.txt").write_text("film.mp4\n")
    code, _, err = embed(tmp_path / "list.txt")
    assert code == 2
    assert "ffmpeg" in err


def test_pca_is_learnt_over_the_run_and_kept(embed, frames, checkpoint, tmp_path):
    out = tmp_path / "out"
    embed(frames, more=["--pca", "5", "--dtype", "float32"])
    basis = PCA.load(out / "pca.safetensors")
    assert basis.components.shape == (5, 16)
    full = Segmenter.from_pretrained(checkpoint).embed(frames / "002.png", dtype="float32")
    wanted = np.einsum("kc,chw->khw", basis.components, full - basis.mean[:, None, None].numpy())
    np.testing.assert_allclose(np.load(out / "002.npy"), wanted, atol=1e-5)
    sidecar = json.loads((out / "002.json").read_text())
    assert sidecar["pca"]["components"] == 5
    assert 0 < sidecar["pca"]["explained_variance"] <= 1
    before = contents(out)
    embed(frames, more=["--pca", "5", "--dtype", "float32"])
    assert contents(out) == before
    embed(frames, out=tmp_path / "again", more=["--pca", out / "pca.safetensors", "--dtype", "float32"])  # fmt: skip  # noqa: E501
    for name in ("002.npy", "pca.safetensors"):
        assert contents(tmp_path / "again")[name] == before[name]


@pytest.mark.parametrize("more", [["--pca", "0"], ["--pca", "17"], ["--pca", "none.safetensors"]])
def test_an_impossible_pca_is_refused(embed, frames, tmp_path, more):
    code, _, err = embed(frames, more=more)
    assert code == 2
    assert more[1] in err
    assert not (tmp_path / "out").exists()


def test_presets_write_what_is_read_and_yield_to_options(embed, frames, tmp_path):
    out = tmp_path / "out"
    embed(frames / "000.png", more=["--preset", "openscene"])
    found = torch.load(out / "000.pt", weights_only=True)
    assert found.shape == (16, 40, 56)
    assert found.dtype == torch.float16
    embed(
        frames / "000.png",
        more=["--preset", "feature3dgs", "--output-size", "24x32", "--scales", "0.1"],
    )
    assert torch.load(out / "000_fmap_CxHxW.pt", weights_only=True).shape == (16, 24, 32)
    sidecar = json.loads((out / "000.json").read_text())
    assert sidecar["file"] == "000_fmap_CxHxW.pt"
    assert (sidecar["normalized"], sidecar["flip"], sidecar["scales"]) == (False, True, [0.1])


def test_windows_and_layouts_reach_the_segmenter(embed, frames, checkpoint, tmp_path):
    more = ["--size", "0", "--window", "32", "--layout", "HWC", "--stride", "4"]
    embed(frames / "001.png", more=more)
    segmenter = Segmenter.from_pretrained(checkpoint, size=0)
    wanted = segmenter.embed(frames / "001.png", (10, 14), window=32, layout="HWC")
    assert np.array_equal(np.load(tmp_path / "out" / "001.npy"), wanted)


@pytest.mark.parametrize(
    "more", [["--size", "64", "--long-side", "64"], ["--stride", "2", "--output-size", "picture"]]
)
def test_options_that_exclude_each_other_are_refused(embed, frames, more):
    code, _, err = embed(frames, more=more)
    assert code == 2
    assert "exclude each other" in err


@pytest.mark.parametrize(
    ("option", "value"), [("--stride", "0"), ("--output-size", ""), ("--long-side", "0")]
)
def test_sizes_that_mean_nothing_are_refused(embed, frames, option, value):
    code, _, err = embed(frames, more=[option, value])
    assert code == 2
    assert "give" in err or "must" in err
