"""Label-embedding tables as commands name them."""

from lseg.commands.model import text_from
from lseg.errors import LabelError
from lseg.paths import resolve_data_path
from lseg.store.checkpoint import EMBEDDED
from lseg.text.table import LabelTable


def table_from(name: str) -> LabelTable:
    """A table by its file, or by a model that has one: its folder, or an embedded one's name.

    Raises:
        LabelError: If there is no table.
        CheckpointError: If a folder is no model's.
    """
    config = text_from(str(EMBEDDED.get(name, name)))
    if config.table is None:
        raise LabelError(
            f"{name} has a text encoder ({config.model}), which takes any words, and no table: "
            "give a label-embedding table, or a model that has one"
        )
    return LabelTable(resolve_data_path(config.table))
