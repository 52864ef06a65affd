"""Logging of everything that agents do, into a database or a file.

    session = autogen.runtime_logging.start(config={"dbname": "logs.db"})
    ...
    autogen.runtime_logging.stop()

One logger serves the process. Agents and model clients report to it through the `log_` functions,
conversations through their events: `record` is a sink. While no logger is started, all of them do
nothing.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from . import logger as loggers
from ._chat.wiring import everywhere
from ._kernel.run import current_run
from .events import Event
from .logger.base_logger import BaseLogger
from .logger.logger_utils import get_current_ts

__all__ = [
    "completion",
    "get_connection",
    "log_chat_completion",
    "log_event",
    "log_function_use",
    "log_new_agent",
    "log_new_client",
    "log_new_wrapper",
    "logging_enabled",
    "record",
    "start",
    "stop",
]

_log = logging.getLogger("autogen")


class _State:
    """What is under way in this process."""

    logger: BaseLogger | None = None
    #: Kept after `stop`, as in AutoGen 0.2: reports are made of it.
    newest: BaseLogger | None = None
    #: Arguments of calls that are not answered yet, by agent, function and call.
    open_calls: dict[tuple[Any, ...], list[Any]]
    agents: weakref.WeakValueDictionary[str, Any]

    def __init__(self) -> None:
        self.open_calls = {}
        self.agents = weakref.WeakValueDictionary()


_state = _State()


def start(
    logger: BaseLogger | None = None,
    logger_type: Literal["sqlite", "file"] = "sqlite",
    config: Mapping[str, Any] | None = None,
) -> str:
    """Begin to log. A logger that is under way is stopped first.

    Args:
        logger: A logger of your own, in place of the next two.
        logger_type: "sqlite" or "file".
        config: `{"dbname": "logs.db"}` or `{"filename": "runtime.log"}`.

    Returns:
        The id of the session.

    Raises:
        UsageError: There is no logger of that type.
    """
    chosen = logger
    if chosen is None:
        chosen = loggers.LoggerFactory.get_logger(logger_type=logger_type, config=config)
    stop()
    session_id = chosen.start()
    _state.logger = _state.newest = chosen
    everywhere.append(record)
    return session_id


def stop() -> None:
    """End the session; without one, do nothing."""
    logger, _state.logger = _state.logger, None
    _state.open_calls.clear()
    if record in everywhere:
        everywhere.remove(record)
    if logger is not None:
        logger.stop()


def logging_enabled() -> bool:
    """Whether a logger is started."""
    return _state.logger is not None


def get_connection() -> Any:
    """The connection to the logger's database; None without one."""
    if _state.logger is None:
        _log.error("There is no connection: logging is not started.")
        return None
    return _state.logger.get_connection()


def __getattr__(name: str) -> Any:
    # What AutoGen 0.2 kept here as variables.
    if name == "autogen_logger":
        return _state.newest
    if name == "is_logging":
        return logging_enabled()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


# ------------------------------------------------------------------------------ what is reported


def log_chat_completion(
    invocation_id: str,
    client_id: int,
    wrapper_id: int,
    agent: Any,
    request: Mapping[str, Any],
    response: Any,
    is_cached: int,
    cost: float,
    start_time: str,
) -> None:
    """A model was asked."""
    if _state.logger is not None:
        _state.logger.log_chat_completion(
            invocation_id,
            client_id,
            wrapper_id,
            agent,
            request,
            response,
            is_cached,
            cost,
            start_time,
        )


