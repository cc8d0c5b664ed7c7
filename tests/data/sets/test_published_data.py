"""Published sets as training data."""

from pathlib import Path

import pytest
from published_trees import TREES

from lseg.data.sets.published_data import PublishedDataModule
from lseg.errors import ConfigError, DataError


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LSEG_DATA", str(tmp_path))
    for name in ("ade20k", "context60"):
        TREES[name].draw(tmp_path)
    return tmp_path


def module(dataset: str, **options: object) -> PublishedDataModule:
    return PublishedDataModule(dataset, train_split="val", **options)  # type: ignore[arg-type]


def values(data: PublishedDataModule) -> set[int]:
    (val,) = data.val_data.values()
    return set(val[0]["mask"].unique().tolist())


def test_what_is_labelled_as_no_class_is_asked_as_other_in_training_alone(root: Path) -> None:
    plain, other = module("ade20k"), module("ade20k", background="other")
    assert len(plain.labels) == 150
    assert other.labels == ["other", *plain.labels]
    assert other.val_sets == plain.val_sets == [("val", plain.labels)]
    assert values(plain) == values(other) == {*range(150), 255}
    other_counts, counts = other.pixel_counts().tolist(), plain.pixel_counts().tolist()
    assert other_counts[1:] == counts
    assert sum(other_counts) == 2 * 30 * 40
    mask = other._training_split()[0]["mask"]
    assert set(mask.unique().tolist()) == set(range(151))


def test_a_background_that_is_a_class_is_left_out_or_asked_as_other(root: Path) -> None:
    left_out, other = module("context60", background="ignore"), module("context60")
    assert (len(left_out.labels), len(other.labels)) == (59, 60)
    assert left_out.labels == other.labels[1:]
    assert values(left_out) == {*range(59), 255}
    renamed = module("context60", background="other")
    assert renamed.labels == ["other", *left_out.labels]
    assert [name for name, _ in renamed.val_sets] == ["val"]
    assert dict(renamed.val_sets)["val"] == renamed.labels


def test_labels_are_called_as_asked(root: Path) -> None:
    assert module("ade20k", prompts={"wall": "a wall"}).labels[0] == "a wall"
    assert "|" in "".join(module("ade20k", names="synonyms").labels)


def test_what_does_not_fit_is_refused(root: Path) -> None:
    with pytest.raises(ConfigError, match="has no class called 'background'"):
        _ = module("ade20k", background="class").labels
    next(root.rglob("annotations/validation/*.png")).unlink()
    with pytest.raises(DataError, match="has no mask"):
        _ = module("ade20k").labels
