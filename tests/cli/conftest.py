"""The command line as people have it: a process of its own, in an empty folder."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import autogen
from autogen._durable.database import Database
from autogen.cli.app import main
from autogen.coding.walls import probe
from autogen.runtime import teams as register

PATIENCE_S = 50.0


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the layers of these tests lie; what uv downloaded before is used again."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def environment(cache: Path) -> dict[str, str]:
    """The variables of a person who has set up nothing."""
    source = str(Path(autogen.__file__).parents[1])
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "PATH") if name in os.environ}
    index = {k: v for k, v in os.environ.items() if k.startswith(("PIP_", "UV_", "SSL_"))}
    return {
        **kept,
        "UV_CACHE_DIR": str(home / "uv"),
        **index,
        "PYTHONPATH": source,
        "XDG_CACHE_HOME": str(cache),
    }


@pytest.fixture
def start(
    tmp_path: Path, environment: dict[str, str]
) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `autogen ARGUMENTS` in `tmp_path`, stdout and stderr apart; ended after the test."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **env: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "autogen.cli", *arguments],
            cwd=tmp_path,
            env={**environment, **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def run(start: Callable[..., subprocess.Popen[str]]) -> Callable[..., Any]:
    """Runs `autogen ARGUMENTS` to its end: (exit code, stdout, stderr)."""

    def run(*arguments: str, typed: str = "", **env: str) -> tuple[int, str, str]:
        process = start(*arguments, **env)
        out, err = process.communicate(typed, timeout=PATIENCE_S)
        return process.returncode, out, err

    return run


def _is_setting(name: str) -> bool:
    return name.startswith(("AUTOGEN_", "OPENAI_", "OAI_")) or name.endswith("_API_KEY")


@pytest.fixture
def inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs `autogen ARGUMENTS` in this process, in `tmp_path`: (exit code, stdout, stderr).

    For what no process of its own is needed: it costs a tenth.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(register, "_teams", {})
    for name in [name for name in os.environ if _is_setting(name)]:
        monkeypatch.delenv(name)

    def inside(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main(list(arguments))
        assert isinstance(end.value.code, int)
        for database in list(Database._open.values()):
            # As when a process ends; it records runs in one database at a time.
            database.close()
        logging.getLogger("dbos").handlers.clear()
        register._teams.clear()
        out, err = capsys.readouterr()
        return end.value.code, out, err

    return inside


@pytest.fixture(scope="session")
def _first_wall() -> tuple[bool, str, str]:
    reports = probe()
    report = next((report for report in reports if report.ok), reports[0])
    return report.ok, report.why, report.remedy


@pytest.fixture
def wall(_first_wall: tuple[bool, str, str], require_part: Callable[..., Any]) -> None:
    """A wall stands on this machine."""
    ok, why, remedy = _first_wall
    if not ok:
        require_part("a wall", because=why, do=remedy)
