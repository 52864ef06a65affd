"""The words of the demo's stand-in for a model: what it answers to the conversation so far.

Nothing here knows how the programs end. Each answer is worked out from the messages, as a model
would: column names are taken from what a program printed, repairs from the traceback, the closing
words from the numbers. Other data lead to another conversation.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

__all__ = ["CHART", "DATA", "PROGRAM", "TASK", "next_answer"]

DATA = "synthetic_prices.csv"
CHART = "share_price.png"
PROGRAM = "plot_share_price.py"
TASK = f"Plot a chart of the share price in {DATA}, year to date, and save it as {CHART}."

_RESULT = re.compile(r"exitcode: (-?\d+) .*?\nCode output: ?(.*)", re.DOTALL)
_COLUMNS = re.compile(r"^\d+ rows with columns (\[.*\])$", re.MULTILINE)
_KEY_ERROR = re.compile(r"^KeyError: ", re.MULTILINE)
_NO_NUMBER = re.compile(r"^ValueError: could not convert string to float: (.*)$", re.MULTILINE)
_NO_DATE = re.compile(r"^ValueError: Invalid isoformat string: '(.*)'$", re.MULTILINE)
_NO_MODULE = re.compile(r"^ModuleNotFoundError: No module named 'matplotlib", re.MULTILINE)
_NOT_INSTALLED = re.compile(r"^ERROR: (Could not install matplotlib.*)$", re.MULTILINE)
_DRAWN = re.compile(r"^(\d+) days of (\d{4}): (.+)$", re.MULTILINE)
_SAVED = re.compile(rf"^saved {re.escape(CHART)}, (\d+) bytes$", re.MULTILINE)

_DATE_WORDS = ("date", "day", "time")
_PRICE_WORDS = ("close", "price", "last", "value")
_DATE_FORMATS = ("%d.%m.%Y", "%Y/%m/%d", "%m/%d/%Y", "%d/%m/%Y", "%d %b %Y", "%b %d, %Y")
#: A smaller picture has nothing in it.
_LEAST_BYTES = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the next program does: each field is something that a result has taught.

    Attributes:
        date_column: First a guess.
        price_column: First a guess.
        date_format: For `strptime`; None for ISO dates.
        skips_bad_rows: Whether rows without a number are left out.
        installs: Whether it installs matplotlib first.
        columns: What the file has; empty while that is not known.
    """

    date_column: str = "Date"
    price_column: str = "Close"
    date_format: str | None = None
    skips_bad_rows: bool = False
    installs: bool = True
    columns: tuple[str, ...] = field(default=())


class _GiveUp(Exception):
    """There is no way on; the text says why."""


def next_answer(messages: Sequence[Mapping[str, Any]], *, installs: bool = True) -> str:
    """The answer to a conversation.

    Args:
        messages: As a model gets them, the system message included; only the results of code count.
        installs: Whether the first program installs matplotlib; False where it is there.
    """
    results = [found for message in messages if (found := _result(message))]
    plan = Plan(installs=installs)
    if not results:
        return (
            f"I'll read {DATA} and draw the closing prices of its latest year.\n\n{program(plan)}"
        )
    why = ""
    try:
        for exit_code, output in results:
            if exit_code == 0:
                return _checked(output)
            plan, why = _learnt(replace(plan, installs=False), output)
    except _GiveUp as trouble:
        return f"I can't draw this chart: {trouble}\n\nTERMINATE"
    return f"{why}\n\n{program(plan)}"


def _result(message: Mapping[str, Any]) -> tuple[int, str] | None:
    if message.get("role") != "user" or not isinstance(message.get("content"), str):
        return None
    found = _RESULT.match(message["content"])
    return (int(found[1]), found[2]) if found else None


def _learnt(plan: Plan, output: str) -> tuple[Plan, str]:
    """The plan after a program failed with `output`, and what to say about it."""
    if columns := _COLUMNS.findall(output):
        plan = replace(plan, columns=tuple(ast.literal_eval(columns[-1])))
    if not_installed := _NOT_INSTALLED.search(output):
        raise _GiveUp(not_installed[1])
    before = plan
    if _KEY_ERROR.search(output) and plan.columns:
        date_column = _pick(plan.columns, _DATE_WORDS)
        price_column = _pick(plan.columns, _PRICE_WORDS, but=date_column)
        names = ", ".join(f"`{name}`" for name in plan.columns)
        if date_column is None or price_column is None:
            raise _GiveUp(f"the file has the columns {names}, and I can't tell what is the price.")
        wrong = f"`{plan.date_column}` and `{plan.price_column}`"
        plan = replace(plan, date_column=date_column, price_column=price_column)
        said = (
            f"I took {wrong} for granted, but the columns are {names}. "
            f"The dates are in `{date_column}` and the prices in `{price_column}`:"
        )
    elif wrong_date := _NO_DATE.search(output):
        plan = replace(plan, date_format=_format_of(wrong_date[1]))
        said = (
            f"The dates are not written as I thought: {wrong_date[1]!r}. I'll read them that way:"
        )
    elif wrong_number := _NO_NUMBER.search(output):
        plan = replace(plan, skips_bad_rows=True)
        said = f"{wrong_number[1]} is not a price. I'll leave such rows out and count them:"
    elif _NO_MODULE.search(output):
        plan = replace(plan, installs=True)
        said = "matplotlib is missing; the program installs it now:"
    else:
        last = output.strip().splitlines()[-1:] or ["the program failed and printed nothing"]
        raise _GiveUp(last[0])
    if plan == before:
        raise _GiveUp("my repair did not help.")
    return plan, said


