"""`lseg labels merge`: tables of one text encoder in one."""

from lseg.commands.label_tables import table_from
from lseg.commands.options.labels import LabelsMergeOptions
from lseg.commands.output import output_file
from lseg.commands.record import OptionsRecord
from lseg.errors import LabelError
from lseg.text.making import merge
from lseg.text.table import write_table


def labels_merge(options: LabelsMergeOptions) -> None:
    """Writes one table with the names of all.

    Raises:
        LabelError: If they cannot be compared with one another.
    """
    if len(options.tables) < 2:
        raise LabelError(f"{options.tables[0]} alone is merged already: give two tables or more")
    out = output_file(options.out)
    record = OptionsRecord.beside(out, "labels merge", options)
    vectors, metadata = merge([table_from(name) for name in options.tables])
    write_table(out, vectors, metadata)
    record.write()
    print(f"{len(vectors)} names in {out}: give it as --text-table")
