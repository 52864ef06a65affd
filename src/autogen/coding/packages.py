"""Packages for code behind a wall: installed by the host into read-only layers, and cached.

A layer is a folder of unpacked wheels for one interpreter and one set of requirements. It is made
once per machine and user, under a lock, and renamed into place when it is complete; whoever wants
the same set again uses the folder, offline too. Requests come from code inside: only names with
versions are taken, never addresses, paths or options.
"""

from __future__ import annotations

import configparser
import hashlib
import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..errors import PackageError
from .interpreter import Interpreter, running_interpreter

__all__ = ["Layer", "Layers", "install_into", "layers_dir", "parse_requirement"]

#: Asked now and then whether to give up.
Stop = Callable[[], bool]

INSTALL_S = 600.0
MOST_REQUIREMENTS = 100

REQUIREMENT = re.compile(
    r"""(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?)
        \s*(?P<extras>\[[A-Za-z0-9._,\s-]{0,200}\])?
        \s*(?P<version>(?:(?:===|==|>=|<=|~=|!=|<|>)\s*[A-Za-z0-9.*+!_-]{1,64}\s*,?\s*){0,10})
        (?:;\s*(?P<marker>[A-Za-z0-9_.<>=!~'"()\s-]{1,300}))?""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """A package by name: the only thing code may ask for."""

    name: str
    text: str
    bare: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A folder to put on the import path, and the distributions in it (`name-version`)."""

    folder: str
    holds: tuple[str, ...]


def parse_requirement(text: str) -> Requirement:
    """The requirement that `text` states.

    Raises:
        PackageError: It is something else than a name with extras, versions and a marker.
    """
    found = REQUIREMENT.fullmatch(text.strip()) if len(text) < 600 else None
    if found is None:
        raise PackageError(
            f"{text[:100]!r} is not the name of a package; addresses and paths are not taken."
        )
    name = re.sub(r"[-_.]+", "-", found["name"]).lower()
    clean = re.sub(r"\s+", " ", text.strip())
    return Requirement(name=name, text=clean, bare=clean == found["name"])


def layers_dir() -> Path:
    """Where this user's layers lie, created if missing: `$XDG_CACHE_HOME/autogen/layers`.

    Root's lie below /var/cache: the home of root is closed to the ids that code may run under.
    """
    named = os.environ.get("XDG_CACHE_HOME")
    caches = [named] if named else [os.path.expanduser("~/.cache")]
    if not named and os.geteuid() == 0:
        caches.insert(0, "/var/cache")
    for cache in caches:
        path = Path(cache, "autogen", "layers")
        try:
            path.mkdir(parents=True, exist_ok=True)
            if os.access(path, os.W_OK):
                return path.resolve()
        except OSError:
            continue
    # A home that cannot be written to, as services have it: a folder that nobody else may own.
    fallback = Path(tempfile.gettempdir(), f"autogen-layers-{os.getuid()}")
    fallback.mkdir(mode=0o755, exist_ok=True)
    state = fallback.lstat()
    if state.st_uid != os.getuid() or not fallback.is_dir() or fallback.is_symlink():
        raise PackageError(f"{fallback} belongs to somebody else; set XDG_CACHE_HOME.")
    return fallback.resolve()


class Layers:
    """The packages of one executor: what it asked for so far, as one layer that grows.

    A later request makes a new layer for everything asked for so far, resolved together as one
    installation would be; files of an older layer stay where they are.
    """

    def __init__(self, interpreter: Interpreter | None = None):
        self._interpreter = interpreter or running_interpreter()
        self._wanted: dict[str, Requirement] = {}
        self._constraints: dict[str, Requirement] = {}
        self.current: Layer | None = None

    def install(
        self,
        requirements: Sequence[str],
        *,
        constraints: Sequence[str] = (),
        upgrade: bool = False,
        pre: bool = False,
        stop: Stop = lambda: False,
    ) -> tuple[Layer | None, list[str]]:
        """Make a layer with `requirements` beside what is there.

        Returns:
            The layer, or None if the interpreter has everything already; and a line per requirement
            that it has.

        Raises:
            PackageError: A requirement is not a name, or cannot be installed; the message is for
                the model.
        """
        if len(requirements) > MOST_REQUIREMENTS or len(constraints) > MOST_REQUIREMENTS:
            raise PackageError(f"More than {MOST_REQUIREMENTS} packages at once are not installed.")
        parsed = [parse_requirement(text) for text in requirements]
        limits = [parse_requirement(text) for text in constraints]
        present = installed_beside(self._interpreter)
        new, satisfied = [], []
        for requirement in parsed:
            version = present.get(requirement.name)
            exact = requirement.text.replace(" ", "") == f"{requirement.name}=={version}"
            if version and not upgrade and (requirement.bare or exact):
                satisfied.append(f"Requirement already satisfied: {requirement.text} ({version})")
            else:
                new.append(requirement)
        if not new:
            return self.current, satisfied
        wanted = {**self._wanted, **{one.name: one for one in new}}
        bounds = {**self._constraints, **{one.name: one for one in limits}}
        try:
            layer = self._layer(wanted.values(), bounds.values(), present, pre, stop)
        except PackageError as error:
            names = ", ".join(one.text for one in new)
            raise PackageError(f"Could not install {names}: {error}") from error.__cause__
        self._wanted, self._constraints, self.current = wanted, bounds, layer
        return layer, satisfied

    def _layer(
        self,
        wanted: Iterable[Requirement],
        bounds: Iterable[Requirement],
        present: dict[str, str],
        pre: bool,
        stop: Stop,
    ) -> Layer:
        texts = sorted(one.text for one in wanted)
        names = {one.name for one in wanted}
        limits = sorted(one.text for one in bounds)
        # Packages of the interpreter keep their versions where that works: both are imported side
        # by side.
        keep = [
            f"{name}=={version}" for name, version in sorted(present.items()) if name not in names
        ]
        root = layers_dir()
        key = _key(self._interpreter, texts, limits, keep, pre)
        folder = root / key
        if not folder.is_dir():
            with _locked(root / f"{key}.lock", stop):
                if not folder.is_dir():
                    self._make(folder, texts, limits, keep, pre, stop)
        return Layer(folder=str(folder), holds=_holds(folder))

    def _make(
        self,
        folder: Path,
        texts: list[str],
        limits: list[str],
        keep: list[str],
        pre: bool,
        stop: Stop,
    ) -> None:
        _sweep(folder.parent)
        making = Path(tempfile.mkdtemp(prefix=".making-", dir=folder.parent))
        try:
            lists = making / "lists"
            lists.mkdir()
            (lists / "wanted.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
            target = making / "layer"
            trouble: str | None = ""
            for bounds in ([*limits, *keep], limits):
                (lists / "bounds.txt").write_text("\n".join(bounds) + "\n", encoding="utf-8")
                trouble = _uv_install(self._interpreter, target, lists, pre, stop)
                if trouble is None:
                    break
                shutil.rmtree(target, ignore_errors=True)
                if "no solution found" not in trouble.lower():
                    break
            if trouble is not None:
                raise PackageError(_readable(trouble))
            target.chmod(0o755)
            target.rename(folder)
        finally:
            shutil.rmtree(making, ignore_errors=True)


@lru_cache(maxsize=8)
def installed_beside(interpreter: Interpreter) -> dict[str, str]:
    """Name and version of what the interpreter can import without a layer."""
    found: dict[str, str] = dict(interpreter.present)
    for distribution in importlib.metadata.distributions(path=list(interpreter.site_folders)):
        name = distribution.metadata["Name"]
        # An editable install points to a folder that no wall shows.
        if name and '"editable"' not in (distribution.read_text("direct_url.json") or ""):
            found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), distribution.version)
    return found


