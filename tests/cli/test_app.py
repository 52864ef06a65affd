"""The shell around the commands: help, version, what is loaded for it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from tests.cli.terminal import in_terminal

import autogen


def test_help_names_every_command_and_the_exit_codes(run):
    code, out, err = run("--help")
    assert (code, err) == (0, "")
    for word in ("demo", "run", "chat", "doctor", "3 no wall"):
        assert word in " ".join(out.split())


@pytest.mark.parametrize("command", ["demo", "run", "chat", "doctor", "serve", "keys"])
def test_every_command_has_help(command, inside):
    assert inside(command, "--help")[0] == 0


def test_version(run):
    assert run("--version")[:2] == (0, f"autogen-next {autogen.__version__}\n")


def test_help_loads_nothing_that_only_a_command_needs(environment):
    program = (
        "import sys, json, autogen.cli.app\n"
        "print(json.dumps([m for m in sys.modules if m.startswith('autogen.')]\n"
        "     + [m for m in ('aiohttp', 'pydantic', 'rich.console', 'yaml') if m in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, timeout=30
    )
    loaded = set(json.loads(done.stdout))
    assert not loaded & {"aiohttp", "pydantic", "rich.console", "yaml"}
    rooms = {name.split(".")[1] for name in loaded}
    assert rooms <= {"_lazy", "_version", "cli", "config", "errors"}


@pytest.mark.parametrize("env, has_colors", [({}, True), ({"NO_COLOR": "1"}, False)])
def test_terminal_gets_colours_unless_it_wants_none(env, has_colors, environment, tmp_path):
    code, shown = in_terminal(["doctor"], env={**environment, **env}, cwd=tmp_path)
    assert code in (0, 3)
    assert ("\x1b[" in shown) is has_colors
    assert "bubblewrap" in shown


def test_reader_that_goes_away_is_quiet(start):
    process = start("--help")
    process.stdout.close()
    process.stdout = None
    assert process.communicate(timeout=20)[1] == ""


@pytest.mark.parametrize("command", [("run", "x"), ("demo",), ("chat",)])
@pytest.mark.parametrize("option", ["--model", "--base-url"])
def test_an_empty_option_is_refused(command, option, inside):
    code, out, err = inside(*command, option, "")
    assert (code, out) == (2, "")
    assert "it is empty" in err


def test_closed_stdout_is_no_error(environment, tmp_path):
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m autogen.cli doctor >&-"],
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stderr == ""


def test_a_program_that_is_not_there_is_no_task_for_a_model(inside):
    code, _, err = inside("run", "missing.py")
    assert code == 2
    assert "there is no program 'missing.py'" in err
