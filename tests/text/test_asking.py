import json
import math

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from lseg.config import TextConfig
from lseg.errors import ConfigError, LabelError
from lseg.text.asking import Asking, other_place
from lseg.text.encoder import LabelEncoder
from lseg.text.other import OTHER_ALWAYS, WIDE, Rest, Threshold, Vocabulary, Word, Words
from lseg.text.question import Pool, Unsure
from lseg.text.rules import named_rule

NAMES = ["sky", "cloud", "sea", "brick wall", "wall", "dog", "dogs", "puppy", "lamp", "rug"]
WIDTH = 64


@pytest.fixture
def vectors():
    """Nearly orthogonal, but for cloud, which is near sky."""
    found = F.normalize(torch.randn(len(NAMES), WIDTH), dim=-1)
    found[1] = F.normalize(found[0] + 0.3 * found[1], dim=-1)
    return dict(zip(NAMES, found, strict=True))


@pytest.fixture
def encode(tmp_path, vectors):
    """Makes encoders of the table with more rows, or without some."""

    def make(*more, without=()):
        extra = F.normalize(torch.randn(len(more), WIDTH), dim=-1)
        rows = {**vectors, **dict(zip(more, extra, strict=True))}
        rows = {name: row for name, row in rows.items() if name not in without}
        path = tmp_path / "table.safetensors"
        labels = {"labels": json.dumps(list(rows))}
        save_file({"embeddings": torch.stack(list(rows.values()))}, path, labels)
        return LabelEncoder(TextConfig(table=str(path)), WIDTH)

    return make


def words_of(question, index, vectors):
    """The words by whose vectors a class is asked."""
    start = sum(pool.count for pool in question.pools[:index])
    some = question.vectors[start : start + question.pools[index].count]
    return {name for name, vector in vectors.items() if (some @ vector).max().item() > 1 - 1e-5}


def test_a_wide_table_stands_for_other_itself_though_it_has_the_word(encode):
    words = [f"thing{index}" for index in range(WIDE - len(NAMES) - 1)]
    narrow = encode("other", *words[1:])
    assert Asking().question(narrow, ["sky", "other"]).pools == (Pool(), Pool())
    wide = encode("other", *words)
    assert Asking().question(wide, ["sky", "other"]).pools[1].count > WIDE / 2
    asking = Asking(other=Word())
    assert asking.question(wide, ["sky", "other"]).pools == (Pool(), Pool())


def test_synonyms_are_averaged_or_each_asked_for(encode, vectors):
    labels = ["dog|puppy", "sea"]
    mean = Asking().question(encode(), labels)
    assert mean.plain
    dog = F.normalize(vectors["dog"] + vectors["puppy"], dim=0)
    torch.testing.assert_close(mean.vectors, torch.stack([dog, vectors["sea"]]))
    each = Asking("max").question(encode(), labels)
    assert each.names == ("dog|puppy", "sea")
    assert each.pools == (Pool(2), Pool())
    wanted = torch.stack([vectors[name] for name in ("dog", "puppy", "sea")])
    torch.testing.assert_close(each.vectors, wanted)


def test_a_synonym_of_two_labels_is_refused(encode):
    with pytest.raises(LabelError, match=r"dog\|puppy.*rug\|dog"):
        Asking("max").question(encode(), ["dog|puppy", "rug|dog"])
    with pytest.raises(LabelError, match="empty"):
        Asking("max").question(encode(), ["dog|puppy", "|"])


def test_other_is_a_word_where_there_is_one(encode):
    encoder = encode("other")
    question = Asking().question(encoder, ["other", "sky"])
    assert question.plain
    torch.testing.assert_close(question.vectors, encoder.encode(["other", "sky"]))


