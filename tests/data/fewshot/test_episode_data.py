import numpy as np
import pytest
import torch
from fewshot_trees import coco_tree, fss_tree, voc_tree
from PIL import Image
from torchvision import transforms

from lseg.data.base.folder import BACKGROUND, IGNORE
from lseg.data.fewshot.benchmarks import CocoBenchmark, FssBenchmark, PascalBenchmark
from lseg.data.fewshot.episode_data import EpisodeData, resize_image, resize_mask
from lseg.data.fewshot.episodes import Episode
from lseg.data.fewshot.folds import Part


def nearest(values, size):
    """Source rows and columns floor(i * in / out)."""
    rows, columns = (np.arange(size) * side // size for side in values.shape)
    return values[rows][:, columns]


@pytest.mark.parametrize("shape", [(40, 56), (333, 500), (640, 427), (96, 96), (7, 1000)])
def test_masks_are_resized_to_the_nearest_pixel_rounded_down(shape):
    rng = np.random.default_rng(0)
    mask = rng.integers(-2, 80, shape).astype(np.int16)
    for size in (96, 480):
        resized = resize_mask(mask, size)
        assert resized.dtype == torch.int16
        # float32 products may fall short of a whole number: the benchmark's own do as well
        assert (resized.numpy() == nearest(mask, size)).mean() > 0.97
        wanted = torch.nn.functional.interpolate(
            torch.from_numpy(mask).float()[None, None], (size, size), mode="nearest"
        )
        assert torch.equal(resized.float(), wanted[0, 0])


def test_pictures_are_resized_as_torchvision_resizes_pillow_images():
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (333, 500, 3), np.uint8))
    wanted = transforms.Compose([transforms.Resize((480, 480)), transforms.ToTensor()])(image)
    assert torch.equal(resize_image(image, 480) / 255, wanted)


def check(benchmark, fold, class_index, stored, ignored):
    source = benchmark.open(fold, Part.TEST)
    picture = next(p for p, c in source.entries if c == class_index)
    other = next(p for p, c in source.entries if c == class_index and p != picture)
    item = EpisodeData(source, [Episode(picture, class_index, (other, other))], 64)[0]
    for mask, index in ((item["mask"], picture), (item["support_masks"][1], other)):
        values = nearest(stored(source.stem(index)), 64)
        wanted = np.where(values == class_index + 1, 1, 0)
        wanted[values == 255] = 255 if ignored else 0
        assert (mask.numpy() == wanted).mean() > 0.97
        assert set(np.unique(wanted)) <= set(np.unique(mask.numpy())) <= {0, 1, 255}
        assert (mask == 255).any() == ignored
    assert item["image"].shape == (3, 64, 64)
    assert item["supports"].shape == (2, 3, 64, 64)
    assert torch.equal(item["supports"][0], item["supports"][1])


def test_unlabelled_pixels_are_left_out_in_pascal(tmp_path):
    folder = voc_tree(tmp_path) / "VOC2012/SegmentationClassAug"
    benchmark = PascalBenchmark(str(tmp_path), str(tmp_path / "splits"))
    check(benchmark, 1, 6, lambda stem: np.array(Image.open(folder / f"{stem}.png")), True)


def test_unlabelled_pixels_are_background_in_coco(tmp_path):
    folder = coco_tree(tmp_path) / "COCO2014/annotations"
    benchmark = CocoBenchmark(str(tmp_path), str(tmp_path / "splits"))
    source = benchmark.open(2, Part.TEST)
    counts = np.bincount([c for _, c in source.entries])
    stored = lambda stem: np.array(Image.open(folder / f"{stem}.png"))  # noqa: E731
    check(benchmark, 2, int(counts.argmax()), stored, False)


def test_fss_masks_are_thresholded_before_they_are_resized(tmp_path):
    folder = fss_tree(tmp_path) / "FSS-1000"
    benchmark = FssBenchmark(str(tmp_path), str(tmp_path / "splits"))

    def stored(stem):
        grey = np.array(Image.open(folder / f"{stem}.png").convert("L"))
        return np.where(grey >= 128, 2, 0)  # class 1, counted from 1

    check(benchmark, 0, 1, stored, False)


def test_the_values_of_masks_cannot_be_mistaken_for_classes():
    assert BACKGROUND < 0 > IGNORE != BACKGROUND
