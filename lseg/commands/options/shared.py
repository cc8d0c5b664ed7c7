"""Groups of options that several commands have."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args

from lseg.commands.options.base import NonNegative, Options, Positive, Spelling
from lseg.commands.output import going_on_in, lock_folder

BenchmarkFolder = Literal["pascal5i", "coco20i", "fss1000"]
Benchmark = Literal["pascal5i", "coco20i", "fss1000", "shapes", "pairs"]
BENCHMARK_FOLDERS: tuple[BenchmarkFolder, ...] = get_args(BenchmarkFolder)
BENCHMARKS: tuple[Benchmark, ...] = get_args(Benchmark)

Synonyms = Literal["mean", "max"]
Precision = Literal["auto", "fp32", "tf32", "bf16", "int8"]
Attention = Literal["value", "neighbour", "full"]


@dataclass(frozen=True, kw_only=True)
class PictureOptions(Options):
    """Which pictures, and where the results go.

    Attributes:
        images: Pictures, videos, folders, patterns, or a list of pictures (.txt).
        out: Folder for the results.
        orientation: displayed turns pictures as their EXIF orientation says; stored keeps pixels
            as they lie in the file, as poses of cameras expect.
        max_megapixels: Largest picture that is read.
        start: First frame of each sequence, counted from 0: of a video, or the pictures of a
            folder.
        stop: One past the last frame of each sequence.
        frame_stride: Every how many frames of a sequence.
    """

    images: Annotated[Sequence[str], Spelling("IMAGE", positional=True)]
    out: Annotated[Path, Spelling("DIR")]
    orientation: Literal["displayed", "stored"] = "displayed"
    max_megapixels: Annotated[Positive, Spelling("MP")] = 1000
    start: NonNegative = 0
    stop: Positive | None = None
    frame_stride: Positive = 1

    def lock(self) -> AbstractContextManager[None]:
        """See `Options`."""
        return lock_folder(self.out)

    def going_on(self) -> str:
        """See `Options`."""
        return going_on_in(self.out)


@dataclass(frozen=True, kw_only=True)
class RunOptions(Options):
    """How a run over files goes.

    Attributes:
        keep_folders: Results keep the folders of their files, below the longest common one.
        strict: The first broken file ends the run; else it is told, and the run exits with 3.
        max_errors: More broken files than these end the run.
    """

    keep_folders: bool = False
    strict: bool = False
    max_errors: NonNegative | None = None


@dataclass(frozen=True, kw_only=True)
class CheckpointOptions(Options):
    """Which model.

    Attributes:
        checkpoint: Model folder, Hub id, .ckpt of a training, or an embedded model: 'photo', for
            photographs, or 'tiny', for coloured shapes.
        attention: What patches of an encoder without a decoder take from others in its last block:
            nothing (value), from near and alike ones (neighbour), or as it was trained (full).
            value if not given.
    """

    checkpoint: Annotated[str, Spelling("MODEL")] = "photo"
    attention: Attention | None = None


@dataclass(frozen=True, kw_only=True)
class ModelOptions(CheckpointOptions):
    """Which model, where, and how exactly it computes.

    Attributes:
        device: cpu, cuda, cuda:1, mps; auto takes the accelerator, if there is one.
        precision: fp32, tf32 (GPU), bf16, int8 (CPU); auto takes bf16 where that is native.
        compile: Compile the image encoder.
        text_table: Label-embedding table, or the folder of a model or a converted CLIP, in place
            of the text encoder.
        templates: What labels are put into for the text encoder: bare, photo ("a photo of a ..."),
            imagenet80 (the mean over CLIP's 80), or a file with a template a line, {} being the
            label. The model's own if not given.
    """

    device: str = "auto"
    precision: Precision = "fp32"
    compile: bool = False
    text_table: Annotated[str | None, Spelling("FILE")] = None
    templates: Annotated[str | None, Spelling("NAME|FILE")] = None


@dataclass(frozen=True, kw_only=True)
class AskingOptions(Options):
    """How labels are asked for.

    Attributes:
        synonyms: Of a|b: mean averages the vectors, max takes the larger score at each pixel.
        other: How other, or the background, is asked: its word; words=LIST for what else may be
            there; vocabulary: all words that are not near a label; threshold=T: no label has the
            probability T; rest: one of these two. auto takes the word of a text encoder, or rest.
    """

    synonyms: Synonyms = "mean"
    other: Annotated[str, Spelling("RULE", also="--background")] = "auto"


@dataclass(frozen=True, kw_only=True)
class MemoryOptions(Options):
    """What has been shown by example.

    Attributes:
        memory: Examples of labels, from `lseg memory build`.
    """

    memory: Annotated[Path | None, Spelling("FILE.safetensors")] = None


@dataclass(frozen=True, kw_only=True)
class EngineOptions(ModelOptions):
    """Who does the pictures, each with the model.

    Attributes:
        engine: local: this process, or those of torchrun; ray: actors of Ray Data, here or on the
            cluster of RAY_ADDRESS.
        actors: Actors of Ray, several on a GPU where there are more; one a GPU, or without GPUs
            one for two processors, if not given.
    """

    engine: Literal["local", "ray"] = "local"
    actors: Positive | None = None


@dataclass(frozen=True, kw_only=True)
class PictureRunOptions(PictureOptions, RunOptions, EngineOptions):
    """What all runs of a network over pictures have.

    Attributes:
        verify: A finished picture's files are left as they are if their content is still that of
            the index; else if their size is.
    """

    verify: bool = False


@dataclass(frozen=True, kw_only=True)
class CountOptions(EngineOptions):
    """Who counts the pictures of a data set.

    Attributes:
        devices: Processes, each on a device of its own, that share the pictures.
        workers: Processes that read pictures, of each of these; without any, as in actors, a
            thread does.
    """

    devices: Positive = 1
    workers: NonNegative = 1


@dataclass(frozen=True, kw_only=True)
class SizeOptions(Options):
    """How large the network sees a picture.

    Attributes:
        size: Shorter side in pixels that the network sees; 0: as it is. The model's own if not
            given.
    """

    size: NonNegative | None = None


@dataclass(frozen=True, kw_only=True)
class ViewOptions(SizeOptions):
    """How the network sees a picture.

    Attributes:
        scales: Factors on that size to average over. 1 if not given.
        flip: Average with the mirrored picture.
        window: Sliding window of this size in pixels.
        window_batch: Windows that the network sees at once.
        guided: Labels follow the picture's outlines (guided filter). If not given, as the model's
            config.json says, and in evaluate not.
    """

    scales: Sequence[float] | None = None
    flip: bool | None = None
    window: NonNegative | None = None
    window_batch: Positive = 4
    guided: bool | None = None


@dataclass(frozen=True, kw_only=True)
class DataOptions(Options):
    """Where the data set is, and how its files are read.

    Attributes:
        data_root: Its folder.
        prompts: Class names and the labels to ask for in their place, a JSON object.
        ignore_index: Value of masks that is left out, of a pairs folder; if not given, that of its
            dataset.yaml, or 255.
        splits: Folder of split lists (pascal/, coco/, fss/).
        orientation: What masks lie over where pictures have an EXIF orientation: displayed or
            stored pixels; auto: their size tells. If not given, as dataset.yaml says, or auto.
    """

    data_root: Annotated[str | None, Spelling("DIR", also="--root")] = None
    prompts: Annotated[str | None, Spelling("FILE.json")] = None
    ignore_index: NonNegative | None = None
    splits: Annotated[str | None, Spelling("DIR")] = None
    orientation: Literal["auto", "displayed", "stored"] | None = None
