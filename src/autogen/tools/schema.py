"""JSON schemas of tools, made from the signatures of functions.

pydantic makes the schema of each type and loads with the first schema. A function is never called
here, and nothing is kept: who registers a function keeps its schema.

A model inside a parameter's type is written out in place, because not every provider follows
references. Only a type that contains itself cannot be; it stands under `$defs` of the parameters
object, where a `$ref` inside any of them finds it.
"""

from __future__ import annotations

import functools
import inspect
import logging
import sys
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, TypedDict, TypeVar, get_args, get_origin

from ..errors import UsageError, UsageTypeError

__all__ = [
    "Function",
    "Parameters",
    "ToolFunction",
    "get_default_values",
    "get_function_schema",
    "get_missing_annotations",
    "get_param_annotations",
    "get_parameter_json_schema",
    "get_parameters",
    "get_required_params",
    "get_typed_annotation",
    "get_typed_return_annotation",
    "get_typed_signature",
    "is_async",
    "known_signature",
    "type_name",
]

F = TypeVar("F", bound=Callable[..., Any])

logger = logging.getLogger("autogen")

_EMPTY = inspect.Parameter.empty
_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_REF = "#/$defs/"


class Parameters(TypedDict):
    """The parameters of a function as a JSON schema; `$defs` only where a type contains itself."""

    type: str
    properties: dict[str, Any]
    required: list[str]


class Function(TypedDict):
    """A function as a model is told of it."""

    description: str
    name: str
    parameters: Parameters


class ToolFunction(TypedDict):
    """A tool as a model is told of it."""

    type: str
    function: Function


# ------------------------------------------------------------------------------------- signatures


def get_typed_annotation(annotation: Any, globalns: Mapping[str, Any]) -> Any:
    """`annotation`, with what is written as text in it evaluated in `globalns`.

    Raises:
        NameError: It names something that is not there.
    """
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    return typing.get_type_hints(holder, dict(globalns), include_extras=True)["it"]


def get_typed_signature(call: Callable[..., Any]) -> inspect.Signature:
    """The signature of `call` with the annotations of its parameters evaluated.

    Raises:
        UsageTypeError: An annotation that is written as text names something unknown.
    """
    signature, unknown = _evaluated(call)
    for name, error in unknown.items():
        raise UsageTypeError(
            f"the annotation {signature.parameters[name].annotation!r} of the parameter {name!r} "
            f"of {_name_of(call)!r} can't be evaluated ({error}); define or import what it names "
            "at the top level of the module."
        ) from error
    return signature


def known_signature(call: Callable[..., Any]) -> inspect.Signature:
    """`get_typed_signature`, but what can't be evaluated stays the text it is."""
    return _evaluated(call)[0]


def _evaluated(call: Callable[..., Any]) -> tuple[inspect.Signature, dict[str, Exception]]:
    signature = inspect.signature(call)
    names = _names_around(call)
    parameters = []
    unknown: dict[str, Exception] = {}
    for parameter in signature.parameters.values():
        if parameter.annotation is not _EMPTY:
            try:
                annotation = get_typed_annotation(parameter.annotation, names)
                parameter = parameter.replace(annotation=annotation)
            except (NameError, AttributeError, SyntaxError, TypeError) as error:
                unknown[parameter.name] = error
        parameters.append(parameter)
    return signature.replace(parameters=parameters), unknown


def get_typed_return_annotation(call: Callable[..., Any]) -> Any:
    """What `call` says it returns, evaluated; None where it says nothing."""
    annotation = inspect.signature(call).return_annotation
    if annotation is inspect.Signature.empty:
        return None
    return get_typed_annotation(annotation, _names_around(call))


def _names_around(call: Any) -> dict[str, Any]:
    """The names that the annotations of `call` may use.

    Those of its module; where it is defined inside a function that still runs, that function's; and
    those it closes over.
    """
    while isinstance(call, functools.partial):
        call = call.func
    call = inspect.unwrap(call)
    if not hasattr(call, "__globals__") and not hasattr(call, "__func__"):
        call = type(call).__call__
    function = getattr(call, "__func__", call)
    code = getattr(function, "__code__", None)
    if code is None:
        return {}
    names = {**function.__globals__, **_locals_around(code)}
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        try:
            names[name] = cell.cell_contents
        except ValueError:
            # Not bound yet: a name that is assigned further down in the enclosing function.
            continue
    return names


