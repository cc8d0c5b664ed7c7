"""Arguments of the commands about pictures."""

import argparse
from pathlib import Path

from lseg.commands.arguments import (
    Commands,
    add_images,
    add_inference,
    add_model,
    command,
    whole,
)


def add_commands(commands: Commands) -> None:
    """Adds the commands."""
    _add_predict(commands)
    _add_embed(commands)
    _add_query(commands)
    _add_depth(commands)
    _add_demo(commands)


def _add_predict(commands: Commands) -> None:
    parser = commands.add_parser("predict", help="label maps and overlays of pictures")
    add_images(parser)
    parser.add_argument(
        "--labels",
        help='labels between commas ("sky,road|street,other"), or a text file with one a line',
    )  # fmt: skip
    add_inference(parser)
    parser.add_argument(
        "--format", default="files", choices=["files", "coco"],
        help="files: label map, overlay and JSON of each picture (default); coco: one COCO "
        "instances file for all",
    )  # fmt: skip
    parser.add_argument(
        "--without-other", action="store_true", help="no COCO annotations of other and background"
    )
    parser.set_defaults(handler=command("pictures", "predict"))


def _add_embed(commands: Commands) -> None:
    parser = commands.add_parser("embed", help="pixel embeddings of pictures, as files")
    add_images(parser)
    add = parser.add_argument
    add("--preset", choices=["openscene", "feature3dgs", "vlmaps"], help="what these read")
    add("--format", choices=["npy", "safetensors", "pt"], help="default npy")
    add("--dtype", choices=["float16", "float32"], help="default float16")
    add("--layout", choices=["CHW", "HWC", "NCHW"], help="order of the axes; default CHW")
    add("--output-size", metavar="SIZE", help="network (default), picture, or HEIGHTxWIDTH")
    add("--stride", type=whole, help="or pixels of the network's input to an embedding")
    add("--raw", dest="normalize", action="store_false", help="keep the embeddings' own norms")
    add("--normalize", action="store_true", help="unit vectors (default)")
    parser.set_defaults(normalize=None)
    add("--size", type=whole, help="shorter side that the network sees; 0: as is")
    add("--long-side", type=whole, help="longer side instead")
    add("--scales", type=float, nargs="+", help="factors on that size to average over")
    add("--flip", action=argparse.BooleanOptionalAction, help="average with the mirrored picture")
    add("--window", type=whole, help="sliding window in pixels, for large pictures; 0: none")
    add("--pca", metavar="K|FILE", help="reduce to K principal components, or to those of a file")
    add(
        "--pca-pictures", type=whole, default=64, metavar="N",
        help="pictures to learn them from, spread over the run; default 64, 0: all",
    )  # fmt: skip
    parser.set_defaults(handler=command("embed", "embed"))


def _add_query(commands: Commands) -> None:
    parser = commands.add_parser("query", help="label maps from files of embeddings")
    parser.add_argument(
        "embeddings", nargs="+", metavar="EMBEDDINGS", help="files, folders or patterns"
    )
    parser.add_argument("--labels", required=True, help="as for predict")
    parser.add_argument("--out", required=True, type=Path, help="folder for the results")
    parser.add_argument("--text-table", metavar="FILE", help="instead of the model's text encoder")
    parser.add_argument(
        "--pictures", type=Path, metavar="FOLDER", help="where the pictures are, for the overlays"
    )
    parser.set_defaults(handler=command("query", "query"))


def _add_depth(commands: Commands) -> None:
    parser = commands.add_parser("depth", help="depth maps of pictures, by a DPT depth network")
    add_images(parser)
    parser.add_argument("--size", type=whole, help="shorter side that the network sees; 0: as is")
    parser.set_defaults(handler=command("depth", "depth"))


def _add_demo(commands: Commands) -> None:
    parser = commands.add_parser("demo", help="a page to try labels on pictures, and its API")
    add_model(parser)
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 lets other machines in")
    parser.add_argument("--port", type=whole, help="default: the first free one from 7860")
    parser.add_argument("--size", type=whole, help="shorter side that the network sees; 0: as is")
    parser.add_argument("--max-upload", type=whole, default=20, metavar="MB")
    parser.add_argument("--max-megapixels", type=whole, default=25, metavar="MP")
    parser.add_argument("--max-queue", type=whole, default=64, help="questions that may wait")
    parser.add_argument(
        "--cache", type=whole, default=512, metavar="MB", help="encoded pictures that are kept"
    )
    parser.set_defaults(handler=command("demo", "demo"))
