"""How a group talks: rounds, ends, printing, introductions, caches, Ctrl-C."""

from __future__ import annotations

from typing import Any

import pytest
from tests.compat.requirements import requirement
from tests.group.cast import group_of, lines, mute, person, plain, said_by, speaker, texts

from autogen import ConversableAgent, GroupChat, GroupChatManager, RunOptions
from autogen.cache.in_memory_cache import InMemoryCache
from autogen.io import IOStream
from autogen.testing import ScriptedHuman, ScriptedModel
from autogen.testing.face import Face


def three(**options: Any) -> list[Any]:
    return [plain(x, default_auto_reply=f"from {x}", **options) for x in "abc"]


@requirement("group:run:rounds")
@pytest.mark.parametrize("n", [1, 2, 5])
def test_max_round_counts_the_opening_message(face: Face, n: int) -> None:
    a, b, c = three()
    group, manager = group_of(a, b, c, max_round=n)
    result = face.initiate_chat(a, manager, message="go", silent=True)
    assert said_by(group.messages) == ["a", "b", "c", "a", "b"][:n]
    assert result.stop_reason == "max_round"
    assert len(result.chat_history) == n
    assert manager.last_speaker.name == group.messages[-1]["name"]


@requirement("group:run:outsider")
def test_an_agent_outside_the_group_can_open_the_chat(face: Face) -> None:
    a, b, c = three()
    outsider = mute("outsider")
    group, manager = group_of(a, b, c, max_round=3)
    result = face.initiate_chat(outsider, manager, message="go", silent=True)
    assert said_by(group.messages) == ["outsider", "a", "b"]
    assert texts(result.chat_history) == ["go"]
    assert lines(c.chat_messages[manager])[0] == ("user", "outsider", "go")


@requirement("group:end:manager")
def test_the_managers_rule_ends_the_chat_and_everybody_heard_the_last_message(face: Face) -> None:
    a, b, c = three()
    b._default_auto_reply = "all done\nTERMINATE"
    group, manager = group_of(a, b, c)
    result = face.initiate_chat(a, manager, message="go", silent=True)
    assert texts(group.messages) == ["go", "all done\nTERMINATE"]
    assert result.stop_reason == "termination"
    assert result.summary == "all done\n"
    for agent in (a, b, c):
        assert texts(agent.chat_messages[manager])[-1] == "all done\nTERMINATE"


@requirement("group:end:manager")
def test_a_rule_given_to_the_manager_is_asked_about_every_message(face: Face) -> None:
    a, b, c = three()
    seen: list[Any] = []

    def is_end(message: dict[str, Any]) -> bool:
        seen.append((message["name"], message["content"]))
        return message["content"] == "from c"

    group, manager = group_of(a, b, c, manager={"is_termination_msg": is_end})
    face.initiate_chat(a, manager, message="go", silent=True)
    assert seen == [("a", "go"), ("b", "from b"), ("c", "from c")]
    assert len(group.messages) == 3


@requirement("group:end:opening")
def test_the_word_in_the_task_itself_ends_nothing(face: Face) -> None:
    a, b, c = three()
    group, manager = group_of(a, b, c, max_round=2)
    face.initiate_chat(a, manager, message="answer with\nTERMINATE", silent=True)
    assert said_by(group.messages) == ["a", "b"]


@requirement("group:end:member")
def test_a_member_whose_own_rule_fires_ends_the_chat(face: Face) -> None:
    a, b, c = three()
    b._is_termination_msg = lambda message: message["content"] == "go"
    group, manager = group_of(a, b, c)
    result = face.initiate_chat(a, manager, message="go", silent=True)
    assert texts(group.messages) == ["go"]
    assert result.stop_reason == "termination"


@requirement("group:end:member")
def test_a_member_who_says_nothing_ends_the_chat(face: Face) -> None:
    a, _, c = three()
    group, manager = group_of(a, mute("b"), c)
    result = face.initiate_chat(a, manager, message="go", silent=True)
    assert texts(group.messages) == ["go"]
    assert result.stop_reason == "no_reply"


@requirement("group:end:member", "group:run:human-input")
def test_a_person_in_the_group_speaks_and_leaves_with_exit(face: Face) -> None:
    a, _, c = three()
    b = person("b", ["I disagree", "exit"])
    group, manager = group_of(a, b, c)
    result = face.initiate_chat(a, manager, message="go", silent=True)
    assert texts(group.messages) == ["go", "I disagree", "from c", "from a"]
    assert result.stop_reason == "human_exit"
    assert result.human_input == ["I disagree", "exit"]


