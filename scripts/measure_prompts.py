"""What prompt engineering is worth with a checkpoint, on photographs that are not for testing.

    LSEG_DATA=DIR python scripts/measure_prompts.py --checkpoint M [--pictures N] [--parts ...]

prints one Markdown table: names and synonyms on COCO panoptic val (133 classes); `other` on the
same pictures, each asked for some classes, most of them absent, and `other` for the rest; the
background of VOC on its *train* pictures. A picture is encoded once for all variants. With 30
pictures of each (the default) it takes a few minutes on one core.
"""

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

import lseg
from lseg.data.base.labels import display_name
from lseg.data.sets.label_table import read_labels
from lseg.data.sets.pairs import PairsDataset
from lseg.evaluation.metrics import ClassAreas, confusion_matrix
from lseg.inference.segmenter import Segmenter
from lseg.models.lseg import LSeg
from lseg.text.asking import AS_TRAINED, Asking
from lseg.text.other import OtherRule, Rest, Threshold, Vocabulary, Words
from lseg.text.vocabulary import synonyms_of, vocabulary

COCO, VOC = "coco_panoptic200", "voc_aug21"
COCO_PROMPTS = "clip_text/coco133_prompt_names.json"
PRESENT = 3
SMALL = 0.005
"""How many of the classes asked for are in a picture, at most, and which share of it they cover."""


@dataclass(frozen=True)
class Variant:
    """A way to ask: one label a class, and how labels are asked for."""

    name: str
    labels: Sequence[str]
    asking: Asking = AS_TRAINED


@dataclass(frozen=True)
class Figures:
    """Percent.

    Attributes:
        miou: Of the classes but the rest, pooled over pictures.
        rest: IoU of the rest, pooled; NaN where there is none.
        accuracy: Of the pixels.
        picture: mIoU of the classes in a picture's truth, the rest among them, averaged over
            pictures.
    """

    miou: float
    rest: float
    accuracy: float
    picture: float

    @classmethod
    def of(cls, confusions: Sequence[Tensor], rest: int | None) -> "Figures":
        """Figures of the confusion matrices (N, N) of pictures."""
        pooled = ClassAreas.of_confusion(torch.stack(list(confusions)).sum(0)).scores()
        iou = pooled.iou.tolist()
        named = [one for index, one in enumerate(iou) if index != rest and not math.isnan(one)]
        each = [ClassAreas.of_confusion(one) for one in confusions]
        pictures = [areas.iou()[areas.truth > 0].mean().item() for areas in each]
        return cls(
            100 * sum(named) / len(named),
            math.nan if rest is None else 100 * iou[rest],
            100 * pooled.pixel_accuracy,
            100 * sum(pictures) / len(pictures),
        )

    def cells(self) -> str:
        """A row of the table."""
        values = (self.miou, self.rest, self.accuracy, self.picture)
        return " | ".join("" if math.isnan(value) else f"{value:.1f}" for value in values)


def chosen(data: PairsDataset, count: int) -> Iterator[dict[str, Tensor]]:
    """`count` pictures with their masks, spread over the list."""
    indices = np.linspace(0, len(data) - 1, min(count, len(data))).round().astype(int)
    for index in tqdm(indices.tolist(), leave=False):
        yield data[index]


def measure(
    model: LSeg,
    data: PairsDataset,
    count: int,
    variants: Sequence[Variant],
    rest: int | None = None,
) -> list[Figures]:
    """Figures of each variant, every class asked for; `rest` is the index of a background."""
    segmenter = Segmenter(model)
    questions = [one.asking.question(model.text, one.labels, other=rest) for one in variants]
    found: list[list[Tensor]] = [[] for _ in variants]
    for item in chosen(data, count):
        encoded = segmenter.encode(item["image"].permute(1, 2, 0).numpy())
        for question, matrices in zip(questions, found, strict=True):
            best = torch.from_numpy(segmenter.segment_encoded(encoded, question).label_map).long()
            matrices.append(
                confusion_matrix(best, item["mask"], len(data.labels), data.ignore_index)
            )
    return [Figures.of(matrices, rest) for matrices in found]


