"""`lseg labels list`: the names of a table."""

from lseg.commands.label_tables import table_from
from lseg.commands.options.labels import LabelsListOptions


def labels_list(options: LabelsListOptions) -> None:
    """Prints a line on where the vectors are from, then a name a line, as label files have them."""
    table = table_from(options.table)
    told = [f"{key} {table.metadata[key]}" for key in ORIGIN if table.metadata.get(key)]
    width = len(next(iter(table.vectors.values()), ()))
    print("#", ", ".join([f"{len(table.names)} names", f"{width} wide", *told]))
    for name in table.names:
        print(name)


ORIGIN = ("model", "pretrained", "template")