@requirement("group:run:silent")
def test_silent_prints_nothing_at_all(face: Face) -> None:
    a, b, c = three()
    for options, argument in (({"silent": None}, True), ({"silent": True}, True)):
        _, manager = group_of(a, b, c, max_round=3, manager=options)
        shown = ScriptedHuman()
        with IOStream.set_default(shown):
            face.initiate_chat(a, manager, message="go", silent=argument)
        assert shown.text == ""


@requirement("group:run:printed")
def test_the_next_speaker_and_each_message_are_printed_once(face: Face) -> None:
    a, b, c = three()
    _, manager = group_of(a, b, c, max_round=3, manager={"silent": False})
    shown = ScriptedHuman()
    with IOStream.set_default(shown):
        face.initiate_chat(a, manager, message="go")
    assert shown.text.count("Next speaker: b") == shown.text.count("Next speaker: c") == 1
    for line in ("a (to chat_manager):", "b (to chat_manager):", "c (to chat_manager):"):
        assert shown.text.count(line) == 1
    assert "chat_manager (to" not in shown.text


@requirement("group:run:introductions")
def test_introductions_are_told_once_and_are_not_in_the_transcript(face: Face) -> None:
    a, b, c = three()
    group, manager = group_of(a, b, c, max_round=2, send_introductions=True)
    face.initiate_chat(a, manager, message="go", silent=True)
    assert texts(group.messages) == ["go", "from b"]
    intro = group.introductions_msg()
    for agent in (a, b, c):
        assert texts(agent.chat_messages[manager]).count(intro) == 1
    note = b.chat_messages[manager][0]
    assert (note["name"], note["role"]) == ("chat_manager", "system")
    face.initiate_chat(a, manager, message="again", silent=True, clear_history=False)
    for agent in (a, b, c):
        assert texts(agent.chat_messages[manager]).count(intro) == 1
    face.initiate_chat(a, manager, message="anew", silent=True)
    for agent in (a, b, c):
        assert texts(agent.chat_messages[manager]).count(intro) == 1


@requirement("group:run:prepared")
def test_a_new_chat_forgets_the_one_before_on_every_side(face: Face) -> None:
    a, b, c = three()
    group, manager = group_of(a, b, c, max_round=4)
    for _ in range(2):
        face.initiate_chat(a, manager, message="go", silent=True)
        assert len(group.messages) == 4
        assert [len(x.chat_messages[manager]) for x in (a, b, c)] == [4, 4, 4]
        assert [len(manager.chat_messages[x]) for x in (a, b, c)] == [4, 4, 4]
    face.initiate_chat(a, manager, message="go on", silent=True, clear_history=False)
    assert len(group.messages) == 8
    assert [len(x.chat_messages[manager]) for x in (a, b, c)] == [8, 8, 8]
    face.initiate_chat(b, manager, message="mine", silent=True)
    assert [len(manager.chat_messages[x]) for x in (a, b, c)] == [4, 4, 4]


@requirement("group:run:limit")
def test_a_members_own_limit_of_replies_holds_in_a_group(face: Face) -> None:
    a, _, c = three()
    b = plain("b", default_auto_reply="from b", max_consecutive_auto_reply=1)
    group, manager = group_of(a, b, c, max_round=20)
    result = face.initiate_chat(a, manager, message="go", silent=True)
    assert said_by(group.messages) == ["a", "b", "c", "a"]
    assert result.stop_reason == "max_replies"


@requirement("group:run:cost")
def test_the_cost_of_a_chat_has_that_of_every_member_and_of_selecting(face: Face) -> None:
    a = mute("a")
    b = speaker("b", ["one two three"])
    _, manager = group_of(
        a,
        b,
        speaker("c", []),
        max_round=2,
        speaker_selection_method="auto",
        manager={"llm_config": ScriptedModel(["b"]).config()},
    )
    result = face.initiate_chat(a, manager, message="go", silent=True)
    usage = result.cost["usage_including_cached_inference"]["scripted"]
    assert usage["completion_tokens"] == 1 + 3


@requirement("group:run:reflection")
def test_a_reflection_reads_the_transcript_of_the_group(face: Face) -> None:
    a, b, c = three()
    model = ScriptedModel(["they talked"])
    _, manager = group_of(a, b, c, max_round=3, manager={"llm_config": model.config()})
    result = face.initiate_chat(
        a,
        manager,
        message="go",
        silent=True,
        summary_method="reflection_with_llm",
        summary_args={"summary_prompt": "sum up"},
    )
    assert result.summary == "they talked"
    asked = model.requests[0]["messages"]
    assert texts(asked) == ["go", "from b", "from c", "sum up"]
    assert said_by(asked[:3]) == ["a", "b", "c"]


class Talker(ConversableAgent):
    caches: list[Any]

    def note_cache(self, messages: Any = None, sender: Any = None, config: Any = None) -> Any:
        self.caches.append(self.client_cache)
        if self.name == "c":
            raise OSError("the reply failed")
        return True, "hm"


