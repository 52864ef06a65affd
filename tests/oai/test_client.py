"""`OpenAIWrapper` under its 0.2 names: clients of users, options, account, printing."""

from __future__ import annotations

import asyncio
import logging
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from tests.compat.requirements import requirement

import autogen.oai
from autogen import ConversableAgent, gather_usage_summary
from autogen.cache.in_memory_cache import InMemoryCache
from autogen.errors import UsageError
from autogen.human.stream import IOStream
from autogen.models.base import ChatCompletion, ChatCompletionMessage, Choice, CompletionUsage
from autogen.oai import openai_utils
from autogen.oai.client import ModelClient, OpenAIClient, OpenAIWrapper, PlaceHolderClient

HELLO = [{"role": "user", "content": "hello"}]


class MyClient:
    """A model client as a 0.2 program has it."""

    def __init__(self, config: dict[str, Any], **kwargs: Any):
        self.config = config
        self.kwargs = kwargs
        self.params: list[dict[str, Any]] = []

    def create(self, params: dict[str, Any]) -> Any:
        self.params.append(params)
        choices = [SimpleNamespace(message=SimpleNamespace(content="mine", function_call=None))]
        return SimpleNamespace(choices=choices, model="my-model")

    def message_retrieval(self, response: Any) -> list[str]:
        return [f"[{choice.message.content}]" for choice in response.choices]

    def cost(self, response: Any) -> float:
        return 0.25

    @staticmethod
    def get_usage(response: Any) -> dict[str, Any]:
        return {
            "prompt_tokens": 4,
            "completion_tokens": 1,
            "total_tokens": 5,
            "cost": response.cost,
            "model": response.model,
        }


ENTRY = {"model": "my-model", "model_client_cls": "MyClient", "device": "cpu", "api_key": "sk-x"}


def registered(**base: Any) -> OpenAIWrapper:
    wrapper = OpenAIWrapper(config_list=[ENTRY], **base)
    wrapper.register_model_client(MyClient)
    return wrapper


def client_of(wrapper: OpenAIWrapper) -> Any:
    return wrapper._router.entries[0].client.client


class Carrier:
    """A transport that answers what it is told to."""

    async def complete(self, endpoint: Any, request: Any) -> ChatCompletion:
        return ChatCompletion(
            [Choice(ChatCompletionMessage(f"{endpoint.model} answers"))],
            model=endpoint.model,
            usage=CompletionUsage(1000, 1000, 2000),
        )


# ------------------------------------------------------------------------------ clients of users


@requirement("client:registered", "usage:summary")
def test_registered_client_answers(face):
    wrapper = registered()
    response = face.create(wrapper, messages=HELLO)
    assert wrapper.extract_text_or_completion_object(response) == ["[mine]"]
    assert (response.cost, response.cost_usd, response.config_id) == (0.25, 0.25, 0)
    assert wrapper.total_usage_summary == {
        "total_cost": 0.25,
        "my-model": {
            "cost": 0.25,
            "prompt_tokens": 4,
            "completion_tokens": 1,
            "total_tokens": 5,
        },
    }


@requirement("client:arguments")
def test_client_gets_its_entry_and_the_keywords_of_its_registration():
    wrapper = OpenAIWrapper(config_list=[ENTRY])
    wrapper.register_model_client(MyClient, loaded="model")
    assert client_of(wrapper).config == ENTRY
    assert client_of(wrapper).kwargs == {"loaded": "model"}


@requirement("client:api-type")
def test_client_may_have_an_api_type_of_its_own(face):
    entry = {**ENTRY, "api_type": "mine"}
    agent = ConversableAgent("agent", llm_config={"config_list": [entry]})
    agent.register_model_client(MyClient)
    assert face.generate_reply(agent, messages=HELLO) == "[mine]"
    assert client_of(agent.client).config == entry
    wrapper = OpenAIWrapper(model="m", api_type="mine", model_client=MyClient({}), cache_seed=None)
    assert face.create(wrapper, messages=HELLO, price=1.0).cost == 0.005


