"""Schemas of tools, made from signatures."""

from __future__ import annotations

import datetime
import functools
import json
import logging
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal, Optional

import pytest
from pydantic import BaseModel, Field
from tests.compat.requirements import requirement

from autogen.tools.conversion import load_basemodels_if_needed, serialize_to_str
from autogen.tools.schema import (
    get_default_values,
    get_function_schema,
    get_missing_annotations,
    get_param_annotations,
    get_parameter_json_schema,
    get_parameters,
    get_required_params,
    get_typed_return_annotation,
    get_typed_signature,
    is_async,
)


class Currency(BaseModel):
    currency: Literal["USD", "EUR"] = Field(description="The symbol")
    amount: float = 0


class Wallet(BaseModel):
    owner: str
    holds: list[Currency]


class Node(BaseModel):
    value: int
    children: list[Node] = []


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Point:
    x: int
    y: int = 0


def parameters_of(function: Any) -> dict[str, Any]:
    schema = get_function_schema(function, description="does it")
    return schema["function"]["parameters"]


def test_schema_of_a_function_has_the_form_that_models_take():
    def convert(
        base: Annotated[float, "Amount in base currency"],
        quote: Annotated[Literal["USD", "EUR"], "Quote currency"] = "EUR",
        places: int = 2,
    ) -> str:
        return ""

    assert get_function_schema(convert, name="fx", description="Convert money.") == {
        "type": "function",
        "function": {
            "description": "Convert money.",
            "name": "fx",
            "parameters": {
                "type": "object",
                "properties": {
                    "base": {"type": "number", "description": "Amount in base currency"},
                    "quote": {
                        "type": "string",
                        "enum": ["USD", "EUR"],
                        "default": "EUR",
                        "description": "Quote currency",
                    },
                    "places": {"type": "integer", "default": 2, "description": "places"},
                },
                "required": ["base"],
            },
        },
    }


def test_name_is_the_functions_own_where_none_is_given():
    def f(a: int) -> int:
        return a

    assert get_function_schema(f, description="d")["function"]["name"] == "f"


def test_order_of_keys_is_stable_for_a_cache():
    def f(b: int, a: str) -> str:
        return ""

    schema = get_function_schema(f, description="d")
    assert list(schema["function"]) == ["description", "name", "parameters"]
    assert list(schema["function"]["parameters"]["properties"]) == ["b", "a"]


def test_parameters_without_annotation_and_default_are_listed_in_order():
    def f(b, a, c: int, d=1) -> None: ...

    with pytest.raises(TypeError) as error:
        get_function_schema(f, description="d")
    assert str(error.value) == (
        "All parameters of the function 'f' without default values must be annotated. "
        "The annotations are missing for the following parameters: 'b', 'a'"
    )


@requirement("schema:default-only")
def test_parameter_with_default_and_no_annotation_is_left_out_with_a_warning(caplog):
    def f(a: int, hidden=3) -> int:
        return a

    with caplog.at_level(logging.WARNING, "autogen"):
        assert list(parameters_of(f)["properties"]) == ["a"]
    assert "'hidden'" in caplog.text


@requirement("schema:return")
def test_missing_return_annotation_is_a_warning(caplog):
    def f(a: int):
        return a

    with caplog.at_level(logging.WARNING, "autogen"):
        get_function_schema(f, description="d")
    assert "The return type of the function 'f' is not annotated" in caplog.text


@requirement("schema:description")
def test_description_that_is_no_text_is_refused():
    def f(a: Annotated[int, 7]) -> int:
        return a

    with pytest.raises(ValueError, match="Invalid description 7 for parameter 'a'"):
        get_function_schema(f, description="d")


def test_description_may_come_from_a_pydantic_field_and_constraints_are_kept():
    def f(a: Annotated[int, Field(description="How many", ge=1)]) -> int:
        return a

    assert parameters_of(f)["properties"]["a"] == {
        "type": "integer",
        "minimum": 1,
        "description": "How many",
    }