@requirement("group:run:cache")
def test_members_have_the_cache_of_the_chat_while_it_lasts(face: Face) -> None:
    own, given = InMemoryCache(), InMemoryCache()
    talkers = [Talker(x, human_input_mode="NEVER") for x in "abc"]
    for talker in talkers:
        talker.caches = []
        talker.register_reply(ConversableAgent, Talker.note_cache)
    talkers[1].client_cache = own
    _, manager = group_of(*talkers)
    with pytest.raises(OSError, match="the reply failed") as raised:
        face.initiate_chat(talkers[0], manager, message="go", silent=True, cache=given)
    assert [t.caches for t in talkers[1:]] == [[given], [given]]
    assert [t.client_cache for t in (*talkers, manager)] == [None, own, None, None]
    assert texts(raised.value.chat_result.chat_history) == ["go", "hm"]  # type: ignore[attr-defined]


def interrupted(agent: Any) -> None:
    def interrupt(*args: Any, **kwargs: Any) -> Any:
        raise KeyboardInterrupt

    agent.register_reply(ConversableAgent, interrupt)


@requirement("group:run:interrupt")
def test_after_ctrl_c_the_admin_speaks(face: Face) -> None:
    a, b, _ = three()
    interrupted(b)
    admin = plain("Admin", default_auto_reply="what is it?")
    group, manager = group_of(a, b, admin, max_round=3)
    face.initiate_chat(a, manager, message="go", silent=True)
    assert said_by(group.messages) == ["a", "Admin", "a"]
    assert lines(b.chat_messages[manager])[1] == ("user", "Admin", "what is it?")


@requirement("group:run:interrupt")
def test_after_ctrl_c_without_an_admin_the_interrupt_goes_on(face: Face) -> None:
    a, b, c = three()
    interrupted(b)
    _, manager = group_of(a, b, c, manager={"human_input_mode": "NEVER"})
    with pytest.raises(KeyboardInterrupt):
        face.initiate_chat(a, manager, message="go", silent=True)


@requirement("group:run:interrupt")
def test_ctrl_c_while_a_speaker_is_chosen_calls_the_admin_by_the_name_given(face: Face) -> None:
    a, b, c = three()
    moves = iter([KeyboardInterrupt(), None])

    def chosen(last: Any, group: GroupChat) -> Any:
        move = next(moves)
        if isinstance(move, BaseException):
            raise move

    group, manager = group_of(a, b, c, admin_name="c", speaker_selection_method=chosen)
    face.initiate_chat(a, manager, message="go", silent=True)
    assert said_by(group.messages) == ["a", "c"]


@requirement("group:run:direct")
def test_run_chat_can_be_called_by_a_program(face: Face) -> None:
    a, b, c = three()
    group, manager = group_of(a, b, c, max_round=3)
    messages = [{"content": "go", "role": "user", "name": "a"}]
    assert face.run_chat(manager, messages=messages, sender=a, config=group) == (True, None)
    assert texts(group.messages) == ["go", "from b", "from c"]


@requirement("group:run:override")
def test_a_subclass_may_change_how_a_group_runs_and_selects(face: Face) -> None:
    class Own(GroupChatManager):
        n_runs = 0

        def run_chat(self, messages: Any = None, sender: Any = None, config: Any = None) -> Any:
            self.n_runs += 1
            return super().run_chat(messages, sender, config)

    class Backwards(GroupChat):
        def select_speaker(self, last_speaker: Any, selector: Any) -> Any:
            at = self.agents.index(last_speaker)
            return self.agents[at - 1]

    a, b, c = three()
    group = Backwards([a, b, c], max_round=4)
    manager = Own(group, silent=True)
    face.initiate_chat(a, manager, message="go", silent=True)
    assert said_by(group.messages) == ["a", "c", "b", "a"]
    assert manager.n_runs == 1


class OwnOrder(GroupChat):
    def next_agent(self, agent: Any, agents: Any = None) -> Any:
        assert agent in self.agents and agents == self.agents
        return self.agents[2]


class OwnChance(GroupChat):
    def random_select_speaker(self, agents: Any = None) -> Any:
        return (agents or self.agents)[2]


class OwnHand(GroupChat):
    def manual_select_speaker(self, agents: Any = None) -> Any:
        return (agents or self.agents)[2]


