"""Deep copies of agents: what belongs to the agent is copied, what it works with is shared.

Histories, counters and settings become the copy's own. Models, executors, caches and functions are
shared, as they stand for connections, processes and folders that a copy cannot double. Partners in
the histories are copied with the agent, so a group is copied as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from types import MethodType
from typing import Any, TypeVar

from .._chat.state import Histories
from ..config.llm import parse_llm_config
from ..messages import History

__all__ = ["copied_agent"]

A = TypeVar("A")

_SHARED = frozenset({"_code_executor", "budget", "client_cache"})
#: Of a chat that is under way, or made when needed.
_LEFT_OUT = frozenset({"_chats_with", "_legacy_executor"})


def copied_agent(agent: A, memo: dict[int, Any]) -> A:
    """What `copy.deepcopy` gives for an agent."""
    made = type(agent).__new__(type(agent))
    memo[id(agent)] = made
    for name, value in vars(agent).items():
        if name in _LEFT_OUT:
            continue
        vars(made)[name] = value if name in _SHARED else _copied(name, value, memo)
    return made


def _copied(name: str, value: Any, memo: dict[int, Any]) -> Any:
    if name == "llm_config":
        return parse_llm_config(value)
    if name == "_code_execution_config":
        return dict(value) if value else value
    if name in ("_function_map", "_hooks", "_rows"):
        return _with_shared_functions(value, memo)
    if isinstance(value, Histories):
        return _histories(value, memo)
    if callable(value):
        return _function(value, memo)
    return deepcopy(value, memo)


def _histories(given: Histories, memo: dict[int, Any]) -> Histories:
    made = type(given)()
    memo[id(given)] = made
    for partner, messages in given.items():
        made[deepcopy(partner, memo)] = History(deepcopy(message, memo) for message in messages)
    return made


def _with_shared_functions(value: Any, memo: dict[int, Any]) -> Any:
    """Dicts and lists copied all the way down, groups and agents in them too, functions shared."""
    if isinstance(value, dict):
        return {key: _with_shared_functions(one, memo) for key, one in value.items()}
    if isinstance(value, list):
        return [_with_shared_functions(one, memo) for one in value]
    if callable(value):
        return _function(value, memo)
    return deepcopy(value, memo)


def _function(function: Callable[..., Any], memo: Mapping[int, Any]) -> Callable[..., Any]:
    """`function`; a method of something that was copied becomes the method of the copy."""
    if isinstance(function, MethodType) and id(function.__self__) in memo:
        return MethodType(function.__func__, memo[id(function.__self__)])
    return function
