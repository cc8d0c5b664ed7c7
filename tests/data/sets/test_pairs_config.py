"""`dataset.yaml`: masks of other tools are read without being rewritten."""

import numpy as np
import pytest
import torch
from PIL import Image

from lseg.data.base.orientation import UNDONE, turned_array
from lseg.data.fewshot.all_classes import AllClassesData
from lseg.data.fewshot.benchmarks import PairsBenchmark
from lseg.data.fewshot.folds import Part
from lseg.data.sets.pairs import PairsDataModule, PairsDataset, find_problems
from lseg.errors import DataError, LSegError

NAMES = ["unlabelled", "sky", "road", "car"]


def save(root, masks, names=NAMES, config=None):
    """A pairs folder of grey pictures with these masks; RGB ones have three channels."""
    root.mkdir(exist_ok=True)
    lines = []
    for number, mask in enumerate(masks):
        mask = np.asarray(mask)
        rng = np.random.default_rng(number)
        image = rng.integers(0, 256, (*mask.shape[:2], 3), np.uint8)
        Image.fromarray(image).save(root / f"{number}.png")
        Image.fromarray(mask).save(root / f"{number}_mask.png")
        lines.append(f"{number}.png {number}_mask.png\n")
    for split in ("train", "val"):
        (root / f"{split}.txt").write_text("".join(lines))
    (root / "classes.txt").write_text("\n".join(names))
    if config is not None:
        (root / "dataset.yaml").write_text(config)
    return root


