"""`autogen worker`: runs chats that were submitted, and says which."""

from __future__ import annotations

import signal
import threading

from .._chat.wiring import everywhere
from ..events import Event
from ..runtime.runtime import Runtime
from .outcome import ExitCode, exit_with_words, say
from .pen import harmless

__all__ = ["work"]

_WORDS = {
    "run.started": "started",
    "run.forked": "started, from a fork",
    "run.resumed": "goes on",
    "run.paused": "stopped",
    "run.finished": "finished",
}


def work(
    *,
    teams_in: str,
    concurrency: int | None,
    lease_s: float | None,
    database: str | None,
    debug: bool,
) -> int:
    """Run a worker until Ctrl-C or SIGTERM; a line for each run that begins or ends."""
    over = threading.Event()
    with exit_with_words(debug=debug), Runtime(database) as runtime:
        worker = runtime.worker(teams_in, concurrency=concurrency, lease_s=lease_s)
        for kind in (signal.SIGINT, signal.SIGTERM):
            signal.signal(kind, lambda *_: over.set())
        everywhere.append(_tell)
        try:
            worker.start()
            names = ", ".join(sorted(worker.teams))
            say(f"working for {names}; Ctrl-C ends it, runs go on elsewhere.")
            over.wait()
            worker.stop()
        finally:
            everywhere.remove(_tell)
    return int(ExitCode.DONE)


def _tell(event: Event) -> None:
    words = _WORDS.get(event.type)
    if words is None:
        return
    reason = event.data.get("stop_reason")
    if reason is not None:
        if reason == "cancelled":
            # Paused, or ended for good: that is for whoever wished it to know.
            words = "stopped"
        words += f" ({reason}), {_cost_words(event.data.get('cost') or {})}"
    say(harmless(f"{event.run_id}: {words}"))


def _cost_words(cost: dict[str, dict[str, float]]) -> str:
    total = cost.get("usage_including_cached_inference", {}).get("total_cost", 0.0)
    return f"{total:.4f} US dollars"
