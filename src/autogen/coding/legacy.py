"""The executor behind a `code_execution_config` that names none: chosen when code first runs."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import NoWallError
from .base import CodeBlock, CodeExtractor, CommandLineCodeResult
from .commandline import CommandLineExecutor
from .config import (
    DEFAULT_TIMEOUT_S,
    DEFAULT_WORK_DIR,
    WALL_KEYS,
    UseDocker,
    check_config,
    check_work_dir,
    docker_wish,
)
from .extract import MarkdownCodeExtractor
from .names import executor_class
from .policy import is_wall_required

__all__ = ["LegacyExecutor"]


_warned = threading.Event()


class LegacyExecutor:
    """Runs blocks behind the strongest wall that `use_docker` allows, chosen at the first block.

    Args:
        config: The keys of a 0.2 `code_execution_config` without an executor, and those of the
            sandbox.
    """

    def __init__(self, config: Mapping[str, Any]):
        check_config(config)
        timeout = config.get("timeout")
        self._timeout = DEFAULT_TIMEOUT_S if timeout is None else timeout
        self._work_dir = Path(config.get("work_dir") or DEFAULT_WORK_DIR)
        self._use_docker: UseDocker = config.get("use_docker")
        self._require_wall = config.get("require_wall")
        self._wall_options = {key: config[key] for key in WALL_KEYS if key in config}
        self._chosen: CommandLineExecutor | None = None
        self._has_run = False

    @property
    def timeout(self) -> int:
        """Seconds that one block may take."""
        return int(self._timeout)

    @property
    def work_dir(self) -> Path:
        """The folder that code is saved to and runs in."""
        return self._work_dir

    @property
    def image_used(self) -> str | None:
        """The image that the code ran in last; None where it ran in none."""
        return getattr(self._chosen, "image_used", None)

    @property
    def code_extractor(self) -> CodeExtractor:
        """Takes fenced blocks of Markdown."""
        return MarkdownCodeExtractor()

    def execute_code_blocks(self, code_blocks: list[CodeBlock]) -> CommandLineCodeResult:
        """Run the blocks in order, stopping at the first that fails.

        Raises:
            NoWallError: No wall that was asked for stands here.
        """
        self.prepare()
        chosen = self._chosen
        refusals: list[NoWallError] = []
        for executor in [chosen] if chosen else self._choices(refusals):
            self._chosen = executor
            try:
                result = executor.execute_code_blocks(code_blocks)
            except NoWallError as error:
                self._chosen = None
                # Code that began behind a wall does not go on without one.
                if self._has_run:
                    raise
                refusals.append(error)
            else:
                self._has_run = True
                return result
        raise self._refusal(refusals)

    def prepare(self) -> None:
        """Make the work_dir, and the folders above it.

        Raises:
            UsageError: That is impossible.
        """
        check_work_dir(self._work_dir, parents=True)
        self._work_dir.mkdir(parents=True, exist_ok=True)

    def restart(self) -> None:
        """Begin anew."""
        self.stop()

    def stop(self) -> None:
        """End what runs; the next block starts it again."""
        if self._chosen is not None:
            self._chosen.stop()

    def _choices(self, refusals: Sequence[NoWallError]) -> Iterator[CommandLineExecutor]:
        """What may run the code, strongest first; asked for the next where one does not stand."""
        wish = docker_wish(self._use_docker)
        if wish is None or wish is False:
            yield self._make("commandline-sandbox", **self._wall_options)
        if wish is False:
            if not self._wall_required():
                _warn(refusals[-1])
                yield self._make("commandline-local", env=self._wall_options.get("env"))
        else:
            image = {"image": wish} if wish and wish is not True else {}
            yield self._make("commandline-docker", **image, **self._wall_options)

    def _make(self, name: str, **options: Any) -> CommandLineExecutor:
        made: CommandLineExecutor = executor_class(name)(
            timeout=self._timeout, work_dir=self._work_dir, **options
        )
        return made

    def _refusal(self, refusals: Sequence[NoWallError]) -> NoWallError:
        wish = docker_wish(self._use_docker)
        if wish is not None and wish is not False:
            return refusals[-1]
        way_out = (
            "use_docker=False runs code without a wall, but a wall is required here "
            "(AUTOGEN_REQUIRE_WALL or require_wall)."
            if self._wall_required()
            else 'To run code without a wall: code_execution_config={"use_docker": False}.'
        )
        found = NoWallError(
            "Code is not run, because no wall stands here. "
            f"{' '.join(str(one) for one in refusals)} {way_out}"
        )
        found.__cause__ = refusals[-1]
        return found

    def _wall_required(self) -> bool:
        if self._require_wall is not None:
            return bool(self._require_wall)
        return is_wall_required()


def _warn(refusal: NoWallError) -> None:
    """Say once that code runs on the host."""
    if not _warned.is_set():
        _warned.set()
        warnings.warn(
            "No sandbox stands on this machine, so code runs directly on it, as "
            f"use_docker=False allows. {_short(str(refusal))}",
            stacklevel=4,
        )


def _short(text: str) -> str:
    return text.partition(". ")[0] + "."
