"""Durable chats: what tells one from another, and the ops that open and end its execution."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from .. import _durable
from .._kernel import offline
from .._kernel.ops import Call
from .._kernel.record import is_json
from .._kernel.run import current_run, outside
from .wiring import event, number_of, wanted_options

if TYPE_CHECKING:
    from .._durable.execution import Execution
    from .._durable.retelling import Retelling
    from .state import ChatResult
    from .wiring import RunOptions

__all__ = [
    "began",
    "begun",
    "begun_by",
    "executing",
    "failed",
    "finished",
    "fingerprint",
    "result_record",
]


#: The execution that the next outermost chat is.
_handed: ContextVar[Execution | None] = ContextVar("autogen_execution", default=None)


#: What makes the agents of the chats, for whoever tells them again.
_makers: ContextVar[Mapping[str, Any]] = ContextVar("autogen_makers")


@contextmanager
def begun_by(**maker: Any) -> Iterator[None]:
    """Note for durable chats inside the `with` block, as JSON, what makes their agents.

    Args:
        **maker: `program` (its path, then its arguments), or `task` (True: the command for tasks),
            or `team_at` (the name or the file of a team, and the folder it is found in) with
            `asked` (keywords of `initiate_chat` that differ from the team's).
    """
    token = _makers.set(maker)
    try:
        yield
    finally:
        _makers.reset(token)


@contextmanager
def executing(execution: Execution) -> Iterator[None]:
    """Have the first chat that is started inside the `with` block be `execution`; for workers."""
    token = _handed.set(execution)
    try:
        yield
    finally:
        _handed.reset(token)


async def begun(
    run_options: RunOptions | None,
    initiator: Any,
    recipient: Any,
    message: Any,
    further: Mapping[str, Any],
) -> Execution | None:
    """The execution that a new chat is, if it is to be durable; else None.

    Raises:
        RunBusy: The run is under way somewhere else.
        ReplayMismatch: It began with other agents or another message.
        JournalError: The database cannot be used.
    """
    handed = _handed.get()
    if handed is not None and current_run() is None:
        _handed.set(None)
        return handed
    wanted = wanted_options(run_options)
    teller = offline.teller()
    is_recorded = wanted is not None and wanted.durable
    if teller is not None and (is_recorded or current_run() is None):
        assert isinstance(teller, _durable.Retelling)
        request = fingerprint(initiator, recipient, message, further)
        told: Execution = await Call(_told_again, None, (teller, wanted, request))
        return told
    if wanted is None or not wanted.durable:
        return None
    request = fingerprint(initiator, recipient, message, further)
    execution: Execution = await Call(_opened, None, (wanted.database, wanted.id, request))
    return execution


def _opened(url: str | None, run_id: str, request: dict[str, Any]) -> Execution:
    return _durable.opened(_durable.Database.at(url), run_id, request)


def _told_again(teller: Retelling, wanted: RunOptions | None, request: dict[str, Any]) -> Execution:
    if wanted is None or not wanted.durable:
        return teller.execution(None, None, request)
    database = None if wanted.database is None else _durable.Database.at(wanted.database)
    return teller.execution(wanted.id, database, request)


async def began(execution: Execution | None) -> None:
    """Tell whoever watches that the run begins, or goes on."""
    if execution is None or execution.is_over:
        return
    data: dict[str, Any] = {
        "attempt": execution.attempt,
        "n_steps": execution.recording.n_known,
        **_makers.get({}),
    }
    if (number := number_of(execution.run_id)) is not None:
        data["number"] = number
    if execution.attempt > 1:
        kind = "run.resumed"
    elif execution.record.forked_from is None:
        kind = "run.started"
    else:
        kind = "run.forked"
        data["forked_from"] = execution.record.forked_from
    await event(kind, data, silent=True)


#: Stops that a run gets past when it is run again with more time or money.
PAUSES = frozenset({"budget", "timeout"})


def fingerprint(initiator: Any, recipient: Any, message: Any, further: Mapping[str, Any]) -> Any:
    """What a chat is asked for, as JSON: who takes part, and what is said first.

    The models and the instructions of the agents are left out: a request to a model that differs
    is found where it is made.
    """
    return {
        "initiator": _known_as(initiator),
        "recipient": _known_as(recipient),
        "message": _first(message),
        **{key: _first(value) for key, value in further.items()},
    }


def _known_as(agent: Any) -> Any:
    if agent is None:
        return None
    members = getattr(getattr(agent, "groupchat", None), "agents", None)
    if members is None:
        return agent.name
    return {agent.name: [_known_as(member) for member in members]}


def _first(message: Any) -> Any:
    if callable(message):
        return f"function {getattr(message, '__qualname__', type(message).__qualname__)}"
    return message if is_json(message) else repr(type(message))


def result_record(result: ChatResult) -> dict[str, Any]:
    """The result of a chat as JSON, without its history: that is in the events."""
    summary = result.summary if is_json(result.summary) else str(result.summary)
    return {
        "stop_reason": result.stop_reason,
        "summary": summary,
        "cost": {str(key): value for key, value in result.cost.items()},
        "human_input": result.human_input,
        "n_messages": len(result.chat_history),
        "artifacts": [artifact.to_dict() for artifact in result.artifacts],
    }


async def finished(execution: Execution | None, result: ChatResult) -> None:
    """Write down how a run ended."""
    if execution is None or execution.is_over:
        return
    record = result_record(result)
    kind = "run.paused" if result.stop_reason in PAUSES else "run.finished"
    await event(kind, {"stop_reason": result.stop_reason, "cost": record["cost"]}, silent=True)
    with outside():
        await Call(execution.finish, execution.a_finish, (record,))


async def failed(execution: Execution | None, error: BaseException) -> None:
    """Write down that a run ended in an error."""
    if execution is not None and execution.is_over:
        execution.has_raised = True
    if execution is None or execution.is_over:
        return
    with outside():
        await Call(execution.fail, execution.a_fail, (error,))