@requirement("client:params", "wrapper:options")
def test_client_gets_request_options_and_the_other_keys_of_its_entry(face):
    wrapper = registered(temperature=0.5, cache_seed=None)
    face.create(wrapper, messages=HELLO, agent=object(), top_p=0.1)
    assert client_of(wrapper).params == [
        {
            "model": "my-model",
            "model_client_cls": "MyClient",
            "device": "cpu",
            "temperature": 0.5,
            "top_p": 0.1,
            "messages": HELLO,
        }
    ]


def test_params_of_one_call_are_not_those_of_the_next(face):
    wrapper = registered()
    face.create(wrapper, messages=HELLO)
    client_of(wrapper).params[0]["temperature"] = 9
    face.create(wrapper, messages=HELLO)
    assert "temperature" not in client_of(wrapper).params[1]


@requirement("client:unregistered")
def test_unregistered_client_is_named_when_asked(face):
    wrapper = OpenAIWrapper(config_list=[{"model": "a", "api_key": "k"}, ENTRY])
    with pytest.raises(RuntimeError, match=r"'MyClient'\. Call register_model_client"):
        face.create(wrapper, messages=HELLO)


@requirement("client:unnamed")
def test_client_that_no_entry_names_is_refused():
    with pytest.raises(ValueError, match="no config entry names 'MyClient'"):
        OpenAIWrapper(model="m").register_model_client(MyClient)
    with pytest.raises(TypeError, match="give the class, which is called with the entry"):
        OpenAIWrapper(config_list=[ENTRY]).register_model_client(MyClient({}))  # type: ignore[arg-type]


@requirement("client:twice")
def test_each_registration_serves_one_entry_and_one_too_many_is_said(caplog):
    wrapper = OpenAIWrapper(config_list=[ENTRY, ENTRY])
    wrapper.register_model_client(MyClient)
    wrapper.register_model_client(MyClient)
    with caplog.at_level(logging.WARNING, "autogen"):
        wrapper.register_model_client(MyClient)
    assert "MyClient is registered already" in caplog.text


def test_sync_client_runs_in_the_callers_thread_on_the_sync_face_only():
    where: list[int] = []

    class Noting(MyClient):
        def create(self, params: dict[str, Any]) -> Any:
            where.append(threading.get_ident())
            return super().create(params)

    wrapper = OpenAIWrapper(config_list=[{"model": "m", "model_client": Noting({})}])
    wrapper.create(messages=HELLO)
    asyncio.run(wrapper.a_create(messages=HELLO))
    assert where[0] == threading.get_ident()
    assert where[1] != threading.get_ident()


@requirement("client:async")
def test_async_client_serves_both_faces(face):
    class Async(MyClient):
        async def create(self, params: dict[str, Any]) -> Any:
            await asyncio.sleep(0)
            return super().create(params)

    wrapper = OpenAIWrapper(config_list=[{"model": "m", "model_client": Async({})}])
    assert face.create(wrapper, messages=HELLO).choices[0].message.content == "mine"


def test_client_without_a_create_is_refused_at_once():
    with pytest.raises(TypeError, match="'object' has no create"):
        OpenAIWrapper(config_list=[{"model": "m", "model_client": object()}])


@requirement("client:usage-keys")
def test_client_that_leaves_out_a_usage_key_is_not_counted(face):
    class Silent(MyClient):
        @staticmethod
        def get_usage(response: Any) -> dict[str, Any]:
            return {"prompt_tokens": 4}

    wrapper = OpenAIWrapper(config_list=[{"model": "m", "model_client": Silent({})}])
    assert face.create(wrapper, messages=HELLO).cost == 0.25
    assert wrapper.total_usage_summary is None


