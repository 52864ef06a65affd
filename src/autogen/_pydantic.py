"""The helpers over pydantic that programs import from here, as AutoGen 0.2 had them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaValue

__all__ = ["PYDANTIC_V1", "JsonSchemaValue", "model_dump", "model_dump_json", "type2schema"]

#: Whether the first generation of pydantic is installed; this package needs the second.
PYDANTIC_V1 = False


def type2schema(t: Any) -> JsonSchemaValue:
    """The JSON schema of a type."""
    return TypeAdapter(t).json_schema()


def model_dump(model: BaseModel) -> dict[str, Any]:
    """The fields of a model as a dict."""
    return model.model_dump()


def model_dump_json(model: BaseModel) -> str:
    """The fields of a model as JSON text."""
    return model.model_dump_json()
