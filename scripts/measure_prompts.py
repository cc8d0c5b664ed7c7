"""What prompt engineering is worth with a checkpoint, on photographs that are not for testing.

    LSEG_DATA=DIR python scripts/measure_prompts.py --checkpoint M [--pictures N] [--parts ...]

prints one Markdown table: names and synonyms on COCO panoptic val (133 classes); `other` on the same
pictures, each asked for its largest classes and `other` for the rest; the background of VOC on its
*train* pictures. A picture is encoded once for all variants. With 30 pictures (the default) it takes
a few minutes on one core.
"""

import argparse
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
from lseg.errors import LabelError
from lseg.evaluation.metrics import ClassAreas, confusion_matrix, scores_from_confusion
from lseg.inference.segmenter import Segmenter
from lseg.models.lseg import LSeg
from lseg.text.asking import Asking
from lseg.text.other import BACKGROUND_WORDS, OtherRule, Threshold, Vocabulary, Words
from lseg.text.vocabulary import synonyms_of

COCO, VOC = "coco_panoptic200", "voc_aug21"
COCO_PROMPTS = "clip_text/coco133_prompt_names.json"


@dataclass(frozen=True)
class Variant:
    """A way to ask.

    Attributes:
        name: Of the row.
        labels: One a class.
        asking: How they are asked for.
    """

    name: str
    labels: Sequence[str]
    asking: Asking = Asking()  # noqa: RUF009


@dataclass(frozen=True)
class Figures:
    """Percent, pooled over pictures.

    Attributes:
        miou: Of the classes but the rest.
        other: IoU of the rest; NaN where there is none.
        accuracy: Of the pixels.
        picture: mIoU of a picture's classes, with the rest, averaged over pictures.
    """

    miou: float
    other: float
    accuracy: float
    picture: float

    @classmethod
    def of(cls, confusions: Sequence[Tensor], other: int | None) -> "Figures":
        """Figures of the confusion matrices (N, N) of pictures."""
        each = [ClassAreas.of_confusion(one) for one in confusions]
        ious = [areas.iou()[areas.truth > 0].mean().item() for areas in each]
        confusion = torch.stack(list(confusions)).sum(0)
        scores = scores_from_confusion(confusion)
        named = [index for index in range(len(confusion)) if index != other]
        rest = float("nan") if other is None else scores.iou[other].item()
        miou = scores.iou[named].nanmean().item()
        return cls(100 * miou, 100 * rest, 100 * scores.pixel_accuracy, 100 * sum(ious) / len(ious))


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
    other: int | None = None,
    largest: int | None = None,
) -> list[Figures]:
    """Figures of each variant.

    Args:
        model: In eval mode.
        data: Pictures and masks.
        count: How many of them.
        variants: Ways to ask.
        other: Index of the class of the rest, if there is one.
        largest: Ask each picture for so many of its largest classes, and `other` for the rest,
            which is then a class behind all others.
    """
    segmenter = Segmenter(model)
    classes = len(data.labels) + (largest is not None)
    rest = other if largest is None else classes - 1
    confusions: list[list[Tensor]] = [[] for _ in variants]
    questions = [
        None if largest else variant.asking.question(model.text, variant.labels, other=other)
        for variant in variants
    ]
    for item in chosen(data, count):
        mask = item["mask"]
        encoded = segmenter.encode(item["image"].permute(1, 2, 0).numpy())
        asked = list(range(classes))
        if largest is not None:
            counts = torch.bincount(mask[mask != data.ignore_index], minlength=classes)
            found = counts.argsort(descending=True, stable=True)[:largest].tolist()
            asked = [*(index for index in found if counts[index] > 0), classes - 1]
            unasked = ~torch.isin(mask, torch.tensor([*asked, data.ignore_index]))
            mask = torch.where(unasked, classes - 1, mask)
        for variant, question, confusion in zip(variants, questions, confusions, strict=True):
            if question is None:
                labels = [*(variant.labels[index] for index in asked[:-1]), "other"]
                question = variant.asking.question(model.text, labels, other=len(labels) - 1)
            best = segmenter.segment_encoded(encoded, question).label_map
            prediction = torch.tensor(asked)[torch.from_numpy(best.astype(np.int64))]
            confusion.append(confusion_matrix(prediction, mask, classes, data.ignore_index))
    return [Figures.of(confusion, rest) for confusion in confusions]


