"""Tool arguments as models write them: JSON, nearly, and nearly what the function takes.

`parsed_arguments` reads the text, then fits the values to the function's signature with pydantic's
lax rules. What can't be read or does not fit is told in words that let the model repair its call.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import weakref
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, NotRequired, Optional

from ..errors import AutogenError
from .schema import known_signature, type_name

__all__ = ["BadArguments", "WrongArguments", "escaped_json", "parsed_arguments"]

_FENCE = re.compile(r"\s*```[\w-]*\s*\n(.*?)\n?\s*```\s*", re.DOTALL)
#: Group 1 is what is kept: what stands inside strings is left alone.
_STRING_OR_TRAILING_COMMA = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])', re.DOTALL)

_STRING = re.compile(r'("(?:[^"\\]|\\.)*")', re.DOTALL)

_MAX_PROBLEMS = 5
_MAX_VALUE_CHARS = 60
_MAX_SENT_CHARS = 300


class BadArguments(AutogenError):
    """The arguments of a call can't be read; the text tells the model what is wrong."""


class WrongArguments(BadArguments):
    """The arguments could be read, but the function does not take them."""


def parsed_arguments(text: Any, function: Callable[..., Any] | None = None) -> dict[str, Any]:
    """The arguments of a call as keyword arguments for `function`.

    Takes JSON, and what models send for it: nothing at all, a code fence around it, raw newlines
    and tabs inside strings, a comma before a closing bracket, JSON inside a JSON text, a Python
    dict.

    Values are turned into what the parameters are annotated with: "3" into 3 for an `int`, a dict
    into a pydantic model. A parameter without annotation takes its value as it is; so does one
    whose type pydantic does not know.

    Args:
        text: What the model wrote; a dict is taken as read.
        function: What will be called; without it the values are not looked at.

    Raises:
        WrongArguments: One is missing, unknown, or of a type that can't be made to fit.
        BadArguments: The text can't be read as a JSON object.
    """
    arguments = _read(text)
    return arguments if function is None else _fit(arguments, function)


# ---------------------------------------------------------------------------------------- reading


def _read(text: Any) -> dict[str, Any]:
    if isinstance(text, Mapping):
        return dict(text)
    source = "" if text is None else str(text)
    if not source.strip():
        return {}
    try:
        value = json.loads(source, strict=False)
    except (ValueError, RecursionError) as error:
        value = _read_with_care(source, error)
    if isinstance(value, str):
        # Some models encode the object twice.
        value = _read_with_care(value, None) if value.strip() else {}
    if not isinstance(value, dict):
        raise BadArguments(
            f"the arguments are a JSON {_json_type(value)}; they must be an object of named "
            "arguments."
        )
    return value


def _read_with_care(source: str, problem: Exception | None) -> Any:
    fence = _FENCE.fullmatch(source)
    source = (fence[1] if fence else source).strip()
    if not source:
        return {}
    for attempt in (_as_json, _without_trailing_commas, ast.literal_eval):
        try:
            return attempt(source)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
            problem = problem or error
    raise BadArguments(str(problem))


def _as_json(source: str) -> Any:
    return json.loads(source, strict=False)


def _without_trailing_commas(source: str) -> Any:
    return _as_json(_STRING_OR_TRAILING_COMMA.sub(lambda found: found[1] or "", source))


def escaped_json(text: str) -> str:
    """JSON text without line breaks between its values, and with those and tabs in texts escaped.

    Source: behaviour of AutoGen 0.2 `ConversableAgent._format_json_str`.
    """
    between_and_strings = _STRING.split(text)
    for i, part in enumerate(between_and_strings):
        if i % 2:
            part = part.replace("\n", r"\n").replace("\t", r"\t")
        else:
            part = part.replace("\n", "")
        between_and_strings[i] = part
    return "".join(between_and_strings)


