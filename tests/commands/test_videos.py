import json

import numpy as np
import pytest
from drawing import draw
from PIL import Image
from videos import write_video

import lseg
from lseg.errors import ConfigError, ImageError
from lseg.pipeline.rows import at_hand
from lseg.pipeline.sequences import Frames
from lseg.pipeline.sources import picture_rows

LABELS = ["--labels", "sky,road,other"]


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / "walk.mkv", [20 * number for number in range(10)])


def names_in(folder, suffix):
    return sorted(
        path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob(f"*{suffix}")
    )


def test_frames_of_a_video_are_embedded_as_their_pictures_are(run, checkpoint, video, tmp_path):
    out, frames = tmp_path / "out", tmp_path / "frames"
    options = ["--checkpoint", checkpoint, "--codes", "exact"]
    code, _, err = run(
        "embed", video, "--out", out, *options, "--start", "2", "--stop", "9", "--frame-stride", "3"
    )
    assert code == 0, err
    assert names_in(out / "walk", ".safetensors") == ["000002", "000005", "000008"]
    frames.mkdir()
    row = picture_rows([str(video)], keep_folders=False)[5]
    (frames / "five.ppm").write_bytes(row.path.picture())
    run("embed", frames, "--out", tmp_path / "plain", *options)
    one, other = (out / "walk" / "000005.safetensors", tmp_path / "plain" / "five.safetensors")
    assert one.read_bytes() == other.read_bytes()
    told = json.loads((out / "walk" / "000005.json").read_text())
    assert told["source"] == "walk.mkv/000005.ppm"
    assert lseg.open_embeddings(one).size == (48, 64)


def test_a_run_over_a_video_goes_on_where_it_stopped(run, checkpoint, video, tmp_path):
    out = tmp_path / "out"
    command = ["embed", video, "--checkpoint", checkpoint, "--out", out]
    run(*command)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.npy")}
    (out / "walk" / "000003.npy").unlink()
    run(*command)
    again = {path for path in before if path.stat().st_mtime_ns != before[path]}
    assert {path.name for path in again} == {"000003.npy"}
    assert len(before) == 10


def test_predict_takes_videos_and_pictures(run, checkpoint, video, pictures, tmp_path):
    out = tmp_path / "out"
    options = ["--checkpoint", checkpoint, "--out", out, "--frame-stride", "5"]
    code, _, err = run("predict", pictures, video, *LABELS, *options)
    assert code == 0, err
    assert names_in(out, ".overlay.png") == [
        "a.overlay",
        "walk/000000.overlay",
        "walk/000005.overlay",
    ]


def test_videos_of_one_name_keep_their_folders(refused, run, checkpoint, tmp_path):
    for scene in ("one", "two"):
        (tmp_path / scene).mkdir()
        write_video(tmp_path / scene / "rgb.mkv", [30, 60])
    videos = [tmp_path / scene / "rgb.mkv" for scene in ("one", "two")]
    options = ["--checkpoint", checkpoint, "--out", tmp_path / "out"]
    assert "--keep-folders" in refused("embed", *videos, *options)
    run("embed", *videos, *options, "--keep-folders")
    wanted = [f"{scene}/rgb/{frame}" for scene in ("one", "two") for frame in ("000000", "000001")]
    assert names_in(tmp_path / "out", ".npy") == wanted
    rows = picture_rows([str(tmp_path / "*" / "rgb.mkv")], keep_folders=True)
    assert [row.name for row in rows] == wanted


def test_frames_of_a_sequence_of_pictures_are_those_of_each_folder(tmp_path):
    for scene, count in (("one", 5), ("two", 3)):
        (tmp_path / scene).mkdir()
        for number in range(count):
            Image.fromarray(draw(8, 8)).save(tmp_path / scene / f"{number}.png")
    rows = picture_rows([str(tmp_path)], keep_folders=True, frames=Frames(1, None, 2))
    assert [row.name for row in rows] == ["one/1", "one/3", "two/1"]
    rows = picture_rows([str(tmp_path)], keep_folders=True, frames=Frames(0, 2))
    assert [row.name for row in rows] == ["one/0", "one/1", "two/0", "two/1"]
    with pytest.raises(ImageError, match="5 frames"):
        picture_rows([str(tmp_path)], keep_folders=True, frames=Frames(7))
    with pytest.raises(ConfigError, match="nothing lies between"):
        Frames(3, 3)


def test_a_broken_video_is_one_line(refused, checkpoint, tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"nothing of the kind")
    options = ["--checkpoint", checkpoint, "--out", tmp_path / "out"]
    assert "cannot be read as a video" in refused("embed", tmp_path / "a.mp4", *options)
    assert "there is no video" in refused("embed", tmp_path / "none.mp4", *options)


def test_a_frame_that_cannot_be_decoded_is_a_broken_picture(video):
    rows = picture_rows([str(video)], keep_folders=False)
    content = video.read_bytes()
    video.write_bytes(content[: len(content) // 2])
    assert at_hand(rows[0].path).read_bytes()
    with pytest.raises(ImageError, match=r"walk\.mkv/000009\.ppm cannot be read"):
        at_hand(rows[9].path)


def test_label_maps_of_frames_are_those_of_their_pixels(run, checkpoint, video, tmp_path):
    out = tmp_path / "out"
    options = ["--checkpoint", checkpoint, "--stop", "1"]
    run("embed", video, *options, "--codes", "exact", "--out", out)
    run("query", out, *LABELS, "--out", tmp_path / "asked")
    run("predict", video, *LABELS, *options, "--out", tmp_path / "seen")
    one, other = (
        np.asarray(Image.open(tmp_path / folder / "walk" / "000000.png"))
        for folder in ("asked", "seen")
    )
    assert np.array_equal(one, other)
