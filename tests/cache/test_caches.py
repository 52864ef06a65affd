"""The caches themselves: what they keep, where, and how they fail."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import shutil
import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import pytest
from tests.compat.requirements import requirement

from autogen.cache import AbstractCache, Cache, sqlite
from autogen.cache.abstract_cache_base import AbstractCache as OldAbstractCache
from autogen.cache.cache_factory import CacheFactory
from autogen.cache.cosmos_db_cache import CosmosDBCache
from autogen.cache.disk_cache import DiskCache
from autogen.cache.in_memory_cache import InMemoryCache
from autogen.cache.key import request_key
from autogen.cache.redis_cache import RedisCache
from autogen.errors import UsageError


@pytest.fixture(params=["memory", "disk", "Cache.disk"])
def cache(request: pytest.FixtureRequest, tmp_path) -> AbstractCache:
    if request.param == "memory":
        return InMemoryCache("seed")
    if request.param == "disk":
        return DiskCache(tmp_path / "41")
    return Cache.disk(41, str(tmp_path))


@requirement("cache:values")
@pytest.mark.parametrize(
    "value", [None, 1, "text ü \ud800 \0", [1, {"a": None}], {"b": 0.5}], ids=repr
)
def test_value_comes_back_as_it_was_set(cache, value):
    cache.set("k", value)
    assert cache.get("k", "default") == value


@requirement("cache:values")
def test_missing_key_gives_the_default(cache):
    assert cache.get("k") is None
    assert cache.get("k", 3) == 3


def test_later_value_replaces_the_earlier(cache):
    cache.set("k", 1)
    cache.set("k", 2)
    assert cache.get("k") == 2


@requirement("cache:context")
def test_cache_is_a_context_manager_and_may_be_closed_twice(cache):
    with cache as same:
        assert same is cache
        same.set("k", 1)
    cache.close()


@requirement("cache:disk")
def test_disk_cache_is_still_there_for_the_next_one(tmp_path):
    with Cache.disk(1, str(tmp_path)) as first:
        first.set("k", [1])
    with Cache.disk(1, str(tmp_path)) as second, Cache.disk(2, str(tmp_path)) as other:
        assert second.get("k") == [1]
        assert other.get("k") is None
    assert sorted(p.name for p in tmp_path.iterdir()) == ["1", "2"]


def test_folder_deleted_while_open_is_made_again(tmp_path):
    cache = Cache.disk(1, str(tmp_path))
    cache.set("k", 1)
    shutil.rmtree(tmp_path / "1")
    assert cache.get("k") is None
    cache.set("k", 2)
    assert Cache.disk(1, str(tmp_path)).get("k") == 2


def test_more_files_than_stay_open_at_once(tmp_path):
    caches = [DiskCache(tmp_path / str(i)) for i in range(70)]
    for i, cache in enumerate(caches):
        cache.set("k", i)
    assert [cache.get("k") for cache in caches] == list(range(70))


@requirement("cache:shared")
def test_threads_share_one_file(tmp_path, wait_s):
    def work(i: int) -> Any:
        cache = Cache.disk(1, str(tmp_path))
        cache.set(f"k{i}", i)
        return cache.get(f"k{i}")

    with ThreadPoolExecutor(16) as threads:
        assert list(threads.map(work, range(200), timeout=wait_s)) == list(range(200))


def _child(folder: str) -> None:
    cache = Cache.disk(1, folder)
    assert cache.get("parent") == 1
    for i in range(50):
        cache.set(f"{os.getpid()}-{i}", i)
    os._exit(7)


@requirement("cache:shared")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forked_children_write_beside_their_parent(tmp_path, wait_s):
    cache = Cache.disk(1, str(tmp_path))
    cache.set("parent", 1)
    fork = multiprocessing.get_context("fork")
    children = [fork.Process(target=_child, args=(str(tmp_path),)) for _ in range(3)]
    for child in children:
        child.start()
    for i in range(50):
        cache.set(f"mine-{i}", i)
    for child in children:
        child.join(wait_s)
    assert [child.exitcode for child in children] == [7, 7, 7]
    assert [cache.get(f"{child.pid}-49") for child in children] == [49, 49, 49]


@requirement("cache:json")
def test_nothing_on_disk_is_ever_unpickled(tmp_path):
    class Bomb:
        def __reduce__(self) -> Any:
            return os.abort, ()

    cache = DiskCache(tmp_path)
    cache.set("k", 1)
    with sqlite3.connect(tmp_path / "answers.sqlite3") as connection:
        connection.execute(
            "UPDATE answers SET value = ?", (pickle.dumps(Bomb()).decode("latin-1"),)
        )
    connection.close()
    assert cache.get("k", "default") == "default"


def test_value_that_is_not_json_is_refused_on_disk(tmp_path):
    with pytest.raises(UsageError, match="type set can't be cached"):
        DiskCache(tmp_path).set("k", {1, 2})


def test_file_that_is_no_database_is_named_with_the_way_out(tmp_path):
    (tmp_path / "answers.sqlite3").write_text("this is not a database, it is a poem" * 9)
    with pytest.raises(UsageError, match=r"answers.sqlite3.*delete it, or use another cache_seed"):
        DiskCache(tmp_path)


def test_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"the cache file .*can't be used"):
        DiskCache(tmp_path / "file" / "41")


def test_read_only_database_is_told_with_the_way_out(tmp_path, monkeypatch):
    cache = DiskCache(tmp_path)
    cache.set("k", 1)
    sqlite._open.files[cache._path]._connection.execute("PRAGMA query_only = 1")
    with pytest.raises(UsageError, match="read-only; make it writable"):
        cache.set("k", 2)
    assert cache.get("k") == 1


def test_locked_database_is_told_with_the_way_out(tmp_path):
    cache = DiskCache(tmp_path)
    sqlite._open.files[cache._path]._connection.execute("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(tmp_path / "answers.sqlite3", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(UsageError, match="another process holds it"):
            cache.set("k", 1)
    finally:
        other.execute("ROLLBACK")
        other.close()
    cache.set("k", 2)
    assert cache.get("k") == 2


# ---------------------------------------------------------------------------------------- the names


@requirement("cache:bad-key")
def test_unknown_configuration_key_is_refused():
    with pytest.raises(ValueError, match=r"^Invalid config key: colour$"):
        Cache({"cache_seed": 1, "colour": "red"})


@pytest.mark.parametrize("seed", ["", "..", "a/b", "a\0b"], ids=repr)
def test_seed_that_cannot_name_a_folder_is_refused(seed, tmp_path):
    with pytest.raises(UsageError, match="cache_seed is"):
        Cache.disk(seed, str(tmp_path))
    assert list(tmp_path.iterdir()) == []


@requirement("cache:names")
def test_old_module_paths_give_the_same_classes(tmp_path):
    assert OldAbstractCache is AbstractCache
    assert isinstance(CacheFactory.cache_factory(1, cache_path_root=str(tmp_path)), DiskCache)


@requirement("cache:cosmos")
@pytest.mark.parametrize(
    "make", [lambda: Cache.cosmos_db("x", "y"), lambda: CosmosDBCache("x", {})]
)
def test_cosmos_db_names_what_to_use_instead(make):
    with pytest.raises(UsageError, match=r"Cache\.redis.*Cache\.disk"):
        make()


class FakeRedis:
    """The part of the `redis` package that the adapter uses."""

    RedisError = ConnectionError
    values: ClassVar[dict[str, str]] = {}
    Redis: ClassVar[type[FakeRedis]]

    @classmethod
    def from_url(cls, url: str) -> FakeRedis:
        if "://" not in url:
            raise ValueError("no scheme")
        return cls()

    def get(self, key: str) -> str | None:
        if key.endswith(":down"):
            raise ConnectionError("Error connecting to redis://me:secret@host")
        return self.values.get(key)

    def set(self, key: str, value: str) -> None:
        self.values[key] = value

    def close(self) -> None: ...


FakeRedis.Redis = FakeRedis


@requirement("cache:redis", "cache:json")
def test_redis_holds_json_under_keys_of_its_seed(monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", FakeRedis)
    with Cache.redis(41, "redis://me:secret@host/0") as cache:
        cache.set("k", {"a": 1})
        assert cache.get("k") == {"a": 1}
        assert cache.get("other", 2) == 2
        assert FakeRedis.values == {"autogen:41:k": '{"a": 1}'}
        FakeRedis.values["autogen:41:k"] = "not json"
        assert cache.get("k") is None
        with pytest.raises(UsageError, match="can't be cached"):
            cache.set("k", object())
        with pytest.raises(UsageError, match="is the server running") as caught:
            cache.get("down")
    assert "secret" not in str(caught.value)
    with pytest.raises(UsageError, match="redis_url 'nowhere' can't be used"):
        Cache.redis(41, "nowhere")


def test_redis_without_its_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(UsageError, match=r'pip install -e "\.\[redis\]"'):
        RedisCache(1, "redis://user:secret@localhost/0")


# ------------------------------------------------------------------------------------------ the key


@requirement("cache:key")
def test_key_knows_question_model_and_provider_and_no_secret():
    params = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    key = request_key({**params, "api_key": "a"}, provider="http://one")
    assert key == request_key({"messages": params["messages"], "model": "m"}, provider="http://one")
    assert key == request_key({**params, "cache_seed": 1, "timeout": 3}, provider="http://one")
    assert key != request_key(params, provider="http://two")
    assert key != request_key({**params, "model": "n"}, provider="http://one")


def test_key_of_odd_values():
    class Schema:
        @staticmethod
        def model_json_schema() -> dict[str, Any]:
            return {"type": "object"}

    def key(value: Any) -> str | None:
        return request_key({"x": value}, provider="p")

    assert key(Schema) == key({"type": "object"})
    assert key(b"\0") is not None
    assert key({2, 1}) == key([1, 2])
    assert key("\ud800") is not None
    assert key(object()) is None
    assert key({1: 0, "a": 0}) is None
    assert key(json.loads("[" * 900 + "]" * 900)) is not None