def _json_type(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else "array"


# ---------------------------------------------------------------------------------------- fitting


class _Fitting(NamedTuple):
    """How the arguments of one function are checked."""

    validate: Callable[[Any], dict[str, Any]]
    #: The type of each parameter as the model may read it.
    types: dict[str, str]
    #: All of them, as in a signature.
    takes: str


#: Functions that can't be referred to weakly are looked at anew for each call.
_fittings: weakref.WeakKeyDictionary[Any, _Fitting | None] = weakref.WeakKeyDictionary()


def _fit(arguments: dict[str, Any], function: Callable[..., Any]) -> dict[str, Any]:
    # A bound method is a new object at each access, the function behind it stays.
    key = getattr(function, "__func__", function)
    try:
        fitting = _fittings[key]
    except (KeyError, TypeError):
        fitting = _fitting_of(function)
        try:
            _fittings[key] = fitting
        except TypeError:
            pass
    if fitting is None:
        return arguments
    try:
        return fitting.validate(arguments)
    except ValueError as error:
        problems = _problems(error, fitting)
        raise WrongArguments(_advice(function, fitting, problems, arguments)) from error


def _fitting_of(function: Callable[..., Any]) -> _Fitting | None:
    try:
        signature = known_signature(function)
    except (ValueError, TypeError):
        # A built-in that does not tell what it takes.
        return None
    fields: dict[str, Any] = {}
    types, takes = {}, []
    takes_others = False
    for name, parameter in signature.parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            takes_others = True
        if parameter.kind in (
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            inspect.Parameter.KEYWORD_ONLY,
        ):
            annotation = parameter.annotation
            is_bare = annotation is inspect.Parameter.empty or isinstance(annotation, str)
            types[name] = "any" if is_bare else type_name(annotation)
            type_ = Any if is_bare else _known(annotation)
            if parameter.default is None:
                type_ = Optional[type_]  # noqa: UP045 `|` does not take every annotation
            if parameter.default is inspect.Parameter.empty:
                fields[name] = type_
                takes.append(f"{name}: {types[name]}")
            else:
                fields[name] = NotRequired[type_]
                default = _shortened(_as_text(parameter.default), _MAX_VALUE_CHARS)
                takes.append(f"{name}: {types[name]} = {default}")
    validate = _validator(fields, takes_others=takes_others)
    return _Fitting(validate, types, _shortened(", ".join(takes), _MAX_SENT_CHARS))


def _adapter(type_: Any) -> Any:
    # Slow to import, so that it comes with the first call of a tool.
    from pydantic import TypeAdapter

    return TypeAdapter(type_)


def _known(annotation: Any) -> Any:
    """The annotation, or Any where pydantic has no rule for it."""
    from pydantic import PydanticUndefinedAnnotation, PydanticUserError

    try:
        _adapter(annotation)
    except (PydanticUserError, PydanticUndefinedAnnotation):
        return Any
    return annotation


def _validator(fields: dict[str, Any], *, takes_others: bool) -> Callable[[Any], dict[str, Any]]:
    # pydantic takes no other before Python 3.12.
    from typing_extensions import TypedDict

    make: Any = TypedDict
    arguments = make("arguments", fields)
    arguments.__pydantic_config__ = {
        "extra": "allow" if takes_others else "forbid",
        # A model that writes 5 where text is wanted means "5".
        "coerce_numbers_to_str": True,
    }
    validate: Callable[[Any], dict[str, Any]] = _adapter(arguments).validate_python
    return validate


# ------------------------------------------------------------------------------------ what to say


def _problems(error: ValueError, fitting: _Fitting) -> list[str]:
    found = []
    for problem in error.errors(include_url=False, include_context=False):  # type: ignore[attr-defined]
        where = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "missing":
            type_ = fitting.types.get(where)
            found.append(f"{where!r} is missing" + (f" ({type_})" if type_ else ""))
        elif problem["type"] == "extra_forbidden":
            found.append(f"{where!r} is not a parameter")
        else:
            value = _shortened(_as_text(problem["input"]), _MAX_VALUE_CHARS)
            found.append(f"{where!r} is {value}: {problem['msg']}")
    return found


def _advice(
    function: Callable[..., Any], fitting: _Fitting, problems: list[str], sent: Mapping[str, Any]
) -> str:
    name = getattr(function, "_name", None) or getattr(function, "__name__", "the function")
    more = len(problems) - _MAX_PROBLEMS
    listed = "; ".join(problems[:_MAX_PROBLEMS]) + (f"; and {more} more" if more > 0 else "")
    text = _shortened(_as_text(sent), _MAX_SENT_CHARS)
    return (
        f"the arguments do not fit {name}({fitting.takes}): {listed}. You sent {text}. "
        "Call it again with the arguments put right."
    )


def _as_text(value: Any) -> str:
    """As the model wrote it, or would."""
    try:
        return json.dumps(value, ensure_ascii=False, default=repr)
    except (ValueError, TypeError, RecursionError):
        return repr(value)


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 3] + "..."
