"""Who speaks next in a group: candidates by the rules, then one of them by the method."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any

from .._kernel.ops import Call
from .._kernel.record import Codec, random_index, recorded, step
from ..errors import NoEligibleSpeaker, UndefinedNextAgent, UsageError
from ..human.stream import IOStream
from ..limits.spending import waiting_for_people
from ..messages import content_str, expand_tool_responses
from .model import completed_text

__all__ = [
    "METHODS",
    "by_name",
    "chosen_by_rule",
    "filled",
    "mentioned",
    "next_agent",
    "picked_by_hand",
    "picked_by_model",
    "select_speaker",
]

logger = logging.getLogger("autogen")

METHODS = ("auto", "manual", "random", "round_robin")
_TRIES_BY_HAND = 3


async def select_speaker(group: Any, last_speaker: Any, selector: Any) -> Any:
    """The next speaker of `group` after `last_speaker`.

    Raises:
        NoEligibleSpeaker: The rules leave nobody, or a selection function gave None.
        UsageError: The group or its method can't work.
    """
    chosen, candidates, messages = await chosen_by_rule(group, last_speaker)
    if chosen is not None:
        return chosen
    ask = group._auto_select_speaker
    if getattr(ask, "__plain__", False):
        return await picked_by_model(group, last_speaker, selector, messages, candidates)
    return await _as_overridden(group, ask, last_speaker, selector, messages, candidates)


async def chosen_by_rule(
    group: Any, last_speaker: Any
) -> tuple[Any, list[Any], list[dict[str, Any]]]:
    """Who speaks next, None where a model is to choose; the candidates; what a model is shown."""
    method = method_of_group = group.speaker_selection_method
    if callable(method):
        choose = method
        chosen = await recorded(
            "selection", lambda: Call(choose, None, (last_speaker, group)), codec=by_name(group)
        )
        if chosen is None:
            raise NoEligibleSpeaker("The speaker selection function chose nobody.")
        if not isinstance(chosen, str):
            return _member(group, chosen), group.agents, group.messages
        method = chosen
    name = method.lower() if isinstance(method, str) else method
    if name not in METHODS:
        raise _unknown_method(group, method)
    candidates, messages = eligible(group, last_speaker, name)
    speaker = None
    if len(candidates) == 1 and not (name == "round_robin" and _is_plain(group)):
        speaker = candidates[0]
    elif name == "round_robin":
        speaker = await _in_order(group, last_speaker, candidates)
    elif name == "random":
        speaker = await _by_chance(group, candidates)
    elif name == "manual":
        speaker = await step("human", lambda: _picked(group, candidates), codec=by_name(group))
        if speaker is None and not callable(method_of_group):
            speaker = await _in_order(group, last_speaker, candidates)
    return speaker, candidates, messages


def _unknown_method(group: Any, method: Any) -> UsageError:
    methods = ", ".join(METHODS)
    if callable(group.speaker_selection_method):
        return UsageError(
            f"the speaker selection function gave the text {method!r}; return an agent (such as "
            f"groupchat.agent_by_name(name)), the name of a method ({methods}), or None to end."
        )
    return UsageError(
        f"speaker_selection_method {method!r} is not known; use one of {methods}, or a function of "
        "(last_speaker, groupchat)."
    )


def by_name(group: Any) -> Codec[Any]:
    """Members of `group` are recorded by their names; a method's name, or None, as it is."""

    def encode(chosen: Any) -> Any:
        return chosen if isinstance(chosen, str | None) else {"agent": chosen.name}

    def decode(kept: Any) -> Any:
        return group.agent_by_name(kept["agent"]) if isinstance(kept, dict) else kept

    return Codec(encode, decode)


async def _in_order(group: Any, last_speaker: Any, candidates: Sequence[Any]) -> Any:
    if getattr(group.next_agent, "__plain__", False):
        return next_agent(group, last_speaker, candidates)
    return await _as_overridden(group, group.next_agent, last_speaker, candidates)


async def _by_chance(group: Any, candidates: Sequence[Any]) -> Any:
    if getattr(group.random_select_speaker, "__plain__", False):
        return candidates[await random_index(len(candidates))]
    return await _as_overridden(group, group.random_select_speaker, candidates)


def _as_overridden(group: Any, method: Any, *args: Any) -> Any:
    """What a method of the group says that somebody put in place of ours."""
    return recorded("selection", lambda: Call(method, None, args), codec=by_name(group))


