"""Class names of the few-shot benchmarks: the original's spelling, and one that people would use.

The original's label files write VOC devkit names, and COCO names without spaces, with VOC's
spelling where both have the class. They stand in `lseg/assets/labels`.
"""

from lseg.data.base.labels import display_name
from lseg.data.sets.label_table import read_labels

_VOC = read_labels("voc").without("background")
_COCO = read_labels("coco20i")

PASCAL: tuple[str, ...] = _VOC.names
COCO: tuple[str, ...] = _COCO.names

# Of 91 numbers these 80 are used; in this order they are the classes of COCO-20i.
COCO_IDS: tuple[int, ...] = _COCO.numbers()

_NATURAL = {
    name: display_name(prompt)
    for table in (_VOC, _COCO)
    for name, prompt in zip(table.names, table.prompts, strict=True)
}


def natural_name(name: str) -> str:
    """A class name as people would write it: `pottedplant` is a potted plant."""
    return _NATURAL.get(name, name.replace("_", " "))
