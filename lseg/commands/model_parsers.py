"""Arguments of the commands about model files."""

from pathlib import Path

from lseg.commands.arguments import Commands, add_checkpoint, command, whole


def add_commands(commands: Commands) -> None:
    """Adds the commands."""
    _add_convert(commands)
    _add_export(commands)


def _add_convert(commands: Commands) -> None:
    parser = commands.add_parser(
        "convert", help="a published LSeg, DPT or CLIP checkpoint to a folder"
    )
    parser.add_argument("source", type=Path, help="checkpoint file, or Hugging Face DPT folder")
    parser.add_argument("destination", type=Path, help="the model folder to make")
    parser.add_argument(
        "--block", default="none", choices=["none", "depthwise", "bottleneck"],
        help="spatial blocks of an LSeg (arch_option 2 is depthwise, 1 is bottleneck)",
    )  # fmt: skip
    parser.add_argument("--block-depth", type=whole, default=1, help="how often it is applied")
    parser.add_argument(
        "--block-activation", default="relu", choices=["relu", "lrelu", "tanh"],
        help="its activation",
    )  # fmt: skip
    parser.add_argument("--labels", help="class names of a segmentation network; text file or list")
    parser.add_argument("--scale", type=float, default=1.0, help="of a depth network that inverts")
    parser.add_argument("--shift", type=float, default=0.0, help="of a depth network that inverts")
    parser.add_argument("--size", type=whole, help="shorter side of its input, if unusual")
    parser.add_argument("--invert", action="store_true", help="depth instead of inverse depth")
    parser.add_argument("--clip-model", help="open_clip name of a CLIP that is no OpenAI's")
    parser.set_defaults(handler=command("conversion", "convert"))


def _add_export(commands: Commands) -> None:
    parser = commands.add_parser("export", help="the image side as ONNX or torch.export program")
    add_checkpoint(parser)
    parser.add_argument(
        "--out", required=True, type=Path, metavar="FILE", help="ends in .onnx or .pt2"
    )
    parser.set_defaults(handler=command("export", "export"))
