"""What a `code_execution_config` may hold, checked before anything is made of it.

Agents ask this at construction, so nothing is loaded here: no executor, no third party.
"""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import UsageError, UsageTypeError
from .names import EXECUTORS

__all__ = [
    "DEFAULT_TIMEOUT_S",
    "DEFAULT_WORK_DIR",
    "TRUE",
    "WALL_KEYS",
    "UseDocker",
    "check_config",
    "check_last_n_messages",
    "check_timeout",
    "check_work_dir",
    "docker_wish",
    "unusable",
]

#: The keys of the dict form that the executors behind a wall take too.
WALL_KEYS = ("network", "packages", "env", "mounts", "memory_mb", "processes", "disk_mb")

_OF_THE_FORM_WITHOUT_EXECUTOR = ("work_dir", "use_docker", "timeout", "require_wall", *WALL_KEYS)
_OF_EVERY_FORM = ("executor", "last_n_messages")

#: What holds where a dict without an executor says nothing.
DEFAULT_TIMEOUT_S = 600
DEFAULT_WORK_DIR = "coding"

TRUE, FALSE = ("1", "true", "yes", "t"), ("0", "false", "no", "f")

UseDocker = bool | str | Sequence[str] | None


def check_config(config: Mapping[str, Any]) -> None:
    """Refuse what no executor could be made of.

    Raises:
        UsageError: A key is not known, does not go with another, or has a value that cannot be
            worked with.
    """
    if config.get("executor") is not None:
        for key in _OF_THE_FORM_WITHOUT_EXECUTOR:
            if key in config:
                raise UsageError(
                    f"{key!r} can't stand beside 'executor' in code_execution_config; give it "
                    "to the executor itself."
                )
        _check_keys(config, (*_OF_EVERY_FORM, *EXECUTORS))
    else:
        _check_keys(config, (*_OF_EVERY_FORM, *_OF_THE_FORM_WITHOUT_EXECUTOR))
        _check_values(config)
    check_last_n_messages(config.get("last_n_messages", "auto"))


def _check_keys(config: Mapping[str, Any], known: Collection[str]) -> None:
    for key in config:
        if key in known:
            continue
        if key in EXECUTORS:
            raise UsageError(
                f"code_execution_config has the key {key!r} and no 'executor'; say "
                f"'executor': {key!r} beside it."
            )
        from difflib import get_close_matches

        near = get_close_matches(str(key), known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(known))}."
        raise UsageError(f"code_execution_config has the unknown key {key!r}; {hint}")


def _check_values(config: Mapping[str, Any]) -> None:
    if config.get("timeout") is not None:
        check_timeout(config["timeout"])
    if config.get("work_dir") is not None:
        _check_is_path(config["work_dir"])
    use_docker = config.get("use_docker")
    if use_docker is not None and not _is_docker_wish(use_docker):
        raise UsageTypeError(
            f"use_docker is {use_docker!r}; it must be True, False, None, or names of images."
        )
    if isinstance(use_docker, str) and use_docker.strip().lower() in (*TRUE, *FALSE, "none", ""):
        raise UsageError(
            f"use_docker is the text {use_docker!r}, which would be the name of an image; write "
            "True, False or None without quotes."
        )
    docker_wish(use_docker)


def _is_docker_wish(value: Any) -> bool:
    if isinstance(value, bool | str):
        return True
    return isinstance(value, list | tuple) and all(isinstance(name, str) for name in value)


def check_timeout(timeout: Any) -> int | float:
    """`timeout`, if it is a number of seconds that a block can be given.

    Raises:
        UsageError: It is none, or less than one second.
    """
    if isinstance(timeout, bool) or not isinstance(timeout, int | float):
        raise UsageTypeError(f"timeout is {timeout!r}; it must be a number of seconds.")
    if not 1 <= timeout < math.inf:
        raise UsageError(f"timeout is {timeout!r}; it must be at least 1 second, and have an end.")
    return timeout


def check_last_n_messages(last_n: Any) -> None:
    """Refuse what does not say which messages may hold code to run.

    Raises:
        UsageError: It is neither "auto" nor a whole number that is not negative.
    """
    if last_n == "auto":
        return
    if not isinstance(last_n, int) or isinstance(last_n, bool) or last_n < 0:
        raise UsageError(
            f"last_n_messages is {last_n!r}; it must be 'auto' or a whole number >= 0."
        )


def check_work_dir(work_dir: str | os.PathLike[str], *, parents: bool = False) -> None:
    """Refuse a work_dir that could not be prepared; nothing is made yet.

    Args:
        work_dir: Relative to the current folder, or absolute.
        parents: Whether the folders above it will be made too.

    Raises:
        UsageError: It cannot be made or written to, or is something else than a folder.
    """
    _check_is_path(work_dir)
    path = Path(work_dir)
    folder = path
    while not _is_there(path, folder):
        if folder is not path and not parents:
            raise unusable(path, f"cannot be created, because {str(folder)!r} does not exist")
        folder = folder.parent
    if not folder.is_dir():
        raise unusable(path, f"is no folder: {str(folder)!r} is a file")
    if not os.access(folder, os.W_OK | os.X_OK):
        what = "cannot be written to" if folder is path else "cannot be created"
        raise unusable(path, f"{what}: no permission to write to {str(folder)!r}")


def _check_is_path(work_dir: Any) -> None:
    if not isinstance(work_dir, str | os.PathLike):
        raise UsageTypeError(f"work_dir is {work_dir!r}; it must be the path of a folder.")


def _is_there(work_dir: Path, folder: Path) -> bool:
    try:
        folder.stat()
    except (FileNotFoundError, NotADirectoryError):
        # A link that leads nowhere is there, and no folder can be made in its place.
        if folder.is_symlink():
            raise unusable(work_dir, f"{str(folder)!r} is a link that leads nowhere") from None
        return False
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise unusable(work_dir, f"cannot be used: {why}") from error
    return True


def unusable(work_dir: Path, why: str) -> UsageError:
    """The error for a work_dir that no code can be saved in."""
    return UsageError(
        f"work_dir {str(work_dir)!r} {why}; give a folder that exists and can be written to, "
        "or the name of a new one in such a folder (its parent must exist)."
    )


def docker_wish(value: UseDocker = None) -> UseDocker:
    """`use_docker` as given, else what `AUTOGEN_USE_DOCKER` says.

    Raises:
        UsageError: The variable holds something else than a truth value or `none`.
    """
    if value is not None:
        return value
    said = os.environ.get("AUTOGEN_USE_DOCKER", "none").strip().lower()
    if said in TRUE:
        return True
    if said in FALSE:
        return False
    if said in ("", "none"):
        return None
    raise UsageError(
        f"AUTOGEN_USE_DOCKER is {said!r}; expected one of {', '.join((*TRUE, *FALSE))} or none."
    )
