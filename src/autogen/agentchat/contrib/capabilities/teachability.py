"""`Teachability`: an agent that remembers, from one conversation to the next, what users taught it.

On each message to the agent, `MemoStore` gives back what was learned earlier and fits, and a model
says what in the message is worth learning.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple

from ...._kernel.faces import faces, point
from ...._kernel.ops import Call
from ....errors import UsageError
from ....formatting_utils import colored
from ....human.stream import IOStream
from ....memory.base import Embedder, Found
from ....memory.local import LocalMemory
from ..text_analyzer_agent import TextAnalyzerAgent
from .agent_capability import AgentCapability

__all__ = ["MemoStore", "Teachability"]

logger = logging.getLogger(__name__)

_DEFAULT_FOLDER: Final = "./tmp/teachable_agent_db"
_FILE_NAME: Final = "memos.sqlite3"
_COLLECTION: Final = "memos"

_SYSTEM_MESSAGE: Final = (
    "\nYou have a memory: what users taught you in earlier conversations, and fits, is added to "
    "their messages."
)
_INSTRUCTIONS: Final = """\
Somebody wrote the TEXT to an assistant. Say what the assistant should remember of it for later
conversations, as one JSON object and nothing else:
{"task": null or "...", "advice": null or "...", "facts": [{"question": "...", "answer": "..."}]}
- task: If the TEXT asks for something to be done, what kind of task it is, in a few general words,
  without names and numbers. Otherwise null.
- advice: If the TEXT says how such tasks are to be done, that advice, complete, so that it helps
  with another task of this kind. Otherwise null.
