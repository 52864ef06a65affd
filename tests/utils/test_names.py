"""The small modules that 0.2 programs import from."""

from __future__ import annotations

import pytest
from tests.compat.requirements import requirement

from autogen import errors, exception_utils, function_utils
from autogen.formatting_utils import colored
from autogen.tools import conversion, schema


@requirement("errors:names", "errors:suffix")
def test_exceptions_are_those_of_the_tree_under_both_names():
    for name in (
        "AgentNameConflict",
        "InvalidCarryOverType",
        "NoEligibleSpeaker",
        "SenderRequired",
        "UndefinedNextAgent",
    ):
        assert getattr(exception_utils, name) is getattr(errors, name)
        assert getattr(exception_utils, f"{name}Error") is getattr(errors, name)
        assert getattr(errors, name)().message
    assert exception_utils.AgentNameConflict("twice").message == "twice"
    assert "'small'" in exception_utils.ModelToolNotSupportedError("small").message


@requirement("functions:names")
def test_function_utils_are_those_of_tools():
    of_tools = {**vars(schema), **vars(conversion)}
    for name in function_utils.__all__:
        assert getattr(function_utils, name) is of_tools[name]


@requirement("types:import")
def test_types_can_be_imported():
    from autogen.types import MessageContentType, UserMessageTextContentPart

    part: UserMessageTextContentPart = {"type": "text", "text": "hi"}
    content: MessageContentType = [dict(part)]
    assert content


@requirement("colour:forced")
@pytest.mark.parametrize(
    "arguments, shown",
    [
        (("x", "red"), "\x1b[31mx\x1b[0m"),
        (("x", "light_blue", "on_yellow", ["bold"]), "\x1b[94;43;1mx\x1b[0m"),
        (("x", "grey"), "\x1b[30mx\x1b[0m"),
        (("x", "white"), "\x1b[97mx\x1b[0m"),
        (("x", None, "on_light_cyan"), "\x1b[106mx\x1b[0m"),
        ((5,), "5"),
    ],
)
def test_colour_where_it_is_forced(arguments, shown):
    assert colored(*arguments, force_color=True) == shown


@requirement("colour:unseen")
def test_no_colour_where_nobody_sees_it(capsys):
    assert colored("x", "red", attrs=["bold"]) == "x"


@requirement("colour:unseen")
def test_variables_decide_over_the_terminal(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert colored("x", "red") == "\x1b[31mx\x1b[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert colored("x", "red") == "x"


def test_colour_that_does_not_exist_is_a_key_error():
    with pytest.raises(KeyError):
        colored("x", "mauve")
