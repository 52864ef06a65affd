"""`TransformMessages`: what an agent's model sees of a conversation, without changing it."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from ....errors import UsageTypeError
from ....formatting_utils import colored
from ....human.stream import IOStream
from ....messages import filled
from .agent_capability import AgentCapability
from .transforms import MessageTransform

__all__ = ["TransformMessages"]


class TransformMessages(AgentCapability):
    """Have each reply of an agent made from transformed messages.

    The transforms work on a deep copy, in their order; what is stored stays as it was said. A
    system message at the front is kept out of their sight and put back.

    Args:
        transforms: Anything with `apply_transform` and `get_logs`.
        verbose: Print what each transform changed.

    Raises:
        UsageTypeError: One of them is no transform.
    """

    def __init__(self, *, transforms: Sequence[MessageTransform] = (), verbose: bool = True):
        given: Any = transforms
        if not isinstance(given, Sequence) or not all(map(_is_transform, given)):
            raise UsageTypeError(
                f"transforms is {given!r}; give a list of objects with apply_transform(messages) "
                "and get_logs(before, after)."
            )
        self._transforms = list(transforms)
        self._verbose = verbose

    def add_to_agent(self, agent: Any) -> None:
        """Transform what `agent` replies to, from its next reply on."""
        agent.register_hook(
            hookable_method="process_all_messages_before_reply", hook=self._transform_messages
        )

    def _transform_messages(self, messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        seen = [_own(message) for message in messages]
        first = seen[:1] if seen and seen[0].get("role") == "system" else []
        seen = seen[len(first) :]
        for transform in self._transforms:
            # A transform may change what it is given, and the log compares.
            before = [_own(message) for message in seen] if self._verbose else seen
            seen = transform.apply_transform(seen)
            if self._verbose:
                text, had_effect = transform.get_logs(before, seen)
                if had_effect:
                    IOStream.get_default().print(colored(text, "yellow"))
        return [*first, *seen]


def _is_transform(value: Any) -> bool:
    return not isinstance(value, type) and hasattr(value, "apply_transform")


def _own(message: Mapping[str, Any]) -> dict[str, Any]:
    """A deep copy of `message`, its text made where a function makes it.

    The context is handed on as it is: it holds objects of the program, which need not be copyable.
    """
    message = filled(message)
    return {k: v if k == "context" else copy.deepcopy(v) for k, v in message.items()}
