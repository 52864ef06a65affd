"""A model chooses who speaks next: what it is asked, and what is made of its answer."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from tests.compat.requirements import requirement
from tests.group.cast import group_of, mute, plain, said_by, speaker, texts

from autogen import GroupChat, GroupChatManager
from autogen.agentchat.contrib.capabilities.transform_messages import TransformMessages
from autogen.agentchat.contrib.capabilities.transforms import MessageHistoryLimiter
from autogen.io import IOStream
from autogen.testing import ScriptedHuman, ScriptedModel, call
from autogen.testing.face import Face


def chosen(
    face: Face, answers: Any, *, names: str = "a b c", **fields: Any
) -> tuple[str, list[Any]]:
    """Whom a model that gives `answers` has chosen after the first of `names`, and its requests."""
    members = [plain(x.replace("~", " "), default_auto_reply=None) for x in names.split()]
    group = GroupChat(members, [{"role": "user", "content": "go", "name": members[0].name}])
    for name, value in fields.items():
        setattr(group, name, value)
    with ScriptedModel(answers) as model:
        manager = GroupChatManager(group, llm_config=model.config())
        agent = face.select_speaker(group, members[0], manager)
    return agent.name, model.requests


@requirement("group:auto:asked")
def test_a_model_is_asked_once_with_roles_transcript_and_prompt(face: Face) -> None:
    name, requests = chosen(
        face,
        ["c"],
        select_speaker_message_template="S {roles} {agentlist}",
        select_speaker_prompt_template="P {agentlist}",
    )
    assert name == "c"
    (request,) = requests
    system, said, prompt = request["messages"]
    roles = "\n".join(f"{x}: You are a helpful AI Assistant." for x in "abc")
    assert (system["role"], system["content"]) == ("system", f"S {roles} ['a', 'b', 'c']")
    assert (said["role"], said["content"], said["name"]) == ("user", "go", "a")
    assert (prompt["role"], prompt["content"]) == ("system", "P ['a', 'b', 'c']")
    assert "tools" not in request


@requirement("group:auto:asked")
@pytest.mark.parametrize("role", ["user", "assistant"])
def test_the_role_of_the_prompts_can_be_chosen(face: Face, role: str) -> None:
    _, requests = chosen(face, ["nobody", "c"], role_for_select_speaker_messages=role)
    first, second = (request["messages"] for request in requests)
    assert first[0]["role"] == second[0]["role"] == "system"
    assert first[-1]["role"] == role
    assert [m["role"] for m in second[-3:]] == [role, "assistant", role]


@requirement("group:auto:asked")
@pytest.mark.parametrize(
    "name, template",
    [
        ("select_speaker_message_template", "{rolls}"),
        ("select_speaker_prompt_template", 'Answer {"name": "a"}'),
        ("select_speaker_prompt_template", 5),
        ("select_speaker_auto_none_template", "{"),
    ],
)
def test_a_template_that_cannot_be_filled_in_is_named(face: Face, name: str, template: Any) -> None:
    with pytest.raises(ValueError, match=f"{name} is .* can't be filled in") as caught:
        chosen(face, ["nobody", "c"], **{name: template})
    assert "it may hold {" in str(caught.value)
    assert "{agentlist}" in str(caught.value)


@requirement("group:auto:asked")
@pytest.mark.parametrize("template", [None, ""])
def test_without_a_prompt_the_transcript_is_the_end(face: Face, template: Any) -> None:
    _, requests = chosen(face, ["c"], select_speaker_prompt_template=template)
    assert texts(requests[0]["messages"])[1:] == ["go"]


@requirement("group:auto:asked")
def test_only_those_who_may_speak_are_offered(face: Face) -> None:
    name, requests = chosen(face, ["not a but b"], allow_repeat_speaker=False)
    assert name == "b"
    assert len(requests) == 1
    assert "['b', 'c']" in requests[0]["messages"][-1]["content"]
    assert "\na:" not in requests[0]["messages"][0]["content"]


NAMED = [
    ("a b c", "b", "b"),
    ("a b c", "Next: **b**.", "b"),
    ("a b c", "b, because b knows", "b"),
    ("a the_writer writer", "the_writer", "the_writer"),
    ("a the_writer writer", "writer", "writer"),
    ("a the_writer x", "the writer should go", "the_writer"),
    ("a the_writer x", r"the\_writer", "the_writer"),
    ("a Big~Boss x", "Big Boss", "Big Boss"),
    ("a coder coder2", "coder2", "coder2"),
    ("a coder coder2", "coder", "coder"),
    ("a x.y+z x", "x.y+z!", "x.y+z"),
    ("a Zoë Zo", "Zoë", "Zoë"),
    ("a Coder coder", "coder", "coder"),
    ("a b c", '{"name": "c"}', "c"),
]


@requirement("group:auto:mentions")
@pytest.mark.parametrize("names, answer, name", NAMED)
def test_the_one_who_is_named_speaks(face: Face, names: str, answer: str, name: str) -> None:
    fields = {"max_retries_for_selecting_speaker": 0}
    if name == "x.y+z":
        # The shorter name stands in the longer one, at its border.
        assert chosen(face, [answer], names="a x.y+z w", **fields)[0] == name
    else:
        assert chosen(face, [answer], names=names, **fields)[0] == name


@requirement("group:auto:mentions")
def test_mentions_are_counted_by_name() -> None:
    members = [plain(x) for x in ("Ann", "bob_smith", "Annabel")]
    group = GroupChat(members)
    count = group._mentioned_agents
    assert count("Ann, bob smith and bob_smith; Ann!", members) == {"Ann": 2, "bob_smith": 2}
    assert count("ann ANN Annabelle xAnn", members) == {}
    assert count({"content": "Annabel"}, None) == {"Annabel": 1}
    assert count([{"type": "text", "text": "Ann"}], members) == {"Ann": 1}
    assert count("", members) == {}


@requirement("group:auto:retries")
def test_after_an_unclear_answer_the_model_is_told_and_asked_again(face: Face) -> None:
    name, requests = chosen(
        face,
        ["a or b", "somebody", "b"],
        select_speaker_auto_multiple_template="MANY {agentlist}",
        select_speaker_auto_none_template="NONE {agentlist}",
        select_speaker_prompt_template="P",
    )
    assert name == "b"
    names = "['a', 'b', 'c']"
    assert texts(requests[2]["messages"])[2:] == [
        "P",
        "a or b",
        f"MANY {names}",
        "somebody",
        f"NONE {names}",
    ]
    assert requests[2]["messages"][3]["role"] == "assistant"


@requirement("group:auto:retries")
@pytest.mark.parametrize("retries", [0, 1, 3])
def test_after_the_last_attempt_the_chat_goes_on_in_order(
    face: Face, retries: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "autogen"):
        name, requests = chosen(
            face, ["nobody"] * (retries + 1), max_retries_for_selecting_speaker=retries
        )
    assert (name, len(requests)) == ("b", retries + 1)
    assert f"{retries + 1} attempts" in caplog.text


@requirement("group:auto:retries")
def test_an_empty_answer_is_an_unclear_one(face: Face) -> None:
    assert chosen(face, [None, "", "c"])[0] == "c"


@requirement("group:auto:no-model")
def test_without_a_model_the_chat_goes_on_in_order(face: Face) -> None:
    a, b, c = (plain(x, default_auto_reply=f"from {x}") for x in "abc")
    for fields in ({}, {"select_speaker_auto_llm_config": False}):
        group, manager = group_of(a, b, c, max_round=4, speaker_selection_method="auto", **fields)
        face.initiate_chat(a, manager, message="go", silent=True)
        assert said_by(group.messages) == ["a", "b", "c", "a"]


@requirement("group:auto:own-model")
def test_a_model_of_its_own_selects(face: Face) -> None:
    with ScriptedModel(["c"]) as own, ScriptedModel([]) as managers:
        a, b, c = (mute(x) for x in "abc")
        _, manager = group_of(
            a,
            b,
            c,
            max_round=2,
            speaker_selection_method="auto",
            select_speaker_auto_llm_config=own.config(),
            manager={"llm_config": managers.config()},
        )
        face.initiate_chat(a, manager, message="go", silent=True)
        assert manager.last_speaker is a


class Client:
    """A model client of the user's own."""

    def __init__(self, config: dict[str, Any], **kwargs: Any):
        self.model = config["model"]

    def create(self, params: dict[str, Any]) -> Any:
        return ScriptedModel(["c"]).create(params)

    def message_retrieval(self, response: Any) -> list[Any]:
        return [choice.message.content for choice in response.choices]

    def cost(self, response: Any) -> float:
        return 0.0

    get_usage = staticmethod(ScriptedModel.get_usage)


