"""Which classes examples are of, and how these are asked by text."""

import json

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from lseg.config import TextConfig
from lseg.memory.asking import TaughtAsking
from lseg.memory.examples import Example, Examples, Vectors
from lseg.text.asking import Asking
from lseg.text.encoder import LabelEncoder
from lseg.text.other import Rest, Threshold
from lseg.text.question import Pool

WIDTH, SEEN = 16, 6
NAMES = ["sky", "road", "tree", "lamp", "rug", "sea"]


@pytest.fixture
def encoder(tmp_path):
    path = tmp_path / "table.safetensors"
    vectors = F.normalize(torch.randn(len(NAMES), WIDTH), dim=-1)
    save_file({"embeddings": vectors}, path, {"labels": json.dumps(NAMES)})
    return LabelEncoder(TextConfig(table=str(path)), WIDTH)


def asked(encoder, rule, labels, shown):
    """A question of labels, `other` among them, of which those of `shown` have an example."""
    examples = []
    for label in shown:
        embeddings = F.normalize(torch.randn(8, WIDTH), dim=-1).half()
        vectors = Vectors(embeddings, torch.randn(8, SEEN).half())
        examples.append(Example(label, "picture", "key", 0.5, vectors, vectors))
    asking = TaughtAsking(Asking(other=rule), Examples(examples), 10.0)
    return asking.question(encoder, labels, other=labels.index("other"))


@pytest.mark.parametrize(("rule", "place"), [(Rest(), 2), (Threshold(), 1)])
def test_examples_are_of_their_class_though_other_comes_before_it(encoder, rule, place):
    question = asked(encoder, rule, ["other", "sky", "road"], ["road"])
    assert question.taught.classes.tolist() == [place]  # among those that have vectors
    assert question.unsure.index == 0


def test_other_keeps_the_rest_of_the_words_when_it_has_examples(encoder):
    plain = Asking(other=Rest()).question(encoder, ["other", "sky"], other=0)
    question = asked(encoder, Rest(), ["other", "sky"], ["other", "sky"])
    assert question.taught.classes.tolist() == [0, 1]
    assert question.pools == plain.pools
    assert question.pools[0] != Pool()
    assert question.unsure == plain.unsure
