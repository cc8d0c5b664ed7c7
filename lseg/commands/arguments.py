"""What the parsers of several commands have in common."""

import argparse
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TypeAlias

Handler = Callable[[argparse.Namespace], None]
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

BENCHMARK_FOLDERS = ["pascal5i", "coco20i", "fss1000"]
BENCHMARKS = [*BENCHMARK_FOLDERS, "shapes", "pairs"]


def command(module: str, function: str) -> Handler:
    """A function of a module beside this one, imported when the command is run."""

    def run(options: argparse.Namespace) -> None:
        getattr(import_module(f"lseg.commands.{module}"), function)(options)

    return run


def add_images(parser: argparse.ArgumentParser) -> None:
    """Pictures, and a folder for what is made of them."""
    parser.add_argument(
        "images", nargs="+", metavar="IMAGE", help="pictures, folders, patterns, or a list (.txt)"
    )
    parser.add_argument("--out", required=True, type=Path, help="folder for the results")
    add_model(parser)


def add_checkpoint(parser: argparse.ArgumentParser) -> None:
    """Which model."""
    parser.add_argument(
        "--checkpoint", default="tiny", metavar="MODEL",
        help="model folder, Hub id, .ckpt of a training, or 'tiny' (the embedded model, default)",
    )  # fmt: skip


def add_model(parser: argparse.ArgumentParser) -> None:
    """Which model, where, and how exactly it computes."""
    add_checkpoint(parser)
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1, mps; default auto")
    parser.add_argument(
        "--precision", default="fp32", choices=["auto", "fp32", "tf32", "bf16", "int8"],
        help="fp32 (default), tf32 (GPU), bf16, int8 (CPU), auto: bf16 where that is native",
    )  # fmt: skip
    parser.add_argument("--compile", action="store_true", help="compile the image encoder")
    parser.add_argument(
        "--text-table",
        metavar="FILE",
        help="label-embedding table, or a converted CLIP's folder, instead of the text encoder",
    )


def add_inference(parser: argparse.ArgumentParser) -> None:
    """How the network sees a picture."""
    parser.add_argument("--scales", type=float, nargs="+", default=[1.0])
    parser.add_argument("--flip", action="store_true", help="average with the mirrored picture")
    parser.add_argument("--size", type=whole, help="shorter side that the network sees; 0: as is")
    parser.add_argument("--window", type=whole, help="sliding window of this size in pixels")


def add_data_set(parser: argparse.ArgumentParser, more: Sequence[str] = ()) -> None:
    """Which data set; `more` kinds than pairs."""
    parser.add_argument("--dataset", required=True, choices=["pairs", *more], help="its kind")
    parser.add_argument("--data-root", "--root", metavar="DIR", help="its folder")
    parser.add_argument("--prompts", metavar="FILE.json", help="class name -> label to ask for")
    parser.add_argument("--ignore-index", type=whole, default=255, help="mask value left out")


def whole(text: str) -> int:
    """A number of 0 or more."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{value} is negative")
    return value
