"""Methods that subclasses call and override, and copies of agents."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from tests.chat.cast import mute, plain, speaker, texts
from tests.compat.requirements import requirement

from autogen import ConversableAgent, GroupChat, GroupChatManager
from autogen.testing import ScriptedModel
from autogen.testing.face import Face


@requirement("agent:subclass-methods")
def test_the_steps_before_a_reply_can_be_overridden_in_either_flavour(face: Face) -> None:
    class Loud(ConversableAgent):
        def process_last_received_message(self, messages: Any) -> Any:
            messages = super().process_last_received_message(messages)
            messages[-1]["content"] += "!"
            return messages

        async def a_process_all_messages_before_reply(self, messages: Any) -> Any:
            messages = await super().a_process_all_messages_before_reply(messages)
            return [*messages, {"role": "user", "content": "more"}]

    model = ScriptedModel(["fine"])
    b = Loud("b", llm_config=model.config(), human_input_mode="NEVER")
    b.register_hook("process_last_received_message", lambda content: content.upper())
    b.register_hook("process_all_messages_before_reply", lambda messages: messages[-1:])
    a = plain("a")
    face.initiate_chat(a, b, message="hello", max_turns=1, silent=True)
    assert texts(model.requests[0]["messages"][1:]) == ["HELLO!", "more"]
    assert texts(b.chat_messages[a]) == ["hello", "fine"]


@requirement("agent:subclass-methods")
def test_the_steps_before_a_reply_can_be_called(face: Face) -> None:
    a = plain("a")
    a.register_hook("process_last_received_message", lambda content: content + "?")
    given = [{"role": "user", "content": "so"}]
    assert texts(a.process_last_received_message(given)) == ["so?"]
    assert texts(a.process_all_messages_before_reply(given)) == ["so"]
    assert given == [{"role": "user", "content": "so"}]


@requirement("agent:subclass-methods")
def test_a_summary_of_the_subclass_counts(face: Face) -> None:
    class Short(ConversableAgent):
        def _summarize_chat(
            self, summary_method: Any, summary_args: Any, recipient: Any = None, cache: Any = None
        ) -> Any:
            usual = super()._summarize_chat(summary_method, summary_args, recipient, cache)
            return usual[:4]

    a = Short("a", human_input_mode="NEVER")
    b = speaker("b", ["longer than that"])
    assert face.initiate_chat(a, b, message="go", max_turns=1, silent=True).summary == "long"


@requirement("agent:subclass-methods")
def test_summaries_carryover_and_answers_can_be_asked_for() -> None:
    model = ScriptedModel(["in short", "an answer"])
    a, b = plain("a", default_auto_reply="b says"), plain("b", llm_config=model.config())
    b.chat_messages[a].append({"role": "assistant", "content": "the end TERMINATE"})
    assert a._last_msg_as_summary(a, b, {}) == "the end "
    assert a._reflection_with_llm_as_summary(a, b, {"summary_prompt": "Sum up."}) == "in short"
    assert texts(model.requests[0]["messages"])[-1] == "Sum up."
    assert a._process_carryover("go", {"carryover": ["x"]}) == "go\nContext: \nx"
    given = [{"role": "user", "content": "hi"}]
    assert b._generate_oai_reply_from_client(b.client, given, None) == "an answer"
    b._raise_exception_on_async_reply_functions()

    async def late(*args: Any, **kwargs: Any) -> tuple[bool, None]:
        return False, None

    b.register_reply(ConversableAgent, late)
    with pytest.raises(RuntimeError, match=r"a_initiate_chat.*late"):
        b._raise_exception_on_async_reply_functions()


@requirement("agent:copied")
def test_a_group_is_copied_as_a_whole(face: Face) -> None:
    model = ScriptedModel(lambda params: "a")
    a, b = speaker("a", lambda params: "from a"), speaker("b", lambda params: "from b")
    group = GroupChat([a, b], max_round=3, select_speaker_auto_llm_config=model.config())
    manager = GroupChatManager(group, llm_config=model.config())
    a.register_hook("process_last_received_message", lambda content: content)
    face.initiate_chat(b, manager, message="go", silent=True)
    twin = copy.deepcopy(manager)
    a2, b2 = twin.groupchat.agents
    assert twin.groupchat.messages == group.messages
    assert (a2.name, a2.chat_messages[twin]) == ("a", a.chat_messages[manager])
    assert a2 is not a
    face.initiate_chat(b2, twin, message="anew", silent=True)
    assert texts(twin.groupchat.messages) == ["anew", "from a", "from a"]
    assert texts(group.messages)[0] == texts(b.chat_messages[manager])[0] == "go"


@requirement("agent:copied")
def test_a_copy_shares_what_it_works_with_and_has_its_own_account() -> None:
    model, tool = ScriptedModel(["one", "two"]), lambda x: x
    a = plain("a", llm_config=model.config(), function_map={"tool": tool})
    a.register_function({"own": a.last_message})
    a.generate_reply(messages=[{"role": "user", "content": "hi"}])
    twin = copy.deepcopy(a)
    assert twin.function_map["tool"] is tool
    assert twin.function_map["own"].__self__ is twin
    assert (twin.get_total_usage(), a.get_total_usage() is None) == (None, False)
    assert twin.generate_reply(messages=[{"role": "user", "content": "hi"}]) == "two"
    twin.update_system_message("other")
    twin.llm_config["temperature"] = 1
    assert a.system_message != "other"
    assert "temperature" not in a.llm_config


@requirement("agent:subclass-send")
def test_the_step_before_sending_can_be_overridden(face: Face) -> None:
    class Marked(ConversableAgent):
        def _process_message_before_send(self, message: Any, recipient: Any, silent: bool) -> Any:
            message = super()._process_message_before_send(message, recipient, silent)
            return f"{message} to {recipient.name}"

    a = Marked("a", human_input_mode="NEVER", silent=True)
    a.register_hook("process_message_before_send", lambda message, **_: message.upper())
    b = mute("b")
    face.send(a, "hello", b)
    assert texts(a.chat_messages[b]) == texts(b.chat_messages[a]) == ["HELLO to b"]
    assert plain("c")._process_message_before_send("as it is", b, True) == "as it is"


@requirement("agent:json-text")
@pytest.mark.parametrize(
    "text, escaped",
    [
        ('{\n"place": "Boston, MA"\n}', '{"place": "Boston, MA"}'),
        ('{"code": "x=3\n\tprint(x)"}', '{"code": "x=3\\n\\tprint(x)"}'),
        ('{"code": "say(\\"a\nb\\")"}', '{"code": "say(\\"a\\nb\\")"}'),
        ("{}", "{}"),
    ],
)
def test_json_as_models_write_it_is_escaped(text: str, escaped: str) -> None:
    assert ConversableAgent._format_json_str(text) == escaped
    json.loads(escaped)


@requirement("agent:private-names")
@pytest.mark.parametrize("own, said, expected", [(None, True, True), (False, True, False)])
def test_whether_an_agent_is_silent(own: bool | None, said: bool, expected: bool) -> None:
    assert ConversableAgent._is_silent(plain("a", silent=own), said) is expected


class Counting(ConversableAgent):
    """Counts what it asks its model."""

    n_asked = 0

    def _generate_oai_reply_from_client(self, llm_client: Any, messages: Any, cache: Any) -> Any:
        self.n_asked += 1
        messages[-1].pop("context", None)
        reply = super()._generate_oai_reply_from_client(llm_client, messages, cache)
        return reply if isinstance(reply, dict) else f"{reply} ({self.n_asked})"


@requirement("agent:subclass-model")
def test_the_way_to_ask_a_model_can_be_overridden(face: Face) -> None:
    b = Counting("b", llm_config=ScriptedModel(["one", "two"]).config(), human_input_mode="NEVER")
    a = plain("a", default_auto_reply="on")
    result = face.initiate_chat(
        a, b, message={"content": "hello", "context": {"k": 1}}, max_turns=2, silent=True
    )
    assert texts(result.chat_history) == ["hello", "one (1)", "on", "two (2)"]
    # The method got copies: what it takes out stays in the history.
    assert result.chat_history[0]["context"] == {"k": 1}
    assert result.cost.total["scripted"]["completion_tokens"] == 2


@requirement("agent:subclass-model")
def test_a_reflection_is_asked_in_the_way_of_who_began(face: Face) -> None:
    a = Counting("a", human_input_mode="NEVER")
    b = speaker("b", ["fine", "they were fine"])
    result = face.initiate_chat(
        a, b, message="hello", max_turns=1, summary_method="reflection_with_llm", silent=True
    )
    assert result.summary == "they were fine (1)"


@requirement("agent:subclass-model")
def test_an_override_asks_a_client_itself_and_gives_a_call(face: Face) -> None:
    class Raven(ConversableAgent):
        def _generate_oai_reply_from_client(self, llm_client: Any, messages: Any, cache: Any):
            response = llm_client.create(messages=[messages[-1]], cache=cache, agent=self)
            text = llm_client.extract_text_or_completion_object(response)[0]
            call = {"name": self._normalize_name("add one!"), "arguments": text}
            return {"content": None, "tool_calls": [{"id": "1", "function": call}]}

    model = ScriptedModel(['{"x": 2}'])
    b = Raven("b", llm_config=model.config(), human_input_mode="NEVER")
    a = plain("a", function_map={"add_one_": lambda x: x + 1}, max_consecutive_auto_reply=1)
    result = face.initiate_chat(a, b, message="go", max_turns=1, silent=True)
    assert result.chat_history[-1]["tool_calls"][0]["function"]["name"] == "add_one_"
    assert a.generate_tool_calls_reply(result.chat_history)[1]["content"] == "3"
    assert texts(model.requests[0]["messages"]) == ["go"]
    assert result.cost.total["scripted"]["completion_tokens"] == 2


@requirement("agent:subclass-names")
def test_names_that_overrides_call_are_there() -> None:
    agent = speaker("a", ["short"])
    assert agent._normalize_name("a b" * 40) == ("a_b" * 40)[:64]
    assert agent._assert_valid_name("add_1") == "add_1"
    with pytest.raises(ValueError, match="'a b'"):
        agent._assert_valid_name("a b")
    assert agent._handle_carryover({"content": "go"}, {"carryover": ["x"]}) == {
        "content": "go\nContext: \nx"
    }
    assert agent._str_for_tool_response({"content": 3}) == "3"
    assert agent._reflection_with_llm("sum up", [{"role": "user", "content": "long"}]) == "short"
    with pytest.raises(ValueError, match="llm_config"):
        plain("b")._reflection_with_llm("sum up", [], llm_agent=plain("c"))


@requirement("group:subclass-methods")
def test_a_group_may_choose_by_a_model_in_its_own_way(face: Face) -> None:
    class Own(GroupChat):
        def _participant_roles(self, agents: Any = None) -> str:
            return "; ".join(agent.name for agent in self.agents)

        def select_speaker(self, last_speaker: Any, selector: Any) -> Any:
            selector.update_system_message(self.select_speaker_msg(self.agents))
            final, name = selector.generate_oai_reply(self.messages)
            return self._finalize_speaker(last_speaker, final, name, self.agents)

    a, b, c = plain("a"), speaker("b", ["of b", "of b"]), speaker("c", ["of c"])
    model = ScriptedModel(["I choose c.", "either b or c", "b"])
    group = Own([a, b, c], [], max_round=4)
    manager = GroupChatManager(group, llm_config=model.config())
    face.initiate_chat(a, manager, message="hello", silent=True)
    # Two names count as none: the next in order after c is a, who says nothing.
    assert [m["name"] for m in group.messages] == ["a", "c", "a", "b"]
    assert "a; b; c" in model.requests[0]["messages"][0]["content"]
    assert group._finalize_speaker(a, False, None, None) is b
