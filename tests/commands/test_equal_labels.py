"""Labels that are one to the text encoder, at every door; and one label alone."""

import json

import numpy as np
import pytest
import torch
from drawing import draw
from pytorch_lightning import Trainer

import lseg
from lseg.config import LSegConfig
from lseg.data import PairsDataModule
from lseg.data.base.transforms import AugmentConfig
from lseg.data.sets.class_names import COCO, PASCAL, natural_name
from lseg.data.sets.label_table import read_labels
from lseg.data.sets.shapes import CLASSES
from lseg.demo.limits import Limits
from lseg.demo.service import Service
from lseg.errors import LabelError
from lseg.evaluation.fewshot import FewShotConfig, fold_areas
from lseg.evaluation.protocols import TEST_PROTOCOLS, BenchmarkFiles, EpisodeRequest, open_folds
from lseg.inference.segmenter import Segmenter
from lseg.text.encoder import OpenClipText
from lseg.training.module import LSegModule

PAIR = ["Red Circle", "red circle"]
TINY = ["--checkpoint", "tiny"]
SAID = "'Red Circle' and 'red circle' are one and the same to the text encoder"


@pytest.fixture(scope="module")
def tiny():
    return lseg.load_model("tiny")


@pytest.fixture
def named_twice(data):
    """A data set of which two classes differ in case alone."""
    (data / "classes.txt").write_text("\n".join([*PAIR, "blue star"]))
    return data


@pytest.mark.parametrize("form", ["text", "file"])
def test_predict(refused, pictures, tmp_path, form):
    labels = ",".join([*PAIR, "other"])
    if form == "file":
        (tmp_path / "labels.txt").write_text(labels.replace(",", "\n"))
        labels = tmp_path / "labels.txt"
    assert SAID in refused(
        "predict", pictures, *TINY, "--labels", labels, "--out", tmp_path / "out"
    )
    assert not (tmp_path / "out").exists()


def test_query(run, refused, pictures, tmp_path):
    run("embed", pictures / "a.png", *TINY, "--out", tmp_path / "embedded")
    options = ["--labels", ",".join(PAIR), "--out", tmp_path / "out"]
    assert SAID in refused("query", tmp_path / "embedded", *options)


def test_evaluate(refused, named_twice):
    assert SAID in refused("evaluate", *TINY, "--dataset", "pairs", "--data-root", named_twice)


def test_evaluate_with_prompts(refused, data, tmp_path):
    prompts = dict(zip(["sky", "road"], PAIR, strict=True))
    (tmp_path / "prompts.json").write_text(json.dumps(prompts))
    options = ["--data-root", data, "--prompts", tmp_path / "prompts.json"]
    assert SAID in refused("evaluate", *TINY, "--dataset", "pairs", *options)


def test_training(named_twice, tiny):
    config = LSegConfig.preset("tiny")
    augment = AugmentConfig(crop=64)
    module = LSegModule(config)
    trainer = Trainer(fast_dev_run=1, accelerator="cpu", logger=False, enable_progress_bar=False)
    with pytest.raises(LabelError, match=SAID):
        trainer.fit(module, datamodule=PairsDataModule(named_twice, augment=augment, batch_size=1))


def test_segmenter_and_model(tiny):
    segmenter = Segmenter(tiny)
    segmenter.set_image(draw(48, 64))
    with pytest.raises(LabelError, match=SAID):
        segmenter.segment(PAIR)
    with pytest.raises(LabelError, match=SAID):
        tiny(torch.zeros(1, 3, 64, 64), PAIR)


def test_demo(tiny, pictures):
    service = Service(tiny, Limits())
    picture = service.picture(str(pictures / "a.png"))
    with pytest.raises(LabelError, match=SAID):
        service.segment(picture.full, ", ".join(PAIR), True)
    with pytest.raises(LabelError, match="name a second one, or other"):
        service.segment(picture.full, "red circle", False)
    assert service.segment(picture.full, "red circle", True).labels == ["red circle", "other"]


def folds(root, labels):
    protocol = TEST_PROTOCOLS["pairs"]
    asked = EpisodeRequest((0,), episodes=4, size=64)
    return open_folds(protocol, BenchmarkFiles(str(root)), asked, lambda source: labels)[0]


def test_fewshot_refuses_a_class_that_is_the_background(data, tiny):
    fold = folds(data, ["Others", "road", "tree"])
    with pytest.raises(LabelError, match="'others' and 'Others' are one"):
        fold_areas(tiny, fold, FewShotConfig("others"))


def test_fewshot_runs_where_classes_share_a_label(data, tiny):
    """A class is asked for against the background alone."""
    labels = ["Red Circle", "red circle", "red circle"]
    areas = [
        fold_areas(tiny, folds(data, names), FewShotConfig("others"))
        for names in (labels, ["red circle"] * 3)
    ]
    assert torch.equal(*areas)


def test_the_lists_of_the_benchmarks_have_no_equal_labels():
    """By the tokens of CLIP's tokenizer, which are all that its text encoders see."""
    import open_clip

    tokenize = open_clip.get_tokenizer("ViT-B-32")
    ade = list(read_labels("ade20k").names)
    natural = [[natural_name(name) for name in names] for names in (PASCAL, COCO)]
    for names in (PASCAL, COCO, *natural, ade, [*CLASSES, "background"]):
        assert len(np.unique(tokenize(["others", *names]).numpy(), axis=0)) == len(names) + 1


def test_one_label_alone_is_told(run, pictures, tmp_path):
    out = ["--out", tmp_path / "out"]
    said = "'red circle' is the only label, so every pixel gets it: name a second one, or other"
    code, _, err = run("predict", pictures, *TINY, "--labels", "red circle", *out)
    assert code == 0
    assert said in err
    assert err.count("lseg:") == 1
    run("embed", pictures, *TINY, "--out", tmp_path / "embedded")
    assert said in run("query", tmp_path / "embedded", "--labels", "red circle", *out)[2]
    assert (
        "only label" not in run("predict", pictures, *TINY, "--labels", "red circle,other", *out)[2]
    )


def test_legends_tell_labels_apart_that_share_a_synonym(tiny):
    segmenter = Segmenter(tiny)
    segmenter.set_image(draw(48, 64))
    result = segmenter.segment(["red circle|red star", "red circle|blue star", "other"])
    result.__dict__["label_map"] = np.indices((48, 64))[1].astype(np.uint8) % 3
    wide = result.overlay()
    result.labels = ["red circle|red star", "red circle", "other"]
    assert not np.array_equal(np.asarray(wide), np.asarray(result.overlay()))


def test_a_text_encoder_gives_one_vector_for_both():
    """What all of this is about; the tiny CLIP's tokenizer is CLIP's own."""
    vectors = OpenClipText("tiny", None).encode(PAIR, torch.device("cpu"))
    torch.testing.assert_close(*vectors)
