"""Each example is in the table of `examples/README.md`, and each is run by a test."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "examples"
PROGRAMS = sorted(path.stem for path in EXAMPLES.glob("*.py"))


def test_table_lists_every_program_once() -> None:
    table = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| `(\w+)\.py` \|", table, re.MULTILINE)) == PROGRAMS


def test_every_program_is_run_by_a_test() -> None:
    tests = "".join(path.read_text(encoding="utf-8") for path in sorted(HERE.glob("test_*.py")))
    assert [
        name for name in PROGRAMS if f'"{name}"' not in tests and f"{name}.py" not in tests
    ] == []


def test_names_in_the_table_are_in_the_program_beside_them() -> None:
    table = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    missing = []
    for name, used in re.findall(r"^\| `(\w+)\.py` \|.*\| (.+) \|$", table, re.MULTILINE):
        source = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
        for one in re.findall(r"`([^`]+)`", used):
            last = one.rpartition(".")[2]
            if one not in source and last not in source:
                missing.append((name, one))
    assert missing == []