def blocks(values, seed=0, height=40, width=48):
    rng = np.random.default_rng(seed)
    return rng.choice(values, (height // 8, width // 8)).repeat(8, 0).repeat(8, 1)


@pytest.fixture
def indices():
    """Masks of 0 to 3."""
    return [blocks(range(4), seed).astype(np.uint8) for seed in (1, 2)]


@pytest.fixture
def plain(tmp_path, indices):
    """The same masks rewritten: sky, road, car are 0 to 2, what has no label is 255."""
    masks = [np.where(mask == 0, 255, mask - 1).astype(np.uint8) for mask in indices]
    return save(tmp_path / "plain", masks, NAMES[1:])


def equal(first, second):
    return all(
        torch.equal(first[index][key], second[index][key])
        for index in range(len(second))
        for key in ("image", "mask")
    )


def test_zero_may_mean_unlabelled(tmp_path, indices, plain):
    root = save(tmp_path / "zero", indices)
    (tmp_path / "prompts.json").write_text('{"road": "street", "unlabelled": "nothing"}')
    data = PairsDataset(root, "val", 0, tmp_path / "prompts.json")
    wanted = PairsDataset(plain, "val")
    assert (data.classes, data.labels) == (NAMES[1:], ["sky", "street", "car"])
    assert (data.ignore_index, wanted.ignore_index) == (255, 255)
    assert equal(data, wanted)
    assert data.pixel_counts().tolist() == wanted.pixel_counts().tolist()
    assert find_problems(data) == []


def test_few_shot_and_training_leave_it_out_as_well(tmp_path, indices, plain):
    root = save(tmp_path / "zero", indices)
    found, wanted = PairsBenchmark(str(root), ignore_index=0), PairsBenchmark(str(plain))
    assert equal(AllClassesData(found), AllClassesData(wanted))
    for fold in range(len(wanted.folds)):
        one, other = found.open(fold, Part.TEST), wanted.open(fold, Part.TEST)
        assert (one.classes, one.entries) == (other.classes, other.entries)
        assert np.array_equal(one.read(0).mask, other.read(0).mask)
    ours = PairsDataModule(root, ignore_index=0, batch_size=1)
    theirs = PairsDataModule(plain, batch_size=1)
    assert (ours.labels, ours.ignore_value) == (theirs.labels, 255)
    assert ours.pixel_counts().tolist() == theirs.pixel_counts().tolist()
    pair = [next(iter(data.train_dataloader()))["mask"] for data in (ours, theirs)]
    assert torch.equal(*pair)
    assert {255, 0, 1, 2} >= set(pair[0].unique().tolist())


def test_the_file_says_it_and_options_go_before_it(tmp_path, indices, plain):
    root = save(tmp_path / "zero", indices, config="ignore_index: 0\n")
    assert equal(PairsDataset(root, "val"), PairsDataset(plain, "val"))
    assert PairsDataset(root, "val", 3).classes == NAMES[:3]
    assert PairsDataset(root, "val", 255).classes == NAMES


def test_reduce_zero_label(tmp_path, indices, plain):
    root = save(tmp_path / "ade", indices, NAMES[1:], "reduce_zero_label: true\n")
    assert equal(PairsDataset(root, "val"), PairsDataset(plain, "val"))
    assert PairsDataset(root, "val", 2).classes == ["sky", "car"]


COLOURS = {0: (0, 0, 0), 1: (70, 130, 180), 2: (128, 64, 128), 3: (0, 0, 142)}
TABLE = """
colors:
  sky: [70, 130, 180]
  road: "#804080"
  car: 00008e
ignore_colors: [[0, 0, 0], "#ffffff"]
"""


@pytest.mark.parametrize("mode", ["RGB", "P", "RGBA"])
def test_masks_of_colours(tmp_path, indices, plain, mode):
    table = np.array(list(COLOURS.values()), np.uint8)
    root = save(tmp_path / "colours", [table[mask] for mask in indices], NAMES[1:], TABLE)
    for path in root.glob("*_mask.png"):
        image = Image.open(path)
        (image.quantize(8) if mode == "P" else image.convert(mode)).save(path)
    data = PairsDataset(root, "val")
    assert equal(data, PairsDataset(plain, "val"))
    assert find_problems(data) == []
    image = Image.open(root / "0_mask.png").convert("RGB")
    image.putpixel((0, 0), (1, 2, 3))
    image.save(root / "0_mask.png")
    assert "has the colours #010203, which are in neither colors" in find_problems(data)[0]


def test_another_table_makes_another_list(tmp_path, indices):
    """What is kept of masks is not taken for those of another reading."""
    root = save(tmp_path / "zero", indices, NAMES)
    before = PairsBenchmark(str(root), ignore_index=255).open(1, Part.TEST).entries
    shifted = "\n".join(["sky", "road", "car", "bus"])
    (root / "classes.txt").write_text(shifted)
    (root / "dataset.yaml").write_text("reduce_zero_label: true\n")
    reduced = PairsBenchmark(str(root))
    (root / "dataset.yaml").write_text("ignore_index: 255\n")
    plain = PairsBenchmark(str(root))
    assert before
    with pytest.raises(DataError, match="no mask of pairs has a class of this fold"):
        reduced.folds.held_out(3)
        (root / "dataset.yaml").write_text("reduce_zero_label: true\n")
        reduced.open(3, Part.TEST)
    (root / "dataset.yaml").write_text("ignore_index: 255\n")
    assert plain.open(3, Part.TEST).entries


def test_orientation(tmp_path, indices):
    root = save(tmp_path / "turned", indices, config="orientation: stored\n")
    exif = Image.Exif()
    exif[0x0112] = 3
    with Image.open(root / "0.png") as image:
        image.load()
    image.save(root / "0.png", exif=exif)
    found = PairsDataset(root, "val")[0]["mask"].numpy()
    assert np.array_equal(found, turned_array(indices[0], UNDONE[3]))
    assert np.array_equal(
        PairsDataset(root, "val", orientation="displayed")[0]["mask"].numpy(), indices[0]
    )


def test_more_than_255_classes(tmp_path):
    names = [f"class {number}" for number in range(300)]
    mask = np.arange(300, dtype=np.uint16).reshape(15, 20)
    mask[0, :3] = 65535
    root = save(tmp_path / "many", [mask], names)
    data = PairsDataset(root, "val")
    assert len(data.labels) == 300
    assert data.ignore_index == 65535
    assert data[0]["mask"].flatten()[2:5].tolist() == [65535, 3, 4]
    assert data[0]["mask"].max(dim=1).values[-1] == 299
    assert data.pixel_counts().tolist() == [0] * 3 + [1] * 297
    all_classes = AllClassesData(PairsBenchmark(str(root)))
    assert all_classes.ignore_index == 65535
    assert all_classes[0]["mask"].flatten()[254:257].tolist() == [255, 256, 257]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ignore_idx: 0", "no setting 'ignore_idx'; did you mean ignore_index?"),
        ("size: 3", "no setting 'size'; accepted are ignore_index, reduce_zero_label, colors"),
        ("ignore_index: two", "ignore_index is 'two'"),
        ("ignore_index: -1", "ignore_index is -1"),
        ("ignore_index: true", "ignore_index is True"),
        ("reduce_zero_label: 1", "reduce_zero_label is 1: give true or false"),
        ("orientation: up", "orientation is 'up': give one of auto, displayed, stored"),
        ("colors: [1, 2]", "colors must hold `class name: colour`"),
        ("colors: {sky: [1, 2]}", r"\[1, 2\] is no colour: give \[128, 64, 128\]"),
        ("colors: {sky: [1, 2, 256]}", "no colour"),
        ("colors:\n  sky: #804080", "None is no colour"),
        ("colors: {ski: [1, 2, 3]}", "colour of 'ski', which classes.txt .* closest are 'sky'"),
        ("colors: {sky: [1, 2, 3], car: '010203'}", "gives the colour #010203 twice"),
        ("ignore_colors: [[0, 0, 0]]", "ignore_colors goes with colors"),
        ("ignore_colors: black", "ignore_colors must be a list"),
        ("colors: {sky: [1, 2, 3]}\nreduce_zero_label: true", "reduce_zero_label is of masks of"),
        ("- a", "must hold `name: value`"),
        ("a: [", "is no YAML"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_line(tmp_path, indices, text, said):
    root = save(tmp_path / "pairs", indices, config=text)
    with pytest.raises(LSegError, match=said) as caught:
        PairsDataset(root, "val")
    assert "\n" not in str(caught.value)
    assert "dataset.yaml" in str(caught.value)


def test_an_empty_file_changes_nothing(tmp_path, indices):
    root = save(tmp_path / "pairs", indices, config="# nothing yet\n")
    assert PairsDataset(root, "val").classes == NAMES


def test_a_licence_is_recorded_and_is_no_part_of_how_masks_are_read(tmp_path):
    plain = PairsDataModule(save(tmp_path / "plain", [np.uint8(blocks([0, 1]))]))
    licensed = save(tmp_path / "licensed", [np.uint8(blocks([0, 1]))], config="licence: CC BY 4.0")
    (facts,) = PairsDataModule(licensed).training_facts()
    assert (facts.licence, facts.source, facts.pictures) == ("CC BY 4.0", str(licensed), 1)
    assert plain.training_facts()[0].licence == ""
    for folder, told in ((licensed, "CC BY 4.0"), (tmp_path / "plain", "CC0")):
        stated = PairsDataModule(root=folder, train_split="val", stated_licence="CC0")
        assert stated.training_facts()[0].licence == told
    assert plain.train_data.folder.reading == PairsDataset(licensed, "val").folder.reading
    (licensed / "dataset.yaml").write_text("licence: [1]")
    with pytest.raises(DataError, match=r"licence is \[1\]: give its name"):
        PairsDataset(licensed, "val")
