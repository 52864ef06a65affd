"""Small helpers of the 0.2 `agentchat.utils` module."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from .._chat.summary import check_summary
from ..usage import merge_summaries

__all__ = ["consolidate_chat_info", "gather_usage_summary", "parse_tags_from_content"]


def gather_usage_summary(agents: Iterable[Any]) -> dict[str, dict[str, Any]]:
    """What the models of `agents` used since the agents were made.

    Returns:
        `usage_including_cached_inference` and `usage_excluding_cached_inference`, each a summary
        `{"total_cost": usd, "<model>": {"cost", "prompt_tokens", "completion_tokens",
        "total_tokens"}}`.
    """
    clients = [client for agent in agents if (client := getattr(agent, "client", None))]
    return {
        "usage_including_cached_inference": merge_summaries(
            client.total_usage_summary for client in clients
        ),
        "usage_excluding_cached_inference": merge_summaries(
            client.actual_usage_summary for client in clients
        ),
    }


def consolidate_chat_info(
    chat_info: dict[str, Any] | list[dict[str, Any]], uniform_sender: Any = None
) -> None:
    """Check a chat entry, or a list of them, before its chat starts.

    Args:
        chat_info: The entry or entries.
        uniform_sender: Who starts the chats of entries without a `sender`.

    Raises:
        AssertionError: There is no sender or no recipient, or the summary can't be made.
    """
    for entry in [chat_info] if isinstance(chat_info, dict) else chat_info:
        sender = entry.get("sender") if uniform_sender is None else uniform_sender
        if sender is None:
            raise AssertionError("a chat needs a 'sender'.")
        if entry.get("recipient") is None:
            raise AssertionError("a chat needs a 'recipient'.")
        check_summary(entry.get("summary_method"), sender, entry["recipient"])


def parse_tags_from_content(
    tag: str, content: str | list[dict[str, Any] | str]
) -> list[dict[str, Any]]:
    """The tags `<tag ...>` in a text, or in the texts of content parts, in order.

    Returns:
        One dict a tag: `tag`, `attr` (its attributes; a bare value counts as `src`), and `match`,
        the `re.Match` of where it stands.
    """
    texts = [content] if isinstance(content, str) else [_text_of(part) for part in content]
    return [found for text in texts for found in _tags(tag, text)]


def _text_of(part: dict[str, Any] | str) -> str:
    return part if isinstance(part, str) else str(part.get("text") or "")


#: Begins a word: an address may have a = too.
_ATTRIBUTE = re.compile(r"""(?<!\S)([\w-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))""")


def _tags(tag: str, text: str) -> list[dict[str, Any]]:
    found = []
    for match in re.finditer(rf"<{re.escape(tag)}\b([^>]*)>", text):
        inside = match[1].strip().rstrip("/").strip()
        attributes = {
            name: double or single or bare
            for name, double, single, bare in _ATTRIBUTE.findall(inside)
        }
        bare = _ATTRIBUTE.sub("", inside).strip().strip("'\"")
        if bare and "src" not in attributes:
            attributes = {"src": bare, **attributes}
        if attributes:
            found.append({"tag": tag, "attr": attributes, "match": match})
    return found
