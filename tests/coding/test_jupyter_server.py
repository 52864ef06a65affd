"""Kernels on a Jupyter server: a real one on loopback, without a wall."""

from __future__ import annotations

import gc
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from aiohttp import web
from tests.compat.requirements import requirement

from autogen import AssistantAgent, UserProxyAgent
from autogen._kernel.cancel import CancelToken
from autogen._kernel.run import Run, entered
from autogen.coding import CodeBlock
from autogen.coding.jupyter import (
    JupyterClient,
    JupyterCodeExecutor,
    JupyterConnectable,
    JupyterConnectionInfo,
    LocalJupyterServer,
    local_jupyter_server,
)
from autogen.errors import ExecutionError, NoWallError, RunCancelled, UsageError
from autogen.testing import ScriptedModel
from autogen.testing.face import FACES

from .test_jupyter import PNG, STATE_LOST, event_of, kernels_in, running_below

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

NO_WALL = "ignore:LocalJupyterServer runs code on this machine without a wall"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One server for all tests here, which leave no kernel on it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("root"))
        patch.setattr(local_jupyter_server, "_warned", threading.Event())
        with pytest.warns(UserWarning, match="without a wall"):
            started = LocalJupyterServer()
    yield started
    started.stop()


@pytest.fixture
def client(server):
    found = JupyterClient(server.connection_info)
    yield found
    assert found.list_kernels() == []


@pytest.fixture
def remote(server, client, tmp_path):
    """Makes executors on the server."""
    made = []

    def make(**options):
        made.append(
            JupyterCodeExecutor(server, **{"output_dir": tmp_path, "timeout": 20, **options})
        )
        return made[-1]

    yield make
    for executor in made:
        executor.stop()


@requirement("jupyter:server", "jupyter:state")
def test_state_persists_and_restart_forgets_it(remote, run):
    box = remote()
    blocks = [
        CodeBlock(code=code, language="python") for code in ("x = 20\nprint('one')\nx", "x + 1")
    ]
    result = box.execute_code_blocks(blocks)
    assert (result.exit_code, result.output) == (0, "one\n20\n21")
    box.restart()
    assert run(box, "x").output.startswith("ERROR: NameError: name 'x' is not defined")


@requirement("jupyter:error", "jupyter:displays", "jupyter:output")
def test_displays_errors_and_odd_output(remote, run, tmp_path):
    box = remote()
    result = run(box, f"display({{'image/png': {PNG!r}, 'text/html': '<i>'}}, raw=True)\n'end'")
    assert [Path(path).suffix for path in result.output_files] == [".png", ".html"]
    assert all(Path(path).parent == tmp_path for path in result.output_files)
    assert len(result.artifacts) == 2
    assert result.output.endswith("\n'end'")
    result = run(box, "print('before \\x1b[31mred\\x00')\nint('a')")
    assert result.output.startswith("ERROR: ValueError: invalid literal for int()")
    assert result.output.endswith("Output before the error:\nbefore red\\x00")
    assert "Code cannot ask for input here" in run(box, "input()").output


def test_much_output_keeps_head_and_tail(remote, run):
    code = "print('first')\nfor i in range(100): print('y' * 1_000_000)\nprint('last')"
    result = run(remote(), code)
    assert result.output.startswith("first\nyyy")
    assert result.output.endswith("yyy\nlast")
    assert len(result.output) < 300_000


@requirement("jupyter:timeout", "jupyter:interrupt", "jupyter:lost")
def test_timeout_interrupts_or_else_ends_the_kernel(remote, run):
    box = remote(timeout=2)
    run(box, "x = 5")
    result = run(box, "print('so far', flush=True)\nimport time\ntime.sleep(60)")
    assert result.output.startswith("ERROR: Timeout waiting for output from code block: print(")
    assert result.output.endswith("so far")
    assert run(box, "x").output == "5"
    result = run(box, "import signal\nsignal.signal(2, signal.SIG_IGN)\ntime.sleep(60)")
    assert "its kernel was ended" in result.output
    assert run(box, "1").output == f"{STATE_LOST}\n1"


@requirement("jupyter:lost")
@pytest.mark.parametrize("code", ["import os; os._exit(7)", "import os; os.kill(os.getpid(), 9)"])
def test_kernel_that_dies_is_told_and_replaced(remote, run, code):
    box = remote()
    result = run(box, code)
    assert result.output.startswith("ERROR: The kernel ended while it ran this block")
    assert run(box, "1").output == f"{STATE_LOST}\n1"
    assert run(box, "1").output == "1"