def known(model: LSeg, words: Sequence[str], instead: str) -> str:
    """Those of some words that the text side knows, between bars; `instead` if it knows none."""
    found = [word for word in dict.fromkeys(words) if knows(model, word)]
    return "|".join(found) or instead


def knows(model: LSeg, word: str) -> bool:
    """Whether the text side has a vector for a word."""
    try:
        model.encode_labels([word])
    except LabelError:
        return False
    return True


def names_of_coco(model: LSeg, prompts: Sequence[str]) -> list[Variant]:
    """COCO's classes by their names and synonyms; by `prompts` where the text side lacks those."""
    table = read_labels("coco_panoptic")
    usual = [display_name(prompt) for prompt in table.prompts]
    own = [known(model, [n], p) for n, p in zip(table.names, prompts, strict=True)]
    plain = [known(model, [n], p) for n, p in zip(usual, prompts, strict=True)]
    several, taken = [], {*plain}
    for name, first in zip(usual, plain, strict=True):
        words = [word for word in synonyms_of(name) if word not in taken]
        several.append(known(model, [first, *words], first))
        taken |= {*words}
    found = [
        Variant("names own", own),
        Variant("names plain", plain),
        Variant("prompts file", prompts),
        Variant("synonyms mean", several),
        Variant("synonyms max", several, Asking("max")),
    ]
    return [one for one in found if len(set(one.labels)) == len(one.labels)]


def rules(model: LSeg) -> dict[str, OtherRule]:
    """Ways to find the rest."""
    words = tuple(word for word in BACKGROUND_WORDS if knows(model, word))
    found: dict[str, OtherRule] = {
        "words, largest": Words(words),
        "words, sum": Words(words, summed=True),
        **{f"threshold={t}": Threshold(t) for t in (0.3, 0.4, 0.5, 0.6)},
        **{f"vocabulary, cosine < {c}": Vocabulary(near=c) for c in (0.85, 0.9, 0.95)},
        "vocabulary, sum": Vocabulary(summed=True),
    }
    return found


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", required=True, help="a model of photographs")
    parser.add_argument("--pictures", type=int, default=30, help="of each data set (default: 30)")
    parser.add_argument("--largest", type=int, default=5, help="classes asked for beside other")
    parser.add_argument(
        "--parts", nargs="+", choices=["names", "other", "background"],
        default=["names", "other", "background"],
    )  # fmt: skip
    options = parser.parse_args()
    model = lseg.load_model(options.checkpoint)
    coco = PairsDataset(COCO, "val", prompts=COCO_PROMPTS)
    rows: list[tuple[str, str, Figures]] = []

    def add(data: str, variants: Sequence[Variant], figures: Sequence[Figures]) -> None:
        rows.extend((data, v.name, f) for v, f in zip(variants, figures, strict=True))

    if "names" in options.parts:
        variants = names_of_coco(model, coco.labels)
        add("COCO val, 133", variants, measure(model, coco, options.pictures, variants))
    if "other" in options.parts:
        ways = rules(model)
        if knows(model, "background"):
            ways["word background"] = Words(("background",))
        variants = [Variant(name, coco.labels, Asking(other=rule)) for name, rule in ways.items()]
        figures = measure(model, coco, options.pictures, variants, largest=options.largest)
        add(f"COCO val, {options.largest} + other", variants, figures)
    if "background" in options.parts:
        voc = PairsDataset(VOC, "train")
        table = read_labels("voc")
        labels = [known(model, prompt.split("|"), prompt).split("|")[0] for prompt in table.prompts]
        ways = rules(model)
        if knows(model, "background"):
            ways["word background"] = Words(("background",))
        variants = [Variant(name, labels, Asking(other=rule)) for name, rule in ways.items()]
        add("VOC train, 21", variants, measure(model, voc, options.pictures, variants, other=0))
    print(f"\n{options.checkpoint}, {options.pictures} pictures of each set\n")
    print(
        "| data | asked by | mIoU of classes | IoU of the rest | pixel accuracy | mIoU of a picture |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    for data, name, one in rows:
        rest = "" if one.other != one.other else f"{one.other:.1f}"
        print(
            f"| {data} | {name} | {one.miou:.1f} | {rest} | {one.accuracy:.1f} | {one.picture:.1f} |"
        )


if __name__ == "__main__":
    main()
