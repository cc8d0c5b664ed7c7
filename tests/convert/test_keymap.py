"""Declarative key maps."""

import pytest
import torch
from official import DPT, FILE, LSEG, blank, recognised, refusal

from lseg.config import DepthConfig
from lseg.convert.keymap import Conversion, Rule, Source, rename_keys, take_renamed


def test_the_first_matching_rule_decides():
    rules = [
        Rule(r"a\.(\w+)", r"b.\1"),
        Rule(r"a\..+", None, "not wanted"),
        Rule(r"c(\d)\.(\w+)", r"d.\1.\2"),
    ]
    renaming = rename_keys(["a.x", "a.x.y", "c3.w"], rules, FILE)
    assert renaming.kept == {"a.x": "b.x", "c3.w": "d.3.w"}
    assert renaming.dropped == {"a.x.y": "not wanted"}
    assert "'net.xa.x'" in refusal(rename_keys, ["a.x", "xa.x"], rules, FILE)


def test_tensors_move_to_their_new_names():
    weights = {"a": torch.zeros(1), "b": torch.ones(1)}
    assert take_renamed(weights, {"a": "c"}) == {"c": torch.zeros(1)}
    assert list(weights) == ["b"]


def test_the_key_of_the_checkpoint_is_found_again():
    rules = [
        Rule(r"a\.(?:deep\.)?b([12])\.(\w+)", r"x.\2.y\1"),
        Rule(r"a\..+", None, "not wanted"),
        Rule(r"c\.(.+)", r"z.\1"),
    ]
    conversion = Conversion("any", DepthConfig(), {}, None, {}, rules)
    assert conversion.original("x.bias.y2") == "a.deep.b2.bias"
    assert conversion.original("x.bias.y3") == "x.bias.y3"  # no rule leads there
    assert conversion.original("z.0.weight") == "c.0.weight"


@pytest.mark.parametrize("name", [*LSEG, *DPT])
def test_every_kept_key_is_found_again(name):
    keys = list(blank(name))
    conversion = recognised(blank(name))
    renaming = rename_keys(keys, conversion.rules, FILE)
    assert len(renaming.kept) > 200
    for old, new in renaming.kept.items():
        assert conversion.original(new) == old


def test_a_key_is_told_with_the_prefix_that_was_taken_off():
    message = refusal(rename_keys, ["a"], [], Source("the file", "net."))
    assert message == "the file has an unknown weight: 'net.a'"
