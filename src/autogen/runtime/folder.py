"""The teams of a folder: Python files that register some, and team files."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from ..errors import UsageError
from .teamfiles import SUFFIX, team_of_file
from .teams import Team, add, teams

__all__ = ["find_teams"]


def find_teams(folder: str | Path) -> list[Team]:
    """Load the teams of a folder: its Python files, and its `*.team.yaml` files.

    Python files are imported, so the folder is trusted like any code; a file whose name begins
    with `_` is left out.

    Raises:
        UsageError: There is no such folder, or a file of it cannot be loaded.
    """
    place = Path(folder)
    if not place.is_dir():
        raise UsageError(f"there is no folder {str(folder)!r} to find teams in.")
    before = set(teams())
    for path in sorted(place.glob("*.py")):
        if not path.name.startswith("_"):
            _import(path)
    for path in sorted(place.glob(f"*{SUFFIX}")):
        add(team_of_file(path))
    known = teams()
    return [known[name] for name in sorted(set(known) - before)]


def _import(path: Path) -> None:
    name = f"autogen_teams_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise UsageError(
            f"the team file {str(path)!r} cannot be loaded: {type(error).__name__}: {error}"
        ) from error
