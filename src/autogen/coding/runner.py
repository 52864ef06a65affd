"""The one program inside every wall: runs code blocks for the host that started it.

A single file of standard library, started as `python -I runner.py` with the wall already around it.
It forks a child per block from its warm interpreter, applies limits, streams output, and kills
whatever a block leaves behind. It talks to the host in frames over stdin and stdout; the host
trusts none of them. Nothing imports this file; `link.py` is the other end.

A frame is a 5-byte header (`>IB`: length of the body, kind) and the body: from the host `marshal`,
which trusts who wrote it; to the host JSON, but for OUT.

    host -> runner   SETUP, RUN, KILL, ANSWER, HOLD   runner -> host   READY, OUT, EXIT, ASK

In this order: the channel to the host (Frames, Output); the watch over what a block uses (Watch);
the loop that serves the host (Runner: set-up, one block, requests for packages, the child); small
tools; Python blocks, from `run_python` to the traceback.
"""

from __future__ import annotations

# A cold start waits for every import here: `json`, `re`, `signal`, `socket`, `collections`,
# `importlib` and `typing` would double the time that the interpreter takes to come up. `warm_up`
# imports them when nobody waits; before that only what needs one does, in its own function.
import _ctypes
import _imp
import _signal as signal  # type: ignore[import-not-found]
import _socket
import _struct as struct
import atexit
import builtins
import errno
import gc
import marshal
import os
import resource
import select
import sys
import time
from _collections import deque  # type: ignore[import-not-found]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from re import Match
    from types import CodeType, ModuleType
    from typing import Any, NoReturn

SETUP, RUN, KILL, ANSWER, HOLD = b"SRKAH"
READY, OUT, EXIT, ASK = b"roxa"

HEADER = struct.Struct(">IB")
CHUNK_BYTES = 65536
ASK_BYTES = 65536
TICK_S = 0.05
DISK_TICK_S = 0.25
#: How often the folder of a block is measured without a reason, and how long that may take.
LOOK_S, LONGEST_LOOK_S = 1.0, 0.2
MOST_FILES = 100_000
#: A single file that reaches the limit gets an error it can handle (RLIMIT_FSIZE); the watch, which
#: ends the whole block, counts file systems' overhead too and must not be faster than that error.
DISK_SLACK_BYTES = 4 << 20
#: Where a block finds the packages that were installed for it, unless the wall says otherwise; the
#: wall puts it on the import path.
LAYER = "/run/autogen/layer"
# Room above the memory limit for address space that is mapped but never touched, such as thread
# stacks.
DATA_SLACK_BYTES = 512 << 20

SYS_LANDLOCK_CREATE_RULESET, SYS_LANDLOCK_RESTRICT_SELF, LANDLOCK_SCOPE_SIGNAL = 444, 446, 2
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER = 1, 4, 36


class _Int(_ctypes._SimpleCData):  # type: ignore[type-arg]
    _type_ = "i"


class _Function(_ctypes.CFuncPtr):
    _flags_ = 1  # as C calls
    _restype_ = _Int


def c_function(name: str) -> _Function:
    """A function of the C library, as `ctypes` makes them: its import takes 4 ms, this nothing."""
    library = _ctypes.dlopen(None, 0)  # type: ignore[arg-type]
    return _Function(_ctypes.dlsym(library, name))


_prctl, _syscall, _fflush = map(c_function, ("prctl", "syscall", "fflush"))
#: As tracebacks name this file; it may be run from compiled code.
THIS_FILE = (lambda: None).__code__.co_filename
#: What the interpreter of every block has imported.
USUAL = (
    "ctypes",
    "importlib.machinery",
    "json",
    "linecache",
    "re",
    "signal",
    "socket",
    "types",
    "typing",
)
#: Run once in each fork that stands by.
REHEARSAL = b"import os\ndef f(x):\n    return [x, str(x)]\nfor i in range(3):\n    f(i)\n"