def test_kernel_that_was_restarted_by_others_is_noticed(remote, run, client):
    box = remote()
    run(box, "x = 1")
    run(box, "x = 2")
    client.restart_kernel(client.list_kernels()[0]["id"])
    assert run(box, "1").output == f"{STATE_LOST}\n1"
    client.delete_kernel(client.list_kernels()[0]["id"])
    with pytest.raises(ExecutionError, match="HTTP 404"):
        run(box, "1")
    assert run(box, "1").output == f"{STATE_LOST}\n1"


def test_cancelling_ends_the_kernel(remote, run, client, wait_s):
    box = remote()
    run(box, "x = 1")
    for code in ("sleep(60)", "signal.signal(2, signal.SIG_IGN); sleep(60)"):
        token = CancelToken()
        timer = threading.Timer(0.3, token.cancel)
        timer.start()
        started_s = time.monotonic()
        with entered(Run(id="r", cancel=token)), pytest.raises(RunCancelled):
            run(box, f"import signal\nfrom time import sleep\n{code}")
        assert time.monotonic() - started_s < 0.3 + wait_s
        timer.join()
        assert client.list_kernels() == []
        assert run(box, "1").output == f"{STATE_LOST}\n1"


def test_live_output_and_the_error_of_a_sink(remote, run):
    box = remote()

    def fail(event):
        if event.type == "code.output" and "early" in event.data["text"]:
            raise LookupError("the sink")

    with (
        entered(Run(id="r", sinks=[fail], make_event=event_of)),
        pytest.raises(BaseException, match="the sink"),
    ):
        run(box, "print('early', flush=True)\nimport time; time.sleep(60)")
    assert run(box, "'next'").output == "'next'"


@pytest.mark.parametrize("face", FACES, ids=str)
def test_agents_talk_through_a_server(face, remote):
    replies = ["```python\nn = 41\n```", "```python\nn + 1\n```", "TERMINATE"]
    coder = AssistantAgent("coder", llm_config=ScriptedModel(replies).config())
    user = UserProxyAgent(
        "user",
        human_input_mode="NEVER",
        is_termination_msg=lambda message: message["content"] == "TERMINATE",
        code_execution_config={"executor": remote()},
    )
    result = face.initiate_chat(user, coder, message="go")
    outputs = [m["content"] for m in result.chat_history if "exitcode" in m["content"]]
    assert outputs[-1] == "exitcode: 0 (execution succeeded)\nCode output: 42"


@requirement("jupyter:client")
def test_client_starts_and_ends_kernels(client):
    assert "python3" in client.list_kernel_specs()["kernelspecs"]
    kernel = client.start_kernel("python3")
    try:
        with client.get_kernel_client(kernel) as cells:
            assert cells.wait_for_ready(timeout_seconds=20)
            found = cells.execute("print(1)\ndisplay({'text/html': '<b>'}, raw=True)")
            assert (found.is_ok, found.output) == (True, "1\n")
            assert [tuple(item) for item in found.data_items] == [("text/html", "<b>")]
            failed = cells.execute("1 / 0")
            assert not failed.is_ok
            assert failed.output.startswith("ZeroDivisionError: division by zero")
            late = cells.execute("import time; time.sleep(60)", timeout_seconds=1)
            assert late.output.startswith("Timeout waiting for output from code block: import")
        client.restart_kernel(kernel)
        assert [one["id"] for one in client.list_kernels()] == [kernel]
    finally:
        client.delete_kernel(kernel)


@requirement("jupyter:refused")
def test_what_cannot_be_is_refused_at_construction(server, tmp_path):
    with pytest.raises(ValueError, match=r"^Kernel cobol is not installed\. The server .*python3"):
        JupyterCodeExecutor(server, kernel_name="cobol", output_dir=tmp_path)
    with pytest.raises(ValueError, match=r"^Output directory .*/no does not exist\.$"):
        JupyterCodeExecutor(server, output_dir=tmp_path / "no")
    with pytest.raises(ValueError, match="at least 1 second"):
        JupyterCodeExecutor(server, timeout=0, output_dir=tmp_path)
    with pytest.raises(ValueError, match="expected a LocalJupyterServer"):
        JupyterCodeExecutor("http://127.0.0.1", output_dir=tmp_path)
    info = server.connection_info
    assert isinstance(server, JupyterConnectable)
    assert info.token not in repr(info)
    for token in ("wrong", None):
        wrong = JupyterConnectionInfo(info.host, False, info.port, token)
        with pytest.raises(ExecutionError, match="refused the token"):
            JupyterCodeExecutor(wrong, output_dir=tmp_path)
    with pytest.raises(UsageError, match="is no host"):
        JupyterCodeExecutor(JupyterConnectionInfo("http://x/", False), output_dir=tmp_path)


