"""Labels that are one to the text encoder, with a real tokenizer and tower."""

import json

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from lseg.config import TextConfig
from lseg.errors import LabelError
from lseg.text.distinct import refuse_equal
from lseg.text.encoder import LabelEncoder

LONG = "a very long description of something " * 4

EQUAL = {
    "case": ("Dog", "dog"),
    "spaces": ("traffic  light", "traffic light"),
    "Unicode form": ("caf\u00e9", "cafe\u0301"),
    "HTML entities": ("R&amp;D lab", "R&D lab"),
    "full width": ("\uff53\uff4b\uff59", "sky"),
    "no width": ("sk\u200by", "sky"),
    "beyond the context": (LONG + "red", LONG + "blue"),
    "order of synonyms": ("person|man", "man|person"),
    "a synonym twice": ("man|man", "man"),
}


@pytest.fixture
def encoder(clip_folder):
    return LabelEncoder(TextConfig(f"local-dir:{clip_folder}", None), 32)


@pytest.mark.parametrize("pair", EQUAL.values(), ids=EQUAL.keys())
def test_labels_that_are_one_to_the_encoder_are_refused_by_name(encoder, pair):
    with pytest.raises(LabelError) as caught:
        encoder.encode(["tree", pair[0], "road", pair[1]])
    message = str(caught.value)
    assert "one and the same to the text encoder" in message
    assert "\n" not in message
    assert len(message) < 700
    assert all(repr(label[-10:])[1:] in message for label in pair)


def test_they_are_refused_again_and_whoever_was_asked_for_in_between(encoder):
    for _ in range(2):
        with pytest.raises(LabelError, match="'Dog' and 'dog'"):
            encoder.encode(["Dog", "dog"])
        encoder.encode(["dog", "cat"])


def test_where_nothing_is_chosen_they_are_encoded(encoder):
    found = encoder.encode(["Dog", "dog"], distinct=False)
    torch.testing.assert_close(found[0], found[1])


def test_different_labels_and_one_label_twice_are_accepted(encoder):
    assert encoder.encode(["dog", "dogs", "dog", "dog|puppy", LONG]).shape == (5, 32)


def test_rows_of_a_table_that_are_equal_are_refused(tmp_path):
    path = tmp_path / "table.safetensors"
    rows = torch.tensor([[1.0, 2], [3, 1], [2, 4]])  # the third is the first, twice as long
    save_file({"embeddings": rows}, path, metadata={"labels": json.dumps(["a", "b", "c"])})
    encoder = LabelEncoder(TextConfig(table=str(path)), 2)
    assert encoder.encode(["a", "b"]).shape == (2, 2)
    with pytest.raises(LabelError, match="'a' and 'c' are one"):
        encoder.encode(["b", "a", "c"])


@pytest.mark.parametrize(("first", "second"), [(0, 1), (3, 2499), (1100, 1101), (2000, 2300)])
def test_a_pair_is_found_wherever_it_is(first, second):
    vectors = F.normalize(torch.randn(2500, 16), dim=-1)
    labels = [str(index) for index in range(2500)]
    refuse_equal(vectors, labels)
    vectors[second] = F.normalize(vectors[first] + 1e-7 * torch.randn(16), dim=-1)
    with pytest.raises(LabelError, match=f"'{first}' and '{second}'"):
        refuse_equal(vectors, labels)


def test_vectors_close_to_each_other_are_no_equal_ones():
    """Words of one meaning lie at cosines of 0.99 in CLIP; a change of 1e-2 is a difference."""
    one = F.normalize(torch.randn(1, 512), dim=-1)
    other = F.normalize(one + 0.01 * F.normalize(torch.randn(1, 512), dim=-1), dim=-1)
    refuse_equal(torch.cat([one, other]), ["a", "b"])
