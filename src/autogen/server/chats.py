"""Routes of chats: a chat is the runs of one conversation. Each caller has names of its own."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Response
from pydantic import AfterValidator

from ..errors import UnknownRun
from ..store.chats import ChatMark, ChatRecord
from .callers import Caller, CallerOf, needs
from .common import (
    MOST_TIME_S,
    Cursor,
    Limit,
    Parts,
    PartsOf,
    cursor_of,
    gone,
    id_of_cursor,
    router,
    two_of_cursor,
)
from .problems import Problem
from .runs import Key, begun
from .schemas import (
    MOST_POS,
    PLAIN,
    ChatDetail,
    ChatMessageIn,
    ChatMessagePage,
    ChatPage,
    RunIn,
    RunOut,
)
from .slashes import with_slashes
from .telling import as_json, chat_of, message_of, runs_of

__all__ = ["chats"]

chats = router(tag="chats")

#: The names of conversations that `POST /runs` takes.
_MOST_NAME = 200

# A slash takes three letters until it has been decoded.
Name = Annotated[
    str, Path(min_length=1, max_length=3 * _MOST_NAME, pattern=PLAIN), AfterValidator(with_slashes)
]


@chats.get("/chats", response_model=ChatPage, dependencies=[needs("runs:read")])
def list_chats(
    parts: PartsOf, caller: CallerOf, cursor: Cursor = None, limit: Limit = 50
) -> Response:
    """The caller's chats, those first in which something happened last."""
    after = None
    if cursor is not None:
        at, name = two_of_cursor(cursor, most=MOST_TIME_S)
        after = ChatMark(at, name)
    found = parts.runtime.chats.chats(caller.id, after=after, limit=limit)
    more = f"{found[-1].updated_s!r} {found[-1].name}" if len(found) == limit else None
    return as_json({"items": [chat_of(one) for one in found], "next": _cursor(more)})


@chats.get("/chats/{name}", response_model=ChatDetail, dependencies=[needs("runs:read")])
def get_chat(
    parts: PartsOf, caller: CallerOf, name: Name, cursor: Cursor = None, limit: Limit = 50
) -> Response:
    """A chat with its runs, the newest first."""
    told = chat_of(_own(parts, caller, name))
    before = None if cursor is None else id_of_cursor(cursor)
    try:
        found = parts.runtime.chats.runs(caller.id, name, before=before, limit=limit)
    except UnknownRun:
        raise gone("run") from None
    more = found[-1].id if len(found) == limit else None
    return as_json({**told, "runs": runs_of(parts.runtime, found), "next": _cursor(more)})


@chats.get(
    "/chats/{name}/messages", response_model=ChatMessagePage, dependencies=[needs("runs:read")]
)
def list_chat_messages(
    parts: PartsOf, caller: CallerOf, name: Name, cursor: Cursor = None, limit: Limit = 100
) -> Response:
    """What was said in a chat: the messages of its runs, in order."""
    _own(parts, caller, name)
    after = None
    if cursor is not None:
        pos, run_id = two_of_cursor(cursor, most=MOST_POS)
        after = (run_id, int(pos))
    try:
        found = parts.runtime.chats.messages(caller.id, name, after=after, limit=limit)
    except UnknownRun:
        raise gone("run") from None
    items = [{**message_of(event), "run_id": event.run_id} for event in found]
    more = f"{found[-1].pos} {found[-1].run_id}" if len(found) == limit else None
    return as_json({"items": items, "next": _cursor(more)})


@chats.post(
    "/chats/{name}/messages",
    status_code=201,
    response_model=RunOut,
    dependencies=[needs("runs:write")],
)
def say_in_chat(
    parts: PartsOf, caller: CallerOf, name: Name, said: ChatMessageIn, key: Key = None
) -> Response:
    """Begin the next run of a chat; its agents are told what was said before."""
    if len(name) > _MOST_NAME:
        raise Problem(422, f"the name of a chat has {_MOST_NAME} letters at most.")
    team = said.team
    if team is None:
        team = _own(parts, caller, name, hint="; name a `team` to begin it").team
    asked = {field: getattr(said, field) for field in ChatMessageIn.model_fields}
    wanted = RunIn(**{**asked, "team": str(team), "conversation": name})
    return begun(parts, caller, wanted, key=key, hears_earlier=True)


def _own(parts: Parts, caller: Caller, name: str, *, hint: str = "") -> ChatRecord:
    """A chat of the caller's own.

    Raises:
        Problem: 404; there is none of this name.
    """
    found = parts.runtime.chats.chats(caller.id, name=name, limit=1)
    if not found:
        raise Problem(404, f"there is no chat {name!a}{hint}.")
    return found[0]


def _cursor(text: str | None) -> str | None:
    return None if text is None else cursor_of(text)
