"""Changes the code at random places, one at a time, and sees whether a test of that room fails.

    pip install cosmic-ray coverage
    python scripts/mutation.py --out mutants.jsonl     # given again, it goes on where it stopped

Each mutant meets the tests of its room that walk through the changed statement (see
`mutation_tests.py`). One that none of them fails on has survived: it asks for a test, unless it
does the same as the original.
"""

from __future__ import annotations

import argparse
import ast
import json
import math
import random
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from mutation_tests import ENOUGH, House

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("models", "evaluation", "data", "store", "convert", "embedding")


def main() -> None:
    """Draws, judges, and counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("mutants.jsonl"))
    parser.add_argument("--rooms", nargs="+", choices=ROOMS, default=ROOMS, help="of lseg/")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--again", action="store_true", help="the survivors, with all tests")
    options = parser.parse_args()
    out = options.out.resolve()
    rows = {row["id"]: row for row in map(json.loads, lines_of(out))}
    if options.again:
        rows = {key: row for key, row in rows.items() if row["outcome"] != "survived"}
    mutants = draw(options.rooms, options.count, options.seed)
    left = [mutant for mutant in mutants if mutant["id"] not in rows]
    left.sort(key=lambda mutant: ROOMS.index(room_of(mutant)))
    with tempfile.TemporaryDirectory() as folder:
        house = House(ROOT, Path(folder), math.inf if options.again else ENOUGH)
        for room, those in groupby(left, room_of):
            house.record(room, out.with_suffix(f".{room}.json"))
            for mutant in those:
                outcome = house.judge(mutant["file"], mutant["line"], mutant.pop("code"))
                rows[mutant["id"]] = mutant | outcome
                print(len(rows), outcome["outcome"], mutant["id"], flush=True)
                out.write_text("".join(json.dumps(row) + "\n" for row in rows.values()), "utf-8")
    found = [rows[mutant["id"]]["outcome"] for mutant in mutants]
    print({outcome: found.count(outcome) for outcome in sorted(set(found))})


def room_of(mutant: dict) -> str:
    """`models` of `lseg/models/lseg.py`."""
    return str(mutant["file"]).split("/")[1]


def lines_of(path: Path) -> list[str]:
    """Of a file; none where there is no file."""
    return path.read_text("utf-8").splitlines() if path.exists() else []


def draw(rooms: Sequence[str], count: int, seed: int) -> list[dict]:
    """Mutants at places drawn at random: each is as likely, whatever number can be made of it."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator, operator_names

    kinds = {name: get_operator(name) for name in operator_names()}
    operators = {name: kind() for name, kind in kinds.items() if not kind.arguments()}
    places = defaultdict(list)
    for path in sorted(file for room in rooms for file in (ROOT / "lseg" / room).rglob("*.py")):
        nodes = list(ast_nodes(get_ast(path.read_text("utf-8"))))
        for name, operator in operators.items():
            spots = (spot for node in nodes for spot in operator.mutation_positions(node))
            for occurrence, (start, _) in enumerate(spots):
                places[str(path.relative_to(ROOT)), start].append((name, occurrence))
    drawn: list[dict] = []
    rng = random.Random(seed)
    for (file, start), variants in rng.sample(sorted(places.items()), len(places)):
        name, occurrence = rng.choice(variants)
        before = (ROOT / file).read_text("utf-8")
        code = mutate_code(before, operators[name], occurrence)
        if meaning(code) in (None, meaning(before)):
            continue
        key = f"{file}:{start[0]}:{start[1]} {name.removeprefix('core/')}"
        drawn.append({"id": key, "file": file, "line": start[0], "code": code}
                     | difference(before, code))  # fmt: skip
        if len(drawn) == count:
            break
    return drawn


def meaning(code: str) -> str | None:
    """A module's syntax tree without annotations, which nothing evaluates; None if it is none."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(None)
        elif isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.FunctionDef):
            node.returns = None
    return ast.dump(tree)


def difference(before: str, after: str) -> dict[str, str]:
    """The first line that differs, as it was and as it is."""
    pairs = zip(before.splitlines(), after.splitlines(), strict=False)
    changed = ((old.strip(), new.strip()) for old, new in pairs if old != new)
    return dict(zip(("old", "new"), next(changed, ("", "")), strict=True))


if __name__ == "__main__":
    main()
