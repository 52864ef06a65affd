"""Schemas from signatures, under the 0.2 name."""

from __future__ import annotations

from .tools.conversion import (
    get_load_param_if_needed_function,
    load_basemodels_if_needed,
    serialize_to_str,
)
from .tools.schema import (
    Function,
    Parameters,
    ToolFunction,
    get_default_values,
    get_function_schema,
    get_missing_annotations,
    get_param_annotations,
    get_parameter_json_schema,
    get_parameters,
    get_required_params,
    get_typed_annotation,
    get_typed_return_annotation,
    get_typed_signature,
)

__all__ = [
    "Function",
    "Parameters",
    "ToolFunction",
    "get_default_values",
    "get_function_schema",
    "get_load_param_if_needed_function",
    "get_missing_annotations",
    "get_param_annotations",
    "get_parameter_json_schema",
    "get_parameters",
    "get_required_params",
    "get_typed_annotation",
    "get_typed_return_annotation",
    "get_typed_signature",
    "load_basemodels_if_needed",
    "serialize_to_str",
]
