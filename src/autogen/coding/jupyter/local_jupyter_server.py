"""`LocalJupyterServer`: a Jupyter server on this machine, without a wall, by explicit choice."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import warnings
import weakref
from pathlib import Path

from ...errors import ExecutionError, NoWallError, UsageError
from ..environment import without_secrets
from ..policy import is_wall_required
from .base import JupyterConnectable, JupyterConnectionInfo, Stoppable
from .token import GENERATE_TOKEN, Token, checked_token

__all__ = ["LocalJupyterServer"]

START_S = 60.0
#: What the server may take to end its kernels and itself.
END_S = 5.0
CONFIG = "jupyter_server_config"
LOG_LEVELS = ("DEBUG", "INFO", "WARN", "WARNING", "ERROR", "CRITICAL")

# The server reads this program before anything else. It ends with the pipe it was started with, so
# it does not outlive whoever started it, however that ends.
SETTINGS = """
import os, shutil, signal, threading
settings = {settings!r}
for name, values in settings.items():
    for key, value in values.items():
        setattr(getattr(c, name), key, value)
def end():
    while os.read(0, 4096):
        pass
    shutil.rmtree({folder!r}, ignore_errors=True)
    os.kill(os.getpid(), signal.SIGTERM)
threading.Thread(target=end, daemon=True).start()
"""

_warned = threading.Event()


class LocalJupyterServer(Stoppable, JupyterConnectable):
    """Runs a Jupyter server whose kernels are ordinary processes of this machine.

    It is no wall: code can read and change whatever the user that runs this program can. Prefer
    `EmbeddedIPythonCodeExecutor`, whose kernel is in a sandbox, or `DockerJupyterServer`. The
    server starts here and ends with `stop()`, at the end of a `with` block, or with this program.

    Args:
        ip: The address to listen on.
        port: None for one that is free.
        token: What callers have to send; by default one that is made here.
        log_file: Where the server's log goes; None keeps it only while the server runs.
        log_level: How much the server logs.
        log_max_bytes: Size at which a log of an earlier server is put aside.
        log_backup_count: How many of those are kept.

    Raises:
        NoWallError: `AUTOGEN_REQUIRE_WALL` forbids code without a wall.
        ExecutionError: The extra `jupyter` is missing, or the server does not start.
    """

    #: Asked before each block of an executor that uses this server.
    is_walled = False

    def __init__(
        self,
        ip: str = "127.0.0.1",
        port: int | None = None,
        token: Token = GENERATE_TOKEN,
        log_file: str | os.PathLike[str] | None = None,
        log_level: str = "INFO",
        log_max_bytes: int = 1 << 20,
        log_backup_count: int = 3,
    ):
        refuse_where_wall_is_required()
        if importlib.util.find_spec("jupyter_server") is None:
            raise ExecutionError(
                "autogen.coding.jupyter needs the 'jupyter' extra: run pip install -e "
                '".[jupyter]" in the clone of this package (jupyter_server cannot be imported).'
            )
        if log_level.upper() not in LOG_LEVELS:
            raise UsageError(
                f"log_level {log_level!r} is not known; use one of {', '.join(LOG_LEVELS)}."
            )
        self.ip = ip
        self.token = checked_token(token)
        warn_once()
        self._folder = Path(tempfile.mkdtemp(prefix="autogen-jupyter-"))
        log = Path(log_file) if log_file is not None else self._folder / "log"
        try:
            put_aside(log, log_max_bytes, log_backup_count)
            process = self._start(port or 0, log_level.upper(), log)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        self._finalizer = weakref.finalize(self, end, process, self._folder, os.getpid())
        try:
            self.port = self._await_port(process, log)
        except BaseException:
            self.stop()
            raise

    @property
    def connection_info(self) -> JupyterConnectionInfo:
        """Where the server is."""
        return JupyterConnectionInfo(
            host=self._host, use_https=False, port=self.port, token=self.token
        )

    @property
    def _host(self) -> str:
        """Where this machine reaches it."""
        return "127.0.0.1" if self.ip in ("", "0.0.0.0", "*") else self.ip  # noqa: S104

    def stop(self) -> None:
        """End the server and its kernels."""
        self._finalizer()

    def _start(self, port: int, log_level: str, log: Path) -> subprocess.Popen[bytes]:
        settings = {
            "IdentityProvider": {"token": self.token},
            # A kernel that does not listen is killed soon.
            "KernelManager": {"shutdown_wait_time": 1.0},
            "ServerApp": {
                "allow_root": True,
                "allow_unauthenticated_access": False,
                "ip": self.ip,
                "jpserver_extensions": {},
                "log_level": log_level,
                "open_browser": False,
                "port": port,
                "port_retries": 0,
                "root_dir": os.getcwd(),
                "terminals_enabled": False,
            },
            # Output is bounded where it is received.
            "ZMQChannelsWebsocketConnection": {"limit_rate": False},
        }
        config = self._folder / f"{CONFIG}.py"
        config.touch(0o600)
        config.write_text(
            SETTINGS.format(settings=settings, folder=str(self._folder)), encoding="utf-8"
        )
        folders = ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR")
        environment = {**without_secrets(), **dict.fromkeys(folders, str(self._folder))}
        with log.open("ab") as stream:
            return subprocess.Popen(
                [sys.executable, "-m", "jupyter_server", f"--config={config}"],
                stdin=subprocess.PIPE,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=environment,
                # A Ctrl-C at the terminal is this program's to handle, not the server's.
                start_new_session=True,
            )

    def _await_port(self, process: subprocess.Popen[bytes], log: Path) -> int:
        """The port that the server listens on, which it says a moment before it does."""
        said = self._folder / f"jpserver-{process.pid}.json"
        deadline_s = time.monotonic() + START_S
        while time.monotonic() < deadline_s and process.poll() is None:
            try:
                port = int(json.loads(said.read_text(encoding="utf-8"))["port"])
                socket.create_connection((self._host, port), timeout=1).close()
                return port
            except (OSError, ValueError, KeyError):
                time.sleep(0.02)
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise ExecutionError(
            f"The Jupyter server did not start: {' '.join(lines[-3:]) or 'it said nothing'}"
        )


def refuse_where_wall_is_required() -> None:
    """Code without a wall is refused where the operator asked for one."""
    if is_wall_required():
        raise NoWallError(
            "LocalJupyterServer runs code without a wall, and a wall is required here "
            "(AUTOGEN_REQUIRE_WALL). Use EmbeddedIPythonCodeExecutor or DockerJupyterServer."
        )


def warn_once() -> None:
    """Say once that code runs on the host."""
    if not _warned.is_set():
        _warned.set()
        warnings.warn(
            "LocalJupyterServer runs code on this machine without a wall. "
            "EmbeddedIPythonCodeExecutor runs it in a sandbox.",
            stacklevel=3,
        )


def put_aside(log: Path, most_bytes: int, count: int) -> None:
    """Number earlier logs, where the last one has grown too large."""
    if not log.is_file() or log.stat().st_size < most_bytes:
        return
    for number in range(count, 1, -1):
        older = log.with_name(f"{log.name}.{number - 1}")
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{number}"))
    if count:
        log.replace(log.with_name(f"{log.name}.1"))
    else:
        log.unlink()


def end(process: subprocess.Popen[bytes], folder: Path, pid: int) -> None:
    """End a server, unless it belongs to the process this one was forked from."""
    assert process.stdin
    process.stdin.close()
    if pid != os.getpid():
        process.returncode = 0
        return
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait(END_S)
    shutil.rmtree(folder, ignore_errors=True)
