"""Registering functions: telling models of them, and letting agents call them.

Plain functions that take the agent. Of it they need `llm_config`, `client`,
`register_function(function_map)` and, where it has one, `_wrap_function(func)`.
"""

from __future__ import annotations

import functools
import logging
import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar, cast

from ..errors import UsageError
from .conversion import load_basemodels_if_needed, serialize_to_str
from .schema import get_function_schema, is_async

__all__ = [
    "register_for_execution",
    "register_for_llm",
    "register_function",
    "update_function_signature",
    "update_tool_signature",
    "valid_function_name",
    "wrapped",
]

F = TypeVar("F", bound=Callable[..., Any])

logger = logging.getLogger("autogen")

_FUNCTION_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def valid_function_name(name: str) -> str:
    """`name` itself.

    Raises:
        UsageError: A model could not call a function of that name.
    """
    if not _FUNCTION_NAME.fullmatch(name):
        raise UsageError(
            f"the function name {name!r} can't be used; models take 1 to 64 letters, digits, '_' "
            "and '-'."
        )
    return name


# ------------------------------------------------------------------------------------- decorators


def register_for_llm(
    agent: Any,
    *,
    name: str | None = None,
    description: str | None = None,
    api_style: Literal["function", "tool"] = "tool",
) -> Callable[[F], F]:
    """The decorator `ConversableAgent.register_for_llm`, which says what it does."""
    if api_style not in ("function", "tool"):
        raise UsageError(f"api_style {api_style!r} is not known; use 'tool' or 'function'.")

    def decorated(func: F) -> F:
        called = _noted(func, "_name", name) or getattr(func, "__name__", type(func).__name__)
        said = _noted(func, "_description", description)
        if not said:
            raise UsageError("Function description is required, none found.")
        _noted(func, "_name", called)
        schema = get_function_schema(func, name=called, description=said)
        if api_style == "tool":
            agent.update_tool_signature(schema, is_remove=False)
        else:
            agent.update_function_signature(schema["function"], is_remove=False)
        return func

    return decorated


def register_for_execution(
    agent: Any, name: str | None = None, *, parallel: bool = False
) -> Callable[[F], F]:
    """The decorator `ConversableAgent.register_for_execution`, which says what it does."""

    def decorated(func: F) -> F:
        called = _noted(func, "_name", name) or getattr(func, "__name__", type(func).__name__)
        _noted(func, "_name", called)
        wrap = getattr(agent, "_wrap_function", wrapped)
        wrapper: Any = wrap(func)
        if parallel:
            wrapper._parallel = True
        agent.register_function({called: wrapper})
        return func

    return decorated


def register_function(
    f: Callable[..., Any],
    *,
    caller: Any,
    executor: Any,
    name: str | None = None,
    description: str,
    parallel: bool = False,
) -> None:
    """Let `caller`'s model ask for calls of `f`, and `executor` make them.

    Args:
        f: The function, with annotated parameters.
        caller: An agent with a model.
        executor: The agent that it talks with.
        name: What the model calls it; by default the function's own name.
        description: What it does, for the model.
        parallel: It may run in a worker thread, beside other tools that the same message asks for.
    """
    f = caller.register_for_llm(name=name, description=description)(f)
    # A subclass that has overridden the method need not know the newer keyword.
    options = {"parallel": True} if parallel else {}
    executor.register_for_execution(name=name, **options)(f)


def _noted(func: Any, key: str, value: str | None) -> str | None:
    """Note `value` on the function for decorators further out, or read what an inner one noted."""
    holder = getattr(func, "__func__", func)
    if not value:
        return getattr(holder, key, None)
    try:
        setattr(holder, key, value)
    except (AttributeError, TypeError):
        # Built-ins take no notes; then every decorator has to say it.
        pass
    return value


def wrapped(func: F) -> F:
    """`func` as it is called for a model: dicts become pydantic models, the result text.

    A coroutine function stays one. `._origin` is the function itself.
    """
    loaded = load_basemodels_if_needed(func)

    if is_async(func):

        @functools.wraps(func)
        async def call_and_await(*args: Any, **kwargs: Any) -> str:
            return serialize_to_str(await loaded(*args, **kwargs))

        wrapper: Any = call_and_await
    else:

        @functools.wraps(func)
        def call(*args: Any, **kwargs: Any) -> str:
            return serialize_to_str(loaded(*args, **kwargs))

        wrapper = call
    wrapper._origin = func
    return cast(F, wrapper)


# ------------------------------------------------------------------------------------- signatures


def update_tool_signature(
    agent: Any, tool_sig: str | Mapping[str, Any], is_remove: bool | None
) -> None:
    """Add a tool to what the agent's model is told, or remove one.

    The client keeps its account and the clients registered with it.

    Args:
        agent: Has a model.
        tool_sig: The schema of a tool; to remove one, its name. A tool of the same name is
            replaced.
        is_remove: Whether to remove it.

    Raises:
        AssertionError: The agent has no model, or there is nothing to remove.
        UsageError: The schema is none, or a model could not call that name.
    """
    _update(agent, "tool", tool_sig, is_remove=bool(is_remove))


def update_function_signature(
    agent: Any, func_sig: str | Mapping[str, Any], is_remove: bool | None
) -> None:
    """`update_tool_signature` for the older form of tools, `llm_config["functions"]`."""
    _update(agent, "function", func_sig, is_remove=bool(is_remove))


def _update(
    agent: Any,
    kind: Literal["function", "tool"],
    signature: str | Mapping[str, Any],
    *,
    is_remove: bool,
) -> None:
    config = agent.llm_config
    if not config:
        problem = f"To update a {kind} signature, agent must have an llm_config"
        logger.error(problem)
        raise AssertionError(problem)
    key = f"{kind}s"
    listed = list(config.get(key) or ())
    if is_remove:
        if not isinstance(signature, str):
            raise UsageError(f"to remove a {kind}, give its name, not {signature!r}.")
        if key not in config:
            raise AssertionError(f"The agent config doesn't have {kind} {signature}.")
        listed = [one for one in listed if _name_in(one, kind) != signature]
    else:
        if not isinstance(signature, Mapping) or not isinstance(_name_in(signature, kind), str):
            raise UsageError(
                f"the {kind} signature {signature!r} is not the schema of a {kind}; make one with "
                "autogen.function_utils.get_function_schema."
            )
        name = valid_function_name(_name_in(signature, kind))
        others = [one for one in listed if _name_in(one, kind) != name]
        if len(others) < len(listed):
            warnings.warn(f"Function '{name}' is being overridden.", UserWarning, stacklevel=4)
        listed = [*others, signature]
    if listed:
        config[key] = listed
    else:
        config.pop(key, None)
    # A client of somebody's own making takes its tools from each request.
    reconfigure = getattr(agent.client, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(**config)


def _name_in(signature: Mapping[str, Any], kind: str) -> Any:
    if kind == "tool":
        signature = signature.get("function") or {}
    return signature.get("name")
