"""Who may speak next by the rules of a group, and who does by each method without a model."""

from __future__ import annotations

import itertools
import logging
import random
from typing import Any

import pytest
from tests.compat.requirements import requirement
from tests.group.cast import group_of, mute, plain, said_by, speaker, texts

from autogen import GroupChat, GroupChatManager
from autogen.errors import NoEligibleSpeaker
from autogen.io import IOStream
from autogen.testing import ScriptedHuman, ScriptedModel, call, calls
from autogen.testing.face import Face


def talkers(names: str = "abcd", **options: Any) -> list[Any]:
    return [plain(x, default_auto_reply=f"from {x}", **options) for x in names]


def next_of(face: Face, group: GroupChat, last: Any, **manager: Any) -> Any:
    return face.select_speaker(group, last, GroupChatManager(group, **manager))


def graph(transitions: Any, kind: str = "allowed") -> dict[str, Any]:
    return {
        "allowed_or_disallowed_speaker_transitions": transitions,
        "speaker_transitions_type": kind,
    }


def called(*names: str) -> dict[str, Any]:
    return {"role": "assistant", "name": "a", "content": "", **calls(*(call(n) for n in names))}


# ----------------------------------------------------------------------------------------- methods


@requirement("group:method:unknown")
@pytest.mark.parametrize("method", ["by_vote", "", 3, None])
def test_an_unknown_method_is_refused_at_the_first_selection(face: Face, method: Any) -> None:
    a, b = talkers("ab")
    _, manager = group_of(a, b, speaker_selection_method=method)
    with pytest.raises(ValueError, match="speaker_selection_method"):
        face.initiate_chat(a, manager, message="go", silent=True)


@requirement("group:method:round-robin")
@pytest.mark.parametrize("method", ["round_robin", "ROUND_ROBIN", "Round_Robin"])
def test_round_robin_goes_in_order_however_it_is_written(face: Face, method: str) -> None:
    a, *_ = members = talkers()
    group, manager = group_of(*members, max_round=6, speaker_selection_method=method)
    face.initiate_chat(a, manager, message="go", silent=True)
    assert said_by(group.messages) == ["a", "b", "c", "d", "a", "b"]


@requirement("group:method:round-robin")
def test_round_robin_leaves_out_who_may_not_follow(face: Face) -> None:
    a, b, c, d = members = talkers()
    rules = graph({a: [c, d], c: [a, b], d: [a, b], b: [b, c]})
    group, manager = group_of(*members, max_round=5, **rules)
    face.initiate_chat(a, manager, message="go", silent=True)
    assert said_by(group.messages) == ["a", "c", "a", "c", "a"]


@requirement("group:method:random")
def test_random_chooses_among_those_who_may(face: Face) -> None:
    a, *_ = members = talkers()
    random.seed(7)
    group, manager = group_of(
        *members, max_round=40, speaker_selection_method="random", allow_repeat_speaker=False
    )
    face.initiate_chat(a, manager, message="go", silent=True)
    said = said_by(group.messages)
    assert set(said) == {"a", "b", "c", "d"}
    assert all(one != other for one, other in itertools.pairwise(said))
    random.seed(7)
    face.initiate_chat(a, manager, message="go", silent=True)
    assert said_by(group.messages) == said


@requirement("group:method:function")
def test_a_function_chooses_an_agent_outright(face: Face) -> None:
    a, b, c, d = members = talkers()
    seen: list[Any] = []

    def chosen(last: Any, group: GroupChat) -> Any:
        seen.append((last.name, len(group.messages)))
        return {"a": a, "b": d}.get(last.name) if len(group.messages) > 1 else b

    # Neither the transitions nor the repeat rule hold for what a function chooses.
    rules = graph({a: [c], b: [c], c: [c], d: [c]})
    group, manager = group_of(*members, speaker_selection_method=chosen, **rules)
    result = face.initiate_chat(a, manager, message="go", silent=True)
    assert said_by(group.messages) == ["a", "b", "d"]
    assert seen == [("a", 1), ("b", 2), ("d", 3)]
    assert result.stop_reason == "no_speaker"


