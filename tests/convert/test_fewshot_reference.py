"""The official zero-shot ResNet-101, converted, through `lseg fewshot`: its figures in full.

The other side is the published network's formula (tests/support/plain.py), Pillow and NumPy alone.
"""

import json

import numpy as np
import open_clip
import plain
import pytest
import torch
from fewshot_trees import voc_tree
from PIL import Image
from reference import fill, manifest

from lseg.checkpoints.load import load_model
from lseg.cli import main
from lseg.data.sets.class_names import PASCAL

MEAN, STD = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]]).view(2, 3, 1, 1)
SIZE = 480
EPISODES = 5

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What `lseg convert` makes of the checkpoint."""
    path = tmp_path_factory.mktemp("reference") / "official.ckpt"
    weights = {key: fill(key, shape) for key, shape in manifest("lseg_clip_resnet101").items()}
    torch.save({"state_dict": weights}, path)
    assert main(["convert", str(path), str(path.with_name("converted"))]) == 0
    path.unlink()
    return path.with_name("converted")


def encode(folder, labels):
    """The labels by open_clip itself, with the weights that came with the checkpoint."""
    from safetensors.torch import load_file

    model = open_clip.create_model("ViT-B-32-quickgelu").eval()
    model.load_state_dict(load_file(folder / "text_encoder.safetensors"), strict=False)
    with torch.no_grad():
        tokens = open_clip.get_tokenizer("ViT-B-32-quickgelu")(labels)
        return model.encode_text(tokens, normalize=True)


def areas_of(model, text, entry, root):
    """Intersection and union of background and class for one line of the list."""
    name, value = entry[:-4], int(entry[-2:])
    image = Image.open(root / "VOC2012/JPEGImages" / f"{name}.jpg").convert("RGB")
    image = image.resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        logits = plain.logits(model, (pixels - MEAN) / STD, text)
    said = logits[0].argmax(0).numpy()
    mask = torch.from_numpy(
        np.array(Image.open(root / "VOC2012/SegmentationClassAug" / f"{name}.png"))
    )
    mask = torch.nn.functional.interpolate(mask[None, None].float(), (SIZE, SIZE))[0, 0].numpy()
    counted = mask != 255
    found = {}
    for side in (0, 1):
        true = (mask == value) == bool(side)
        found[side] = np.array([
            ((said == side) & true & counted).sum(), (((said == side) | true) & counted).sum()
        ])  # fmt: skip
    return value, found


def test_figures_of_the_converted_checkpoint_are_those_of_the_published_formula(folder, tmp_path):
    voc_tree(tmp_path)
    out = tmp_path / "result.json"
    arguments = [
        "fewshot", "--benchmark", "pascal5i", "--fold", "1", "--data-root", tmp_path,
        "--splits", tmp_path / "splits", "--checkpoint", folder, "--episodes", EPISODES,
        "--batch-size", "2", "--device", "cpu", "--out", out,
    ]  # fmt: skip
    assert main([str(argument) for argument in arguments]) == 0
    result = json.loads(out.read_text())

    model = load_model(folder)
    text = encode(folder, ["others", *PASCAL[5:10]])
    sums = {value: {0: np.zeros(2), 1: np.zeros(2)} for value in range(6, 11)}
    entries = (tmp_path / "splits/pascal/val/fold1.txt").read_text().split()
    for entry in entries[:EPISODES]:
        value, found = areas_of(model, text[[0, int(entry[-2:]) - 5]], entry, tmp_path)
        for side in (0, 1):
            sums[value][side] += found[side]
    iou = {PASCAL[value - 1]: sums[value][1][0] / max(sums[value][1][1], 1) for value in sums}
    sides = [sum(sums[value][side] for value in sums) for side in (0, 1)]
    assert sides[1][0] / sides[1][1] > 0.01  # the network says the class somewhere, and is right
    assert result["per_class"] == pytest.approx({k: 100 * v for k, v in iou.items()}, abs=0.02)
    assert result["miou"] == pytest.approx(100 * np.mean(list(iou.values())), abs=0.01)
    wanted = 100 * np.mean([inter / union for inter, union in sides])
    assert result["fb_iou"] == pytest.approx(wanted, abs=0.01)
    assert [part["episodes"] for part in result["folds"]] == [EPISODES]
