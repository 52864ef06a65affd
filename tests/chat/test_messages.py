"""What both sides keep of a message, and what a model is sent of it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.chat.cast import mute, plain, speaker, texts
from tests.compat.requirements import requirement

from autogen import ConversableAgent
from autogen.messages import content_str
from autogen.testing import ScriptedModel, call, calls
from autogen.testing.face import Face

CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def sent(face: Face, message: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What speaker and listener keep of `message`."""
    a, b = plain("a"), plain("b")
    face.send(a, message, b, request_reply=False, silent=True)
    return a.chat_messages[b][-1], b.chat_messages[a][-1]


@requirement("message:text", "message:role:sides", "message:name")
@pytest.mark.parametrize("message", ["hi", {"content": "hi"}, {"content": "hi", "role": "system"}])
def test_each_side_keeps_a_message_from_its_own_point_of_view(face: Face, message: Any) -> None:
    assert sent(face, message) == (
        {"content": "hi", "role": "assistant", "name": "a"},
        {"content": "hi", "role": "user", "name": "a"},
    )


@requirement("message:convertible")
def test_pairs_are_a_message_too(face: Face) -> None:
    assert sent(face, [("content", "hi"), ("name", "x")])[1]["content"] == "hi"


@requirement("message:known-keys")
def test_unknown_keys_and_none_values_are_dropped(face: Face) -> None:
    given = {"content": "hi", "context": {"a": 1}, "mood": "good", "tool_call_id": None}
    kept, heard = sent(face, given)
    assert set(kept) == set(heard) == {"content", "context", "role", "name"}
    assert given["mood"] == "good"


@requirement("message:content-needed", "message:role:call", "message:name")
@pytest.mark.parametrize(
    "called", [{"tool_calls": [CALL]}, {"function_call": {"name": "f", "arguments": "{}"}}]
)
def test_a_call_needs_no_content_and_is_an_assistants(face: Face, called: dict[str, Any]) -> None:
    for kept in sent(face, {**called, "role": "user"}):
        assert kept == {"content": None, "role": "assistant", **called}


@requirement("message:invalid")
@pytest.mark.parametrize("message", [{}, {"role": "user"}, {"content": None}, {"name": "x"}])
def test_a_message_of_nothing_is_refused_and_kept_by_nobody(face: Face, message: Any) -> None:
    a, b = plain("a"), plain("b")
    with pytest.raises(ValueError, match="content"):
        face.send(a, message, b)
    with pytest.raises(ValueError, match="content"):
        face.receive(b, message, a)
    assert not a.chat_messages[b]
    assert not b.chat_messages[a]


@requirement("message:role:tool", "message:name")
@pytest.mark.parametrize("role", ["tool", "function"])
def test_the_results_of_calls_keep_their_role(face: Face, role: str) -> None:
    given = {"role": role, "content": "42", "name": "f", "tool_call_id": "1"}
    assert sent(face, given) == (given, given)


@requirement("message:role:override")
def test_override_role_is_obeyed_and_forgotten(face: Face) -> None:
    expected = {"content": "hi", "role": "system", "name": "a"}
    assert sent(face, {"content": "hi", "override_role": "system"}) == (expected, expected)


@requirement("message:role:override", "message:role:tool", "message:role:call")
def test_a_call_and_a_tool_role_win_over_override_role(face: Face) -> None:
    assert sent(face, {"tool_calls": [CALL], "override_role": "user"})[1]["role"] == "assistant"
    assert (
        sent(face, {"content": "1", "role": "tool", "override_role": "user"})[1]["role"] == "tool"
    )


@requirement("message:tool-responses")
def test_a_model_is_sent_single_tool_messages(face: Face) -> None:
    replies = [calls(call("f", id="1"), call("g", id="2")), "done"]
    with ScriptedModel(replies) as model:
        bot = ConversableAgent("bot", llm_config=model.config(), human_input_mode="NEVER")
        user = plain("user", function_map={"f": lambda: "F", "g": lambda: "G"})
        face.initiate_chat(user, bot, message="go", max_turns=2, silent=True)
    sent = model.requests[1]["messages"]
    assert [m["role"] for m in sent] == ["system", "user", "assistant", "tool", "tool"]
    assert [(m["tool_call_id"], m["content"]) for m in sent[3:]] == [("1", "F"), ("2", "G")]
    joint = user.chat_messages[bot][2]
    assert (joint["role"], joint["content"], len(joint["tool_responses"])) == ("tool", "F\n\nG", 2)


