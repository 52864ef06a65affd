"""Files that blocks left in a pod, brought here as a tar archive over the runner's frames.

The archive is made by hostile code for all we know: only regular files with names that stay in
their folder are taken from it, and only so many. Only `kubernetes.py` uses this.
"""

from __future__ import annotations

import contextlib
import io
import tarfile
from collections.abc import Iterable
from pathlib import Path

from .workspace import safe_name

__all__ = ["MOST_TAR_BYTES", "pack_command", "unpack"]

MOST_FILE_BYTES = 64 << 20
MOST_TAR_BYTES = 132 << 20
MOST_FILES = 200
#: The member that tells the clock of the pod.
CLOCK = ".clock"

# Runs in the pod: new and changed regular files below its folder, as an archive on stdout.
PACK = r"""
import io, os, stat, sys, tarfile, time
since, most_files, most_file, most_all = map(int, sys.argv[1:5])
skip = set(sys.argv[5:])
now = time.time_ns()
found, waiting, deadline, looked = [], [""], time.monotonic() + 2, 0
while waiting and looked < 20_000 and time.monotonic() < deadline:
    folder = waiting.pop()
    try:
        entries = list(os.scandir(folder or "."))
    except OSError:
        continue
    for entry in entries:
        looked += 1
        if entry.name.startswith(".") or entry.name == "__pycache__":
            continue
        name = f"{folder}/{entry.name}" if folder else entry.name
        try:
            state = entry.stat(follow_symlinks=False)
        except OSError:
            continue
        if stat.S_ISDIR(state.st_mode):
            waiting.append(name)
        elif stat.S_ISREG(state.st_mode) and state.st_nlink == 1 and name not in skip:
            if state.st_ctime_ns >= since and state.st_size <= most_file:
                found.append((name, state.st_size))
with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as archive:
    entry = tarfile.TarInfo(".clock")
    entry.mtime = now // 1_000_000_000
    entry.pax_headers = {"autogen.clock": str(now)}
    archive.addfile(entry)
    total = 0
    for name, size in sorted(found)[:most_files]:
        total += size
        if total > most_all:
            break
        try:
            with open(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
                entry = tarfile.TarInfo(name)
                data = file.read(size)
        except OSError:
            continue
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
"""


def pack_command(since_ns: int, skip: Iterable[str]) -> list[str]:
    """What is to be run in the pod; files in `skip` are left out."""
    figures = (since_ns, MOST_FILES, MOST_FILE_BYTES, MOST_TAR_BYTES - (4 << 20))
    return ["python3", "-I", "-c", PACK, *map(str, figures), *skip]


def unpack(data: bytes, into: Path) -> int:
    """Put the files of an archive below `into`; the pod's clock when it was made, 0 if unknown.

    A file that is there with the same content is left as it is.
    """
    clock_ns, left_bytes = 0, MOST_TAR_BYTES
    # A broken archive gives what could be read of it.
    with (
        contextlib.suppress(tarfile.TarError, EOFError, ValueError),
        tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive,
    ):
        for number, entry in enumerate(archive):
            if number > MOST_FILES:
                break
            if entry.name == CLOCK:
                clock_ns = _figure(entry.pax_headers.get("autogen.clock", ""))
                continue
            parts = safe_name(entry.name)
            # A sparse file may be large without taking room in the archive.
            if parts is None or not entry.isreg() or entry.issparse():
                continue
            content = archive.extractfile(entry)
            left_bytes -= entry.size
            if content is None or left_bytes < 0:
                break
            with contextlib.suppress(OSError):
                _put(into.joinpath(*parts), content.read(MOST_FILE_BYTES))
    return clock_ns


def _figure(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0


def _put(path: Path, data: bytes) -> None:
    if path.is_file() and path.read_bytes() == data:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