def test_other_without_a_word_is_what_is_far_from_the_labels(encode, vectors):
    question = Asking().question(encode(), ["sky", "other", "dog", "wall"])
    assert question.names == ("sky", "other", "dog", "wall")
    assert [pool.count for pool in question.pools] == [1, 3, 1, 1]
    assert question.unsure == Unsure(1, Rest().threshold.below)
    # cloud is near sky; dogs, puppy are other words for a dog; a brick wall is a wall.
    assert words_of(question, 1, vectors) == {"sea", "lamp", "rug"}
    assert words_of(question, 2, vectors) == {"dog"}
    loose = Asking(other=Vocabulary(near=0.999)).question(encode(), ["sky", "other"])
    assert "cloud" in words_of(loose, 1, vectors)


def test_many_words_of_the_rest_count_no_more_than_a_few(encode):
    """The margin is log(M / 5 N): M words share the weight of five times N."""
    names = ["sky", "other"]
    words = tuple(name for name in NAMES if name not in ("sky", "cloud"))
    pool = Asking(other=Vocabulary(words)).question(encode(), names).pools[1]
    assert pool.summed
    assert pool.count > 5
    assert pool.margin == pytest.approx(math.log(pool.count / 5))
    asked = [name for name in NAMES if name != "lamp"]
    few = Asking(other=Vocabulary(("lamp",))).question(encode(), [*asked, "other"]).pools[-1]
    assert (few.count, few.margin) == (1, 0)


def test_background_and_the_like_stand_for_nothing_else(encode):
    encoder = encode("background")
    question = Asking(other=Vocabulary()).question(encoder, ["sky", "other"])
    background = encoder.encode(["background"])
    assert (question.vectors @ background.T).max() < 0.99


def test_other_without_anything_far_is_what_is_unsure(encode):
    encoder = encode(without=NAMES[2:])
    question = Asking().question(encoder, ["sky", "cloud", "other"])
    assert question.unsure == Unsure(2, Threshold().below)
    assert len(question.vectors) == 2
    with pytest.raises(LabelError, match="threshold"):
        Asking(other=Vocabulary()).question(encoder, ["sky", "cloud", "other"])


def test_a_wrong_label_beside_other_is_still_refused(encode):
    with pytest.raises(LabelError, match="'skyy'"):
        Asking().question(encode(), ["skyy", "other"])


def test_words_that_are_labels_are_left_out(encode, vectors):
    asking = Asking(other=Words(("sea", "rug", "sky")))
    question = asking.question(encode(), ["sky", "dog", "background"])
    assert words_of(question, 2, vectors) == {"sea", "rug"}
    with pytest.raises(LabelError, match="'seaa'"):
        Asking(other=Words(("seaa",))).question(encode(), ["sky", "other"])
    default = Asking(other=Words()).question(encode(), ["dog", "other"])
    assert words_of(default, 1, vectors) == {"sky", "cloud", "sea", "wall", "lamp"}


def test_a_class_may_be_the_rest_under_another_name(encode, vectors):
    asking = Asking(other=Words(("sea",)))
    question = asking.question(encode(), ["rug", "dog"], other=0)
    assert words_of(question, 0, vectors) == {"sea"}


@pytest.mark.parametrize(
    ("labels", "place"),
    [
        (["sky", "other"], 1),
        (["Other", "sky"], 0),
        (["background|rest", "others"], 0),
        (["sky", "others matter"], None),
    ],
)
def test_which_label_is_the_rest(labels, place):
    assert other_place(labels) == place


def test_rules_by_name(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("sea\nred rug\n")
    assert named_rule("auto") is OTHER_ALWAYS
    assert named_rule("word") == Word()
    assert named_rule("words") == Words()
    assert named_rule("words=sea, rug") == Words(("sea", "rug"))
    assert named_rule(f"vocabulary={path}") == Vocabulary(("sea", "red rug"))
    assert named_rule("threshold=0.25") == Threshold(0.25)


@pytest.mark.parametrize(
    "text", ["", "none", "word=sea", "threshold=", "threshold=2", "threshold=x", "threshold=nan"]
)
def test_what_is_no_rule_is_refused(text):
    with pytest.raises(ConfigError, match=r"threshold.*(T|probability)"):
        named_rule(text)
    with pytest.raises(LabelError):
        named_rule("words=,")
