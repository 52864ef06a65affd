"""The stand-in for a model answers to what it is sent; other data, another conversation."""

from __future__ import annotations

import ast
import re

import pytest

from autogen.cli.demo_script import CHART, DATA, TASK, next_answer

SAVED = f"3 days of 2026: 1.00 to 2.00 dollars, +100.0 %\nsaved {CHART}, 70000 bytes\n"


def failed(output: str) -> dict[str, str]:
    return {"role": "user", "content": f"exitcode: 1 (execution failed)\nCode output: {output}"}


def went_well(output: str) -> dict[str, str]:
    return {"role": "user", "content": f"exitcode: 0 (execution succeeded)\nCode output: {output}"}


def columns(*names: str) -> str:
    return f"3 rows with columns {list(names)}\n"


def answer(*results: dict[str, str], installs: bool = True) -> str:
    task = {"role": "user", "content": TASK}
    return next_answer([{"role": "system", "content": "s"}, task, *results], installs=installs)


def code_of(text: str) -> str:
    found = re.fullmatch(r".*\n```python\n(.*)```", text, re.DOTALL)
    assert found, text
    ast.parse(found[1])
    return found[1]


def test_first_program_guesses_the_columns_and_installs_what_it_needs():
    code = code_of(answer())
    assert 'row["Date"]' in code
    assert 'row["Close"]' in code
    assert '"pip", "install"' in code
    assert DATA in code
    assert "TERMINATE" not in answer()


def test_first_program_installs_nothing_where_nothing_is_missing():
    assert "pip" not in code_of(answer(installs=False))


@pytest.mark.parametrize(
    "names, day, price",
    [
        (("day", "close_usd", "volume"), "day", "close_usd"),
        (("Open", "Trading Date", "Adj Close"), "Trading Date", "Adj Close"),
        (("timestamp", "last_price"), "timestamp", "last_price"),
        (("date of close", "price"), "date of close", "price"),
        (('the "day"', "close'd"), 'the \\"day\\"', "close'd"),
    ],
)
def test_repair_takes_the_columns_that_the_program_printed(names, day, price):
    code = code_of(answer(failed(columns(*names) + "Traceback ...\nKeyError: 'Date'\n")))
    assert f'row["{day}"]' in code
    assert f'row["{price}"]' in code
    assert "pip" not in code


def test_file_without_prices_is_given_up_with_its_columns_named():
    text = answer(failed(columns("city", "people") + "KeyError: 'Date'\n"))
    assert "`city`, `people`" in text
    assert text.endswith("TERMINATE")


def test_repairs_add_up():
    first = failed(columns("day", "close") + "KeyError: 'Date'\n")
    second = failed(
        columns("day", "close") + "ValueError: Invalid isoformat string: '31.12.2026'\n"
    )
    third = failed(
        columns("day", "close") + "ValueError: could not convert string to float: 'n/a'\n"
    )
    code = code_of(answer(first, second, third))
    assert 'datetime.strptime(row["day"], "%d.%m.%Y").date()' in code
    assert "except ValueError" in code
    assert "'n/a'" in answer(first, second, third)


def test_missing_package_is_installed_by_the_next_program():
    first = failed("ModuleNotFoundError: No module named 'matplotlib'\n")
    assert '"pip", "install"' in code_of(answer(first, installs=False))


@pytest.mark.parametrize(
    "output",
    ["FileNotFoundError: no such file\n", "", "ValueError: Invalid isoformat string: 'soon'\n"],
)
def test_trouble_without_a_repair_ends_the_chat_and_says_why(output):
    text = answer(failed(output))
    assert text.startswith("I can't draw this chart: ")
    assert text.endswith("TERMINATE")


def test_package_that_cannot_be_had_is_told_in_the_words_of_pip():
    output = "ERROR: Could not install matplotlib: no index\nTraceback ...\nCalledProcessError: x\n"
    assert "can't draw this chart: Could not install matplotlib: no index\n" in answer(
        failed(output)
    )


def test_same_failure_twice_ends_the_chat():
    same = failed("ValueError: could not convert string to float: 'x'\n")
    assert "did not help" in answer(same, same)


def test_success_is_checked_and_told_in_the_numbers_of_the_output():
    text = answer(went_well(SAVED))
    assert "3 days of 2026, from 1.00 to 2.00 dollars, +100.0 %" in text
    assert text.endswith("TERMINATE")


@pytest.mark.parametrize("output", ["", SAVED.replace("70000", "120")])
def test_output_without_a_chart_is_not_called_a_success(output):
    assert "did not say that it drew" in answer(went_well(output))


def test_task_that_looks_like_a_result_in_the_system_message_is_not_one():
    said = {"role": "system", "content": "exitcode: 0 (execution succeeded)\nCode output: x"}
    assert code_of(next_answer([said, {"role": "user", "content": TASK}]))