def _pick(columns: Sequence[str], words: Sequence[str], but: str | None = None) -> str | None:
    """The column whose name has the first of `words` that any has."""
    for word in words:
        for name in columns:
            if word in name.lower() and name != but:
                return name
    return None


def _format_of(text: str) -> str:
    for known in _DATE_FORMATS:
        try:
            datetime.strptime(text, known)  # noqa: DTZ007 the moment itself is not used
        except ValueError:
            continue
        return known
    raise _GiveUp(f"I don't know how to read the date {text!r}.")


def _checked(output: str) -> str:
    """The closing words, if the output supports them."""
    drawn, saved = _DRAWN.search(output), _SAVED.search(output)
    if drawn is None or saved is None or int(saved[1]) < _LEAST_BYTES:
        return "The program ran, but it did not say that it drew anything.\n\nTERMINATE"
    return (
        f"The chart is in `{CHART}` ({int(saved[1]):,} bytes): {drawn[1]} days of {drawn[2]}, "
        f"from {drawn[3]}.\n\nTERMINATE"
    )


# -- the program -----------------------------------------------------------------------------------


def program(plan: Plan) -> str:
    """The program of a plan, as a fenced block."""
    parts = [_HEAD_INSTALLS if plan.installs else _HEAD, _read(plan), _DRAW]
    body = "\n".join(part.strip("\n") + "\n" for part in parts)
    imports = "from datetime import datetime" if plan.date_format else "from datetime import date"
    return f"```python\n{body.replace('from datetime import date', imports)}```"


def _read(plan: Plan) -> str:
    day = f"date.fromisoformat(row[{_quoted(plan.date_column)}])"
    if plan.date_format:
        day = f'datetime.strptime(row[{_quoted(plan.date_column)}], "{plan.date_format}").date()'
    price = f"float(row[{_quoted(plan.price_column)}])"
    if not plan.skips_bad_rows:
        return f"days = [{day} for row in rows]\nprices = [{price} for row in rows]"
    return f"""\
days, prices, n_skipped = [], [], 0
for row in rows:
    try:
        day, price = {day}, {price}
    except ValueError:
        n_skipped += 1
        continue
    days.append(day)
    prices.append(price)
print(f"{{n_skipped}} rows without a price left out")"""


def _quoted(name: str) -> str:
    """A column name as it stands in a program; whatever it holds, it stays a string."""
    return json.dumps(name)


_HEAD = f"""
# filename: {PROGRAM}
import csv
import os
from datetime import date

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

with open("{DATA}", newline="") as file:
    rows = list(csv.DictReader(file))
print(f"{{len(rows)}} rows with columns {{list(rows[0])}}")
"""

_HEAD_INSTALLS = _HEAD.replace("import os\n", "import os\nimport subprocess\nimport sys\n").replace(
    "\nimport matplotlib\n",
    """
pip_install = [sys.executable, "-m", "pip", "install", "-q"]
subprocess.run([*pip_install, "matplotlib"], check=True)
import matplotlib
""",
)

_DRAW = f"""
year = max(days).year
pairs = [(d, p) for d, p in zip(days, prices) if d.year == year]
days, prices = zip(*pairs)
change = 100 * (prices[-1] / prices[0] - 1)

figure, axes = plt.subplots(figsize=(9, 5), layout="constrained")
axes.plot(days, prices, color="tab:blue")
axes.fill_between(days, prices, min(prices), alpha=0.12)
title = f"Synthetic share price, {{year}} to date"
axes.set_title(f"{{title}}: {{change:+.1f}} %")
axes.set_ylabel("US dollars")
axes.grid(alpha=0.3)
figure.autofmt_xdate()
figure.savefig("{CHART}", dpi=120)

span = f"{{prices[0]:.2f}} to {{prices[-1]:.2f}} dollars"
print(f"{{len(days)}} days of {{year}}: {{span}}, {{change:+.1f}} %")
size = os.path.getsize("{CHART}")
print(f"saved {CHART}, {{size}} bytes")
"""
