"""Logging of what agents do."""

from __future__ import annotations

import json
import logging
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.compat.requirements import requirement

from autogen import ConversableAgent, RunOptions, runtime_logging
from autogen.logger import BaseLogger, FileLogger, LoggerFactory, SqliteLogger
from autogen.logger.logger_utils import to_dict
from autogen.models.base import ChatCompletion, ChatCompletionMessage, Choice
from autogen.testing import LoopbackLLM

KEY = "sk-" + "a1b2c3d4" * 4


@pytest.fixture(autouse=True)
def _stopped():
    yield
    runtime_logging.stop()


@pytest.fixture
def database(tmp_path):
    return str(tmp_path / "logs.db")


@pytest.fixture
def agents():
    user = ConversableAgent("user", llm_config=False, human_input_mode="NEVER")
    worker = ConversableAgent(
        "worker",
        llm_config=False,
        human_input_mode="NEVER",
        function_map={"add": lambda a, b: a + b},
        default_auto_reply=None,
    )
    return user, worker


def tool_calls(*calls: tuple[str, str, str]) -> dict[str, Any]:
    return {
        "content": None,
        "tool_calls": [
            {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}
            for id_, name, arguments in calls
        ],
    }


def add(a: int, b: int) -> int:
    return a + b


def rows(database: str, query: str) -> list[Any]:
    connection = sqlite3.connect(database)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def answer() -> ChatCompletion:
    choice = Choice(message=ChatCompletionMessage(content="Hello"))
    return ChatCompletion(choices=[choice], model="m", cost=0.5, config_id=1, is_cached=True)


# --------------------------------------------------------------------------------- start and stop


@requirement("log:session")
def test_session_has_an_id_and_ends(database):
    assert not runtime_logging.logging_enabled()
    session = runtime_logging.start(config={"dbname": database})
    assert len(session) == 36
    assert runtime_logging.logging_enabled()
    assert isinstance(runtime_logging.get_connection(), sqlite3.Connection)
    runtime_logging.stop()
    runtime_logging.stop()
    assert not runtime_logging.logging_enabled()


def test_second_start_ends_the_first(database):
    first = runtime_logging.start(config={"dbname": database})
    connection = runtime_logging.get_connection()
    assert runtime_logging.start(config={"dbname": database}) != first
    with pytest.raises(sqlite3.ProgrammingError):
        connection.execute("SELECT 1")


def test_without_a_session_nothing_is_logged_and_nothing_fails(agents, caplog):
    user, _ = agents
    runtime_logging.log_event(user, "x", a=1)
    runtime_logging.log_new_agent(user, {})
    runtime_logging.log_function_use(user, "f", {}, 1)
    runtime_logging.log_new_wrapper(object(), {})
    runtime_logging.log_new_client(object(), object(), {})
    with runtime_logging.completion(object(), {}) as log:
        log(answer())
    assert runtime_logging.get_connection() is None
    assert "logging is not started" in caplog.text


@requirement("log:type")
def test_unknown_type_is_refused():
    with pytest.raises(ValueError, match="logger_type 'redis' is not known"):
        runtime_logging.start(logger_type="redis")  # type: ignore[arg-type]
    assert isinstance(LoggerFactory.get_logger(), SqliteLogger)
    assert isinstance(LoggerFactory.get_logger("file"), FileLogger)


def test_sqlite_is_not_loaded_before_it_is_needed():
    program = "import sys, autogen.runtime_logging; print('sqlite3' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr


# ------------------------------------------------------------------------------------- the tables


@requirement("log:database")
def test_database_has_the_tables_of_before(database):
    runtime_logging.start(config={"dbname": database})
    columns = {
        name: [column[1] for column in rows(database, f"PRAGMA table_info({name})")]
        for (name,) in rows(database, "SELECT name FROM sqlite_master WHERE type = 'table'")
    }
    assert (
        columns["chat_completions"]
        == (
            "id invocation_id client_id wrapper_id session_id source_name request response "
            "is_cached cost start_time end_time"
        ).split()
    )
    assert (
        sorted(columns)
        == (
            "agents chat_completions events function_calls oai_clients oai_wrappers version"
        ).split()
    )
    assert {"event_name", "source_id", "source_name", "agent_module", "agent_class_name"} < set(
        columns["events"]
    )
    assert rows(database, "SELECT version_number FROM version") == [(1,)]


