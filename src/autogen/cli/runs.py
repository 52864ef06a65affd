"""The commands about durable runs: submit, list, show, stop, go on, answer, fork."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from ..errors import UsageError
from ..events import Event
from ..human.base import Edited
from ..runtime.runtime import Runtime
from ..store.base import QuestionRecord, RunRecord
from .outcome import ExitCode, code_of_stop, exit_with_words, say
from .pen import harmless
from .screen import pen_for

__all__ = [
    "answer",
    "cancel",
    "diff",
    "fork",
    "list_runs",
    "pause",
    "prune",
    "resume",
    "show",
    "submit",
    "verify",
]

_PERIOD = re.compile(r"(\d+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_WIDTH = 72

#: How often somebody who waits looks, and after how long they are told what is missing.
_LOOK_S = 0.5
_PATIENCE_S = 3.0


@contextmanager
def _runtime(database: str | None, *, debug: bool) -> Iterator[Runtime]:
    with exit_with_words(debug=debug), Runtime(database) as runtime:
        yield runtime


def submit(
    team: str,
    message: str | None,
    *,
    run_id: str | None,
    budget_usd: float | None,
    timeout_s: float | None,
    priority: int,
    is_waited_for: bool,
    database: str | None,
    debug: bool,
) -> int:
    """Have workers run a chat of a team; prints the id."""
    with _runtime(database, debug=debug) as runtime:
        name = runtime.submit(
            team,
            message,
            id=run_id,
            budget=None if budget_usd is None else {"usd": budget_usd},
            timeout_s=timeout_s,
            priority=priority,
        )
        print(name, flush=True)
        if not is_waited_for:
            return int(ExitCode.DONE)
        record = _end_of(runtime, name)
        print(harmless(str((record.result or {}).get("summary") or "")))
        return _code_of(record)


def _end_of(runtime: Runtime, run_id: str) -> RunRecord:
    """The run at its end; on the way it is said how it stands, and once what could bring it on."""
    pen, begun = pen_for(sys.stderr), time.monotonic()
    said: set[str | None] = {None}
    try:
        while True:
            try:
                return runtime.wait(run_id, timeout_s=_LOOK_S)
            except TimeoutError:
                record = runtime.run(run_id)
            pen.status(f"{run_id} is {record.status}")
            hint = _hint(record)
            if hint not in said and time.monotonic() - begun >= _PATIENCE_S:
                said.add(hint)
                pen.pause()
                say(f"autogen: {run_id} is {record.status}: {hint}.")
    finally:
        pen.pause()


def _hint(record: RunRecord) -> str | None:
    if record.status == "waiting":
        return "an agent asks a person; `autogen answer` shows what"
    if record.status == "queued" and record.attempts == 0:
        return (
            f"no worker that knows the team {record.team!r} has taken it up; "
            "`autogen worker --teams DIR` starts one"
        )
    return None


def _code_of(record: RunRecord) -> int:
    if record.status == "finished":
        return int(ExitCode.DONE)
    if record.error is not None:
        say(f"autogen: the run failed: {record.error['type']}: {record.error['text']}")
    return int(code_of_stop(record.stop_reason))


def list_runs(
    *,
    status: str | None,
    team: str | None,
    limit: int,
    as_json: bool,
    database: str | None,
    debug: bool,
) -> int:
    """Print runs, the newest first."""
    with _runtime(database, debug=debug) as runtime:
        found = runtime.runs(status=status, team=team, limit=limit)
        if as_json:
            for record in found:
                print(json.dumps(_facts(record)))
            return int(ExitCode.DONE)
        rows = [("RUN", "TEAM", "STATUS", "SAID", "CHANGED")]
        for record in found:
            n = str((record.result or {}).get("n_messages", ""))
            age = _age(record.updated_at).removesuffix(" ago")
            rows.append((record.id, _clipped(record.team or "-", 8), _status(record), n, age))
        _print_table(rows)
        if not found:
            say("There are no such runs.")
    return int(ExitCode.DONE)


def _facts(record: RunRecord) -> dict[str, Any]:
    assert record.created_at is not None and record.updated_at is not None
    return {
        "id": record.id,
        "team": record.team,
        "status": record.status,
        "stop_reason": record.stop_reason,
        "attempts": record.attempts,
        "result": record.result,
        "error": record.error,
        "created_at": record.created_at.isoformat(),
        "updated_at": record.updated_at.isoformat(),
    }


def _status(record: RunRecord) -> str:
    """Its status, and why it ended where that is news."""
    is_news = record.status == "finished" and record.stop_reason not in (None, "termination")
    return f"{record.status} ({record.stop_reason})" if is_news else record.status


def _clipped(text: str, width: int) -> str:
    """`text` as a person gets it; programs that read the table get all of it."""
    if len(text) <= width or not sys.stdout.isatty():
        return text
    return f"{text[: width - 1]}…"


def _age(at: datetime | None) -> str:
    if at is None:
        return ""
    seconds = max(0.0, (datetime.now(UTC) - at).total_seconds())
    if seconds >= 2 * 86400:
        return f"{seconds / 86400:.0f} days ago"
    if seconds >= 2 * 3600:
        return f"{seconds / 3600:.0f} h ago"
    if seconds >= 120:
        return f"{seconds / 60:.0f} min ago"
    return f"{seconds:.0f} s ago"


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print(harmless("  ".join(cells)).rstrip())


def show(
    run_id: str, *, is_followed: bool, as_json: bool, database: str | None, debug: bool
) -> int:
    """Print what was said in a run, each message with the number to fork at."""
    with _runtime(database, debug=debug) as runtime:
        record = runtime.run(run_id)
        found = runtime.follow(run_id) if is_followed else _all(runtime, run_id)
        for event in found:
            if as_json:
                print(event.to_json(), flush=True)
            else:
                _print_event(event)
        record = runtime.run(run_id)
        if not as_json:
            why = f" ({record.stop_reason})" if record.stop_reason else ""
            n_executions = f"{record.attempts} execution{'' if record.attempts == 1 else 's'}"
            print(f"\n{record.id}: {record.status}{why}, {n_executions}")
    return int(ExitCode.DONE)


def _all(runtime: Runtime, run_id: str) -> Iterator[Event]:
    after = 0
    while page := runtime.events(run_id, after=after):
        yield from page
        after = page[-1].pos or after


def _print_event(event: Event) -> None:
    data = event.data
    if event.type == "message.sent":
        print(f"\n[{event.pos}] {data.get('sender')} -> {data.get('recipient')}:")
        print(harmless(_text_of(data.get("message") or {})))
    elif event.type == "question.asked":
        named = f" ({data['id']})" if data.get("id") else ""
        print(f"\n[{event.pos}] {event.agent} asks{named}:")
        print(harmless(str(data.get("prompt") or "")).rstrip())
    elif event.type == "message.edited":
        print(f"\n[{event.pos}] a person made this of the message of {data.get('sender')}:")
        print(harmless(_text_of(data.get("message") or {})))
    elif event.type in ("budget.spent", "guard.tripped", "error", "egress.refused"):
        text = data.get("text") or data.get("type") or ""
        print(f"\n[{event.pos}] {event.type}: {harmless(str(text))}")


def _text_of(message: dict[str, Any]) -> str:
    content = message.get("content")
    text = content if isinstance(content, str) else json.dumps(content) if content else ""
    calls = [
        f"{call['function'].get('name')}({call['function'].get('arguments')})"
        for call in message.get("tool_calls") or ()
        if isinstance(call, dict) and "function" in call
    ]
    return "\n".join([*([text] if text else []), *calls])


def _changed(
    run_id: str,
    change: Callable[[Runtime], RunRecord],
    words: str,
    *,
    database: str | None,
    debug: bool,
) -> int:
    with _runtime(database, debug=debug) as runtime:
        record = change(runtime)
        if record.status == "finished":
            raise UsageError(f"run {run_id!r} is finished; there is nothing to stop.")
        print(f"{record.id}: {words}")
    return int(ExitCode.DONE)


def cancel(run_id: str, *, database: str | None, debug: bool) -> int:
    """Have a run stop."""
    return _changed(
        run_id, lambda r: r.cancel(run_id), "is being cancelled", database=database, debug=debug
    )


def pause(run_id: str, *, database: str | None, debug: bool) -> int:
    """Have a run stop for a while."""
    return _changed(
        run_id, lambda r: r.pause(run_id), "is being paused", database=database, debug=debug
    )


def resume(run_id: str, *, budget_usd: float | None, database: str | None, debug: bool) -> int:
    """Have workers go on with a run."""
    with _runtime(database, debug=debug) as runtime:
        limits = None if budget_usd is None else {"usd": budget_usd}
        record = runtime.resume(run_id, budget=limits)
        print(f"{record.id}: {record.status}")
    return int(ExitCode.DONE)


def answer(
    question_id: str | None,
    text: str | None,
    *,
    is_approved: bool,
    edited: str | None,
    denial: str | None,
    is_stopped: bool,
    by: str | None,
    database: str | None,
    debug: bool,
) -> int:
    """Answer a question, or list the open ones."""
    with _runtime(database, debug=debug) as runtime:
        if question_id is None:
            return _list_questions(runtime.questions())
        said = _words(
            text, is_approved=is_approved, edited=edited, denial=denial, is_stopped=is_stopped
        )
        done = runtime.answer(question_id, said, by=by)
        print(f"{done.id}: answered")
    return int(ExitCode.DONE)


def _words(
    text: str | None,
    *,
    is_approved: bool,
    edited: str | None,
    denial: str | None,
    is_stopped: bool,
) -> str:
    """What the agent is told: the one answer that was given.

    Raises:
        UsageError: None was given, or several, or an empty one, which would let the agent go on.
    """
    ways = (text is not None, is_approved, edited is not None, denial is not None, is_stopped)
    if sum(ways) != 1:
        raise UsageError(
            "give one answer: a text, --approve, --edit TEXT, --deny REASON or --stop (which ends "
            "the chat)."
        )
    if is_approved:
        return ""
    if is_stopped:
        return "exit"
    if denial is not None:
        return f"Denied: {denial or 'no reason was given'}"
    said = text or edited or ""
    if not said.strip():
        raise UsageError("the answer is empty; write one, or --approve to let the agent go on.")
    return said if edited is None else Edited(said)


def _list_questions(found: Sequence[QuestionRecord]) -> int:
    for question in found:
        print(f"{question.id}  {question.agent} ({question.kind}), {_age(question.asked_at)}")
        print(f"  {harmless(question.prompt).rstrip()}")
    if not found:
        say("No question is open.")
    return int(ExitCode.DONE)


def fork(
    run_id: str,
    *,
    at: int,
    edit: str | None,
    new_id: str | None,
    database: str | None,
    debug: bool,
) -> int:
    """Make a run that shares another one's steps up to an event; prints its id."""
    with _runtime(database, debug=debug) as runtime:
        made = runtime.fork(run_id, at=at, edit=edit, id=new_id)
        print(made.id)
        around = made.id.rpartition("/")[0]
        if made.team is None and made.id != new_id and around:
            say(f"It goes on when its program is run with the id {around!r}.")
        elif made.team is None:
            say("It goes on when its program is run with this id.")
    return int(ExitCode.DONE)