class Frames:
    """The host's end of stdin and stdout, moved to descriptors that no block inherits."""

    def __init__(self) -> None:
        self.inlet = os.dup(0)
        self.outlet = os.dup(1)
        self.pending = b""
        self.arrived: deque[tuple[int, Any]] = deque()
        null = os.open("/dev/null", os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)
        os.close(null)

    def send(self, kind: int, body: bytes) -> None:
        """Write one frame whole; the host always reads, so this waits only for a slow reader."""
        rest = memoryview(HEADER.pack(len(body), kind) + body)
        while rest:
            rest = rest[os.write(self.outlet, rest) :]

    def tell(self, kind: int, **fields: Any) -> None:
        """Write one JSON frame."""
        self.send(kind, as_json(fields).encode())

    def receive(self) -> None:
        """Read what has arrived; ends the runner when the host is gone."""
        data = os.read(self.inlet, CHUNK_BYTES)
        if not data:
            os._exit(0)
        self.pending += data
        while len(self.pending) >= HEADER.size:
            length, kind = HEADER.unpack_from(self.pending)
            end = HEADER.size + length
            if len(self.pending) < end:
                break
            body, self.pending = self.pending[HEADER.size : end], self.pending[end:]
            self.arrived.append((kind, marshal.loads(body) if body else None))


class Output:
    """What a block wrote: the head goes out at once, the tail is kept, the rest counted."""

    def __init__(self, frames: Frames, *, keep_bytes: int) -> None:
        self.frames = frames
        self.head_left = self.tail_limit = keep_bytes
        self.tail: deque[bytes] = deque()
        self.tail_bytes = 0
        self.left_out_bytes = 0

    def add(self, data: bytes) -> None:
        """Take what was read from the block."""
        if self.head_left:
            self.frames.send(OUT, data[: self.head_left])
            data, taken = data[self.head_left :], len(data[: self.head_left])
            self.head_left -= taken
        if data:
            self.tail.append(data)
            self.tail_bytes += len(data)
            while self.tail_bytes - len(self.tail[0]) >= self.tail_limit:
                gone = self.tail.popleft()
                self.tail_bytes -= len(gone)
                self.left_out_bytes += len(gone)

    def finish(self) -> int:
        """Send the tail; the number of bytes that were left out before it."""
        tail = b"".join(self.tail)
        extra = max(0, len(tail) - self.tail_limit)
        tail = tail[extra:]
        left_out = self.left_out_bytes + extra
        if left_out:
            self.frames.send(OUT, f"\n[... {left_out:,} bytes of output left out ...]\n".encode())
        for start in range(0, len(tail), CHUNK_BYTES):
            self.frames.send(OUT, tail[start : start + CHUNK_BYTES])
        return left_out


class Watch:
    """Looks at what all processes of a block use; rlimits count only one at a time.

    `spare` is how many processes below the limit a block already ends.
    """

    def __init__(
        self,
        limits: dict[str, int],
        folder: str,
        processes: Callable[[], list[str]],
        *,
        spare: int = 0,
    ) -> None:
        self.memory_bytes = limits["memory_bytes"]
        self.disk_bytes = limits["disk_bytes"]
        self.processes = limits["processes"] - spare
        self.running = processes
        self.page_bytes = os.sysconf("SC_PAGE_SIZE")
        self.folder = folder
        self.next_disk_s = self.next_look_s = 0.0
        self.before = self._free()
        self.first_look: tuple[int, int] | None = None

    def broken(self) -> str | None:
        """The limit that was passed, if any: "memory", "processes", "disk" or "files"."""
        pids = self.running()
        if sum(map(self._threads, pids)) > self.processes:
            return "processes"
        # Resident pages count a shared page once per process: cheap, never too low, so it only
        # decides whether the exact figure is worth asking for.
        looks_like_it = sum(map(self._resident, pids)) > self.memory_bytes
        if looks_like_it and sum(map(self._own, pids)) > self.memory_bytes:
            return "memory"
        return self._disk()

    def _threads(self, pid: str) -> int:
        """Threads of a process: the folder of them has one link each, and two of its own."""
        try:
            return os.stat(f"/proc/{pid}/task").st_nlink - 2
        except OSError:
            return 0

    def _resident(self, pid: str) -> int:
        try:
            with open(f"/proc/{pid}/statm", "rb") as file:
                return int(file.read().split()[1]) * self.page_bytes
        except (OSError, IndexError):
            return 0

    def _own(self, pid: str) -> int:
        try:
            with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
                names = (b"Pss_Anon:", b"Pss_Shmem:")
                return sum(int(line.split()[1]) for line in file if line.startswith(names)) * 1024
        except ProcessLookupError:
            return 0
        except OSError:
            return self._resident(pid)

    def _free(self) -> tuple[int, int]:
        """Free bytes and free inodes where the folder lies."""
        try:
            state = os.statvfs(self.folder)
        except OSError:
            return 0, 0
        return state.f_bavail * state.f_frsize, state.f_favail

    def _disk(self) -> str | None:
        now = time.monotonic()
        if now < self.next_disk_s:
            return None
        self.next_disk_s = now + DISK_TICK_S
        free = self._free()
        too_big = self.before[0] - free[0] > self.disk_bytes
        too_many = self.before[1] - free[1] > MOST_FILES
        # Free space says cheaply that somebody wrote a lot; only then is the folder itself
        # measured.
        if too_big or too_many:
            size_bytes, files = folder_use(self.folder, deadline_s=now + 1)
            if too_big and size_bytes > self.disk_bytes + DISK_SLACK_BYTES:
                return "disk"
            if too_many and files > MOST_FILES:
                return "files"
        return self._grown(now) if now >= self.next_look_s else None

    def _grown(self, now: float) -> str | None:
        """What the folder itself says, which free space does not where others delete meanwhile."""
        use = folder_use(self.folder, deadline_s=now + LONGEST_LOOK_S)
        took_s = time.monotonic() - now
        self.next_look_s = now + max(LOOK_S, 20 * took_s)
        if took_s >= LONGEST_LOOK_S:
            # It was not counted whole.
            return None
        if self.first_look is None:
            self.first_look = use
        if use[0] - self.first_look[0] > self.disk_bytes + DISK_SLACK_BYTES:
            return "disk"
        return "files" if use[1] - self.first_look[1] > MOST_FILES else None


