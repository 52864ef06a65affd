"""A real Docker engine for tests, with everything of its own under one temporary folder.

Started by hand as root; no other engine of the machine is touched. Its one image is made of this
machine's own Debian Python, because no registry can be counted on.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import re
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

IMAGE = "autogen-test-python:3-slim"
SHARED = "autogen-test-shared"
START_S = 30.0
ENGINE_PROGRAMS = ("dockerd", "containerd", "runc")

PROGRAMS = """
    bash cat chmod cp dash echo env grep head id ln ls mkdir mv ps rm sh sleep sort tail timeout
    true wc
""".split()
EXPECTED = "libdl.so.2 libgcc_s.so.1 libpthread.so.0 librt.so.1 libstdc++.so.6".split()
#: Parts of the standard library that no test needs.
LEFT_OUT = {"__pycache__", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "test", "turtledemo"}
FOLDERS = {"dev": 0o755, "etc": 0o755, "proc": 0o555, "root": 0o700, "sys": 0o555, "tmp": 0o1777}
FOLDERS |= {"workspace": 0o755}
PASSWD = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n"


class EngineMissing(Exception):
    """No engine can be started here; `because` and `do` say why and what to do."""

    def __init__(self, because: str, do: str) -> None:
        super().__init__(because)
        self.because, self.do = because, do


def install_engine() -> None:
    """Install Debian's engine where it is missing, once for all processes that run tests."""
    with open(Path(tempfile.gettempdir(), "autogen-docker-install.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if all(shutil.which(name) for name in ENGINE_PROGRAMS):
            return
        install = ["apt-get", "-o", "DPkg::Lock::Timeout=120", "install", "-y"]
        install += ["--no-install-recommends", "docker.io"]
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        if shutil.which("apt-get"):
            environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            if subprocess.run(install, env=environment, check=False, **quiet).returncode:
                subprocess.run(["apt-get", "update"], env=environment, check=False, **quiet)
                subprocess.run(install, env=environment, check=False, **quiet)
        for name in ENGINE_PROGRAMS:
            if shutil.which(name) is None:
                raise EngineMissing(
                    f"{name} is not installed",
                    "as root: apt-get install --no-install-recommends docker.io",
                )


class Engine:
    """A `dockerd` that can be killed and started again."""

    def __init__(self) -> None:
        if os.geteuid() != 0:
            raise EngineMissing("an engine is started by root only", "run the tests as root")
        install_engine()
        self.folder = Path(tempfile.mkdtemp(prefix="autogen-docker-"))
        self.address = f"unix://{self.folder}/docker.sock"
        self.client: Any = None
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the engine and wait until it answers."""
        from docker.errors import DockerException

        argv = ["dockerd", "--data-root", f"{self.folder}/data", "--exec-root"]
        argv += [f"{self.folder}/exec", "--pidfile", f"{self.folder}/pid", "-H", self.address]
        # Containers of these tests have no network, so the machine's own is left alone.
        argv += ["--bridge=none", "--iptables=false", "--ip6tables=false", "--shutdown-timeout=1"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log, start_new_session=True)
        deadline_s = time.monotonic() + START_S
        while True:
            try:
                self._connect()
                return
            except DockerException:
                if self.process.poll() is not None or time.monotonic() > deadline_s:
                    raise EngineMissing(
                        f"dockerd does not start: {self._last_words()}",
                        "run where root may mount, make namespaces and write cgroups",
                    ) from None
                time.sleep(0.05)

    def _connect(self) -> None:
        from docker import DockerClient
        from docker.errors import DockerException

        # Where nobody listens the SDK would leak a socket of its own.
        with socket.socket(socket.AF_UNIX) as trial:
            if trial.connect_ex(self.address.removeprefix("unix://")):
                raise DockerException("not there yet")
        self.client = DockerClient(base_url=self.address, timeout=20)
        self.client.ping()

    def _last_words(self) -> str:
        lines = (self.folder / "log").read_text(errors="replace").splitlines()
        found = [line for line in lines if "level=fatal" in line or "failed" in line]
        return " ".join((found or lines or ["it said nothing"])[-1].split())[-300:]

    def kill(self) -> None:
        """End the engine without a chance to tidy up."""
        assert self.process is not None
        self.client.close()
        self.process.kill()
        self.process.wait(timeout=10)
        # The engine's containerd dies with it, but where nobody buries orphans it looks alive, and
        # the next engine would wait for it.
        for name in ("docker.sock", "exec/containerd/containerd.pid"):
            Path(self.folder, name).unlink(missing_ok=True)

    def stop(self) -> None:
        """End the engine, what it started, and everything it wrote."""
        if self.client is not None:
            self.client.close()
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.kill()
        for pid in self._left():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for point in reversed(self._mounts()):
            subprocess.run(["umount", "--lazy", point], check=False, capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _left(self) -> list[int]:
        """Processes that were started with this engine's folder in their command line."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if str(self.folder).encode() in path.read_bytes():
                    found.append(int(path.parent.name))
        return [pid for pid in found if pid != os.getpid()]

    def _mounts(self) -> list[str]:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
        points = [line.split()[4] for line in lines]
        return [point for point in points if point.startswith(str(self.folder))]

    def answers(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def containers(self) -> list[Any]:
        """Every container, running or not, but the one that tests share."""
        found = self.client.containers.list(all=True, ignore_removed=True)
        return [one for one in found if one.name != SHARED]

    def make_image(self) -> None:
        """Import the image that tests run."""
        name, tag = IMAGE.split(":")
        changes = ["ENV PATH=/usr/local/bin:/usr/bin:/bin", "ENV FROM_IMAGE=yes"]
        self.client.api.import_image_from_data(
            debian_python(), repository=name, tag=tag, changes=changes
        )


def debian_python() -> bytes:
    """A tar archive of Debian's Python with its standard library and a few programs."""
    version = os.path.basename(os.path.realpath("/usr/bin/python3"))
    if not re.fullmatch(r"python3\.\d+", version):
        raise EngineMissing("Debian's python3 is not installed", "apt-get install python3")
    programs = [f"/usr/bin/{version}"]
    programs += [path for name in PROGRAMS if os.path.exists(path := f"/usr/bin/{name}")]
    library = Path("/usr/lib", version)
    modules = [str(path) for path in (library / "lib-dynload").glob("*.so")]
    listed = subprocess.run(
        ["ldd", *programs, *modules], capture_output=True, text=True, check=False
    )
    shared = set(re.findall(r"(/\S+) \(0x", listed.stdout))
    # What compiled packages expect of an image for Python.
    folder = os.path.dirname(next(path for path in shared if "libc.so" in path))
    for name in EXPECTED:
        if os.path.exists(f"{folder}/{name}"):
            shared.add(f"{folder}/{name}")

    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:

        def entry(
            name: str, kind: bytes, *, mode: int = 0o755, data: bytes = b"", to: str = ""
        ) -> None:
            found = tarfile.TarInfo(name)
            found.type, found.mode, found.size, found.linkname = kind, mode, len(data), to
            archive.addfile(found, io.BytesIO(data))

        for name, mode in FOLDERS.items():
            entry(name, tarfile.DIRTYPE, mode=mode)
        for name in ("bin", "lib", "lib64", "sbin"):
            entry(name, tarfile.SYMTYPE, to=f"usr/{name}")
        entry("usr/bin/python3", tarfile.SYMTYPE, to=version)
        entry("etc/passwd", tarfile.REGTYPE, mode=0o644, data=PASSWD.encode())
        for path in sorted({*programs, *shared}):
            # Libraries are asked for by their short names, programs by the name they are called.
            inside = path if path.startswith("/usr") else f"/usr{path}"
            archive.add(os.path.realpath(path), inside.lstrip("/"), recursive=False)
        archive.add(library, str(library).lstrip("/"), filter=_wanted)
    return made.getvalue()


def _wanted(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    name = os.path.basename(entry.name)
    return None if name in LEFT_OUT or name.startswith("config-3") else entry


@contextlib.contextmanager
def engine_up(require_part: Callable[..., Any]) -> Iterator[Engine]:
    """An engine with the image; where there can be none, whoever needs it is not run."""
    try:
        engine = Engine()
        try:
            engine.start()
            engine.make_image()
            yield engine
        finally:
            engine.stop()
    except EngineMissing as missing:
        require_part("docker engine", because=missing.because, do=missing.do)
