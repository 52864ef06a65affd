"""`autogen chat`: lines in, answers out, code only after a yes, Ctrl-C stops one answer."""

from __future__ import annotations

import signal
import time

import pytest

from autogen.testing import LoopbackLLM, Reply

CODE = "Like so:\n\n```python\nprint(6 * 7)\n```\n"


def at(server: LoopbackLLM) -> tuple[str, ...]:
    return ("--model", "m", "--base-url", server.base_url)


def said(server: LoopbackLLM, n: int) -> list[str]:
    """What the model was sent with request `n`, the system message left out."""
    return [message["content"] for message in server.requests[n].json["messages"][1:]]


def test_conversation_goes_on_until_the_input_ends(run):
    with LoopbackLLM(["Hello!", "Fine. TERMINATE"]) as server:
        code, out, err = run("chat", *at(server), typed="hi\nhow are you?\n")
        assert said(server, 1) == ["hi", "Hello!", "how are you?"]
    assert (code, err) == (0, "")
    assert "Hello!" in out
    assert "Fine." in out


@pytest.mark.wall
@pytest.mark.usefixtures("wall")
@pytest.mark.parametrize("yes", ["", "y", "YES"])
def test_code_runs_after_a_yes(yes, run):
    with LoopbackLLM([CODE, "It is 42."]) as server:
        code, out, _ = run("chat", *at(server), typed=f"compute\n{yes}\n/exit\n")
        assert "42" in said(server, 1)[-1]
    assert code == 0
    assert "Run this python in the sandbox?" in out
    assert "  | 42\n" in out


@pytest.mark.parametrize("typed, told", [("n\nno, thanks\n", "no, thanks"), ("use C\n", "use C")])
def test_code_does_not_run_after_anything_else(typed, told, run, tmp_path):
    with LoopbackLLM([CODE, "As you like."]) as server:
        _, out, _ = run("chat", *at(server), typed=f"compute\n{typed}/exit\n")
        assert said(server, 1)[-1] == told
    assert "exit code" not in out
    assert not (tmp_path / "coding").exists()


def test_new_forgets_and_help_helps(run):
    with LoopbackLLM(["one", "two"]) as server:
        code, out, _ = run("chat", *at(server), typed="a\n/help\n/new\nb\n")
        assert said(server, 1) == ["b"]
    assert code == 0
    assert "/exit, Ctrl-D" in out


def test_line_that_ends_with_a_backslash_goes_on(run):
    with LoopbackLLM(["ok"]) as server:
        run("chat", *at(server), typed="first\\\nsecond\n")
        assert said(server, 0) == ["first\nsecond"]


def test_error_of_the_service_leaves_the_chat_standing(run):
    with LoopbackLLM([400, "back again"]) as server:
        code, out, _ = run("chat", *at(server), typed="a\nb\n")
    assert code == 0
    assert "back again" in out
    assert "Traceback" not in out


def test_ctrl_c_stops_the_answer_and_keeps_the_chat(start):
    with LoopbackLLM([Reply("never", delay_s=30), "second answer"]) as server:
        process = start("chat", *at(server))
        process.stdin.write("first\n")
        process.stdin.flush()
        deadline = time.monotonic() + 10
        while not server.requests:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate("second\n", timeout=20)
        assert said(server, 1) == ["first", "second"]
    assert process.returncode == 0
    assert "(stopped; the conversation goes on)" in out
    assert "second answer" in out
    assert err == ""


def test_unknown_command_is_answered_with_the_known_ones(run):
    with LoopbackLLM(["ok"]) as server:
        code, out, err = run("chat", *at(server), typed="/quit\n/etc/hosts has what?\n/exit\n")
        assert said(server, 0) == ["/etc/hosts has what?"]
    assert code == 0
    assert "There is no /quit; the commands are /new, /help and /exit." in out + err
