"""Strategies of hypothesis for what parsers are given, and one setting for all of them."""

import json

from hostile import VALUES, places, replaced, without
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

EXAMPLES = 50

fuzzed = settings(
    max_examples=EXAMPLES,
    derandomize=True,  # the same examples in every run
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
"""A test runs the same examples every time."""

ANYTHING = st.text(alphabet=st.characters(codec=None), max_size=60)
"""Texts of any characters, lone surrogates among them."""

_leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), ANYTHING, st.sampled_from(VALUES)
)
VALUE = st.recursive(
    _leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANYTHING, inner, max_size=4),
    max_leaves=8,
)
"""Whatever JSON can hold."""


def changed(valid):
    """A valid value with up to three places that are lacking, or hold something else."""

    @st.composite
    def draw_changed(draw):
        value = valid
        for _ in range(draw(st.integers(1, 3))):
            found = list(places(value))
            if not found:
                break
            place = draw(st.sampled_from(found))
            if draw(st.integers(0, 4)) == 0:
                value = without(value, place)
            else:
                value = replaced(value, place, draw(VALUE))
        return value

    return draw_changed()


def damaged(data):
    """Bytes of a file, cut off, with a few changed or put in, or altogether others."""

    @st.composite
    def draw_damaged(draw):
        if draw(st.integers(0, 9)) == 0:
            return draw(st.binary(max_size=200))
        made = bytearray(data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data)
        for _ in range(draw(st.integers(0, 4))):
            # the first bytes say what the others mean
            reach = draw(st.sampled_from([16, 200, len(made)]))
            place = draw(st.integers(0, max(0, min(reach, len(made)) - 1)))
            made[place : place + draw(st.integers(0, 2))] = draw(st.binary(max_size=3))
        return bytes(made)

    return draw_damaged()


def dumped(value):
    """JSON in bytes; lone surrogates are escapes of it."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace")