@contextmanager
def completion(
    wrapper: Any, request: Mapping[str, Any], clients: Sequence[Any] = ()
) -> Iterator[Callable[[Any], None]]:
    """Log one request to a model: what was asked, and the answer, or the error that ends the block.

    Args:
        wrapper: Asks.
        request: May hold the agent under "agent". Who answers may take keys out of it.
        clients: What `log_new_client` was told of, in the order of `config_id`.

    Yields:
        To be called with the response.
    """
    if _state.logger is None:
        yield _ignore
        return
    import uuid

    started, answers = get_current_ts(), list[Any]()
    asked = {key: value for key, value in request.items() if key not in _NOT_ASKED}
    agent = request.get("agent")

    def log(response: Any, is_cached: bool, cost: float, client_id: int) -> None:
        log_chat_completion(
            invocation_id=str(uuid.uuid4()),
            client_id=client_id,
            wrapper_id=id(wrapper),
            agent="" if agent is None else agent,
            request=asked,
            response=response,
            is_cached=int(is_cached),
            cost=cost,
            start_time=started,
        )

    try:
        yield answers.append
    except Exception as error:
        log(f"{type(error).__name__}: {error}", is_cached=False, cost=0.0, client_id=0)
        raise
    for answer in answers:
        number = getattr(answer, "config_id", None) or 0
        log(
            answer,
            is_cached=bool(getattr(answer, "is_cached", False)),
            cost=float(getattr(answer, "cost", None) or 0.0),
            client_id=id(clients[number]) if number < len(clients) else number,
        )


#: Objects around a request, which say nothing to a reader of it.
_NOT_ASKED = frozenset({"agent", "cache", "filter_func", "on_usage"})


def _ignore(response: Any) -> None:
    return


def log_new_agent(agent: Any, init_args: Mapping[str, Any]) -> None:
    """An agent was made with these arguments."""
    if _state.logger is not None:
        _state.agents[agent.name] = agent
        _state.logger.log_new_agent(agent, init_args)


def log_event(source: Any, name: str, **kwargs: Any) -> None:
    """Something happened to `source`, an agent or the name of one."""
    if _state.logger is not None:
        _state.logger.log_event(source, name, **kwargs)


def log_function_use(agent: Any, function: Any, args: Mapping[str, Any], returns: Any) -> None:
    """`agent` called a function; `function` is the function or its name."""
    if _state.logger is not None:
        _state.logger.log_function_use(agent, function, args, returns)


def log_new_wrapper(wrapper: Any, init_args: Mapping[str, Any]) -> None:
    """An `OpenAIWrapper` was made."""
    if _state.logger is not None:
        _state.logger.log_new_wrapper(wrapper, init_args)


def log_new_client(client: Any, wrapper: Any, init_args: Mapping[str, Any]) -> None:
    """A client of a wrapper was made."""
    if _state.logger is not None:
        _state.logger.log_new_client(client, wrapper, init_args)


# ---------------------------------------------------------------------------------- conversations


def record(event: Event) -> None:
    """Log an event of a conversation: a sink.

    A message is logged as `received_message` of the agent that got it, a tool call as a use of a
    function once it is answered, everything else under the type of the event. Transient events are
    left out.
    """
    if _state.logger is None or event.is_transient:
        return
    data = event.data
    if event.type == "message.sent":
        _state.logger.log_event(
            _agent(data["recipient"]),
            "received_message",
            message=data["message"],
            sender=data["sender"],
            valid=True,
        )
    elif event.type == "tool.called":
        _state.open_calls.setdefault(_call(event), []).append(data["arguments"])
    elif event.type == "tool.answered":
        waiting = _state.open_calls.get(_call(event))
        arguments = waiting.pop(0) if waiting else {}
        if waiting == []:
            del _state.open_calls[_call(event)]
        _state.logger.log_function_use(
            _agent(event.agent), data["name"], arguments, data["content"]
        )
    else:
        _state.logger.log_event(_agent(event.agent), event.type, **_as_keywords(data))


def _call(event: Event) -> tuple[Any, ...]:
    return event.run_id, event.agent, event.data["name"], event.data.get("id")


def _as_keywords(data: Mapping[str, Any]) -> dict[str, Any]:
    """With names of its own where a logger's method has these already."""
    return {f"{key}_" if key in ("self", "source", "name") else key: v for key, v in data.items()}


def _agent(name: str | None) -> Any:
    """The agent of that name in the current chat or those around it, else among the logged ones."""
    run = current_run()
    chat = None if run is None else run.scope
    while chat is not None:
        for agent in (chat.initiator, chat.recipient):
            if agent is not None and agent.name == name:
                return agent
        chat = chat.parent
    name = name or ""
    return _state.agents.get(name, name)
