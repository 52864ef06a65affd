"""Which Python runs inside a wall, and what of the host it needs to see."""

from __future__ import annotations

import os
import site
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

__all__ = ["Interpreter", "running_interpreter"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """A Python and the folders it consists of.

    Attributes:
        executable: The path it is started by, the same inside a wall as outside.
        folders: What must be there for it to run and to find its packages, to be shown read-only.
        links: Symbolic links (path, target) through which it reaches itself.
        site_folders: Where its packages lie, in import order.
        venv: The virtual environment it belongs to, if any.
        elsewhere: For one that is not on this machine: the options that tell uv about it.
        present: For one that is not on this machine: name and version of its packages.
    """

    executable: str
    folders: tuple[str, ...]
    links: tuple[tuple[str, str], ...]
    site_folders: tuple[str, ...]
    venv: str | None
    elsewhere: tuple[str, ...] = ()
    present: tuple[tuple[str, str], ...] = ()


@lru_cache(maxsize=1)
def running_interpreter() -> Interpreter:
    """The interpreter this program runs on, with the packages it can import by name.

    Of a virtual environment only its packages are shown: next to them people keep activation
    scripts with keys in them.
    """
    base_executable = os.path.realpath(sys.executable)
    folders: list[str] = []
    links: list[tuple[str, str]] = []
    for prefix in dict.fromkeys((sys.base_prefix, sys.base_exec_prefix)):
        real = os.path.realpath(prefix)
        folders.append(real)
        if real != prefix:
            links.append((prefix, real))
    if not any(is_inside(base_executable, folder) for folder in folders):
        folders.append(os.path.dirname(base_executable))
    venv = sys.prefix if sys.prefix != sys.base_prefix else None
    executable = base_executable
    if venv:
        executable = os.path.join(venv, "bin", "python")
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        for name in ("python", "python3", version):
            links.append((os.path.join(venv, "bin", name), base_executable))
        folders.append(os.path.join(venv, "pyvenv.cfg"))
        links += _home_links(Path(venv, "pyvenv.cfg"), folders)
    site_folders = [entry for entry in _site_folders() if os.path.isdir(entry)]
    folders += site_folders
    return Interpreter(
        executable=executable,
        folders=tuple(dict.fromkeys(folders)),
        links=tuple(dict.fromkeys(links)),
        site_folders=tuple(site_folders),
        venv=venv,
    )


def is_inside(path: str, folder: str) -> bool:
    """Whether `path` is `folder` or lies below it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _site_folders() -> list[str]:
    user = [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
    candidates = [*user, *site.getsitepackages()]
    return list(dict.fromkeys(entry for entry in candidates if entry in sys.path))


def _home_links(config: Path, folders: list[str]) -> list[tuple[str, str]]:
    """The link that pyvenv.cfg finds the base installation by, where it is not the real path."""
    try:
        lines = config.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    for line in lines:
        key, _, value = line.partition("=")
        if key.strip() == "home":
            prefix = os.path.dirname(value.strip())
            real = os.path.realpath(prefix)
            if real not in folders:
                folders.append(real)
            return [(prefix, real)] if real != prefix else []
    return []
