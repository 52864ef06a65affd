"""A group chat: one speaks, everybody hears it, somebody is chosen to speak next."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Sequence
from typing import Any

from .._kernel.faces import point
from .._kernel.ops import Flavour
from ..errors import NoEligibleSpeaker, UsageError, UsageTypeError
from ..human.stream import IOStream
from ..messages import Message, stored
from .audience import Audience
from .brakes import has_reply_limit
from .ends import goes_round
from .select import by_name
from .send import deliver
from .state import Chat, Histories, current_chat, record
from .steps import asked
from .termination import DefaultTermination, is_termination
from .wiring import chat_opened, event, is_watched

__all__ = ["clear_agents_history", "resume", "run_chat"]

logger = logging.getLogger("autogen")


async def run_chat(
    manager: Any, messages: Sequence[dict[str, Any]] | None, sender: Any, group: Any
) -> tuple[bool, None]:
    """Let the group talk about the newest message until it stops; the manager answers nothing."""
    messages = manager.chat_messages[sender] if messages is None else messages
    message, speaker = messages[-1], sender
    chat = current_chat()
    if chat is None:
        # A program asks for the run itself, not for a reply.
        with chat_opened(sender, manager, silent=bool(manager.silent)) as (opened, _):
            opened.is_sync = await Flavour() == "sync"
            return await run_chat(manager, messages, sender, group)
    silent = chat.silent or bool(manager.silent)
    if group.send_introductions:
        await _introduce(chat, manager, group)
    caches = [(agent, getattr(agent, "client_cache", None)) for agent in group.agents]
    for agent, _ in caches:
        if manager.client_cache is not None and hasattr(agent, "client_cache"):
            agent.client_cache = manager.client_cache
    try:
        await _rounds(chat, manager, group, message, speaker, silent)
    finally:
        for agent, own in caches:
            if hasattr(agent, "client_cache"):
                agent.client_cache = own
    return True, None


async def _rounds(
    chat: Chat, manager: Any, group: Any, message: dict[str, Any], speaker: Any, silent: bool
) -> None:
    audience = Audience(manager, group.agents)
    speakers = by_name(group)
    is_guarded = chat.brakes.watch is not None and not has_reply_limit((manager, *group.agents))
    for i in range(group.max_round):
        manager._last_speaker = speaker
        message = await _broadcast(chat, audience, group, message, speaker, manager)
        if await is_termination(manager, message):
            chat.note = "termination"
            return
        if i == group.max_round - 1:
            break
        if is_guarded and await goes_round(chat, message):
            chat.note = "loop"
            return
        try:
            choose = asked("selection", group, "select_speaker", codec=speakers)
            speaker = await choose(speaker, manager)
            if is_watched():
                await event(
                    "speaker.selected", {"name": speaker.name}, agent=manager.name, silent=silent
                )
            chat.note = None
            reply = await _reply_of(manager, speaker)
        except NoEligibleSpeaker as error:
            logger.warning("The group chat ends: %s", error)
            chat.note = "no_speaker"
            return
        except KeyboardInterrupt:
            if group.admin_name not in group.agent_names:
                raise
            speaker = group.agent_by_name(group.admin_name)
            reply = await _reply_of(manager, speaker)
        if reply is None:
            chat.note = chat.note or "no_reply"
            return
        if group.enable_clear_history and isinstance(reply, dict) and _asks_to_clear(reply):
            reply = {**reply, "content": manager.clear_agents_history(reply, group)}
        await deliver(chat, speaker, reply, manager, False, silent)
        message = _newest(manager._oai_messages, speaker)
    chat.note = "max_round"


def _newest(histories: dict[Any, list[dict[str, Any]]], partner: Any) -> dict[str, Any]:
    if isinstance(histories, Histories):
        return histories.newest(partner)
    return histories[partner][-1]


async def _reply_of(manager: Any, speaker: Any) -> Any:
    ask = asked("reply", speaker, "generate_reply")
    histories = getattr(speaker, "chat_messages", None)
    if histories is None:
        return await ask(sender=manager)
    return await ask(messages=histories[manager], sender=manager)


async def _broadcast(
    chat: Chat, audience: Audience, group: Any, message: dict[str, Any], speaker: Any, manager: Any
) -> dict[str, Any]:
    """Write `message` into the transcript and every member's history; how the group has it."""
    entry = dict(message)
    group.append(entry, speaker)
    # Where the group keeps the message as it was sent, what its speaker and the manager stored of
    # it are the two views that everybody else needs.
    heard = _as_stored(message, entry, "user") or stored(entry, role="user", speaker=manager.name)
    own = getattr(speaker, "_oai_messages", {}).get(manager) or [None]
    said = _as_stored(own[-1], entry, "assistant") or stored(
        entry, role="assistant", speaker=manager.name
    )
    for agent in audience.hear(heard, said, speaker):
        await deliver(chat, manager, entry, agent, False, True)
        chat.n_messages -= 1
    return entry


def _as_stored(kept: Any, entry: dict[str, Any], role: str) -> Message | None:
    """`kept` if it is a text message of ours that says what `entry` says, in that role."""
    if type(kept) is not Message or len(kept) != 3 or len(entry) != 3 or kept.get("role") != role:
        return None
    same = kept.get("content") == entry.get("content") and kept.get("name") == entry.get("name")
    return kept if same else None


async def _introduce(chat: Chat, manager: Any, group: Any) -> None:
    """Tell each member once who the others are, in a note that nobody takes for a person's word."""
    text = group.introductions_msg()
    for agent in group.agents:
        known = getattr(agent, "chat_messages", {}).get(manager, ())
        if not any(m.get("content") == text for m in known):
            message = {"content": text, "name": manager.name, "override_role": "system"}
            await deliver(chat, manager, message, agent, False, True)
            chat.n_messages -= 1


