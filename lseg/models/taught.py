"""Logit maps of classes of which there are examples: text and what pixels look like, added up."""

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F

from lseg.models.embeddings import no_autocast
from lseg.models.lseg import Look, LSeg
from lseg.models.maps import CroppedMaps, DenseMaps, Maps, ResizedMaps
from lseg.models.pooled import PooledMaps, pooled_logits
from lseg.models.similarity import coarse_logits
from lseg.models.trunk import pad_to_multiple
from lseg.text.question import Question, Taught


class TaughtMaps:
    """Maps with what examples say added to those of some classes.

    Where other classes have none, examples decide among the T classes that have some, and text
    between these and the others: of what the best of the T gains, all but the T-th part is taken
    off all of them again. (Not of what they gain in sum: where examples leave open which of many
    it is, their best would fall below a class that is nowhere.)
    """

    def __init__(self, source: Maps, scores: Maps, taught: Taught) -> None:
        """`scores` are of the size of `source`: those of `taught`, without its bias."""
        self.source, self.scores, self.taught = source, scores, taught
        self.batch, self.labels = source.batch, source.labels
        self.size, self.device = source.size, source.device

    def rows(self, start: int, stop: int) -> Tensor:
        """See `Maps`."""
        logits = self.source.rows(start, stop)
        scores = self.scores.rows(start, stop) + self.taught.bias[:, None, None]
        if len(self.taught.classes) < self.labels:
            text = logits[:, self.taught.classes]
            more = (text + scores).amax(1, keepdim=True) - text.amax(1, keepdim=True)
            scores = scores - (1 - 1 / len(self.taught.classes)) * more
        return logits.index_add(1, self.taught.classes, scores)

    def split(self, count: int) -> "Sequence[TaughtMaps]":
        """See `Maps`."""
        del count
        return [self]

    def pictures(self, first: int, last: int) -> "TaughtMaps":
        """See `Maps`."""
        source, scores = self.source.pictures(first, last), self.scores.pictures(first, last)
        return TaughtMaps(source, scores, self.taught)


def unit_levels(levels: Sequence[Tensor]) -> list[Tensor]:
    """The backbone's maps (B, D, h, w), float32, with a vector of norm 1 in every place."""
    return [F.normalize(level.float(), dim=1) for level in levels]


def at_size(level: Tensor, size: tuple[int, int]) -> Tensor:
    """A map (B, D, h, w) at another size: bilinear."""
    if level.shape[-2:] == size:
        return level
    return F.interpolate(level, size=size, mode="bilinear", align_corners=False)


def taught_scores(look: Look, taught: Taught) -> Tensor:
    """What examples say of pictures, without the bias: (B, T, h, w) on the decoder's grid.

    A linear map commutes with upsampling, so that each level's share is computed at its own size.
    """
    features = look.embeddings.features
    height, width = features.shape[-2:]
    scores = features.new_zeros(len(features), len(taught.bias), height, width)
    with no_autocast(features):
        if taught.embedding.shape[1]:
            scores = scores + coarse_logits(look.embeddings, taught.embedding, 1.0)
        if taught.levels.shape[1]:
            widths = [level.shape[1] for level in look.levels]
            weights = taught.levels.split(widths, dim=1)
            for level, weight in zip(unit_levels(look.levels), weights, strict=True):
                share = F.conv2d(level, weight[:, :, None, None])
                scores = scores + at_size(share, (height, width))
    return scores


def picture_logits(model: LSeg, pixels: Tensor, questions: Sequence[Question]) -> list[Maps]:
    """Logits of several questions about pictures, which the network sees once.

    Args:
        model: In eval mode.
        pixels: (B, 3, H, W), normalised.
        questions: What is asked.
    """
    padded, size = pad_to_multiple(pixels, model.trunk.multiple)
    look, shape = model.look(padded), (padded.shape[-2], padded.shape[-1])
    return [question_logits(model, look, shape, size, question) for question in questions]


def question_logits(
    model: LSeg, look: Look, padded: tuple[int, int], size: tuple[int, int], question: Question
) -> Maps:
    """Logits of a question's classes, but for one that has no vector; see `answered`.

    Args:
        model: In eval mode.
        look: What it saw.
        padded: Height and width of its input on the patch grid.
        size: Its height and width without padding, those of the logits.
        question: What is asked.
    """
    logits = model.pixel_logits(look.embeddings, question.vectors, padded, size)
    taught = question.taught
    if taught is None:
        return pooled_logits(logits, question)
    source: Maps = logits.half if question.plain else PooledMaps(logits.half, question.pools)
    scores = ResizedMaps(DenseMaps(taught_scores(look, taught)), source.size)
    half = TaughtMaps(source, scores, taught)
    return CroppedMaps(ResizedMaps(half, padded, logits.cells), size)
