"""Frames of a video as pictures: any of them at any time, and cheaply one after another."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from lseg.errors import ConfigError, ImageError

OPEN_VIDEOS = 2
"""How many videos are held open: the end of one is read while the next begins."""

_ORIENTATION = {90: 8, -90: 6, 180: 3, -180: 3}
"""EXIF orientation of frames that are displayed turned so many degrees counterclockwise."""


class VideoFrame(NamedTuple):
    """A frame, decoded when it is fetched; nothing is kept open, so it can be sent elsewhere.

    Attributes:
        video: File of the video.
        number: Of the frame, from 0.
        time: When it is shown, in the units of the video's stream.
        key: When the frame is shown from which it can be decoded.
    """

    video: Path
    number: int
    time: int
    key: int

    def __str__(self) -> str:
        """The frame below the video, as if that were a folder."""
        return str(self.video / self.name)

    @property
    def name(self) -> str:
        """As a picture's file would be called."""
        return f"{self.number:06}.ppm"

    def picture(self) -> bytes:
        """A file of the picture, without loss; turned frames have an EXIF orientation.

        Raises:
            OSError: If the video cannot be read.
        """
        frame = _open(self.video, self.video.stat().st_mtime_ns).frame(self.time, self.key)
        image, file = frame.to_image(), BytesIO()
        orientation = _ORIENTATION.get(frame.rotation)
        if orientation is None:
            image.save(file, "PPM")
        else:
            image.save(file, "TIFF", tiffinfo={0x0112: orientation})
        return file.getvalue()


def video_frames(video: Path) -> list[VideoFrame]:
    """All frames of a video, in the order in which they are shown; none is decoded.

    Raises:
        ImageError: If it is no video, or does not say when its frames are shown.
        ConfigError: If PyAV is not installed.
    """
    av = pyav(video)
    try:
        with av.open(str(video)) as container:
            if not container.streams.video:
                raise ImageError(f"{video} has no video stream")
            packets = container.demux(container.streams.video[0])
            found = [(packet.pts, packet.is_keyframe) for packet in packets if packet.size]
    except av.error.FFmpegError as error:
        raise ImageError(f"{video} cannot be read as a video: {error}") from error
    times = [time for time, _ in found]
    if not found:
        raise ImageError(f"{video} has no frames")
    if None in times or len(set(times)) < len(times):
        raise ImageError(
            f"{video} does not say when its frames are shown: bring it into another container, "
            f"such as ffmpeg -i {video.name} -c copy {video.stem}.mkv"
        )
    keys = sorted(time for time, is_key in found if is_key) or [min(times)]
    return [
        VideoFrame(video, number, time, keys[max(0, bisect_right(keys, time) - 1)])
        for number, time in enumerate(sorted(times))
    ]


def pyav(video: Path) -> Any:
    """The library that decodes videos.

    Raises:
        ConfigError: If it is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise ConfigError(f'{video.name} needs PyAV: pip install "lseg[video]"') from error
    return av


class OpenVideo:
    """A video that is being decoded; threads may ask it at the same time."""

    def __init__(self, video: Path) -> None:
        """Opens it.

        Raises:
            OSError: If it cannot be read.
        """
        self._av = pyav(video)
        self._lock = Lock()
        with self._errors():
            self._container = self._av.open(str(video))
        self._stream = self._container.streams.video[0]
        self._stream.thread_type = "AUTO"
        self._frames: Iterator[Any] = iter(())
        self._last = -math.inf

    def frame(self, time: int, key: int) -> Any:
        """The frame that is shown at a time, by the key frame before it.

        It goes on from the frame that was asked before, where that is no detour.

        Raises:
            OSError: If it cannot be decoded.
        """
        with self._lock, self._errors():
            if not key <= self._last < time:
                self._container.seek(key, stream=self._stream, backward=True)
                self._frames = self._container.decode(self._stream)
            for frame in self._frames:
                if frame.pts is not None and frame.pts >= time:
                    self._last = frame.pts
                    if frame.pts == time:
                        return frame
                    break
            self._last = math.inf
            raise OSError("it cannot be decoded")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Those of the library, some of which are no errors of files."""
        try:
            yield
        except self._av.error.FFmpegError as error:
            self._last = math.inf
            raise OSError(f"it cannot be decoded: {error}") from error


@lru_cache(OPEN_VIDEOS)
def _open(video: Path, changed: int) -> OpenVideo:
    del changed
    return OpenVideo(video)
