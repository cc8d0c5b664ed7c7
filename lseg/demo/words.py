"""Label vectors with a bounded memory, and words that a click on a pixel is compared with."""

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock

import torch
from torch import Tensor

from lseg.inference.memory import Memory
from lseg.models.lseg import LSeg
from lseg.text.asking import Asking
from lseg.text.encoder import LabelEncoder, TextSource
from lseg.text.question import Question
from lseg.text.source import Answer
from lseg.text.vocabulary import vocabulary


class RecentPrompts:
    """A text encoder that remembers the prompts that were used last, and nothing on disk.

    What visitors type is not to fill the memory or the disk of the server. Threads may share it.
    """

    key: str | None = None

    def __init__(self, source: TextSource, count: int) -> None:
        """`count` is how many prompts are remembered."""
        self.templates = source.templates
        self._source, self._count = source, count
        self._lock = Lock()
        self._loading = Lock()
        self._known: OrderedDict[str, Tensor] = OrderedDict()

    def __len__(self) -> int:
        """How many prompts are remembered."""
        return len(self._known)

    def knows(self, name: str) -> bool:
        """See `TextSource`."""
        return self._source.knows(name)

    def answer(self, name: str) -> Answer:
        """See `TextSource`."""
        if self._source.knows(name):
            return self._source.answer(name)
        with self._loading:  # perhaps a text encoder, which once is enough; nobody else waits
            return self._source.answer(name)

    def encode(self, prompts: Sequence[str], device: torch.device) -> Tensor:
        """Unit vectors (n, C); see `TextSource`."""
        with self._lock:
            unknown = [prompt for prompt in prompts if prompt not in self._known]
            if unknown:
                new = self._source.encode(unknown, device)
                self._known.update(zip(unknown, new, strict=True))
            for prompt in prompts:
                self._known.move_to_end(prompt)
            found = torch.stack([self._known[prompt] for prompt in prompts])
            while len(self._known) > self._count:
                self._known.popitem(last=False)
        return found


class DemoLabelEncoder:
    """Labels to vectors for a demo."""

    def __init__(self, model: LSeg, count: int, asking: Asking) -> None:
        """Encodes the vocabulary; `count` is how many other prompts are remembered."""
        self.vocabulary = vocabulary(model.text)
        self.vectors = model.encode_labels(self.vocabulary, distinct=False)  # they are only ranked
        self._model = model
        self._asking = asking
        self._prompts = RecentPrompts(model.text.source, count + len(self.vocabulary))

    def question(self, labels: Sequence[str], memory: Memory | None = None) -> Question:
        """As `Segmenter.question`, but what is to be said of the labels is no warning."""
        asking = self._asking if memory is None else memory.asking(self._asking)
        return asking.question(self._encoder(), labels, self._model.device, known=self.vocabulary)

    def knows(self, labels: Sequence[str]) -> bool:
        """Whether all labels have vectors at hand; see `LabelEncoder.knows`."""
        return all(map(self._encoder().knows, labels))

    def _encoder(self) -> LabelEncoder:
        config = self._model.config  # not the model's own, which remembers all that it was asked
        return LabelEncoder(config.text, config.embed_dim, self._prompts)
