"""Helpers that AutoGen 0.2 gives to authors of model clients."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from ..errors import UsageTypeError
from ..models.hiding import should_hide_tools

__all__ = ["should_hide_tools", "validate_parameter"]

logger = logging.getLogger("autogen")


def validate_parameter(
    params: Mapping[str, Any],
    param_name: str,
    allowed_types: type[Any] | tuple[type[Any], ...],
    allow_None: bool,  # noqa: N803  (the 0.2 name)
    default_value: Any,
    numerical_bound: tuple[float | None, float | None] | None,
    allowed_values: list[Any] | None,
) -> Any:
    """A request option, or its default (and a warning) where the value given is not usable.

    Args:
        params: Where the option is looked up.
        param_name: Its name.
        allowed_types: What it may be.
        allow_None: Whether None is a value.
        default_value: Used where the option is missing or not usable.
        numerical_bound: (lowest, highest), each None for no bound.
        allowed_values: The values it may have; None for any.

    Raises:
        TypeError: `allowed_values` is no list.
    """
    if allowed_values is not None and not isinstance(allowed_values, list):
        raise UsageTypeError(
            f"allowed_values is a {type(allowed_values).__name__}; it must be a list or None."
        )
    value = params.get(param_name, default_value)
    wrong = _wrong(value, allowed_types, allow_None, numerical_bound, allowed_values)
    if wrong is None:
        return value
    logger.warning(
        "%s is %r but must %s; using %r instead.", param_name, value, wrong, default_value
    )
    return default_value


def _wrong(
    value: Any,
    types: type[Any] | tuple[type[Any], ...],
    may_be_none: bool,
    bound: tuple[float | None, float | None] | None,
    values: list[Any] | None,
) -> str | None:
    if value is None:
        return None if may_be_none else "not be None"
    if not isinstance(value, types):
        names = [t.__name__ for t in (types if isinstance(types, tuple) else (types,))]
        return f"be {' or '.join(names)}"
    if bound is not None:
        lowest, highest = bound
        if (lowest is not None and value < lowest) or (highest is not None and value > highest):
            return f"lie between {lowest} and {highest}"
    if values is not None and value not in values:
        return f"be one of {values}"
    return None
