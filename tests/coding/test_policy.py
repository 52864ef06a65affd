"""What code must keep to that agents of others run: always walled, no network unless named."""

from __future__ import annotations

import threading
from contextvars import copy_context
from types import SimpleNamespace

import pytest

from autogen import ConversableAgent, UserProxyAgent
from autogen.coding import (
    CodeBlock,
    CodeExecutorFactory,
    DockerCommandLineCodeExecutor,
    LocalCommandLineCodeExecutor,
    SandboxCommandLineCodeExecutor,
    SandboxPool,
)
from autogen.coding.config import TRUE
from autogen.coding.factory import legacy_executor
from autogen.coding.jupyter import JupyterCodeExecutor, LocalJupyterServer
from autogen.coding.jupyter.jupyter_code_executor import RemoteKernel
from autogen.coding.policy import CodePolicy, is_wall_required, keeping_to
from autogen.errors import NoWallError

WALLED = CodePolicy(network="none", is_walled=True)
BLOCK = "```python\nprint('ran')\n```"
GO_OUT = """
import socket
try:
    socket.create_connection(("127.0.0.1", 3128), timeout=2)
    print("open")
except OSError:
    print("shut")
"""


def code_chat(config):
    """A user that runs code, and an agent that sends it."""
    writer = ConversableAgent("writer", llm_config=False, human_input_mode="NEVER")
    user = UserProxyAgent(
        "user",
        human_input_mode="NEVER",
        code_execution_config=config,
        max_consecutive_auto_reply=1,
    )
    return writer, user


# -- code without a wall ---------------------------------------------------------------------------


def test_local_executor_is_refused_in_a_chat(face, tmp_path):
    writer, user = code_chat({"executor": LocalCommandLineCodeExecutor(work_dir=tmp_path)})
    with keeping_to(WALLED), pytest.raises(NoWallError, match="has no wall"):
        face.initiate_chat(writer, user, message=BLOCK, max_turns=2)
    # The same agents, by somebody who does not mind.
    result = face.initiate_chat(writer, user, message=BLOCK, max_turns=2)
    assert "Code output: ran" in result.chat_history[1]["content"]


def test_local_executor_by_name_is_refused(face, tmp_path):
    config = {"executor": "commandline-local", "commandline-local": {"work_dir": tmp_path}}
    writer, user = code_chat(config)
    with keeping_to(WALLED), pytest.raises(NoWallError, match="has no wall"):
        face.initiate_chat(writer, user, message=BLOCK, max_turns=2)


def test_local_executor_is_refused_in_a_thread_that_works_for_the_chat(local):
    box, refused = local(), []

    def work():
        try:
            box.execute_code_blocks([CodeBlock(code="print(1)", language="python")])
        except NoWallError as error:
            refused.append(error)

    with keeping_to(WALLED):
        thread = threading.Thread(target=copy_context().run, args=(work,))
    thread.start()
    thread.join(20)
    assert len(refused) == 1


@pytest.mark.wall
def test_use_docker_false_still_gets_a_wall(tmp_path, sandbox):
    box = legacy_executor({"use_docker": False, "work_dir": str(tmp_path)})
    with keeping_to(WALLED):
        outside = tmp_path.parent / f"{tmp_path.name}-outside"
        code = f"open({str(outside)!r}, 'w')"
        result = box.execute_code_blocks([CodeBlock(code=code, language="python")])
    assert result.exit_code == 1
    assert not outside.exists()


def test_use_docker_false_is_refused_where_no_wall_stands(tmp_path, monkeypatch):
    monkeypatch.setattr("autogen.coding.landlock.abi", lambda: 0)
    monkeypatch.setattr("autogen.coding.bubblewrap.shutil.which", lambda *a, **k: None)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    box = legacy_executor({"use_docker": False, "work_dir": str(tmp_path)})
    with keeping_to(WALLED), pytest.raises(NoWallError, match="a wall is required here"):
        box.execute_code_blocks([CodeBlock(code="print(1)", language="python")])


