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
