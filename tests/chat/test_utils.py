"""The small helpers beside agents."""

from __future__ import annotations

from typing import Any

import pytest
from tests.chat.cast import plain
from tests.compat.requirements import requirement

from autogen.agentchat.utils import consolidate_chat_info, parse_tags_from_content


@requirement("utils:chat-info")
def test_entries_of_chats_are_checked() -> None:
    a, b = plain("a"), plain("b")
    consolidate_chat_info([{"sender": a, "recipient": b}, {"sender": b, "recipient": a}])
    consolidate_chat_info({"recipient": b}, uniform_sender=a)
    wrong: list[Any] = [
        {"recipient": b},
        {"sender": a},
        {"sender": a, "recipient": b, "summary_method": "nonsense"},
        {"sender": a, "recipient": b, "summary_method": "reflection_with_llm"},
    ]
    for entry in wrong:
        with pytest.raises(AssertionError):
            consolidate_chat_info(entry)
        with pytest.raises(AssertionError):
            consolidate_chat_info([entry])


@requirement("utils:tags")
@pytest.mark.parametrize(
    "content,attributes",
    [
        ("see <img a.png> there", [{"src": "a.png"}]),
        ("<img src=\"a b.png\" alt='x' width=3>", [{"src": "a b.png", "alt": "x", "width": "3"}]),
        ("<img 'a.png'> and <img b.png/>", [{"src": "a.png"}, {"src": "b.png"}]),
        ("<image a.png> <img>", []),
        ("<img http://a/b.png?w=3&h=4>", [{"src": "http://a/b.png?w=3&h=4"}]),
        ("<img data:image/png;base64,iVBO/A==>", [{"src": "data:image/png;base64,iVBO/A=="}]),
        ("<img a.png width=3>", [{"src": "a.png", "width": "3"}]),
        ("<img alt='a = b' src=b.png>", [{"alt": "a = b", "src": "b.png"}]),
        (
            [{"type": "text", "text": "<img a.png>"}, "<img b.png>"],
            [{"src": "a.png"}, {"src": "b.png"}],
        ),
    ],
)
def test_tags_in_content(content: Any, attributes: list[dict[str, str]]) -> None:
    found = parse_tags_from_content("img", content)
    assert [tag["attr"] for tag in found] == attributes
    assert all(tag["tag"] == "img" for tag in found)
    assert all(tag["match"][0].startswith("<img") for tag in found)