@requirement("group:auto:own-model")
@pytest.mark.parametrize("is_list", [True, False])
@pytest.mark.parametrize("where", ["group", "manager"])
def test_a_client_class_of_the_users_selects(face: Face, is_list: bool, where: str) -> None:
    config = {"config_list": [{"model": "mine", "model_client_cls": "Client"}]}
    a, _b, c = members = [mute(x) for x in "abc"]
    group = GroupChat(
        members,
        [],
        select_speaker_auto_llm_config=config if where == "group" else None,
        select_speaker_auto_model_client_cls=[Client] if is_list else Client,
    )
    manager = GroupChatManager(group, llm_config=config if where == "manager" else False)
    assert face.select_speaker(group, a, manager) is c


@requirement("group:auto:transforms")
def test_what_the_model_sees_can_be_cut(face: Face) -> None:
    limiter = TransformMessages(transforms=[MessageHistoryLimiter(max_messages=2)], verbose=False)
    a, b, c = (mute(x) for x in "abc")
    messages = [{"role": "user", "content": f"line {i}", "name": "a"} for i in range(5)]
    group = GroupChat(
        [a, b, c],
        list(messages),
        select_speaker_transform_messages=limiter,
        select_speaker_prompt_template="P",
    )
    with ScriptedModel(["c"]) as model:
        manager = GroupChatManager(group, llm_config=model.config())
        assert face.select_speaker(group, a, manager) is c
    system, *seen = model.requests[0]["messages"]
    assert system["role"] == "system"
    assert texts(seen) == ["line 4", "P"]
    assert group.messages == messages


