"""Which test walks through which line: recorded while the tests run, and looked up by statement."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


class Recorder:
    """A plug-in of pytest: the lines of `lseg` that each test walks through, and its seconds."""

    def __init__(self, house: Path) -> None:
        from coverage import Coverage

        self.house = house
        self.coverage = Coverage(data_file=None, config_file=False, source=[str(house / "lseg")])
        self.coverage.start()
        self.seconds: dict[str, float] = {}
        self.unfit: set[str] = set()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Around all of a test."""
        self.coverage.switch_context(item.nodeid)
        begun = _seconds()
        result = yield
        self.seconds[item.nodeid] = _seconds() - begun
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """After each part of a test; one that fails without a change says nothing of one."""
        if not report.passed:
            self.unfit.add(report.nodeid)

    def found(self) -> dict[str, Any]:
        """Of each line the tests that walk through it, and the seconds of each test."""
        self.coverage.stop()
        data, walks = self.coverage.get_data(), {}
        for file in data.measured_files():
            lines = data.contexts_by_lineno(file).items()
            walks[str(Path(file).relative_to(self.house))] = {
                line: [test for test in tests if test in self.seconds and test not in self.unfit]
                for line, tests in lines
            }
        return {"walks": walks, "seconds": self.seconds}


def _seconds() -> float:
    """Of the processor, for this process and for those that it has waited for."""
    return sum(os.times()[:4])


def statement(code: str, line: int) -> range | None:
    """The lines that are walked through when the statement at a line runs.

    Of a function's head those of its body, since the head itself runs at the import of the module;
    None, for all lines, of what else runs at the import.
    """
    found: range | None = None
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            first = min(
                [node.lineno, *(item.lineno for item in getattr(node, "decorator_list", []))]
            )
            if first <= line <= (node.end_lineno or 0):
                found = range(first, (node.end_lineno or 0) + 1)
                body = node.body if isinstance(node.body, list) else []
                found = _inner(body, line) or found
    return found


def _inner(body: list[ast.stmt], line: int) -> range | None:
    """The innermost statement of a body at a line: all of a simple one, the head of another."""
    for node in body:
        if not node.lineno <= line <= (node.end_lineno or 0):
            continue
        inner = [item for item in ast.iter_child_nodes(node) if isinstance(item, ast.stmt)]
        handlers = [
            item for item in ast.iter_child_nodes(node) if isinstance(item, ast.ExceptHandler)
        ]
        inner += [item for handler in handlers for item in handler.body]
        if not inner:
            return range(node.lineno, (node.end_lineno or 0) + 1)
        return _inner(inner, line) or range(node.lineno, inner[0].lineno)
    return None
