"""Runs the tests that walk through a changed statement, in forks of a process that is warm.

An import of torch and its like takes longer than most tests. This process does it once; each run of
pytest is a fork of it, which then imports `lseg`, with the change, from a copy of the repository.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from mutation_walks import Recorder, statement

WARM = (
    "torch", "torchvision", "torchmetrics", "pytorch_lightning", "timm", "open_clip", "PIL.Image",
    "transformers.models.dpt.modeling_dpt", "transformers.models.dinov2.modeling_dinov2",
    "transformers.models.clip.modeling_clip", "hypothesis", "pycocotools.mask", "safetensors.torch",
    "huggingface_hub", "coverage",
)  # fmt: skip
PYTEST = ["-q", "-p", "no:cacheprovider", "-m", "not slow", "--tb=line", "--no-header"]
LONGEST = 15
"""Seconds of the processor for a mutant, beside twice those of its tests; more is noticed."""
ENOUGH = 4
"""Seconds of the processor for the tests, the fastest first, that a mutant meets."""
PATIENCE = 300
"""Seconds by the clock, for a change that makes a test wait without end."""


class House:
    """A copy of the repository, and which test walks through which line of it."""

    def __init__(self, root: Path, folder: Path, enough: float) -> None:
        self.path = folder / "house"
        self.log = folder / "log"
        self.enough = enough
        listed = subprocess.run(["git", "ls-files"], cwd=root, check=True, capture_output=True)
        for name in listed.stdout.decode().splitlines():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, self.path / name)
        if (root.parent / "shared").is_dir():  # photographs that some tests need
            (folder / "shared").symlink_to(root.parent / "shared")
        subprocess.run([sys.executable, "-m", "compileall", "-q", self.path / "lseg"], check=True)
        os.environ |= {"PYTHONPATH": str(self.path), "PYTHONDONTWRITEBYTECODE": "1"}
        for name in WARM:
            importlib.import_module(name)
        self.walks: dict[str, dict[int, list[str]]] = {}
        self.seconds: dict[str, float] = {}

    def judge(self, file: str, line: int, code: str) -> dict[str, object]:
        """What the tests say of a file with this code, which differs at this line."""
        path = self.path / file
        original = path.stat(), path.read_bytes()
        walks = self.walks.get(file, {})
        lines = statement(original[1].decode(), line) or range(10**6)
        tests = {test for number in walks if number in lines for test in walks[number]}
        some, total = set(), 0.0
        for test in sorted(tests, key=lambda test: self.seconds[test]):
            some.add(test)
            total += self.seconds[test]
            if total > self.enough:
                break
        begun = time.monotonic()
        path.write_text(code, "utf-8")
        try:
            files = sorted({test.partition("::")[0] for test in some})
            words = [*PYTEST, "-x", *files]
            longest = LONGEST + 2 * round(total)
            status = self._fork(lambda: pytest.main(words, [Chosen(some)]), longest) if some else 0
        finally:
            path.write_bytes(original[1])
            os.utime(path, ns=(original[0].st_atime_ns, original[0].st_mtime_ns))
        outcome = {0: "survived", 5: "survived", None: "timeout"}.get(status, "killed")
        return {
            "outcome": outcome if some else "untested",
            "tests": f"{len(some)} of {len(tests)}",
            "seconds": round(time.monotonic() - begun, 1),
        }

    def record(self, room: str, kept: Path) -> None:
        """Notes how long each test of a room takes, and where it goes; or reads such notes."""

        def work() -> int:
            recorder = Recorder(self.path)
            sys.dont_write_bytecode = False  # rewritten tests are read faster when they come again
            status = pytest.main([*PYTEST, f"tests/{room}"], [recorder])
            kept.write_text(json.dumps(recorder.found()), "utf-8")
            return status

        if not kept.exists():
            self._fork(work, None)
            print(self.log.read_text().splitlines()[-1], flush=True)
        notes = json.loads(kept.read_text("utf-8"))
        self.seconds |= notes["seconds"]
        for file, lines in notes["walks"].items():
            for line, tests in lines.items():
                self.walks.setdefault(file, {}).setdefault(int(line), []).extend(tests)

    def _fork(self, work: Callable[[], int], seconds: int | None) -> int | None:
        """The exit status of `work` in a fork of this process; None if it took too long."""
        child = os.fork()
        if child == 0:
            os.setsid()
            os.chdir(self.path)
            sys.path.insert(0, str(self.path))
            sys.dont_write_bytecode = True
            if seconds is not None:
                resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
            with self.log.open("wb") as log:
                os.dup2(log.fileno(), 1)
                os.dup2(log.fileno(), 2)
            status = work()
            sys.stdout.flush()
            os._exit(status)
        end = time.monotonic() + (PATIENCE if seconds is not None else math.inf)
        while time.monotonic() < end:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                status = os.waitstatus_to_exitcode(status)
                return None if status < 0 else status
            time.sleep(0.02)
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return None


class Chosen:
    """A plug-in of pytest: these tests and no others."""

    def __init__(self, tests: set[str]) -> None:
        self.tests = tests

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leaves the others out."""
        items[:] = [item for item in items if item.nodeid in self.tests]
