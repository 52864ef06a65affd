"""Make `.venv` ready: environment, hash-pinned packages, this project itself, and system packages.

    scripts/setup base    what the package needs
    scripts/setup demo    that, and what records runs and shows them: for `make demo`
    scripts/setup dev     that, and what the tests and checks need

Standard library only, because it runs before anything is installed. One line per stage with its
seconds; what the tools print goes into `.venv/setup.log`. A stamp in `.venv` holds a hash of
everything the result depends on, so a second run returns at once.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
LOG = VENV / "setup.log"

# A later profile contains the earlier ones.
PROFILES = {
    "base": ("requirements/base.txt", "requirements/build.txt"),
    "demo": ("requirements/studio.txt", "requirements/build.txt"),
    "dev": ("requirements/dev.txt",),
}
INPUTS = ("pyproject.toml", "scripts/setup", "scripts/setup.py", "src/autogen/_version.py")

# program -> (Debian package, what is lost without it)
SYSTEM_PROGRAMS = {
    "bwrap": ("bubblewrap", "the default sandbox cannot stand without it"),
}
# The same, for the profile "dev". Debian keeps servers of Postgres off the search path.
DEV_PROGRAMS = {
    "postgres": ("postgresql", "tests of durable runs on Postgres do not run without it"),
    "chromium": ("chromium", "tests of the studio in a browser do not run without it"),
}
POSTGRES = "/usr/lib/postgresql"


class SetupError(Exception):
    """What went wrong and what to do, in one line."""


# -- running programs ------------------------------------------------------------------------------


def environment() -> dict[str, str]:
    """The environment for the tools: nothing in it may point them at another Python."""
    dropped = {
        "PYTHONPATH",
        "PYTHONHOME",
        "VIRTUAL_ENV",
        "CONDA_PREFIX",
        "PIP_TARGET",
        "PIP_USER",
        "PIP_PREFIX",
    }
    env = {name: value for name, value in os.environ.items() if name not in dropped}
    env.update(
        DEBIAN_FRONTEND="noninteractive",
        PIP_DISABLE_PIP_VERSION_CHECK="1",
        PIP_NO_INPUT="1",
        UV_NO_PROGRESS="1",
        UV_PYTHON_DOWNLOADS="never",
    )
    return env


def run(*command: str | Path) -> bool:
    """Run a program with its output in the log; whether it succeeded."""
    words = [str(word) for word in command]
    with LOG.open("a", encoding="utf-8") as log:
        log.write(f"\n$ {' '.join(words)}\n")
        log.flush()
        try:
            done = subprocess.run(
                words, stdout=log, stderr=log, cwd=ROOT, env=environment(), check=False
            )
        except OSError as error:
            log.write(f"{error}\n")
            return False
    return done.returncode == 0


@contextmanager
def stage(words: str) -> Iterator[None]:
    """One line on the terminal: the words at the start, the seconds (or `failed`) at the end."""
    print(f"setup: {words} ... ", end="", flush=True)
    start = time.monotonic()
    try:
        yield
    except BaseException:
        print("failed", flush=True)
        raise
    print(f"{time.monotonic() - start:.1f} s", flush=True)


# -- the environment -------------------------------------------------------------------------------


def make_venv() -> None:
    """Create `.venv` with this Python, by the way that changes the system least."""
    if VENV.exists():
        shutil.rmtree(VENV)
    VENV.mkdir()
    ways: list[Callable[[], bool]] = []
    if importlib.util.find_spec("ensurepip"):
        ways.append(venv_with_pip)
    if importlib.util.find_spec("pip"):
        # `python -m pip --python` serves an environment that has no pip of its own.
        ways.append(lambda: run(sys.executable, "-m", "venv", "--without-pip", VENV))
    if importlib.util.find_spec("virtualenv"):
        ways.append(lambda: run(sys.executable, "-m", "virtualenv", "--no-download", VENV))
    ways.append(venv_from_system_package)
    if not any(way() for way in ways):
        package = f"python3.{sys.version_info.minor}-venv"
        raise SetupError(
            f"{sys.executable} cannot make a virtual environment. "
            f"Install what is missing and run again (Debian, as root: "
            f"apt-get update && apt-get install -y {package})."
        )


def venv_with_pip() -> bool:
    """The standard way; it needs ensurepip, which Debian packages apart."""
    return run(sys.executable, "-m", "venv", VENV)


def venv_from_system_package() -> bool:
    """Install Debian's venv package for this Python, then the standard way."""
    return apt_install(f"python3.{sys.version_info.minor}-venv") and venv_with_pip()


