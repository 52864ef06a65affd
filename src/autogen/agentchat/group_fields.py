"""What the fields of a `GroupChat` may be, and the transitions that they amount to."""

from __future__ import annotations

from typing import Any

from ..errors import UsageError, UsageTypeError
from ..graph_utils import check_graph_shape, check_graph_validity, invert_disallowed_to_allowed

__all__ = ["check_fields", "transitions_of"]

_MUST_NOT_BE_EMPTY = (
    "select_speaker_message_template",
    "select_speaker_auto_multiple_template",
    "select_speaker_auto_none_template",
    "role_for_select_speaker_messages",
)


def check_fields(group: Any) -> None:
    """Refuse fields that can't work; fill in what follows from others.

    Raises:
        UsageError: The message says which field, and what it may be.
    """
    _check_agents_and_messages(group)
    _check_selection(group)
    _check_repeat(group)
    _check_transitions(group)


def _is_agent(value: Any) -> bool:
    return hasattr(value, "name") and hasattr(value, "generate_reply")


def _check_agents_and_messages(group: Any) -> None:
    if not isinstance(group.agents, list | tuple):
        raise UsageTypeError(f"agents is {group.agents!r}; it must be a list of agents.")
    for agent in group.agents:
        if not _is_agent(agent):
            raise UsageTypeError(f"the member {agent!r} is no agent; a group has agents only.")
    if group.messages is None:
        group.messages = []
    elif not isinstance(group.messages, list):
        raise UsageTypeError(
            f"messages is a {type(group.messages).__name__}; it must be a list, which the group "
            "writes into."
        )
    if not hasattr(group.max_round, "__index__"):
        raise UsageTypeError(
            f"max_round is {group.max_round!r}; it must be a whole number: how many messages one "
            "run records."
        )


def _check_selection(group: Any) -> None:
    retries = group.max_retries_for_selecting_speaker
    if not isinstance(retries, int) or retries < 0:
        raise UsageError(
            f"max_retries_for_selecting_speaker is {retries!r}; it must be a whole number >= 0."
        )
    for name in _MUST_NOT_BE_EMPTY:
        if not getattr(group, name):
            raise UsageError(f"{name} cannot be empty or None.")
    for name in ("select_speaker_auto_verbose", "func_call_filter"):
        if not isinstance(getattr(group, name), bool):
            raise UsageError(f"{name} is {getattr(group, name)!r}; it must be True or False.")
    transforms = group.select_speaker_transform_messages
    is_known = not isinstance(transforms, type) and hasattr(transforms, "_transform_messages")
    if transforms is not None and not is_known:
        raise UsageError("select_speaker_transform_messages must be None or MessageTransforms.")


def _check_repeat(group: Any) -> None:
    repeat = group.allow_repeat_speaker
    is_list = isinstance(repeat, list) and all(map(_is_agent, repeat))
    if repeat is not None and not isinstance(repeat, bool) and not is_list:
        raise UsageError("GroupChat allow_repeat_speaker should be a bool or a list of Agents.")
    if repeat is not None and group.allowed_or_disallowed_speaker_transitions is not None:
        raise UsageError(
            "allow_repeat_speaker and allowed_or_disallowed_speaker_transitions exclude each "
            "other; say in the transitions who may follow whom, themselves included."
        )
    if repeat is None and group.allowed_or_disallowed_speaker_transitions is None:
        group.allow_repeat_speaker = True


def _check_transitions(group: Any) -> None:
    transitions = group.allowed_or_disallowed_speaker_transitions
    kind = group.speaker_transitions_type
    if transitions is None:
        if kind is not None:
            raise UsageError(
                f"speaker_transitions_type is {kind!r} but there are no "
                "allowed_or_disallowed_speaker_transitions; give both or neither."
            )
        return
    if not isinstance(kind, str) or kind.lower() not in ("allowed", "disallowed"):
        raise UsageError(
            f"speaker_transitions_type is {kind!r}; with transitions it must be 'allowed' or "
            "'disallowed'."
        )
    check_graph_shape(transitions, group.agents)
    check_graph_validity(
        allowed_speaker_transitions_dict=transitions_of(group), agents=group.agents
    )


def transitions_of(group: Any) -> dict[Any, list[Any]]:
    """Agent to the agents that may follow it, by the fields of `group`."""
    transitions: dict[Any, list[Any]] | None = group.allowed_or_disallowed_speaker_transitions
    if transitions is None:
        repeat = group.allow_repeat_speaker
        repeating = repeat if isinstance(repeat, list) else group.agents * (repeat is not False)
        return {
            agent: [other for other in group.agents if other is not agent or agent in repeating]
            for agent in group.agents
        }
    if (group.speaker_transitions_type or "").lower() == "allowed":
        return transitions
    allowed: dict[Any, list[Any]] = invert_disallowed_to_allowed(transitions, group.agents)
    return allowed
