import builtins
import io
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image
from videos import write_video

from lseg.data.base import video
from lseg.data.base.video import video_frames
from lseg.errors import ConfigError, ImageError

VALUES = [20 + 8 * number for number in range(25)]


def grey(frame):
    return np.asarray(Image.open(io.BytesIO(frame.picture())).convert("L")).mean()


@pytest.fixture(params=["mkv", "mp4", "avi"])
def frames(request, tmp_path):
    """Of ffv1, where every frame stands alone, or decoded from several others."""
    path = tmp_path / f"a.{request.param}"
    if request.param == "mkv":
        return video_frames(write_video(path, VALUES))
    between = {"bf": "2"} if request.param == "mp4" else {}
    return video_frames(write_video(path, VALUES, "mpeg4", g="7", qmin="1", qmax="1", **between))


def test_frames_come_in_any_order(frames):
    assert [frame.number for frame in frames] == list(range(len(VALUES)))
    order = [*range(25), *range(24, -1, -1), 3, 19, 4, 4, 12, *range(0, 25, 6)]
    for number in order:
        assert grey(frames[number]) == pytest.approx(VALUES[number], abs=3)


def test_threads_may_ask_at_once(frames):
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(grey, frames * 2))
    assert found == pytest.approx(VALUES * 2, abs=3)


def test_frames_can_be_sent_elsewhere(frames):
    sent = pickle.loads(pickle.dumps(frames[7]))
    assert sent.picture() == frames[7].picture()
    assert str(sent).endswith("/000007.ppm")


def test_going_on_decodes_nothing_twice(tmp_path, monkeypatch):
    frames = video_frames(write_video(tmp_path / "a.mp4", VALUES, "mpeg4", g="100"))
    opened = video.OpenVideo(tmp_path / "a.mp4")
    monkeypatch.setattr(video, "_open", lambda *_: opened)
    decoded = []
    plain = opened._container.decode

    class Counting:
        def __getattr__(self, name):
            return getattr(container, name)

        def decode(self, stream):
            for frame in plain(stream):
                decoded.append(frame.pts)
                yield frame

    container, opened._container = opened._container, Counting()
    for frame in frames[3::4]:
        frame.picture()
    assert len(decoded) == len(set(decoded))


def test_turned_frames_say_so(tmp_path, monkeypatch):
    (frame, *_) = video_frames(write_video(tmp_path / "a.mkv", VALUES))

    class Turned:
        rotation = -90

        def to_image(self):
            return Image.new("RGB", (64, 48))

    opened = video.OpenVideo(tmp_path / "a.mkv")
    monkeypatch.setattr(opened, "frame", lambda *_: Turned())
    monkeypatch.setattr(video, "_open", lambda *_: opened)
    assert Image.open(io.BytesIO(frame.picture())).getexif()[0x0112] == 6


def test_what_is_no_video_is_refused(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"nothing of the kind")
    with pytest.raises(ImageError, match="cannot be read as a video"):
        video_frames(tmp_path / "a.mp4")


def test_a_video_that_ends_early_is_an_error_of_its_last_frames(tmp_path):
    frames = video_frames(write_video(tmp_path / "a.mkv", VALUES))
    content = (tmp_path / "a.mkv").read_bytes()
    (tmp_path / "a.mkv").write_bytes(content[: len(content) // 2])
    assert grey(frames[2]) == pytest.approx(VALUES[2], abs=3)
    with pytest.raises(OSError, match="cannot be decoded"):
        frames[-1].picture()


def test_a_missing_library_is_one_line(tmp_path, monkeypatch):
    path = write_video(tmp_path / "a.mkv", VALUES[:2])
    known = builtins.__import__

    def without(name, *more):
        if name == "av":
            raise ImportError(name)
        return known(name, *more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match=r"lseg\[video\]"):
        video_frames(path)