@requirement("group:methods:override")
@pytest.mark.parametrize(
    "kind, method",
    [
        (OwnOrder, "round_robin"),
        (OwnOrder, "auto"),
        (OwnOrder, lambda *_: "round_robin"),
        (OwnChance, "random"),
        (OwnHand, "manual"),
        (OwnHand, lambda *_: "manual"),
    ],
)
def test_a_groups_own_way_to_pick_the_next_counts(face: Face, kind: Any, method: Any) -> None:
    a, b, c = three()
    group = kind([a, b, c], max_round=2, speaker_selection_method=method)
    face.initiate_chat(a, GroupChatManager(group), message="go", silent=True)
    assert said_by(group.messages) == ["a", "c"]


@requirement("group:methods:override")
def test_a_method_put_on_one_group_counts_too(face: Face) -> None:
    a, b, c = three()
    group, manager = group_of(a, b, c, max_round=2)
    group.next_agent = lambda agent, agents: c  # type: ignore[method-assign]
    face.initiate_chat(a, manager, message="go", silent=True)
    assert said_by(group.messages) == ["a", "c"]


@requirement("group:run:events")
def test_sinks_are_told_who_speaks_next(face: Face) -> None:
    a, b, c = three()
    _, manager = group_of(a, b, c, max_round=3)
    events: list[Any] = []
    face.initiate_chat(a, manager, message="go", silent=True, run=RunOptions(sinks=[events.append]))
    assert [e.data["name"] for e in events if e.type == "speaker.selected"] == ["b", "c"]


@requirement("group:run:max-turns")
def test_max_turns_counts_what_the_initiator_starts(face: Face) -> None:
    a, b, c = three()
    group, manager = group_of(a, b, c, max_round=3)
    face.initiate_chat(a, manager, message="go", silent=True, max_turns=1)
    assert texts(group.messages) == ["go", "from b", "from c"]


# ------------------------------------------------------------------------------------ clear history


CLEARING = [
    ("please CLEAR history", None, "please", 0),
    ("clear history 2. thanks", None, "thanks", 2),
    ("clear history c", "c", "", 0),
    ("Well, clear history c, 1! go on", "c", "Well, go on", 1),
    ("clear history 1 c then stop", "c", "then stop", 1),
    ("clear history of all", None, "of all", 0),
]


@requirement("group:clear:forms")
@pytest.mark.parametrize("said, whose, left, n", CLEARING)
def test_a_person_clears_histories_by_saying_so(
    face: Face, said: str, whose: str | None, left: str, n: int
) -> None:
    a, _, c = three()
    b = person("b", [said, "exit"])
    group, manager = group_of(a, b, c, max_round=7, enable_clear_history=True)
    histories: list[Any] = []

    def look(messages: Any) -> Any:
        histories.append((texts(messages), texts(a.chat_messages[manager])))
        return messages

    c.register_hook("process_all_messages_before_reply", look)
    first = plain("first", default_auto_reply="x")
    group.agents.insert(0, first)
    face.initiate_chat(a, manager, message="go", silent=True)
    heard_by_c, heard_by_a = histories[0]
    assert heard_by_c == [*["go"][:n], left]
    assert heard_by_a == (["go"] if whose or n else []) + [left]
    assert texts(group.messages)[: 1 + bool(whose or n)] == heard_by_a


@requirement("group:clear:forms")
def test_only_a_persons_words_clear_and_only_where_that_is_enabled(face: Face) -> None:
    a, _, c = three()
    a._default_auto_reply = "clear history"
    for enabled, b in ((True, plain("b", default_auto_reply="clear history")), (False, None)):
        b = b or person("b", ["clear history"])
        group, manager = group_of(a, b, c, max_round=3, enable_clear_history=enabled)
        face.initiate_chat(a, manager, message="go", silent=True)
        assert texts(group.messages) == ["go", "clear history", "from c"]


@requirement("group:clear:calls")
def test_a_call_stays_beside_the_results_that_come_with_the_command(face: Face) -> None:
    a, b, c = three()
    group, manager = group_of(a, b, c, max_round=3)
    face.initiate_chat(a, manager, message="go", silent=True)
    reply = {
        "content": "clear history please",
        "tool_responses": [{"tool_call_id": "1", "role": "tool", "content": "x"}],
    }
    shown = ScriptedHuman()
    with IOStream.set_default(shown):
        assert manager.clear_agents_history(reply, group) == "please"
    assert len(group.messages) == 1
    assert len(a.chat_messages[manager]) == 1
    assert "Clearing the history" in shown.text


@requirement("group:clear:forms")
def test_the_command_does_not_change_what_an_agent_says_by_default(face: Face) -> None:
    a, b, c = three()
    own = {"role": "user", "content": "clear history now"}
    b._default_auto_reply = own
    group, manager = group_of(a, b, c, max_round=2, enable_clear_history=True)
    face.initiate_chat(a, manager, message="go", silent=True)
    assert texts(group.messages) == ["now"]
    assert own["content"] == "clear history now"
