"""How the steps of a conversation are written down: what was asked, and codecs of outcomes.

Everything here is plain JSON: a record is read by other versions of a program, on other machines,
and must never be able to run code.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MethodType
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import coding
from .._kernel.faces import point
from .._kernel.record import Codec, recorded
from .._kernel.run import current_run
from ..artifacts import Artifact
from ..usage import Usage

if TYPE_CHECKING:
    # pydantic stands behind it; it is not loaded before there is code to run.
    from ..coding.base import CodeResult

__all__ = [
    "ANSWER",
    "CODE",
    "TOOL",
    "TUPLE",
    "Answer",
    "Ran",
    "ToolAnswer",
    "asked",
    "request_parts",
]

#: How many of the newest messages are compared. Those before them were the newest once, and were
#: compared in an earlier step.
_NEWEST = 3


def request_parts(messages: Sequence[Mapping[str, Any]], *further: Any) -> tuple[Any, ...]:
    """What tells one request to a model from another; as much work for every length of history."""
    newest = [dict(message) for message in messages[-_NEWEST:]]
    return len(messages), dict(messages[0]) if messages else None, newest, *further


class Answer(NamedTuple):
    """What a model answered.

    Attributes:
        reply: Text, a message dict with calls, or None where it is empty.
        usages: One for each call that was made for it.
        model: Who answered, as the service says.
        is_replayed: It was given to an earlier execution of the run.
    """

    reply: str | dict[str, Any] | None
    usages: list[Usage]
    model: str | None
    is_replayed: bool = False


class ToolAnswer(NamedTuple):
    """What a tool gave.

    Attributes:
        is_ok: Whether it worked.
        content: Its result, or what went wrong.
        usages: Of the model calls made inside it.
        is_replayed: It was called by an earlier execution of the run.
    """

    is_ok: bool
    content: str
    usages: Sequence[Usage] = ()
    is_replayed: bool = False


def _tool_record(answer: ToolAnswer) -> list[Any]:
    kept: list[Any] = [answer.is_ok, answer.content]
    return [*kept, _usage_rows(answer.usages)] if answer.usages else kept


def _tool_again(record: Sequence[Any]) -> ToolAnswer:
    usages = _usages_of(record[2]) if len(record) > 2 else ()
    return ToolAnswer(record[0], record[1], usages, is_replayed=True)


TOOL = Codec(_tool_record, _tool_again)


def _usage_rows(usages: Sequence[Usage]) -> list[list[Any]]:
    return [
        [u.model, u.prompt_tokens, u.completion_tokens, u.cost_usd, u.is_cached] for u in usages
    ]


def _usages_of(rows: Sequence[Sequence[Any]]) -> list[Usage]:
    return [
        Usage(
            model=model,
            prompt_tokens=prompt,
            completion_tokens=completion,
            cost_usd=cost,
            is_cached=is_cached,
        )
        for model, prompt, completion, cost, is_cached in rows
    ]


def _answer_record(answer: Answer) -> dict[str, Any]:
    reply, usages, model, _ = answer
    if isinstance(reply, dict):
        reply = json.loads(json.dumps(reply, default=str))
    return {"reply": reply, "usages": _usage_rows(usages), "model": model}


def _answer_again(record: Mapping[str, Any]) -> Answer:
    usages = _usages_of(record["usages"])
    return Answer(record["reply"], usages, record["model"], is_replayed=True)


ANSWER = Codec(_answer_record, _answer_again)


class Ran(NamedTuple):
    """What came of code.

    Attributes:
        result: What it gave.
        image: Name of the image that it ran in; None where it ran in none.
    """

    result: CodeResult
    image: str | None


def _code_record(ran: Ran) -> dict[str, Any]:
    result = ran.result
    kept: dict[str, Any] = {"exit_code": result.exit_code, "output": result.output}
    for name in ("code_file", "output_files"):
        if getattr(result, name, None) is not None:
            kept[name] = json.loads(json.dumps(getattr(result, name), default=str))
    artifacts = getattr(result, "artifacts", ())
    if artifacts:
        kept["artifacts"] = [artifact.to_dict() for artifact in artifacts]
    if ran.image is not None:
        kept["image"] = ran.image
    return kept


def _code_again(record: Mapping[str, Any]) -> Ran:
    kept = dict(record)
    image = kept.pop("image", None)
    artifacts = tuple(Artifact.from_dict(one) for one in kept.pop("artifacts", ()))
    form = coding.IPythonCodeResult if "output_files" in kept else coding.CommandLineCodeResult
    return Ran(form(**kept, artifacts=artifacts), image)


CODE = Codec(_code_record, _code_again)

#: For outcomes that are tuples, which JSON gives back as lists.
TUPLE: Codec[tuple[Any, ...]] = Codec(list, tuple)


def asked(
    kind: str, target: Any, name: str, *, codec: Codec[Any] | None = None
) -> Callable[..., Awaitable[Any]]:
    """What to call for the point `name` of `target`; where the user overrode it, it is recorded.

    What is built in takes steps where something happens that must not happen twice; what an
    override does nobody knows.
    """
    ask = point(target, name)
    if type(ask) is MethodType:
        return ask
    run = current_run()
    if run is None or run.recorder is None:
        return ask
    return lambda *args, **kwargs: recorded(kind, lambda: ask(*args, **kwargs), codec=codec)