def venv_is_usable(python_given: bool) -> bool:
    """Whether `.venv` stands where it was made, runs, and is of the Python that was asked for."""
    made_at = VENV / "made-at"
    if not VENV_PYTHON.exists() or not made_at.exists():
        return False
    path, _, version = made_at.read_text(encoding="utf-8").strip().rpartition(" ")
    if path != str(VENV) or (python_given and version != python_version()):
        return False
    return subprocess.run([VENV_PYTHON, "-c", ""], check=False, capture_output=True).returncode == 0


def python_version() -> str:
    return ".".join(map(str, sys.version_info[:3]))


# -- packages --------------------------------------------------------------------------------------


def install(profile: str) -> None:
    """Install the profile's pinned packages and this project, with uv, else with pip.

    uv comes first, by pip and from the same pins. It reads the system's certificates, because a
    proxy with a certificate of its own is common. Where uv cannot reach the index that pip is
    configured for, pip does it all.
    """
    files = PROFILES[profile]
    with stage("installing the installer"):
        with_uv = install_uv()
    words = " + ".join(Path(name).name for name in files)
    with stage(f"installing {count_pins(files)} pinned packages ({words})"):
        requirements = [word for name in files for word in ("-r", name)]
        if not (with_uv and run(*uv(), "--require-hashes", *requirements)):
            with_uv = False
            if not run(*pip(), "--require-hashes", *requirements):
                raise SetupError(
                    "the pinned packages could not be installed; is a package index reachable?"
                )
    with stage("installing autogen-next from this folder"):
        project = ("--no-deps", "--no-build-isolation", "--editable", ".")
        if not run(*(uv() if with_uv else pip()), *project):
            raise SetupError("this project could not be installed.")


def uv() -> list[str | Path]:
    return [VENV / "bin" / "uv", "pip", "install", "--system-certs", "--python", VENV_PYTHON]


def pip() -> list[str | Path]:
    """pip of the environment where it has one, else of the Python below, pointed at it."""
    if any(VENV.glob("lib/python*/site-packages/pip")):
        return [VENV_PYTHON, "-m", "pip", "install"]
    base = getattr(sys, "_base_executable", sys.executable)
    return [base, "-m", "pip", "--python", VENV_PYTHON, "install"]


def install_uv() -> bool:
    """Install uv alone, at the version and hashes of the pins."""
    pins = (ROOT / "requirements/base.txt").read_text(encoding="utf-8")
    lines = pins[pins.index("\nuv==") + 1 :].splitlines()
    # A pin goes on over lines that end with a backslash.
    end = next(number for number, line in enumerate(lines) if not line.endswith("\\"))
    alone = VENV / "uv.txt"
    alone.write_text("\n".join(lines[: end + 1]) + "\n", encoding="utf-8")
    return run(*pip(), "--require-hashes", "--no-deps", "-r", alone)


def count_pins(files: tuple[str, ...]) -> int:
    return sum((ROOT / name).read_text(encoding="utf-8").count("==") for name in files)


# -- system packages -------------------------------------------------------------------------------


def as_root() -> list[str] | None:
    """The words before a command that needs root: none, sudo, or None where neither works."""
    if os.geteuid() == 0:
        return []
    if not shutil.which("sudo"):
        return None
    # Without a terminal nobody can type a password, and sudo would wait for one.
    somebody_types = sys.stdin is not None and sys.stdin.isatty()
    question = ["sudo", "true"] if somebody_types else ["sudo", "-n", "true"]
    errors = None if somebody_types else subprocess.DEVNULL
    granted = subprocess.run(question, check=False, stderr=errors)
    return ["sudo", "-n"] if granted.returncode == 0 else None


