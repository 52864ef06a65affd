"""Executors for tests: made in a folder of the test, stopped after it."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from autogen.coding import CodeBlock, LocalCommandLineCodeExecutor, SandboxCommandLineCodeExecutor
from autogen.coding.walls import probe


@pytest.fixture(autouse=True)
def _own_layers(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Layers of tests lie in a folder of their own; what uv downloaded before is used again."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    monkeypatch.setenv("UV_CACHE_DIR", os.environ.get("UV_CACHE_DIR") or str(home / "uv"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="session")
def _bubblewrap() -> tuple[bool, str, str]:
    report = probe()[0]
    return report.ok, report.why, report.remedy


@pytest.fixture
def sandbox(
    tmp_path: Path, _bubblewrap: tuple[bool, str, str], require_part: Callable[..., Any]
) -> Iterator[Callable[..., SandboxCommandLineCodeExecutor]]:
    """Makes sandboxes whose work_dir is `tmp_path/work`."""
    ok, why, remedy = _bubblewrap
    if not ok:
        require_part("bubblewrap", because=why, do=remedy)
    made: list[SandboxCommandLineCodeExecutor] = []

    def make(**options: Any) -> SandboxCommandLineCodeExecutor:
        options = {"work_dir": tmp_path / "work", "timeout": 20, **options}
        made.append(SandboxCommandLineCodeExecutor(**options))
        return made[-1]

    yield make
    for executor in made:
        executor.stop()


@pytest.fixture
def local(tmp_path: Path) -> Callable[..., LocalCommandLineCodeExecutor]:
    """Makes local executors whose work_dir is `tmp_path/work`."""

    def make(**options: Any) -> LocalCommandLineCodeExecutor:
        return LocalCommandLineCodeExecutor(
            **{"work_dir": tmp_path / "work", "timeout": 20, **options}
        )

    return make


@pytest.fixture(params=["local", pytest.param("sandbox", marks=pytest.mark.wall)])
def either(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Makes local executors and, in a second round, sandboxes, for what both do alike."""
    made: Callable[..., Any] = request.getfixturevalue(request.param)
    return made


@pytest.fixture
def small_disk(tmp_path: Path, require_part: Callable[..., Any]) -> Iterator[Path]:
    """A folder of 1 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=64", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
    )
    if mounted.returncode != 0:
        require_part("mounting", because=mounted.stderr.strip(), do="run the tests as root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def run() -> Callable[..., Any]:
    """Runs one block: `run(executor, code, language="python")`."""

    def run_block(executor: Any, code: str, language: str = "python") -> Any:
        return executor.execute_code_blocks([CodeBlock(code=code, language=language)])

    return run_block


@pytest.fixture
def survives(box: Any, run: Callable[..., Any]) -> Callable[..., Any]:
    """Runs hostile code in the `box` of a file; after it the next block finds a working sandbox."""

    def attempt(code: str, language: str = "python") -> Any:
        result = run(box, code, language)
        assert run(box, "print('fine')").output == "fine\n"
        return result

    return attempt


@pytest.fixture
def eventually(wait_s: float) -> Callable[..., None]:
    """Waits until something is true, or fails."""

    def wait(condition: Callable[[], bool], *, within_s: float = wait_s) -> None:
        deadline_s = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < deadline_s, "waited too long"
            time.sleep(0.005)

    return wait
