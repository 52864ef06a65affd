"""How many tokens a text, a message or a schema has, without a network.

Where the tiktoken package is installed, knows the model and finds its data on this machine, text is
counted exactly. Anywhere else `estimated_tokens` gives a number that is meant to lie above the
exact one, so that what it lets through fits. Nothing is ever downloaded: tiktoken would, so it is
asked only when its data is there already (in `TIKTOKEN_CACHE_DIR`, or loaded by the program).
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from typing import Any, Final

from ..errors import UsageError

__all__ = ["DEFAULT_MODEL", "count_token", "estimated_tokens", "num_tokens_from_functions"]

#: Whose tokens are counted where nobody says.
DEFAULT_MODEL: Final = "gpt-3.5-turbo-0613"

#: Tokens that a message costs beside its texts, a name, and the start of the answer.
#: Source: OpenAI cookbook, "How to count tokens with tiktoken", read 2026-11-21.
_PER_MESSAGE, _PER_NAME, _PER_REQUEST = 3, 1, 3
#: What a large picture costs: 2048 x 4096 at high detail. Source: OpenAI's vision guide.
_PER_PICTURE = 1105
#: What a list of functions costs beside their texts.
_PER_FUNCTIONS = 12


def count_token(input: str | list[Any] | Mapping[str, Any], model: str = DEFAULT_MODEL) -> int:
    """Tokens of a text, a message or a list of messages.

    Args:
        input: Messages are counted with what the chat format adds to each.
        model: Decides which tokenizer counts.

    Raises:
        UsageError: `input` is something else.
    """
    count = _counter(model)
    if isinstance(input, str):
        return count(input)
    messages = [input] if isinstance(input, Mapping) else input
    if not isinstance(messages, list):
        raise UsageError(
            f"input is a {type(input).__name__}; it must be text, a message or a list of messages."
        )
    return _PER_REQUEST + sum(_of_message(message, count) for message in messages)


def _of_message(message: Mapping[str, Any], count: Callable[[str], int]) -> int:
    n_tokens = _PER_MESSAGE + (_PER_NAME if message.get("name") else 0)
    return n_tokens + sum(_of_value(value, count) for value in message.values())


def _of_value(value: Any, count: Callable[[str], int]) -> int:
    if value is None:
        return 0
    if isinstance(value, str):
        return count(value)
    if isinstance(value, list) and any(_is_picture(part) for part in value):
        return sum(_PER_PICTURE if _is_picture(part) else _of_value(part, count) for part in value)
    return count(json.dumps(value, ensure_ascii=False, default=str))


def _is_picture(part: Any) -> bool:
    return isinstance(part, Mapping) and part.get("type") == "image_url"


def num_tokens_from_functions(functions: list[Any], model: str = DEFAULT_MODEL) -> int:
    """Tokens that schemas of functions add to a request.

    Services write the schemas out in a form of their own, which is shorter than the JSON that is
    counted here.
    """
    if not functions:
        return 0
    count = _counter(model)
    return _PER_FUNCTIONS + sum(
        count(json.dumps(one, ensure_ascii=False, default=str)) for one in functions
    )


# --------------------------------------------------------------------------------------- counting


def _counter(model: str) -> Callable[[str], int]:
    encoding = _encoding(model)
    if encoding is None:
        return estimated_tokens

    def exactly(text: str) -> int:
        # A text that looks like a control token is text.
        return len(encoding.encode(text, disallowed_special=()))

    return exactly


def _encoding(model: str) -> Any:
    """tiktoken's encoding for the model, if it can be had without a download."""
    try:
        tiktoken = importlib.import_module("tiktoken")
        registry = importlib.import_module("tiktoken.registry")
        name = tiktoken.encoding_name_for_model(model.replace("gpt-35", "gpt-3.5"))
    except (ImportError, KeyError):
        return None
    if name in registry.ENCODINGS:
        return registry.ENCODINGS[name]
    if not _is_on_disk(name):
        return None
    try:
        return tiktoken.get_encoding(name)
    except (OSError, ValueError):
        return None


