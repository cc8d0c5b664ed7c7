"""Train the tiny CLIP that ships in `lseg/assets/tiny_clip`.

It is open_clip's own model with open_clip's own tokenizer, small enough for a repository, trained
on captioned pictures of the shapes world (`lseg/data/shapes.py`). The asset was made, in twelve
minutes of one CPU thread, by

    python scripts/pretrain_tiny_clip.py --steps 3000 --batch 64 --seed 0

The folder that it writes is read back by `open_clip.create_model("local-dir:<folder>")` and
`open_clip.get_tokenizer("local-dir:<folder>")`, without a network.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import open_clip
import torch
import torch.nn.functional as F
from open_clip.model import CLIP
from safetensors.torch import save_file
from torch import Tensor

from lseg.data.sets import shapes

SCALE = 1 / 0.07  # fixed, and LSeg's own: label vectors must be far enough apart at this scale
EMPTY = ("background", "other", "others", "nothing", "an empty background")
NAMED = ("{}", "{}", "a {}", "a photo of a {}", "a picture of a {}")
OBJECTS = (0, 1, 1, 1, 2, 3)  # in a picture, each as likely; single ones teach shapes fastest
FACTS = (*shapes.CLASSES, *shapes.COLOURS, *shapes.SHAPES, "empty", "unknown")
FACT_INDEX = {fact: i for i, fact in enumerate(FACTS)}
ATTRIBUTES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(shapes.COLOURS, ("{}", "something {}", "a {} shape")),
    **dict.fromkeys(shapes.SHAPES, ("{}", "a {}", "a photo of a {}")),
}

MODEL_CONFIG: dict[str, Any] = {
    "embed_dim": 64,
    "vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 8, "head_width": 64},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 64, "heads": 4, "layers": 2},
}
IMAGE_SIZE: int = MODEL_CONFIG["vision_cfg"]["image_size"]


class Batch(NamedTuple):
    """Pictures, texts, and which text is true of which picture.

    Attributes:
        images: (B, 3, S, S) float32, normalised with mean 0.5 and standard deviation 0.5.
        texts: M distinct captions.
        true: (B, M) bool.
    """

    images: Tensor
    texts: list[str]
    true: Tensor


def normalise(images: np.ndarray) -> Tensor:
    """Return (B, 3, S, S) uint8 pictures as float32 in -1 to 1."""
    return torch.from_numpy(images).float().div_(127.5).sub_(1.0)


def facts_of(mask: np.ndarray) -> list[str]:
    """Return what is true of a picture of `shapes.CLASSES` with this mask, (S, S).

    An object that others hide but for a sliver, below 0.8 % of the picture, is not mentioned.
    """
    if not mask.any():
        return ["empty"]
    counts = np.bincount(mask.ravel(), minlength=len(shapes.CLASSES) + 1)[1:]
    names = [shapes.CLASSES[k] for k in np.flatnonzero(counts >= 0.008 * mask.size)]
    return names + sorted({word for name in names for word in name.split()})


def caption(rng: np.random.Generator, facts: list[str]) -> tuple[str, tuple[str, ...]]:
    """Say something that is true of a picture; return it and the facts that make it true."""

    def pick(options: tuple[str, ...] | list[str]) -> str:
        return options[int(rng.integers(len(options)))]

    if facts == ["empty"]:
        return pick(EMPTY), ("empty",)
    names = [fact for fact in facts if " " in fact]
    choice = rng.random()
    if choice < 0.3:
        fact = pick([fact for fact in facts if " " not in fact])
        return pick(ATTRIBUTES[fact]).format(fact), (fact,)
    if choice < 0.5 and len(names) > 1:
        first, second = rng.permutation(names)[:2].tolist()
        return f"a {first} and a {second}", (first, second)
    name = pick(names)
    return pick(NAMED).format(name), (name,)


@functools.cache
def unknown_words() -> tuple[str, ...]:
    """Return the tokenizer's words that no caption uses: captions of them are true of nothing.

    Without them an unknown word would land anywhere, most likely amid the objects.
    """
    templates = (*EMPTY, *NAMED, *ATTRIBUTES, "and something shape")
    known = {word for template in templates for word in template.split()}
    ends = [piece.removesuffix("</w>") for piece in open_clip.SimpleTokenizer().encoder]
    return tuple(word for word in ends if word.isascii() and word.isalpha() and word not in known)


def make_batch(seed: int, step: int, size: int) -> Batch:
    """Draw `size` pictures with 0 to 3 objects, one caption each, and all bare names besides."""
    rng = np.random.default_rng([seed, step])
    needs: dict[str, tuple[str, ...]] = {name: (name,) for name in shapes.CLASSES}
    needs["background"] = ("empty",)
    images = np.empty((size, 3, IMAGE_SIZE, IMAGE_SIZE), np.uint8)
    holds = torch.zeros(size, len(FACTS))
    for _ in range(size // 8):
        words = rng.integers(len(unknown_words()), size=rng.integers(1, 3))
        needs[" ".join(unknown_words()[k] for k in words)] = ("unknown",)
    for i in range(size):
        count = int(rng.choice(OBJECTS))
        images[i], mask = shapes.draw(rng, IMAGE_SIZE, shapes.CLASSES, count, count)
        facts = facts_of(mask)
        if facts:
            holds[i, [FACT_INDEX[fact] for fact in facts]] = 1.0
            text, needed = caption(rng, facts)
            needs[text] = needed
    required = torch.zeros(len(needs), len(FACTS))
    for j, needed in enumerate(needs.values()):
        required[j, [FACT_INDEX[fact] for fact in needed]] = 1.0
    return Batch(normalise(images), list(needs), holds @ required.T == required.sum(dim=1))


def contrastive_loss(similarity: Tensor, true: Tensor) -> Tensor:
    """Return the cross-entropy to a uniform choice of what is true, both ways, a scalar.

    Several captions are true of a picture and several pictures make a caption true; taking them
    for negatives, as plain CLIP does, would teach that "red" is not "red circle".

    Args:
        similarity: (B, M) logits.
        true: (B, M) bool.
    """
    loss = similarity.new_zeros(())
    for logits, positive in ((similarity, true), (similarity.T, true.T)):
        some = positive.any(dim=1)
        target = positive[some].float()
        loss = loss + F.cross_entropy(logits[some], target / target.sum(dim=1, keepdim=True)) / 2
    return loss


def interaction(names: Tensor) -> Tensor:
    """Return how far 36 name vectors, (36, C), are from colour + shape, as a mean square.

    It is the interaction of a two-way analysis of variance. Real CLIP owes its compositional text
    space to millions of names; 36 leave room for learning by heart, so this part is asked for.
    """
    table = names.unflatten(0, (len(shapes.COLOURS), len(shapes.SHAPES)))
    rest = table - table.mean(0, keepdim=True) - table.mean(1, keepdim=True) + table.mean((0, 1))
    return rest.square().sum(-1).mean()


def train(steps: int, batch_size: int, seed: int, learning_rate: float) -> CLIP:
    """Train from scratch and return the model in eval mode."""
    torch.manual_seed(seed)
    model = CLIP(**MODEL_CONFIG).train()
    model.visual = model.visual.to(memory_format=torch.channels_last)  # twice as fast on a CPU
    model.logit_scale.requires_grad_(False).fill_(math.log(SCALE))
    tokenizer = open_clip.SimpleTokenizer(context_length=model.context_length)
    # Only matrices decay, and not the embedding table: words never met keep their small start.
    decayed = [p for n, p in model.named_parameters() if p.ndim > 1 and "embedding" not in n]
    others = [p for n, p in model.named_parameters() if p.ndim <= 1 or "embedding" in n]
    groups = [{"params": decayed, "weight_decay": 0.05}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.98), fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, learning_rate, total_steps=steps, pct_start=0.1, cycle_momentum=False
    )
    start = time.perf_counter()
    for step in range(steps):
        batch = make_batch(seed, step, batch_size)
        images = batch.images.contiguous(memory_format=torch.channels_last)
        pixels = model.encode_image(images, normalize=True)
        words = model.encode_text(tokenizer(batch.texts), normalize=True)
        match = contrastive_loss(SCALE * pixels @ words.T, batch.true)
        mixed = interaction(words[: len(shapes.CLASSES)])
        optimizer.zero_grad()
        (match + mixed).backward()
        optimizer.step()
        schedule.step()
        if (step + 1) % 100 == 0:
            spent = time.perf_counter() - start
            print(
                f"step {step + 1}/{steps}  contrastive {match.item():.3f}  interaction "
                f"{mixed.item():.4f}  {spent:.0f} s, {spent / (step + 1) * steps:.0f} s in all",
                flush=True,
            )
    return model.eval()


def save(model: CLIP, out: Path) -> None:
    """Write the model to the folder `out` in open_clip's layout, weights in half precision."""
    tensors = {
        key: (value.half() if value.is_floating_point() else value).contiguous()
        for key, value in model.state_dict().items()
    }
    preprocess = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic"}
    config = {"model_cfg": MODEL_CONFIG, "preprocess_cfg": preprocess}
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as temporary:
        folder = Path(temporary)
        save_file(tensors, folder / "open_clip_model.safetensors", metadata={"format": "pt"})
        (folder / "open_clip_config.json").write_text(json.dumps(config, indent=2) + "\n")
        for file in folder.iterdir():
            file.chmod(0o644)  # safetensors lets the owner alone read what it writes
            file.replace(out / file.name)  # file by file: the folder also holds a README


