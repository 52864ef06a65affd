"""`SocietyOfMindAgent`: a group chat as the inner life of one agent."""

from __future__ import annotations

from typing import Any

import pytest
from tests.compat.requirements import requirement

from autogen import ConversableAgent, GroupChat, GroupChatManager, UserProxyAgent
from autogen.agentchat.contrib.society_of_mind_agent import SocietyOfMindAgent
from autogen.errors import UsageError
from autogen.testing import ScriptedModel, call


def member(name: str, replies: Any, **options: Any) -> ConversableAgent:
    config = ScriptedModel(replies).config()
    return ConversableAgent(
        name, f"You are {name}.", llm_config=config, human_input_mode="NEVER", **options
    )


def managed(*members: ConversableAgent, max_round: int = 3, **options: Any) -> GroupChatManager:
    group = GroupChat(list(members), max_round=max_round, speaker_selection_method="round_robin")
    return GroupChatManager(group, **options)


def user(**options: Any) -> UserProxyAgent:
    return UserProxyAgent("user", human_input_mode="NEVER", code_execution_config=False, **options)


def texts(messages: list[dict[str, Any]]) -> list[Any]:
    return [message.get("content") for message in messages]


def model_of(agent: ConversableAgent) -> ScriptedModel:
    model: ScriptedModel = agent.llm_config["config_list"][0]["model_client"]
    return model


@requirement("mind:answer", "mind:async")
def test_the_group_talks_and_its_last_message_is_the_answer(face):
    ann, bob = member("ann", ["a plan"]), member("bob", ["the result TERMINATE"])
    mind = SocietyOfMindAgent("mind", managed(ann, bob))
    outer = user()
    result = face.initiate_chat(outer, mind, message="solve it", max_turns=1, silent=True)
    assert texts(result.chat_history) == ["solve it", "the result"]
    assert texts(mind.chat_manager.groupchat.messages) == [
        "solve it",
        "a plan",
        "the result TERMINATE",
    ]


@requirement("mind:model")
def test_a_model_prepares_the_response_and_is_told_the_talk(face):
    ann, bob = member("ann", ["a plan"]), member("bob", ["the result"])
    preparing = ScriptedModel(["It is 42."])
    mind = SocietyOfMindAgent("mind", managed(ann, bob), llm_config=preparing.config())
    result = face.initiate_chat(user(), mind, message="solve it", max_turns=1, silent=True)
    assert texts(result.chat_history) == ["solve it", "It is 42."]
    asked = preparing.requests[0]["messages"]
    assert texts(asked)[1:-1] == ["solve it", "a plan", "the result"]
    assert asked[-1]["content"] == SocietyOfMindAgent.DEFAULT_RESPONSE_PROMPT


@requirement("mind:cost")
def test_inner_costs_count_in_the_outer_chat(face):
    ann, bob = member("ann", ["a plan"]), member("bob", ["the result"])
    preparing = ScriptedModel(["done here"])
    mind = SocietyOfMindAgent(
        "mind", managed(ann, bob), "Answer in one word.", llm_config=preparing.config()
    )
    result = face.initiate_chat(user(), mind, message="solve it", max_turns=1, silent=True)
    usage = result.cost["usage_including_cached_inference"]["scripted"]
    assert usage["completion_tokens"] == 6
    assert preparing.requests[0]["messages"][-1]["content"] == "Answer in one word."


@requirement("mind:anew", "mind:cost")
def test_each_reply_starts_from_the_outer_conversation_alone(face):
    ann = member("ann", ["plan 1", "plan 2"])
    bob = member("bob", ["result 1", "result 2"])
    mind = SocietyOfMindAgent("mind", managed(ann, bob))
    outer = user(default_auto_reply="and the next")
    result = face.initiate_chat(outer, mind, message="the first", max_turns=2, silent=True)
    assert texts(result.chat_history) == ["the first", "result 1", "and the next", "result 2"]
    assert texts(model_of(ann).requests[1]["messages"]) == [
        "You are ann.",
        "the first",
        "result 1",
        "and the next",
    ]
    names = [m.get("name") for m in model_of(ann).requests[1]["messages"][1:]]
    assert names == ["user", "mind", "mind"]
    # What the members' models used is still known.
    assert ann.get_total_usage()["scripted"]["completion_tokens"] == 4


@requirement("mind:function")
@pytest.mark.parametrize("is_async", [False, True])
def test_a_function_prepares_the_response(face, is_async):
    def prepared(agent: Any, messages: list[dict[str, Any]]) -> str:
        return f"{agent.name} heard {len(messages)} messages"

    async def a_prepared(agent: Any, messages: list[dict[str, Any]]) -> str:
        return prepared(agent, messages)

    mind = SocietyOfMindAgent(
        "mind",
        managed(member("ann", ["x"]), member("bob", ["y"])),
        response_preparer=a_prepared if is_async else prepared,
    )
    result = face.initiate_chat(user(), mind, message="go", max_turns=1, silent=True)
    assert result.summary == "mind heard 3 messages"


