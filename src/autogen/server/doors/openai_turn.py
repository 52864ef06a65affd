"""What both doors of OpenAI share: which run a request means, and the text of its answer."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from fastapi import Request

from ...runtime.runtime import STILL
from ..callers import Caller
from ..common import Parts
from ..problems import Problem
from .answers import asked
from .openai_in import Conversation, marked, run_of_mark
from .turn import (
    Standing,
    Turn,
    answered,
    answered_before,
    begun,
    context_of,
    id_of_key,
    open_questions,
    own_run,
)

__all__ = ["Answer", "Gone", "turn_of"]


class Gone(Exception):
    """The client went away, and nobody reads the answer."""


def turn_of(
    parts: Parts,
    caller: Caller,
    team: str,
    said: Conversation,
    *,
    run_id: str | None,
    key: str | None,
    earlier: Sequence[tuple[str, str]] = (),
) -> Turn:
    """The turn that a request asks for: the answer to an open question, or a new run.

    Args:
        parts: Of the service.
        caller: Who asks.
        team: The model of the request.
        said: The conversation of the request.
        run_id: The run that the request names, or None.
        key: The request's idempotency key, or None.
        earlier: What was said before the conversation.

    Raises:
        Problem: 409; the run that the request names is under way, and asks nothing.
        UnknownRun: There is no such run.
    """
    # A mark is text that anybody may have written: it need not be of a run of the caller's.
    named = run_id or said.waiting
    if named is not None and key is not None:
        before = answered_before(parts, caller, named, said.text, key=key)
        if before is not None:
            return before
    if named is not None and (run_id is not None or _is_waiting(parts, caller, named)):
        record = own_run(parts, caller, named)
        if questions := open_questions(parts, named):
            return answered(parts, caller, questions[0], said.text, key=key)
        if record.status not in STILL:
            raise Problem(
                409, f"run {named} is {record.status} and asks nothing; wait until it is over."
            )
    context = context_of([*earlier, *((role, unmarked(text)) for role, text in said.earlier)])
    new_id = None if key is None else id_of_key("idempotency-key", caller.id, key)
    return begun(parts, caller, team, said.message, context=context, id=new_id)


def _is_waiting(parts: Parts, caller: Caller, run_id: str) -> bool:
    return any(
        question.run_id == run_id
        for question in parts.runtime.questions(
            status="open", run_id=run_id, belongs_to=caller.sees
        )
    )


def unmarked(text: str) -> str:
    """An answer without the mark that it waits."""
    run_id = run_of_mark(text)
    return text if run_id is None else text.rstrip().removesuffix(marked("", run_id).strip())


@dataclass
class Answer:
    """The answer to a request, while it comes about.

    Attributes:
        turn: What the request set going.
        standing: How the run stands when the turn is over; None before that.
        created_at: Seconds since the epoch.
    """

    turn: Turn
    standing: Standing | None = None
    created_at: int = field(default_factory=lambda: int(time.time()))

    async def pieces(self) -> AsyncGenerator[str | None]:
        """The text of a streamed answer, piece by piece; None now and then while nothing comes.

        Every message with the name of who says it; at the end the question, or the summary where
        it is not what was said last.

        Raises:
            Problem: The run failed, or was cancelled.
        """
        last, text = "", ""
        async with aclosing(self.turn.said()) as saying:
            async for said in saying:
                if said is None:
                    yield None
                elif said.kind == "begin":
                    yield ("\n\n" if text else "") + f"**{said.agent}:** "
                    text = "begun"
                elif said.kind == "text":
                    yield said.text
                else:
                    last = said.text
        self.standing = standing = await self.turn.standing()
        self._refuse(standing)
        if standing.questions:
            more = marked(asked(standing.questions[0]), self.turn.run_id)
        else:
            summary = standing.summary.strip()
            more = "" if summary in ("", last.replace("TERMINATE", "").strip()) else summary
            if run_of_mark(more or last) is not None:
                more += "\n\n(The run is over.)"
        if more:
            yield ("\n\n" if text else "") + more

    async def whole(self, request: Request) -> str:
        """The text of an answer that is not streamed: the summary, or what leads to a question.

        Raises:
            Gone: The client went away.
            Problem: The run failed, or was cancelled.
        """
        text: list[str] = []
        async with aclosing(self.pieces()) as pieces:
            async for piece in pieces:
                if piece is not None:
                    text.append(piece)
                elif await request.is_disconnected():
                    raise Gone
        assert self.standing is not None
        if self.standing.questions or not self.standing.summary:
            return "".join(text)
        summary = self.standing.summary
        return summary if run_of_mark(summary) is None else f"{summary}\n\n(The run is over.)"

    def _refuse(self, standing: Standing) -> None:
        # Clients of OpenAI try again by themselves, which would begin another run.
        final = {"x-should-retry": "false"}
        if standing.trouble is not None:
            raise Problem(500, standing.trouble, headers=final)
        if standing.run.status == "cancelled":
            raise Problem(409, f"run {self.turn.run_id} was cancelled.", headers=final)

    @property
    def is_cut(self) -> bool:
        """Whether a limit ended it before it was done."""
        return self.standing is not None and self.standing.run.status == "paused"

    def metadata(self) -> dict[str, str]:
        """What the answer tells about its run."""
        told = {"run_id": self.turn.run_id}
        if self.standing is not None:
            told["status"] = self.standing.run.status
            told["stop_reason"] = self.standing.run.stop_reason or ""
            if self.standing.questions:
                told["question_id"] = self.standing.questions[0].id
        return told
