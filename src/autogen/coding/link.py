"""The host's end of the frames that `runner.py` speaks.

Every byte that comes out of a wall is treated as hostile: frames have bounded sizes, kinds and
order, and a runner that breaks the rules is lost: killed by whoever holds the link, and replaced.
"""

from __future__ import annotations

import json
import marshal
import os
import select
import signal
import socket
import struct
import subprocess
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from .errands import Ask, Errands
from .gate import Contact, Gate, Plea
from .group import Group
from .output import KEEP_BYTES
from .waker import Waker

__all__ = ["Link", "Outcome", "RunnerLost", "passed_socket"]

SETUP, RUN, KILL, ANSWER, HOLD = b"SRKAH"
READY, OUT, EXIT, ASK = b"roxa"

HEADER = struct.Struct(">IB")
MOST_BODY_BYTES = 256 * 1024
#: How long the clock of one block stands still at most, while packages are installed for it.
MOST_PAUSE_S = 900.0
#: How long after its own deadline a runner may take to say that a block timed out.
GRACE_S = 3.0
#: How long a runner may take to end a block on request before it is killed itself.
KILL_S = 0.5

#: Asked whether a host that was refused may be reached after all.
Allow = Callable[[Plea], bool]


class RunnerLost(Exception):
    """The runner died, stopped answering or broke the rules; the message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a block ended.

    Attributes:
        code: Exit code; negative for the signal that ended it.
        reason: None if it ended by itself, else the limit that it passed ("timeout", "memory",
            "processes", "disk", "files"), "killed", or "fork" if it could not begin.
        seconds: Wall time inside.
    """

    code: int
    reason: str | None
    seconds: float


class Told(NamedTuple):
    """The exit code of a program, and what it printed."""

    code: int
    output: bytes


