"""Model clients of users, adapted: what may be missing, where they run, what they say."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from tests.compat.requirements import requirement

from autogen.errors import UsageError
from autogen.models.custom import ClientNotRegistered, CustomClient


def response(**message: Any) -> Any:
    return SimpleNamespace(choices=[SimpleNamespace(message=SimpleNamespace(**message))])


def test_both_flavours_of_create_are_offered_to_the_driver():
    async def create(params: Any) -> None: ...

    def plain(params: Any) -> None: ...

    only_async = CustomClient(SimpleNamespace(create=create)).create({})
    assert (only_async.sync, only_async.async_) == (None, create)
    only_sync = CustomClient(SimpleNamespace(create=plain)).create({})
    assert (only_sync.sync, only_sync.async_) == (plain, None)
    both = CustomClient(SimpleNamespace(create=plain, a_create=create)).create({})
    assert (both.sync, both.async_) == (plain, create)


def test_texts_and_calls_are_found_without_a_message_retrieval():
    retrieve = CustomClient(SimpleNamespace(create=len)).retrieve
    assert retrieve(response(content="hi")) == ["hi"]
    called = response(content=None, tool_calls=["call"])
    assert retrieve(called) == [called.choices[0].message]


@requirement("client:usage-keys")
@pytest.mark.parametrize("said", [None, {}, {"prompt_tokens": 1}])
def test_usage_that_lacks_a_key_is_none(said):
    client = CustomClient(SimpleNamespace(create=len, get_usage=lambda r: said))
    assert client.counts
    assert client.usage(object()) is None


def test_usage_keys_of_the_client_itself_count():
    own = SimpleNamespace(
        create=len, get_usage=lambda r: {"model": "m"}, RESPONSE_USAGE_KEYS=["model"]
    )
    assert CustomClient(own).usage(object()) == {"model": "m"}


@requirement("client:create-alone")
def test_client_without_create_is_told_what_is_needed():
    with pytest.raises(TypeError, match=r"'int' has no create\(params\)"):
        CustomClient(3)


def test_repr_shows_the_class_and_nothing_of_the_client():
    class Secretive:
        create = len

        def __repr__(self) -> str:
            return "sk-secret"

    assert repr(CustomClient(Secretive())) == "CustomClient(Secretive)"


def test_unregistered_is_a_runtime_and_a_usage_error():
    assert issubclass(ClientNotRegistered, RuntimeError)
    assert issubclass(ClientNotRegistered, UsageError)
