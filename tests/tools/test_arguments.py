"""Arguments as models write them."""

from __future__ import annotations

import datetime
import functools
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from autogen.tools.arguments import BadArguments, WrongArguments, parsed_arguments


class Currency(BaseModel):
    currency: Literal["USD", "EUR"]
    amount: float = 0


@dataclass
class Point:
    x: int
    y: int


def convert(base: Annotated[Currency, "Base"], quote: Literal["USD", "EUR"] = "EUR") -> str:
    return ""


# ---------------------------------------------------------------------------------------- reading


@pytest.mark.parametrize(
    "text, arguments",
    [
        ('{"a": 1}', {"a": 1}),
        ({"a": 1}, {"a": 1}),
        ("", {}),
        ("  \n", {}),
        (None, {}),
        ('\n{\n"a"\n:\t1\n}\n', {"a": 1}),
        ('{"a": "one\ntwo\tthree"}', {"a": "one\ntwo\tthree"}),
        ('```json\n{"a": 1}\n```', {"a": 1}),
        ('```\n{"a": [1, 2,],}\n```', {"a": [1, 2]}),
        ("```\n```", {}),
        ('{"a": 1, "b": [1, 2, ], }', {"a": 1, "b": [1, 2]}),
        (
            '{"a": "keep ,} this", "b": "and \\",] this",}',
            {"a": "keep ,} this", "b": 'and ",] this'},
        ),
        ("{'a': 'it''s', 'b': None, 'c': True}", {"a": "its", "b": None, "c": True}),
        ("{'code': \"print('x')\"}", {"code": "print('x')"}),
        ('"{\\"a\\": 1}"', {"a": 1}),
        ('{"ü": "\\u00e4"}', {"ü": "ä"}),
    ],
)
def test_text_is_read_as_it_was_meant(text, arguments):
    assert parsed_arguments(text) == arguments


@pytest.mark.parametrize(
    "text, problem",
    [
        ("nope", "Expecting value: line 1 column 1 (char 0)"),
        ('{"a": 1', "Expecting ',' delimiter"),
        ('{"a": open("/etc/passwd")}', "Expecting value"),
        ("[1, 2]", "the arguments are a JSON array; they must be an object"),
        ("3", "the arguments are a JSON number"),
        ("null", "the arguments are a JSON null"),
        ("true", "the arguments are a JSON boolean"),
        ('"text"', "Expecting value"),
        ("[" * 100_000, ""),
        ("{'a':" * 100_000, ""),
        ('{"a": ' + "9" * 5000 + "}", ""),
    ],
    ids=lambda value: value[:20],
)
def test_text_that_is_no_json_object_is_told(text, problem):
    with pytest.raises(BadArguments) as error:
        parsed_arguments(text)
    assert problem in str(error.value)
    assert not isinstance(error.value, WrongArguments)


def test_dict_is_copied():
    given_ = {"a": 1}
    assert parsed_arguments(given_) is not given_


@given(st.text())
def test_any_text_is_read_or_told(text):
    try:
        arguments = parsed_arguments(text)
    except BadArguments:
        return
    assert isinstance(arguments, dict)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), json_values))
def test_a_python_dict_is_read_as_it_stands(arguments):
    assert parsed_arguments(repr(arguments)) == arguments


# ---------------------------------------------------------------------------------------- fitting


def test_values_become_what_the_annotations_say():
    def f(
        n: int,
        x: float,
        day: datetime.date,
        point: Point,
        names: set[str],
        text: str,
        bare,
        wished: int = None,  # noqa: RUF013 as programs write it
        rest: Any = 3,
    ): ...

    arguments = parsed_arguments(
        '{"n": "3", "x": 2, "day": "2024-05-06", "point": {"x": 1, "y": "2"}, "names": ["a", "a"],'
        ' "text": 5, "bare": [1], "wished": null}',
        f,
    )
    assert arguments == {
        "n": 3,
        "x": 2.0,
        "day": datetime.date(2024, 5, 6),
        "point": Point(1, 2),
        "names": {"a"},
        "text": "5",
        "bare": [1],
        "wished": None,
    }


def test_dict_becomes_a_model_and_defaults_are_left_to_the_function():
    arguments = parsed_arguments('{"base": {"currency": "USD"}}', convert)
    assert arguments == {"base": Currency(currency="USD")}


def test_error_names_what_is_wrong_missing_and_unknown_and_what_was_sent():
    text = '{"base": {"currency": "XYZ"}, "quote": 3, "to": "EUR"}'
    with pytest.raises(WrongArguments) as error:
        parsed_arguments(text, convert)
    assert str(error.value) == (
        "the arguments do not fit convert(base: Currency, quote: Literal['USD', 'EUR'] = \"EUR\"): "
        "'base.currency' is \"XYZ\": Input should be 'USD' or 'EUR'; "
        "'quote' is 3: Input should be 'USD' or 'EUR'; 'to' is not a parameter. "
        f"You sent {text}. Call it again with the arguments put right."
    )


def test_error_names_the_type_of_what_is_missing():
    with pytest.raises(WrongArguments, match=r"'base' is missing \(Currency\)"):
        parsed_arguments("", convert)


def test_error_stays_short():
    def f(numbers: list[int]) -> int:
        return 0

    with pytest.raises(WrongArguments) as error:
        parsed_arguments({"numbers": ["x" * 10_000] * 1000}, f)
    assert "and 995 more" in str(error.value)
    assert len(str(error.value)) < 1500


def test_function_that_takes_any_named_argument_gets_them():
    def f(a: int, **others): ...

    assert parsed_arguments('{"a": "1", "b": "2"}', f) == {"a": 1, "b": "2"}


def test_type_that_pydantic_does_not_know_takes_the_value_as_it_is():
    class Handle: ...

    def f(handle: Handle, n: int): ...

    assert parsed_arguments('{"handle": {"id": 1}, "n": "2"}', f) == {"handle": {"id": 1}, "n": 2}


def test_annotations_that_can_not_be_evaluated_are_left_alone():
    def f(a: NotThere, b: int): ...  # noqa: F821

    assert parsed_arguments('{"a": 1, "b": 2}', f) == {"a": 1, "b": 2}
    with pytest.raises(WrongArguments, match="'b' is missing"):
        parsed_arguments('{"a": 1}', f)


def test_built_in_that_does_not_tell_what_it_takes_gets_everything():
    assert parsed_arguments('{"x": 1}', dict) == {"x": 1}


def test_methods_partials_and_objects_are_fitted():
    class Shop:
        def buy(self, n: int) -> int:
            return n

        def __call__(self, n: int) -> int:
            return n

    assert parsed_arguments('{"n": "1"}', Shop().buy) == {"n": 1}
    assert parsed_arguments('{"n": "1"}', Shop()) == {"n": 1}
    partial = functools.partial(Shop.buy, Shop())
    assert parsed_arguments('{"n": "1"}', partial) == {"n": 1}


def test_wrapper_is_read_by_what_it_wraps():
    def f(n: int) -> int:
        return n

    @functools.wraps(f)
    def wrapper(*args, **kwargs):
        return f(*args, **kwargs)

    assert parsed_arguments('{"n": "1"}', wrapper) == {"n": 1}