def test_server_that_is_down_is_named(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        info = JupyterConnectionInfo("127.0.0.1", False, taken.getsockname()[1], "t")
        with pytest.raises(ExecutionError, match=r"127\.0\.0\.1:\d+ does not answer"):
            JupyterCodeExecutor(info, output_dir=tmp_path)


@pytest.mark.filterwarnings(NO_WALL)
def test_server_that_goes_down_is_an_error_and_then_another(tmp_path, run, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = running_below()
    with LocalJupyterServer() as started:
        box = JupyterCodeExecutor(started, output_dir=tmp_path)
        run(box, "1")
        assert running_below() > before
    for _ in range(2):
        with pytest.raises(ExecutionError, match="does not answer"):
            run(box, "1")
    box.stop()


@pytest.mark.filterwarnings(NO_WALL)
def test_nothing_is_left_of_a_server(tmp_path, run, eventually, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.chdir(tmp_path)
    before = running_below()
    log = tmp_path / "server.log"
    log.write_text("x" * 100)
    server = LocalJupyterServer(log_file=log, log_level="info", log_max_bytes=10, token="mine")
    assert server.connection_info.token == "mine"
    run(JupyterCodeExecutor(server, output_dir=tmp_path), "import os; os.listdir()")
    assert running_below() > before
    assert (tmp_path / "server.log.1").read_text() == "x" * 100
    del server
    gc.collect()
    eventually(lambda: running_below() <= before)
    assert list(folder.iterdir()) == []
    assert "is running at" in log.read_text()


def test_program_that_is_killed_takes_its_server_along(tmp_path, eventually):
    program = """
import warnings
warnings.simplefilter("ignore")
from autogen.coding import CodeBlock
from autogen.coding.jupyter import JupyterCodeExecutor, LocalJupyterServer
box = JupyterCodeExecutor(LocalJupyterServer())
box.execute_code_blocks([CodeBlock(code="1", language="python")])
print("ready", flush=True)
input()
"""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "cwd": tmp_path}
    for kill in (True, False):
        with subprocess.Popen([sys.executable, "-c", program], **pipes) as process:
            assert process.stdout.readline() == b"ready\n"
            assert len(kernels_in(tmp_path)) >= 3
            if kill:
                process.kill()
            else:
                process.stdin.write(b"\n")
                process.stdin.flush()
            assert process.wait(60) == (-9 if kill else 0)
        # A server and its kernels look now and then whether their parent lives.
        eventually(lambda: kernels_in(tmp_path) == [], within_s=30)


@requirement("jupyter:wall")
def test_operator_can_forbid_servers_without_a_wall(monkeypatch):
    monkeypatch.setenv("AUTOGEN_REQUIRE_WALL", "1")
    with pytest.raises(NoWallError, match="AUTOGEN_REQUIRE_WALL"):
        LocalJupyterServer()


@pytest.mark.filterwarnings(NO_WALL)
def test_bad_settings_of_a_server_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="would run the code of everybody"):
        LocalJupyterServer(token="")
    with pytest.raises(UsageError, match="log_level 'LOUD' is not known"):
        LocalJupyterServer(log_level="LOUD")
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(ExecutionError, match=r"did not start: .*(in use|not available)"),
    ):
        LocalJupyterServer(port=taken.getsockname()[1])
    assert [path.name for path in tmp_path.iterdir()] == []


# -- what is no Jupyter server, or a hostile one ---------------------------------------------------


