"""Markdown is cut into the same lines however it comes in."""

from __future__ import annotations

import pytest

from autogen.cli.markdown import MarkdownStream

TEXT = """\
Some words.

```python
# filename: a.py
x = "```"
  ```not a fence
y = 1
```
Between.
```
plain
```
~ the end"""

LINES = [
    ("prose", "Some words."),
    ("prose", ""),
    ("open", "python", "a.py"),
    ("code", "# filename: a.py"),
    ("code", 'x = "```"'),
    ("code", "  ```not a fence"),
    ("code", "y = 1"),
    ("close",),
    ("prose", "Between."),
    ("open", "", None),
    ("code", "plain"),
    ("close",),
    ("prose", "~ the end"),
]


class Taken:
    """Keeps what it is told."""

    def __init__(self):
        self.lines: list[tuple] = []
        self.partials: list[str] = []

    def prose(self, line):
        self.lines.append(("prose", line))

    def open_code(self, language, file):
        self.lines.append(("open", language, file))

    def code(self, line):
        self.lines.append(("code", line))

    def close_code(self):
        self.lines.append(("close",))

    def partial(self, text):
        self.partials.append(text)


def cut(pieces) -> Taken:
    taken = Taken()
    stream = MarkdownStream(taken)
    for piece in pieces:
        stream.feed(piece)
    stream.finish()
    return taken


@pytest.mark.parametrize("n", [1, 2, 3, 7, 1000])
def test_lines_do_not_depend_on_the_pieces(n):
    assert cut(TEXT[i : i + n] for i in range(0, len(TEXT), n)).lines == LINES


def test_carriage_returns_are_no_part_of_a_line():
    assert cut([TEXT.replace("\n", "\r\n")]).lines == LINES


def test_block_that_is_never_closed_is_closed_at_the_end():
    assert cut(["```sh\nls"]).lines == [("open", "sh", None), ("code", "ls"), ("close",)]


def test_empty_block():
    assert cut(["```sh\n```\n"]).lines == [("open", "sh", None), ("close",)]


def test_line_under_way_is_shown_but_a_fence_is_not():
    assert cut(["ab", "c\n``", "`py"]).partials == ["ab", "", "", ""]


def test_longer_fence_holds_a_shorter_one():
    assert cut(["````md\n```\nx\n```\n````\n"]).lines == [
        ("open", "md", None),
        ("code", "```"),
        ("code", "x"),
        ("code", "```"),
        ("close",),
    ]