def apt_install(package: str) -> bool:
    """Install a Debian package; fresh lists are fetched only when the ones here do not do."""
    root = as_root() if shutil.which("apt-get") else None
    if root is None:
        return False
    wait = ("-o", "DPkg::Lock::Timeout=120")
    command = [*root, "apt-get", *wait, "install", "-y", "--no-install-recommends", package]
    return run(*command) or (run(*root, "apt-get", *wait, "update") and run(*command))


def programs_of(profile: str) -> dict[str, tuple[str, str]]:
    return {**SYSTEM_PROGRAMS, **DEV_PROGRAMS} if profile == "dev" else SYSTEM_PROGRAMS


def is_missing(program: str) -> bool:
    """Whether this is Linux, and has no such program."""
    if not sys.platform.startswith("linux") or shutil.which(program):
        return False
    return not any(Path(POSTGRES).glob(f"*/bin/{program}"))


def install_system_programs(profile: str) -> None:
    """Install the system programs that are missing; where that cannot be, go on without."""
    for program, (package, _) in programs_of(profile).items():
        if not is_missing(program):
            continue
        if not shutil.which("apt-get") or as_root() is None:
            continue
        with suppress(SetupError), stage(f"installing {package}"):
            if not apt_install(package):
                raise SetupError(package)


def name_missing_programs(profile: str) -> None:
    """One line for each system program that is not there."""
    for program, (package, loss) in programs_of(profile).items():
        if is_missing(program):
            print(
                f"setup: {program} is missing, and {loss}. "
                f"As root: apt-get update && apt-get install -y {package}"
            )


# -- the whole -------------------------------------------------------------------------------------


def fingerprint(profile: str) -> str:
    """A hash of everything the installed environment depends on."""
    digest = hashlib.sha256()
    for name in (*INPUTS, *PROFILES[profile]):
        digest.update(name.encode() + b"\0" + (ROOT / name).read_bytes() + b"\0")
    return digest.hexdigest()


def is_ready(profile: str) -> bool:
    """Whether the stamp of this profile, or of one that contains it, is current."""
    names = list(PROFILES)
    for name in names[names.index(profile) :]:
        stamp = VENV / f"{name}.stamp"
        if stamp.exists() and stamp.read_text(encoding="utf-8") == fingerprint(name):
            return (VENV / "bin" / "autogen").exists()
    return False


@contextmanager
def alone() -> Iterator[None]:
    """Wait until no other set-up of this folder runs, and keep others waiting."""
    with Path(__file__).open("rb") as itself:
        try:
            fcntl.flock(itself, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("setup: waiting for another set-up of this folder", flush=True)
            fcntl.flock(itself, fcntl.LOCK_EX)
        yield


def prepare(profile: str, *, python_given: bool) -> None:
    """Bring `.venv` to the profile's state."""
    usable = venv_is_usable(python_given)
    if not (usable and is_ready(profile)):
        start = time.monotonic()
        if not usable:
            with stage(f"making .venv with Python {python_version()} ({sys.executable})"):
                make_venv()
            (VENV / "made-at").write_text(f"{VENV} {python_version()}\n", encoding="utf-8")
        install(profile)
        install_system_programs(profile)
        (VENV / f"{profile}.stamp").write_text(fingerprint(profile), encoding="utf-8")
        print(f"setup: ready after {time.monotonic() - start:.1f} s", flush=True)
    name_missing_programs(profile)


def last_lines_of_log(count: int = 15) -> str:
    if not LOG.exists():
        return ""
    lines = LOG.read_text(encoding="utf-8", errors="replace").splitlines()[-count:]
    return "\n".join(f"    {line}" for line in lines)


def main() -> int:
    """Parse the command line, prepare, and turn a failure into one line and the end of the log."""
    parser = argparse.ArgumentParser(
        prog="scripts/setup", description="Make .venv ready to run or to develop."
    )
    parser.add_argument("profile", choices=PROFILES)
    parser.add_argument("--python-given", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    try:
        with alone():
            prepare(arguments.profile, python_given=arguments.python_given)
    except SetupError as error:
        print(last_lines_of_log(), file=sys.stderr)
        print(f"setup: {error} (the whole log: {LOG.relative_to(ROOT)})", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