@requirement("schema:nested")
def test_models_inside_models_are_written_out_in_place():
    def f(
        wallet: Annotated[Wallet, "A wallet"], other: Currency | None = None, *, c: Colour
    ) -> str:
        return ""

    parameters = parameters_of(f)
    assert "$ref" not in json.dumps(parameters)
    assert "$defs" not in json.dumps(parameters)
    currency = parameters["properties"]["wallet"]["properties"]["holds"]["items"]
    assert currency["properties"]["currency"] == {
        "type": "string",
        "enum": ["USD", "EUR"],
        "description": "The symbol",
        "title": "Currency",
    }
    assert parameters["properties"]["wallet"]["description"] == "A wallet"
    assert parameters["properties"]["other"]["default"] is None
    assert parameters["properties"]["c"]["enum"] == ["red", "blue"]


def test_type_that_contains_itself_stands_once_under_the_parameters():
    def f(tree: Annotated[Node, "A tree"], trees: list[Node]) -> str:
        return ""

    parameters = parameters_of(f)
    assert parameters["properties"]["tree"] == {"$ref": "#/$defs/Node", "description": "A tree"}
    assert parameters["properties"]["trees"]["items"] == {"$ref": "#/$defs/Node"}
    assert list(parameters["$defs"]) == ["Node"]
    children = parameters["$defs"]["Node"]["properties"]["children"]
    assert children["items"] == {"$ref": "#/$defs/Node"}


def test_two_models_of_one_name_keep_their_own_fields():
    def make(field: str) -> type[BaseModel]:
        return type("Item", (BaseModel,), {"__annotations__": {field: int}})

    first, second = make("first"), make("second")

    def f(a: first, b: list[second]) -> str:
        return ""

    properties = parameters_of(f)["properties"]
    assert list(properties["a"]["properties"]) == ["first"]
    assert list(properties["b"]["items"]["properties"]) == ["second"]


def test_union_that_is_told_apart_by_a_tag_points_nowhere():
    class Cat(BaseModel):
        kind: Literal["cat"]

    class Dog(BaseModel):
        kind: Literal["dog"]

    def f(pet: Annotated[Cat | Dog, "A pet", Field(discriminator="kind")]) -> str:
        return ""

    parameters = parameters_of(f)
    assert "#/$defs" not in json.dumps(parameters)
    consts = [
        one["properties"]["kind"]["const"] for one in parameters["properties"]["pet"]["oneOf"]
    ]
    assert consts == ["cat", "dog"]


def test_defaults_are_sent_as_json():
    def f(
        colour: Colour = Colour.RED,
        point: Point = Point(1),  # noqa: B008
        day: datetime.date = datetime.date(2024, 1, 2),
        money: Currency = Currency(currency="USD"),  # noqa: B008
    ) -> str:
        return ""

    properties = parameters_of(f)["properties"]
    assert properties["colour"]["default"] == "red"
    assert properties["point"]["default"] == {"x": 1, "y": 0}
    assert properties["day"]["default"] == "2024-01-02"
    assert properties["money"]["default"] == {"currency": "USD", "amount": 0}
    json.dumps(properties)


def test_type_without_json_schema_is_refused_by_name():
    class Handle: ...

    def f(handle: Handle) -> str:
        return ""

    with pytest.raises(TypeError, match="the type Handle of the parameter 'handle'"):
        get_function_schema(f, description="d")


def test_annotation_that_names_nothing_is_refused_by_name():
    def f(a: NotThere) -> str:  # noqa: F821
        return ""

    with pytest.raises(TypeError, match="'NotThere' of the parameter 'a' of 'f'"):
        get_function_schema(f, description="d")


def test_annotation_may_name_what_is_local_to_the_function_around():
    class Local(BaseModel):
        a: int

    def f(x: Local) -> str:
        return ""

    assert list(parameters_of(f)["properties"]["x"]["properties"]) == ["a"]


def test_annotation_may_name_what_the_function_closes_over():
    def made() -> Any:
        class Local(BaseModel):
            a: int

        def f(x: Local) -> str:
            return Local.__name__

        return f

    assert list(parameters_of(made())["properties"]["x"]["properties"]) == ["a"]