class Link:
    """Talks to one runner over the pipes of one process.

    Attributes:
        hello: What the runner said about itself.
        gate: The way out of its wall, if it has one; ends with the link.
        group: What the kernel counts everything behind its wall in; removed with the link.
        on_contact: Told in the calling thread of each host that a block reached or was refused.
    """

    def __init__(self, process: subprocess.Popen[bytes]):
        assert process.stdin and process.stdout and process.stderr
        self.process = process
        self._errors = process.stderr.fileno()
        os.set_blocking(self._errors, False)
        # Processes inside may hold the pipes when the one that holds the wall up is gone.
        self._speak_over(
            process.stdout.fileno(), process.stdin.fileno(), life=os.pidfd_open(process.pid)
        )

    def _speak_over(self, inlet: int, outlet: int, *, life: int) -> None:
        """Take these descriptors for the frames; `life` can be read when the runner is gone."""
        self.hello: dict[str, Any] = {}
        self.gate: Gate | None = None
        self.group: Group | None = None
        self.on_contact: Callable[[Contact], None] = lambda contact: None
        self._inlet, self._outlet, self._life = inlet, outlet, life
        for fd in (inlet, outlet):
            os.set_blocking(fd, False)
        self._pending = bytearray()
        self._inner = -1
        _links.add(self)

    # -- life --------------------------------------------------------------------------------------

    def start(self, setup: dict[str, Any], *, timeout_s: float, waker: Waker | None = None) -> None:
        """Hand in the set-up and wait until the runner is ready.

        Raises:
            RunnerLost: It did not come up; the message holds what it wrote to stderr.
        """
        deadline_s = time.monotonic() + timeout_s
        self._send(SETUP, setup)
        while True:
            frame = self._next_frame(deadline_s, waker)
            if frame is None:
                if waker and waker.fired:
                    raise RunnerLost("cancelled while starting")
                if time.monotonic() >= deadline_s:
                    raise RunnerLost(f"not ready after {timeout_s:g} seconds{self._last_words()}")
                continue
            kind, body = frame
            if kind != READY:
                raise RunnerLost("it spoke out of turn while starting")
            self.hello = self._json(body)
            return

    def kill(self) -> None:
        """End the runner and with it everything inside its wall."""
        if self.gate:
            self.gate.close()
        self.strike()
        inner = os.dup(self._inner) if self.group and self._inner >= 0 else -1
        self._close()
        if self.process.poll() is None:
            self.process.kill()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            pass
        self._dissolve(inner)

    def strike(self) -> None:
        """End what runs inside and close nothing: another thread may be talking to it.

        Where process 1 of the wall is not known, whoever holds the wall up sees the caller hang up,
        and cleans up; the descriptor lives on, with nobody at its other end.
        """
        if self._inner >= 0:
            try:
                signal.pidfd_send_signal(self._inner, signal.SIGKILL)
            except OSError:
                pass
        elif self.process.stdin and not self.process.stdin.closed:
            null = os.open(os.devnull, os.O_WRONLY)
            try:
                os.dup2(null, self._outlet, inheritable=False)
            finally:
                os.close(null)

    def hold(self, pid: int) -> None:
        """Remember process 1 of the wall, to kill it directly.

        It dies with the process that started it only if that may signal it, which a change of user
        id on the way in prevents; and it may be stopped, so that it never sees its pipes close.
        """
        try:
            self._inner = os.pidfd_open(pid)
        except ProcessLookupError:
            pass

    def enclose(self, pid: int | None) -> None:
        """Put the first process inside into the group, before anything is asked of it.

        Without it the limits of each process and the watch hold alone.
        """
        if self.group is None:
            return
        try:
            if pid is not None:
                self.group.take(pid)
                return
        except OSError:
            pass
        self._dissolve(-1)

    def _dissolve(self, inner: int) -> None:
        """Remove the group, when the process of the pidfd `inner` is gone, and close that."""
        group, self.group = self.group, None
        if group:
            group.remove(inner)
        if inner >= 0:
            os.close(inner)

    def abandon(self) -> None:
        """Let go of a runner that belongs to the parent process, after a fork."""
        self._close()
        if self.group:
            self.group.let_go()
            self.group = None
        if self.gate:
            self.gate.abandon()
            self.gate = None
        # Popen must neither wait for nor warn about a process that is not this one's child.
        self.process.returncode = 0

    def _close(self) -> None:
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream and not stream.closed:
                stream.close()
        for fd in (self._life, self._inner):
            if fd >= 0:
                os.close(fd)
        self._life = self._inner = -1

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self.process.poll() is None

    # -- one block ---------------------------------------------------------------------------------

    def run(
        self,
        job: dict[str, Any],
        *,
        timeout_s: float,
        on_output: Callable[[bytes], None],
        ask: Ask,
        waker: Waker,
        on_ask: Callable[[dict[str, Any]], None] = lambda request: None,
        allow: Allow | None = None,
        keep_bytes: int = KEEP_BYTES,
    ) -> Outcome:
        """Run one block and wait for its end.

        `ask` answers what the block asks of the host, in a thread of its own; `on_ask` is told
        before, in the calling thread. `allow` is asked there about hosts that were refused; the
        clock of the block stands still meanwhile. Of the output at most twice `keep_bytes` come
        back.

        Ends it early when `waker` fires. Any exception from `on_output`, and KeyboardInterrupt,
        kills the block before it goes on.

        Raises:
            RunnerLost: The runner is gone or not to be trusted any more.
        """
        errands = Errands(ask, on_ask, waker)
        if self.gate:
            self.gate.begin(waker.wake, is_asked=allow is not None)
        try:
            if self.group:
                # What was ended before is no matter of this block's.
                self.group.kills()
            limits = {"timeout_s": timeout_s, "pause_s": MOST_PAUSE_S, "keep_bytes": keep_bytes}
            self._send(RUN, {**job, **limits})
            return self._attend(timeout_s, on_output, errands, waker, allow, keep_bytes)
        except RunnerLost:
            raise
        except BaseException:
            self._stop_block()
            raise
        finally:
            errands.stop()
            if self.gate:
                self.gate.end()

    def run_quietly(
        self,
        argv: list[str],
        *,
        cwd: str,
        timeout_s: float,
        waker: Waker | None = None,
        keep_bytes: int = KEEP_BYTES,
        files: Mapping[str, str] | None = None,
    ) -> Told:
        """Run a program of ours, which asks nothing of the host and is heard by nobody.

        Raises:
            RunnerLost: The runner is gone or not to be trusted any more.
        """
        output = bytearray()
        own = waker or Waker()
        try:
            outcome = self.run(
                {"kind": "command", "argv": argv, "cwd": cwd, "files": dict(files or {})},
                timeout_s=timeout_s,
                on_output=output.extend,
                ask=lambda request, stop: {"exit": 1, "text": "not now"},
                waker=own,
                keep_bytes=keep_bytes,
            )
        finally:
            if waker is None:
                own.close()
        return Told(outcome.code, bytes(output))

    def _tell_contacts(self) -> None:
        for contact in self.gate.contacts() if self.gate else ():
            self.on_contact(contact)

    def _put_pleas(self, allow: Allow | None, most_bytes: int) -> float:
        """Ask about hosts that were refused; the seconds that took."""
        pleas = self.gate.pleas() if self.gate else []
        if not pleas or allow is None or not self.gate:
            return 0.0
        began_s = time.monotonic()
        self._send(HOLD, {"is_held": True})
        with self._drained(most_bytes):
            for plea in pleas:
                self.gate.answer(plea, allow(plea))
        self._send(HOLD, {"is_held": False})
        return time.monotonic() - began_s

    @contextmanager
    def _drained(self, most_bytes: int) -> Iterator[None]:
        """Keep reading inside the `with` block: a runner that cannot write holds no limits."""
        enough = Waker()
        thread = threading.Thread(
            target=self._drain, args=(enough, most_bytes), name="autogen-drain", daemon=True
        )
        thread.start()
        try:
            yield
        finally:
            enough.cancel()
            thread.join()
            enough.close()

    def _drain(self, enough: Waker, most_bytes: int) -> None:
        poll = select.poll()
        for fd in (self._inlet, self._life, enough.fd):
            poll.register(fd, select.POLLIN)
        while len(self._pending) <= most_bytes:
            ready = {fd for fd, _ in poll.poll()}
            if enough.fd in ready:
                return
            try:
                data = self._read()
            except BlockingIOError:
                data = b""
            except (OSError, RunnerLost):
                return
            if not data and ready & {self._life, self._inlet}:
                # Whoever reads next finds out what that means.
                return
            self._pending += data

    def _attend(
        self,
        timeout_s: float,
        on_output: Callable[[bytes], None],
        errands: Errands,
        waker: Waker,
        allow: Allow | None,
        keep_bytes: int,
    ) -> Outcome:
        last_s = time.monotonic()
        deadline_s = last_s + timeout_s + GRACE_S
        latest_s = deadline_s + MOST_PAUSE_S
        left_bytes = 2 * keep_bytes + 1024
        asked_to_stop = False
        while True:
            now_s = time.monotonic()
            if errands.busy:
                deadline_s = min(latest_s, deadline_s + now_s - last_s)
            last_s = now_s
            if now_s >= deadline_s:
                raise RunnerLost("it did not answer in time")
            if waker.fired and not asked_to_stop:
                asked_to_stop = True
                deadline_s = min(deadline_s, now_s + KILL_S)
                errands.stop()
                self._send(KILL, None)
            frame = self._next_frame(deadline_s, waker)
            for answer in errands.done():
                self._send(ANSWER, answer)
            self._tell_contacts()
            if not asked_to_stop and (held_s := self._put_pleas(allow, 2 * left_bytes)):
                deadline_s, latest_s, last_s = (
                    at_s + held_s for at_s in (deadline_s, latest_s, last_s)
                )
            if frame is None:
                continue
            kind, body = frame
            if kind == OUT:
                left_bytes -= len(body)
                if left_bytes < 0:
                    raise RunnerLost("it sent more output than agreed")
                on_output(body)
            elif kind == ASK:
                fields = self._json(body)
                number = fields.get("id")
                if not isinstance(number, int):
                    raise RunnerLost("it sent a malformed request")
                errands.take(number, fields.get("request"))
            elif kind == EXIT:
                return self._outcome(self._json(body))
            else:
                raise RunnerLost("it spoke out of turn")

    def _stop_block(self) -> None:
        """End the block that runs, leaving the runner ready for the next; else kill the runner."""
        try:
            self._send(KILL, None)
            deadline_s = time.monotonic() + KILL_S
            while time.monotonic() < deadline_s:
                frame = self._next_frame(deadline_s, None)
                if frame is not None and frame[0] == EXIT:
                    return
        except RunnerLost:
            pass
        except BaseException:
            self.kill()
            raise
        self.kill()

    def _outcome(self, fields: dict[str, Any]) -> Outcome:
        code, reason, seconds = fields.get("code"), fields.get("reason"), fields.get("seconds")
        known = (None, "timeout", "memory", "processes", "disk", "files", "killed", "fork")
        if not isinstance(code, int) or reason not in known or not isinstance(seconds, float | int):
            raise RunnerLost("it sent a malformed result")
        if self.group and reason is None and code != 0 and self.group.kills():
            reason = "memory"
        return Outcome(code=max(-64, min(code, 255)), reason=reason, seconds=float(seconds))

    # -- frames ------------------------------------------------------------------------------------

    def _send(self, kind: int, fields: Any) -> None:
        # The version that every Python understands, also that of an image or a pod.
        body = b"" if fields is None else marshal.dumps(fields, 2)
        rest = memoryview(HEADER.pack(len(body), kind) + body)
        deadline_s = time.monotonic() + GRACE_S
        poll = select.poll()
        poll.register(self._outlet, select.POLLOUT)
        while rest:
            try:
                rest = rest[os.write(self._outlet, rest) :]
            except BlockingIOError:
                if time.monotonic() > deadline_s:
                    raise RunnerLost("it does not read any more") from None
                poll.poll(100)
            except OSError:
                raise RunnerLost(f"it is gone{self._last_words()}") from None

    def _next_frame(self, deadline_s: float, waker: Waker | None) -> tuple[int, bytes] | None:
        """The next frame; None when the deadline passed or somebody woke us."""
        while True:
            frame = self._take_frame()
            if frame is not None:
                return frame
            poll = select.poll()
            poll.register(self._inlet, select.POLLIN)
            poll.register(self._life, select.POLLIN)
            if waker:
                poll.register(waker.fd, select.POLLIN)
            left_s = deadline_s - time.monotonic()
            ready = poll.poll(max(0.0, left_s) * 1000)
            if not ready:
                return None
            if waker and any(fd == waker.fd for fd, _ in ready):
                waker.drain()
                return None
            try:
                data = self._read()
            except BlockingIOError:
                if any(fd == self._life for fd, _ in ready):
                    raise RunnerLost(f"it is gone{self._last_words()}") from None
                continue
            if not data:
                raise RunnerLost(f"it is gone{self._last_words()}")
            self._pending += data

    def _read(self) -> bytes:
        """What has arrived; empty at the end.

        Raises:
            BlockingIOError: Nothing has.
        """
        return os.read(self._inlet, 65536)

    def _take_frame(self) -> tuple[int, bytes] | None:
        if len(self._pending) < HEADER.size:
            return None
        length, kind = HEADER.unpack_from(self._pending)
        if length > MOST_BODY_BYTES or kind not in (READY, OUT, EXIT, ASK):
            raise RunnerLost("it sent a malformed frame")
        end = HEADER.size + length
        if len(self._pending) < end:
            return None
        body = bytes(self._pending[HEADER.size : end])
        del self._pending[:end]
        return kind, body

    def _json(self, body: bytes) -> dict[str, Any]:
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            raise RunnerLost("it sent a malformed frame") from None
        if not isinstance(value, dict):
            raise RunnerLost("it sent a malformed frame")
        return value

    def _last_words(self) -> str:
        """Why it ended, for people: what the wall wrote to stderr, if it was not the memory."""
        if self.group and self.group.kills():
            return ": what ran behind the wall ran out of memory"
        try:
            self.process.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            pass
        try:
            words = os.read(self._errors, 4096)
        except OSError:
            return ""
        text = words.decode("utf-8", "backslashreplace").strip()
        return f": {text[-800:]}" if text else ""


def passed_socket(stream: socket.socket) -> socket.socket:
    """The listening socket that the runner passed out before it said that it is ready.

    Raises:
        RunnerLost: There is none.
    """
    stream.setblocking(False)
    try:
        _, fds, _, _ = socket.recv_fds(stream, 16, 1)
    except OSError as error:
        raise RunnerLost(f"it passed no socket out: {error}") from None
    if len(fds) != 1:
        raise RunnerLost("it passed no socket out")
    return socket.socket(fileno=fds[0])


def _abandon_all() -> None:
    """In a forked process: a pipe held open here would keep a wall up that nobody uses."""
    for link in list(_links):
        link.abandon()


_links: weakref.WeakSet[Link] = weakref.WeakSet()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon_all)