@pytest.fixture
def hostile(tmp_path):
    """Serves one kernel whose cells are answered with what the test says."""
    import asyncio

    loop = asyncio.new_event_loop()
    state = SimpleNamespace(
        answers=[], specs=b'{"kernelspecs": {"python3": {}}}', status=200, id="k"
    )

    async def specs(request):
        return web.Response(body=state.specs, status=state.status, content_type="application/json")

    async def start(request):
        return web.json_response({"id": state.id}, status=201)

    async def other(request):
        return web.Response(status=204)

    async def channels(request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        sent = await socket.receive_json()
        for answer in state.answers:
            if answer is None:
                break
            await socket.send_str(answer.replace("PARENT", sent["header"]["msg_id"]))
        else:
            await socket.receive()
        await socket.close()
        return socket

    app = web.Application()
    app.router.add_get("/api/kernelspecs", specs)
    app.router.add_post("/api/kernels", start)
    app.router.add_get("/api/kernels/k/channels", channels)
    app.router.add_route("*", "/api/kernels/k{rest:.*}", other)
    runner = web.AppRunner(app)
    loop.run_until_complete(runner.setup())
    site = web.TCPSite(runner, "127.0.0.1", 0)
    loop.run_until_complete(site.start())
    port = site._server.sockets[0].getsockname()[1]
    state.info = JupyterConnectionInfo("127.0.0.1", False, port, "t")
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield state
    asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(5)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)
    loop.close()


def answer(kind, content, parent="PARENT"):
    return (
        f'{{"msg_type": "{kind}", "parent_header": {{"msg_id": "{parent}"}}, "content": {content}}}'
    )


def test_forged_and_broken_messages_are_passed_over(hostile, run, tmp_path):
    idle = answer("status", '{"execution_state": "idle"}')
    hostile.answers = [
        "{{{",
        "[]",
        "[" * 50_000,
        answer("stream", '{"text": "not ours"}', parent="another"),
        answer("status", '"no dict"'),
        answer("status", '{"execution_state": "idle"}', parent="another"),
        answer("execute_reply", "{}", parent="another"),
        answer("execute_input", '{"execution_count": {"a": 1}}'),
        answer("display_data", '{"data": {"image/../../x": "QQ=="}}'),
        answer("stream", '{"text": "ours"}'),
        answer("execute_reply", '{"status": "ok"}'),
        idle,
    ]
    result = run(JupyterCodeExecutor(hostile.info, output_dir=tmp_path), "1")
    assert result.exit_code == 0
    assert "not ours" not in result.output
    assert result.output.endswith("ours")
    assert list(tmp_path.iterdir()) == []


def test_connection_that_breaks_in_a_cell_is_told(hostile, run, tmp_path):
    hostile.answers = [answer("stream", '{"text": "so far"}'), None]
    result = run(JupyterCodeExecutor(hostile.info, output_dir=tmp_path), "1")
    assert result.output.startswith("ERROR: The connection to the kernel broke")
    assert result.output.endswith("so far")


def test_silent_server_is_given_up(hostile, run, tmp_path):
    result = run(JupyterCodeExecutor(hostile.info, output_dir=tmp_path, timeout=1), "1")
    assert result.output.startswith("ERROR: Timeout waiting for output from code block: 1")


@pytest.mark.parametrize(
    "status, body, message",
    [
        (200, b"<html>", "is no Jupyter server"),
        (200, b"[]", "Kernel python3 is not installed"),
        (200, b'{"kernelspecs": 5}', "Kernel python3 is not installed"),
        (302, b"", "refused the token"),
        (500, b'{"message": "broken inside"}', "HTTP 500: broken inside"),
    ],
)
def test_other_answers_are_told(hostile, tmp_path, status, body, message):
    hostile.status, hostile.specs = status, body
    with pytest.raises((ExecutionError, UsageError), match=message):
        JupyterCodeExecutor(hostile.info, output_dir=tmp_path)


def test_id_that_leads_elsewhere_is_refused(hostile, run, tmp_path):
    hostile.id = "../../elsewhere"
    with pytest.raises(ExecutionError, match="it started no kernel"):
        run(JupyterCodeExecutor(hostile.info, output_dir=tmp_path), "1")


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_fork_has_a_kernel_of_its_own(remote, run):
    box = remote()
    run(box, "x = 1")
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            first = run(box, "'x' in globals()").output
            box.stop()
            os.write(writer, first.encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        assert pipe.read().decode() == f"{STATE_LOST}\nFalse"
    os.waitpid(child, 0)
    assert run(box, "x").output == "1"


@pytest.mark.filterwarnings(NO_WALL)
def test_server_is_waited_for_until_it_listens(monkeypatch):
    """It writes down where it is a moment before anybody can reach it there."""
    real, refused = socket.create_connection, []

    def connect(address, **options):
        if len(refused) < 3:
            refused.append(address)
            raise ConnectionRefusedError
        return real(address, **options)

    monkeypatch.setattr(socket, "create_connection", connect)
    with LocalJupyterServer() as server:
        assert refused == [("127.0.0.1", server.port)] * 3
