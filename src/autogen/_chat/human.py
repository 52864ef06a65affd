"""The first built-in of the chain: has the chat ended, and does a person want to say something?"""

from __future__ import annotations

from typing import Any

from .._kernel.ops import Call
from .._kernel.record import Codec, step
from .._kernel.run import Run, current_run, entered
from ..human.base import Edited, HumanChannel, Question, QuestionKind
from ..human.stream import IOStream
from ..limits.spending import waiting_for_people
from .editing import edit_message
from .state import current_chat
from .steps import asked
from .termination import is_termination, is_work
from .wiring import event, is_watched

__all__ = ["check_termination_and_human_reply", "get_human_input"]

INTERRUPTED = "USER INTERRUPTED"

#: An edit is told from the same words said.
_ANSWER: Codec[str] = Codec(
    lambda answer: {"edit": str(answer)} if isinstance(answer, Edited) else answer,
    lambda kept: Edited(kept["edit"]) if isinstance(kept, dict) else kept,
)


async def check_termination_and_human_reply(
    agent: Any, messages: list[dict[str, Any]] | None, sender: Any, config: Any
) -> tuple[bool, Any]:
    """End the chat, pass on what a person says, or let the chain go on."""
    if messages is None:
        messages = agent.chat_messages[sender] if sender is not None else []
    if not messages:
        return False, None
    message = messages[-1]
    mode = agent.human_input_mode
    n_replies = agent._consecutive_auto_reply_counter[sender]
    limit = agent._max_consecutive_auto_reply_dict[sender]
    is_past = n_replies >= limit
    if mode == "NEVER":
        ends = await is_termination(agent, message)
        if ends or is_past:
            return _stop(agent, sender, "termination" if ends else "max_replies")
        _count(agent, sender)
        return False, None
    ends = await is_termination(agent, message)
    if mode == "ALWAYS" or ends or is_past:
        kind: QuestionKind = "approve" if is_work(agent, message) else "text"
        answer = await _ask(agent, _prompt(agent, sender, mode, ends), kind, ends=ends)
        if isinstance(answer, Edited):
            await edit_message(agent, sender, message, str(answer))
            answer, ends = "", await is_termination(agent, message)
        if answer.strip().casefold() == "exit":
            return _stop(agent, sender, "human_exit")
        if not answer and ends:
            return _stop(agent, sender, "termination")
        if answer or limit == 0:
            agent._consecutive_auto_reply_counter[sender] = 0
            return True, _human_reply(answer, message)
    _count(agent, sender)
    return False, None


def _count(agent: Any, sender: Any) -> None:
    # Without a sender there is no exchange that could go on for ever.
    if sender is not None:
        agent._consecutive_auto_reply_counter[sender] += 1


def _stop(agent: Any, sender: Any, reason: str) -> tuple[bool, None]:
    agent._consecutive_auto_reply_counter[sender] = 0
    chat = current_chat()
    if chat is not None:
        chat.note = reason
    return True, None


def _prompt(agent: Any, sender: Any, mode: str, ends: bool) -> str:
    other = "the other side" if sender is None else sender.name
    if mode == "ALWAYS":
        return (
            f"Your answer to {other} as {agent.name}. "
            "Enter alone lets the agent answer, 'exit' ends the chat: "
        )
    if ends:
        return f"{other} is done. Your answer as {agent.name}; Enter alone ends the chat: "
    return (
        f"{agent.name} has answered {other} as often as it may. Your answer; Enter alone lets the "
        "agent answer, 'exit' ends the chat: "
    )


async def _ask(agent: Any, prompt: str, kind: QuestionKind, *, ends: bool) -> str:
    """One answer of a person, in whatever way this agent asks."""
    chat = current_chat()
    if chat is not None:
        chat.asks_to = kind
    with waiting_for_people():
        answer: str = await asked("human", agent, "get_human_input")(prompt)
    if chat is not None:
        chat.asks_to = "text"
        chat.heard(str(answer))
    if is_watched():
        is_edit = isinstance(answer, Edited)
        data = {"prompt": prompt, "answer": str(answer), "is_end": ends and not answer}
        if is_edit:
            data["is_edit"] = True
        await event("question.answered", data, agent=agent.name)
    return answer


async def get_human_input(agent: Any, prompt: str) -> str:
    """What a person answers, by the run's channel or at the current stream; kept by the agent."""
    run, chat = current_run(), current_chat()
    channel = None if run is None else run.people
    kind: QuestionKind = "text" if chat is None else chat.asks_to
    if channel is None or run is None:
        if is_watched():
            await event("question.asked", {"prompt": prompt, "kind": kind}, agent=agent.name)
        stream = IOStream.get_default()
        answer: str = await step("human", lambda: _typed(stream, prompt), codec=_ANSWER)
    else:
        answer = await _answered(run, channel, agent.name, prompt, kind)
    agent._human_input.append(str(answer))
    return answer


async def _typed(stream: IOStream, prompt: str) -> str:
    return await Call(stream.input, None, (prompt,))


async def _answered(
    run: Run, channel: HumanChannel, name: str, prompt: str, kind: QuestionKind
) -> str:
    """The answer that comes by a channel; a question that lies there is told of after that."""
    path = run.path_ahead()
    question = Question(
        id=_question_id(run, path), run_id=run.id, key=path, agent=name, kind=kind, prompt=prompt
    )
    is_told = False

    async def tell() -> None:
        nonlocal is_told
        is_told = True
        if is_watched():
            data = {"prompt": prompt, "kind": kind, "id": question.id}
            await event("question.asked", data, agent=name)

    async def ask() -> str:
        put = getattr(channel, "put", None)
        if put is not None:
            await Call(None, put, (question,))
        # A replay knows the answer and does not come here: the event is none of this step.
        with entered(run):
            await tell()
        return await Call(None, channel.ask, (question,))

    try:
        answer = await step("human", ask, codec=_ANSWER)
    except Exception:
        if not is_told:
            await tell()
        raise
    if not is_told:
        await tell()
    return answer


def _question_id(run: Run, path: str) -> str:
    """The same for the same step of the same run, and fit for an address."""
    name = run.id
    if "/" in name:
        # "a/b" and "a.b" are two runs.
        from hashlib import blake2b

        mark = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
        name = f"{name.replace('/', '.')}~{mark}"
    return f"{name}:{path.rstrip('/').replace('/', '.')}"


def _human_reply(answer: str, message: dict[str, Any]) -> dict[str, Any]:
    """The reply of a person. Calls that the message asked for are answered as interrupted."""
    responses = []
    call = message.get("function_call")
    if call:
        responses.append({"role": "function", "name": call.get("name", ""), "content": INTERRUPTED})
    for tool_call in message.get("tool_calls") or ():
        response = {"role": "tool", "content": INTERRUPTED}
        if tool_call.get("id"):
            response["tool_call_id"] = tool_call["id"]
        responses.append(response)
    reply: dict[str, Any] = {"role": "user", "content": answer}
    if responses:
        reply["tool_responses"] = responses
    return reply
