import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from lseg.commands.coco import InstancesFile
from lseg.inference.segmenter import Segmenter
from lseg.inference.sharding import Shard

NAMES = ["sky", "road|tree", "other"]


@pytest.fixture
def predict(run, checkpoint, tmp_path):
    def call(*images, more=()):
        labels = ["--labels", ",".join(NAMES), "--checkpoint", checkpoint]
        return run("predict", *images, *labels, "--format", "coco", "--out", tmp_path, *more)

    return call


def rebuilt(coco, image, names):
    """The label map of an image, put together from its masks; 255 where there is none."""
    label_map = np.full((image["height"], image["width"]), 255)
    for entry in coco.loadAnns(coco.getAnnIds(image["id"])):
        mask = coco.annToMask(entry).astype(bool)
        assert (label_map[mask] == 255).all()
        (category,) = coco.loadCats(entry["category_id"])
        label_map[mask] = names.index(category["name"])
        assert entry["area"] == mask.sum()
        rows, columns = np.nonzero(mask)
        left, top = columns.min(), rows.min()
        box = [left, top, columns.max() - left + 1, rows.max() - top + 1]
        assert entry["bbox"] == box
    return label_map


def test_masks_decode_to_the_label_maps(predict, pictures, checkpoint, tmp_path):
    code, out, _ = predict(pictures)
    assert code == 0
    assert "instances.json" in out
    coco = COCO(tmp_path / "instances.json")
    assert [image["file_name"] for image in coco.dataset["images"]] == ["a.png", "b.jpg"]
    assert [cat["name"] for cat in coco.dataset["categories"]] == ["sky", "road", "other"]
    ids = [entry["id"] for entry in coco.dataset["annotations"]]
    assert ids == list(range(1, len(ids) + 1))
    segmenter = Segmenter.from_pretrained(checkpoint)
    for image in coco.dataset["images"]:
        segmenter.set_image(pictures / image["file_name"])
        wanted = segmenter.segment(NAMES).label_map
        assert np.array_equal(rebuilt(coco, image, ["sky", "road", "other"]), wanted)
    assert not list(tmp_path.glob(".*"))


def test_other_is_left_out_on_request(predict, pictures, tmp_path):
    predict(pictures, more=["--without-other"])
    coco = COCO(tmp_path / "instances.json")
    assert [cat["name"] for cat in coco.dataset["categories"]] == ["sky", "road"]
    maps = [rebuilt(coco, image, ["sky", "road"]) for image in coco.dataset["images"]]
    assert any((label_map == 255).any() for label_map in maps)
    assert any((label_map != 255).any() for label_map in maps)


def test_the_number_of_processes_does_not_matter(checkpoint, pictures, tmp_path):
    segmenter = Segmenter.from_pretrained(checkpoint)
    images = [Path(f"{number}.png") for number in range(5)]
    results = []
    for _ in images:
        segmenter.set_image(np.roll(np.asarray(Image.open(pictures / "a.png")), len(results), 1))
        results.append(segmenter.segment(NAMES))
    written = []
    for world in (1, 2, 3):
        folder = tmp_path / str(world)
        files = [InstancesFile(folder, NAMES, Shard(rank, world)) for rank in range(world)]
        seen = list(zip(images, results, strict=True))
        for index, picture in enumerate([*seen[:2], None, *seen[2:]]):
            if picture is None:  # it was broken
                files[index % world].skip()
            else:
                files[index % world].add(picture[0].name, picture[1])
        for file in reversed(files):
            file.close()
        files[0].merge()
        written.append(json.loads((folder / "instances.json").read_text()))
    assert written[0] == written[1] == written[2]
    named = [image["file_name"] for image in written[0]["images"]]
    assert named == [image.name for image in images]


def test_an_unreadable_picture_is_left_out(predict, pictures, tmp_path):
    (pictures / "aa.png").write_bytes((pictures / "a.png").read_bytes()[:200])
    code, out, _ = predict(pictures)
    assert code == 3
    assert "2 picture(s)" in out
    coco = COCO(tmp_path / "instances.json")
    named = [(image["id"], image["file_name"]) for image in coco.dataset["images"]]
    assert named == [(1, "a.png"), (2, "b.jpg")]
    assert {entry["image_id"] for entry in coco.dataset["annotations"]} == {1, 2}
    assert not list(tmp_path.glob(".*"))


def test_without_a_readable_picture_there_is_no_file(predict, pictures, tmp_path):
    for path in pictures.iterdir():
        path.write_bytes(path.read_bytes()[:100])
    code, out, err = predict(pictures)
    assert (code, out) == (3, "")
    assert "all 2 files failed" in err
    assert not list(tmp_path.glob("*instances*"))
    assert not list(tmp_path.glob(".*"))


def test_with_strict_an_unreadable_picture_leaves_no_file(predict, pictures, tmp_path):
    (pictures / "corrupt.png").write_bytes((pictures / "a.png").read_bytes()[:200])
    code, _, _ = predict(pictures, more=["--strict"])
    assert code == 2
    assert not list(tmp_path.glob("*instances*"))
    assert not list(tmp_path.glob(".*"))
