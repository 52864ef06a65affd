"""One executor on trial: what it says of itself, and a folder of its own for each check."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from ...coding.base import CodeBlock, CodeExecutor, CodeResult
from .suite import Broken, Check, expect

__all__ = ["Make", "Traits", "Trial"]

#: Makes an executor: `make(work_dir=Path, timeout=seconds, ...)`.
Make = Callable[..., CodeExecutor]

MOST_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What an executor can do; a check that needs a trait runs only where it is claimed.

    Attributes:
        languages: What it runs; "python" at least.
        stateful: Names live on from block to block, as in a notebook.
        files: Blocks are saved as files in the work_dir, may name them, and share them.
        policies: Takes `execution_policies=`.
        artifacts: Results list the files that blocks left.
        live: Reports output while a block runs, and ends a block whose run is cancelled.
        walled: Code is kept from the host; takes `env=` and `network=`.
        limited: Takes `memory_mb=`, `processes=` and `disk_mb=`.
        timeout_code: Exit code of a block that ran out of time.
        timeout_text: What the output of such a block says.
    """

    languages: tuple[str, ...] = ("python", "sh")
    stateful: bool = False
    files: bool = True
    policies: bool = True
    artifacts: bool = True
    live: bool = True
    walled: bool = False
    limited: bool = False
    timeout_code: int = 124
    timeout_text: str = "Timeout"

    def meet(self, check: Check) -> bool:
        """Whether `check` says something about an executor with these traits."""
        return all(self._has(need) for need in check.needs)

    def _has(self, need: str) -> bool:
        if need.startswith("not "):
            return not self._has(need.removeprefix("not "))
        return need in self.languages if need == "sh" else bool(getattr(self, need))


class Trial:
    """Makes executors in a temporary folder; stops them and removes it at the end.

    Attributes:
        work_dir: The folder of the executors.
        outside: A folder beside it, which code has no business with.
    """

    def __init__(self, make: Make, traits: Traits):
        self.traits = traits
        self._make = make
        self._made: list[CodeExecutor] = []
        self._root = Path(tempfile.mkdtemp(prefix="autogen-trial-")).resolve()
        # A wall may run code under an id of its own, which has to get through.
        self._root.chmod(0o755)
        self.work_dir = self._root / "work"
        self.outside = self._root / "outside"
        self.outside.mkdir()

    def make(self, **options: Any) -> CodeExecutor:
        """A new executor."""
        executor = self._make(**{"work_dir": self.work_dir, "timeout": 20, **options})
        self._made.append(executor)
        return executor

    @property
    def box(self) -> CodeExecutor:
        """The executor made first; made now if there is none."""
        return self._made[0] if self._made else self.make()

    def run(self, code: str, language: str = "python") -> CodeResult:
        """The result of one block in `box`."""
        return self.box.execute_code_blocks([CodeBlock(code=code, language=language)])

    def restart(self) -> None:
        """Restart `box`; it may warn that there is nothing to do."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            self.box.restart()

    def expect_to_go_on(self) -> None:
        """The next block runs; one that keeps state may say before that it was lost."""
        output = self.run("print('fine')").output
        expect(output.split()[-1:] == ["fine"], "the next block to run", output)

    def wait_for(self, name: str) -> None:
        """Wait until a block has made a file in the work_dir."""
        deadline_s = time.monotonic() + MOST_S
        while not (self.work_dir / name).exists():
            if time.monotonic() > deadline_s:
                raise Broken(f"expected the block to make {name!r} within {MOST_S:g} seconds")
            time.sleep(0.005)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        for executor in self._made:
            stop = getattr(executor, "stop", None)
            if callable(stop):
                stop()
        shutil.rmtree(self._root, ignore_errors=True)


def block(code: str, language: str = "python") -> CodeBlock:
    """A block."""
    return CodeBlock(code=code, language=language)


def beats(folder: Path) -> str:
    """What a process that should be gone wrote last."""
    try:
        return (folder / "beat").read_text()
    except OSError:
        return ""


#: Starts a process that leaves the block's session and writes a number to `beat` again and again.
START_BEATING = """
import os, subprocess, sys, time
BEAT = '''
import itertools, os, time
for number in itertools.count():
    with open('beat.new', 'w') as file:
        file.write(str(number))
    os.replace('beat.new', 'beat')
    time.sleep(0.01)
'''
subprocess.Popen([sys.executable, '-c', BEAT], start_new_session=True)
while not os.path.exists('beat'):
    time.sleep(0.01)
"""


def is_beating(folder: Path) -> bool:
    """Whether the process of `START_BEATING` still runs."""
    before = beats(folder)
    time.sleep(0.15)
    return beats(folder) != before


def path_inside(path: Path) -> str:
    """How code would name a file of the host."""
    return repr(os.fspath(path))
