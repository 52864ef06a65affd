"""The harness: chats under way, workers that are killed, people who answer, and what must hold.

with Harness(folder, url) as harness:
    harness.submit(30)
    harness.staff(2)
    harness.wait()
    harness.check()
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from tests.crash.audit import ENVIRONMENT, marks
from tests.crash.model import serve

import autogen.journal.base as journal_base
from autogen.errors import AlreadyAnswered, JournalError
from autogen.runtime.runtime import Runtime

__all__ = ["Harness", "Worker", "entries_of", "transcript"]

ROOT = Path(__file__).parents[2]
TEAMS = Path(__file__).parent / "teams"

#: Signs of life in a hurry. The lease is the product's own: a killed process is seen by its pid.
#: Where every worker is killed within a second, a chat is not to blame if it comes no further.
HASTE = {"TICK_S": 0.1, "BEAT_TICKS": 2, "UNANNOUNCED_S": 1.0, "MOST_DEATHS": 1000}

#: Kinds whose outcomes are others in each run.
_PRIVATE = frozenset({"clock", "id", "random"})

#: Chats that one execution may have side by side: the tools of a message, a nested pair.
WIDTH = 3

_STEP_S = 0.05
_START_S = 60.0


@dataclass
class Worker:
    """A worker process.

    Attributes:
        pid: Of the process.
        point: Where it dies by itself, if it does.
        is_dead: It ended.
        was_busy: It had runs under way when it was killed.
    """

    pid: int
    point: str | None = None
    is_dead: bool = False
    was_busy: bool = False
    born_at: float = field(default_factory=time.monotonic)


def _stands(stat: Path) -> bool:
    """Whether a thread is stopped, or has ended."""
    try:
        return stat.read_text().rpartition(") ")[2][0] in "TtZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


class Harness:
    """One database, its workers, and the world around them."""

    def __init__(
        self,
        folder: Path,
        url: str,
        *,
        seed: int = 0,
        delay_s: float = 0.02,
        constants: dict[str, Any] | None = None,
    ):
        self.url = url
        self.folder = folder
        self.random = Random(seed)
        self.constants = {**HASTE, **(constants or {})}
        self.audit = folder / "audit"
        self.workers: list[Worker] = []
        self.cases: list[str] = []
        self.n_kills = 0
        #: How many questions a chat puts into the database.
        self.n_questions = 1
        self.n_busy_kills = 0
        self._model = serve(delay_s)
        self._answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self._ended: dict[int, int] = {}
        self._output = folder / "output"

    def __enter__(self) -> Harness:
        self.folder.mkdir(parents=True, exist_ok=True)
        os.environ[ENVIRONMENT] = str(self.audit)
        self._model.start()
        environment = {**os.environ, "CRASH_MODEL": self._model.base_url}
        os.environ["CRASH_MODEL"] = self._model.base_url
        with self._output.open("ab") as output:
            self._nursery = subprocess.Popen(
                [sys.executable, "-m", "tests.crash.nursery"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                cwd=ROOT,
                env=environment,
            )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self.runtime = Runtime(self.url)
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.alive:
            self._signal(worker, signal.SIGCONT)
            self._signal(worker, signal.SIGKILL)
        assert self._nursery.stdin is not None
        self._nursery.stdin.close()
        self._nursery.wait(timeout=60)
        self._listener.join()
        assert self._nursery.stdout is not None
        self._nursery.stdout.close()
        self.runtime.close()
        self._model.stop()

    # -- processes

    def _listen(self) -> None:
        assert self._nursery.stdout is not None
        for line in self._nursery.stdout:
            told = json.loads(line)
            if "ended" in told:
                self._ended[told["ended"]] = told["code"]
            else:
                self._answers.put(told)

    def spawn(self, do: str, **order: Any) -> int:
        """Have the nursery start a process; its pid."""
        whole = {"do": do, "url": self.url, "output": str(self._output), **order}
        assert self._nursery.stdin is not None
        self._nursery.stdin.write(json.dumps(whole).encode() + b"\n")
        self._nursery.stdin.flush()
        deadline = time.monotonic() + _START_S
        while True:
            with suppress(queue.Empty):
                pid: int = self._answers.get(timeout=1)["started"]
                return pid
            if self._nursery.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"no process could be started:\n{self.output[-3000:]}")

    def hire(self, point: str | None = None, nth: int = 1, **constants: Any) -> Worker:
        """A new worker, which dies at `point` when it comes there for the `nth` time."""
        pid = self.spawn(
            "worker",
            teams=str(TEAMS),
            point=point,
            nth=nth,
            constants={**self.constants, **constants},
        )
        worker = Worker(pid, point)
        self.workers.append(worker)
        return worker

    def staff(self, n: int) -> None:
        """See to it that `n` workers live."""
        while len(self.alive) < n:
            self.hire()

    @property
    def alive(self) -> list[Worker]:
        """The workers that have not ended."""
        for worker in self.workers:
            worker.is_dead = worker.is_dead or worker.pid in self._ended
        return [worker for worker in self.workers if not worker.is_dead]

    def _signal(self, worker: Worker, number: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(worker.pid, number)

    def stop(self, worker: Worker) -> None:
        """SIGSTOP, at a moment at which it does not keep the whole file locked."""
        self._halt(worker)
        while self._is_locked():
            self._signal(worker, signal.SIGCONT)
            time.sleep(0.003)
            self._halt(worker)

    def _halt(self, worker: Worker) -> None:
        """SIGSTOP, until each of its threads stands: on a busy machine one may run on for a bit."""
        self._signal(worker, signal.SIGSTOP)
        threads = Path(f"/proc/{worker.pid}/task")
        self.wait_for(lambda: all(_stands(one) for one in threads.glob("*/stat")), step_s=0.001)

    def _is_locked(self) -> bool:
        if not self.url.startswith("sqlite"):
            return False
        connection = sqlite3.connect(self.url.removeprefix("sqlite:///"), timeout=0.2)
        try:
            connection.execute("begin immediate")
        except sqlite3.OperationalError:
            return True
        finally:
            connection.close()
        return False

    def go_on(self, worker: Worker) -> None:
        """SIGCONT."""
        self._signal(worker, signal.SIGCONT)

    def kill(self, worker: Worker) -> bool:
        """Kill -9; whether it had runs under way."""
        self._signal(worker, signal.SIGSTOP)
        worker.was_busy = bool(self.runs_of(worker))
        self._signal(worker, signal.SIGKILL)
        self.wait_for(lambda: worker not in self.alive)
        self.n_kills += 1
        self.n_busy_kills += worker.was_busy
        return worker.was_busy

    def kill_pid(self, pid: int) -> None:
        """Kill -9 a process that is no worker."""
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        self.wait_for(lambda: self.exit_code(pid) is not None, step_s=0.001)

    def runs_of(self, worker: Worker, *, status: str | None = None) -> list[str]:
        """The runs that a worker has under way."""
        return [
            record.id
            for record in self.runtime.runs(limit=1000)
            if record.owner and record.owner.split(":")[-2] == str(worker.pid)
            if status in (None, record.status)
        ]

    @property
    def output(self) -> str:
        """What the processes printed."""
        return self._output.read_text(errors="replace")

    def exit_code(self, pid: int) -> int | None:
        """How a process ended; None while it lives."""
        return self._ended.get(pid)

    # -- chats

    def submit(self, n: int, *, team: str = "crash") -> list[str]:
        """Submit `n` chats."""
        new = []
        for _ in range(n):
            case = f"case-{len(self.cases):03d}"
            self.cases.append(case)
            new.append(self.runtime.submit(team, f"Settle {case}.", id=case))
        return new

    @property
    def open(self) -> list[str]:
        """Chats that have not come to their end."""
        over = {r.id for r in self.runtime.runs(limit=1000) if r.status not in _LIVE}
        return [case for case in self.cases if case not in over]

    def answer(self) -> int:
        """Answer what people are asked; how many questions that were."""
        n = 0
        for question in self.runtime.questions():
            with suppress(AlreadyAnswered):
                self.runtime.answer(question.id, f"I say so in {question.key}", by="boss")
                n += 1
        return n

    def top_up(self, n_open: int) -> None:
        """See to it that `n_open` chats are under way."""
        self.submit(max(0, n_open - len(self.open)))

    # -- time

    def turn(self, step_s: float = _STEP_S) -> None:
        """A moment passes: people answer."""
        if self.n_questions:
            with suppress(JournalError):
                self.answer()
        time.sleep(step_s)

    def wait_for(
        self, is_so: Callable[[], Any], *, limit_s: float = 90.0, step_s: float = _STEP_S
    ) -> None:
        """Let time pass until `is_so()`; not longer than `limit_s` without a call of any kind.

        How fast calls follow each other is the machine's affair; that they do is ours.
        """
        n_before, deadline = -1, 0.0
        while not is_so():
            n_now = self.audit.stat().st_size if self.audit.exists() else 0
            if n_now != n_before:
                n_before, deadline = n_now, time.monotonic() + limit_s
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {limit_s:.0f} s in vain.\n{self.state()}")
            self.turn(step_s)

    def wait(self, *, limit_s: float = 90.0) -> None:
        """Let time pass until every chat has come to its end."""
        self.wait_for(lambda: not self.open, limit_s=limit_s)

    def state(self) -> str:
        """How things stand, for whoever reads a failure."""
        rows = [
            f"{r.id} {r.status} attempts={r.attempts} owner={r.owner} {r.error or ''}"
            for r in self.runtime.runs(limit=1000)
            if r.status != "finished"
        ]
        tail = self.output[-3000:]
        living = [(w.pid, w.point) for w in self.alive]
        questions = [(q.id, q.status) for q in self.runtime.questions()]
        return "\n".join([*rows, f"alive: {living}", f"questions: {questions}", tail])

    # -- what must hold

    def check(self, *, reference: str) -> None:
        """Everything that must hold of chats that are over; `reference` is an undisturbed one."""
        faults = list(self.faults(reference))
        if faults:
            raise AssertionError("\n".join(faults))

    def faults(self, reference: str) -> Iterator[str]:
        """What does not hold."""
        model = Told(self, reference)
        begun = Counter(
            line["call"].replace(line["case"], "CASE")
            for line in marks(self.audit, "begin")
            if line["case"] == reference
        )
        if set(begun.values()) != {1}:
            yield f"the undisturbed chat made calls twice: {begun.most_common(3)}"
        for case in self.cases:
            if case != reference:
                yield from self._faults_of(case, model)
        if open_ones := self.runtime.questions():
            yield f"questions are open: {open_ones}"
        named = {r.status for r in self.runtime.runs(limit=1000)}
        if named != {"finished"}:
            yield f"statuses: {named}"

    def _faults_of(self, case: str, model: Told) -> Iterator[str]:
        record = self.runtime.run(case)
        if record.status != "finished":
            yield f"{case} is {record.status}: {record.error}"
            return
        told = Told(self, case)
        if told.transcript != model.transcript:
            difference = _first_difference(told.transcript, model.transcript)
            yield f"{case} has another transcript: {difference}"
        if told.steps != model.steps:
            yield f"{case} has other steps: {_first_difference(told.steps, model.steps)}"
        twice = [place for place, n in Counter(told.positions).items() if n > 1]
        if told.events != model.events:
            yield f"{case} has other events: {_first_difference(told.events, model.events)}"
        if twice:
            yield f"{case} took recorded steps again: {twice}"
        yield from _faulty_events(self.runtime, case)
        yield from self._unexplained(case, record.attempts, model)
        asked = self.runtime.questions(status=None, run_id=case)
        if [q.status for q in asked] != ["answered"] * self.n_questions:
            yield f"{case} asked {[(q.key, q.status) for q in asked]}"

    def _unexplained(self, case: str, attempts: int, model: Told) -> Iterator[str]:
        """Calls beyond those of the undisturbed chat that were not in flight at a death."""
        calls = Counter(line["call"] for line in marks(self.audit, "begin") if line["case"] == case)
        names = sorted(_plain(call, case) for call in calls if not call.startswith("model"))
        expected = sorted(call for call in model.calls if not call.startswith("model"))
        if names != expected or len(calls) != len(model.calls):
            yield f"{case} made other calls: {_first_difference(names, expected)}"
        extra = sum(calls.values()) - len(calls)
        if extra > WIDTH * (attempts - 1):
            yield f"{case} paid {extra} calls twice in {attempts} executions"


class Told:
    """What is known of a chat that is over, without what names it."""

    def __init__(self, harness: Harness, case: str):
        entries = entries_of(harness.runtime, case)
        self.positions = [entry["position"] for entry in entries]
        self.steps = sorted(
            _plain(json.dumps(entry, sort_keys=True), case)
            for entry in entries
            if entry["kind"] not in _PRIVATE
        )
        self.transcript = transcript(harness.runtime, case)
        self.events = sorted(
            f"{event.key} {event.type}"
            for event in harness.runtime.events(case, limit=100_000)
            if "~" not in str(event.key)
        )
        self.calls = [
            _plain(line["call"], case)
            for line in marks(harness.audit, "begin")
            if line["case"] == case
        ]


_LIVE = frozenset({"queued", "running", "waiting"})


def _plain(text: str, case: str) -> str:
    return text.replace(case, "CASE")


def entries_of(runtime: Runtime, case: str) -> list[dict[str, Any]]:
    """The records of all executions of a run, without the digests, which have its name in them."""
    database = runtime._database
    return [
        {
            "position": entry.position,
            "kind": entry.kind,
            **{k: v for k, v in journal_base.record_of(entry).items() if k != "r"},
        }
        for entry in database.entries(database.store.run(case))
    ]


def transcript(runtime: Runtime, case: str) -> list[str]:
    """The messages of a run, in the order of their keys: what runs side by side has no other."""
    messages = [
        (event.key, json.dumps(event.data, sort_keys=True))
        for event in runtime.events(case, limit=100_000)
        if event.type == "message.sent"
    ]
    return [_plain(f"{key} {data}", case) for key, data in sorted(messages)]


def _faulty_events(runtime: Runtime, case: str) -> Iterator[str]:
    events = runtime.events(case, limit=100_000)
    if [event.pos for event in events] != list(range(1, len(events) + 1)):
        yield f"{case} has gaps in its events"
    keys = [event.key for event in events]
    if len(set(keys)) != len(keys):
        yield f"{case} has events twice"
    if not runtime.verify(case).is_whole:
        yield f"{case} is not whole: {runtime.verify(case).text}"


def _first_difference(left: list[str], right: list[str]) -> str:
    for ours, theirs in zip(left, right, strict=False):
        if ours != theirs:
            return f"{ours[:300]!r} for {theirs[:300]!r}"
    return f"{len(left)} for {len(right)}"
