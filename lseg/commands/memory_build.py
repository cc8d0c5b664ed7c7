"""`lseg memory build`: examples out of pictures with masks."""

from tqdm import tqdm

from lseg.commands.examples import examples_data
from lseg.commands.memory import save_memory
from lseg.commands.model import model_from
from lseg.commands.options.evaluate import EvaluateOptions
from lseg.commands.options.memory import MemoryBuildOptions
from lseg.commands.output import output_file
from lseg.data.base.dataset import FolderDataset
from lseg.data.base.labels import parse_labels
from lseg.errors import LabelError
from lseg.inference.memory import Memory
from lseg.memory.drawing import draw, occurrences
from lseg.models.lseg import LSeg


def memory_build(options: MemoryBuildOptions) -> None:
    """Writes a memory with examples of the classes of a data set."""
    out = output_file(options.out)
    data = examples_data(
        EvaluateOptions(
            dataset=options.dataset,
            examples=options.data_root,
            examples_split=options.split,
            prompts=options.prompts,
            ignore_index=options.ignore_index,
            orientation=options.orientation,
        )
    )
    classes = _classes(data, options.labels)
    drawn = draw(occurrences(data), options.shots, options.seed, classes)
    memory = Memory(model_from(options, LSeg), options.size)
    memory.add_data(data, drawn, tqdm)
    save_memory(memory, out)


def _classes(data: FolderDataset, wanted: str | None) -> list[int] | None:
    """The classes of these names or labels; None for all."""
    if wanted is None:
        return None
    known = {label: index for index, label in enumerate(data.labels)}
    known |= {name: index for index, name in enumerate(data.classes)}
    names = parse_labels(wanted)
    missing = [name for name in names if name not in known]
    if missing:
        raise LabelError(
            f"--labels {missing[0]!r} is no class of the data set, which has "
            f"{', '.join(data.classes)}"
        )
    return sorted({known[name] for name in names})