def _locals_around(code: types.CodeType) -> dict[str, Any]:
    """The variables of the running function whose body defines `code`; none where it has ended."""
    frame: types.FrameType | None = sys._getframe()
    while frame is not None:
        if code in frame.f_code.co_consts and frame.f_locals is not frame.f_globals:
            return dict(frame.f_locals)
        frame = frame.f_back
    return {}


def _name_of(call: Any) -> str:
    while isinstance(call, functools.partial):
        call = call.func
    name: str = getattr(call, "__name__", None) or type(call).__name__
    return name


def get_param_annotations(typed_signature: inspect.Signature) -> dict[str, Any]:
    """The annotation of each parameter that has one."""
    return {
        name: parameter.annotation
        for name, parameter in typed_signature.parameters.items()
        if parameter.annotation is not _EMPTY and parameter.kind in _BY_NAME
    }


def get_default_values(typed_signature: inspect.Signature) -> dict[str, Any]:
    """The default of each parameter that has one."""
    return {
        name: parameter.default
        for name, parameter in typed_signature.parameters.items()
        if parameter.default is not _EMPTY
    }


def get_required_params(typed_signature: inspect.Signature) -> list[str]:
    """The parameters that a call must give, in order."""
    return [
        name
        for name, parameter in typed_signature.parameters.items()
        if parameter.default is _EMPTY and parameter.kind in _BY_NAME
    ]


def get_missing_annotations(
    typed_signature: inspect.Signature, required: Iterable[str]
) -> tuple[set[str], set[str]]:
    """The parameters without annotation: those that a call must give, and those with a default."""
    required = set(required)
    bare = {
        name
        for name, parameter in typed_signature.parameters.items()
        if parameter.annotation is _EMPTY and parameter.kind in _BY_NAME
    }
    return bare & required, bare - required


def is_async(function: Any) -> bool:
    """Whether calling `function` gives something to await: also a partial, or an object."""
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 whether it can be called is not asked
    )


# ---------------------------------------------------------------------------------------- schemas