- facts: What the TEXT tells that may be asked for later, about the user, their world or their
  wishes: for each the question that asks for it, and the answer. Questions and requests tell
  nothing. An empty list where nothing is told."""

_EXAMPLES: Final = (
    ("What is special about 29 February?", "It is a day only in leap years."),
    ("How many legs does a spider have?", "Eight; an insect has six."),
    ("Where was this assistant's memory filled with examples?", "In MemoStore.prepopulate."),
)


class _Lesson(NamedTuple):
    """What a message teaches."""

    task: str = ""
    advice: str = ""
    facts: Sequence[tuple[str, str]] = ()


class Teachability(AgentCapability):
    """Gives an agent a memory that outlives its conversations.

        Teachability(path_to_db_dir="./memory").add_to_agent(assistant)

    Each message costs one request to the analyzer's model. AutoGen 0.2 asked up to nine questions.

    Args:
        verbosity: 0 prints nothing, 1 what is learned and recalled, 2 also what is looked up, 3
            also what the analyzer is asked and answers.
        reset_db: Forget everything first.
        path_to_db_dir: The folder of the memory; made if it is not there. A memory that AutoGen 0.2
            wrote is not read.
        recall_threshold: How far a memo may be from a message to be recalled, as squared distance
            of unit vectors: 0 is the same, 2 has nothing in common. Larger recalls more.
        max_num_retrievals: At most so many memos are recalled for a message.
        llm_config: The analyzer's model; by default that of the agent.

    Raises:
        UsageError: NumPy is missing, or the folder can't be used.
    """

    def __init__(
        self,
        verbosity: int | None = 0,
        reset_db: bool | None = False,
        path_to_db_dir: str | None = _DEFAULT_FOLDER,
        recall_threshold: float | None = 1.5,
        max_num_retrievals: int | None = 10,
        llm_config: dict[str, Any] | Literal[False] | None = None,
    ):
        self.verbosity = verbosity or 0
        self.path_to_db_dir = path_to_db_dir or _DEFAULT_FOLDER
        self.recall_threshold = 1.5 if recall_threshold is None else recall_threshold
        self.max_num_retrievals = 10 if max_num_retrievals is None else max_num_retrievals
        self.llm_config = llm_config
        self.analyzer: TextAnalyzerAgent | None = None
        self.teachable_agent: Any = None
        self.memo_store = MemoStore(self.verbosity, reset_db, self.path_to_db_dir)

    def add_to_agent(self, agent: Any) -> None:
        """Have `agent` learn from, and recall for, every message it answers from now on.

        Raises:
            UsageError: Neither the agent nor this has a model.
        """
        llm_config = agent.llm_config if self.llm_config is None else self.llm_config
        if not llm_config:
            raise UsageError(
                f"Teachability asks a model what to remember, and {agent.name!r} has none; give "
                "one of the two an llm_config."
            )
        self.llm_config = llm_config
        self.teachable_agent = agent
        self.analyzer = TextAnalyzerAgent(llm_config=llm_config)
        agent.register_hook("process_last_received_message", self.process_last_received_message)
        agent.register_hook("a_process_last_received_message", self.a_process_last_received_message)
        agent.update_system_message(agent.system_message + _SYSTEM_MESSAGE)

    def prepopulate_db(self) -> None:
        """Put a few memos into the memory, to try it."""
        self.memo_store.prepopulate()

    # -------------------------------------------------------------------------------- the hook

    async def _process_last_received_message(self, text: Any) -> Any:
        """`text` with what the memory has for it; what it teaches is kept.

        Args:
            text: The content of a message: text, or parts, whose texts count.
        """
        said = _text_of(text)
        if not said.strip():
            return text
        lesson = await self._learned_from(said)
        # Recalled first, so that a message is not told what it says itself.
        recalled = await self._recalled(said, lesson.task)
        await self._keep(lesson)
        if not recalled:
            return text
        memos = _memory_text(recalled)
        if isinstance(text, str):
            return text + memos
        return [*text, {"type": "text", "text": memos}]

    (
        _process_last_received_message,
        process_last_received_message,
        a_process_last_received_message,
    ) = faces(_process_last_received_message)

    async def _learned_from(self, text: str) -> _Lesson:
        answer = await point(self.analyzer, "analyze_text")(text, _INSTRUCTIONS)
        self._show(3, f"The analyzer read:\n{text}\nand answered:\n{answer}")
        lesson = _parsed(answer)
        if lesson is None:
            logger.warning("the analyzer gave no JSON object, nothing was learned: %r", answer)
            return _Lesson()
        return lesson

    async def _recalled(self, text: str, task: str) -> list[tuple[str, str, float]]:
        """Memos near to the text or to the kind of task it sets, the nearest first."""
        best: dict[tuple[str, str], float] = {}
        for query in (text, task) if task else (text,):
            self._show(2, f"Looked up: {query}")
            found = await Call(
                self.memo_store.get_related_memos,
                None,
                (query, self.max_num_retrievals, self.recall_threshold),
            )
            for input_text, output_text, distance in found:
                pair = (input_text, output_text)
                best[pair] = min(distance, best.get(pair, distance))
        ranked = sorted(best.items(), key=lambda item: item[1])[: self.max_num_retrievals]
        for (input_text, output_text), distance in ranked:
            self._show(1, f"Recalled ({distance:.2f}): {input_text} -> {output_text}")
        return [(*pair, distance) for pair, distance in ranked]

    async def _keep(self, lesson: _Lesson) -> None:
        pairs: list[tuple[str, str, bool]] = []
        if lesson.task and lesson.advice:
            pairs.append((lesson.task, lesson.advice, False))
        # A fact told anew takes the place of what answered the same question before.
        pairs += [(question, answer, True) for question, answer in lesson.facts]
        for input_text, output_text, replace in pairs:
            self._show(1, f"Learned: {input_text} -> {output_text}")
            await Call(
                self.memo_store.add_input_output_pair,
                None,
                (input_text, output_text),
                {"replace": True} if replace else {},
            )

    def _show(self, verbosity: int, text: str) -> None:
        if self.verbosity >= verbosity:
            IOStream.get_default().print(colored(text, "light_yellow"))


class MemoStore:
    """Pairs of texts: what somebody may ask or want, and what to know then; in one SQLite file.

    Args:
        verbosity: 1 prints that it was emptied, 3 lists all memos at the start.
        reset: Empty it first.
        path_to_db_dir: The folder of the file; made if it is not there.
        embedder: Texts in, (n_texts, dim) numbers out; see `autogen.memory.LocalMemory`.
    """

    def __init__(
        self,
        verbosity: int | None = 0,
        reset: bool | None = False,
        path_to_db_dir: str | None = _DEFAULT_FOLDER,
        *,
        embedder: Embedder | None = None,
    ):
        self.verbosity = verbosity or 0
        self.path_to_db_dir = path_to_db_dir or _DEFAULT_FOLDER
        self._memory = LocalMemory(os.path.join(self.path_to_db_dir, _FILE_NAME), embedder)
        self._memory.create(_COLLECTION)
        if reset:
            self.reset_db()
        if self.verbosity >= 3:
            self.list_memos()

    @property
    def last_memo_id(self) -> int:
        """How many memos there are."""
        return len(self._memory.get(collection=_COLLECTION))

    def list_memos(self) -> None:
        """Print all memos, as they were learned."""
        stream = IOStream.get_default()
        memos = self._memory.get(collection=_COLLECTION)
        stream.print(f"{len(memos)} memos in {self.path_to_db_dir}:")
        for memo in memos:
            stream.print(f"- {memo.metadata['input']} -> {memo.metadata['output']}")

    def reset_db(self) -> None:
        """Forget everything."""
        if self.verbosity >= 1:
            IOStream.get_default().print(f"The memory in {self.path_to_db_dir} is emptied.")
        self._memory.drop(_COLLECTION)
        self._memory.create(_COLLECTION)

    def add_input_output_pair(
        self, input_text: str, output_text: str, *, replace: bool = False
    ) -> None:
        """Keep a pair; the same pair is kept once.

        Args:
            input_text: What may be asked.
            output_text: What to know then.
            replace: Take the place of a pair kept with `replace` that has the same input.
        """
        key = " ".join(input_text.casefold().split()) if replace else (input_text, output_text)
        name = hashlib.blake2b(json.dumps(key).encode(), digest_size=16).hexdigest()
        self._memory.add(
            # What is known is looked for as well as what was asked: queries share words with both.
            [f"{input_text}\n{output_text}"],
            ids=[name],
            metadata=[{"input": input_text, "output": output_text}],
            collection=_COLLECTION,
        )

    def get_nearest_memo(self, query_text: str) -> tuple[str, str, float]:
        """The memo nearest to a text: input, output, distance.

        Raises:
            UsageError: There is none.
        """
        found = self.get_related_memos(query_text, 1, float("inf"))
        if not found:
            raise UsageError(f"there are no memos in {self.path_to_db_dir!r}.")
        return found[0]

    def get_related_memos(
        self, query_text: str, n_results: int, threshold: float
    ) -> list[tuple[str, str, float]]:
        """Memos nearer to a text than `threshold`: input, output, distance; the nearest first.

        The distance is that of unit vectors, squared: 0 is the same, 2 has nothing in common.
        """
        found = self._memory.query(query_text, limit=n_results, collection=_COLLECTION)
        return [memo for memo in map(_memo, found) if memo[2] < threshold]

    def prepopulate(self) -> None:
        """Put a few memos in, to try it."""
        for question, answer in _EXAMPLES:
            self.add_input_output_pair(question, answer)

    def close(self) -> None:
        """Close the file."""
        self._memory.close()


def _memo(found: Found) -> tuple[str, str, float]:
    note = found.entry.metadata
    return str(note["input"]), str(note["output"]), 2 - 2 * found.score


def _memory_text(memos: Sequence[tuple[str, str, float]]) -> str:
    lines = "".join(f"- {input_text} {output_text}\n" for input_text, output_text, _ in memos)
    return f"\n\n# Memories that may help (from earlier conversations)\n{lines}"


def _text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(
        part["text"]
        for part in content
        if isinstance(part, dict) and isinstance(part.get("text"), str)
    )


def _parsed(answer: str) -> _Lesson | None:
    """The lesson in an analyzer's answer, whatever is said around it; None without one."""
    start = answer.find("{")
    if start < 0:
        return None
    try:
        found, _ = json.JSONDecoder().raw_decode(answer[start:])
    except (ValueError, RecursionError):
        return None
    facts = found.get("facts")
    return _Lesson(
        task=_line(found.get("task")),
        advice=_line(found.get("advice")),
        facts=[
            (_line(fact.get("question")), _line(fact.get("answer")))
            for fact in (facts if isinstance(facts, list) else [])
            if isinstance(fact, dict) and _line(fact.get("question")) and _line(fact.get("answer"))
        ],
    )


def _line(value: Any) -> str:
    text = value.strip() if isinstance(value, str) else ""
    return "" if text.lower() in ("none", "null") else text