def _key(
    interpreter: Interpreter, texts: list[str], limits: list[str], keep: list[str], pre: bool
) -> str:
    identity = [
        sys.version,
        sysconfig.get_platform(),
        platform.libc_ver(),
        interpreter.executable,
        texts,
        limits,
        keep,
        pre,
    ]
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:32]


def _holds(folder: Path) -> tuple[str, ...]:
    names = (entry.name for entry in folder.glob("*.dist-info"))
    return tuple(sorted(name.removesuffix(".dist-info") for name in names))


@contextmanager
def _locked(path: Path, stop: Stop) -> Iterator[None]:
    """Hold a lock between processes, waiting for whoever makes the same layer."""
    import fcntl

    with path.open("w") as file:
        deadline_s = time.monotonic() + INSTALL_S
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if stop() or time.monotonic() > deadline_s:
                    raise PackageError("The installation was stopped.") from None
                time.sleep(0.05)
        yield


def _sweep(root: Path) -> None:
    """Remove what installations that were killed left behind."""
    for folder in root.glob(".making-*"):
        try:
            if time.time() - folder.stat().st_mtime > 2 * INSTALL_S:
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue


# -- uv --------------------------------------------------------------------------------------------


def _uv_install(
    interpreter: Interpreter, target: Path, lists: Path, pre: bool, stop: Stop
) -> str | None:
    """Install into `target`; None if that worked, else what uv said."""
    argv = [_uv(), "pip", "install", "--quiet", "--no-progress", "--color", "never"]
    argv += [*(interpreter.elsewhere or ("--python", interpreter.executable))]
    argv += ["--target", str(target)]
    # Wheels only: building from source would run a stranger's code on the host.
    argv += ["--only-binary", ":all:", "--link-mode", "hardlink"]
    argv += [] if interpreter.elsewhere else ["--compile-bytecode"]
    argv += [
        "--requirements",
        str(lists / "wanted.txt"),
        "--constraints",
        str(lists / "bounds.txt"),
    ]
    argv += ["--prerelease", "allow"] if pre else []
    return _run_uv(argv, lists, stop)


