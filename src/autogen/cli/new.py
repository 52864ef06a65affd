"""`autogen new blueprint DIR`: the files of a small production project, to begin from."""

from __future__ import annotations

import json
import os
from importlib.metadata import PackageNotFoundError, distribution
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from .._version import __version__
from ..errors import UsageError
from .outcome import ExitCode, exit_with_words, say

__all__ = ["new_blueprint"]

#: Files that would mean something where they lie now go by other names there.
_RENAMED = {
    "dockerignore": ".dockerignore",
    "env.example": ".env.example",
    "gitignore": ".gitignore",
}

_EXTRAS = "docker,durable,kubernetes,server"


def new_blueprint(folder: str, *, debug: bool = False) -> int:
    """Write the project into `folder`, which is made; the exit code."""
    with exit_with_words(debug=debug):
        written = _write(Path(folder))
    for path in written:
        print(path)
    say(f"\n{len(written)} files. Next:  cd {folder} && ./start.sh  (README.md tells the rest)")
    return int(ExitCode.DONE)


def _write(target: Path) -> list[Path]:
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{str(target)!r} is there and not empty; name a new folder.")
    texts = dict(_texts(files("autogen.cli") / "templates" / "blueprint"))
    wheel = f"vendor/autogen_next-{__version__}-py3-none-any.whl"
    texts |= {
        "requirements.txt": f"./{wheel}[{_EXTRAS}]\n",
        "vendor/SOURCE": f"{_source()}\n",
        "work_dir/.gitkeep": "",
    }
    written = []
    for name, text in sorted(texts.items()):
        path = target / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            if text.startswith("#!"):
                path.chmod(0o755)
        except OSError as error:
            raise UsageError(
                f"{str(path)!r} cannot be written ({error.strerror}); choose another folder."
            ) from error
        written.append(path)
    return written


def _texts(folder: Traversable, above: str = "") -> list[tuple[str, str]]:
    """The files below a folder: the name that each gets, and what it says."""
    found = []
    for entry in folder.iterdir():
        if entry.is_dir():
            if entry.name != "__pycache__":
                found += _texts(entry, f"{above}{entry.name}/")
        else:
            name = _RENAMED.get(entry.name, entry.name)
            found.append((above + name, entry.read_text(encoding="utf-8")))
    return found


def _source() -> str:
    """What pip can make a wheel of this very package from: a folder, a file, or a requirement."""
    try:
        told = distribution("autogen-next").read_text("direct_url.json")
    except PackageNotFoundError:
        told = None
    if told is not None:
        address = urlsplit(json.loads(told)["url"])
        if address.scheme == "file":
            return os.path.abspath(unquote(address.path))
    return f"autogen-next=={__version__}"
