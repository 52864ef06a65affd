"""A real Postgres for tests: started when first asked for, shared by all workers of a test run.

The `conftest.py` of a room imports the fixtures below. The server is Debian's, with a folder of its
own, on a free port of this machine, and runs as a user without rights. A process beside it (this
file, run as a program) keeps it: when no worker of the test run is left, however they ended, it
stops the server and removes the folder.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

START_S = 40.0
USER = "autogen"
PASSWORD = "s3cret+pass"

#: Keepers outlive what started them; one that is forgotten earlier would warn.
keepers: list[Any] = []


class PostgresMissing(Exception):
    """No server can be started here; `because` and `do` say why and what to do."""

    def __init__(self, because: str, do: str) -> None:
        super().__init__(because)
        self.because, self.do = because, do


# -- what a worker of the test run does ------------------------------------------------------------


def programs() -> Path:
    """The folder of the newest Postgres, installed where that can be done."""
    found = _installed()
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        apt_get = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120"]
        install = [*apt_get, "install", "-y", "--no-install-recommends", "postgresql"]
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        if subprocess.run(install, env=environment, check=False, **quiet).returncode:
            subprocess.run([*apt_get, "update"], env=environment, check=False, **quiet)
            subprocess.run(install, env=environment, check=False, **quiet)
        found = _installed()
    if found is None:
        raise PostgresMissing("postgres is not installed", "as root: apt-get install postgresql")
    return found


def _installed() -> Path | None:
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if found:
        return max(found, key=lambda path: float(path.parent.name))
    on_path = shutil.which("initdb")
    return None if on_path is None else Path(on_path).resolve().parent


def joined(place: Path) -> tuple[Any, str]:
    """A hold on the server of this test run, which stands until it is closed, and its address."""
    with (place / "postgres.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        state = place / "postgres.json"
        if state.exists():
            known = json.loads(state.read_text())
            hold = _hold(Path(known["folder"]))
            if hold is not None:
                return hold, known["url"]
        folder = Path(tempfile.mkdtemp(prefix="autogen-postgres-"))
        hold = _hold(folder)
        assert hold is not None
        bin_folder = programs()
        words = [sys.executable, __file__, str(bin_folder), str(folder)]
        log = (folder / "log").open("wb")
        with log:
            keeper = subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True)
        keepers.append(keeper)
        ready = folder / "url"
        deadline_s = time.monotonic() + START_S
        while not ready.exists():
            if keeper.poll() is not None or time.monotonic() > deadline_s:
                said = (folder / "log").read_text(errors="replace").split("\n")
                raise PostgresMissing(
                    f"the server does not start: {' '.join(said[-4:])[-300:]}",
                    "look whether this user may start servers",
                )
            time.sleep(0.02)
        url = ready.read_text()
        state.write_text(json.dumps({"folder": str(folder), "url": url}))
        return hold, url


def _hold(folder: Path) -> Any | None:
    """A shared lock, as long as the keeper has not begun to stop its server."""
    try:
        hold = (folder / "users").open("a")
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(hold, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        hold.close()
        return None
    return hold


@pytest.fixture(scope="session")
def postgres_server(
    tmp_path_factory: pytest.TempPathFactory, require_part: Callable[..., NoReturn]
) -> Iterator[str]:
    """The address of the server without a database: `postgresql://USER:PASSWORD@HOST:PORT`."""
    base = tmp_path_factory.getbasetemp()
    place = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    try:
        hold, url = joined(place)
    except PostgresMissing as missing:
        require_part("postgres", because=missing.because, do=missing.do)
    with hold:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of a new and empty database of the server, which is dropped after the test."""
    import psycopg

    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as admin:
        admin.execute(f"create database {name} template template0")
    yield f"{postgres_server}/{name}"
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as admin:
        admin.execute(f"drop database {name} with (force)")


# -- what the keeper does --------------------------------------------------------------------------


def keep(bin_folder: Path, folder: Path) -> None:
    """Start a server, wait until nobody holds it, stop it and remove its folder."""
    as_user: dict[str, Any] = {}
    if os.geteuid() == 0:
        as_user = {"user": "postgres", "group": "postgres", "extra_groups": []}
        shutil.chown(folder, "postgres", "postgres")
    data = folder / "data"
    password = folder / "password"
    password.write_text(PASSWORD)
    init = [bin_folder / "initdb", "-D", data, "-U", USER, f"--pwfile={password}", "--no-sync"]
    init += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
    subprocess.run(init, check=True, cwd=folder, **as_user)
    port = _free_port()
    options = {
        "port": port,
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": folder,
        "max_connections": 200,
        # A power cut is not what these tests are about; a transaction is what it always is.
        "fsync": "off",
        "full_page_writes": "off",
    }
    words: list[Any] = [bin_folder / "postgres", "-D", data]
    for name, value in options.items():
        words += ["-c", f"{name}={value}"]
    server = subprocess.Popen(words, cwd=folder, **as_user)
    try:
        while not (data / "postmaster.pid").exists() or not _is_ready(data):
            if server.poll() is not None:
                return
            time.sleep(0.02)
        (folder / "url.new").write_text(f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{port}")
        (folder / "url.new").rename(folder / "url")
        with (folder / "users").open("a") as users:
            fcntl.flock(users, fcntl.LOCK_EX)
            # The fast way: clients that are still there are sent away.
            server.send_signal(signal.SIGINT)
            server.wait(timeout=20)
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        if server.poll() is None:
            server.kill()
            server.wait(timeout=10)


def _is_ready(data: Path) -> bool:
    lines = (data / "postmaster.pid").read_text().splitlines()
    return len(lines) > 7 and lines[7].strip() == "ready"


def _free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port: int = trial.getsockname()[1]
        return port


if __name__ == "__main__":
    keep(Path(sys.argv[1]), Path(sys.argv[2]))
