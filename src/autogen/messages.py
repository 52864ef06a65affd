"""Message dicts: normalising, role flip, tool pairs. Pure functions over plain shapes.

A *message* is what AutoGen 0.2 made it: text, or a dict in OpenAI chat form. What an agent stores
is a
`Message`, a dict that remembers its own encoding for the wire, so that a conversation encodes each
message once instead of its whole history on every call. Changing a `Message` forgets the encoding.

Here live shapes, never policy: who speaks and when is `_chat`, what a provider wants is
`models.dialects`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any, SupportsIndex

from .errors import UsageError, UsageTypeError

__all__ = [
    "STORED_KEYS",
    "History",
    "Message",
    "content_str",
    "encoded",
    "expand_tool_responses",
    "filled",
    "introduce_to_yaml",
    "message_dict",
    "plain",
    "stored",
]

#: The keys of a message that survive being sent. Source: behaviour of AutoGen 0.2.
STORED_KEYS = (
    "content",
    "function_call",
    "tool_calls",
    "tool_responses",
    "tool_call_id",
    "name",
    "context",
)
#: Keys of the wire whose values may be changed from inside.
_NESTED_KEYS = ("tool_calls", "function_call", "tool_responses")


class _Edits:
    """How often stored messages were changed in place, in this process.

    A `History` that saw no edit since its last look may trust what it knows of its messages.
    """

    count = 0


class _Yaml:
    """Whether PyYAML was told of the types of this module."""

    is_told = False


# The mutators below are those of dict and list, and need no docstring each.
# ruff: noqa: D102


class Message(dict[str, Any]):
    """A stored message: a dict that keeps its own wire encoding until it is changed."""

    __slots__ = ("parts", "wire")

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        #: (dialect, encoding, copy of the nested values it was made from), or None.
        self.wire: tuple[str, bytes, dict[str, Any] | None] | None = None
        #: The single tool messages this one stands for, or None.
        self.parts: tuple[Any, list[Message]] | None = None

    def _changed(self) -> None:
        self.wire = self.parts = None
        _Edits.count += 1

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        self._changed()

    def __delitem__(self, key: str) -> None:
        super().__delitem__(key)
        self._changed()

    def __ior__(self, other: Any) -> Message:  # type: ignore[override,misc]
        super().update(other)
        self._changed()
        return self

    def update(self, *args: Any, **kwargs: Any) -> None:
        super().update(*args, **kwargs)
        self._changed()

    def setdefault(self, key: str, default: Any = None) -> Any:
        value = super().setdefault(key, default)
        self._changed()
        return value

    def pop(self, *args: Any) -> Any:
        value = super().pop(*args)
        self._changed()
        return value

    def popitem(self) -> tuple[str, Any]:
        item = super().popitem()
        self._changed()
        return item

    def clear(self) -> None:
        super().clear()
        self._changed()

    def __copy__(self) -> Message:
        made = Message(self)
        made.wire, made.parts = self.wire, self.parts
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> Message:
        return Message({k: deepcopy(v, memo) for k, v in self.items()})

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


class History(list[dict[str, Any]]):
    """The messages of one agent with one partner, oldest first; a plain list to whoever looks.

    It knows whether any of its messages needs expanding before a model sees it, so that asking
    costs the same at message 10 and at message 10,000.
    """

    __slots__ = ("_is_text", "_seen_edits", "edited")

    def __init__(self, messages: Iterable[dict[str, Any]] = ()):
        super().__init__(messages)
        self._is_text = not self
        self._seen_edits = _Edits.count
        #: Whether somebody else than `record` changed this list.
        self.edited = bool(self)

    def record(self, message: Message) -> None:
        """Append a message made by `stored`."""
        list.append(self, message)
        if self._is_text and len(message) > 3:
            self._is_text = _is_ready(message)

    @property
    def is_text(self) -> bool:
        """Whether a model can be sent every message as it is."""
        if self._seen_edits != _Edits.count:
            self._is_text = all(map(_is_ready, self))
            self._seen_edits = _Edits.count
        return self._is_text

    def _touched(self) -> None:
        self.edited = True
        # Any other number than the current one: the next look at `is_text` reads the messages.
        self._seen_edits = -1

    def append(self, message: dict[str, Any]) -> None:
        super().append(message)
        self._touched()

    def extend(self, messages: Iterable[dict[str, Any]]) -> None:
        super().extend(messages)
        self._touched()

    def insert(self, index: SupportsIndex, message: dict[str, Any]) -> None:
        super().insert(index, message)
        self._touched()

    def __setitem__(self, index: Any, value: Any) -> None:
        super().__setitem__(index, value)
        self._touched()

    def __delitem__(self, index: Any) -> None:
        super().__delitem__(index)
        self._touched()

    def __iadd__(self, messages: Iterable[dict[str, Any]]) -> History:  # type: ignore[override,misc]
        super().extend(messages)
        self._touched()
        return self

    def pop(self, index: SupportsIndex = -1) -> dict[str, Any]:
        message = super().pop(index)
        self._touched()
        return message

    def remove(self, message: dict[str, Any]) -> None:
        super().remove(message)
        self._touched()

    def clear(self) -> None:
        super().clear()
        self._is_text = True
        self._seen_edits = _Edits.count
        self.edited = False

    def __deepcopy__(self, memo: dict[int, Any]) -> list[dict[str, Any]]:
        return [deepcopy(m, memo) for m in self]

    def __reduce__(self) -> tuple[Any, ...]:
        return list, ([dict(m) for m in self],)


def introduce_to_yaml() -> None:
    """Have PyYAML, where it is loaded, write stored messages as the dicts and lists they are.

    Its dumpers go by the exact type of a value, and the safe ones refuse any type they don't know.
    """
    yaml: Any = sys.modules.get("yaml")
    if yaml is None or _Yaml.is_told or not hasattr(yaml, "SafeDumper"):
        return
    _Yaml.is_told = True
    for name in ("Dumper", "SafeDumper", "CDumper", "CSafeDumper"):
        dumper = getattr(yaml, name, None)
        if dumper is not None:
            dumper.add_representer(Message, lambda to, value: to.represent_dict(dict(value)))
            dumper.add_representer(History, lambda to, value: to.represent_list(list(value)))


def message_dict(message: Any) -> dict[str, Any]:
    """`message` as a dict: text becomes `{"content": text}`, other shapes go through `dict()`.

    Raises:
        UsageTypeError: It is neither text nor anything that makes a dict.
    """
    if isinstance(message, str):
        return {"content": message}
    if isinstance(message, dict):
        return message
    try:
        return dict(message)
    except (TypeError, ValueError):
        raise UsageTypeError(
            f"the message is {_shortened(message)}; send text, or a dict with 'content'."
        ) from None


def stored(message: Mapping[str, Any] | str, *, role: str, speaker: str) -> Message:
    """The form in which an agent keeps `message`.

    Args:
        message: What was sent. Not changed, not kept.
        role: `assistant` in the speaker's own list, `user` in the listener's.
        speaker: Name of who said it.

    Raises:
        UsageError: The message has neither content nor a call.

    Source: behaviour of AutoGen 0.2.
    """
    if isinstance(message, str):
        return Message(content=message, role=role, name=speaker)
    made = Message()
    put = super(Message, made).__setitem__
    for key in STORED_KEYS:
        value = message.get(key)
        if value is not None:
            put(key, value)
    if "content" not in made:
        if "function_call" not in made and "tool_calls" not in made:
            raise UsageError(
                f"the message {_shortened(message)} has neither 'content' nor a tool call; "
                "send text, or a dict with 'content'."
            )
        put("content", None)
    given = message.get("role")
    if given in ("function", "tool"):
        role = given
        if "tool_responses" in made:
            put("tool_responses", [_text_response(r) for r in made["tool_responses"]])
    elif "override_role" in message:
        role = message["override_role"]
    if made.get("function_call") or made.get("tool_calls"):
        role = "assistant"
    elif "name" not in made:
        put("name", speaker)
    put("role", role)
    return made


def _text_response(response: Mapping[str, Any]) -> dict[str, Any]:
    content = response.get("content")
    return {**response, "content": content if isinstance(content, str) else str(content)}


def _shortened(value: Any, limit: int = 120) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _is_ready(message: Mapping[str, Any]) -> bool:
    return "tool_responses" not in message and "context" not in message


def filled(message: Mapping[str, Any], llm_config: Any = None) -> Mapping[str, Any]:
    """`message` with the text that its content makes of its context, where it is a template.

    Args:
        message: A function as content is a template; so is text, as a format string, where
            `llm_config` says `allow_format_str_template`.
        llm_config: Of the agent that hears it.
    """
    content, context = message.get("content"), message.get("context") or {}
    if callable(content):
        return {**message, "content": content(context)}
    is_allowed = llm_config and llm_config.get("allow_format_str_template")
    if is_allowed and context and isinstance(content, str):
        return {**message, "content": content.format(**context)}
    return message


def expand_tool_responses(messages: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """`messages` with each joint tool reply replaced by its single tool messages.

    A parent of another role than `tool` (a human spoke instead of the tools) is kept after them.
    A function as content is replaced by what it makes of the message's context; no model is sent
    the context itself.
    Returns `messages` itself where there is nothing to expand; never changes it.
    """
    if isinstance(messages, History):
        if messages.is_text:
            return messages
    elif all(map(_is_ready, messages)):
        return messages
    out: list[Mapping[str, Any]] = []
    # A long chat with tools comes by here at each of its calls, so that nothing is called per
    # message that has been expanded before.
    for message in messages:
        if "tool_responses" in message:
            known = message.parts if type(message) is Message else None
            # Nested values may be changed unseen by `Message`; comparing is a tenth of the
            # encoding.
            if known is not None and known[0] == message["tool_responses"]:
                out += known[1]
            else:
                out += _expanded(message)
        elif "context" in message:
            message = filled(message)
            out.append({k: v for k, v in message.items() if k != "context"})
        else:
            out.append(message)
    return out


def _expanded(message: Mapping[str, Any]) -> list[Message]:
    responses = message["tool_responses"]
    parts = [Message(r) for r in responses]
    if message.get("role") != "tool":
        parts.append(Message((k, v) for k, v in message.items() if k != "tool_responses"))
    if isinstance(message, Message):
        message.parts = _copied(responses), parts
    return parts


def encoded(
    message: Mapping[str, Any], *, dialect: str, encode: Callable[[Mapping[str, Any]], bytes]
) -> bytes:
    """The bytes of `message` in `dialect`, made by `encode` once per state of the message.

    Args:
        message: A `Message` is remembered; any other mapping is encoded each time.
        dialect: Name of the wire form. A message remembers one dialect at a time.
        encode: Makes the bytes; must depend on the message alone.
    """
    if type(message) is not Message:
        return encode(message)
    kept = message.wire
    if kept is not None and kept[0] == dialect:
        nested = kept[2]
        for key in nested or ():
            if message.get(key) != nested[key]:  # type: ignore[index]
                break
        else:
            return kept[1]
    made = encode(message)
    changeable = {
        k: _copied(message[k])
        for k in ("content", *_NESTED_KEYS)
        if k in message and not isinstance(message[k], str | None)
    }
    message.wire = dialect, made, changeable or None
    return made


def content_str(content: str | list[dict[str, Any]] | None) -> str:
    """The text of a message's content; a picture becomes `<image>`.

    Raises:
        TypeError: `content` is not text, a list of parts or None, or a part is not a dict.
        AssertionError: A part has no `type`.
        ValueError: A part has a type other than `text` and `image_url`.
    """
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise TypeError(
            f"content must be None, str or a list of parts, not {type(content).__name__}."
        )
    texts = []
    for part in content:
        if not isinstance(part, dict):
            raise TypeError(f"a content part must be a dict, not {type(part).__name__}.")
        if "type" not in part:
            raise AssertionError(f"the content part {_shortened(part)} has no 'type'.")
        if part["type"] == "text":
            texts.append(part["text"])
        elif part["type"] == "image_url":
            texts.append("<image>")
        else:
            raise UsageError(
                f"the content part type {part['type']!r} is not known; use 'text' or 'image_url'."
            )
    return "".join(texts)


def plain(messages: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A copy of `messages` as plain dicts that later changes to the originals do not reach."""
    return [_copied(m) for m in messages]


def _copied(value: Any) -> Any:
    """Dicts and lists copied all the way down; what they hold, which may be anything, is shared."""
    # Most values are text: no call for those, and asking an abstract class takes longest of all.
    if isinstance(value, dict) or isinstance(value, Mapping):  # noqa: SIM101
        return {k: v if type(v) is str else _copied(v) for k, v in value.items()}
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list):
        return [_copied(v) for v in value]
    return value
