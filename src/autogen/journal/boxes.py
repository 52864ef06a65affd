"""Errors as data: what a step raised, written down as JSON and raised again on a replay.

Only exceptions of this package and of Python itself come back as what they were, made without
their constructors: a record must not run code. Any other is raised again as `StepFailed`, whose
text says what it was.
"""

from __future__ import annotations

import builtins
from typing import Any

from .. import errors
from .._kernel.record import is_json
from ..errors import AutogenError

__all__ = ["StepFailed", "boxed", "unboxed"]


class StepFailed(AutogenError):
    """A step raised an error of a type that a record cannot bring back.

    Attributes:
        kind: The full name of that type.
    """

    def __init__(self, message: str, *, kind: str = ""):
        super().__init__(message)
        self.kind = kind


def boxed(error: Exception) -> dict[str, Any]:
    """`error` as JSON: its type, its text, and those of its attributes that are plain values."""
    kind = type(error)
    fields = {k: v for k, v in vars(error).items() if not k.startswith("_") and is_json(v)}
    fields.pop("chat_result", None)
    args = [arg for arg in error.args if is_json(arg)]
    return {
        "type": f"{kind.__module__}.{kind.__qualname__}",
        "text": _text_of(error),
        "args": args if len(args) == len(error.args) else None,
        "fields": fields,
    }


def unboxed(record: dict[str, Any]) -> Exception:
    """The error that `boxed` wrote down."""
    name: str = record["type"]
    module, _, short = name.rpartition(".")
    home = {"builtins": builtins, errors.__name__: errors}.get(module)
    kind = getattr(home, short, None)
    if home is None or not isinstance(kind, type) or not issubclass(kind, Exception):
        if name == f"{__name__}.StepFailed":
            return StepFailed(record["text"], **record["fields"])
        return StepFailed(f"{name}: {record['text']}", kind=name)
    args = record["args"] if record["args"] is not None else [record["text"]]
    # Never through the constructor: many take keywords only, or do something.
    error: Exception = kind.__new__(kind, *args)
    error.args = tuple(args)
    for key, value in record["fields"].items():
        setattr(error, key, value)
    return error


def _text_of(error: Exception) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 an error of somebody else's making
        return type(error).__name__
