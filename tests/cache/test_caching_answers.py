"""Cached answers: what is kept, who pays, and single flight."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from tests.compat.requirements import requirement

from autogen._kernel.drive import drive_sync
from autogen._kernel.drive_async import drive_async
from autogen._kernel.ops import Core, Gather
from autogen.cache.base import AbstractCache
from autogen.cache.cache import Cache
from autogen.cache.memory import InMemoryCache
from autogen.errors import ServerFault, UsageError
from autogen.oai.client import OpenAIWrapper

HELLO = [{"role": "user", "content": "hello"}]


class Client:
    """A model client that counts its calls."""

    def __init__(self, text: str = "hi", *, before: Callable[[], Any] = lambda: None):
        self.n = 0
        self.text = text
        self.before = before

    def create(self, params: dict[str, Any]) -> Any:
        self.n += 1
        self.before()
        message = SimpleNamespace(content=self.text, tool_calls=None, function_call=None)
        return SimpleNamespace(choices=[SimpleNamespace(message=message)], model="m")

    def message_retrieval(self, response: Any) -> list[Any]:
        return [choice.message.content for choice in response.choices]

    def cost(self, response: Any) -> float:
        return 0.5

    @staticmethod
    def get_usage(response: Any) -> dict[str, Any]:
        return {
            "prompt_tokens": 3,
            "completion_tokens": 2,
            "total_tokens": 5,
            "cost": response.cost,
            "model": response.model,
        }


def wrapper(client: Client, **base: Any) -> OpenAIWrapper:
    return OpenAIWrapper(config_list=[{"model": "m", "model_client": client}], **base)


@pytest.fixture(params=["sync", "async"])
def drive(request: pytest.FixtureRequest) -> Callable[[Core[Any]], Any]:
    """Runs a core coroutine on the face under test."""
    if request.param == "sync":
        return drive_sync
    return lambda core: asyncio.run(drive_async(core))


@pytest.fixture(params=["memory", "disk"])
def cache(request: pytest.FixtureRequest, tmp_path) -> Any:
    return InMemoryCache() if request.param == "memory" else Cache.disk("t", str(tmp_path))


@requirement("cache:hit")
def test_same_question_is_asked_once_and_paid_once(drive, cache):
    client = Client()
    made = wrapper(client)
    first = drive(made._create(messages=HELLO, cache=cache))
    again = drive(made._create(messages=[{"content": "hello", "role": "user"}], cache=cache))
    assert client.n == 1
    assert made.extract_text_or_completion_object(again) == ["hi"]
    assert (first.is_cached, again.is_cached) == (False, True)
    assert (first.cost, again.cost) == (0.5, 0.5)
    assert made.total_usage_summary["m"]["total_tokens"] == 10
    assert made.actual_usage_summary["m"]["total_tokens"] == 5


@pytest.mark.parametrize(
    "change",
    [{"temperature": 1}, {"messages": [{"role": "user", "content": "other"}]}, {"model": "m2"}],
    ids=str,
)
def test_another_question_is_asked(drive, cache, change):
    client = Client()
    made = wrapper(client)
    drive(made._create(messages=HELLO, cache=cache))
    drive(made._create(**{"messages": HELLO, "cache": cache, **change}))
    assert client.n == 2


def test_streamed_answer_serves_plain_questions(drive, cache):
    client = Client()
    made = wrapper(client)
    drive(made._create(messages=HELLO, cache=cache, stream=True))
    assert drive(made._create(messages=HELLO, cache=cache)).is_cached


@requirement("cache:off")
def test_caching_is_off_unless_asked_for(drive, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    client = Client()
    for base in ({}, {"cache_seed": None}):
        made = wrapper(client, **base)
        drive(made._create(messages=HELLO))
        drive(made._create(messages=HELLO))
    assert client.n == 4
    assert list(tmp_path.iterdir()) == []


@requirement("cache:seed")
def test_cache_seed_makes_the_folder_named_by_it(drive, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    client = Client()
    for _ in range(2):
        drive(wrapper(client, cache_seed=41)._create(messages=HELLO))
    assert client.n == 1
    assert (tmp_path / ".cache" / "41").is_dir()


@requirement("cache:explicit")
def test_explicit_cache_beats_the_seed(drive, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    drive(wrapper(Client(), cache_seed=41)._create(messages=HELLO, cache=InMemoryCache()))
    assert not (tmp_path / ".cache").exists()


def test_seed_of_a_call_beats_that_of_the_configuration(drive, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    drive(wrapper(Client(), cache_seed=41)._create(messages=HELLO, cache_seed=7))
    assert [p.name for p in (tmp_path / ".cache").iterdir()] == ["7"]


@requirement("cache:seed")
def test_a_call_with_seed_none_keeps_nothing_whatever_the_configuration_says(
    drive, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    client = Client()
    made = wrapper(client, cache_seed=41)
    for seed in ({}, {"cache_seed": None}, {}):
        drive(made._create(messages=HELLO, **seed))
    assert client.n == 2


@requirement("cache:filtered")
def test_rejected_answer_is_kept_and_filtered_again(drive, cache):
    client = Client()
    made = wrapper(client, filter_func=lambda context, response: False)
    for _ in range(2):
        response = drive(made._create(messages=HELLO, cache=cache))
        assert response.pass_filter is False
    assert client.n == 1


def test_answer_without_the_shape_of_a_completion_is_given_but_not_kept(drive, cache, caplog):
    client = SimpleNamespace(
        create=lambda params: SimpleNamespace(text="x"),
        message_retrieval=lambda response: [response.text],
        cost=lambda response: 0.0,
        get_usage=lambda response: {},
    )
    made = wrapper(client)  # type: ignore[arg-type]
    with caplog.at_level(logging.WARNING, "autogen"):
        response = drive(made._create(messages=HELLO, cache=cache))
    assert made.extract_text_or_completion_object(response) == ["x"]
    assert "can't be cached" in caplog.text


@requirement("cache:broken")
def test_paid_answer_survives_a_cache_that_cannot_keep_it(drive, caplog):
    class Full(InMemoryCache):
        def set(self, key: str, value: Any) -> None:
            raise UsageError("the disk is full")

    with caplog.at_level(logging.WARNING, "autogen"):
        response = drive(wrapper(Client())._create(messages=HELLO, cache=Full()))
    assert response.choices[0].message.content == "hi"
    assert "the disk is full" in caplog.text


@requirement("cache:own")
def test_cache_of_a_users_own_making_serves(drive):
    class Mine:
        def __init__(self) -> None:
            self.values: dict[str, Any] = {}

        def get(self, key: str, default: Any = None) -> Any:
            return self.values.get(key, default)

        def set(self, key: str, value: Any) -> None:
            self.values[key] = value

        def close(self) -> None: ...

        def __enter__(self) -> Mine:
            return self

        def __exit__(self, *args: Any) -> None: ...

    mine = Mine()
    assert isinstance(mine, AbstractCache)
    client = Client()
    made = wrapper(client)
    for _ in range(2):
        drive(made._create(messages=HELLO, cache=mine))
    assert client.n == 1
    assert len(mine.values) == 1


# ------------------------------------------------------------------------------------ single flight


@requirement("cache:single-flight")
def test_fifty_threads_with_one_question_make_one_call(cache, wait_s):
    everybody_is_here = threading.Barrier(50)
    client = Client()
    made = wrapper(client)

    def ask() -> str:
        everybody_is_here.wait(wait_s)
        text: str = made.create(messages=HELLO, cache=cache).choices[0].message.content
        return text

    with ThreadPoolExecutor(50) as threads:
        texts = [f.result(wait_s) for f in [threads.submit(ask) for _ in range(50)]]
    assert texts == ["hi"] * 50
    assert client.n == 1
    assert made.actual_usage_summary["m"]["total_tokens"] == 5
    assert made.total_usage_summary["m"]["total_tokens"] == 250


@requirement("cache:single-flight")
def test_fifty_tasks_with_one_question_make_one_call(cache):
    class Slow(Client):
        async def a_create(self, params: dict[str, Any]) -> Any:
            await asyncio.sleep(0)
            return self.create(params)

    client = Slow()
    made = wrapper(client)

    async def main() -> list[Any]:
        return await asyncio.gather(
            *(made.a_create(messages=HELLO, cache=cache) for _ in range(50))
        )

    assert [r.choices[0].message.content for r in asyncio.run(main())] == ["hi"] * 50
    assert client.n == 1


def test_threads_wait_for_a_task_on_an_event_loop(cache, wait_s):
    asked, go = threading.Event(), threading.Event()

    class Slow(Client):
        async def a_create(self, params: dict[str, Any]) -> Any:
            asked.set()
            await asyncio.to_thread(go.wait, wait_s)
            return self.create(params)

    client = Slow()
    made = wrapper(client)
    with ThreadPoolExecutor(2) as threads:
        leader = threads.submit(lambda: asyncio.run(made.a_create(messages=HELLO, cache=cache)))
        assert asked.wait(wait_s)
        follower = threads.submit(lambda: made.create(messages=HELLO, cache=cache))
        go.set()
        assert leader.result(wait_s).is_cached is False
        assert follower.result(wait_s).is_cached is True
    assert client.n == 1


def test_branches_of_one_thread_share_a_flight_without_waiting_for_themselves(drive, cache):
    class Slow(Client):
        async def create(self, params: dict[str, Any]) -> Any:  # type: ignore[override]
            await asyncio.sleep(0)
            return super().create(params)

    client = Slow()
    made = wrapper(client)

    async def both() -> list[Any]:
        return await Gather([made._create(messages=HELLO, cache=cache) for _ in range(3)])

    assert [r.choices[0].message.content for r in drive(both())] == ["hi"] * 3
    assert client.n == 1


def test_next_in_line_takes_over_when_the_first_fails(cache, wait_s):
    faults = [ServerFault("down", retryable=False)]
    started, go = threading.Event(), threading.Event()

    def before() -> None:
        started.set()
        if faults:
            go.wait(wait_s)
            raise faults.pop()

    client = Client(before=before)
    made = wrapper(client)
    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(lambda: made.create(messages=HELLO, cache=cache))
        assert started.wait(wait_s)
        others = [
            threads.submit(lambda: made.create(messages=HELLO, cache=cache)) for _ in range(2)
        ]
        go.set()
        with pytest.raises(ServerFault):
            first.result(wait_s)
        assert [o.result(wait_s).choices[0].message.content for o in others] == ["hi", "hi"]
    assert client.n == 2


def test_next_in_line_takes_over_when_the_first_is_cancelled(cache):
    class Endless(Client):
        async def a_create(self, params: dict[str, Any]) -> Any:
            if self.n == 0:
                self.n += 1
                await asyncio.Event().wait()
            return self.create(params)

    client = Endless()
    made = wrapper(client)

    async def main() -> Any:
        first = asyncio.ensure_future(made.a_create(messages=HELLO, cache=cache))
        while client.n == 0:
            await asyncio.sleep(0)
        second = asyncio.ensure_future(made.a_create(messages=HELLO, cache=cache))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait([first])
        assert first.cancelled()
        return await second

    assert asyncio.run(asyncio.wait_for(main(), 5)).choices[0].message.content == "hi"
    assert client.n == 2


def test_client_that_asks_its_own_question_again_does_not_wait_for_itself(drive, cache):
    depth = []

    def before() -> None:
        depth.append(1)
        if len(depth) == 1:
            made.create(messages=HELLO, cache=cache)

    made = wrapper(Client(before=before))
    assert drive(made._create(messages=HELLO, cache=cache)).choices[0].message.content == "hi"
    assert len(depth) == 2
