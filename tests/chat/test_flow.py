"""The flow of chats, in every mode, against a model of it that is as short as the rules are."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.chat.cast import texts
from tests.compat.requirements import requirement

from autogen import ConversableAgent, RunOptions
from autogen.testing.face import Face

END = "END"
N_CHATS = 150


@dataclass
class Side:
    """One side: what it would say, what its person would answer, and the state of the flow."""

    mode: str
    limit: int
    replies: list[str | None]
    answers: list[str]
    n_replies: int = 0
    asked: list[str] = field(default_factory=list)

    def answer(self, heard: str) -> tuple[str | None, str]:
        """What it says to what it heard, or None and why it stops."""
        ends, is_past = heard == END, self.n_replies >= self.limit
        if self.mode == "NEVER" and (ends or is_past):
            return self._stop("termination" if ends else "max_replies")
        if self.mode == "ALWAYS" or (self.mode == "TERMINATE" and (ends or is_past)):
            typed = self.answers[len(self.asked)]
            self.asked.append(typed)
            if typed.strip().casefold() == "exit":
                return self._stop("human_exit")
            if not typed and ends:
                return self._stop("termination")
            if typed or self.limit == 0:
                self.n_replies = 0
                return typed, ""
        self.n_replies += 1
        return self.replies.pop(0), "no_reply"

    def _stop(self, why: str) -> tuple[None, str]:
        self.n_replies = 0
        return None, why

    def agent(self, name: str) -> ConversableAgent:
        """An agent of these habits."""
        replies, answers = iter(self.replies[:]), iter(self.answers)
        agent = ConversableAgent(
            name,
            human_input_mode=self.mode,  # type: ignore[arg-type]
            max_consecutive_auto_reply=self.limit,
            is_termination_msg=lambda message: bool(message["content"] == END),
        )
        agent.register_reply(ConversableAgent, lambda *_, **__: (True, next(replies)), position=2)
        agent.get_human_input = lambda prompt: next(answers)  # type: ignore[method-assign]
        return agent


def talk(first: Side, second: Side, message: str, max_turns: int | None) -> tuple[list[str], str]:
    """What is said in a chat of the two, and why it ends."""
    said, was_empty = [message], False
    speaker, hearer = second, first
    while max_turns is None or len(said) < 2 * max_turns:
        text, why = speaker.answer(said[-1])
        if text is None:
            return said, why
        said.append(text)
        # Of a number of turns each one starts anew.
        if not text and was_empty and max_turns is None:
            return said, "no_reply"
        was_empty = not text
        speaker, hearer = hearer, speaker
    return said, "max_turns"


@requirement(
    "human:never:stops-at-termination",
    "human:never:stops-at-limit",
    "human:terminate:asks",
    "human:always:asks",
    "human:limit-zero",
    "chat:max-turns",
    "end:reason",
)
@pytest.mark.parametrize("seed", range(3))
def test_chats_of_all_modes_go_by_the_rules(face: Face, seed: int) -> None:
    chance = random.Random(seed)

    def side() -> Side:
        return Side(
            mode=chance.choice(["NEVER", "NEVER", "TERMINATE", "ALWAYS"]),
            limit=chance.choice([0, 1, 2, 3, 9]),
            replies=chance.choices(["a", "b", END, "", None], k=60),
            answers=chance.choices(["", "exit", "yes", END, " EXIT"], k=60),
        )

    for _ in range(N_CHATS if face.name == "sync" else N_CHATS // 10):
        first, second = side(), side()
        message, max_turns = chance.choice(["hi", END, ""]), chance.choice([None, None, 1, 2, 3])
        one, other = first.agent("one"), second.agent("other")
        case = f"{first} {second} {message!r} {max_turns}"
        said, why = talk(first, second, message, max_turns)
        result: Any = face.initiate_chat(
            one,
            other,
            message=message,
            max_turns=max_turns,
            silent=True,
            run=RunOptions(loop_guard=False),
        )
        assert (texts(result.chat_history), result.stop_reason) == (said, why), case
        assert sorted(result.human_input) == sorted(first.asked + second.asked), case
        assert one._consecutive_auto_reply_counter[other] == first.n_replies, case
        assert other._consecutive_auto_reply_counter[one] == second.n_replies, case