def folder_use(folder: str, *, deadline_s: float) -> tuple[int, int]:
    """Bytes and entries under `folder`, as far as they could be counted until `deadline_s`."""
    size_bytes = files = 0
    waiting = [folder]
    while waiting and time.monotonic() < deadline_s:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    files += 1
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        size_bytes += entry.stat(follow_symlinks=False).st_blocks * 512
        except OSError:
            continue
    return size_bytes, files


class Reply:
    """Where an answer goes that was asked for by a pipe; closed like a socket."""

    def __init__(self, path: str) -> None:
        self.fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)

    def sendall(self, data: bytes) -> None:
        """Write the answer, which fits into a pipe."""
        os.write(self.fd, data)

    def close(self) -> None:
        """Hang up."""
        os.close(self.fd)

    def detach(self) -> None:
        """Let go, in a fork that closes its descriptors by number."""


class Runner:
    """Serves the host until it hangs up."""

    def __init__(self) -> None:
        self.frames = Frames()
        self.alone = os.getpid() == 1
        self.path = [entry for entry in sys.path if entry]
        self.limits: dict[str, int] = {}
        self.asks: _socket.socket | None = None
        self.ask_pipe = -1
        self.callers: dict[int, _socket.socket | Reply] = {}
        self.layer_link = LAYER
        self.sees_others = False
        #: Version of Landlock, where that is the wall around this process.
        self.landlock = 0
        self.next_ask = 0
        self.deaths = -1
        self.is_warm = False
        #: Device and inode of the folder where blocks run, if the host asked.
        self.place: list[int] | None = None
        #: The fork that stands by: its pid, the pipe of its output, the pipe for its orders.
        self.waiting: tuple[int, int, int] | None = None

    def serve(self) -> None:
        """Do what the host says, until it hangs up."""
        _prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
        _prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        # A change of user id on the way in clears the signal that bubblewrap asked for.
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        # Each orphan that dies wakes the loop, to be buried before it counts against the limit.
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        self.deaths, wake = os.pipe()
        for end in (self.deaths, wake):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
        sys.stderr.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
        poll = select.poll()
        poll.register(self.frames.inlet, select.POLLIN)
        while True:
            poll.poll()
            self.frames.receive()
            while self.frames.arrived:
                kind, body = self.frames.arrived.popleft()
                if kind == SETUP:
                    self.set_up(body)
                elif kind == RUN:
                    self.run(body)

    def set_up(self, setup: dict[str, Any]) -> None:
        """Lay out the files the host hands in and say who is here."""
        self.limits = setup["limits"]
        self.layer_link = setup.get("layer_link", LAYER)
        if shared := setup.get("shared"):
            # Signals go no further than the wall, though other processes can be seen.
            self.alone = True
            self.landlock = shared["abi"]
            self.sees_others = True
            make_folder(os.path.join(shared["folder"], "tmp"))
        if not setup.get("keep_env"):
            os.environ.clear()
        os.environ.update(setup["env"])
        # Python remembers of a path that it is missing, so an empty layer stands in for none.
        self.link_layer(setup["layer"] or make_folder(os.path.join(setup["home"], "..", "none")))
        for path, (text, mode) in setup["files"].items():
            os.makedirs(os.path.dirname(path), exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            with open(os.open(path, flags, mode), "w", encoding="utf-8") as file:
                file.write(text)
        for path, target in setup["links"].items():
            os.symlink(target, path)
        os.makedirs(setup["home"], exist_ok=True)
        self.write_passwd(os.path.dirname(setup["home"]), setup["home"])
        if setup.get("gate"):
            self.pass_listener_out(**setup["gate"])
        if setup.get("socket"):
            self.asks = _socket.socket(_socket.AF_UNIX)
            self.asks.bind(setup["socket"])
            self.asks.listen(16)
        if setup.get("fifo"):
            os.mkfifo(setup["fifo"], 0o600)
            self.ask_pipe = os.open(setup["fifo"], os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self.path = [*setup["path_first"], *self.path]
        self.path += [entry for entry in setup["path_last"] if entry not in self.path]
        troubles = self.preload(setup.get("preload", ()))
        if not setup.get("at_once"):
            self.warm_up()
        if folder := setup.get("folder"):
            state = os.stat(folder)
            self.place = [state.st_dev, state.st_ino]
        self.frames.tell(
            READY,
            pid=os.getpid(),
            uid=os.getuid(),
            version=".".join(map(str, sys.version_info[:3])),
            platform=f"{sys.platform}-{os.uname().machine}",
            abi=_imp.extension_suffixes()[0],
            executable=sys.executable,
            troubles=troubles,
            folder=self.place,
        )
        self.stand_by()

    def warm_up(self) -> None:
        """Do once what would otherwise be done in each block."""
        self.is_warm = True
        for name in USUAL:
            __import__(name)
        # The first compilation in a process builds the types of the syntax tree, which takes as
        # long as the rest of a small block.
        rehearse()
        gc.collect()
        gc.freeze()

    def preload(self, names: list[str]) -> dict[str, str]:
        """Import modules for all blocks to come; what went wrong, by name."""
        troubles = {}
        before = sys.path[:]
        sys.path[:] = self.path
        for name in names:
            try:
                __import__(name)
            except BaseException as error:
                troubles[name] = f"{type(error).__name__}: {error}"[:500]
        sys.path[:] = before
        return troubles

    def pass_listener_out(self, fd: int, port: int) -> None:
        """Open the socket that the host serves as the way out, and keep no hold on it."""
        host, way_out = _socket.socket(fileno=fd), _socket.socket()
        way_out.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
        way_out.bind(("127.0.0.1", port))
        way_out.listen(128)
        rights = struct.pack("i", way_out.fileno())
        host.sendmsg([b"gate"], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)])
        host.close()
        way_out.close()

    def write_passwd(self, folder: str, home: str) -> None:
        """Give the id that this wall runs under a name; /etc links here."""
        uid, gid = os.getuid(), os.getgid()
        lines = {
            "passwd": f"root:x:0:0::/:/bin/sh\nsandbox:x:{uid}:{gid}::{home}:/bin/sh\n",
            "group": f"root:x:0:\nsandbox:x:{gid}:\n",
        }
        for name, text in lines.items():
            with open(os.path.join(folder, name), "w", encoding="ascii") as file:
                file.write(text)

    def running(self) -> list[str]:
        """The pids of everything inside but this runner."""
        if self.sees_others:
            return self.descendants()
        return [name for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]

    def descendants(self) -> list[str]:
        """The pids of what this runner started, and of what that started."""
        found: list[str] = []
        waiting = [str(os.getpid())]
        while waiting:
            place = f"/proc/{waiting.pop()}/task"
            try:
                for thread in os.listdir(place):
                    with open(f"{place}/{thread}/children", encoding="ascii") as file:
                        below = file.read().split()
                    found += below
                    waiting += below
            except OSError:
                continue
        return found

    # -- one block ---------------------------------------------------------------------------------

    def run(self, job: dict[str, Any]) -> None:
        """Run one block and report it."""
        started_s = time.monotonic()
        watch = Watch(self.limits, job["cwd"], self.running, spare=job.get("spare", 0))
        output = Output(self.frames, keep_bytes=job["keep_bytes"])
        try:
            child, reader = self.send_off(job)
        except OSError:
            self.frames.tell(EXIT, code=1, reason="fork", seconds=0.0, left_out=0)
            return
        deadline_s = started_s + job["timeout_s"]
        reason = self.attend(child, reader, output, watch, deadline_s, deadline_s + job["pause_s"])
        status = self.clear(child)
        while data := read_some(reader):
            output.add(data)
        os.close(reader)
        left_out = output.finish()
        self.frames.tell(
            EXIT,
            code=os.waitstatus_to_exitcode(status) if status is not None else -signal.SIGKILL,
            reason=reason,
            seconds=round(time.monotonic() - started_s, 6),
            left_out=left_out,
        )
        if not self.is_warm and job["kind"] == "python":
            self.warm_up()
        self.stand_by()

    def stand_by(self) -> None:
        """Fork the next block ahead of time, so that forking is not part of anybody's wait."""
        reader, writer = os.pipe()
        orders, order = os.pipe()
        try:
            child = os.fork()
        except OSError:
            for fd in (reader, writer, orders, order):
                os.close(fd)
            return
        if child == 0:
            self.become(writer, orders)
        os.close(writer)
        os.close(orders)
        os.set_blocking(reader, False)
        self.waiting = (child, reader, order)

    def send_off(self, job: dict[str, Any]) -> tuple[int, int]:
        """Start the block in the fork that stands by; its pid and the pipe of its output."""
        for _ in range(2):
            if self.waiting is None:
                self.stand_by()
            if self.waiting is None:
                break
            child, reader, order = self.waiting
            self.waiting = None
            try:
                with os.fdopen(order, "wb") as file:
                    file.write(marshal.dumps(job))
            except OSError:
                # It is gone, out of memory perhaps: the next one is fresh.
                os.close(reader)
                continue
            return child, reader
        raise OSError(errno.EAGAIN, "no process can be started")

    def attend(
        self,
        child: int,
        reader: int,
        output: Output,
        watch: Watch,
        deadline_s: float,
        latest_s: float,
    ) -> str | None:
        """Carry output and requests until the block ends; why it has to be killed, if it has.

        The deadline moves on while a request is open, but not beyond `latest_s`; while a person is
        asked, both do.
        """
        done = os.pidfd_open(child)
        poll = select.poll()
        poll.register(done, select.POLLIN)
        poll.register(reader, select.POLLIN)
        poll.register(self.frames.inlet, select.POLLIN)
        poll.register(self.deaths, select.POLLIN)
        if self.asks:
            poll.register(self.asks, select.POLLIN)
        if self.ask_pipe >= 0:
            poll.register(self.ask_pipe, select.POLLIN)
        is_held = False
        last_s = time.monotonic()
        next_tick_s = last_s + TICK_S
        try:
            while True:
                now = time.monotonic()
                if is_held:
                    # A person is asked, by the host, who knows how long that may take.
                    deadline_s += now - last_s
                    latest_s += now - last_s
                elif self.callers:
                    # Installing packages is the host's work and has the host's own limit.
                    deadline_s = min(latest_s, deadline_s + now - last_s)
                last_s = now
                while self.frames.arrived:
                    kind, body = self.frames.arrived.popleft()
                    if kind == KILL:
                        return "killed"
                    if kind == ANSWER:
                        self.answer(body)
                    if kind == HOLD:
                        is_held = body["is_held"]
                if now >= deadline_s:
                    return "timeout"
                if now >= next_tick_s:
                    if broken := watch.broken():
                        return broken
                    next_tick_s = time.monotonic() + TICK_S
                pause_s = max(0.0, min(next_tick_s, deadline_s) - time.monotonic())
                ready = {fd for fd, _ in poll.poll(pause_s * 1000 + 1)}
                if reader in ready:
                    data = read_some(reader)
                    if data:
                        output.add(data)
                    elif data is not None:
                        poll.unregister(reader)
                if self.deaths in ready:
                    while read_some(self.deaths):
                        pass
                    self.reap(child)
                if self.asks and self.asks.fileno() in ready:
                    self.take_ask()
                if self.ask_pipe in ready:
                    self.take_lines()
                if self.frames.inlet in ready:
                    self.frames.receive()
                if done in ready:
                    return None
        finally:
            os.close(done)
            for caller in self.callers.values():
                caller.close()
            self.callers.clear()

    def clear(self, child: int) -> int | None:
        """Kill the block and everything it left running; the wait status of the block itself."""
        status: int | None = None
        while True:
            if self.alone:
                # As process 1 of the wall this reaches everything inside it and nothing else.
                kill(-1)
            else:
                kill(-child)
                kill(child)
            try:
                pid, found = os.waitpid(-1, 0 if self.alone else os.WNOHANG)
            except ChildProcessError:
                return status
            if pid == child:
                status = found
            elif pid == 0:
                for orphan in children():
                    kill(orphan)
                time.sleep(0.001)

    def reap(self, child: int) -> None:
        """Bury orphans while the block runs: each would count against its process limit."""
        while True:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if found is None or found.si_pid == child:
                return
            os.waitpid(found.si_pid, 0)

    # -- requests of the pip shim ------------------------------------------------------------------

    def take_ask(self) -> None:
        """Pass a request for packages on; whoever does not speak at once is not waited for."""
        assert self.asks is not None
        import json

        fd, _ = self.asks._accept()  # type: ignore[attr-defined]
        caller = _socket.socket(fileno=fd)
        caller.settimeout(0.5)
        try:
            data = b""
            while not data.endswith(b"\n") and len(data) < ASK_BYTES:
                part = caller.recv(ASK_BYTES)
                if not part:
                    break
                data += part
            request = json.loads(data)
        except (OSError, ValueError, RecursionError):
            caller.close()
            return
        self.pass_on(request, caller)

    def take_lines(self) -> None:
        """Pass requests on that came by the pipe; each names the pipe for its answer."""
        import json

        for line in (read_some(self.ask_pipe) or b"").splitlines():
            try:
                message = json.loads(line)
                caller = Reply(message["reply"])
            except (OSError, ValueError, TypeError, KeyError, RecursionError):
                continue
            self.pass_on(message.get("request"), caller)

    def pass_on(self, request: Any, caller: _socket.socket | Reply) -> None:
        """Ask the host."""
        import json

        if len(self.callers) >= 8:
            caller.close()
            return
        self.next_ask += 1
        self.callers[self.next_ask] = caller
        asked = json.dumps({"id": self.next_ask, "request": request})
        self.frames.send(ASK, asked.encode())

    def link_layer(self, folder: str | None) -> None:
        """Point the one entry of every import path at another layer of packages."""
        if folder:
            link = self.layer_link
            os.makedirs(os.path.dirname(link), exist_ok=True)
            if os.path.lexists(link + ".new"):
                os.unlink(link + ".new")
            os.symlink(folder, link + ".new")
            os.rename(link + ".new", link)

    def answer(self, body: dict[str, Any]) -> None:
        """Hand the host's answer to whoever asked."""
        import json

        try:
            self.link_layer(body["answer"].get("layer"))
        except OSError as error:
            body["answer"] = {"exit": 1, "text": f"The packages could not be linked: {error}"}
        caller = self.callers.pop(body["id"], None)
        if caller is None:
            return
        try:
            caller.sendall(json.dumps(body["answer"]).encode() + b"\n")
        except OSError:
            pass
        caller.close()

    # -- the child ---------------------------------------------------------------------------------

    def become(self, writer: int, orders: int) -> NoReturn:
        """Turn this fork into a block, as soon as there is one."""
        try:
            os.setsid()
            os.dup2(writer, 1)
            os.dup2(writer, 2)
            for open_socket in (self.asks, *self.callers.values()):
                if open_socket:
                    open_socket.detach()
            os.dup2(orders, 3)
            os.closerange(4, 1 << 20)
            self.limit()
            self.confine_signals()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            if self.is_warm:
                rehearse()
            data = b""
            while part := os.read(3, CHUNK_BYTES):
                data += part
            os.close(3)
            job = marshal.loads(data)
            _prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
            go_first()
            os.chdir(job["cwd"])
            for name, text in job.get("files", {}).items():
                put_file(name, text)
            if job["kind"] == "python":
                run_python(job["file"], job["name"], self.path, job["out_of_memory"])
            replace(job["argv"])
        except BaseException as error:
            leave(f"The block could not be started: {error}", 126)

    def confine_signals(self) -> None:
        """Keep the block's signals from this runner, where it is not process 1.

        Source: linux/landlock.h; rules without any but that signals stay inside.
        """
        if self.landlock < 6:
            return
        attributes = struct.pack("QQQ", 0, 0, LANDLOCK_SCOPE_SIGNAL)
        rules = _syscall(SYS_LANDLOCK_CREATE_RULESET, attributes, len(attributes), 0)
        if rules < 0 or _syscall(SYS_LANDLOCK_RESTRICT_SELF, rules, 0) < 0:
            leave("The block could not be confined.", 126)
        os.close(rules)

    def limit(self) -> None:
        """Put the limits on this process that the kernel keeps per process."""
        memory = self.limits["memory_bytes"] + DATA_SLACK_BYTES
        for kind, value in (
            (resource.RLIMIT_DATA, memory),
            (resource.RLIMIT_FSIZE, self.limits["disk_bytes"]),
            (resource.RLIMIT_NPROC, self.limits.get("user_processes", self.limits["processes"])),
            (resource.RLIMIT_CORE, 0),
        ):
            _, hard = resource.getrlimit(kind)
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(kind, (value, value))


