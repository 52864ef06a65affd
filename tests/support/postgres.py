"""A Postgres server of one test run: own folder, own port, loopback only, never as root.

@pytest.fixture(scope="session")
def postgres(require_part):
    with serving(require_part) as server:
        yield server

url = postgres.new_database()
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

__all__ = ["Postgres", "serving"]

_START_S = 60.0
_USER = "tester"


class Postgres:
    """A server that can be killed and started again."""

    def __init__(self, programs: Path):
        self._programs = programs
        self._folder = Path(tempfile.mkdtemp(prefix="autogen-postgres-"))
        self._data = self._folder / "data"
        # Postgres refuses to run as root.
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            self._as = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
            os.chown(self._folder, account.pw_uid, account.pw_gid)
        self._log = self._folder / "log"
        self._server: subprocess.Popen[bytes] | None = None
        self.port = _free_port()
        self._run("initdb", "-D", str(self._data), "-U", _USER, "-A", "trust", "-E", "UTF8", "-N")

    def _run(self, program: str, *args: str) -> None:
        subprocess.run(
            [self._programs / program, *args],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self._folder,
            **self._as,
        )

    def url(self, database: str = "postgres") -> str:
        """Where a database of this server is."""
        return f"postgresql://{_USER}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """A fresh database; its address."""
        name = f"t{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f'create database "{name}"')
        return self.url(name)

    def start(self) -> None:
        """Start, and wait until it answers."""
        options = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": self._folder,
            "max_connections": 200,
            "shared_buffers": "32MB",
        }
        words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        command = [self._programs / "postgres", "-D", str(self._data), *words]
        deadline = time.monotonic() + _START_S
        while True:
            if self._server is None or self._server.poll() is not None:
                # Of a server that was killed some processes may be there for a moment.
                with self._log.open("ab") as log:
                    self._server = subprocess.Popen(
                        command, stdout=log, stderr=log, cwd=self._folder, **self._as
                    )
            try:
                psycopg.connect(self.url(), connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise RuntimeError(
                        f"Postgres did not start:\n{self._log.read_text()}"
                    ) from None
                time.sleep(0.05)

    def kill(self) -> None:
        """Kill the server; its processes end when they miss it, and the next start recovers."""
        assert self._server is not None
        self._server.kill()
        self._server.wait(timeout=10)
        self._server = None

    def stop(self) -> None:
        """Stop the server, and delete what it kept."""
        if self._server is not None:
            self._server.send_signal(signal.SIGINT)
            try:
                self._server.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


@contextmanager
def serving(require_part: Callable[..., Any]) -> Iterator[Postgres]:
    """A server that runs inside the `with` block; without its programs, a missing part."""
    programs = _programs()
    if programs is None:
        require_part(
            "postgres server", because="postgres is not here", do="apt-get install postgresql"
        )
        raise AssertionError
    server = Postgres(programs)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def _programs() -> Path | None:
    """Where the newest Postgres is; Debian keeps its programs out of the way."""
    found = shutil.which("postgres")
    if found is not None:
        return Path(found).parent
    versions = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    newest = sorted(versions, key=lambda path: int(path.parts[-3]))
    return newest[-1].parent if newest else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
