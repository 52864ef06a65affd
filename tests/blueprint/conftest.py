"""A project as `autogen new blueprint` writes it, set up by its own start.sh on a real engine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.coding.docker_engine import IMAGE, Engine, engine_up

#: Making an environment and installing what a project needs; downloads included.
SETUP_S = 240.0
ENDS_S = 60.0


class Project:
    """The project, and the variables of the person who works in it."""

    def __init__(self, folder: Path, environment: dict[str, str]):
        self.folder = folder
        self.environment = environment

    def shell(
        self, script: str, *, within_s: float = ENDS_S, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """What a person's shell says to `script`, in the folder of the project."""
        return subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env={**self.environment, **env},
            capture_output=True,
            text=True,
            timeout=within_s,
            check=False,
        )

    def start(self, script: str, **env: str) -> subprocess.Popen[str]:
        """The same, for what goes on until it is ended."""
        return subprocess.Popen(
            ["bash", "-c", f"exec {script}"],
            cwd=self.folder,
            env={**self.environment, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def written(folder: Path) -> Path:
    """A new project in `folder`."""
    command = [sys.executable, "-m", "autogen.cli", "new", "blueprint", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=ENDS_S, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def engine(require_part: Callable[..., Any]) -> Iterator[Engine]:
    """A real engine with the one image that can be made here."""
    with engine_up(require_part) as started:
        yield started


@pytest.fixture(scope="session")
def project(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that start.sh has set up."""
    home = tmp_path_factory.mktemp("home")
    cached = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    kept = {
        key: value
        for key, value in os.environ.items()
        if key in ("PATH", "LANG") or key.startswith(("PIP_", "SSL_", "REQUESTS_"))
    }
    environment = {
        "PIP_CACHE_DIR": str(cached / "pip"),
        **kept,
        "HOME": str(home),
        "DOCKER_HOST": engine.address,
        "PYTHON": sys.executable,
        "BASE": IMAGE,
        "OPENAI_API_KEY": "sk-scripted",
    }
    made = Project(written(tmp_path_factory.mktemp("made") / "blueprint"), environment)
    done = made.shell("chmod +x start.sh && ./start.sh", within_s=SETUP_S)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("Ready.")
    return made


@pytest.fixture(scope="session")
def compose(require_part: Callable[..., Any]) -> list[str]:
    """The command that reads files for compose: the engine's plugin, else Debian's program."""
    plugin = ["docker", "compose", "version"]
    if shutil.which("docker") and not subprocess.run(plugin, capture_output=True).returncode:
        return ["docker", "compose"]
    if shutil.which("docker-compose") is None and shutil.which("apt-get") and os.geteuid() == 0:
        install = "apt-get -o DPkg::Lock::Timeout=120 install -y --no-install-recommends "
        for command in (f"{install} docker-compose", "apt-get update", f"{install} docker-compose"):
            if shutil.which("docker-compose") is None:
                subprocess.run(
                    command.split(),
                    env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                    capture_output=True,
                    check=False,
                )
    if shutil.which("docker-compose") is None:
        require_part(
            "docker compose",
            because="neither the plugin nor docker-compose is installed",
            do="as root: apt-get install --no-install-recommends docker-compose",
        )
    return ["docker-compose"]
