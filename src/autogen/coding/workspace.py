"""Files into and out of a work_dir that hostile code can write to at the same time.

Code files go in through `write`, which follows no link on the way; artifacts come out through
`Snapshot`, which reads regular files only, through the descriptors it checked. Nothing here runs
code.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import mimetypes
import os
import secrets
import stat
import time
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import BinaryIO, NamedTuple

from ..artifacts import Artifact
from .config import check_work_dir, unusable

__all__ = ["Snapshot", "head", "prepare", "regular_file", "safe_name", "write", "write_bytes"]

#: More new files than this in one go are dependencies or caches, not results.
MOST_ARTIFACTS = 200
MOST_ARTIFACT_BYTES = 64 << 20
MOST_TOTAL_BYTES = 256 << 20
MOST_LOOKED_AT = 20_000
MOST_SECONDS = 2.0
#: How far the times of files may lag behind the clock. Source: Linux stamps files at its tick.
CLOCK_STEP_NS = 20_000_000

OUTSIDE = "Filename is not in the workspace"

# On systems without these flags (Windows) there is no wall either, and the code is the caller's own
# choice.
NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
FOLDER = getattr(os, "O_DIRECTORY", 0)
NO_BLOCK = getattr(os, "O_NONBLOCK", 0)
HAS_DIR_FD = os.open in os.supports_dir_fd


def prepare(work_dir: str | os.PathLike[str]) -> Path:
    """The work_dir as a path, created if it is missing; its parent must exist.

    Raises:
        UsageError: It cannot be created or written to, or is something else than a folder.
    """
    check_work_dir(work_dir)
    path = Path(work_dir)
    try:
        path.mkdir(exist_ok=True)
    except OSError as error:
        raise unusable(path, f"cannot be created: {error.strerror}") from error
    return path


def open_root(work_dir: str | os.PathLike[str], real: str | None = None) -> int:
    """A descriptor of the work_dir, which still is the folder at `real`, a path without links.

    Hostile code that can write to the folder above may put a link in its place at any moment; what
    is done by way of the descriptor is done in the folder that was looked at.

    Raises:
        OSError: It cannot be opened, or is another folder.
    """
    folder = os.open(work_dir, os.O_RDONLY | FOLDER)
    if real is not None and not _leads_to(folder, real):
        os.close(folder)
        raise OSError(errno.ESTALE, "it leads to another folder than before")
    return folder


def _leads_to(folder: int, real: str) -> bool:
    try:
        if os.readlink(f"/proc/self/fd/{folder}") == real:
            return True
    except OSError:
        # Not on this system.
        pass
    # Where upper and lower case are the same, so are two spellings of a path.
    try:
        is_same = os.path.samestat(os.lstat(real), os.fstat(folder))
    except OSError:
        return False
    return is_same and os.path.realpath(real) == real


def safe_name(name: str) -> tuple[str, ...] | None:
    """The parts of a file name that stays in its folder; None if it is no such name."""
    if not name or "\0" in name or len(name) > 400:
        return None
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return None
    path = PurePath(name)
    if path.is_absolute() or path.drive or ".." in path.parts or not path.parts:
        return None
    return path.parts


def write(work_dir: Path, name: str, text: str, *, real: str | None = None) -> Path:
    """Save `text` as `name` below `work_dir`, creating folders on the way, and return its path.

    A name may be absolute if it lies in the work_dir. Links are not followed: one in the place of a
    folder refuses, one in the place of the file is replaced by the file. Nobody sees the file half
    written or gone: another executor may run what lies in the same folder.

    Args:
        work_dir: The folder.
        name: Where in it.
        text: What to write.
        real: The path without links that the work_dir has to lead to.

    Raises:
        ValueError: The name leads out of the work_dir.
        OSError: The file cannot be written, or the work_dir leads elsewhere than to `real`.
    """
    return write_bytes(work_dir, name, text.encode("utf-8", "backslashreplace"), real=real)


def write_bytes(work_dir: Path, name: str, data: bytes, *, real: str | None = None) -> Path:
    """`write` for what is no text."""
    root = work_dir.resolve() if real is None else Path(real)
    if PurePath(name).is_absolute():
        try:
            name = str(PurePath(name).relative_to(root))
        except ValueError:
            raise ValueError(OUTSIDE) from None
    parts = safe_name(name)
    if parts is None:
        raise ValueError(OUTSIDE)
    path = root.joinpath(*parts)
    if not HAS_DIR_FD:
        if not path.resolve().is_relative_to(root):
            raise ValueError(OUTSIDE)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path
    folder = open_root(root, real)
    try:
        for part in parts[:-1]:
            try:
                os.mkdir(part, 0o755, dir_fd=folder)
            except FileExistsError:
                pass
            try:
                inner = os.open(part, os.O_RDONLY | FOLDER | NO_FOLLOW, dir_fd=folder)
            except OSError as error:
                if error.errno in (errno.ELOOP, errno.ENOTDIR):
                    raise ValueError(OUTSIDE) from None
                raise
            os.close(folder)
            folder = inner
        _put(folder, parts[-1], data)
    finally:
        os.close(folder)
    return path


@contextlib.contextmanager
def regular_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A regular file that hostile code may have put there, open for reading.

    Links above it are followed: look at what is read before anybody gets it.

    Raises:
        OSError: There is no such file, or it is a link, a pipe or a folder.
    """
    file = os.open(path, os.O_RDONLY | NO_FOLLOW | NO_BLOCK)
    with os.fdopen(file, "rb") as stream:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        yield stream


