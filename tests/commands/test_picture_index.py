"""The index of a run over pictures, and runs that go on by it."""

import hashlib
import json

import numpy as np
import pytest
from drawing import draw, names, save_frames
from PIL import Image

LABELS = ["--labels", "sky,road,other"]


@pytest.fixture
def frames(tmp_path):
    """Six pictures, of which the third is cut off."""
    return save_frames(tmp_path / "frames", 6, broken=(2,))


@pytest.fixture
def command(run, checkpoint, depth_folder, frames, tmp_path):
    def call(name, *more, source=frames):
        model = depth_folder if name == "depth" else checkpoint
        labels = LABELS if name == "predict" else []
        out = tmp_path / name
        return run(name, source, *labels, "--checkpoint", model, "--out", out, *more)

    return call


def index_of(out, name):
    lines = (out / f"{name}.index.jsonl").read_text().splitlines()
    return {row["id"]: row for row in map(json.loads, lines)}, len(lines)


def written(out):
    """When each result was written."""
    return {path.name: path.stat().st_mtime_ns for path in out.iterdir() if path.name[0].isdigit()}


@pytest.mark.parametrize("name", ["predict", "embed", "depth"])
def test_every_picture_is_a_row_with_its_files_or_its_error(command, frames, tmp_path, name):
    assert command(name)[0] == 3
    out = tmp_path / name
    rows, lines = index_of(out, name)
    assert (sorted(rows), lines) == (["0", "1", "2", "3", "4", "5"], 6)
    told = {file["name"]: file for row in rows.values() for file in row["files"]}
    assert sorted([*told, f"{name}.yaml"]) == names(out)
    for file, row in told.items():
        data = (out / file).read_bytes()
        assert row["sha256"] == hashlib.sha256(data).hexdigest()
        assert row["bytes"] == len(data)
    assert rows["2"]["files"] == []
    assert str(frames / "2.png") in rows["2"]["error"]
    sound = rows["0"]
    assert sound["error"] is None
    assert sound["seconds"] > 0
    assert sound["source_sha256"] == hashlib.sha256((frames / "0.png").read_bytes()).hexdigest()
    assert sound["path"] == str(frames / "0.png")
    assert "torch" in sound["versions"]


@pytest.mark.parametrize("name", ["predict", "embed", "depth"])
def test_a_second_run_does_only_what_is_missing(command, frames, tmp_path, name):
    command(name)
    out = tmp_path / name
    before = written(out)
    contents = {file: (out / file).read_bytes() for file in before}
    lost = next(file for file in before if file.startswith("4"))
    (out / lost).unlink()
    Image.fromarray(draw(40, 56, seed=2)).save(frames / "2.png")  # mended
    code, told, _ = command(name)
    assert code == 0
    assert "(4 of them were there already)" in told
    after = written(out)
    assert {file[0] for file in after if after[file] != before.get(file)} == {"2", "4"}
    assert contents.items() <= {file: (out / file).read_bytes() for file in after}.items()
    rows, lines = index_of(out, name)
    assert lines == 6
    assert not any(row["error"] for row in rows.values())


def test_other_labels_or_another_picture_of_that_name_are_done_again(command, frames, tmp_path):
    (frames / "2.png").unlink()
    command("predict")
    first = written(tmp_path / "predict")
    Image.fromarray(draw(40, 56, seed=9)).save(frames / "0.png")
    command("predict")
    second = written(tmp_path / "predict")
    assert {file[0] for file in second if second[file] != first[file]} == {"0"}
    command("predict", "--labels", "sky,tree")
    third = written(tmp_path / "predict")
    assert all(third[file] != second[file] for file in third)


def test_files_that_were_changed_are_noticed_by_their_content_on_request(command, frames, tmp_path):
    command("depth")
    file = tmp_path / "depth" / "0.npy"
    sound = file.read_bytes()
    values = np.load(file)
    values[0, 0] += 1
    np.save(file, values)
    command("depth")
    assert file.read_bytes() != sound
    command("depth", "--verify")
    assert file.read_bytes() == sound


def test_a_killed_process_leaves_rows_that_the_next_run_reads(command, frames, tmp_path):
    (frames / "2.png").unlink()
    command("predict")
    out = tmp_path / "predict"
    index, parts = out / "predict.index.jsonl", out / ".predict.index"
    parts.mkdir()
    lines = index.read_text().splitlines(keepends=True)
    (parts / "a.jsonl").write_text("".join(lines[:3]) + lines[3][:40])  # cut off in the fourth
    index.unlink()
    (out / ".1.overlay.0123abcd.partial.png").write_bytes(b"as if killed here")
    before = written(out)
    command("predict")
    after = written(out)
    assert {file[0] for file in after if after[file] != before[file]} == {"4", "5"}
    assert not list(out.glob(".*"))
    assert index_of(out, "predict")[1] == 5


@pytest.mark.parametrize("name", ["predict", "embed", "depth"])
def test_too_many_broken_pictures_end_the_run(command, frames, tmp_path, name):
    for number in (0, 1):
        (frames / f"{number}.png").write_bytes(b"no picture")
    code, _, err = command(name, "--max-errors", "1")
    assert code == 3
    assert "more than --max-errors 1" in err.splitlines()[-1]
    rows, _ = index_of(tmp_path / name, name)
    assert sorted(rows) == ["0", "1"]
    assert command(name, "--max-errors", "3")[0] == 3
    assert index_of(tmp_path / name, name)[1] == 6