async def _picked(group: Any, candidates: Sequence[Any]) -> Any:
    with waiting_for_people():
        return await Call(group.manual_select_speaker, None, (candidates,))


def _member(group: Any, chosen: Any) -> Any:
    if chosen not in group.agents:
        raise UsageError(
            f"the speaker selection function chose {getattr(chosen, 'name', chosen)!r}, who is not "
            "in the group; return one of groupchat.agents, the name of a method, or None to end."
        )
    return chosen


def _is_plain(group: Any) -> bool:
    return group.allowed_or_disallowed_speaker_transitions is None


def eligible(group: Any, last_speaker: Any, method: str) -> tuple[list[Any], list[dict[str, Any]]]:
    """Who may speak now, and the messages as a selecting model should see them."""
    members = group.agents
    if len(members) < 2:
        raise UsageError(
            f"a group of {len(members)} can't select a speaker; give GroupChat at least two "
            "agents, or use initiate_chat between two."
        )
    messages = group.messages
    repeat = group.allow_repeat_speaker
    may_repeat = repeat if isinstance(repeat, bool) else _contains(repeat or (), last_speaker)
    if repeat is None:
        may_repeat = True
    if len(members) == 2 and method != "round_robin" and may_repeat:
        logger.warning(
            "The group chat has two members only; direct communication with initiate_chat, or "
            "speaker_selection_method='round_robin', would be simpler."
        )
    candidates: list[Any] = members
    last = messages[-1] if messages else {}
    if group.func_call_filter and (last.get("function_call") or last.get("tool_calls")):
        candidates = _able(members, _called_names(last))
        if len(candidates) == 1:
            return candidates, messages
    if not may_repeat:
        candidates = [agent for agent in candidates if agent is not last_speaker]
    if not _is_plain(group):
        candidates = _allowed(group, last_speaker, candidates)
    if not candidates:
        raise NoEligibleSpeaker(
            f"Nobody may speak after {last_speaker.name!r}: the repeat rule and the transitions "
            "leave no member of the group."
        )
    if last.get("function_call") or last.get("tool_calls"):
        # A model that selects a speaker must not take the call for its own.
        shown = {k: v for k, v in last.items() if k not in ("function_call", "tool_calls")}
        messages = [*messages[:-1], {**shown, "content": shown.get("content") or ""}]
    return candidates, messages


def _contains(agents: Sequence[Any], agent: Any) -> bool:
    return any(one is agent for one in agents)


def _called_names(message: Mapping[str, Any]) -> list[str]:
    names = []
    if message.get("function_call"):
        names.append(message["function_call"]["name"])
    for call in message.get("tool_calls") or ():
        if call.get("type", "function") == "function":
            names.append(call["function"]["name"])
    return names


def _able(members: Sequence[Any], names: list[str]) -> list[Any]:
    able = [
        a for a in members if hasattr(a, "can_execute_function") and a.can_execute_function(names)
    ]
    if able:
        return able
    with_functions = [a for a in members if getattr(a, "function_map", None)]
    if not with_functions:
        raise UsageError(
            f"No agent can execute the function {', '.join(names)}. "
            "Please check the function_map of the agents."
        )
    return with_functions


def _allowed(group: Any, last_speaker: Any, candidates: Sequence[Any]) -> list[Any]:
    graph = group.allowed_speaker_transitions_dict
    if not _contains(group.agents, last_speaker):
        return list(candidates)
    if last_speaker not in graph:
        raise NoEligibleSpeaker(f"The transitions let nobody speak after {last_speaker.name!r}.")
    return [agent for agent in candidates if _contains(graph[last_speaker], agent)]


def next_agent(group: Any, agent: Any, agents: Sequence[Any] | None) -> Any:
    """The member after `agent` in the group's order that is among `agents`, going round.

    Raises:
        UndefinedNextAgent: `agents` are none, or not all in the group.
    """
    members = group.agents
    try:
        at = members.index(agent)
    except ValueError:
        at = -1
    if agents is None or agents is members:
        if not members:
            raise UndefinedNextAgent()
        return members[(at + 1) % len(members)]
    wanted = {id(one) for one in agents}
    if not wanted.issubset(map(id, members)):
        raise UndefinedNextAgent()
    n = len(members)
    for ahead in range(n):
        one = members[(at + 1 + ahead) % n]
        if id(one) in wanted:
            return one
    raise UndefinedNextAgent()