def diff(left: str, right: str, *, database: str | None, debug: bool) -> int:
    """Print where two runs begin to differ; exit code 1 if they do."""
    with _runtime(database, debug=debug) as runtime:
        found = runtime.diff(left, right)
        print(f"the first {found.n_same} messages are the same")
        for sign, events in (("-", found.left), ("+", found.right)):
            for event in events:
                text = _text_of(event.data.get("message") or {}).replace("\n", " ")
                short = text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"
                print(f"{sign} [{event.pos}] {event.data.get('sender')}: {harmless(short)}")
        differs = bool(found.left or found.right)
        return int(ExitCode.ERROR if differs else ExitCode.DONE)


def verify(run_id: str, *, database: str | None, debug: bool) -> int:
    """Tell whether the events of a run are as they were written; exit code 1 if not."""
    with _runtime(database, debug=debug) as runtime:
        verdict = runtime.verify(run_id)
        print(verdict.text)
        return int(ExitCode.DONE if verdict.is_whole else ExitCode.ERROR)


def prune(older_than: str, *, is_sure: bool, database: str | None, debug: bool) -> int:
    """Delete runs that ended long ago."""
    with _runtime(database, debug=debug) as runtime:
        match = _PERIOD.fullmatch(older_than)
        if match is None:
            raise UsageError(
                f"--older-than is {older_than!r}; give a number and s, m, h or d: 30d."
            )
        seconds = int(match[1]) * _SECONDS[match[2]]
        if not is_sure:
            if not sys.stdin.isatty():
                raise UsageError("what is pruned is gone; say --yes to mean it.")
            say(f"Runs that ended more than {older_than} ago are deleted. Type yes to go on:")
            if sys.stdin.readline().strip() != "yes":
                return int(ExitCode.DONE)
        n = runtime.prune(older_than_s=seconds)
        print(f"{n} run{'' if n == 1 else 's'} deleted")
    return int(ExitCode.DONE)