def test_tools_of_the_group_are_told_as_text(face):
    ann = member("ann", [call("add", a=1, b=2), "it is 3"])
    bob = member("bob", [])

    @bob.register_for_execution()
    @ann.register_for_llm(description="Add.")
    def add(a: int, b: int) -> int:
        return a + b

    preparing = ScriptedModel(["3"])
    mind = SocietyOfMindAgent("mind", managed(ann, bob, max_round=4), llm_config=preparing.config())
    result = face.initiate_chat(user(), mind, message="1+2?", max_turns=1, silent=True)
    assert result.summary == "3"
    talk = preparing.requests[0]["messages"][1:-1]
    assert [m["role"] for m in talk] == ["user"] * 4
    assert "Calls add(" in talk[1]["content"]
    assert talk[2]["content"] == "Result of a call: 3"
    assert not any("tool_calls" in m or "tool_call_id" in m for m in talk)


def test_it_takes_part_in_a_group(face):
    inner = managed(member("ann", ["thought"]), member("bob", ["answer"]))
    mind = SocietyOfMindAgent("mind", inner)
    other = member("other", ["good"])
    manager = managed(other, mind, max_round=3)
    face.initiate_chat(user(), manager, message="go", silent=True)
    assert texts(manager.groupchat.messages) == ["go", "good", "answer"]
    assert "good" in texts(inner.groupchat.agents[0].chat_messages[inner])


def test_a_mind_may_have_members_with_minds_of_their_own(face):
    deep = SocietyOfMindAgent("deep", managed(member("ann", ["a"]), member("bob", ["from below"])))
    mind = SocietyOfMindAgent("mind", managed(deep, member("cid", ["heard it"])))
    result = face.initiate_chat(user(), mind, message="go", max_turns=1, silent=True)
    assert result.summary == "heard it"
    assert texts(mind.chat_manager.groupchat.messages) == ["go", "from below", "heard it"]
    usage = result.cost["usage_including_cached_inference"]["scripted"]
    assert usage["completion_tokens"] == 5


def test_a_cache_lent_to_the_chat_serves_the_group(face, tmp_path):
    from autogen import Cache

    with Cache.disk(cache_seed=1, cache_path_root=str(tmp_path / face.name)) as cache:
        for _ in range(2):
            ann, bob = member("ann", ["a plan"]), member("bob", ["result"])
            mind = SocietyOfMindAgent("mind", managed(ann, bob))
            result = face.initiate_chat(
                user(), mind, message="go", max_turns=1, silent=True, cache=cache
            )
    assert result.summary == "result"
    assert len(model_of(ann).requests) == 0


@requirement("mind:errors")
def test_errors_of_the_group_are_raised(face):
    broken = member("ann", [RuntimeError("out of paper")])
    mind = SocietyOfMindAgent("mind", managed(broken, member("bob", [])))
    with pytest.raises(RuntimeError, match="out of paper"):
        face.initiate_chat(user(), mind, message="go", max_turns=1, silent=True)


def test_it_stops_at_the_termination_word_before_thinking(face):
    mind = SocietyOfMindAgent(
        "mind", managed(member("ann", ["x"]), member("bob", ["y"])), human_input_mode="NEVER"
    )
    outer = user(default_auto_reply="TERMINATE")
    result = face.initiate_chat(outer, mind, message="go", silent=True)
    assert texts(result.chat_history) == ["go", "y", "TERMINATE"]
    assert result.stop_reason == "termination"


def test_the_monologue_is_printed_unless_silent(face, capsys):
    mind = SocietyOfMindAgent("mind", managed(member("ann", ["inside"]), member("bob", ["out"])))
    face.initiate_chat(user(), mind, message="go", max_turns=1, silent=True)
    assert "inside" not in capsys.readouterr().out
    mind.update_chat_manager(managed(member("ann", ["inside"]), member("bob", ["out"])))
    face.initiate_chat(user(), mind, message="go", max_turns=1)
    assert "inside" in capsys.readouterr().out


def test_without_a_group_it_has_nothing_to_say():
    mind = SocietyOfMindAgent("mind", None, default_auto_reply="nothing")
    assert mind.generate_reply([{"role": "user", "content": "hi"}]) == "nothing"


def test_what_cannot_work_is_refused():
    with pytest.raises(UsageError, match="GroupChatManager"):
        SocietyOfMindAgent("mind", "a group")
    with pytest.raises(UsageError, match="needs a model"):
        SocietyOfMindAgent("mind", None, response_preparer="Answer.")