@requirement("log:functions")
def test_conversation_is_logged_through_its_events(database, agents, face):
    user, worker = agents
    runtime_logging.start(config={"dbname": database})
    message = tool_calls(("1", "add", '{"a": 1, "b": 2}'), ("2", "nope", "{}"))
    face.initiate_chat(user, worker, message=message, silent=True, max_turns=1)
    calls = rows(
        database,
        "SELECT source_id, source_name, function_name, args, returns FROM function_calls",
    )
    # On the async face the two run at once.
    assert sorted(calls) == [
        (id(worker), "worker", "add", '{"a": 1, "b": 2}', '"3"'),
        (id(worker), "worker", "nope", "{}", '"Error: Function nope not found."'),
    ]
    received = rows(
        database,
        "SELECT source_id, source_name, agent_class_name, agent_module, json_state FROM events"
        " WHERE event_name = 'received_message'",
    )
    assert [row[:4] for row in received] == [
        (id(agent), agent.name, "ConversableAgent", "autogen.agentchat.conversable_agent")
        for agent in (worker, user)
    ]
    state = json.loads(received[0][4])
    assert state["sender"] == "user"
    assert state["valid"] is True
    assert state["message"]["tool_calls"][0]["id"] == "1"
    names = {name for (name,) in rows(database, "SELECT event_name FROM events")}
    assert {"chat.started", "chat.finished"} <= names
    assert "model.token" not in names


def test_a_reply_that_nobody_in_particular_asks_for_is_logged(database, agents, face):
    _, worker = agents
    runtime_logging.start(config={"dbname": database})
    asked = [{"role": "user", **tool_calls(("1", "add", '{"a": 1, "b": 2}'))}]
    assert face.generate_reply(worker, asked)["tool_responses"][0]["content"] == "3"
    calls = rows(database, "SELECT source_name, function_name, returns FROM function_calls")
    assert calls == [("worker", "add", '"3"')]


@requirement("log:requests", "log:secrets")
def test_request_is_logged_with_its_answer(database, agents):
    user, _ = agents
    session = runtime_logging.start(config={"dbname": database})
    wrapper = object()
    request = {"messages": [{"content": f"my key is {KEY}"}], "agent": user, "api_key": KEY}
    with runtime_logging.completion(wrapper, request) as log:
        log(answer())
    (row,) = rows(
        database,
        "SELECT client_id, wrapper_id, session_id, source_name, request, response, is_cached, cost,"
        " start_time <= end_time FROM chat_completions",
    )
    assert row[:4] == (1, id(wrapper), session, "user")
    assert json.loads(row[4]) == {"messages": [{"content": "my key is sk-***"}]}
    assert json.loads(row[5])["choices"][0]["message"]["content"] == "Hello"
    assert row[6:] == (1, 0.5, 1)


def test_request_that_fails_is_logged_and_fails(database):
    runtime_logging.start(config={"dbname": database})
    with pytest.raises(ValueError), runtime_logging.completion(object(), {}):
        raise ValueError("no answer")
    assert rows(database, "SELECT source_name, response, cost FROM chat_completions") == [
        ("", '"ValueError: no answer"', 0.0)
    ]


@requirement("log:agents")
def test_agents_wrappers_and_clients_are_logged_once_without_keys(database, agents):
    user, _ = agents
    runtime_logging.start(config={"dbname": database})
    arguments = {
        "self": user,
        "name": "user",
        "llm_config": {"config_list": [{"model": "m", "api_key": KEY, "base_url": "http://x"}]},
        "is_termination_msg": max,
        "other": user,
    }
    for _ in range(2):
        runtime_logging.log_new_agent(user, arguments)
        runtime_logging.log_new_wrapper(user, arguments)
        runtime_logging.log_new_client(user, user, arguments)
    expected = {
        "name": "user",
        "llm_config": {"config_list": [{"model": "m"}]},
        "is_termination_msg": "max",
        "other": "ConversableAgent(user)",
    }
    for table in ("agents", "oai_wrappers", "oai_clients"):
        ((found,),) = rows(database, f"SELECT init_args FROM {table}")
        assert json.loads(found) == expected
    assert KEY[:8] not in Path(database).read_bytes().decode("latin-1")


@requirement("log:requests", "log:agents")
def test_chat_with_a_model_is_logged_with_its_agent_and_its_client(database, face):
    runtime_logging.start(config={"dbname": database})
    with LoopbackLLM(["Hello"]) as server:
        config = server.config()
        config["config_list"] = [{**config["config_list"][0], "api_key": KEY}]
        bot = ConversableAgent("bot", llm_config=config, human_input_mode="NEVER")
        bot.register_for_llm(description="Adds.")(add)
        user = ConversableAgent("user", llm_config=False, human_input_mode="NEVER")
        face.initiate_chat(user, bot, message="hi", max_turns=1, silent=True)
    runtime_logging.stop()
    made = rows(database, "SELECT agent_id, name, class FROM agents")
    assert made == [(id(a), a.name, "ConversableAgent") for a in (bot, user)]
    ((source, wrapper, client, request),) = rows(
        database, "SELECT source_name, wrapper_id, client_id, request FROM chat_completions"
    )
    assert (source, wrapper) == ("bot", id(bot.client))
    assert json.loads(request)["messages"][-1]["content"] == "hi"
    clients = rows(database, "SELECT client_id, wrapper_id FROM oai_clients")
    assert (client, wrapper) in clients
    assert KEY[:8] not in Path(database).read_bytes().decode("latin-1")


