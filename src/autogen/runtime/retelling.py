"""Runs told again: replay against the record, forks from any point, what tells two runs apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import takewhile
from typing import TYPE_CHECKING, Any, NamedTuple

from .._chat.wiring import RunOptions
from .._durable.database import Database, edited
from .._durable.retelling import Replay, Retelling
from .._kernel.offline import telling
from .._kernel.recorder import Entry
from ..errors import ReplayMismatch, UnknownRun, UsageError
from ..events import Event
from ..store.base import RunRecord
from .putting import telling_of
from .teams import team_named

if TYPE_CHECKING:
    from ..store.sql import SqlStore

__all__ = [
    "Difference",
    "Replay",
    "difference",
    "forked",
    "replayed",
    "replaying",
    "told_with",
]


@contextmanager
def replaying(
    database: Database, name: str, *, takes_any: bool = True, is_everywhere: bool = False
) -> Iterator[Retelling]:
    """Inside the `with` block chats are told from the records of a run, or of a program's runs.

    Nobody is asked and nothing is written. A chat that asks for something else raises
    `ReplayMismatch`.

    Args:
        database: Where they are recorded.
        name: Of the run, or of a program whose chats are `name/1`, `name/2`, ...
        takes_any: Whether a chat without a name is one of them.
        is_everywhere: In all threads of this process.
    """
    retelling = Retelling(database, name, takes_any=takes_any)
    with telling(retelling, is_everywhere=is_everywhere):
        yield retelling


def replayed(database: Database, run_id: str) -> Replay:
    """Run a team again against the record of one of its runs.

    Raises:
        UsageError: The run belongs to a program, or the team is not known here.
    """
    record = database.store.run(run_id)
    if record.team is None:
        raise UsageError(
            f"run {run_id!r} belongs to a program, which makes its agents: "
            "`autogen replay RUN PROGRAM.py`, or start its chat inside "
            "`with autogen.testing.replay(RUN):`."
        )
    chat = team_named(record.team).chat()
    asked = dict(record.request)
    asked.pop("options", None)
    files = asked.pop("files", ())
    if files and "message" not in asked:
        asked["message"] = telling_of(chat.get("message"), files)
    return told_with(database, run_id, {**chat, **asked})


def told_with(database: Database, run_id: str, chat: Mapping[str, Any]) -> Replay:
    """Have a chat again against the record of a run.

    Args:
        database: Where it is recorded.
        run_id: The run.
        chat: The chat as keywords of `initiate_chat`, and its `sender`.
    """
    asked = {**chat, "silent": True, "run": RunOptions(id=run_id)}
    sender = asked.pop("sender")
    with replaying(database, run_id) as retelling:
        # What differs is in the verdict.
        with suppress(ReplayMismatch):
            sender.initiate_chat(**asked)
        return retelling.verdict()


def forked(database: Database, run_id: str, *, at: int, edit: str | None, new_id: str) -> RunRecord:
    """A new run that shares the steps of another one up to an event.

    Args:
        database: Where both live.
        run_id: The run to share with.
        at: Number (`pos`) of the event up to which they are the same.
        edit: What the message of that event is to say instead.
        new_id: Id of the new run; of a program's runs `ID/1`, `ID/2`, ... the new id of those. The
            runs before the one that is forked are shared as they are.

    Raises:
        UnknownRun: There is no such run or event.
        UsageError: The id is taken, or the event is no message that can be edited.
    """
    store = database.store
    record = store.run(run_id)
    event, n_steps = store.event_at(run_id, at)
    earlier: dict[str, RunRecord] = {}
    if (number := _number_of(store, run_id)) is not None:
        around = run_id.rpartition("/")[0]
        earlier = {f"{new_id}/{n}": store.run(f"{around}/{n}") for n in range(1, number)}
        new_id = f"{new_id}/{number}"
    for taken in (*earlier, new_id):
        _check_free(store, taken)
    request, edits = record.request, None
    if edit is not None:
        shared = database.entries(record)[:n_steps]
        n_before = _n_steps_before(store, run_id, event)
        place = _source_of(event, shared[n_before or 0 :])
        if place is not None:
            edits = {place: edit}
        elif n_before is None and not shared and isinstance(request.get("message"), str):
            request = {**request, "message": edit}
        else:
            raise UsageError(
                f"event {at} of run {run_id!r} can't be edited: only what a model, a person or the "
                "opening message said can, and no automatic reply or result of a tool. Give the "
                "number of such a `message.sent` event; the one before may do."
            )
    # The one that was asked for comes last: once it is there, so are those before it.
    for shared_id, whole in earlier.items():
        _shared(store, whole, shared_id, len(database.entries(whole)))
    return _shared(store, record, new_id, n_steps, request=request, edits=edits)


def _number_of(store: SqlStore, run_id: str) -> int | None:
    """The number of a run among those of its program; None where it stands alone."""
    begun = store.events(run_id, types=["run.started", "run.forked"], limit=1)
    number = begun[0].data.get("number") if begun else None
    return number if isinstance(number, int) else None


def _check_free(store: SqlStore, run_id: str) -> None:
    with suppress(UnknownRun):
        raise _taken(store.run(run_id).id)


def _taken(run_id: str) -> UsageError:
    return UsageError(f"there is a run {run_id!r} already; give the fork another id.")


def _shared(
    store: SqlStore, record: RunRecord, new_id: str, n_steps: int, **changes: Any
) -> RunRecord:
    """A new run that shares the first `n_steps` steps of another one."""
    made, is_new = store.create_run(
        RunRecord(
            **{
                "id": new_id,
                "team": record.team,
                "request": record.request,
                "priority": record.priority,
                "forked_from": record.id,
                "forked_at": n_steps,
                "belongs_to": record.belongs_to,
                **changes,
            }
        )
    )
    if not is_new:
        raise _taken(new_id)
    return made


def _n_steps_before(store: SqlStore, run_id: str, event: Event) -> int | None:
    """How many steps belong to what was said before a message; None where nothing was.

    What was said in a nested chat in between led to it. A chat begins with what was said around it.
    """
    newest: int | None = None
    for pos in range((event.pos or 1) - 1, 0, -1):
        earlier, n_steps = store.event_at(run_id, pos)
        if earlier.type == "message.sent":
            newest = n_steps if newest is None else newest
            if earlier.chat_id == event.chat_id:
                return n_steps
    return newest


def _words(event: Event) -> Any:
    return (event.data.get("message") or {}).get("content")


def _source_of(event: Event, entries: Sequence[Entry]) -> str | None:
    """The position of the newest step that gave what a message says."""
    if event.type != "message.sent":
        return None
    said = _words(event)
    if said is None:
        return None
    for entry in reversed(entries):
        if _text_of(entry.value) == said and edited(entry, "") != entry:
            return entry.position
    return None


def _text_of(value: Any) -> Any:
    if isinstance(value, dict) and "reply" in value:
        value = value["reply"]
    return value.get("content") if isinstance(value, dict) else value


class Difference(NamedTuple):
    """What tells two runs apart.

    Attributes:
        n_same: How many messages at the beginning are the same.
        left: The messages of the first run after those.
        right: The messages of the second.
    """

    n_same: int
    left: list[Event]
    right: list[Event]


def difference(left: Sequence[Event], right: Sequence[Event]) -> Difference:
    """Where two runs, given by their events, begin to differ."""
    ours, theirs = [_messages(events) for events in (left, right)]
    same = takewhile(lambda pair: _said(pair[0]) == _said(pair[1]), zip(ours, theirs, strict=False))
    n_same = sum(1 for _ in same)
    return Difference(n_same, ours[n_same:], theirs[n_same:])


def _messages(events: Sequence[Event]) -> list[Event]:
    return [event for event in events if event.type == "message.sent"]


def _said(event: Event) -> tuple[Any, ...]:
    return event.data.get("sender"), event.data.get("recipient"), event.data.get("message")
