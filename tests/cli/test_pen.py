"""What a terminal is shown of the texts of models and programs."""

from __future__ import annotations

import pytest

from autogen.cli.pen import harmless


@pytest.mark.parametrize(
    "text, shown",
    [
        ("\x1b]0;title\x07a\x1b[2Jb\x1b[31mc", "abc"),
        ("a\x9b31mb\x00\x7f", "a31mb"),
        ("over\rwritten\r\nnext\ttab\n", "over\nwritten\nnext\ttab\n"),
        ("access \u202eni\u2066gol\u2069\u202c", "access nigol"),
        ("שלום, مرحبا, 你好 👩‍💻\n", "שלום, مرحبا, 你好 👩‍💻\n"),
    ],
)
def test_texts_of_others_cannot_direct_the_terminal(text: str, shown: str) -> None:
    assert harmless(text) == shown