# ------------------------------------------------------------------------------ clearing, resuming


_CLEAR = re.compile(r"clear history", re.IGNORECASE)


def _asks_to_clear(reply: dict[str, Any]) -> bool:
    content = reply.get("content")
    return isinstance(content, str) and _CLEAR.search(content) is not None


def clear_agents_history(reply: dict[str, Any], group: Any) -> str:
    """Do what a person's "clear history [agent] [number]" says; the reply without those words."""
    content: str = reply["content"]
    match = _CLEAR.search(content)
    if match is None:
        return content
    words = content[match.end() :].split(None, 2)
    n_kept: int | None = None
    whose: Any = None
    used = 0
    for word in words[:2]:
        bare = word.strip(".,;:!?'\"()")
        agent = group.agent_by_name(bare)
        if bare.isdecimal() and n_kept is None:
            n_kept = int(bare)
        elif agent is not None and whose is None:
            whose = agent
        else:
            break
        used += 1
    if reply.get("tool_responses") and not n_kept:
        # The call that the results answer has to stay.
        n_kept = 1
    stream = IOStream.get_default()
    kept = f", keeping the newest {n_kept}" if n_kept else ""
    if whose is None:
        stream.print(f"Clearing the history of all agents{kept}.")
        group.messages[:] = group.messages[-n_kept:] if n_kept else []
        for agent in group.agents:
            agent.clear_history(nr_messages_to_preserve=n_kept)
    else:
        stream.print(f"Clearing the history of {whose.name}{kept}.")
        whose.clear_history(nr_messages_to_preserve=n_kept)
    rest = content[match.end() :]
    for _ in range(used):
        rest = rest.lstrip().partition(" ")[2] if " " in rest.lstrip() else ""
    return f"{content[: match.start()].strip()} {rest.strip()}".strip()


async def resume(
    manager: Any,
    given: Sequence[dict[str, Any]] | str,
    *,
    remove_termination_string: str | Callable[[str], str] | None,
    silent: bool | None,
) -> tuple[Any, dict[str, Any]]:
    """Bring the group back to where `given` left off; (who spoke last, the last message)."""
    group = manager.groupchat
    # A copy: what is given may be the very list that the group has, which is emptied here.
    earlier = manager.messages_from_string(given) if isinstance(given, str) else given
    if not isinstance(earlier, list | tuple) or not all(isinstance(m, dict) for m in earlier):
        raise UsageTypeError(
            f"the messages are {str(earlier)[:120]!r}; give a list of messages, such as "
            "groupchat.messages of an earlier chat, or its JSON."
        )
    messages = list(earlier)
    if not messages:
        raise UsageError(
            "there are no messages to resume from; pass groupchat.messages of an earlier chat."
        )
    speakers = [_speaker_of(manager, group, message) for message in messages]
    manager._prepare_resume()
    group.send_introductions = False
    for message, speaker in zip(messages[:-1], speakers[:-1], strict=True):
        await _restore(manager, group, dict(message), speaker)
    last = dict(messages[-1])
    last["content"] = _without_end(last.get("content"), remove_termination_string)
    group.messages.append(last)
    # By default the message that opens a chat never ends it, and this one opens the next.
    has_own_rule = type(manager._is_termination_msg) is not DefaultTermination
    if has_own_rule and await is_termination(manager, last):
        logger.warning(
            "The last message would end the chat at once; pass remove_termination_string to "
            "resume, or add a message that does not end it."
        )
    if not silent:
        IOStream.get_default().print(
            f"Resuming the group chat with {len(messages)} messages; {speakers[-1].name} was last."
        )
    manager._last_speaker = speakers[-1]
    # What the caller sends to the manager is appended again, by the group itself.
    group.messages.pop()
    return speakers[-1], last


def _speaker_of(manager: Any, group: Any, message: dict[str, Any]) -> Any:
    name = message.get("name")
    if name == manager.name:
        return manager
    agent = group.agent_by_name(name) if name else None
    if agent is None and name == group.admin_name:
        return manager
    if message.get("role") == "function":
        # Its name is that of the function.
        able = (a for a in group.agents if name in (getattr(a, "function_map", None) or ()))
        agent = next(able, agent)
    if agent is None:
        raise UsageError(
            f"the message {str(message)[:120]} names the speaker {name!r}, who is not in the "
            f"group; its members are {group.agent_names}."
        )
    return agent


async def _restore(manager: Any, group: Any, message: dict[str, Any], speaker: Any) -> None:
    """Put one old message where it stood: the transcript, and each member's own view of it."""
    group.messages.append(message)
    said = stored(message, role="assistant", speaker=speaker.name)
    heard = stored(message, role="user", speaker=speaker.name)
    for agent in group.agents:
        is_own = agent is speaker
        record(manager._oai_messages[agent], heard if is_own else said)
        if hasattr(agent, "_oai_messages"):
            record(agent._oai_messages[manager], said if is_own else heard)
        elif not is_own:
            await point(agent, "receive")(dict(message), manager, False, True)


def _without_end(content: Any, remove: str | Callable[[str], str] | None) -> Any:
    if not isinstance(content, str) or remove is None:
        return content
    return remove(content) if callable(remove) else content.replace(remove, "")


def messages_from_string(text: str) -> list[dict[str, Any]]:
    """Messages from the JSON of `messages_to_string`.

    Raises:
        UsageError: It is not JSON, or not a list of messages.
    """
    try:
        messages = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"the messages are not JSON: {error}.") from error
    if not isinstance(messages, list):
        raise UsageError(f"the messages are a JSON {type(messages).__name__}; they must be a list.")
    return messages