def as_json(value: Any) -> str:
    """`json.dumps` of words and numbers, without the import."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{as_json(key)}:{as_json(value[key])}" for key in value) + "}"
    if isinstance(value, str):
        units = memoryview(value.encode("utf-16-le", "surrogatepass")).cast("H")
        plain = (chr(unit) if 32 <= unit < 127 and unit not in b'"\\' else "" for unit in units)
        both = zip(plain, units, strict=True)
        return '"' + "".join(char or f"\\u{unit:04x}" for char, unit in both) + '"'
    return "null" if value is None else repr(value)


def put_file(name: str, text: str) -> None:
    """Write a file of the host's that it cannot write itself, in the place of what was there."""
    os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
    beside = f"{name}.{os.urandom(8).hex()}.tmp"
    with open(beside, "x", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
    os.replace(beside, name)


def go_first() -> None:
    """See to it that the kernel, short of memory, ends this process before any other.

    Only a process that others may look into may say that of itself.
    """
    try:
        file = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
    except OSError:
        return
    try:
        os.write(file, b"1000")
    finally:
        os.close(file)


def read_some(reader: int) -> bytes | None:
    """What can be read at once; None where that is nothing yet."""
    try:
        return os.read(reader, CHUNK_BYTES)
    except BlockingIOError:
        return None


def kill(pid: int) -> None:
    """Kill a process, or a group, or everything, if it is there and may be."""
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def children() -> list[int]:
    """The direct children of this process."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    parent = file.read().rpartition(b")")[2].split()[1]
            except OSError:
                continue
            if int(parent) == os.getpid():
                found.append(int(name))
    return found


def make_folder(path: str) -> str:
    """`path`, which is a folder afterwards."""
    path = os.path.normpath(path)
    os.makedirs(path, exist_ok=True)
    return path


def leave(text: str, code: int) -> NoReturn:
    """End a fork at once with a word to the reader."""
    os.write(2, text.encode("utf-8", "backslashreplace") + b"\n")
    os._exit(code)


def replace(argv: list[str]) -> NoReturn:
    """Become another program."""
    for name in ("SIGPIPE", "SIGXFSZ"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    try:
        os.execvp(argv[0], argv)
    except FileNotFoundError:
        leave(f"{argv[0]} is not installed where the code runs.", 127)
    except OSError as error:
        leave(f"{argv[0]} could not be started: {error}", 126)


def rehearse() -> None:
    """Run a block that does nothing.

    A page of memory that a fork shares is copied at the first write to it; the pages that every
    block writes to are copied this way while nobody waits.
    """
    module = type(sys)("__main__")
    module.__builtins__ = builtins  # type: ignore[attr-defined]
    marshal.loads(marshal.dumps({"kind": "python", "keep_bytes": 1, "seconds": [1.5, None]}))
    with open(os.devnull, "rb") as file:
        file.read()
    REHEARSAL.decode().splitlines(keepends=True)
    exec(compile_block(REHEARSAL, "first"), module.__dict__)
    module.__dict__.clear()
    gc.collect()


# -- Python blocks ---------------------------------------------------------------------------------


def run_python(file: str, name: str, path: list[str], out_of_memory: str) -> NoReturn:
    """Run `file` as `python name` would, in this very interpreter, and end.

    `out_of_memory` is what to say below the traceback of a MemoryError that nobody caught.
    """
    preloaded = frozenset(sys.modules)
    module = type(sys)("__main__")
    module.__file__ = file
    module.__builtins__ = builtins  # type: ignore[attr-defined]
    sys.modules["__main__"] = module
    sys.argv = [name]
    sys.path[:] = [os.path.dirname(file), *path]
    try:
        with open(file, "rb") as source_file:
            source = source_file.read()
        # The traceback names the file relative to the folder, which the block may leave.
        if linecache := sys.modules.get("linecache"):
            lines = source.decode("utf-8", "replace").splitlines(keepends=True)
            linecache.cache[name] = (len(source), None, lines, name)
        code = compile_block(source, name)
        exec(code, module.__dict__)
        status = 0
    except SystemExit as end:
        status = exit_code(end)
    except BaseException as error:
        status = report(error, out_of_memory)
    finish(module, preloaded)
    os._exit(status)


def finish(module: ModuleType, preloaded: frozenset[str]) -> None:
    """Do what the interpreter does at its end and a program can notice.

    Waits for threads, runs exit handlers, and lets go of what the block's modules hold, so that
    files are flushed. Taking the whole interpreter apart as well would cost more than most blocks
    do.
    """
    try:
        if threading := sys.modules.get("threading"):
            threading._shutdown()
        atexit._run_exitfuncs()
        folder = sys.path[0]
        for name in [name for name in sys.modules if name not in preloaded]:
            found = sys.modules.pop(name)
            if str(getattr(found, "__file__", None)).startswith(folder):
                vars(found).clear()
        module.__dict__.clear()
        gc.collect()
    except BaseException as error:
        report(error, "")
    for stream in {sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__}:
        try:
            stream.flush()  # type: ignore[union-attr]
        except Exception:
            continue
    # Libraries written in C have buffers of their own.
    _fflush(None)


def compile_block(source: bytes, name: str) -> CodeType:
    """The code of a block; where Python fails, `!commands` of a notebook are taken too."""
    try:
        return compile(source, name, "exec", dont_inherit=True)
    except SyntaxError:
        import re

        changed = re.sub(rb"^([ \t]*)[!%] *([A-Za-z].*)$", shell_line, source, flags=re.M)
        if changed == source:
            raise
        try:
            return compile(changed, name, "exec", dont_inherit=True)
        except SyntaxError:
            pass
        raise


def shell_line(found: Match[bytes]) -> bytes:
    """A line of a notebook as Python; other magics than those that install do nothing."""
    command = found[2].rstrip().decode("utf-8", "surrogateescape")
    if found[0].lstrip()[:1] == b"%" and not command.startswith(("pip ", "uv ", "conda ")):
        return found[1] + b"pass"
    call = f"__import__('subprocess').run({command!r}, shell=True)"
    return found[1] + call.encode("utf-8", "backslashreplace")


def exit_code(end: SystemExit) -> int:
    """The exit code that `sys.exit` was called with."""
    if end.code is None:
        return 0
    if isinstance(end.code, int):
        return end.code & 0xFF
    print(end.code, file=sys.stderr)
    return 1


def report(error: BaseException, out_of_memory: str) -> int:
    """Print an error as Python does at its top level, without the frames of this file."""
    trace = error.__traceback__
    while trace and trace.tb_frame.f_code.co_filename == THIS_FILE:
        trace = trace.tb_next
    try:
        sys.stdout.flush()
        sys.excepthook(type(error), error.with_traceback(trace), trace)
    except SystemExit as end:
        return exit_code(end)
    except BaseException:
        os.write(2, b"The error could not be printed.\n")
    if isinstance(error, MemoryError):
        os.write(2, out_of_memory.encode() + b"\n")
    if isinstance(error, OSError) and error.errno == errno.EFBIG:
        os.write(2, b"A file grew past the disk limit of the sandbox.\n")
    return 130 if isinstance(error, KeyboardInterrupt) else 1


if __name__ == "__main__":
    Runner().serve()