def test_positional_only_parameter_is_refused():
    def f(a: int, /) -> int:
        return a

    with pytest.raises(TypeError, match="remove the '/'"):
        get_function_schema(f, description="d")


def test_other_positional_and_named_arguments_are_not_told():
    def f(a: int, *more: int, **named: str) -> int:
        return a

    parameters = parameters_of(f)
    assert list(parameters["properties"]) == ["a"]
    assert parameters["required"] == ["a"]


def test_methods_partials_and_objects_have_schemas():
    class Shop:
        def buy(self, item: str) -> str:
            return item

        def __call__(self, n: Optional[int] = None) -> str:  # noqa: UP045
            return str(n)

    def f(a: int, b: Colour) -> str:
        return ""

    assert list(parameters_of(Shop().buy)["properties"]) == ["item"]
    assert list(parameters_of(Shop())["properties"]) == ["n"]
    partial = functools.partial(f, a=1)
    assert parameters_of(partial)["required"] == ["b"]
    assert get_function_schema(partial, description="d")["function"]["name"] == "f"


def test_parts_of_a_signature():
    def f(a: str, b: int = 1, c: float = 0.5, *, d, e=None) -> list[str]:
        return []

    signature = get_typed_signature(f)
    required = get_required_params(signature)
    assert required == ["a", "d"]
    assert get_default_values(signature) == {"b": 1, "c": 0.5, "e": None}
    assert get_param_annotations(signature) == {"a": str, "b": int, "c": float}
    assert get_missing_annotations(signature, required) == ({"d"}, {"e"})
    assert get_typed_return_annotation(f) == list[str]
    assert get_parameter_json_schema("b", int, {"b": 1}) == {
        "type": "integer",
        "default": 1,
        "description": "b",
    }
    assert get_parameters(["a"], {"a": str}, {}) == {
        "type": "object",
        "properties": {"a": {"type": "string", "description": "a"}},
        "required": ["a"],
    }


@requirement("functions:models")
def test_dicts_become_models_where_a_function_wants_them():
    @load_basemodels_if_needed
    def f(base: Currency, all: Annotated[list[Currency], "All"], n: int = 1) -> Any:
        return base, all, n

    base, every, n = f({"currency": "USD", "amount": 3}, all=[{"currency": "EUR"}], n="as it is")
    assert base == Currency(currency="USD", amount=3)
    assert every == [Currency(currency="EUR")]
    assert n == "as it is"
    assert f(base, [])[0] is base


def test_function_without_models_comes_back_as_it_is():
    def f(a: int) -> int:
        return a

    assert load_basemodels_if_needed(f) is f


def test_kind_of_a_function_is_seen_through_partials_and_objects():
    async def f() -> None: ...

    class Tool:
        async def __call__(self) -> None: ...

    assert is_async(f)
    assert is_async(functools.partial(f))
    assert is_async(Tool())
    assert is_async(load_basemodels_if_needed(f))
    assert not is_async(print)
    assert not is_async(Colour)


@requirement("functions:text")
@pytest.mark.parametrize(
    "value, text",
    [
        ("as it is", "as it is"),
        (1.5, "1.5"),
        (None, "null"),
        (True, "true"),
        ({"a": ["ü", 1]}, '{"a": ["ü", 1]}'),
        (Currency(currency="USD", amount=1), '{"currency":"USD","amount":1.0}'),
        ([Currency(currency="USD")], '[{"currency": "USD", "amount": 0.0}]'),
        (Point(1, 2), '{"x": 1, "y": 2}'),
        (datetime.date(2024, 1, 2), '"2024-01-02"'),
        ({1, 2}, "[1, 2]"),
        (Colour.RED, '"red"'),
    ],
)
def test_result_as_text(value, text):
    assert serialize_to_str(value) == text


def test_result_that_json_does_not_know_is_its_text():
    class Handle:
        def __str__(self) -> str:
            return "<handle 7>"

    assert serialize_to_str({"h": Handle()}) == '{"h": "<handle 7>"}'
