"""`autogen run`: output, JSON, exit codes, errors; against a real server on this machine."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import time

import pytest
from tests.cli.terminal import in_terminal

from autogen.events import Event
from autogen.testing import LoopbackLLM, Reply

CODE = "Let me see.\n\n```python\nprint(6 * 7)\nopen('out.txt', 'w').write('hi')\n```\n"
DONE = "It is 42.\n\nTERMINATE"


def at(server: LoopbackLLM) -> tuple[str, ...]:
    return ("--model", "m", "--base-url", server.base_url)


def wait_for(condition, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


@pytest.mark.wall
@pytest.mark.usefixtures("wall")
def test_task_is_done_and_what_happened_is_told_in_plain_text(run, tmp_path):
    with LoopbackLLM([CODE, DONE]) as server:
        code, out, err = run("run", "six times seven", *at(server))
    assert (code, err) == (0, "")
    assert "six times seven" in out
    assert "```python\nprint(6 * 7)\n" in out
    assert "exit code 0" in out
    assert "  | 42\n" in out
    assert "the task is done (TERMINATE)" in out
    assert os.path.join("coding", "out.txt") in out
    assert "\x1b" not in out
    assert (tmp_path / "coding" / "out.txt").read_text() == "hi"


@pytest.mark.wall
@pytest.mark.usefixtures("wall")
def test_json_is_the_event_log_and_nothing_else(run):
    with LoopbackLLM([CODE, DONE]) as server:
        code, out, err = run("run", "go", "--json", *at(server))
    events = [Event.from_dict(json.loads(line)) for line in out.splitlines()]
    assert code == 0
    assert [event.pos for event in events] == list(range(1, len(events) + 1))
    assert not any(event.is_transient for event in events)
    sent = [event.data["message"]["content"] for event in events if event.type == "message.sent"]
    assert sent[0] == "go"
    assert sent[1] == CODE
    assert sent[-1] == DONE
    [end] = [event for event in events if event.type == "chat.finished"]
    assert end.data["stop_reason"] == "termination"
    assert [a["name"] for a in end.data["artifacts"]] == ["out.txt"]
    assert "It is 42." in err


def test_key_is_in_no_output_even_if_the_model_says_it(run):
    with LoopbackLLM(["Your key is sk-abcdef123456.\n\nTERMINATE"]) as server:
        code, out, _ = run("run", "x", "--json", *at(server), OPENAI_API_KEY="sk-abcdef123456")
        assert server.requests[0].headers["authorization"] == "Bearer sk-abcdef123456"
    assert code == 0
    assert "sk-abcdef" not in out
    assert "Your key is ***" in out


def test_task_may_come_from_stdin(run):
    with LoopbackLLM([DONE]) as server:
        code, out, _ = run("run", "-", *at(server), typed="asked through a pipe")
    assert code == 0
    assert "asked through a pipe" in out


def test_answer_without_code_is_asked_to_go_on(run):
    with LoopbackLLM(["Paris.", "TERMINATE"]) as server:
        code, _, _ = run("run", "capital of France?", *at(server))
        said = server.requests[1].json["messages"][-1]["content"]
    assert code == 0
    assert "TERMINATE" in said


@pytest.mark.wall
@pytest.mark.usefixtures("wall")
def test_terminal_of_80_columns_gets_boxes_that_fit(environment, tmp_path):
    script = [Reply(CODE, chunk_delay_s=0.01), Reply(DONE, chunk_delay_s=0.01)]
    with LoopbackLLM(script) as server:
        code, shown = in_terminal(
            ["run", "six times seven", *at(server)], columns=80, env=environment, cwd=tmp_path
        )
    assert code == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    box = [line for line in re.split(r"[\r\n]+", text) if line.endswith(("╮", "╯"))]
    assert [len(line) for line in box] == [78, 78]
    assert "python" in box[0]
    assert "│ print(6 * 7) " in text
    assert "✓ exit code 0" in text
    assert shown.rfind("\x1b[?25h") > shown.rfind("\x1b[?25l"), "the cursor is back"


# -- how it can end otherwise ----------------------------------------------------------------------


def test_dead_server_is_named(run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    code, out, err = run("run", "x", "--model", "m", "--base-url", f"http://127.0.0.1:{port}/v1")
    assert code == 1
    assert str(port) in err
    assert "--base-url" in err
    assert "Traceback" not in out + err


def test_debug_shows_the_traceback(run):
    with LoopbackLLM([401]) as server:
        code, _, err = run("run", "x", *at(server), "--debug")
    assert code == 1
    assert "Traceback" in err


def test_refused_key_says_where_keys_are_looked_for(run):
    with LoopbackLLM([401]) as server:
        code, _, err = run("run", "x", *at(server), OPENAI_API_KEY="sk-refused-key")
    assert code == 1
    assert "autogen doctor" in err
    assert "sk-refused" not in err


def test_missing_key_names_where_to_put_it(run):
    code, out, err = run("run", "x", "--model", "gpt-4o")
    assert (code, out) == (2, "")
    assert "OPENAI_API_KEY" in err
    assert ".env" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("run",),
        ("run", "x"),
        ("run", " ", "--model", "m", "--base-url", "http://127.0.0.1:1"),
        ("run", "x", "--base-url", "http://127.0.0.1:1"),
        ("run", "x", "--model", "m", "--base-url", "nowhere"),
        ("run", "x", "--max-turns", "0"),
        ("run", "x", "--timeout", "-1"),
        ("run", "x", "--budget-usd", "-1"),
        ("run", "x", "--budget-usd", "nan"),
        ("run", "x", "--modle", "m"),
        ("walk",),
    ],
)
def test_misuse_is_exit_code_2_in_few_words(arguments, inside):
    code, out, err = inside(*arguments)
    assert code == 2
    assert out == ""
    assert "Traceback" not in err
    assert 0 < len(err.splitlines()) < 10


def test_turns_that_are_used_up_are_exit_code_4(run):
    with LoopbackLLM(["Still thinking."]) as server:
        code, out, _ = run("run", "x", "--max-turns", "1", *at(server))
    assert code == 4
    assert "limit of turns" in out


def test_a_budget_that_is_used_up_is_exit_code_4_and_says_so(run):
    with LoopbackLLM([Reply("Let me think.", usage={"prompt_tokens": 10**6})]) as server:
        arguments = ["--budget-usd", "1", "--model", "gpt-4o", *at(server)[2:]]
        code, out, err = run("run", "x", *arguments)
    assert code == 4
    assert "the budget of 1 US dollars does not allow a call of 'gpt-4o'" in out + err
    assert "the budget was used up" in out + err


def test_a_model_without_a_price_and_a_budget_are_exit_code_2(run):
    with LoopbackLLM([]) as server:
        code, _, err = run("run", "x", "--budget-usd", "1", *at(server))
    assert code == 2
    assert "is not known, so a budget in dollars can't hold" in err


def test_a_model_that_repeats_itself_is_exit_code_5_and_says_so(run):
    with LoopbackLLM(lambda request: "Thank you!") as server:
        code, out, err = run("run", "x", *at(server))
    assert code == 5
    assert "The chat goes round in a circle" in out + err
    assert len(server.requests) < 20


def test_task_that_is_done_in_the_last_turn_is_done(run):
    with LoopbackLLM([DONE]) as server:
        assert run("run", "x", "--max-turns", "1", *at(server))[0] == 0


def test_time_that_is_up_is_exit_code_6(run):
    # Under load the time may be up before the model is asked: a function is no script to play out.
    with LoopbackLLM(lambda request: Reply("late", delay_s=30)) as server:
        code, out, _ = run("run", "x", "--timeout", "1", *at(server))
    assert code == 6
    assert "the time was up" in out


def test_ctrl_c_is_exit_code_130_and_says_so(start):
    with LoopbackLLM([Reply("late", delay_s=30)]) as server:
        process = start("run", "x", *at(server))
        wait_for(lambda: server.requests)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in out + err
    assert "Ctrl-C" in out + err


def test_code_without_the_wall_that_was_asked_for_is_exit_code_3(run):
    with LoopbackLLM([CODE]) as server:
        code, _, err = run("run", "x", *at(server), AUTOGEN_USE_DOCKER="1")
    assert code == 3
    assert "autogen doctor" in err


def test_reader_that_goes_away_is_no_error_to_talk_about(start):
    with LoopbackLLM(lambda request: "word " * 2000) as server:
        process = start("run", "x", "--max-turns", "20", *at(server))
        process.stdout.readline()
        process.stdout.close()
        process.stdout = None
        err = process.communicate(timeout=20)[1]
    assert err == ""


def test_characters_that_the_terminal_lacks_end_nothing(run):
    with LoopbackLLM(["Caf\u00e9 \u2603 TERMINATE"]) as server:
        code, out, _ = run("run", "\u00e9t\u00e9", *at(server), PYTHONIOENCODING="ascii")
    assert code == 0
    assert "Caf\\xe9 \\u2603" in out


def test_control_codes_of_a_model_do_not_reach_the_terminal(run):
    said = "\x1b]52;c;aGk=\x07\x1b[31mred\x1b[0m\x08\x9b2J\tx TERMINATE"
    with LoopbackLLM([said]) as server:
        code, out, _ = run("run", "x", *at(server))
    assert code == 0
    assert not any(c in out for c in "\x1b\x07\x08\x9b")
    assert "red" in out