def picked_by_hand(group: Any, agents: Sequence[Any] | None = None) -> Any:
    """The member a person picks from a numbered list; None to leave it open."""
    stream = IOStream.get_default()
    candidates = group.agents if agents is None else agents
    stream.print("Please select the next speaker from the following list:")
    for number, agent in enumerate(candidates, 1):
        stream.print(f"{number}: {agent.name}")
    for _ in range(_TRIES_BY_HAND):
        answer = stream.input(
            "Enter the number of the next speaker (enter nothing or `q` to leave it open): "
        ).strip()
        if answer in ("", "q"):
            return None
        if answer.isdecimal() and 1 <= int(answer) <= len(candidates):
            return candidates[int(answer) - 1]
        stream.print(f"{answer!r} is not a number from 1 to {len(candidates)}.")
    stream.print("No valid number was given.")
    return None


async def picked_by_model(
    group: Any,
    last_speaker: Any,
    selector: Any,
    messages: Sequence[dict[str, Any]],
    candidates: Sequence[Any],
) -> Any:
    """Ask the model for a name; one mentioned candidate is chosen, else it is asked again."""
    client = group._selecting_client(selector)
    if not client:
        return await _in_order(group, last_speaker, candidates)
    role = group.role_for_select_speaker_messages
    system = {"role": "system", "content": group.select_speaker_msg(candidates)}
    dialogue: list[dict[str, Any]] = [dict(message) for message in messages]
    prompt = group.select_speaker_prompt(candidates)
    if prompt:
        dialogue.append({"role": role, "content": prompt, "name": "checking_agent"})
    transforms = group.select_speaker_transform_messages
    for _ in range(1 + group.max_retries_for_selecting_speaker):
        asked = transforms._transform_messages(dialogue) if transforms is not None else dialogue
        answer = await completed_text(
            client,
            messages=[system, *expand_tool_responses(asked)],
            agent=selector,
            choices=[candidate.name for candidate in candidates],
        )
        text = answer if isinstance(answer, str) else str((answer or {}).get("content") or "")
        names = group._mentioned_agents(text, candidates)
        if group.select_speaker_auto_verbose:
            await Call(
                IOStream.get_default().print,
                None,
                (f"Speaker selection: {text!r} names {sorted(names) or 'nobody'}.",),
                place="inline",
            )
        if len(names) == 1:
            return next(agent for agent in candidates if agent.name in names)
        template = f"select_speaker_auto_{'multiple' if names else 'none'}_template"
        again = filled(group, template, agentlist=[agent.name for agent in candidates])
        dialogue += [
            {"role": "assistant", "content": text, "name": "speaker_selection_agent"},
            {"role": role, "content": again, "name": "checking_agent"},
        ]
    logger.warning(
        "The model named no single speaker in %d attempts; the chat goes on in order.",
        1 + group.max_retries_for_selecting_speaker,
    )
    return await _in_order(group, last_speaker, candidates)


def filled(group: Any, template: str, **values: Any) -> str:
    """The template of that name of `group`, filled in.

    Raises:
        UsageError: It is no text, or asks for something else than `values`.
    """
    text = getattr(group, template)
    try:
        made: str = text.format(**values)
    except (AttributeError, KeyError, IndexError, ValueError) as error:
        known = ", ".join(f"{{{name}}}" for name in values)
        raise UsageError(
            f"{template} is {text!r}, which can't be filled in ({error}); it may hold {known}, and "
            "other braces are doubled."
        ) from error
    return made


def mentioned(content: Any, agents: Sequence[Any] | None) -> dict[str, int]:
    """How often each agent is named in a text, for those that are.

    Upper and lower case count, a name ends at what is no part of a word, and `_` may be written as
    a space or escaped with a backslash.
    """
    text = content_str(content.get("content") if isinstance(content, dict) else content)
    found: dict[str, int] = {}
    for agent in agents or ():
        spellings = {agent.name, agent.name.replace("_", " "), agent.name.replace("_", r"\_")}
        pattern = "|".join(re.escape(s) for s in sorted(spellings, key=len, reverse=True))
        count = len(re.findall(rf"(?<!\w)(?:{pattern})(?!\w)", text))
        if count:
            found[agent.name] = count
    return found