@requirement("price:entry")
def test_price_of_the_entry_beats_what_the_client_says(face):
    entry = {"model": "m", "model_client": MyClient({}), "price": [1, 10]}
    response = face.create(OpenAIWrapper(config_list=[entry]), messages=HELLO)
    assert response.cost == pytest.approx(0.014)


@requirement("client:create-alone")
def test_client_with_create_alone_is_counted_by_the_response(face):
    usage = CompletionUsage(10, 10, 20)
    answer = ChatCompletion([Choice(ChatCompletionMessage("hi"))], model="gpt-4", usage=usage)
    client = SimpleNamespace(create=lambda params: answer)
    wrapper = OpenAIWrapper(config_list=[{"model": "m", "model_client": client}])
    response = face.create(wrapper, messages=HELLO)
    assert wrapper.extract_text_or_completion_object(response) == ["hi"]
    assert response.cost == pytest.approx(10 * 30e-6 + 10 * 60e-6)


def test_clients_and_endpoints_mix_in_one_list(face):
    def create(params: Any) -> Any:
        raise ConnectionError("down")

    wrapper = OpenAIWrapper(
        config_list=[
            {"model": "m", "model_client": SimpleNamespace(create=create)},
            {"model": "gpt-4o", "api_key": "k", "http_client": Carrier()},
        ]
    )
    response = face.create(wrapper, messages=HELLO)
    assert (response.config_id, response.choices[0].message.content) == (1, "gpt-4o answers")


# ---------------------------------------------------------------------------------- the wrapper


@requirement("wrapper:flat")
def test_flat_options_are_a_list_of_one(face):
    wrapper = OpenAIWrapper(model="gpt-4o", api_key="k", http_client=Carrier())
    assert face.create(wrapper, messages=HELLO).config_id == 0


@requirement("wrapper:no-key")
def test_making_a_wrapper_needs_no_key_and_changes_nothing():
    config_list = [{"model": "gpt-4o", "tags": ["x"]}]
    OpenAIWrapper(config_list=config_list, temperature=0)
    assert config_list == [{"model": "gpt-4o", "tags": ["x"]}]


@requirement("wrapper:bad-options")
@pytest.mark.parametrize(
    "config, text",
    [
        ({"config_list": {"model": "m"}}, "config_list is a dict; it must be a list of dicts"),
        ({"config_list": ["gpt-4"]}, r"config_list\[0\] is a str"),
        (
            {"model": "m", "api_type": "nobody"},
            "api_type 'nobody' is not known; use one of 'openai'",
        ),
        ({"model": "m", "api_type": 3}, "api_type is 3"),
        ({"model": "m", "price": [1]}, r"price is \[1\]"),
        ({"model": "m", "price": "free"}, "price is 'free'"),
        ({"model": "m", "api_rate_limit": 0}, "api_rate_limit is 0"),
    ],
)
def test_bad_option_is_refused_with_its_value(config, text):
    with pytest.raises(UsageError, match=text):
        OpenAIWrapper(**config)


@requirement("wrapper:bad-options")
@pytest.mark.parametrize(
    "option, text",
    [
        ({"timeout": -1}, "timeout is -1"),
        ({"timeout": "slow"}, "timeout is 'slow'"),
        ({"max_retries": 1.5}, r"max_retries is 1\.5"),
        ({"base_url": "ftp://x"}, "base_url 'ftp://x' is not an http or https address"),
        ({"api_key": 3}, "api_key is a int"),
        ({"default_query": {"a": 1}}, "default_query is not supported"),
        ({"api_type": "azure"}, "names no endpoint"),
    ],
)
def test_bad_client_option_is_refused_at_the_first_call(face, option, text):
    wrapper = OpenAIWrapper(**{"model": "m", "api_key": "k", **option})
    with pytest.raises(UsageError, match=text):
        face.create(wrapper, messages=HELLO)


def test_missing_model_is_refused_at_the_first_call(face):
    with pytest.raises(UsageError, match="config entry 0 names no model"):
        face.create(OpenAIWrapper(api_key="k"), messages=HELLO)


