"""`lseg export`: a network as a program for other runtimes, or as a model of transformers."""

from lseg.checkpoints.load import load_model
from lseg.commands.model import set_attention
from lseg.commands.options.export import ExportOptions
from lseg.commands.output import output_file, output_folder
from lseg.commands.record import OptionsRecord
from lseg.errors import LSegError
from lseg.export.formats import export as export_model
from lseg.export.formats import format_of
from lseg.export.transformers_folder import export_folder


def export(options: ExportOptions) -> None:
    """Writes the program and prints how far its answers are from the network's; or the folder."""
    if options.format == "transformers":
        _export_folder(options)
        return
    path = output_file(options.out)
    format_of(path)
    record = OptionsRecord.beside(path, "export", options)
    model = load_model(options.checkpoint)
    if options.attention is not None:
        set_attention(model, options.attention)
    worst = export_model(model, path)
    record.write()
    megabytes = path.stat().st_size / 1e6
    print(f"{path}: {megabytes:.1f} MB, answers within {worst:.1e} of the network's")
    print("(three sizes, an LSeg's each with 2, 20 and 200 labels)")


def _export_folder(options: ExportOptions) -> None:
    if options.out.suffix in (".onnx", ".pt2"):
        raise LSegError(f"{options.out} is the name of a program: give a folder as --out")
    folder = output_folder(options.out)
    record = OptionsRecord.in_folder(folder, "export", options)
    name = export_folder(load_model(options.checkpoint), folder)
    record.write()
    print(f"{folder}: transformers.{name}.from_pretrained opens it")
