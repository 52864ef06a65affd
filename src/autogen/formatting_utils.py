"""Colours for terminals, in the words of the termcolor package."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any

from .human.terminal import is_terminal

__all__ = ["colored"]

_COLORS = (
    "black",
    "red",
    "green",
    "yellow",
    "blue",
    "magenta",
    "cyan",
    "light_grey",
    "dark_grey",
    "light_red",
    "light_green",
    "light_yellow",
    "light_blue",
    "light_magenta",
    "light_cyan",
    "white",
)
_ALIASES = {"grey": "black"}
_ATTRIBUTES = {
    "bold": 1,
    "dark": 2,
    "italic": 3,
    "underline": 4,
    "blink": 5,
    "reverse": 7,
    "concealed": 8,
    "strike": 9,
}


def colored(
    text: Any,
    color: str | None = None,
    on_color: str | None = None,
    attrs: Iterable[str] | None = None,
    *,
    no_color: bool | None = None,
    force_color: bool | None = None,
) -> str:
    """`text` in a colour where the output is a terminal that wants colours, else as it is.

    Args:
        text: What to show.
        color: "red", "light_blue", "grey" ...; None for none.
        on_color: The background: "on_red" ...
        attrs: "bold", "dark", "italic", "underline", "blink", "reverse", "concealed", "strike".
        no_color: True for no colours whatever the terminal wants.
        force_color: True for colours whatever the terminal wants.

    Raises:
        KeyError: A colour or attribute that does not exist.

    Source: https://no-color.org and https://force-color.org for the variables; ECMA-48, 8.3.117 for
    the codes, of which 90 to 107 are an xterm addition.
    """
    shown = str(text)
    codes = [] if color is None else [_code(color, 30)]
    if on_color is not None:
        codes.append(_code(on_color.removeprefix("on_"), 40))
    codes += [_ATTRIBUTES[attribute] for attribute in attrs or ()]
    if not codes or not _wanted(no_color, force_color):
        return shown
    return f"\x1b[{';'.join(map(str, codes))}m{shown}\x1b[0m"


def _code(color: str, base: int) -> int:
    try:
        index = _COLORS.index(_ALIASES.get(color, color))
    except ValueError:
        raise KeyError(color) from None
    return base + index if index < 8 else base + 60 + index - 8


def _wanted(no_color: bool | None, force_color: bool | None) -> bool:
    if no_color:
        return False
    if force_color:
        return True
    if os.environ.get("NO_COLOR") or os.environ.get("ANSI_COLORS_DISABLED"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return os.environ.get("TERM") != "dumb" and is_terminal(sys.stdout)