@torch.inference_mode()
def composition(names: Tensor, fold: int) -> tuple[int, float]:
    """Predict a fold's label vectors from the seen ones as colour + shape.

    Returns how many of the 9 predictions are nearest to their own label among all 36, (36, C)
    unit vectors, and the least cosine between a prediction and its label.
    """
    design = torch.tensor(
        [[float(a in name.split()) for a in ATTRIBUTES] for name in shapes.CLASSES]
    )
    held = torch.tensor([name in shapes.fold_classes(fold) for name in shapes.CLASSES])
    weights = torch.linalg.pinv(design[~held]) @ names[~held]
    cosines = F.normalize(design[held] @ weights, dim=1) @ names.T
    own = held.nonzero()[:, 0]
    right = int((cosines.argmax(dim=1) == own).sum())
    return right, float(cosines[torch.arange(len(own)), own].min())


@torch.inference_mode()
def report(folder: Path, pictures: int = 100) -> dict[str, float]:
    """Measure the saved model, as others will load it; `pictures` single-object ones a class."""
    model = open_clip.create_model(f"local-dir:{folder}").eval()
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    names = model.encode_text(tokenizer(list(shapes.CLASSES)), normalize=True)
    empty = model.encode_text(tokenizer(list(EMPTY)), normalize=True)
    unknown = model.encode_text(tokenizer(["sky", "wooden table", "person"]), normalize=True)
    words = [name.split() for name in shapes.CLASSES]
    shared = torch.tensor([[len(set(a) & set(b)) for b in words] for a in words])
    cosines = names @ names.T
    composed = [composition(names, fold) for fold in range(shapes.NUM_FOLDS)]
    figures = {
        "held-out labels composed, of 9, worst fold": float(min(n for n, _ in composed)),
        "composed to own label, least cosine": min(cosine for _, cosine in composed),
        "interaction of colour and shape": float(interaction(names)),
        "cosine, one attribute shared, largest": float(cosines[shared == 1].max()),
        "cosine, one attribute shared, mean": float(cosines[shared == 1].mean()),
        "cosine, nothing shared, largest": float(cosines[shared == 0].max()),
        "cosine, nothing shared, mean": float(cosines[shared == 0].mean()),
        "cosine, background words to objects, largest": float((empty @ names.T).max()),
        "cosine, background words to each other, least": float((empty @ empty.T).min()),
        "cosine, unknown words to objects, largest": float((unknown @ names.T).max()),
    }
    right = torch.zeros(len(shapes.CLASSES))
    for k, name in enumerate(shapes.CLASSES):
        rng = np.random.default_rng([2**31, k])  # never a training seed's stream
        images = [shapes.draw(rng, IMAGE_SIZE, [name], 1, 1).image for _ in range(pictures)]
        found = model.encode_image(normalise(np.stack(images)), normalize=True) @ names.T
        right[k] = (found.argmax(dim=1) == k).float().mean()
    figures["zero-shot accuracy over 36 labels"] = float(right.mean())
    figures["zero-shot accuracy of the worst label"] = float(right.min())
    return figures


def main() -> None:
    """Train, save, measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--steps", type=int, default=3000, help="optimizer steps")
    parser.add_argument("--batch", type=int, default=64, help="pictures a step")
    parser.add_argument("--seed", type=int, default=0, help="of weights and pictures")
    parser.add_argument("--learning-rate", type=float, default=3e-3, help="at its peak")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--out", type=Path, default=Path("lseg/assets/tiny_clip"), help="folder")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = train(options.steps, options.batch, options.seed, options.learning_rate)
    save(model, options.out)
    size = sum(file.stat().st_size for file in options.out.iterdir())
    print(f"{options.out}: {size / 1e6:.2f} MB")
    for name, value in report(options.out).items():
        print(f"{name:<48} {value:.4g}")


if __name__ == "__main__":
    main()
