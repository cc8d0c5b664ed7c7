"""The versions that are tested lie at the ends of what pyproject.toml allows."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]


def pinned(name):
    lines = (ROOT / name).read_text().splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(package): version for package, version in pairs}


def required():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    return [Requirement(text) for text in (*project["dependencies"], *extras["onnx"])]


@pytest.mark.parametrize("one", required(), ids=lambda one: one.name)
def test_both_ends_of_a_range_are_pinned(one):
    name = canonicalize_name(one.name)
    (least,) = (part.version for part in one.specifier if part.operator == ">=")
    assert Version(pinned("constraints-lowest.txt")[name]) == Version(least)
    assert pinned("constraints.txt")[name] in one.specifier


def test_nothing_else_is_pinned_as_the_lowest():
    names = {canonicalize_name(one.name) for one in required()}
    assert pinned("constraints-lowest.txt").keys() == names
