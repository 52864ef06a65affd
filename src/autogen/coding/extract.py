"""Finding code blocks in messages."""

from __future__ import annotations

import re
import warnings
from typing import Any

from .base import CodeBlock

__all__ = ["CODE_BLOCK_PATTERN", "UNKNOWN", "MarkdownCodeExtractor", "extract_code", "infer_lang"]

#: A fenced block: fence, optional language, body, fence. Groups: language, code.
CODE_BLOCK_PATTERN = r"```[ \t]*(\w+)?[ \t]*\r?\n(.*?)\r?\n[ \t]*```"
#: The language of text in which no block was found.
UNKNOWN = "unknown"

_SINGLE_LINE_PATTERN = r"`([^`]+)`"
_SHELL_STARTS = ("python ", "pip", "python3 ")


def infer_lang(code: str) -> str:
    """The language of `code`: "sh", "python" or "unknown"."""
    if code.startswith(_SHELL_STARTS):
        return "sh"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(code, "test", "exec")
    except (SyntaxError, ValueError, MemoryError, RecursionError, OverflowError):
        return UNKNOWN
    return "python"


def extract_code(
    text: str | list[dict[str, Any]],
    pattern: str = CODE_BLOCK_PATTERN,
    detect_single_line_code: bool = False,
) -> list[tuple[str, str]]:
    """The code blocks of a message as (language, code).

    Args:
        text: Text, or content parts whose texts are taken.
        pattern: What a fenced block looks like.
        detect_single_line_code: Also take `code` in single backticks.

    Returns:
        In order; language `""` where none was written. Without any block:
        `[("unknown", text)]`, or `[]` in single line mode.
    """
    text = _text_of(text)
    if not detect_single_line_code:
        return re.findall(pattern, text, flags=re.DOTALL) or [(UNKNOWN, text)]
    both = re.compile(f"{pattern}|{_SINGLE_LINE_PATTERN}", re.DOTALL)
    found = []
    for language, block, single in both.findall(text):
        if block:
            found.append((language.strip(), block.strip()))
        elif single:
            found.append(("", single.strip()))
    return found


def _text_of(message: str | list[dict[str, Any]] | None) -> str:
    if isinstance(message, str):
        return message
    texts = (part.get("text") for part in message or [])
    return "\n".join(text for text in texts if isinstance(text, str))


class MarkdownCodeExtractor:
    """Takes the fenced blocks of Markdown text."""

    def extract_code_blocks(self, message: str | list[dict[str, Any]] | None) -> list[CodeBlock]:
        """The blocks of `message`; a missing language is inferred, `""` where that fails."""
        blocks = []
        for found in re.finditer(CODE_BLOCK_PATTERN, _text_of(message), flags=re.DOTALL):
            code = found[2]
            language = (found[1] or "").strip() or infer_lang(code)
            blocks.append(CodeBlock(code=code, language="" if language == UNKNOWN else language))
        return blocks