@requirement("group:auto:verbose")
@pytest.mark.parametrize("verbose", [True, False])
def test_the_selection_is_printed_where_that_is_wanted(face: Face, verbose: bool) -> None:
    shown = ScriptedHuman()
    with IOStream.set_default(shown):
        chosen(face, ["hm", "c"], select_speaker_auto_verbose=verbose)
    assert ("'hm' names nobody" in shown.text and "names ['c']" in shown.text) is verbose


@requirement("group:auto:calls")
def test_a_call_in_the_last_message_is_not_shown_as_one(face: Face) -> None:
    a, b, c = mute("a"), *(plain(x, function_map={"f": print}) for x in "bc")
    group, manager = group_of(
        a,
        b,
        c,
        speaker_selection_method="auto",
        manager={"llm_config": (model := ScriptedModel(["c"])).config()},
    )
    group.messages.append(
        {"role": "assistant", "name": "a", "content": "", "tool_calls": [call("f")]}
    )
    assert face.select_speaker(group, a, manager) is c
    shown = model.requests[0]["messages"][1]
    assert "tool_calls" not in shown
    assert shown["content"] == ""
    assert group.messages[0]["tool_calls"]


@requirement("group:auto:calls")
def test_results_of_calls_are_shown_in_the_form_models_take(face: Face) -> None:
    user = mute("user")
    asker = speaker("asker", [call("add", a=1, b=2, id="7")])
    doer = plain("doer", function_map={"add": lambda a, b: a + b})
    model = ScriptedModel(["asker", "user"])
    group, manager = group_of(
        user,
        asker,
        doer,
        speaker_selection_method="auto",
        manager={"llm_config": model.config()},
    )
    face.initiate_chat(user, manager, message="1 + 2?", silent=True)
    assert said_by(group.messages) == ["user", "asker", "doer"]
    _, _, asked, answered, _ = model.requests[1]["messages"]
    assert asked["tool_calls"][0]["id"] == "7"
    assert answered["tool_call_id"] == "7"
    assert (answered["role"], answered["content"]) == ("tool", "3")
    assert all("tool_responses" not in m for m in model.requests[1]["messages"])


