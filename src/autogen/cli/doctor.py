"""`autogen doctor`: what works on this machine, what does not, and what to do about it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import autogen

from .._durable.database import database_url
from ..coding.walls import probe
from ..config.llm import config_list_from_json
from ..config.providers import PROVIDERS
from ..config.secrets import redact
from ..errors import UsageError
from .model import CONFIG_LIST, read_dotenv
from .outcome import ExitCode, exit_with_words
from .pen import Pen, size_words
from .recording import INSTALL_DURABLE
from .screen import pen_for

__all__ = ["examine", "report"]

#: Distributions that install a package of our import name too, and below which version they do.
_SAME_NAME = {"ag2": None, "autogen": None, "autogen-agentchat": (0, 4), "pyautogen": None}


def report(*, as_json: bool, debug: bool) -> int:
    """Examine this machine and say what was found; 0 if code can be run behind a wall here."""
    with exit_with_words(debug=debug):
        pen = pen_for(sys.stderr if as_json else sys.stdout)
        pen.status("trying the walls")
        try:
            found = examine()
        finally:
            pen.pause()
        if as_json:
            print(json.dumps(found, indent=2))
        else:
            _write(pen, found)
        return int(ExitCode.DONE if found["ok"] else ExitCode.NO_WALL)


def examine() -> dict[str, Any]:
    """Everything the doctor looks at, JSON-ready; no secret is in it."""
    walls = [asdict(wall) for wall in probe()]
    return {
        "ok": any(wall["ok"] for wall in walls),
        "version": autogen.__version__,
        "package": str(Path(autogen.__file__ or "").parent),
        "python": f"{platform.python_version()} ({sys.executable})",
        "platform": platform.platform(),
        "uv": _uv(),
        "cgroups": _cgroups(),
        "walls": walls,
        "keys": _keys(),
        "config_list": _config_list(),
        "base_url": redact(os.environ.get("OPENAI_BASE_URL", "")) or None,
        "database": _database(),
        "clashes": clashes(),
    }


# -- looking ---------------------------------------------------------------------------------------


def clashes(folders: Iterable[str] | None = None) -> list[dict[str, str]]:
    """Installed distributions that put their own `autogen` where ours is, each with its remedy.

    Args:
        folders: Where to look; None for the import path of this interpreter.
    """
    found = {}
    where = sys.path if folders is None else folders
    for distribution in importlib.metadata.distributions(path=list(where)):
        name = (distribution.metadata["Name"] or "").lower().replace("_", "-")
        if name not in _SAME_NAME:
            continue
        below = _SAME_NAME[name]
        if below is None or _numbers(distribution.version) < below:
            found[name] = distribution.version
    return [
        {
            "name": name,
            "version": version,
            "remedy": f"pip uninstall {name}, then pip install --force-reinstall autogen-next "
            "(both put files into the same folder)",
        }
        for name, version in sorted(found.items())
    ]


def _numbers(version: str) -> tuple[int, ...]:
    numbers = []
    for part in version.split(".")[:2]:
        digits = "".join(c for c in part if c.isdigit())
        numbers.append(int(digits or 0))
    return tuple(numbers)


def _uv() -> dict[str, Any]:
    """The program that installs packages into layers."""
    try:
        import uv

        path = os.fsdecode(uv.find_uv_bin())
    except (ImportError, FileNotFoundError):
        path = shutil.which("uv") or ""
    if not path:
        return {"ok": False, "why": "not found", "remedy": "pip install uv"}
    try:
        done = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        return {"ok": False, "why": f"{path} does not start: {error}", "remedy": "pip install uv"}
    return {"ok": True, "why": done.stdout.strip(), "remedy": ""}


def _cgroups(root: Path = Path("/sys/fs/cgroup")) -> str:
    """What the kernel offers; whether a wall has a group of its own is told with the wall."""
    versions = [
        name
        for name, mark in (("1", "memory/cgroup.procs"), ("2", "cgroup.controllers"))
        if (root / mark).is_file() or (root / "unified" / mark).is_file()
    ]
    offered = f"version {' and '.join(versions)}" if versions else "none"
    return f"{offered}; each wall below says whether it has a group of its own"


def _keys() -> list[dict[str, str]]:
    """Variables with keys: the name, whose it is, where it was found; never the key."""
    before = dict(os.environ)
    dotenv = read_dotenv()
    found = []
    for service in PROVIDERS:
        for name in service.key_names:
            if os.environ.get(name, "").strip():
                place = "the environment" if before.get(name) else str(dotenv)
                found.append({"name": name, "for": service.name, "from": place})
    return found


def _config_list() -> dict[str, Any] | None:
    try:
        entries = config_list_from_json(CONFIG_LIST)
    except FileNotFoundError:
        return None
    except UsageError as error:
        return {"ok": False, "why": redact(str(error)), "models": []}
    place = "the variable" if os.environ.get(CONFIG_LIST) else "the file in this folder"
    models = [str(entry.get("model") or "(no model)") for entry in entries]
    return {"ok": True, "why": place, "models": models}


def _database() -> dict[str, Any]:
    """Where durable runs are kept, and whether they are; nothing is made or changed."""
    url = database_url()
    place = redact(re.sub(r"//[^/@]*@", "//***@", url))
    if importlib.util.find_spec("dbos") is None:
        remedy = INSTALL_DURABLE
        return {"ok": False, "url": place, "why": "runs are not recorded", "remedy": remedy}
    kind, _, path = url.partition(":///")
    if kind == "sqlite":
        file = Path(path)
        above = next((folder for folder in file.parents if folder.is_dir()), Path())
        place_is_ours = os.access(file if file.exists() else above, os.W_OK)
        if not place_is_ours:
            remedy = "let this user write there, or set AUTOGEN_DATABASE_URL"
            return {"ok": False, "url": place, "why": "it cannot be written", "remedy": remedy}
        why = size_words(file.stat().st_size) if file.exists() else "made with the first run"
        return {"ok": True, "url": place, "why": why, "remedy": ""}
    # Asked like this, because opening it for runs would make their tables.
    import psycopg

    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.Error as error:
        why = " ".join(redact(str(error)).split())
        remedy = "start it, or set AUTOGEN_DATABASE_URL right"
        return {"ok": False, "url": place, "why": why, "remedy": remedy}
    return {"ok": True, "url": place, "why": "answers", "remedy": ""}


# -- telling ---------------------------------------------------------------------------------------


def _write(pen: Pen, found: dict[str, Any]) -> None:
    pen.title("autogen doctor", f"autogen-next {found['version']}")
    _section(pen, "This machine")
    pen.row("Python", found["python"])
    pen.row("package", found["package"])
    pen.row("platform", found["platform"])
    pen.row("cgroups", found["cgroups"])
    uv = found["uv"]
    pen.row("uv", uv["why"] if uv["ok"] else f"{uv['why']}; to do: {uv['remedy']}")
    _section(pen, "Walls for code")
    for wall in found["walls"]:
        pen.row(wall["name"], f"{'works' if wall['ok'] else 'no'}: {wall['why']}")
        if wall["remedy"] and not found["ok"]:
            pen.row("", f"to do: {wall['remedy']}")
    _section(pen, "Keys")
    for key in found["keys"]:
        pen.row(key["for"], f"{key['name']}, from {key['from']}")
    listed = found["config_list"]
    if listed is not None:
        words = f"{listed['why']}: {', '.join(listed['models'])}" if listed["ok"] else listed["why"]
        pen.row(CONFIG_LIST, words)
    if found["base_url"]:
        pen.row("base URL", f"{found['base_url']} (OPENAI_BASE_URL)")
    if not found["keys"] and listed is None:
        pen.row("none", "set OPENAI_API_KEY, or write OPENAI_API_KEY=... into a file .env here")
        pen.row("", "(a server of your own may need none: --base-url URL --model NAME)")
    _section(pen, "Durable runs")
    kept = found["database"]
    pen.row("database", f"{kept['url']}: {kept['why']}")
    if kept["remedy"]:
        pen.row("", f"to do: {kept['remedy']}")
    _section(pen, "Other distributions with the import name `autogen`")
    for clash in found["clashes"]:
        pen.row(clash["name"], f"{clash['version']} clashes with this one")
        pen.row("", f"to do: {clash['remedy']}")
    if not found["clashes"]:
        pen.row("none", "")
    pen.text()
    if found["ok"]:
        pen.text("Code of agents runs behind a wall here.")
    else:
        pen.text("No wall stands here, so code of agents is refused. See what to do above.")


def _section(pen: Pen, name: str) -> None:
    pen.text()
    pen.text(f"**{name}**")