def test_jupyter_server_without_a_wall_is_not_started():
    with keeping_to(WALLED), pytest.raises(NoWallError, match="LocalJupyterServer"):
        LocalJupyterServer()


def test_jupyter_server_that_was_there_before_runs_nothing(tmp_path, monkeypatch):
    started = []
    server = object.__new__(LocalJupyterServer)
    box = object.__new__(JupyterCodeExecutor)
    box._server, box._kernel = server, SimpleNamespace(is_ours=False, end=lambda: None)
    monkeypatch.setattr(RemoteKernel, "take", lambda *args: started.append(args))
    with keeping_to(WALLED), pytest.raises(NoWallError, match="LocalJupyterServer has no wall"):
        box._run_cell("1", None, None)
    assert started == []


def test_policy_ends_with_its_block_also_after_an_error():
    def fail():
        with keeping_to(WALLED):
            raise KeyError(is_wall_required())

    with pytest.raises(KeyError, match="True"):
        fail()
    assert not is_wall_required()


@pytest.mark.parametrize("word", sorted(TRUE))
def test_variable_of_the_environment_wants_a_wall_too(monkeypatch, word):
    monkeypatch.setenv("AUTOGEN_REQUIRE_WALL", word.upper())
    assert is_wall_required()
    with keeping_to(CodePolicy()):
        assert is_wall_required()


# -- the network -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [SandboxCommandLineCodeExecutor, DockerCommandLineCodeExecutor])
def test_network_that_nobody_named_is_the_policy_s(kind, tmp_path):
    assert kind(work_dir=tmp_path).network == "public"
    with keeping_to(WALLED):
        assert kind(work_dir=tmp_path).network == "none"
        assert kind(work_dir=tmp_path, network="public").network == "public"
        assert kind(work_dir=tmp_path, network=["example.com"]).network == ("example.com",)
    assert kind(work_dir=tmp_path).network == "public"


def test_network_named_in_a_configuration_wins(tmp_path):
    def made(**options):
        where = {"work_dir": tmp_path, **options}
        return CodeExecutorFactory.create(
            {"executor": "commandline-sandbox", "commandline-sandbox": where}
        )

    with keeping_to(WALLED):
        assert made().network == "none"
        assert made(network="public").network == "public"


@pytest.mark.wall
def test_sandbox_made_and_warmed_before_loses_the_way_out(sandbox, run):
    box = sandbox()
    assert run(box, GO_OUT).output == "open\n"
    runner = box._held.link
    with keeping_to(WALLED):
        assert run(box, GO_OUT).output == "shut\n"
        assert box.network == "none"
        assert "network is switched off" in run(box, "pip install colorama", "sh").output
    assert box._held.link is runner
    # What was closed stays closed.
    assert run(box, GO_OUT).output == "shut\n"


@pytest.mark.wall
def test_sandbox_whose_network_was_named_keeps_it(sandbox, run):
    box = sandbox(network="public")
    with keeping_to(WALLED):
        assert run(box, GO_OUT).output == "open\n"


@pytest.mark.wall
def test_new_wall_of_a_narrowed_sandbox_has_no_way_out_either(sandbox, run):
    box = sandbox()
    with keeping_to(WALLED):
        box.start()
    box.restart()
    assert run(box, GO_OUT).output == "shut\n"


@pytest.mark.wall
def test_pool_that_was_made_before_hands_out_walls_without_a_way_out(sandbox, run):
    with SandboxPool(size=1, timeout=20) as pool, SandboxPool(size=1, network="public") as open_:
        pool.fill()
        open_.fill()
        with keeping_to(WALLED):
            box = pool.executor()
            assert box.is_warm
            assert run(box, GO_OUT).output == "shut\n"
            assert run(open_.executor(), GO_OUT).output == "open\n"