def test_reconfiguring_keeps_the_account_and_the_registered_clients(face):
    wrapper = registered()
    face.create(wrapper, messages=HELLO)
    client = client_of(wrapper)
    wrapper.reconfigure(config_list=[ENTRY], tools=[{"type": "function"}])
    face.create(wrapper, messages=HELLO)
    assert client_of(wrapper) is client
    assert client.params[1]["tools"] == [{"type": "function"}]
    assert wrapper.total_usage_summary["my-model"]["total_tokens"] == 10


@requirement("config:shared")
def test_configurations_are_shared_not_copied():
    class Lock:
        def __deepcopy__(self, memo: Any) -> Any:
            raise TypeError("must not be copied")

    lock = Lock()
    wrapper = OpenAIWrapper(config_list=[{**ENTRY, "device": lock}])
    wrapper.register_model_client(MyClient)
    wrapper.create(messages=HELLO)
    assert client_of(wrapper).params[0]["device"] is lock


@requirement("wrapper:option-sets")
def test_option_sets_are_public():
    assert {"cache_seed", "filter_func", "context", "price", "tags"} <= OpenAIWrapper.extra_kwargs
    assert {"api_key", "base_url", "timeout", "max_retries"} <= OpenAIWrapper.openai_kwargs


@requirement("wrapper:templates")
def test_instantiate_is_public():
    assert OpenAIWrapper.instantiate("{x}", {"x": 1}, True) == "1"
    assert OpenAIWrapper.instantiate("{x}", {"x": 1}) == "{x}"
    assert OpenAIWrapper.instantiate(lambda c: c["x"], {"x": "2"}) == "2"


@requirement("wrapper:secrets")
def test_nothing_of_a_key_is_in_any_repr():
    wrapper = OpenAIWrapper(config_list=[{"model": "m", "api_key": "sk-verysecret"}])
    entry = wrapper._router.entries[0]
    assert "verysecret" not in f"{entry!r} {entry.endpoint('m')!r} {wrapper!r}"


# ----------------------------------------------------------------------------------- the account


class Lines:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def print(self, *objects: Any, **_: Any) -> None:
        self.lines.append(" ".join(map(str, objects)))

    def input(self, prompt: str = "", *, password: bool = False) -> str:
        raise AssertionError


def printed(wrapper: OpenAIWrapper, *mode: Any) -> str:
    lines = Lines()
    with IOStream.set_default(lines):
        wrapper.print_usage_summary(*mode)
    return "\n".join(lines.lines)


@requirement("usage:none")
def test_summaries_are_none_before_use_and_after_clearing():
    wrapper = registered()
    assert (wrapper.total_usage_summary, wrapper.actual_usage_summary) == (None, None)
    assert "nothing was asked yet" in printed(wrapper)
    wrapper.create(messages=HELLO)
    wrapper.clear_usage_summary()
    assert (wrapper.total_usage_summary, wrapper.actual_usage_summary) == (None, None)


@requirement("usage:printed")
@pytest.mark.parametrize(
    "mode", [[], ["actual", "total"], "actual", "total", ["total"], "both"], ids=str
)
def test_printed_summary_names_model_tokens_and_cost(mode):
    wrapper = registered()
    wrapper.create(messages=HELLO)
    if mode == []:
        text = printed(wrapper)
    else:
        text = printed(wrapper, mode)
    assert "* my-model: 0.25000 USD, 4 prompt tokens, 1 completion tokens, 5 tokens in all" in text


@requirement("usage:printed:mode")
@pytest.mark.parametrize("mode", ["sum", [], ["actual", "x"]], ids=str)
def test_unknown_mode_is_refused(mode):
    with pytest.raises(ValueError, match="use 'actual', 'total'"):
        registered().print_usage_summary(mode)


