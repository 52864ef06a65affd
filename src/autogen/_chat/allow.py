"""A person allows, on the spot, a host that the code of an agent was refused.

In the modes in which an agent asks people. The question is asked inside the step that runs the
code: the conversation goes on from the outcome of the code, so a replay asks nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

from .._kernel.ops import Core
from .._kernel.run import current_run, entered
from ..coding.allowing import Allow
from ..errors import QuestionExpired
from ..limits.spending import waiting_for_people
from .state import current_chat
from .steps import asked
from .wiring import event, is_watched

__all__ = ["allowed_by_people", "asks_people"]

_YES = frozenset({"y", "yes"})


def asks_people(agent: Any) -> bool:
    """Whether there is somebody to ask."""
    return getattr(agent, "human_input_mode", "NEVER") in ("ALWAYS", "TERMINATE")


def allowed_by_people(
    agent: Any,
    drive: Callable[[Core[Any]], Any],
    at_rest: Callable[[], AbstractContextManager[Any]],
) -> Allow:
    """Asks the person of `agent`, about each host once.

    Args:
        agent: Whose code it is.
        drive: Drives a core from within a leaf.
        at_rest: The time of the code stands still inside.
    """
    known: dict[str, bool] = {}

    def allow(host: str, reason: str) -> bool:
        if host not in known:
            with at_rest():
                known[host] = drive(_ask(agent, host, reason))
        return known[host]

    return allow


async def _ask(agent: Any, host: str, reason: str) -> bool:
    prompt = (
        f"Code that {agent.name} runs wants to reach {host}, which was refused: "
        f"{reason.partition(';')[0]}. 'yes' allows it from here on; anything else does not: "
    )
    chat = current_chat()
    with _at_its_own_position(host), waiting_for_people():
        if chat is not None:
            chat.asks_to = "text"
        try:
            answer: str = await asked("human", agent, "get_human_input")(prompt)
        except (EOFError, QuestionExpired):
            # Nobody is there, which is no reason to lose what the code has done so far.
            answer = ""
        if is_watched():
            await event("question.answered", {"prompt": prompt, "answer": answer}, agent=agent.name)
    return answer.strip().casefold() in _YES


@contextmanager
def _at_its_own_position(host: str) -> Iterator[None]:
    """Code that runs again may reach hosts in another order; an answer belongs to its host."""
    run = current_run()
    with ExitStack() as stack:
        if run is not None:
            import hashlib

            name = hashlib.sha256(host.encode()).hexdigest()[:16]
            stack.enter_context(entered(run.branch(name)))
        yield