@requirement("message:interruption")
def test_a_model_is_sent_a_persons_word_after_the_interrupted_calls(face: Face) -> None:
    given = [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {
            "role": "user",
            "content": "no",
            "tool_responses": [
                {"role": "tool", "tool_call_id": "1", "content": "USER INTERRUPTED"}
            ],
        },
    ]
    with ScriptedModel(["well"]) as model:
        bot = plain("bot", llm_config=model.config())
        assert face.generate_reply(bot, messages=given) == "well"
    sent = model.requests[0]["messages"]
    assert [m["role"] for m in sent] == ["system", "user", "assistant", "tool", "user"]
    assert sent[-1] == {"role": "user", "content": "no"}
    assert "tool_responses" in given[2]


@requirement("message:content-str")
def test_content_str_joins_texts_and_stands_for_pictures() -> None:
    parts = [
        {"type": "text", "text": "see "},
        {"type": "image_url", "image_url": {"url": "u"}},
        {"type": "text", "text": "!"},
    ]
    assert content_str(parts) == "see <image>!"
    assert content_str(None) == ""
    assert content_str("x") == "x"
    assert content_str([]) == ""


@requirement("message:content-str:errors")
@pytest.mark.parametrize(
    "content,error",
    [
        (5, TypeError),
        ({"type": "text"}, TypeError),
        (["text"], TypeError),
        ([{"text": "x"}], AssertionError),
        ([{"type": "sound"}], ValueError),
    ],
)
def test_content_str_refuses_wrong_content(content: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        content_str(content)


@requirement("message:template:callable")
def test_a_function_as_content_is_called_with_the_context(face: Face) -> None:
    with ScriptedModel(["ok"]) as model:
        bot, user = plain("bot", llm_config=model.config()), plain("user")
        message = {"content": lambda context: f"sum of {context['n']}", "context": {"n": 3}}
        face.initiate_chat(user, bot, message=message, max_turns=1, silent=True)
    last = model.requests[0]["messages"][-1]
    assert last["content"] == "sum of 3"
    assert "context" not in last
    assert bot.chat_messages[user][0]["context"] == {"n": 3}


@requirement("message:template:callable")
def test_a_function_as_content_is_printed_filled_in(
    face: Face, capsys: pytest.CaptureFixture[str]
) -> None:
    message = {"content": lambda context: f"sum of {context['n']}", "context": {"n": 3}}
    face.send(plain("a"), message, plain("b"))
    assert "sum of 3" in capsys.readouterr().out


@requirement("message:template:format")
@pytest.mark.parametrize("allowed", [True, False])
def test_a_format_string_is_filled_in_where_allowed(face: Face, allowed: bool) -> None:
    with ScriptedModel(["ok"]) as model:
        config = model.config(allow_format_str_template=allowed)
        bot, user = plain("bot", llm_config=config), plain("user")
        message = {"content": "sum of {n}", "context": {"n": 3}}
        face.initiate_chat(user, bot, message=message, max_turns=1, silent=True)
    expected = "sum of 3" if allowed else "sum of {n}"
    assert model.requests[0]["messages"][-1]["content"] == expected


@requirement("message:template:printed")
@pytest.mark.parametrize("own_printer", [False, True])
@pytest.mark.parametrize("allowed", [True, False])
def test_a_format_string_is_printed_filled_in_where_allowed(
    face: Face, allowed: bool, own_printer: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    class Own(ConversableAgent):
        def _print_received_message(self, message: Any, sender: Any) -> None:
            super()._print_received_message(message, sender)

    hearer = (Own if own_printer else ConversableAgent)("b")
    hearer.llm_config = {"allow_format_str_template": allowed}
    face.send(plain("a"), {"content": "sum of {n}", "context": {"n": 3}}, hearer)
    assert ("sum of 3" if allowed else "sum of {n}") in capsys.readouterr().out
    assert texts(next(iter(hearer.chat_messages.values()))) == ["sum of {n}"]


@requirement("message:histories")
def test_histories_are_made_when_first_asked_for() -> None:
    a, b = plain("a"), plain("b")
    assert a.chat_messages[b] == []
    assert list(a.chat_messages) == [b]
    assert a._oai_messages is a.chat_messages


@requirement("message:seeded")
def test_histories_given_are_used_and_grow(face: Face) -> None:
    old, new = mute("old"), mute("new")
    known = [{"content": "earlier", "role": "user", "name": "old"}]
    bot = speaker("bot", ["one", "two"], chat_messages={old: known})
    face.initiate_chat(bot, old, message="now", clear_history=False, silent=True)
    assert texts(known) == ["earlier", "now"]
    face.initiate_chat(bot, new, message="hello", silent=True)
    assert texts(bot.chat_messages[new]) == ["hello"]
