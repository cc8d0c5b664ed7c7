"""Videos as sources of pictures, and which frames of a sequence are taken."""

import glob
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lseg.data.base.images import VIDEO_SUFFIXES
from lseg.data.base.video import video_frames
from lseg.errors import ConfigError, ImageError
from lseg.paths import user_path
from lseg.pipeline.rows import Row, common_folder, fixed_part


@dataclass(frozen=True)
class Frames:
    """Which frames of a sequence, counted from 0: of a video, or the pictures of one folder.

    Attributes:
        start: The first.
        stop: One past the last; None goes to the end.
        stride: Every how many.
    """

    start: int = 0
    stop: int | None = None
    stride: int = 1

    def __post_init__(self) -> None:
        """Refuses ranges without frames.

        Raises:
            ConfigError: If it is one.
        """
        if self.stop is not None and self.stop <= self.start:
            raise ConfigError(f"--start {self.start} --stop {self.stop}: nothing lies between")

    def of(self, rows: Sequence[Row]) -> list[Row]:
        """These of each folder's rows, which need not stand together.

        Raises:
            ImageError: If there are none.
        """
        if self == Frames():
            return list(rows)
        places: Counter[str] = Counter()
        found = []
        for row in rows:
            folder = str(row.path).rpartition("/")[0]
            if self._takes(places[folder]):
                found.append(row)
            places[folder] += 1
        if not found:
            raise ImageError(
                f"--start {self.start}: the longest sequence has {max(places.values())} frames"
            )
        return found

    def _takes(self, place: int) -> bool:
        after = place - self.start
        before_stop = self.stop is None or place < self.stop
        return after >= 0 and before_stop and after % self.stride == 0


ALL_FRAMES = Frames()


def is_video(source: str) -> bool:
    """Whether a text names a video, or a pattern of videos, by its ending."""
    return Path(source).suffix.lower() in VIDEO_SUFFIXES


def video_rows(sources: Sequence[str], keep_folders: bool) -> list[Row]:
    """The frames of videos, a folder a video: `<stem>/000000`.

    Args:
        sources: Files and patterns.
        keep_folders: Names start at the longest common folder of the videos.

    Raises:
        ImageError: If a video is missing, or cannot be read.
        ConfigError: If PyAV is not installed.
    """
    videos: dict[Path, None] = {}
    tops = []
    for source in sources:
        path = user_path(source, ImageError)
        found = (
            [path] if path.is_file() else [*map(Path, sorted(glob.glob(str(path), recursive=True)))]
        )
        if not found:
            raise ImageError(f"there is no video {source}")
        videos |= dict.fromkeys(found)
        tops.append(path.parent if path.is_file() else fixed_part(path))
    folder = common_folder([*tops, *(video.parent for video in videos)]) if keep_folders else None
    rows = []
    for video in videos:
        row = Row.of(video, folder)
        for frame in video_frames(video):
            name = f"{frame.number:06}"
            rows.append(Row(frame, f"{row.source}/{frame.name}", f"{row.name}/{name}"))
    return rows
