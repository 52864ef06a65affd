"""Wheel and source archive build, hold what they should, and the wheel runs where nothing else is.

The clean environment is a real one: the pinned base requirements and the wheel, not this folder.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "autogen"
UV = Path(sys.executable).with_name("uv")

# What uv says when it reached no index, in contrast to a package that does not fit.
NO_INDEX = ("error sending request", "dns error", "connection refused", "offline", "timed out")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("packaging")]


def run(*command: str | Path, cwd: Path = ROOT, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end and keep what it said."""
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def succeeded(*command: str | Path, cwd: Path = ROOT, **env: str) -> str:
    """What a program printed; it must have succeeded."""
    done = run(*command, cwd=cwd, **env)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    """The folder with the source archive, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    succeeded(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder)
    return folder


@pytest.fixture(scope="module")
def wheel(archives):
    (path,) = archives.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def clean(wheel, tmp_path_factory, require_part):
    """The `bin` folder of an environment that holds the wheel and the pinned requirements."""
    folder = tmp_path_factory.mktemp("clean") / "env"
    succeeded(UV, "venv", "--quiet", "--python", sys.executable, folder)
    install = (UV, "pip", "install", "--quiet", "--system-certs", "--python", folder / "bin/python")
    pinned = ("--require-hashes", "-r", ROOT / "requirements" / "base.txt")
    if run(*install, "--offline", *pinned).returncode != 0:
        done = run(*install, *pinned)
        if any(words in done.stderr.lower() for words in NO_INDEX):
            require_part(
                "a package index",
                because="uv could not reach one and its cache does not hold the pinned packages",
                do="connect to the network, or configure a mirror for uv",
            )
        assert done.returncode == 0, done.stderr
    succeeded(*install, "--no-deps", wheel)
    return folder / "bin"


def shipped_files() -> set[str]:
    """Every file of the package in this folder, relative to the folder above it."""
    return {
        str(path.relative_to(PACKAGE.parent))
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }


def test_wheel_holds_every_file_of_the_package(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert shipped_files() - names == set()
    assert "autogen/py.typed" in names
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"autogen", "autogen_next"}


def test_source_archive_holds_what_a_build_and_a_test_run_need(archives):
    (path,) = archives.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {"pyproject.toml", "LICENSE", "Makefile", "scripts/setup", "tests/conftest.py"}
    wanted |= {f"requirements/{name}.txt" for name in ("base", "build", "dev", "studio")}
    assert (wanted | {f"src/{name}" for name in shipped_files()}) - names == set()


def test_wheel_says_what_it_needs_and_is(wheel):
    archive = zipfile.ZipFile(wheel)
    (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    metadata = archive.read(name).decode()
    assert "\nName: autogen-next\n" in metadata
    assert "\nLicense-Expression: MIT\n" in metadata
    assert "\nRequires-Python: >=3.11\n" in metadata


def test_clean_environment_imports_the_package_from_the_wheel(clean, tmp_path):
    program = """
import autogen, importlib.metadata
print(importlib.metadata.version("autogen-next"), autogen.__file__)
"""
    version, file = succeeded(clean / "python", "-c", program, cwd=tmp_path).split()
    assert file.startswith(str(clean.parent))
    said = (PACKAGE / "_version.py").read_text(encoding="utf-8")
    assert f'"{version}"' in said


def test_clean_environment_has_the_command(clean, tmp_path):
    assert "demo" in succeeded(clean / "autogen", "--help", cwd=tmp_path)


# Whole modules that belong to an extra; nobody imports them before it is asked for by name.
OF_EXTRAS = ("autogen.journal.dbos", "autogen.server.", "autogen.store.")


def test_clean_environment_imports_every_module(clean, tmp_path):
    """No module of the base package needs an extra just to be imported."""
    program = f"""
import importlib, pkgutil, autogen
for module in pkgutil.walk_packages(autogen.__path__, "autogen."):
    if module.name in ("autogen.__main__", "autogen.coding.runner"):
        continue
    if not module.name.startswith({OF_EXTRAS!r}) or module.name == "autogen.store.base":
        importlib.import_module(module.name)
"""
    succeeded(clean / "python", "-W", "error", "-c", program, cwd=tmp_path)


def test_clean_environment_says_which_extra_durable_runs_need(clean, tmp_path):
    program = "import autogen; autogen.Runtime()"
    done = run(clean / "python", "-c", program, cwd=tmp_path)
    assert 'UsageError: durable runs need the extra "durable"' in done.stderr
