"""What a model writes becomes what a function takes, and what it returns becomes text."""

from __future__ import annotations

import functools
import inspect
import json
import typing
from collections.abc import Callable
from typing import Annotated, Any, TypeVar, get_args, get_origin

from .schema import get_param_annotations, get_typed_signature, is_async

__all__ = [
    "get_load_param_if_needed_function",
    "load_basemodels_if_needed",
    "serialize_to_str",
]

F = TypeVar("F", bound=Callable[..., Any])


def get_load_param_if_needed_function(t: Any) -> Callable[[Any], Any] | None:
    """What turns the JSON form of a `t` into a `t`; None where `t` has no pydantic model in it."""
    if not _holds_model(t):
        return None
    from pydantic import TypeAdapter

    loaded: Callable[[Any], Any] = TypeAdapter(t).validate_python
    return loaded


def _holds_model(annotation: Any) -> bool:
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if hasattr(annotation, "model_json_schema") and isinstance(annotation, type):
        return True
    return any(_holds_model(part) for part in get_args(annotation))


def load_basemodels_if_needed(func: F) -> F:
    """`func`, able to take dicts where it wants pydantic models.

    A function without such parameters comes back as it is. A coroutine function stays one.
    """
    signature = get_typed_signature(func)
    loaders = {}
    for name, annotation in get_param_annotations(signature).items():
        loader = get_load_param_if_needed_function(annotation)
        if loader is not None:
            loaders[name] = loader
    if not loaders:
        return func

    def loaded(args: tuple[Any, ...], kwargs: dict[str, Any]) -> inspect.BoundArguments:
        bound = signature.bind(*args, **kwargs)
        for name, loader in loaders.items():
            if name in bound.arguments:
                bound.arguments[name] = loader(bound.arguments[name])
        return bound

    if is_async(func):

        @functools.wraps(func)
        async def load_and_await(*args: Any, **kwargs: Any) -> Any:
            bound = loaded(args, kwargs)
            return await func(*bound.args, **bound.kwargs)

        return typing.cast(F, load_and_await)

    @functools.wraps(func)
    def load_and_call(*args: Any, **kwargs: Any) -> Any:
        bound = loaded(args, kwargs)
        return func(*bound.args, **bound.kwargs)

    return typing.cast(F, load_and_call)


def serialize_to_str(x: Any) -> str:
    """The result of a tool as text: text as it is, a pydantic model and all else as JSON."""
    if isinstance(x, str):
        return x
    if hasattr(x, "model_dump_json") and not isinstance(x, type):
        text: str = x.model_dump_json()
        return text
    return json.dumps(x, ensure_ascii=False, default=_jsonable)


def _jsonable(value: Any) -> Any:
    """What JSON does not know by itself: models, dataclasses, dates, sets; else its text."""
    from pydantic_core import to_jsonable_python

    return to_jsonable_python(value, fallback=str)