@requirement("group:auto:same-name")
def test_of_two_with_the_same_name_the_one_who_may_speak_is_taken(face: Face) -> None:
    a, one, other, d = mute("a"), mute("twin"), mute("twin"), mute("d")
    group = GroupChat(
        [a, one, other, d],
        [],
        allowed_or_disallowed_speaker_transitions={a: [other, d]},
        speaker_transitions_type="allowed",
    )
    manager = GroupChatManager(group, llm_config=ScriptedModel(["twin"]).config())
    assert face.select_speaker(group, a, manager) is other


@requirement("group:auto:asked")
def test_a_whole_chat_is_led_by_the_model(face: Face) -> None:
    a, b, c = (plain(x, default_auto_reply=f"from {x}") for x in "abc")
    with ScriptedModel(["c", "b", "a"]) as model:
        group, manager = group_of(
            a,
            b,
            c,
            max_round=4,
            speaker_selection_method="auto",
            manager={"llm_config": model.config()},
        )
        face.initiate_chat(a, manager, message="go", silent=True)
    assert said_by(group.messages) == ["a", "c", "b", "a"]
    assert texts(model.requests[2]["messages"])[1:4] == ["go", "from c", "from b"]


@requirement("group:auto:override")
def test_a_group_of_the_users_chooses_after_the_rules(face: Face) -> None:
    seen: list[Any] = []

    class Own(GroupChat):
        def _auto_select_speaker(
            self, last_speaker: Any, selector: Any, messages: Any, agents: Any
        ) -> Any:
            seen.append((last_speaker.name, [agent.name for agent in agents]))
            if len(seen) > 1:
                return super()._auto_select_speaker(last_speaker, selector, messages, agents)
            return agents[-1]

    members = [speaker(name, [f"from {name}"]) for name in "abc"]
    group = Own(members, max_round=3, allow_repeat_speaker=False)
    with ScriptedModel(["a"]) as model:
        manager = GroupChatManager(group, llm_config=model.config())
        face.initiate_chat(plain("user"), manager, message="go", silent=True)
    assert said_by(group.messages) == ["user", "c", "a"]
    assert seen == [("user", ["a", "b", "c"]), ("c", ["a", "b"])]


@requirement("group:auto:override")
def test_a_group_with_a_selection_of_its_own_asks_for_the_rules(face: Face) -> None:
    class Own(GroupChat):
        def select_speaker(self, last_speaker: Any, selector: Any) -> Any:
            chosen, candidates, messages = self._prepare_and_select_agents(last_speaker)
            assert messages == self.messages
            return chosen or candidates[-1]

    members = [speaker(name, [f"from {name}"] * 2) for name in "abc"]
    graph = {members[0]: [members[1]], members[1]: [], members[2]: members[:2]}
    group = Own(
        members,
        max_round=5,
        allowed_or_disallowed_speaker_transitions=graph,
        speaker_transitions_type="allowed",
    )
    face.initiate_chat(plain("user"), GroupChatManager(group), message="go", silent=True)
    assert said_by(group.messages) == ["user", "c", "b"]