def install_into(python: str, requirements: Sequence[str], *, stop: Stop = lambda: False) -> None:
    """Install into the environment of `python`, which nobody else decides about.

    Raises:
        PackageError: That failed.
    """
    argv = [_uv(), "pip", "install", "--quiet", "--no-progress", "--color", "never"]
    argv += ["--python", python, "--", *requirements]
    trouble = _run_uv(argv, Path.cwd(), stop)
    if trouble is not None:
        raise PackageError(f"Could not install {', '.join(requirements)}: {_readable(trouble)}")


def _run_uv(argv: list[str], folder: Path, stop: Stop) -> str | None:
    """Run uv in `folder`; None if that worked, else what it said."""
    if stop():
        return "the installation was stopped"
    deadline_s = time.monotonic() + INSTALL_S
    options, changes = pip_settings()
    environment = {**os.environ, **changes}
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX", "UV_PYTHON", "UV_TARGET", "PYTHONPATH"):
        environment.pop(name, None)
    try:
        process = subprocess.Popen(
            [*argv[:3], *options, *argv[3:]],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        return f"uv could not be started: {error}"
    said = b""
    try:
        while True:
            try:
                said, _ = process.communicate(timeout=0.05)
                break
            except subprocess.TimeoutExpired:
                if stop():
                    return "the installation was stopped"
                if time.monotonic() > deadline_s:
                    return f"the installation took more than {INSTALL_S:g} seconds"
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    return None if process.returncode == 0 else said.decode("utf-8", "replace")


@lru_cache(maxsize=1)
def _uv() -> str:
    try:
        import uv
    except ImportError:
        found = shutil.which("uv")
        if found is None:
            raise PackageError("Packages need the program uv: pip install uv") from None
        return found
    return os.fsdecode(uv.find_uv_bin())


@lru_cache(maxsize=1)
def pip_settings() -> tuple[list[str], dict[str, str]]:
    """What pip is configured to on this machine, as options and variables for uv.

    uv reads none of that. Nothing is translated where uv has index settings of its own.
    """
    if any(name.startswith("UV_") and "INDEX" in name for name in os.environ):
        return [], {}
    settings: dict[str, str] = {}
    for path in _pip_files():
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue
        for section in ("global", "install"):
            if parser.has_section(section):
                settings.update(
                    {name.replace("_", "-"): value for name, value in parser.items(section)}
                )
    for name, value in os.environ.items():
        if name.startswith("PIP_"):
            settings[name[4:].lower().replace("_", "-")] = value
    options: list[str] = []
    if index := settings.get("index-url"):
        options += ["--default-index", index]
    extra = settings.get("extra-index-url", "").split()
    for url in extra:
        options += ["--extra-index-url", url]
    if extra:
        # pip takes the best version of all indexes; uv by default stops at the first that has the
        # name.
        options += ["--index-strategy", "unsafe-best-match"]
    for place in settings.get("find-links", "").split():
        options += ["--find-links", place]
    if settings.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        options.append("--no-index")
    for host in settings.get("trusted-host", "").split():
        options += ["--allow-insecure-host", host]
    changes = {}
    if (cert := settings.get("cert")) and "SSL_CERT_FILE" not in os.environ:
        changes["SSL_CERT_FILE"] = cert
    return options, changes


def _pip_files() -> list[Path]:
    """pip's configuration files, weakest first. Source: pip's user guide, "Configuration"."""
    home = Path(os.path.expanduser("~"))
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    files = [
        Path("/etc/xdg/pip/pip.conf"),
        Path("/etc/pip.conf"),
        home / ".pip" / "pip.conf",
        config / "pip" / "pip.conf",
        Path(sys.prefix, "pip.conf"),
    ]
    own = os.environ.get("PIP_CONFIG_FILE")
    return [*files, Path(own)] if own else files


def _readable(said: str) -> str:
    """uv's message for the model: without colours and hints about uv itself."""
    lines = [re.sub(r"^[\s×╰─▶├│·-]+", "", line).strip() for line in said.splitlines()]
    kept = [
        line
        for line in lines
        if line and not line.startswith(("hint:", "warning:", "help:", "Using Python", "Caused by"))
    ]
    text = " ".join(kept)[:1200].removeprefix("error: ") or "uv said nothing"
    lowered = said.lower()
    if "no wheels" in lowered or "only-binary" in lowered or "no-build" in lowered:
        text += (
            " (Only ready-made wheels are installed, and there is none of it for this Python "
            "and system; use another package or version.)"
        )
    elif "not found in the package registry" in lowered:
        text += " (Is the name right? The name to install can differ from the name to import.)"
    elif any(word in lowered for word in ("dns", "connect", "timed out", "could not be reached")):
        text += " (The package index cannot be reached from this machine.)"
    return text
