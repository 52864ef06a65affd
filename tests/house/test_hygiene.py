"""Nothing in the repository belongs to one machine or one registry."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOT_OURS = {".git", ".venv", "__pycache__", "node_modules", "dist", "build"}

# A stranger's mirror, or an offline folder, must serve as well as the public index does.
REGISTRY_HOST = re.compile(r"\b(?:pypi|pythonhosted|npmjs|yarnpkg)\.(?:org|com)\b|\bdeb\.debian\.")
INDEX_OPTION = re.compile(
    r"--(?:index-url|extra-index-url|find-links|default-index|trusted-host)\b"
)

# Somebody's home folder, or a work tree. The names after `home` are nobody's: examples and the
# sandbox use them.
MACHINE_PATH = re.compile(
    r"(?<![\w.~$})-])/(?:(?:home|Users)/(?!user\b|you\b|sandbox\b|agent\b)\w+/|(?:work|farm)/\w)"
)
CONFLICT = re.compile(r"^(?:<{7} |>{7} |={7}$)", re.MULTILINE)


def tracked_files() -> list[Path]:
    """The files git tracks; without git (an unpacked archive), the files that are there."""
    if shutil.which("git") and (ROOT / ".git").exists():
        done = subprocess.run(
            ["git", "-c", "safe.directory=*", "ls-files", "-z"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        files = [ROOT / name for name in done.stdout.split("\0") if name]
        return [path for path in files if path.is_file()]
    return [
        path
        for path in ROOT.rglob("*")
        if path.is_file() and not NOT_OURS & set(path.relative_to(ROOT).parts)
    ]


def lines_with(pattern: re.Pattern[str], files: list[Path]) -> list[str]:
    """`path:line: text` for every match in the files that are text."""
    found = []
    for path in files:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [
            f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {match.group()!r}"
            for match in pattern.finditer(text)
        ]
    return found


@pytest.fixture(scope="module")
def files() -> list[Path]:
    return tracked_files()


def test_no_file_names_the_host_of_a_registry(files):
    assert lines_with(REGISTRY_HOST, files) == []


def test_requirement_files_choose_no_index(files):
    assert lines_with(INDEX_OPTION, [path for path in files if path.suffix == ".txt"]) == []


def test_no_file_holds_a_path_of_one_machine(files):
    assert lines_with(MACHINE_PATH, files) == []


def test_no_file_names_the_place_of_this_checkout(files):
    assert lines_with(re.compile(re.escape(str(ROOT)) + r"\b"), files) == []


def test_no_file_holds_a_merge_conflict(files):
    assert lines_with(CONFLICT, files) == []


def test_every_pin_carries_a_hash(files):
    for path in files:
        if path.parent == ROOT / "requirements":
            pins = path.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
            without = [pin for pin in pins if "==" in pin and "--hash=sha256:" not in pin]
            assert without == [], path


@pytest.mark.parametrize(
    "pattern, text",
    [
        (REGISTRY_HOST, "https://files." + "pythonhosted" + ".org/x"),
        (REGISTRY_HOST, "deb." + "debian" + ".org"),
        (INDEX_OPTION, "-" + "-index-url https://example.org"),
        (MACHINE_PATH, "open('" + "/ho" + "me/alice/x')"),
        (MACHINE_PATH, "see " + "/wo" + "rk/main"),
        (CONFLICT, "a\n" + "<" * 7 + " HEAD\n"),
    ],
)
def test_pattern_finds(pattern, text, tmp_path):
    (tmp_path / "file.txt").write_text(text, encoding="utf-8")
    assert len(lines_with(pattern, [tmp_path / "file.txt"])) == 1


def test_paths_that_belong_to_nobody_are_allowed():
    for text in ("/home/user/x", "docs/home/alice/x", "/workspace/x", "/home-page/x/"):
        assert not MACHINE_PATH.search(text), text
