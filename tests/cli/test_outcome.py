"""Errors become a line or two that say what to do, and the exit code that is documented."""

from __future__ import annotations

import pytest

from autogen.cli.outcome import ExitCode, code_of_stop, exit_with_words
from autogen.errors import (
    AuthenticationError,
    ConnectionFault,
    NoWallError,
    RunTimeout,
    UsageError,
)


def ended(error: BaseException, capsys, *, debug: bool = False, secrets=()) -> tuple[int, str]:
    with pytest.raises(SystemExit) as end, exit_with_words(debug=debug, secrets=secrets):
        raise error
    printed = capsys.readouterr()
    assert printed.out == ""
    return end.value.code, printed.err


@pytest.mark.parametrize(
    "error, code",
    [
        (UsageError("a"), 2),
        (NoWallError("a"), 3),
        (RunTimeout(), 6),
        (KeyboardInterrupt(), 130),
        (AuthenticationError("no key"), 2),
        (AuthenticationError("wrong key", status=401), 1),
        (ConnectionFault("a"), 1),
        (OSError(28, "No space left on device"), 1),
        (ZeroDivisionError("a"), 1),
    ],
)
def test_error_has_its_exit_code_and_at_most_two_lines(error, code, capsys):
    ended_with, words = ended(error, capsys)
    assert ended_with == code
    assert words.startswith("autogen: ")
    assert len(words.splitlines()) <= 2
    assert "Traceback" not in words


def test_unexpected_error_names_its_type_and_debug(capsys):
    _, words = ended(ZeroDivisionError("division by zero"), capsys)
    assert (
        words == "autogen: ZeroDivisionError: division by zero\n  --debug shows where it "
        "happened.\n"
    )


def test_debug_shows_the_traceback_without_secrets(capsys):
    _, words = ended(ValueError("key hunter2secret"), capsys, debug=True, secrets=["hunter2secret"])
    assert "Traceback" in words
    assert "hunter2secret" not in words


def test_secrets_are_masked(capsys):
    _, words = ended(
        ConnectionFault("at https://u:pw1234@host, k-123456"), capsys, secrets=["k-123456"]
    )
    assert "pw1234" not in words
    assert "k-123456" not in words


def test_broken_pipe_is_nobodys_error():
    with pytest.raises(BrokenPipeError), exit_with_words(debug=False):
        raise BrokenPipeError


@pytest.mark.parametrize(
    "reason, code",
    [
        ("termination", ExitCode.DONE),
        ("max_turns", ExitCode.BUDGET),
        ("loop", ExitCode.LOOP),
        ("timeout", ExitCode.TIMEOUT),
        ("cancelled", ExitCode.INTERRUPTED),
        ("no_reply", ExitCode.ERROR),
        (None, ExitCode.ERROR),
    ],
)
def test_only_a_task_that_is_done_ends_with_0(reason, code):
    assert code_of_stop(reason) == code


def test_what_failed_before_is_told_too_and_without_secrets(capsys):
    error = ConnectionFault("localhost cannot be reached.")
    error.add_note("before that, config entry 0 failed:\nthe key sk-mine was refused")
    _, said = ended(error, capsys, secrets=["sk-mine"])
    assert said.startswith("autogen: localhost cannot be reached.\n")
    assert "  before that, config entry 0 failed: the key " in said
    assert "sk-mine" not in said
