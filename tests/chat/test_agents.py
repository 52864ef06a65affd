"""What the constructors take, and what the attributes and simple methods say."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar

import pytest
from tests.chat.cast import mute, plain, speaker, texts
from tests.compat.requirements import requirement

from autogen import (
    Agent,
    AssistantAgent,
    ConversableAgent,
    LLMAgent,
    UserProxyAgent,
    gather_usage_summary,
)
from autogen.testing import ScriptedHuman, ScriptedModel
from autogen.testing.face import Face

NO_MODEL = (
    "When using OpenAI or Azure OpenAI endpoints, specify a non-empty 'model' either in "
    "'llm_config' or in each config of 'config_list'."
)


def defaults(cls: type) -> dict[str, Any]:
    return {
        name: parameter.default
        for name, parameter in inspect.signature(cls).parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }


@requirement("agent:defaults")
def test_the_defaults_of_a_conversable_agent() -> None:
    found = defaults(ConversableAgent)
    assert isinstance(found.pop("system_message"), str)
    assert found == {
        "is_termination_msg": None,
        "max_consecutive_auto_reply": None,
        "human_input_mode": "TERMINATE",
        "function_map": None,
        "code_execution_config": False,
        "llm_config": None,
        "default_auto_reply": "",
        "description": None,
        "chat_messages": None,
        "silent": None,
    }
    agent = ConversableAgent("a")
    assert (agent.name, agent.llm_config, agent.client, agent.silent) == ("a", False, None, None)
    assert agent.human_input_mode == "TERMINATE"
    assert agent.max_consecutive_auto_reply() == 100
    assert agent.client_cache is None


@requirement("agent:positions")
def test_positional_arguments_stand_in_the_known_order() -> None:
    order = "name system_message is_termination_msg max_consecutive_auto_reply human_input_mode"
    rest = "function_map code_execution_config llm_config default_auto_reply description"
    assert list(inspect.signature(ConversableAgent).parameters)[:10] == (order + " " + rest).split()
    assistant = (
        "name system_message llm_config is_termination_msg max_consecutive_auto_reply "
        "human_input_mode description kwargs"
    )
    assert list(inspect.signature(AssistantAgent).parameters) == assistant.split()
    user = (
        "name is_termination_msg max_consecutive_auto_reply human_input_mode function_map "
        "code_execution_config default_auto_reply llm_config system_message description kwargs"
    )
    assert list(inspect.signature(UserProxyAgent).parameters) == user.split()


@requirement("agent:class-attributes")
def test_subclasses_set_their_own_defaults() -> None:
    class Own(ConversableAgent):
        DEFAULT_CONFIG: ClassVar[Any] = {"model": "own", "api_key": "k"}
        MAX_CONSECUTIVE_AUTO_REPLY = 3

    agent = Own("a")
    assert agent.llm_config == {"model": "own", "api_key": "k"}
    assert agent.max_consecutive_auto_reply() == 3
    assert Own("b", llm_config=False, max_consecutive_auto_reply=0).llm_config is False
    assert Own("b", max_consecutive_auto_reply=0).max_consecutive_auto_reply() == 0
    assert ConversableAgent.DEFAULT_SUMMARY_METHOD == "last_msg"
    assert ConversableAgent.DEFAULT_SUMMARY_PROMPT


@requirement("agent:description", "agent:system-message")
def test_the_description_is_the_first_system_message() -> None:
    agent = ConversableAgent("a", system_message="first")
    agent.update_system_message("second")
    assert (agent.system_message, agent.description) == ("second", "first")
    assert agent._oai_system_message == [{"content": "second", "role": "system"}]
    agent.description = "third"
    assert agent.description == "third"
    assert ConversableAgent("a", "said", description="told").description == "told"


@requirement("agent:system-message")
def test_the_model_is_told_the_current_system_message(face: Face) -> None:
    with ScriptedModel(["x"]) as model:
        agent = plain("a", system_message="first", llm_config=model.config())
        agent.update_system_message("second")
        face.generate_reply(agent, messages=[{"role": "user", "content": "hi"}])
    assert model.requests[0]["messages"][0] == {"role": "system", "content": "second"}


@requirement("agent:assistant")
def test_an_assistant() -> None:
    agent = AssistantAgent("a")
    assert (agent.human_input_mode, agent._code_execution_config) == ("NEVER", False)
    assert agent.llm_config is False
    assert agent.system_message == AssistantAgent.DEFAULT_SYSTEM_MESSAGE
    assert agent.description == AssistantAgent.DEFAULT_DESCRIPTION
    assert AssistantAgent("a", "own").description == "own"
    assert AssistantAgent("a", description="told").description == "told"
    for words in ("```python", "```sh", "# filename: <name>", "TERMINATE"):
        assert words in AssistantAgent.DEFAULT_SYSTEM_MESSAGE
    assert AssistantAgent("a", silent=True, default_auto_reply="x").silent is True


@requirement("agent:user-proxy", "agent:user-proxy:description")
def test_a_user_proxy() -> None:
    agent = UserProxyAgent("u")
    assert (agent.human_input_mode, agent._code_execution_config) == ("ALWAYS", {})
    assert (agent.llm_config, agent.system_message) == (False, "")
    known = UserProxyAgent.DEFAULT_USER_PROXY_AGENT_DESCRIPTIONS
    assert len(set(known.values())) == 3
    for mode in ("ALWAYS", "TERMINATE", "NEVER"):
        assert UserProxyAgent("u", human_input_mode=mode).description == known[mode]
    assert UserProxyAgent("u", description="told").description == "told"


@requirement("agent:function-names")
@pytest.mark.parametrize("name", ["", "a b", "a.b", "x" * 65, "ü"])
def test_a_function_name_that_no_model_can_call(name: str) -> None:
    with pytest.raises(ValueError, match="function name"):
        ConversableAgent("a", function_map={name: len})
    with pytest.raises(ValueError, match="function name"):
        ConversableAgent("a").register_function({name: len})


@requirement("agent:code-config:none")
def test_no_code_config_is_deprecated() -> None:
    with pytest.warns(DeprecationWarning, match="code_execution_config"):
        agent = ConversableAgent("a", code_execution_config=None)
    assert agent._code_execution_config == {}
    with pytest.warns(DeprecationWarning, match="code_execution_config") as caught:
        UserProxyAgent("a", code_execution_config=None)
    assert caught[0].filename.endswith(".py")


@requirement("agent:code-config:bad")
@pytest.mark.parametrize("config", [True, "work", 3, ["x"]])
def test_a_code_config_of_the_wrong_type(config: Any) -> None:
    with pytest.raises(ValueError, match="code_execution_config"):
        ConversableAgent("a", code_execution_config=config)


@requirement("agent:code-config:copied")
def test_the_code_config_is_the_agents_own() -> None:
    given = {"work_dir": "x"}
    agent = ConversableAgent("a", code_execution_config=given)
    given["work_dir"] = "y"
    assert agent._code_execution_config == {"work_dir": "x"}
    assert (
        UserProxyAgent("u")._code_execution_config is not UserProxyAgent("v")._code_execution_config
    )


@requirement("agent:llm-config:no-model")
@pytest.mark.parametrize(
    "config",
    [
        {},
        {"config_list": []},
        {"config_list": [{"model": ""}]},
        {"config_list": [{"model": None}]},
        {"config_list": [{"api_key": "k"}]},
        {"config_list": [{"model": "good"}, {"model": ""}]},
        {"model": ""},
    ],
)
@pytest.mark.parametrize("cls", [ConversableAgent, AssistantAgent, UserProxyAgent])
def test_an_llm_config_without_a_model(config: Any, cls: Any) -> None:
    with pytest.raises(ValueError) as caught:
        cls("a", llm_config=config)
    assert str(caught.value) == NO_MODEL


@requirement("agent:llm-config:no-dict")
@pytest.mark.parametrize("config", [True, "gpt-4", [{"model": "gpt-4"}], 3])
def test_an_llm_config_that_is_no_dict(config: Any) -> None:
    with pytest.raises(AssertionError, match="llm_config"):
        ConversableAgent("a", llm_config=config)


@requirement("agent:llm-config:shared")
def test_the_llm_config_is_copied_and_what_it_holds_is_shared() -> None:
    class Uncopyable:
        def __deepcopy__(self, memo: Any) -> Any:
            raise TypeError("no copies")

        def create(self, params: Any) -> Any:
            raise NotImplementedError

    client = Uncopyable()
    entry = {"model": "m", "model_client": client}
    given: dict[str, Any] = {"config_list": [entry], "tools": []}
    agent = ConversableAgent("a", llm_config=given)
    assert agent.llm_config is not given
    assert agent.llm_config is not False
    assert agent.llm_config["config_list"][0] is not entry
    assert agent.llm_config["config_list"][0]["model_client"] is client
    agent.llm_config["tools"].append("x")
    agent.llm_config["config_list"][0]["model"] = "n"
    assert (given["tools"], entry["model"]) == ([], "m")
    ConversableAgent("b", llm_config=agent.llm_config)


@requirement("agent:bad-arguments")
@pytest.mark.parametrize(
    "options",
    [
        {"human_input_mode": "SOMETIMES"},
        {"human_input_mode": None},
        {"is_termination_msg": "TERMINATE"},
        {"llm_config": {"config_list": "gpt-4"}},
        {"llm_config": {"config_list": ["gpt-4"]}},
        {"llm_config": {"model": 4}},
    ],
)
def test_arguments_that_cannot_work_are_refused_at_once(options: Any) -> None:
    name = next(iter(options))
    with pytest.raises(ValueError, match=f"{name}|config_list|model"):
        ConversableAgent("a", **options)


@requirement("agent:last-message")
def test_last_message() -> None:
    a, b, c = plain("a"), plain("b"), plain("c")
    assert a.last_message() is None
    a.send("hi", b, request_reply=False, silent=True)
    assert (a.last_message() or {})["content"] == "hi"
    assert a.last_message(b) == a.last_message()
    with pytest.raises(KeyError):
        a.last_message(c)
    a.send("ho", c, request_reply=False, silent=True)
    assert (a.last_message(c) or {})["content"] == "ho"
    with pytest.raises(ValueError, match="last_message"):
        a.last_message()


@requirement("agent:reply-limits")
def test_limits_for_everybody_and_for_one() -> None:
    a, b, c = plain("a", max_consecutive_auto_reply=5), plain("b"), plain("c")
    assert (a.max_consecutive_auto_reply(), a.max_consecutive_auto_reply(b)) == (5, 5)
    a.update_max_consecutive_auto_reply(1, b)
    assert [a.max_consecutive_auto_reply(x) for x in (None, b, c)] == [5, 1, 5]
    a.update_max_consecutive_auto_reply(7)
    assert [a.max_consecutive_auto_reply(x) for x in (None, b, c, plain("d"))] == [7, 7, 7, 7]


@requirement("agent:counters")
def test_counters_and_flags_for_one_and_for_all(face: Face) -> None:
    a, b, c = plain("a"), plain("b"), plain("c")
    for other in (b, c):
        face.check_termination_and_human_reply(a, [{"content": "x"}], other)
        a.reply_at_receive[other] = True
    assert dict(a._consecutive_auto_reply_counter) == {b: 1, c: 1}
    a.reset_consecutive_auto_reply_counter(b)
    a.stop_reply_at_receive(b)
    assert [a._consecutive_auto_reply_counter[x] for x in (b, c)] == [0, 1]
    assert [a.reply_at_receive[x] for x in (b, c)] == [False, True]
    a.reset_consecutive_auto_reply_counter()
    a.stop_reply_at_receive()
    assert not any(a._consecutive_auto_reply_counter.values())
    assert not any(a.reply_at_receive.values())


def told(n: int, other: ConversableAgent, **options: Any) -> ConversableAgent:
    agent = plain("a", **options)
    for i in range(n):
        agent.send(str(i), other, request_reply=False, silent=True)
    return agent


@requirement("agent:clear-history")
def test_clear_history_of_one_and_of_all() -> None:
    b, c = plain("b"), plain("c")
    a = told(2, b)
    a.send("x", c, request_reply=False, silent=True)
    a.clear_history(b)
    assert (a.chat_messages[b], texts(a.chat_messages[c])) == ([], ["x"])
    a.clear_history()
    assert dict(a.chat_messages) == {}
    assert len(b.chat_messages[a]) == 2


@requirement("agent:clear-history:preserve")
def test_clear_history_can_keep_the_newest() -> None:
    b = plain("b")
    a = told(5, b)
    a.clear_history(nr_messages_to_preserve=2)
    assert texts(a.chat_messages[b]) == ["3", "4"]
    a.clear_history(nr_messages_to_preserve=10)
    assert texts(a.chat_messages[b]) == ["3", "4"]


@requirement("agent:clear-history:preserve")
def test_clear_history_keeps_the_call_of_a_kept_result() -> None:
    b = plain("b")
    a = told(2, b)
    response = {"role": "tool", "content": "r", "tool_responses": [{"content": "r"}]}
    a.send(response, b, request_reply=False, silent=True)
    a.send("end", b, request_reply=False, silent=True)
    a.clear_history(nr_messages_to_preserve=2)
    assert texts(a.chat_messages[b]) == ["1", "r", "end"]


@requirement("agent:clear-history:preserve")
def test_clear_history_of_one_preserves_nothing_and_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    b = plain("b")
    a = told(3, b)
    a.clear_history(b, nr_messages_to_preserve=2)
    assert a.chat_messages[b] == []
    assert "nr_messages_to_preserve" in capsys.readouterr().out


@requirement("agent:reset")
def test_reset_brings_an_agent_to_its_beginning(face: Face) -> None:
    b = mute("b")
    a = speaker("a", ["one"])
    seen: list[Any] = []

    def counting(recipient: Any, messages: Any, sender: Any, config: Any) -> tuple[bool, None]:
        config["n"] += 1
        seen.append(config["n"])
        return False, None

    a.register_reply(ConversableAgent, counting, config={"n": 0})
    a.register_reply(
        "nobody", counting, config={"n": 5}, reset_config=lambda config: config.update(n=9)
    )
    face.initiate_chat(b, a, message="hi", silent=True)
    assert a.get_total_usage() is not None
    a.reset()
    assert dict(a.chat_messages) == {}
    assert (a.reply_at_receive[b], a._consecutive_auto_reply_counter[b]) == (False, 0)
    assert a.get_total_usage() is None
    assert [row["config"] for row in a._reply_func_list[:2]] == [{"n": 9}, {"n": 0}]
    assert seen == [1]


@requirement("agent:functions")
def test_can_execute_function() -> None:
    a = plain("a", function_map={"f": len, "g": max})
    assert a.function_map == {"f": len, "g": max}
    assert a.can_execute_function("f")
    assert a.can_execute_function(["f", "g"])
    assert not a.can_execute_function("h")
    assert not a.can_execute_function(["f", "h"])


@requirement("agent:register-function")
def test_register_function_adds_overrides_and_removes() -> None:
    a = plain("a")
    a.register_function({"f": len, "g": len})
    with pytest.warns(UserWarning, match="overridden") as caught:
        a.register_function({"f": max})
    assert str(caught[0].message) == "Function 'f' is being overridden."
    a.register_function({"g": None})
    assert a.function_map == {"f": max}
    with pytest.warns(UserWarning, match=r"Function 'f' is being overridden\."):
        a.register_function({"f": max})
    with pytest.warns(UserWarning, match="g"):
        a.register_function({"g": None})


@requirement("agent:no-client")
def test_an_agent_without_a_model(capsys: pytest.CaptureFixture[str]) -> None:
    a = plain("a")
    assert (a.client, a.get_actual_usage(), a.get_total_usage()) == (None, None, None)
    a.print_usage_summary()
    assert "No cost incurred" in capsys.readouterr().out
    nothing = {"total_cost": 0}
    assert gather_usage_summary([a]) == {
        "usage_including_cached_inference": nothing,
        "usage_excluding_cached_inference": nothing,
    }
    with pytest.raises(ValueError, match="llm_config"):
        a.register_model_client(object)


@requirement("agent:private-names")
def test_names_that_subclasses_touch() -> None:
    rule = lambda message: False  # noqa: E731
    a = plain("a", is_termination_msg=rule, function_map={"f": len}, default_auto_reply="x")
    b = plain("b")
    assert a._oai_messages is a.chat_messages
    assert a._function_map is a.function_map
    assert a._is_termination_msg is rule
    assert a._default_auto_reply == "x"
    assert a._code_execution_config is False
    assert a._code_executor is None
    assert a._human_input == []
    assert a._match_trigger("b", b)
    assert a._message_to_dict("hi") == {"content": "hi"}
    assert a._wrap_function(len)._origin is len  # type: ignore[attr-defined]
    assert a._append_oai_message("hi", "user", b, is_sending=False) is True
    assert a._append_oai_message({}, "user", b, is_sending=False) is False
    assert a._max_consecutive_auto_reply_dict[b] == 100
    keys = "trigger reply_func config init_config reset_config ignore_async_in_sync_chat".split()
    a.register_reply("b", lambda *args, **kwargs: (False, None))
    assert set(keys) <= set(a._reply_func_list[0])
    a._prepare_chat(b, clear_history=True)
    assert (a.chat_messages[b], b.reply_at_receive[a]) == ([], True)


@requirement("agent:protocol")
def test_agents_satisfy_the_protocols() -> None:
    for cls in (ConversableAgent, AssistantAgent, UserProxyAgent):
        assert isinstance(cls("x"), Agent)
        assert isinstance(cls("x"), LLMAgent)
    assert not isinstance(ScriptedHuman([]), Agent)


METHODS = {
    "send": "message recipient request_reply silent",
    "receive": "message sender request_reply silent",
    "generate_reply": "messages sender",
    "initiate_chat": (
        "recipient clear_history silent cache max_turns summary_method summary_args message"
    ),
    "initiate_chats": "chat_queue",
    "generate_init_message": "message",
    "check_termination_and_human_reply": "messages sender config",
    "generate_function_call_reply": "messages sender config",
    "generate_tool_calls_reply": "messages sender config",
    "generate_oai_reply": "messages sender config",
    "get_human_input": "prompt",
    "execute_function": "func_call verbose",
}
SYNC_METHODS = {
    "generate_code_execution_reply": "messages sender config",
    "execute_code_blocks": "code_blocks",
    "run_code": "code",
    "register_reply": (
        "trigger reply_func position config reset_config ignore_async_in_sync_chat "
        "remove_other_reply_funcs"
    ),
    "replace_reply_func": "old_reply_func new_reply_func",
    "register_nested_chats": ("chat_queue trigger reply_func_from_nested_chats position use_async"),
    "register_hook": "hookable_method hook",
    "register_function": "function_map",
    "register_for_llm": "name description api_style",
    "register_for_execution": "name",
    "register_model_client": "model_client_cls",
    "update_tool_signature": "tool_sig is_remove",
    "update_function_signature": "func_sig is_remove",
    "update_system_message": "system_message",
    "update_max_consecutive_auto_reply": "value sender",
    "max_consecutive_auto_reply": "sender",
    "reset_consecutive_auto_reply_counter": "sender",
    "stop_reply_at_receive": "sender",
    "clear_history": "recipient nr_messages_to_preserve",
    "chat_messages_for_summary": "agent",
    "last_message": "agent",
    "can_execute_function": "name",
    "get_chat_results": "chat_index",
    "print_usage_summary": "mode",
    "reset": "",
}
TWINS = {f"a_{name}": arguments for name, arguments in METHODS.items()}


@requirement("agent:methods")
@pytest.mark.parametrize("cls", [ConversableAgent, AssistantAgent, UserProxyAgent])
@pytest.mark.parametrize("method, arguments", [*(METHODS | SYNC_METHODS | TWINS).items()])
def test_methods_take_the_arguments_of_before(cls: Any, method: str, arguments: str) -> None:
    names = list(inspect.signature(getattr(cls, method)).parameters)[1:]
    wanted = arguments.split()
    assert names[: len(wanted)] == wanted