@requirement("price:unknown")
def test_unknown_price_is_printed_as_unknown():
    wrapper = OpenAIWrapper(model="nobody-knows-me", api_key="k", http_client=Carrier())
    wrapper.create(messages=HELLO)
    assert "* nobody-knows-me: cost unknown, 1000 prompt tokens" in printed(wrapper)
    assert "0.00000 USD + unknown" in printed(wrapper)


def test_answers_from_a_cache_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    registered(cache_seed=1).create(messages=HELLO)
    wrapper = registered(cache_seed=1)
    wrapper.create(messages=HELLO)
    assert "nothing was paid" in printed(wrapper)
    wrapper.create(messages=[{"role": "user", "content": "new"}])
    text = printed(wrapper)
    assert "cached answers included: 0.50000 USD" in text
    assert "cached answers left out: 0.25000 USD" in text


@requirement("usage:gather")
def test_usage_of_agents_is_added_up_with_and_without_cached_answers(face):
    cache = InMemoryCache()
    agents = []
    for name in ("a", "b"):
        agent = ConversableAgent(name, llm_config={"config_list": [ENTRY]})
        agent.register_model_client(MyClient)
        face.create(agent.client, messages=HELLO, cache=cache)
        agents.append(agent)
    found = gather_usage_summary([*agents, ConversableAgent("mute", llm_config=False)])
    row = {"cost": 0.25, "prompt_tokens": 4, "completion_tokens": 1, "total_tokens": 5}
    assert found == {
        "usage_including_cached_inference": {
            "total_cost": 0.5,
            "my-model": {key: 2 * value for key, value in row.items()},
        },
        "usage_excluding_cached_inference": {"total_cost": 0.25, "my-model": row},
    }


# ------------------------------------------------------------------------------------- the names


def test_module_gives_the_old_names():
    for name in autogen.oai.__all__:
        assert getattr(autogen.oai, name) is not None
    assert autogen.oai.OpenAIWrapper is OpenAIWrapper
    assert ModelClient.RESPONSE_USAGE_KEYS[-1] == "model"


def test_placeholder_says_what_to_do():
    with pytest.raises(RuntimeError, match="register_model_client"):
        PlaceHolderClient({"model_client_cls": "X"}).create({})


@requirement("client:openai")
def test_openai_client_is_a_model_client():
    client = OpenAIClient({"model": "gpt-4", "api_key": "k", "http_client": Carrier()})
    assert isinstance(client, ModelClient)
    response = client.create({"messages": HELLO})
    assert client.message_retrieval(response) == ["gpt-4 answers"]
    assert client.cost(response) == pytest.approx(0.09)
    assert set(ModelClient.RESPONSE_USAGE_KEYS) == set(client.get_usage(response))
    assert asyncio.run(client.a_create({"messages": HELLO})).model == "gpt-4"
    with pytest.raises(TypeError, match="config entry"):
        OpenAIClient("sk-x")  # type: ignore[arg-type]


@requirement("price:table")
def test_price_table_is_per_thousand_tokens():
    assert openai_utils.OAI_PRICE1K["gpt-4"] == (0.03, 0.06)


def test_get_key_leaves_credentials_out():
    one = openai_utils.get_key({"b": 1, "a": 2, "api_key": "sk-x", "base_url": "http://x"})
    assert one == openai_utils.get_key({"a": 2, "b": 1}) == '{"a": 2, "b": 1}'


def test_retired_names_import_from_where_0_2_had_them():
    from autogen import oai

    for name in ("ChatCompletion", "Completion"):
        with pytest.raises(UsageError, match="retired"):
            getattr(oai, name).create()


@requirement("client:response-protocol")
def test_model_client_names_the_protocol_of_its_response() -> None:
    protocol = ModelClient.ModelClientResponseProtocol
    assert protocol.Choice.Message.__annotations__ == {"content": "str | None"}

    class Mine(ModelClient):
        def create(self, params: dict[str, Any]) -> ModelClient.ModelClientResponseProtocol:
            raise NotImplementedError

    assert Mine.ModelClientResponseProtocol is protocol
