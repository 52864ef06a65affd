"""Code blocks in messages."""

from __future__ import annotations

import pytest
from tests.compat.requirements import requirement

from autogen.coding import MarkdownCodeExtractor
from autogen.coding.extract import extract_code, infer_lang
from autogen.coding.markdown_code_extractor import MarkdownCodeExtractor as Alias

TWO = "Do this:\n```python\nprint(1)\n```\nand\n``` sh\nls\n  ```\n"


def blocks(text):
    return [(b.language, b.code) for b in MarkdownCodeExtractor().extract_code_blocks(text)]


@requirement("codeutils:extract")
def test_blocks_come_in_order_with_their_languages():
    assert blocks(TWO) == [("python", "print(1)"), ("sh", "ls")]
    assert extract_code(TWO) == [("python", "print(1)"), ("sh", "ls")]


@requirement("codeutils:extract")
def test_lines_may_end_as_on_windows():
    assert blocks("```python\r\nprint(1)\r\nprint(2)\r\n```\r\n") == [
        ("python", "print(1)\r\nprint(2)")
    ]


@requirement("codeutils:infer")
@pytest.mark.parametrize(
    "code, language",
    [
        ("pip install x", "sh"),
        ("python a.py", "sh"),
        ("python3 a.py", "sh"),
        ("x = 1", "python"),
        ("echo hello", "unknown"),
        ("x = '\0'", "unknown"),
        ("(" * 5000, "unknown"),
    ],
)
def test_language_is_inferred(code, language):
    assert infer_lang(code) == language


@requirement("codeutils:extractor")
def test_block_without_a_language_gets_the_inferred_one_or_none():
    assert blocks("```\nx = 1\n```") == [("python", "x = 1")]
    assert blocks("```\necho hello\n```") == [("", "echo hello")]


def test_doubtful_python_is_inferred_without_a_warning():
    assert infer_lang(r"x = '\d' is 'y'") == "python"


@requirement("codeutils:extractor")
def test_message_may_be_parts_or_nothing():
    parts = [
        {"type": "image_url", "image_url": {"url": "x"}},
        {"type": "text", "text": "```python\n1\n```"},
        {"type": "text", "text": "```sh\nls\n```"},
    ]
    assert blocks(parts) == [("python", "1"), ("sh", "ls")]
    assert blocks(None) == []


@requirement("codeutils:extract")
def test_text_without_a_block_is_unknown():
    assert extract_code("just words") == [("unknown", "just words")]


def test_no_language_stays_empty():
    assert extract_code("```\nprint(1)\n```") == [("", "print(1)")]


@requirement("codeutils:extract:line")
def test_single_line_mode_takes_backticks_too():
    text = "run `ls` then\n```python\nprint(1)\n```"
    assert extract_code(text, detect_single_line_code=True) == [("", "ls"), ("python", "print(1)")]
    assert extract_code("nothing", detect_single_line_code=True) == []


def test_alias_module_has_the_same_class():
    assert Alias is MarkdownCodeExtractor