@requirement("group:method:function")
def test_a_function_may_name_a_method_for_one_turn(face: Face) -> None:
    a, *_ = members = talkers()
    words = iter(["round_robin", "Random", "manual", "auto"])
    group, manager = group_of(
        *members, max_round=5, speaker_selection_method=lambda last, group: next(words)
    )
    with ScriptedHuman(["2"]) as human, IOStream.set_default(human):
        face.initiate_chat(a, manager, message="go", silent=True)
    said = said_by(group.messages)
    assert said[:2] == ["a", "b"]
    # Without a model "auto" goes on in order.
    assert said[3:] == ["b", "c"]


@requirement("group:method:function:refused")
@pytest.mark.parametrize(
    "choice, text",
    [
        (plain("stranger"), "chose 'stranger', who is not"),
        (3, "chose 3, who is not"),
        ("b", "gave the text 'b'; return an agent"),
    ],
)
def test_a_function_that_chooses_a_stranger_is_refused(face: Face, choice: Any, text: str) -> None:
    a, b = talkers("ab")
    _, manager = group_of(a, b, speaker_selection_method=lambda last, group: choice)
    with pytest.raises(ValueError, match=text):
        face.initiate_chat(a, manager, message="go", silent=True)


@requirement("group:method:function")
def test_a_function_may_end_the_chat_by_choosing_nobody(
    face: Face, caplog: pytest.LogCaptureFixture
) -> None:
    a, b = talkers("ab")
    group, manager = group_of(a, b, speaker_selection_method=lambda last, group: None)
    with caplog.at_level(logging.WARNING, "autogen"):
        result = face.initiate_chat(a, manager, message="go", silent=True)
    assert texts(group.messages) == ["go"]
    assert result.stop_reason == "no_speaker"
    assert "chose nobody" in caplog.text


@requirement("group:method:async-function")
def test_a_coroutine_function_chooses_in_async_chats(face: Face) -> None:
    a, b = talkers("ab")

    async def chosen(last: Any, group: GroupChat) -> Any:
        return b if last is a else None

    group, manager = group_of(a, b, speaker_selection_method=chosen)
    face.initiate_chat(a, manager, message="go", silent=True)
    assert said_by(group.messages) == ["a", "b"]


@requirement("group:members:two")
def test_a_group_of_one_cannot_choose(face: Face) -> None:
    a, *_ = talkers("a")
    _, manager = group_of(a)
    with pytest.raises(ValueError, match="at least two"):
        face.initiate_chat(a, manager, message="go", silent=True)


@requirement("group:members:two")
def test_a_group_of_two_is_told_that_it_is_none(
    face: Face, caplog: pytest.LogCaptureFixture
) -> None:
    a, b = talkers("ab")
    with caplog.at_level(logging.WARNING, "autogen"):
        for fields in (
            {"speaker_selection_method": "round_robin"},
            {"speaker_selection_method": "random", "allow_repeat_speaker": False},
        ):
            assert next_of(face, GroupChat([a, b], [], **fields), a) is b
        assert "two members" not in caplog.text
        next_of(face, GroupChat([a, b], [], speaker_selection_method="random"), a)
    assert "two members" in caplog.text


# ------------------------------------------------------------------------------------------ manual


@requirement("group:method:manual")
def test_a_person_chooses_by_number(face: Face) -> None:
    a, *_ = members = talkers()
    group, manager = group_of(*members, max_round=3, speaker_selection_method="manual")
    with ScriptedHuman(["3", " 1 "]) as human, IOStream.set_default(human):
        face.initiate_chat(a, manager, message="go", silent=True)
    assert said_by(group.messages) == ["a", "c", "a"]
    assert "2: b" in human.text


@requirement("group:method:manual")
@pytest.mark.parametrize("answers", [[""], ["q"], ["0", "5", "x"], ["-1", "q"]])
def test_a_person_who_chooses_nobody_leaves_it_to_the_order(face: Face, answers: Any) -> None:
    a, *_ = members = talkers()
    group, manager = group_of(*members, max_round=2, speaker_selection_method="manual")
    with ScriptedHuman(answers) as human, IOStream.set_default(human):
        face.initiate_chat(a, manager, message="go", silent=True)
    assert said_by(group.messages) == ["a", "b"]


