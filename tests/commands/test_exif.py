"""EXIF orientation means one thing everywhere.

One scene is stored in all eight ways, under masks over the displayed and over the stored pixels:
every command must find in it what it finds in the plain file.
"""

import json

import numpy as np
import pytest
import torch
from drawing import draw
from PIL import Image
from safetensors.numpy import load_file

from lseg.data.base.orientation import UNDONE, turned_array
from lseg.data.base.transforms import AugmentConfig
from lseg.data.fewshot.benchmarks import PairsBenchmark
from lseg.data.fewshot.zeroshot import ZeroShotDataModule
from lseg.data.sets.pairs import PairsDataModule
from lseg.demo.limits import Limits
from lseg.demo.questions import decode_upload

CLASSES = ("sky", "road", "tree")
TAGS = range(1, 9)


def scene(number, height=40, width=56):
    """A picture, and a mask of its classes in blocks."""
    rng = np.random.default_rng(number)
    mask = rng.integers(0, 3, (height // 8, width // 8), np.uint8).repeat(8, 0).repeat(8, 1)
    return draw(height, width, seed=number), mask


def save_stored(shown, path, tag, tagged=True):
    """Saves what is displayed as `shown`; without the tag in the file, if not `tagged`."""
    stored = turned_array(shown, UNDONE[tag]) if shown.ndim == 2 else np.stack(
        [turned_array(plane, UNDONE[tag]) for plane in np.moveaxis(shown, -1, 0)], -1
    )  # fmt: skip
    exif = Image.Exif()
    if tagged and tag != 1:
        exif[0x0112] = tag
    Image.fromarray(stored).save(path, exif=exif)


def save_pairs(root, tag, over, size=(40, 56), mask_tagged=False):
    """Two scenes as a pairs folder whose masks lie over displayed or stored pixels."""
    root.mkdir()
    names = []
    for number in (3, 4):
        image, mask = scene(number, *size)
        save_stored(image, root / f"{number}.png", tag)
        mask_tag = tag if over == "stored" or mask_tagged else 1
        save_stored(mask, root / f"{number}_mask.png", mask_tag, mask_tagged)
        names.append(f"{number}.png {number}_mask.png\n")
    for split in ("train", "val"):
        (root / f"{split}.txt").write_text("".join(names))
    (root / "classes.txt").write_text("\n".join(CLASSES))
    return root


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return save_pairs(tmp_path_factory.mktemp("plain") / "pairs", 1, "displayed")


@pytest.fixture
def figures(run, checkpoint, tmp_path):
    """What `evaluate` and `fewshot` find in a folder, besides options; and what they say."""

    def call(root, *more):
        found, said = [], []
        for words in (["evaluate", "--dataset"], ["fewshot", "--size", "48", "--benchmark"]):
            out = tmp_path / f"{root.name}-{words[0]}.json"
            code, _, err = run(
                *words, "pairs", "--data-root", root, "--checkpoint", checkpoint, "--workers", "0",
                "--out", out, *more, *(["--background-label", "other"] * (words[0] == "fewshot")),
            )  # fmt: skip
            assert code == 0, err
            told = json.loads(out.read_text())
            found.append({key: told[key] for key in ("miou", "per_class")})
            said += [line for line in err.splitlines() if line.startswith("lseg: ")]
        return found, said

    return call


@pytest.fixture(scope="module")
def expected(checkpoint, plain, tmp_path_factory):
    """The figures of the plain files."""
    from lseg.cli import main

    folder = tmp_path_factory.mktemp("expected")
    found = []
    for words in (["evaluate", "--dataset"], ["fewshot", "--size", "48", "--benchmark"]):
        out = folder / f"{words[0]}.json"
        more = ["--background-label", "other"] * (words[0] == "fewshot")
        main([
            *words, "pairs", "--data-root", str(plain), "--checkpoint", str(checkpoint),
            "--workers", "0", "--device", "cpu", "--out", str(out), *more,
        ])  # fmt: skip
        told = json.loads(out.read_text())
        found.append({key: told[key] for key in ("miou", "per_class")})
    return found


def training_items(root, orientation=None):
    """Images and masks that a training sees: of `PairsDataModule`, and of the zero-shot task."""
    augment = AugmentConfig(32)
    pairs = PairsDataModule(root, augment=augment, batch_size=2, orientation=orientation)
    benchmark = PairsBenchmark(str(root), orientation=orientation)
    zeroshot = ZeroShotDataModule(benchmark, size=32, batch_size=2, val_batch_size=2)
    batches = [
        next(iter(loader))
        for data in (pairs, zeroshot)
        for loader in (data.train_dataloader(), data.val_dataloader()[0])
    ]
    return [batch[key] for batch in batches for key in ("image", "mask")]


@pytest.mark.filterwarnings("ignore::lseg.errors.LSegWarning")
@pytest.mark.parametrize("over", ["displayed", "stored"])
@pytest.mark.parametrize("tag", TAGS)
def test_evaluation_training_and_checks_agree(run, figures, expected, plain, tmp_path, tag, over):
    root = save_pairs(tmp_path / "pairs", tag, over)
    told = ["--orientation", over] if tag in (2, 3, 4) else []  # sizes do not tell
    found, said = figures(root, *told)
    assert found == expected
    assert said == []
    items = training_items(root, over if told else None)
    assert all(map(torch.equal, items, training_items(plain)))
    code, out, err = run("data", "check", "--dataset", "pairs", "--data-root", root, *told)
    assert (code, err) == (0, "")
    assert "note" not in out


@pytest.mark.parametrize(("tag", "size"), [(2, (40, 56)), (3, (40, 56)), (4, (40, 56)),
                                           *((tag, (48, 48)) for tag in range(2, 9))])  # fmt: skip
def test_what_sizes_do_not_tell_is_said_once_by_every_command(run, figures, tmp_path, tag, size):
    root = save_pairs(tmp_path / "pairs", tag, "displayed", size)
    found, said = figures(root)
    note = "lseg: note: some pictures have an EXIF orientation that does not show in their mask's"
    assert len(said) == 2  # of two commands
    assert all(line.startswith(note) and "set orientation to stored" in line for line in said)
    assert found == figures(save_pairs(tmp_path / "plain", 1, "displayed", size))[0]
    code, out, _ = run("data", "check", "--dataset", "pairs", "--data-root", root, "--split", "val")
    assert code == 0
    assert "note: 2 picture(s) have an EXIF orientation" in out
    with pytest.warns(UserWarning, match="masks are taken to lie over the picture as displayed"):
        training_items(root)


def test_the_folder_may_say_what_its_masks_lie_over(figures, expected, tmp_path):
    root = save_pairs(tmp_path / "pairs", 3, "stored")
    assert figures(root)[0] != expected
    (root / "dataset.yaml").write_text("orientation: stored\n")
    assert figures(root) == (expected, [])
    assert figures(root, "--orientation", "displayed")[0] != expected  # the option wins


@pytest.mark.parametrize("tag", [2, 3, 6, 7])
def test_masks_may_have_the_tag_as_well(figures, expected, tmp_path, tag):
    root = save_pairs(tmp_path / "pairs", tag, "stored", mask_tagged=True)
    assert figures(root) == (expected, [])


def test_an_option_that_does_not_fit_is_refused_in_a_line(run, checkpoint, tmp_path):
    root = save_pairs(tmp_path / "pairs", 6, "stored")
    code, _, err = run(
        "evaluate", "--dataset", "pairs", "--data-root", root, "--checkpoint", checkpoint,
        "--workers", "0", "--orientation", "displayed",
    )  # fmt: skip
    assert code == 2
    # The loader's progress may stand before it.
    for part in ("3.png: image 40x56", "mask 40x56", "displayed as 56x40", "`auto` lets the sizes"):
        assert part in err


@pytest.mark.parametrize("tag", TAGS)
def test_pictures_are_shown_as_displayed_or_stay_as_stored(run, checkpoint, tmp_path, tag):
    image, _ = scene(3)
    folders = {name: tmp_path / name for name in ("shown", "tagged", "untagged")}
    for folder in folders.values():
        folder.mkdir()
    save_stored(image, folders["shown"] / "a.png", 1)
    save_stored(image, folders["tagged"] / "a.png", tag)
    save_stored(image, folders["untagged"] / "a.png", tag, tagged=False)

    def results(name, *more):
        out = tmp_path / f"{name}-{'-'.join(more)}"
        common = ["--checkpoint", checkpoint, "--size", "0", "--out", out, *more]
        for words in (["predict", "--labels", "sky,road,tree"], ["embed", "--format", "npy"]):
            code, _, err = run(words[0], folders[name], *words[1:], *common)
            assert (code, err) == (0, "")
        sidecar = json.loads((out / "a.json").read_text())
        label_map = np.asarray(Image.open(out / "a.png"))
        code, _, _ = run(
            "query", out / "a.npy", "--labels", "sky,road,tree", "--out", out / "query",
            "--pictures", folders[name],
        )  # fmt: skip
        assert code == 0
        overlay = np.asarray(Image.open(out / "query" / "a.overlay.png"))
        return [label_map, np.load(out / "a.npy"), overlay], sidecar

    shown, told = results("shown")
    assert told["orientation"] == "displayed"
    found, told = results("tagged")
    assert all(map(np.array_equal, found, shown))
    assert told["orientation"] == "displayed"
    found, told = results("tagged", "--orientation", "stored")
    assert told["orientation"] == "stored"
    assert all(map(np.array_equal, found, results("untagged")[0]))
    demo = decode_upload((folders["tagged"] / "a.png").read_bytes(), Limits())
    assert np.array_equal(demo, image)


def test_depth_maps_and_components_keep_stored_pixels_too(run, checkpoint, depth_folder, tmp_path):
    (tmp_path / "in").mkdir()
    save_stored(scene(3)[0], tmp_path / "in" / "a.png", 6)
    for more, shape in ((), (40, 56)), (("--orientation", "stored"), (56, 40)):
        out = tmp_path / f"out{len(more)}"
        code, _, _ = run(
            "depth", tmp_path / "in", "--checkpoint", depth_folder, "--out", out, *more
        )
        assert code == 0
        assert np.load(out / "a.npy").shape == shape
        code, _, _ = run(
            "embed", tmp_path / "in", "--checkpoint", checkpoint, "--out", out / "e", "--pca", "3",
            "--size", "0", "--format", "safetensors", *more,
        )  # fmt: skip
        assert code == 0
        (array,) = load_file(out / "e" / "a.safetensors").values()
        assert array.shape == (3, shape[0] // 2, shape[1] // 2)