def _is_on_disk(encoding: str) -> bool:
    # Where tiktoken keeps what it has downloaded: tiktoken/load.py of 0.14.0.
    folder = os.environ.get("TIKTOKEN_CACHE_DIR", os.environ.get("DATA_GYM_CACHE_DIR"))
    if folder is None:
        folder = os.path.join(tempfile.gettempdir(), "data-gym-cache")
    if not folder:
        return False
    file = {"o200k_harmony": "o200k_base", "p50k_edit": "p50k_base"}.get(encoding, encoding)
    url = f"https://openaipublic.blob.core.windows.net/encodings/{file}.tiktoken"
    key = hashlib.sha1(url.encode(), usedforsecurity=False).hexdigest()
    return os.path.isfile(os.path.join(folder, key))


# -------------------------------------------------------------------------------------- estimates

_PIECE = re.compile(
    r"""
      (?P<word>  [A-Z]?[a-z]+ | [A-Z]+ )
    | (?P<number>[0-9]+ )
    | (?P<space> [ \t]+ | [\r\n]+ )
    | (?P<wide>  [^\x00-\x7f]+ )
    | (?P<sign>  [\x00-\x7f] )
    """,
    re.VERBOSE,
)

#: The 200 commonest pairs of letters in English prose, source code and documentation (31 million
#: characters counted), as first letter and what follows it.
_COMMON_PAIRS: Final = frozenset(
    group[0] + second
    for group in (
        "abcdgilmnprstuvy baeilou caehiklortu dadeiosu eacdefgilmnprstvx faefioru gehinr haeiot "
        "iabcdefglmnoprstv ke ladeilostuy maeimops nacdefgiostu obcdflmnoprstuvw paeiloprtu qu "
        "racdegimnorstuy sacehilopstuy taehiloprstuy ubceilmnprst vaei waehio xst"
    ).split()
    for second in group[1:]
)


def estimated_tokens(text: str) -> int:
    """A number of tokens that `text` is not expected to pass.

    A word counts 1, and 1 for each 5 letters after the first (each 2 of one in capitals), and 1 for
    each pair of letters that is rare in words; 3 digits count 1, a sign 1, 16 blanks 1; letters
    beyond ASCII count 1 (2 bytes in UTF-8), 2.5 (3 bytes) or 3 (4 bytes). Never more than the
    text's bytes in UTF-8, which no tokenizer passes.

    Source: measured against o200k_base and cl100k_base, the larger of the two, on about 140 texts:
    prose in ten languages, documentation, source code, JSON, base64, hashes, random letters, rare
    Chinese characters. 1.0 to 3.0 times the exact count (long runs of one sign aside), 1.6 in the
    middle; a hash of a few characters may be one token short.
    """
    n_tokens = 0.0
    for piece in _PIECE.finditer(text):
        found, kind = piece[0], piece.lastgroup
        if kind == "word":
            n_tokens += _of_word(found)
        elif kind == "number":
            n_tokens += (len(found) + 2) // 3
        elif kind == "space":
            # The blank before a word belongs to the word's token.
            n_tokens += 0 if found == " " else (len(found) + 15) // 16
        elif kind == "wide":
            n_tokens += sum(
                1 if char < "\u0800" else 2.5 if char < "\U00010000" else 3 for char in found
            )
        else:
            n_tokens += 1
    return min(-int(-n_tokens // 1), len(text.encode("utf-8", "surrogatepass")))


def _of_word(word: str) -> int:
    lower = word.lower()
    rare = sum(lower[i : i + 2] not in _COMMON_PAIRS for i in range(len(word) - 1))
    return 1 + rare + (len(word) - 1) // (2 if len(word) > 1 and word.isupper() else 5)
