"""Whole campaigns: an undisturbed chat, then chats whose workers die, then what must hold."""

from __future__ import annotations

import time

from tests.crash.audit import marks
from tests.crash.harness import Harness, Worker
from tests.crash.points import NAMES

__all__ = ["die_at_every_point", "die_at_random", "reference"]

#: Chats under way at a time, and in all.
N_OPEN = 8
N_CASES = 30


def reference(harness: Harness) -> str:
    """A chat that nothing happened to."""
    (case,) = harness.submit(1)
    harness.staff(1)
    harness.wait()
    return case


def die_at_every_point(harness: Harness, points: tuple[str, ...] = NAMES) -> list[str]:
    """Have workers die at each point once, two at a time; those that none came to."""
    before = reference(harness)
    for worker in harness.alive:
        harness.kill(worker)
    waiting = list(points)
    harness.random.shuffle(waiting)
    armed: list[Worker] = []
    while waiting or armed:
        armed = [worker for worker in armed if worker in harness.alive]
        harness.top_up(N_OPEN)
        while waiting and len(armed) < 2:
            armed.append(harness.hire(waiting.pop(), nth=harness.random.randint(1, 3)))
        if not waiting and len(armed) == 1:
            _help(harness, armed[0])
        for worker in armed:
            if time.monotonic() - worker.born_at > _PATIENCE_S:
                raise AssertionError(f"nobody came to {worker.point!r}.\n{harness.state()}")
        harness.turn()
    _end(harness, before)
    died = {line["point"] for line in marks(harness.audit, "died")}
    return [point for point in points if point not in died]


_PATIENCE_S = 90.0


def _help(harness: Harness, last: Worker) -> None:
    """The last one wants somebody's runs to take over: hire somebody, who dies."""
    other = harness.hire()
    harness.wait_for(lambda: harness.runs_of(other) or last not in harness.alive)
    harness.wait_for(lambda: last not in harness.alive or _is_old(other))
    harness.kill(other)


def _is_old(worker: Worker) -> bool:
    return time.monotonic() - worker.born_at > 3.0


def die_at_random(harness: Harness, n_kills: int) -> None:
    """Kill workers at random moments, until `n_kills` of them had work under way."""
    before = reference(harness)
    while harness.n_busy_kills < n_kills:
        harness.staff(2)
        victim = harness.random.choice(harness.alive)
        until = time.monotonic() + harness.random.uniform(0.0, 0.8)
        while time.monotonic() < until or not harness.runs_of(victim):
            harness.top_up(N_OPEN)
            harness.turn()
            if time.monotonic() > until + _PATIENCE_S:
                raise AssertionError(f"worker {victim.pid} gets no work.\n{harness.state()}")
        harness.kill(victim)
    _end(harness, before)


def _end(harness: Harness, before: str) -> None:
    harness.submit(max(0, N_CASES + 1 - len(harness.cases)))
    harness.staff(2)
    harness.wait()
    harness.check(reference=before)