@requirement("group:method:manual:fallback")
def test_where_a_function_asked_for_a_person_the_model_is_next(face: Face) -> None:
    a, *_ = members = talkers()
    model = ScriptedModel(["d"])
    group, manager = group_of(
        *members,
        max_round=2,
        speaker_selection_method=lambda last, group: "manual",
        manager={"llm_config": model.config()},
    )
    with ScriptedHuman([""]) as human, IOStream.set_default(human):
        face.initiate_chat(a, manager, message="go", silent=True)
    assert said_by(group.messages) == ["a", "d"]
    assert "go" in texts(model.requests[0]["messages"])


@requirement("group:method:manual")
def test_only_those_who_may_speak_are_listed(face: Face) -> None:
    a, b, _c, d = members = talkers()
    rules = graph({a: [b, d]})
    group, manager = group_of(*members, max_round=2, speaker_selection_method="manual", **rules)
    with ScriptedHuman(["2"]) as human, IOStream.set_default(human):
        face.initiate_chat(a, manager, message="go", silent=True)
    assert said_by(group.messages) == ["a", "d"]
    assert "c" not in "".join(human.printed[1:3])


@requirement("group:method:manual")
def test_a_program_can_have_a_person_choose(face: Face) -> None:
    _a, b, *_ = members = talkers()
    group = GroupChat(members)
    for answers, agents, expected in ((["2"], None, b), (["1"], [b], b), (["q"], None, None)):
        with ScriptedHuman(answers) as human, IOStream.set_default(human):
            assert group.manual_select_speaker(agents) is expected


# ------------------------------------------------------------------------------------ repeat, graph


@requirement("group:repeat")
def test_nobody_speaks_twice_in_a_row_unless_allowed_to(face: Face) -> None:
    a, b, _c = members = talkers("abc")
    for repeat, may in ((False, {"b", "c"}), ([b], {"b", "c"}), ([a], {"a", "b", "c"})):
        group = GroupChat(
            members, [], speaker_selection_method="random", allow_repeat_speaker=repeat
        )
        assert {next_of(face, group, a).name for _ in range(40)} == may


@requirement("group:repeat")
def test_an_empty_list_allows_nobody_to_repeat(face: Face) -> None:
    a, b = talkers("ab")
    group = GroupChat([a, b], [], speaker_selection_method="random", allow_repeat_speaker=[])
    assert {next_of(face, group, a) for _ in range(10)} == {b}


@requirement("group:graph:followed")
@pytest.mark.parametrize("kind", ["allowed", "disallowed"])
def test_transitions_hold_for_every_method(face: Face, kind: str) -> None:
    a, b, c, d = members = talkers()
    transitions = {x: [] for x in members} | ({a: [b, c]} if kind == "allowed" else {a: [a, d]})
    for method in ("random", "auto", "round_robin"):
        group = GroupChat(members, [], speaker_selection_method=method, **graph(transitions, kind))
        model = ScriptedModel(lambda params: "c")
        chosen = {next_of(face, group, a, llm_config=model.config()).name for _ in range(20)}
        assert chosen == {"random": {"b", "c"}, "auto": {"c"}, "round_robin": {"b"}}[method]


@requirement("group:graph:one")
def test_one_candidate_needs_no_model_and_no_person(face: Face) -> None:
    a, _b, _c, d = members = talkers()
    model = ScriptedModel([])
    for method in ("auto", "manual", "random"):
        group = GroupChat(members, [], speaker_selection_method=method, **graph({a: [d]}))
        assert next_of(face, group, a, llm_config=model.config()) is d
    model.assert_done()


@requirement("group:graph:end")
@pytest.mark.parametrize("method", ["auto", "manual", "random", "round_robin"])
def test_a_member_without_transitions_ends_the_chat(face: Face, method: str) -> None:
    a, b, c = members = talkers("abc")
    rules = graph({a: [b], c: [a]})
    group, manager = group_of(*members, speaker_selection_method=method, **rules)
    result = face.initiate_chat(a, manager, message="go", silent=True)
    assert said_by(group.messages) == ["a", "b"]
    assert result.stop_reason == "no_speaker"


