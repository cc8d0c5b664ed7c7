"""The `lseg` command. Heavy imports happen inside the commands, so that `--help` is immediate."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import lseg
from lseg.errors import LSegError

Handler = Callable[[argparse.Namespace], None]

BENCHMARK_FOLDERS = ["pascal5i", "coco20i", "fss1000"]
BENCHMARKS = [*BENCHMARK_FOLDERS, "shapes", "pairs"]

TRAINING = {
    "fit": "train a network (Lightning; --config FILE, --help for every option)",
    "validate": "figures of a checkpoint on the validation sets of a configuration",
    "test": "figures of a checkpoint on the test sets of a configuration",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code: 2 after an error that the user can mend."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if given and given[0] in TRAINING:
            from lseg.training.cli import main as train

            train(given[0], given[1:])
        else:
            options = build_parser().parse_args(given)
            options.handler(options)
    except LSegError as error:
        print(f"lseg: {_message(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("lseg: interrupted", file=sys.stderr)
        return 130
    return 0


def build_parser() -> argparse.ArgumentParser:
    """The parser of everything but the training commands, which it only lists."""
    parser = argparse.ArgumentParser(
        "lseg", description="Language-driven semantic segmentation: any labels, any picture."
    )
    parser.add_argument("--version", action="version", version=f"lseg {lseg.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, text in TRAINING.items():
        commands.add_parser(name, help=text, add_help=False)
    _add_predict(commands)
    _add_embed(commands)
    _add_evaluate(commands)
    _add_fewshot(commands)
    _add_depth(commands)
    _add_convert(commands)
    _add_data(commands)
    return parser


def _add_predict(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("predict", help="label maps and overlays of pictures")
    _add_images(parser)
    parser.add_argument(
        "--labels",
        help='labels between commas ("sky,road|street,other"), or a text file with one a line',
    )  # fmt: skip
    parser.add_argument("--size", type=_whole, help="shorter side that the network sees; 0: as is")
    parser.set_defaults(handler=_predict)


def _add_embed(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("embed", help="pixel embeddings of pictures, as files")
    _add_images(parser)
    parser.add_argument("--format", default="npy", choices=["npy", "safetensors", "pt"])
    parser.add_argument("--dtype", default="float16", choices=["float16", "float32"])
    parser.add_argument("--raw", action="store_true", help="keep the embeddings' own norms")
    parser.add_argument("--scales", type=float, nargs="+", default=[1.0])
    parser.add_argument("--flip", action="store_true", help="average with the mirrored picture")
    parser.add_argument("--size", type=_whole, help="shorter side that the network sees; 0: as is")
    parser.set_defaults(handler=_embed)


def _add_images(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="pictures, folders or patterns")
    parser.add_argument("--out", required=True, type=Path, help="folder for the results")
    _add_model(parser)


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--checkpoint", default="tiny", metavar="MODEL",
        help="model folder, Hub id, .ckpt of a training, or 'tiny' (the embedded model, default)",
    )  # fmt: skip
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1, mps; default auto")
    parser.add_argument(
        "--precision", default="fp32", choices=["auto", "fp32", "bf16", "int8"],
        help="of the image encoder: fp32 (default), bf16, int8 (CPU), auto: bf16 where native",
    )  # fmt: skip
    parser.add_argument("--compile", action="store_true", help="compile the image encoder")
    parser.add_argument(
        "--text-table",
        metavar="FILE",
        help="label-embedding table, or a converted CLIP's folder, instead of the text encoder",
    )


def _add_evaluate(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("evaluate", help="mIoU and pixel accuracy on a data set")
    _add_data_set(parser, [*BENCHMARK_FOLDERS, "shapes"])
    parser.add_argument("--splits", metavar="DIR", help="split lists (pascal/, coco/, fss/)")
    parser.add_argument(
        "--unseen", metavar="K|NAMES",
        help="also seen, unseen and harmonic mIoU: a fold's number, or the unseen classes' names",
    )  # fmt: skip
    _add_model(parser)
    parser.add_argument("--split", default="val", help="list of pictures; default val")
    parser.add_argument("--scales", type=float, nargs="+", default=[1.0])
    parser.add_argument("--flip", action="store_true", help="average with the mirrored picture")
    parser.add_argument("--size", type=_whole, help="shorter side that the network sees; 0: as is")
    parser.add_argument("--window", type=_whole, help="sliding window of this size in pixels")
    parser.add_argument("--workers", type=_whole, default=1, help="processes that read pictures")
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="where to write the figures")
    parser.set_defaults(handler=_evaluate)


def _add_fewshot(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("fewshot", help="zero-shot and few-shot benchmarks")
    parser.add_argument("--benchmark", required=True, choices=BENCHMARKS)
    parser.add_argument("--fold", default="all", metavar="K|all", help="fold from 0; default all")
    parser.add_argument("--data-root", metavar="DIR", help="folder of the benchmark")
    parser.add_argument("--splits", metavar="DIR", help="split lists (pascal/, coco/, fss/)")
    parser.add_argument("--shots", type=_whole, default=0, help="supports an episode; default 0")
    parser.add_argument("--episodes", type=_whole, metavar="N", help="the first N of a fold only")
    parser.add_argument("--seed", type=_whole, default=0, help="of the episodes; default 0")
    parser.add_argument("--label-file", type=Path, metavar="FILE", help="one label a class, a line")
    parser.add_argument("--prompts", metavar="FILE.json", help="class name -> label to ask for")
    parser.add_argument(
        "--natural-names", action="store_true",
        help="'potted plant' for pottedplant; default the original's spelling",
    )  # fmt: skip
    parser.add_argument("--background-label", default="others", help="label of the rest: others")
    parser.add_argument("--visual-weight", type=float, help="share of supports against text, 0-1")
    parser.add_argument("--size", type=_whole, help="side of the pictures; default the protocol's")
    parser.add_argument("--split", default="val", help="test list of a pairs folder; default val")
    parser.add_argument("--ignore-index", type=_whole, default=255, help="of a pairs folder")
    _add_model(parser)
    parser.add_argument("--devices", type=_whole, default=1, help="processes; default 1")
    parser.add_argument("--batch-size", type=_whole, default=4, help="episodes at a time")
    parser.add_argument("--workers", type=_whole, default=1, help="processes that read pictures")
    parser.add_argument("--save-pictures", type=_whole, default=0, metavar="N", help="of each fold")
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="where to write the figures")
    parser.set_defaults(handler=_fewshot)


def _add_depth(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("depth", help="depth maps of pictures, by a DPT depth network")
    _add_images(parser)
    parser.add_argument("--size", type=_whole, help="shorter side that the network sees; 0: as is")
    parser.set_defaults(handler=_depth)


def _add_convert(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "convert", help="a published LSeg, DPT or CLIP checkpoint to a folder"
    )
    parser.add_argument("source", type=Path, help="checkpoint file, or Hugging Face DPT folder")
    parser.add_argument("destination", type=Path, help="the model folder to make")
    parser.add_argument(
        "--block", default="none", choices=["none", "depthwise", "bottleneck"],
        help="spatial blocks of an LSeg (arch_option 2 is depthwise, 1 is bottleneck)",
    )  # fmt: skip
    parser.add_argument("--block-depth", type=_whole, default=1, help="how often it is applied")
    parser.add_argument(
        "--block-activation", default="relu", choices=["relu", "lrelu", "tanh"],
        help="its activation",
    )  # fmt: skip
    parser.add_argument("--labels", help="class names of a segmentation network; text file or list")
    parser.add_argument("--scale", type=float, default=1.0, help="of a depth network that inverts")
    parser.add_argument("--shift", type=float, default=0.0, help="of a depth network that inverts")
    parser.add_argument("--size", type=_whole, help="shorter side of its input, if unusual")
    parser.add_argument("--invert", action="store_true", help="depth instead of inverse depth")
    parser.add_argument("--clip-model", help="open_clip name of a CLIP that is no OpenAI's")
    parser.set_defaults(handler=_convert)


def _add_data(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("data", help="verify a data set")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    check = actions.add_parser("check", help="report what is missing or corrupt")
    _add_data_set(check, BENCHMARK_FOLDERS)
    check.add_argument("--split", nargs="+", help="lists to check, such as val; default all")
    check.add_argument("--splits", metavar="DIR", help="split lists (pascal/, coco/, fss/)")
    check.set_defaults(handler=_data_check)


def _add_data_set(parser: argparse.ArgumentParser, more: Sequence[str] = ()) -> None:
    parser.add_argument("--dataset", required=True, choices=["pairs", *more], help="its kind")
    parser.add_argument("--data-root", "--root", metavar="DIR", help="its folder")
    parser.add_argument("--prompts", metavar="FILE.json", help="class name -> label to ask for")
    parser.add_argument("--ignore-index", type=_whole, default=255, help="mask value left out")


def _predict(options: argparse.Namespace) -> None:
    from lseg.commands.pictures import predict

    predict(options)


def _embed(options: argparse.Namespace) -> None:
    from lseg.commands.pictures import embed

    embed(options)


def _depth(options: argparse.Namespace) -> None:
    from lseg.commands.depth import depth

    depth(options)


def _convert(options: argparse.Namespace) -> None:
    from lseg.commands.conversion import convert

    convert(options)


def _evaluate(options: argparse.Namespace) -> None:
    from lseg.commands.datasets import evaluate

    evaluate(options)


def _fewshot(options: argparse.Namespace) -> None:
    from lseg.commands.fewshot import fewshot

    fewshot(options)


def _data_check(options: argparse.Namespace) -> None:
    if options.dataset in BENCHMARK_FOLDERS:
        from lseg.commands.benchmark_check import check as check_benchmark

        check_benchmark(options)
        return
    from lseg.commands.datasets import check

    check(options)


def _message(error: LSegError) -> str:
    """The error's own words, also where a worker process has wrapped them in its traceback."""
    words = str(error).rsplit("lseg.errors.", 1)[-1]
    return words.removeprefix(f"{type(error).__name__}: ").strip()


def _whole(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{value} is negative")
    return value


def script() -> None:
    """Entry point of the installed `lseg` command."""
    sys.exit(main())
