"""Faces: one core coroutine, its sync name `x` and its async name `a_x`; and which override wins.

    _receive, receive, a_receive = faces(_receive)

The core calls such a *point* by name with `point(agent, "receive")(...)`, looked up at each call,
so that a subclass, a patched class and a patched instance all count:

- not overridden: the core coroutine itself, at no cost;
- overridden in one flavour: that one, through the driver, on both faces;
- overridden in both: the driver's own flavour.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from types import FunctionType, MethodType
from typing import Any, ParamSpec, TypeVar

from . import late
from .drive import drive_sync
from .ops import Call, Place

__all__ = ["faces", "is_face", "point"]


P = ParamSpec("P")
T = TypeVar("T")

_Core = Callable[P, Coroutine[Any, Any, T]]


def faces(core: _Core[P, T]) -> tuple[_Core[P, T], Callable[P, T], _Core[P, T]]:
    """The core coroutine function and its two public faces.

    Args:
        core: `async def _x(self, ...)`; its docstring becomes that of both faces.
    """
    name = core.__name__.removeprefix("_")

    @functools.wraps(core)
    def sync(*args: P.args, **kwargs: P.kwargs) -> T:
        return drive_sync(core(*args, **kwargs))

    @functools.wraps(core)
    async def async_(*args: P.args, **kwargs: P.kwargs) -> T:
        return await late.drive_async(core(*args, **kwargs))

    signature = inspect.signature(core)
    prefix = core.__qualname__[: -len(core.__name__)]
    for face, face_name in ((sync, name), (async_, f"a_{name}")):
        face.__name__ = face_name
        face.__qualname__ = prefix + face_name
        vars(face).update(__core__=core, __signature__=signature)
    return core, sync, async_


def is_face(function: Any) -> bool:
    """Whether `function` (bound or not) was made by `faces`."""
    return hasattr(function, "__core__")


#: Sync names of points, and the async ones.
_TWINS: dict[str, str] = {}


def point(target: Any, name: str, place: Place = "caller") -> Callable[..., Awaitable[Any]]:
    """What to call for the point `name` of `target`; the core awaits what the call gives.

    Args:
        target: An agent of ours, a subclass, or any object with a method of that name.
        name: The sync name of the point.
        place: Where a sync override may run; see `Call`.
    """
    a_name = _TWINS.get(name)
    if a_name is None:
        a_name = _TWINS[name] = f"a_{name}"
    sync = getattr(target, name, None)
    async_ = getattr(target, a_name, None)
    sync_core = getattr(sync, "__core__", None)
    async_core = getattr(async_, "__core__", None)
    if sync_core is not None and (async_core is sync_core or async_ is None):
        # Made and called in half the time of a partial; every reply takes half a dozen.
        return MethodType(sync_core, target)
    if sync_core is not None:
        # Overridden in the async flavour alone, unless the subclass made the pair anew in the sync
        # one.
        sync = None
    elif async_core is not None or (sync is not None and not _is_written(async_)):
        async_ = None
    elif sync is None and async_ is None:
        raise AttributeError(
            f"{type(target).__name__!r} object has no method {name!r} or 'a_{name}'."
        )

    def call(*args: Any, **kwargs: Any) -> Call[Any]:
        return Call(sync, async_, args, kwargs, place)

    return call


def _is_written(function: Any) -> bool:
    """Whether somebody wrote it. Mocks and proxies have an attribute of every name."""
    return isinstance(function, FunctionType | MethodType) or inspect.iscoroutinefunction(function)