def get_parameter_json_schema(k: str, v: Any, default_values: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON schema of the parameter `k` of type `v`.

    Args:
        k: Its name, which is its description where the type gives none.
        v: Its type. The first metadata of an `Annotated` type is the description.
        default_values: Defaults by name.

    Raises:
        ValueError: The first metadata is no text.
    """
    schemas, definitions = _schemas({k: v}, default_values)
    return {"$defs": definitions, **schemas[k]} if definitions else schemas[k]


def get_parameters(
    required: list[str], param_annotations: Mapping[str, Any], default_values: Mapping[str, Any]
) -> Parameters:
    """The JSON schema of all parameters together."""
    properties, definitions = _schemas(param_annotations, default_values)
    parameters: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "required": list(required),
    }
    if definitions:
        parameters["$defs"] = definitions
    return typing.cast(Parameters, parameters)


def get_function_schema(
    f: Callable[..., Any], *, name: str | None = None, description: str
) -> dict[str, Any]:
    """The JSON schema of a function, in the form that a model's `tools` take.

    Args:
        f: The function; its parameters are annotated, `Annotated[int, "in metres"]` describes one.
        name: What the model calls it; by default its own name.
        description: What it does, for the model.

    Raises:
        UsageTypeError: A parameter without default has no annotation, can't be passed by name, or
            has a type that JSON can't express.
        ValueError: A parameter is described by something else than text.
    """
    signature = get_typed_signature(f)
    required = get_required_params(signature)
    _check_parameters(f, signature, required)
    if signature.return_annotation is inspect.Signature.empty:
        logger.warning(
            "The return type of the function '%s' is not annotated. It is not sent to a model, but "
            "it tells readers what comes back.",
            _name_of(f),
        )
    annotations = get_param_annotations(signature)
    parameters = get_parameters(required, annotations, get_default_values(signature))
    function = {
        "description": description,
        "name": name if name else _name_of(f),
        "parameters": parameters,
    }
    return {"type": "function", "function": function}


def _check_parameters(
    f: Callable[..., Any], signature: inspect.Signature, required: list[str]
) -> None:
    missing, left_out = get_missing_annotations(signature, required)
    if left_out:
        logger.warning(
            "Parameters of the function '%s' with default values have no annotation: %s. The model "
            "is not told of them.",
            _name_of(f),
            _listed(signature, left_out),
        )
    if missing:
        raise UsageTypeError(
            f"All parameters of the function '{_name_of(f)}' without default values must be "
            "annotated. The annotations are missing for the following parameters: "
            f"{_listed(signature, missing)}"
        )
    for parameter in signature.parameters.values():
        if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
            raise UsageTypeError(
                f"the parameter {parameter.name!r} of {_name_of(f)!r} can't be passed by name, and "
                "models pass every argument by name; remove the '/'."
            )


def _listed(signature: inspect.Signature, names: set[str]) -> str:
    return ", ".join(f"'{name}'" for name in signature.parameters if name in names)


def _schemas(
    annotations: Mapping[str, Any], defaults: Mapping[str, Any]
) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """The schema of each type, and the definitions of those that contain themselves."""
    # Slow to import and needed only here, as in the other functions that name it.
    from pydantic import PydanticUndefinedAnnotation, PydanticUserError, TypeAdapter

    adapters = {}
    for name, annotation in annotations.items():
        try:
            adapters[name] = TypeAdapter(annotation)
            adapters[name].json_schema()
        except (PydanticUserError, PydanticUndefinedAnnotation) as error:
            reason = str(error).partition("\n")[0]
            raise UsageTypeError(
                f"the type {type_name(annotation)} of the parameter {name!r} has no JSON schema "
                f"({reason}); use types that JSON can express, pydantic models or dataclasses."
            ) from error
    # One call for all, so that two models of the same name do not take each other's definition.
    made, shared = TypeAdapter.json_schemas(
        [(name, "validation", adapter) for name, adapter in adapters.items()]
    )
    definitions: dict[str, Any] = shared.get("$defs", {})
    inliner = _Inliner(definitions)
    schemas = {}
    for name, annotation in annotations.items():
        schema = inliner.written_out(made[name, "validation"])
        if name in defaults:
            schema["default"] = _as_json(adapters[name], defaults[name])
        schema["description"] = _description(name, annotation)
        schemas[name] = schema
    return schemas, inliner.kept()


class _Inliner:
    """Writes definitions out in place of the references to them."""

    def __init__(self, definitions: Mapping[str, Any]):
        self._definitions = definitions
        self._refs = {name: set(_refs_in(schema)) for name, schema in definitions.items()}
        self._recursive = {name for name in definitions if name in self._reached_from(name)}

    def _reached_from(self, name: str) -> set[str]:
        reached: set[str] = set()
        waiting = set(self._refs[name])
        while waiting:
            one = waiting.pop()
            reached.add(one)
            waiting |= self._refs[one] - reached
        return reached

    def written_out(self, schema: Any) -> Any:
        """A copy of `schema` whose only references are to types that contain themselves."""
        if isinstance(schema, list):
            return [self.written_out(item) for item in schema]
        if not isinstance(schema, dict):
            return schema
        name = _referenced(schema)
        if name is None or name in self._recursive:
            # A hint that points at definitions; each member says by itself what it is.
            return {
                key: self.written_out(value)
                for key, value in schema.items()
                if not (key == "discriminator" and "oneOf" in schema)
            }
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return {**self.written_out(self._definitions[name]), **self.written_out(beside)}

    def kept(self) -> dict[str, Any]:
        """The definitions of types that contain themselves."""
        return {
            name: {k: self.written_out(v) for k, v in self._definitions[name].items()}
            for name in sorted(self._recursive)
        }


def _referenced(schema: Mapping[str, Any]) -> str | None:
    ref = schema.get("$ref")
    return ref.removeprefix(_REF) if isinstance(ref, str) and ref.startswith(_REF) else None


def _refs_in(schema: Any) -> Iterable[str]:
    if isinstance(schema, dict):
        name = _referenced(schema)
        if name is not None:
            yield name
        schema = list(schema.values())
    if isinstance(schema, list):
        for item in schema:
            yield from _refs_in(item)


def _as_json(adapter: Any, default: Any) -> Any:
    if default is None or isinstance(default, str | int | float | bool):
        # An enum that is also a text or a number is sent as its value.
        return getattr(default, "value", default)
    try:
        return adapter.dump_python(default, mode="json", warnings=False)
    except ValueError:
        return str(default)


def _description(name: str, annotation: Any) -> str:
    if get_origin(annotation) is not Annotated:
        return name
    first = annotation.__metadata__[0]
    # `Annotated[int, Field(description="...")]` says it too.
    text = first if isinstance(first, str) else getattr(first, "description", None)
    if not isinstance(text, str):
        raise UsageError(
            f"Invalid description {first!r} for parameter {name!r}: the first thing that "
            'Annotated adds to the type must be text, as in Annotated[int, "in metres"].'
        )
    return text


def type_name(annotation: Any) -> str:
    """A type as a person, or a model, would write it."""
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation.__name__
    return inspect.formatannotation(annotation).replace("typing.", "")