def measure_some(
    model: LSeg, data: PairsDataset, count: int, rules: Sequence[OtherRule], number: int
) -> list[Figures]:
    """Figures of rules, each picture asked for `number` classes and `other`.

    Up to `PRESENT` of them are in the picture, the others are not, all drawn at random.
    """
    segmenter = Segmenter(model)
    other = len(data.labels)
    found: list[list[Tensor]] = [[] for _ in rules]
    for index, item in enumerate(chosen(data, count)):
        encoded = segmenter.encode(item["image"].permute(1, 2, 0).numpy())
        counts = torch.bincount(item["mask"][item["mask"] != data.ignore_index], minlength=other)
        order = np.random.default_rng((index, number)).permutation(other)
        here = [one for one in order.tolist() if counts[one] > SMALL * item["mask"].numel()]
        absent = [one for one in order.tolist() if counts[one] == 0]
        here = here[: min(PRESENT, number)]
        asked = torch.tensor([*here, *absent[: number - len(here)], other])
        kept = torch.isin(item["mask"], torch.tensor([*asked.tolist(), data.ignore_index]))
        truth = torch.where(kept, item["mask"], other)
        labels = [*(data.labels[index] for index in asked[:-1].tolist()), "other"]
        for rule, matrices in zip(rules, found, strict=True):
            question = Asking(other=rule).question(model.text, labels, other=number)
            best = torch.from_numpy(segmenter.segment_encoded(encoded, question).label_map).long()
            matrices.append(confusion_matrix(asked[best], truth, other + 1, data.ignore_index))
    return [Figures.of(matrices, other) for matrices in found]


def known(model: LSeg, words: Sequence[str], instead: str) -> str:
    """Those of some words that the text side knows as they are, between bars; else `instead`."""
    names = set(vocabulary(model.text))
    return "|".join(word for word in dict.fromkeys(words) if word in names) or instead


def names_of_coco(model: LSeg, prompts: Sequence[str]) -> list[Variant]:
    """COCO's classes by their names and synonyms; by `prompts` where the text side lacks those."""
    table = read_labels("coco_panoptic")
    usual = [display_name(prompt) for prompt in table.prompts]
    own = [known(model, [n], p) for n, p in zip(table.names, prompts, strict=True)]
    plain = [known(model, [n], p) for n, p in zip(usual, prompts, strict=True)]
    several, taken = [], set(plain)
    for name, first in zip(usual, plain, strict=True):
        words = [word for word in synonyms_of(name) if word not in taken]
        several.append(known(model, [first, *words], first))
        taken |= set(words)
    return [
        Variant("names: own", own),
        Variant("names: plain", plain),
        Variant("synonyms: mean", several),
        Variant("synonyms: max", several, Asking("max")),
    ]


def rules_of(model: LSeg) -> dict[str, OtherRule]:
    """Ways to find the rest, by what to call them."""
    words = {name: Words((name,)) for name in ("other", "background") if model.text.knows(name)}
    return {
        **{f"word {name!r}": rule for name, rule in words.items()},
        "words: largest": Words(),
        "words: sum": Words(summed=True),
        **{f"threshold {below}": Threshold(below) for below in (0.3, 0.5, 0.7)},
        "rest": Rest(),
        "rest: threshold 0.5": Rest(threshold=Threshold(0.5)),
        "vocabulary": Vocabulary(),
        "vocabulary: largest, margin 1": Vocabulary(summed=False, margin=1),
        "vocabulary: largest, margin 2": Vocabulary(summed=False, margin=2),
        "vocabulary: sum, margin 2": Vocabulary(margin=2),
        "vocabulary: sum, margin 4": Vocabulary(margin=4),
    }


def table_rows(model: LSeg, options: argparse.Namespace) -> Iterator[str]:
    """The rows of the table."""
    count = options.pictures
    coco = PairsDataset(COCO, "val", prompts=COCO_PROMPTS)
    rules = rules_of(model)
    if "names" in options.parts:
        variants = names_of_coco(model, coco.labels)
        for one, row in zip(variants, measure(model, coco, count, variants), strict=True):
            yield f"| COCO val, 133 classes | {one.name} | {row.cells()} |"
    for number in options.asked if "other" in options.parts else ():
        rows = measure_some(model, coco, count, list(rules.values()), number)
        for name, row in zip(rules, rows, strict=True):
            yield f"| COCO val, {number} classes and the rest | {name} | {row.cells()} |"
    if "background" in options.parts:
        prompts = read_labels("voc").prompts
        labels = [display_name(known(model, prompt.split("|"), prompt)) for prompt in prompts]
        variants = [Variant(name, labels, Asking(other=rule)) for name, rule in rules.items()]
        rows = measure(model, PairsDataset(VOC, "train"), count, variants, rest=0)
        for one, row in zip(variants, rows, strict=True):
            yield f"| VOC train, 20 classes and background | {one.name} | {row.cells()} |"


def main() -> None:
    """Measures and prints."""
    parts = ("names", "other", "background")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", required=True, help="a model of photographs")
    parser.add_argument("--pictures", type=int, default=30, help="of each set (default: 30)")
    parser.add_argument("--asked", type=int, nargs="+", default=[2, 5, 20], help="classes")
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts)
    options = parser.parse_args()
    model = lseg.load_model(options.checkpoint)
    rows = list(table_rows(model, options))
    print(f"\n{options.checkpoint}, {options.pictures} pictures of each set\n")
    print("| data | asked by | mIoU of classes | IoU of the rest | pixel accuracy | "
          "mIoU of a picture |")  # fmt: skip
    print("| --- | --- | --- | --- | --- | --- |")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
