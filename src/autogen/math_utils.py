r"""Answers to mathematical problems: finding the one in `\boxed{}`, comparing, voting.

Two answers count as the same when they are written the same way once spacing, units and the usual
spellings of LaTeX are evened out. Nothing is computed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ._retired import retired

__all__ = [
    "eval_math_responses",
    "get_answer",
    "is_equiv",
    "is_equiv_chain_of_thought",
    "last_boxed_only_string",
    "remove_boxed",
    "solve_problem",
    "voting_counts",
]

solve_problem = retired(__name__, "solve_problem")

_BOX = re.compile(r"\\(?:boxed|fbox)\s*")
_NOISE = re.compile(r"\\[!,;: ]|\\left(?![a-z])|\\right(?![a-z])|\\\$|\^\{?\\circ\}?|\\?%|\s+")
_UNIT = re.compile(r"\\(?:text|mbox|mathrm)\s*\{\s+.*$")
_BARE_FRACTION = re.compile(r"\\frac(\{[^{}]*\}|[^{}\\])(\{[^{}]*\}|[^{}\\])")
_BARE_ROOT = re.compile(r"\\sqrt([^{\[\\])")
_RATIO = re.compile(r"(-?)(\d+)/(\d+)")
_NO_WHOLE = re.compile(r"(^|[{,(\[=+*/-])\.(?=\d)")
_NAMED = re.compile(r"[A-Za-z]{1,2}=(?=.)")


def last_boxed_only_string(string: str) -> str | None:
    r"""The last `\boxed{...}` (or `\fbox{...}`) of a text, its braces included; None for none."""
    found = list(_BOX.finditer(string))
    if not found:
        return None
    box = found[-1]
    if not string.startswith("{", box.end()):
        # Without braces the answer goes on to the end of the formula.
        return string[box.start() :].split("$")[0] or None
    depth = 0
    for at in range(box.end(), len(string)):
        depth += {"{": 1, "}": -1}.get(string[at], 0)
        if depth == 0:
            return string[box.start() : at + 1]
    return None


def remove_boxed(string: str | None) -> str | None:
    r"""What a `\boxed{...}` holds; None where the text is none."""
    box = None if string is None else _BOX.match(string)
    if string is None or box is None:
        return None
    inside = string[box.end() :]
    if not inside.startswith("{"):
        return inside.strip()
    return inside[1:-1] if inside.endswith("}") else None


def get_answer(solution: str | None) -> str | None:
    r"""The answer of a solution: what its last `\boxed{...}` holds; None for none."""
    return None if solution is None else remove_boxed(last_boxed_only_string(solution))


def _evened(answer: str) -> str:
    text = _UNIT.sub("", answer.strip().rstrip("."))
    text = text.replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac").replace("$", "")
    text = _NOISE.sub("", text.replace("\\frac ", "\\frac"))
    text = _NAMED.sub("", text) if _NAMED.match(text) else text
    text = _NO_WHOLE.sub(r"\g<1>0.", text)
    text = _BARE_ROOT.sub(r"\\sqrt{\1}", text)
    text = _BARE_FRACTION.sub(lambda m: f"\\frac{_braced(m[1])}{_braced(m[2])}", text)
    ratio = _RATIO.fullmatch(text)
    if ratio:
        text = f"{ratio[1]}\\frac{{{ratio[2]}}}{{{ratio[3]}}}"
    return "\\frac{1}{2}" if text == "0.5" else text


def _braced(text: str) -> str:
    return text if text.startswith("{") else f"{{{text}}}"


def is_equiv(str1: str | None, str2: str | None) -> float:
    """1.0 if two answers are the same answer, else 0.0; None is the same as None alone."""
    if str1 is None or str2 is None:
        return float(str1 is str2)
    return float(_evened(str1) == _evened(str2))


def is_equiv_chain_of_thought(str1: str, str2: str) -> float:
    """`is_equiv` of the answers of two whole solutions."""
    return is_equiv(get_answer(str1), get_answer(str2))


def voting_counts(responses: Sequence[str]) -> dict[str, int]:
    """How many responses gave each answer, the first spelling of it as the key.

    Responses without an answer are left out.
    """
    counts: dict[str, int] = {}
    for response in responses:
        answer = get_answer(response)
        if answer is None:
            continue
        known = next((one for one in counts if is_equiv(one, answer)), answer)
        counts[known] = counts.get(known, 0) + 1
    return counts


def eval_math_responses(
    responses: Sequence[str], solution: str | None = None, **args: Any
) -> dict[str, Any]:
    """How well responses to one problem did.

    Args:
        responses: Texts of a model.
        solution: The right one, with its answer in a box; None for a problem without one.
        args: Ignored; for programs that pass their whole data on.

    Returns:
        `expected_success` (chance that one response is right), `success` (whether any is),
        `success_vote` (whether the answer most responses gave is), `voted_answer`, `votes`.
    """
    n = len(responses)
    if not n:
        return {"expected_success": 0, "success": False, "success_vote": 0, "voted_answer": None}
    counts = voting_counts(responses)
    voted = max(counts, key=lambda answer: counts[answer]) if counts else None
    right = None if solution is None else get_answer(solution)
    good = 0 if right is None else sum(is_equiv(get_answer(one), right) for one in responses)
    return {
        "expected_success": good / n,
        "success": good > 0,
        "success_vote": 0.0 if right is None else is_equiv(voted, right),
        "voted_answer": next((r for r in responses if voted and get_answer(r) == voted), voted),
        "votes": counts.get(voted, 0) if voted is not None else 0,
    }
