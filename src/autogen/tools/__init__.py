"""Tools: schemas from signatures, registering, and calls with the arguments a model wrote."""

from __future__ import annotations

from .arguments import BadArguments, WrongArguments, parsed_arguments
from .conversion import serialize_to_str
from .schema import get_function_schema

__all__ = [
    "BadArguments",
    "WrongArguments",
    "get_function_schema",
    "parsed_arguments",
    "serialize_to_str",
]