def test_rows_come_from_many_threads(database):
    runtime_logging.start(config={"dbname": database})
    threads = [
        threading.Thread(target=lambda: [runtime_logging.log_event("a", "x") for _ in range(20)])
        for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rows(database, "SELECT count(*) FROM events") == [(100,)]


@requirement("log:failure")
def test_database_that_can_not_be_opened_ends_nothing(tmp_path, caplog):
    runtime_logging.start(config={"dbname": str(tmp_path / "missing" / "logs.db")})
    assert "can't be opened" in caplog.text
    runtime_logging.log_event("a", "x")


@requirement("log:failure")
def test_row_that_can_not_be_written_ends_nothing(database, caplog):
    runtime_logging.start(config={"dbname": database})
    runtime_logging.get_connection().execute("DROP TABLE events")
    with caplog.at_level(logging.ERROR, "autogen"):
        runtime_logging.log_event("a", "x")
    assert "A row of the log table events was lost" in caplog.text


# --------------------------------------------------------------------------------------- the file


@requirement("log:file")
def test_file_has_a_line_for_each_entry(tmp_path, agents, monkeypatch):
    monkeypatch.chdir(tmp_path)
    user, _ = agents
    session = runtime_logging.start(logger_type="file", config={"filename": "run.log"})
    runtime_logging.log_new_agent(user, {"name": "user", "api_key": KEY})
    runtime_logging.log_event(user, "happened", what="ü")
    runtime_logging.log_function_use(user, max, {"a": 1}, 1)
    runtime_logging.log_new_wrapper(user, {})
    runtime_logging.log_new_client(user, user, {})
    with runtime_logging.completion(object(), {"messages": []}) as log:
        log(answer())
    runtime_logging.stop()
    lines = (tmp_path / "autogen_logs" / "run.log").read_text(encoding="utf-8").splitlines()
    entries = [json.loads(line) for line in lines]
    kinds = "session agent event function_call wrapper client chat_completion".split()
    assert [entry["kind"] for entry in entries] == kinds
    assert {entry["session_id"] for entry in entries} == {session}
    assert entries[1]["args"] == {"name": "user"}
    assert entries[2]["json_state"] == {"what": "ü"}
    assert entries[3]["function_name"] == "max"
    assert entries[6]["response"]["model"] == "m"


@requirement("log:failure")
def test_file_that_can_not_be_opened_ends_nothing(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    runtime_logging.start(
        logger_type="file", config={"filename": str(tmp_path / "file" / "run.log")}
    )
    runtime_logging.log_event("a", "x")
    assert "can't be opened" in caplog.text


# ------------------------------------------------------------------------------------ one's own


@requirement("log:own")
def test_logger_of_ones_own_gets_everything(agents, face):
    heard: list[str] = []

    class Own(BaseLogger):
        def start(self):
            return "mine"

        def stop(self):
            heard.append("stop")

        def get_connection(self):
            return None

        def log_event(self, source, name, **kwargs):
            heard.append(f"{name} {source.name}")

        def log_new_agent(self, agent, init_args): ...
        def log_new_wrapper(self, wrapper, init_args): ...
        def log_new_client(self, client, wrapper, init_args): ...
        def log_function_use(self, source, function, args, returns): ...
        def log_chat_completion(self, *args): ...

    user, worker = agents
    assert runtime_logging.start(logger=Own()) == "mine"
    sinks = [runtime_logging.record]
    face.initiate_chat(user, worker, message="hi", silent=True, run=RunOptions(sinks=sinks))
    runtime_logging.stop()
    assert "received_message worker" in heard
    assert heard[-1] == "stop"


def test_values_become_json_whatever_they_are():
    class Strange:
        __slots__ = ()

    deep: list[Any] = []
    deep.append(deep)
    made = to_dict({1: {2}, "s": Strange(), "f": len, "t": Strange, "c": deep, "p": Path("x")})
    assert made["1"] == [2]
    assert made["f"] == "len"
    assert "Strange" in made["s"]
    assert "Strange" in made["t"]
    json.dumps(made)


@requirement("log:variables")
def test_the_variables_of_0_2_tell_of_the_logger(tmp_path):
    assert runtime_logging.is_logging is False
    runtime_logging.start(logger_type="file", config={"filename": str(tmp_path / "runtime.log")})
    started = runtime_logging.autogen_logger
    assert isinstance(started, BaseLogger) and runtime_logging.is_logging is True
    runtime_logging.stop()
    # Kept, for who makes a report of it.
    assert runtime_logging.autogen_logger is started and runtime_logging.is_logging is False
    with pytest.raises(AttributeError, match="'something'"):
        runtime_logging.something  # noqa: B018