def head(work_dir: Path, name: str, size_bytes: int) -> bytes | None:
    """How the regular file `name` in the work_dir begins; None where there is none."""
    try:
        file = os.open(work_dir / name, os.O_RDONLY | NO_FOLLOW | NO_BLOCK)
    except OSError:
        return None
    try:
        return os.read(file, size_bytes) if stat.S_ISREG(os.fstat(file).st_mode) else None
    finally:
        os.close(file)


def _put(folder: int, name: str, data: bytes) -> None:
    """Have a file of `data` in the place of `name`, whatever lies there."""
    if _is_there(folder, name, data):
        return
    beside = f".{secrets.token_hex(8)}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_FOLLOW
    file = os.open(beside, flags, 0o644, dir_fd=folder)
    try:
        with os.fdopen(file, "wb") as stream:
            stream.write(data)
        os.rename(beside, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        try:
            os.unlink(beside, dir_fd=folder)
        except OSError:
            pass
        raise


def _is_there(folder: int, name: str, data: bytes) -> bool:
    """Whether the very file lies there; it is as new as one just written then.

    A program that runs again does not pay for a new file: renaming over a file makes ext4 write the
    new one to the disk first, 2 ms a block. A file that has another name elsewhere does not count,
    somebody writes to that.
    """
    try:
        file = os.open(name, os.O_RDONLY | NO_FOLLOW | NO_BLOCK, dir_fd=folder)
    except OSError:
        return False
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_size != len(data):
            return False
        if os.read(file, len(data) + 1) != data:
            return False
        os.utime(file)
    except OSError:
        return False
    finally:
        os.close(file)
    return True


class _Seen(NamedTuple):
    inode: int
    size: int
    modified_ns: int
    changed_ns: int


class Snapshot:
    """What a work_dir held before code ran, to tell afterwards what the code made.

    Hidden files and folders and `__pycache__` are not looked at.
    """

    def __init__(self, work_dir: Path):
        self._root = work_dir.resolve()
        self._began_ns = time.time_ns()
        self._before, self._is_whole = self._look()

    def artifacts(self, *, leave_out: frozenset[Path] = frozenset()) -> tuple[Artifact, ...]:
        """New and changed regular files, by name, except those in `leave_out`.

        At most 200 files of 64 MiB, 256 MiB together; what is beyond is not reported.
        """
        found = []
        total_bytes = 0
        after, _ = self._look()
        for name, seen in sorted(after.items()):
            known = self._before.get(name)
            # Without the time of the last change: lending the folder to the id of a wall is one.
            if known is not None and known[:-1] == seen[:-1]:
                continue
            if not self._is_whole and seen.changed_ns < self._began_ns - CLOCK_STEP_NS:
                continue
            path = self._root / name
            if path in leave_out:
                continue
            if seen.size > MOST_ARTIFACT_BYTES or total_bytes + seen.size > MOST_TOTAL_BYTES:
                continue
            artifact = self._collect(name, path)
            if artifact is not None:
                total_bytes += artifact.size_bytes
                found.append(artifact)
            if len(found) >= MOST_ARTIFACTS:
                break
        return tuple(found)

    def _look(self) -> tuple[dict[str, _Seen], bool]:
        """The regular files below the work_dir, without following links; whether these are all."""
        seen: dict[str, _Seen] = {}
        deadline_s = time.monotonic() + MOST_SECONDS
        waiting = [""]
        looked_at = 0
        while waiting:
            folder = waiting.pop()
            try:
                with os.scandir(self._root / folder) as entries:
                    for entry in entries:
                        looked_at += 1
                        if looked_at > MOST_LOOKED_AT or time.monotonic() > deadline_s:
                            return seen, False
                        self._note(entry, folder, seen, waiting)
            except OSError:
                continue
        return seen, True

    def _note(
        self, entry: os.DirEntry[str], folder: str, seen: dict[str, _Seen], waiting: list[str]
    ) -> None:
        if entry.name.startswith(".") or entry.name == "__pycache__":
            return
        name = f"{folder}/{entry.name}" if folder else entry.name
        try:
            if entry.is_dir(follow_symlinks=False):
                if not os.path.ismount(entry.path):
                    waiting.append(name)
            elif entry.is_file(follow_symlinks=False):
                state = entry.stat(follow_symlinks=False)
                seen[name] = _Seen(
                    state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns
                )
        except OSError:
            return

    def _collect(self, name: str, path: Path) -> Artifact | None:
        """Read one file for its digest; None if it is no regular file in the folder (any more)."""
        try:
            # A name that is no text cannot travel in JSON.
            name.encode("utf-8")
            file = self._open(name)
        except (OSError, UnicodeEncodeError):
            return None
        try:
            state = os.fstat(file)
            # A file with a second name may be somebody else's, linked into the folder.
            if not stat.S_ISREG(state.st_mode) or state.st_nlink > 1:
                return None
            digest = hashlib.sha256()
            size_bytes = 0
            while data := os.read(file, 1 << 20):
                size_bytes += len(data)
                if size_bytes > MOST_ARTIFACT_BYTES:
                    return None
                digest.update(data)
        except OSError:
            return None
        finally:
            os.close(file)
        return Artifact(
            name=name,
            path=str(path),
            mime=mimetypes.guess_type(name)[0] or "application/octet-stream",
            size_bytes=size_bytes,
            sha256=digest.hexdigest(),
        )

    def _open(self, name: str) -> int:
        """Open a file below the root one folder at a time, following no link on the way."""
        flags = os.O_RDONLY | NO_FOLLOW | NO_BLOCK | getattr(os, "O_BINARY", 0)
        if not HAS_DIR_FD:
            return os.open(self._root / name, flags)
        folder = os.open(self._root, os.O_RDONLY | FOLDER)
        try:
            *folders, last = name.split("/")
            for part in folders:
                inner = os.open(part, os.O_RDONLY | FOLDER | NO_FOLLOW, dir_fd=folder)
                os.close(folder)
                folder = inner
            return os.open(last, flags, dir_fd=folder)
        finally:
            os.close(folder)
