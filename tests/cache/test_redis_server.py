"""The cache in a real Redis server, started for these tests on a socket of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.compat.requirements import requirement

from autogen import Cache, ConversableAgent
from autogen.errors import UsageError
from autogen.testing import ScriptedModel


@pytest.fixture(scope="session")
def redis_url(require_part: Callable[..., Any]) -> Iterator[str]:
    program = shutil.which("redis-server")
    if program is None and os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        # Another worker of the test run may be installing something at the same time.
        apt_get = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120"]
        install = [*apt_get, "install", "-y", "--no-install-recommends", "redis-server"]
        if subprocess.run(install, env=environment, check=False).returncode:
            subprocess.run([*apt_get, "update"], env=environment, check=False)
            subprocess.run(install, env=environment, check=False)
        program = shutil.which("redis-server")
    if program is None:
        require_part(
            "redis server", because="redis-server is not here", do="apt-get install redis-server"
        )
    folder = Path(tempfile.mkdtemp(prefix="autogen-redis-"))
    options = ["--port", "0", "--unixsocket", str(folder / "s"), "--dir", str(folder)]
    server = subprocess.Popen(
        [program, *options, "--save", ""], stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert server.stdout is not None
    for line in server.stdout:
        if "ready to accept connections" in line.lower():
            break
    yield f"unix://{folder / 's'}"
    server.terminate()
    server.communicate(timeout=10)
    shutil.rmtree(folder)


@requirement("cache:redis")
def test_values_are_kept_as_json_under_the_keys_of_0_2(redis_url: str) -> None:
    import redis

    with Cache.redis(cache_seed=7, redis_url=redis_url) as cache:
        assert cache.get("k") is None
        cache.set("k", {"a": [1, "é", None]})
        assert cache.get("k") == {"a": [1, "é", None]}
    client = redis.Redis.from_url(redis_url)
    assert client.get("autogen:7:k") == b'{"a": [1, "\\u00e9", null]}'
    client.close()


def test_seeds_do_not_see_each_other(redis_url: str) -> None:
    with (
        Cache.redis(cache_seed="one", redis_url=redis_url) as one,
        Cache.redis(cache_seed="two", redis_url=redis_url) as two,
    ):
        one.set("k", 1)
        assert two.get("k") is None


def test_a_chat_is_answered_from_redis_the_second_time(redis_url: str) -> None:
    replies = []
    with ScriptedModel(["the only answer"]) as model:
        for _ in range(2):
            agent = ConversableAgent("a", llm_config=model.config(), human_input_mode="NEVER")
            user = ConversableAgent("u", llm_config=False, human_input_mode="NEVER")
            with Cache.redis(cache_seed=8, redis_url=redis_url) as cache:
                chat = user.initiate_chat(
                    agent, message="hi", max_turns=1, cache=cache, silent=True
                )
            replies.append(chat.summary)
    assert replies == ["the only answer"] * 2


def test_a_server_that_is_gone_is_named(tmp_path: Path) -> None:
    cache = Cache.redis(redis_url=f"unix://{tmp_path / 'nobody'}")
    with pytest.raises(UsageError, match="is the server running"):
        cache.get("k")
    cache.close()
