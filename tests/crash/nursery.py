"""Workers on demand: a process that has imported everything, and forks.

    python -m tests.crash.nursery

It reads one JSON object per line: `{"do": "worker", ...}` or `{"do": "submit", ...}`, with the
environment to set, and answers with the pid of the new process. It reaps what dies, so that a dead
worker is seen to be dead; end its input to end it.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
import warnings
from typing import Any

# Imported before the forks, not after each.
import alembic.command  # noqa: F401
import dbos
import psycopg  # noqa: F401
import tests.crash.points as points
from tests.crash.audit import mark

import autogen._durable.database as database
import autogen.journal.base as journal_base
import autogen.journal.dbos as journal
import autogen.runtime.worker as worker_module
import autogen.store.connect as connect
from autogen.runtime.runtime import Runtime

assert dbos

#: Constants that orders may set, by name: where each lives.
CONSTANTS: dict[str, tuple[Any, ...]] = {
    "BEAT_TICKS": (database,),
    "IDLE_S": (connect, journal),
    "JOURNAL_VERSION": (journal_base, journal),
    "LEASE_S": (database,),
    "MOST_DEATHS": (worker_module,),
    "TICK_S": (database,),
    "UNANNOUNCED_S": (worker_module,),
}


def work(order: dict[str, Any]) -> None:
    """Be a worker until killed."""
    if order.get("point"):
        points.arm(order["point"], order.get("nth", 1))
    worker = Runtime(order["url"]).worker(order["teams"])
    worker.start()
    mark("up", worker_id=worker.database.worker_id)
    while True:
        time.sleep(60)


def submit(order: dict[str, Any]) -> None:
    """Submit a run, and die at a point."""
    points.arm(order["point"])
    with Runtime(order["url"]) as runtime:
        runtime.submit(order["team"], order["message"], id=order["id"])


def program(order: dict[str, Any]) -> None:
    """A program of a user's own; see `program.py`."""
    from tests.crash.program import main

    main(order)


_ACTS = {"program": program, "submit": submit, "worker": work}


def _reap(*_: Any) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        print(json.dumps({"ended": pid, "code": os.waitstatus_to_exitcode(status)}), flush=True)


def _child(order: dict[str, Any]) -> None:
    """Never returns."""
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        output = os.open(order["output"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.environ.update(order.get("environment", {}))
        for name, value in order.get("constants", {}).items():
            for module in CONSTANTS[name]:
                setattr(module, name, value)
        _ACTS[order["do"]](order)
        code = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    """Fork on demand."""
    warnings.simplefilter("ignore")
    waker, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    buffer = b""
    while True:
        ready, _, _ = select.select([0, waker], [], [])
        if waker in ready:
            os.read(waker, 4096)
            _reap()
        if 0 not in ready:
            continue
        data = os.read(0, 65536)
        if not data:
            # To take down all that was imported here takes long on a busy machine.
            os._exit(0)
        buffer += data
        *lines, buffer = buffer.split(b"\n")
        for line in lines:
            pid = os.fork()
            if pid == 0:
                _child(json.loads(line))
            print(json.dumps({"started": pid}), flush=True)


if __name__ == "__main__":
    main()
