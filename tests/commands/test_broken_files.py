"""A broken file does not end a run: it is told, the others are done, and the exit code is 3."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from drawing import draw, names, save_frames
from PIL import Image

from lseg.commands.options.predict import PredictOptions
from lseg.commands.predict import predict
from lseg.data.base import images
from lseg.errors import IncompleteRunError

LABELS = ["--labels", "sky,road,other"]
RESULTS = {
    "predict": ("json", "overlay.png", "png"),
    "embed": ("json", "npy"),
    "depth": ("json", "npy", "png", "preview.png"),
    "query": ("json", "overlay.png", "png"),
}


@pytest.fixture
def frames(tmp_path):
    """Four pictures, of which the second and the last are cut off."""
    return save_frames(tmp_path / "frames", 4, broken=(1, 3))


@pytest.fixture
def command(run, checkpoint, depth_folder, frames, tmp_path):
    """Runs a command on the frames, or on what `embed` made of them, with one file broken too."""

    def call(name, *more, source=frames):
        out = ["--out", tmp_path / name]
        if name == "query":
            embedded = tmp_path / "embedded"
            if not embedded.exists():
                run("embed", frames, "--checkpoint", checkpoint, "--out", embedded)
                for broken, sound in ((1, 0), (3, 2)):
                    told = (embedded / f"{sound}.json").read_text()
                    told = told.replace(f'"{sound}.npy"', f'"{broken}.npy"')
                    (embedded / f"{broken}.json").write_text(told)
                    (embedded / f"{broken}.npy").write_bytes(b"cut off")
            return run("query", embedded if source == frames else source, *LABELS, *out, *more)
        labels = LABELS if name == "predict" else []
        model = ["--checkpoint", depth_folder if name == "depth" else checkpoint]
        return run(name, source, *labels, *model, *out, *more)

    return call


def told(err):
    lines = err.replace("\r", "\n").splitlines()
    return [line for line in lines if line.startswith("lseg: ")]


@pytest.mark.parametrize("name", RESULTS)
def test_the_others_are_done_and_the_exit_code_is_3(command, tmp_path, name):
    code, out, err = command(name)
    assert code == 3
    assert "2 " in out
    one, three, summary = told(err)
    assert f"{os.sep}1." in one
    assert f"{os.sep}3." in three
    assert summary == "lseg: 2 of 4 files failed, for the reasons above; the others are done"
    results = [f"{stem}.{ending}" for stem in "02" for ending in RESULTS[name]]
    assert names(tmp_path / name) == [*results, f"{name}.yaml"]


@pytest.mark.parametrize("name", RESULTS)
def test_strict_ends_the_run_at_the_first_one(command, tmp_path, name):
    code, out, err = command(name, "--strict")
    assert (code, out) == (2, "")
    (message,) = told(err)
    assert f"{os.sep}1." in message
    assert {path.name[0] for path in (tmp_path / name).iterdir()} == {"0", name[0]}


@pytest.mark.parametrize("name", RESULTS)
def test_a_broken_file_alone_is_an_error(command, frames, tmp_path, name):
    if name == "query":
        command(name)
    folder = tmp_path / "embedded" if name == "query" else frames
    source = folder / ("1.npy" if name == "query" else "1.png")
    code, out, err = command(name, "--out", tmp_path / "alone", source=source)
    assert (code, out) == (2, "")
    (message,) = told(err)
    assert str(source) in message
    assert not (tmp_path / "alone").exists()


@pytest.mark.parametrize("name", ["predict", "embed", "depth"])
def test_where_all_are_broken_only_the_index_is_written(command, frames, tmp_path, name):
    for path in frames.iterdir():
        path.write_bytes(path.read_bytes()[:100])
    code, out, err = command(name)
    assert (code, out) == (3, "")
    assert told(err)[-1] == "lseg: all 4 files failed, for the reasons above"
    (index,) = (tmp_path / name).iterdir()
    rows = [json.loads(line) for line in index.read_text().splitlines()]
    assert [row["id"] for row in rows] == ["0", "1", "2", "3"]
    assert [f"lseg: {row['error']}" for row in rows] == told(err)[:-1]


def test_a_folder_of_a_mac_is_no_broken_one(command, frames, tmp_path):
    for number in (1, 3):
        (frames / f"{number}.png").rename(frames / f"._{number}.png")
    code, _, err = command("predict")
    assert (code, told(err)) == (0, [])


def test_pictures_that_pillow_cannot_read_here_are_told(command, frames, monkeypatch):
    monkeypatch.setattr(images, "readable_suffixes", lambda: frozenset({".png"}))
    (frames / "a.heic").write_bytes(b"no matter")
    code, _, err = command("embed")
    assert code == 3
    assert told(err)[0] == (
        "lseg: note: 1 .heic file left out: Pillow here cannot read it (pip install pillow-heif)"
    )


def test_a_missing_file_named_by_hand_is_an_error_at_once(command, frames, tmp_path):
    code, _, err = command("predict", frames / "none.png")
    assert code == 2
    assert "none.png" in err
    assert not (tmp_path / "predict").exists()


def test_embed_goes_on_where_a_broken_picture_was_mended(command, frames, tmp_path):
    command("embed")
    before = (tmp_path / "embed" / "0.npy").stat().st_mtime_ns
    for number in (1, 3):
        Image.fromarray(draw(40, 56, seed=number)).save(frames / f"{number}.png")
    code, out, _ = command("embed")
    assert code == 0
    assert "4 picture(s)" in out
    assert (tmp_path / "embed" / "0.npy").stat().st_mtime_ns == before


def test_components_are_learnt_without_the_broken_pictures(command, tmp_path):
    code, _, err = command("embed", "--pca", "3")
    assert code == 3
    assert len(told(err)) == 3
    assert np.load(tmp_path / "embed" / "2.npy").shape[0] == 3


def test_callers_in_python_get_an_error_at_the_end(frames, checkpoint, tmp_path):
    options = PredictOptions(
        images=[str(frames)], labels="sky,road", checkpoint=str(checkpoint), out=tmp_path / "out"
    )
    with pytest.raises(IncompleteRunError, match="2 of 4"):
        predict(options)
    assert (tmp_path / "out" / "2.png").is_file()


def test_processes_go_on_and_count_together(frames, checkpoint, tmp_path):
    """As torchrun starts them: it would end the others when one exits with an error."""
    environment = {
        **os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"
    }  # fmt: skip
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    options = ["--checkpoint", checkpoint, "--out", tmp_path / "out", "--device", "cpu"]
    ended = subprocess.run(
        [*launch, "-m", "lseg", "predict", frames, *LABELS, *options],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "2 of 4 files failed" in ended.stderr
    assert "exitcode  : 3" in ended.stderr
    assert "2 label map(s)" in ended.stdout
    done = [f"{stem}.{ending}" for stem in "02" for ending in RESULTS["predict"]]
    assert names(tmp_path / "out") == [*done, "predict.yaml"]
