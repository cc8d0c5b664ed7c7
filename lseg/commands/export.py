"""`lseg export`: a network as a program for other runtimes."""

from lseg.checkpoints.load import load_model
from lseg.commands.options.export import ExportOptions
from lseg.commands.output import output_file
from lseg.commands.record import OptionsRecord
from lseg.export.formats import export as export_model
from lseg.export.formats import format_of


def export(options: ExportOptions) -> None:
    """Writes the program and prints how far its answers are from the network's."""
    path = output_file(options.out)
    format_of(path)
    record = OptionsRecord.beside(path, "export", options)
    model = load_model(options.checkpoint)
    worst = export_model(model, path)
    record.write()
    megabytes = path.stat().st_size / 1e6
    print(f"{path}: {megabytes:.1f} MB, answers within {worst:.1e} of the network's")
    print("(three sizes, an LSeg's each with 2, 20 and 200 labels)")
