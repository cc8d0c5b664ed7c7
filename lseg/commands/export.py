"""`lseg export`: the image side as a program for other runtimes."""

from lseg.checkpoints.load import load_model
from lseg.commands.options.export import ExportOptions
from lseg.commands.output import output_file
from lseg.commands.record import OptionsRecord
from lseg.errors import CheckpointError
from lseg.export.formats import export as export_model
from lseg.export.formats import format_of
from lseg.models.lseg import LSeg


def export(options: ExportOptions) -> None:
    """Writes the program and prints how far its answers are from the network's.

    Raises:
        CheckpointError: If the checkpoint is not an LSeg.
    """
    path = output_file(options.out)
    format_of(path)
    record = OptionsRecord.beside(path, "export", options)
    model = load_model(options.checkpoint)
    if not isinstance(model, LSeg):
        kind = type(model).__name__
        raise CheckpointError(f"{options.checkpoint} is a {kind}: only an LSeg is exported")
    worst = export_model(model, path)
    record.write()
    megabytes = path.stat().st_size / 1e6
    print(f"{path}: {megabytes:.1f} MB, logits within {worst:.1e} of the network's")
    print("(three sizes, each with 2, 20 and 200 labels)")