@requirement("group:graph:emptied")
def test_rules_that_leave_nobody_end_the_chat(face: Face) -> None:
    a, b, _c = members = talkers("abc")
    f = plain("f", function_map={"f": print}, default_auto_reply="x")
    g = plain("g", function_map={"g": print}, default_auto_reply="x")
    emptied = [
        (GroupChat(members, [], **graph({a: [], b: [a]})), a),
        (GroupChat(members, [], **graph({a: members}, "disallowed")), a),
        (GroupChat([a, b, f, g], [called("f", "h")], **graph({a: [b]})), a),
    ]
    for group, last in emptied:
        with pytest.raises(NoEligibleSpeaker, match="a"):
            next_of(face, group, last)
    for group, last in emptied[:2]:
        manager = GroupChatManager(group, silent=True)
        result = face.initiate_chat(last, manager, message="go", silent=True)
        assert texts(group.messages) == ["go"]
        assert result.stop_reason == "no_speaker"


@requirement("group:graph:outsider")
def test_an_agent_outside_the_group_restricts_nobody(face: Face) -> None:
    a, b, _c = members = talkers("abc")
    group = GroupChat(members, [], speaker_selection_method="round_robin", **graph({a: [b]}))
    assert next_of(face, group, plain("outsider")) is a


@requirement("group:graph:replaced")
def test_a_graph_put_in_place_later_is_followed(face: Face) -> None:
    a, b, c = members = talkers("abc")
    group = GroupChat(members, [], speaker_selection_method="random")
    group.allowed_speaker_transitions_dict = {a: [c], b: [a], c: [b]}
    assert next_of(face, group, a) is c


# ---------------------------------------------------------------------------------- calls of tools


def able(name: str, *functions: str) -> Any:
    return plain(name, function_map={f: (lambda: "x") for f in functions}, default_auto_reply="x")


@requirement("group:calls:able")
@pytest.mark.parametrize("method", ["auto", "random", "round_robin", "manual"])
def test_after_a_call_the_one_who_can_carry_it_out_speaks(face: Face, method: str) -> None:
    a, b, c = able("a"), able("b", "f"), able("c", "f", "g")
    group = GroupChat([a, b, c], [called("f", "g")], speaker_selection_method=method)
    assert next_of(face, group, a) is c
    group.messages[:] = [{"content": "", "function_call": {"name": "g", "arguments": "{}"}}]
    assert next_of(face, group, a) is c


@requirement("group:calls:able")
def test_after_a_call_only_members_that_can_carry_it_out_are_candidates(face: Face) -> None:
    a, b, c, d = able("a"), able("b", "f"), able("c", "f"), able("d", "g")
    group = GroupChat([a, b, c, d], [called("f")], speaker_selection_method="random")
    assert {next_of(face, group, a) for _ in range(30)} == {b, c}
    group.messages[:] = [called("f", "g")]
    assert {next_of(face, group, a) for _ in range(40)} == {b, c, d}


@requirement("group:calls:able")
def test_one_who_can_carry_out_its_own_call_may_repeat(face: Face) -> None:
    a, b = able("a", "f"), able("b")
    group = GroupChat([a, b], [called("f")], allow_repeat_speaker=False)
    assert next_of(face, group, a) is a


@requirement("group:calls:nobody")
def test_a_call_that_nobody_can_carry_out_is_refused(face: Face) -> None:
    a, b = able("a"), able("b")
    text = "No agent can execute the function f, g. Please check the function_map of the agents."
    group = GroupChat([a, b], [called("f", "g")])
    with pytest.raises(ValueError, match=text):
        next_of(face, group, a)


@requirement("group:calls:filter-off")
def test_without_the_filter_a_call_changes_nothing(face: Face) -> None:
    a, b, c = able("a"), able("b"), able("c", "f")
    group = GroupChat(
        [a, b, c], [called("f")], speaker_selection_method="round_robin", func_call_filter=False
    )
    assert next_of(face, group, a) is b


@requirement("group:calls:able")
def test_a_tool_is_called_and_its_result_comes_back_in_a_group(face: Face) -> None:
    user = mute("user")
    asker = speaker("asker", [call("add", a=1, b=2, id="7"), "it is 3\nTERMINATE"])
    doer = plain("doer", function_map={"add": lambda a, b: a + b})
    other = mute("other")
    group, manager = group_of(
        user,
        asker,
        other,
        doer,
        speaker_selection_method=lambda last, group: asker if last in (user, doer) else "auto",
    )
    face.initiate_chat(user, manager, message="1 + 2?", silent=True)
    assert said_by(group.messages) == ["user", "asker", "doer", "asker"]
    assert group.messages[2]["tool_responses"][0]["content"] == "3"
