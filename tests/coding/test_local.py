"""Blocks on this machine itself."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from types import SimpleNamespace

import pytest
from tests.compat.requirements import requirement

from autogen._kernel.cancel import CancelToken
from autogen._kernel.run import Run, entered
from autogen.code_utils import create_virtual_env
from autogen.coding import CodeBlock, CodeExecutor, LocalCommandLineCodeExecutor
from autogen.coding.environment import looks_secret, without_secrets
from autogen.errors import RunCancelled


@requirement("code:config:protocol")
def test_it_is_an_executor(local):
    assert isinstance(local(), CodeExecutor)


@requirement("exec:interpreter")
def test_python_is_the_running_interpreter(local, run):
    result = run(local(), "import sys; print(sys.executable)")
    assert (result.exit_code, result.output) == (0, f"{sys.executable}\n")
    assert (
        run(local(), "python -c 'import sys; print(sys.prefix)'", "sh").output == f"{sys.prefix}\n"
    )


@requirement("exec:venv")
def test_virtual_environment_may_be_chosen(local, run, tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    context = SimpleNamespace(
        env_exe=str(tmp_path / "bin" / "python"), bin_path=str(tmp_path / "bin")
    )
    result = run(local(virtual_env_context=context), "import os; print(os.environ['PATH'])")
    assert result.output.startswith(f"{tmp_path / 'bin'}:")


@requirement("exec:venv")
def test_virtual_environment_may_be_given_by_a_relative_path(local, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    create_virtual_env("venv", with_pip=False)
    context = SimpleNamespace(env_exe="venv/bin/python", bin_path="venv/bin")
    executor = local(virtual_env_context=context)
    assert run(executor, "import sys; print(sys.prefix)").output == f"{tmp_path}/venv\n"
    assert run(executor, "command -v python", "sh").output == f"{tmp_path}/venv/bin/python\n"


@requirement("exec:streams")
def test_streams_are_interleaved_in_time(local, run):
    code = (
        "import sys\nfor i in range(3):\n    print('out', i)\n    print('err', i, file=sys.stderr)"
    )
    assert run(local(), code).output == "".join(f"out {i}\nerr {i}\n" for i in range(3))


@requirement("exec:order")
def test_failure_stops_the_rest(local):
    blocks = [
        CodeBlock(code=code, language="sh") for code in ("echo 1", "echo 2; exit 4", "echo 3")
    ]
    result = local().execute_code_blocks(blocks)
    assert (result.exit_code, result.output) == (4, "1\n2\n")


@requirement("exec:environment")
def test_keys_do_not_reach_the_code_unless_asked_for(local, run, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    code = "import os; print(os.environ.get('OPENAI_API_KEY'), os.environ.get('GIVEN'))"
    assert run(local(), code).output == "None None\n"
    assert run(local(env={"GIVEN": "yes"}), code).output == "None yes\n"
    assert run(local(inherit_env=True), code).output == "sk-secret None\n"


@requirement("exec:environment")
@pytest.mark.parametrize(
    "name, value, secret",
    [
        ("OPENAI_API_KEY", "x", True),
        ("openai_api_key", "x", True),
        ("GITHUB_TOKEN", "x", True),
        ("DB_PASSWORD", "x", True),
        ("AWS_SESSION_TOKEN", "x", True),
        ("AWS_PROFILE", "x", True),
        ("AZURE_CLIENT_SECRET", "x", True),
        ("GOOGLE_APPLICATION_CREDENTIALS", "/x", True),
        ("OAI_CONFIG_LIST", "[]", True),
        ("SSH_AUTH_SOCK", "/x", True),
        ("MY_DATABASE_URL", "x", True),
        ("WHATEVER", "postgresql://me:pw@host/db", True),
        ("SSL_CERT_FILE", "/x", False),
        ("PATH", "/usr/bin", False),
        ("KEYBOARD", "de", False),
        ("MONKEY", "x", False),
        ("HOMEPAGE", "https://example.org", False),
        ("TOKENIZERS_PARALLELISM", "false", False),
    ],
)
def test_secrets_are_known_by_name_or_value(name, value, secret):
    assert looks_secret(name, value) is secret
    assert (name in without_secrets({name: value})) is not secret


@requirement("exec:timeout")
def test_timeout_kills_the_whole_tree(local, run, tmp_path, eventually):
    code = "sleep 61 & setsid sleep 62 & echo $$; sleep 63"
    result = run(local(timeout=1), code, "bash")
    assert result.exit_code == 124
    assert result.output.endswith("\nTimeout")
    eventually(lambda: not running("sleep 61", "sleep 62", "sleep 63"))


def test_daemon_does_not_outlive_or_hold_its_block(local, run, eventually):
    started = time.monotonic()
    code = "(setsid sleep 71 &) ; nohup sleep 72 & echo done"
    assert run(local(), code, "bash").output == "done\n"
    assert time.monotonic() - started < 5
    eventually(lambda: not running("sleep 71", "sleep 72"))


def running(*commands):
    wanted = {command.replace(" ", "\0").encode() + b"\0" for command in commands}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/cmdline", "rb") as file:
                    if file.read() in wanted:
                        return True
            except OSError:
                continue
    return False


def test_endless_output_keeps_head_and_tail(local, run):
    code = "import os\nfor _ in range(300): os.write(1, b'x' * 100000)\nprint('last')"
    result = run(local(), code)
    assert result.exit_code == 0
    assert "bytes of output left out" in result.output
    assert result.output.endswith("last\n")
    assert len(result.output) < 300_000


def test_binary_output_is_text(local, run):
    result = run(local(), "import os; os.write(1, bytes(range(256)))")
    result.output.encode()
    assert "\\xff" in result.output


def test_signal_is_named(local, run):
    result = run(local(), "import os; os.kill(os.getpid(), 9)")
    assert (result.exit_code, result.output) == (137, "\nKilled by signal 9 (SIGKILL).\n")


@requirement("exec:sanitize", "exec:sanitize:static")
def test_destructive_command_is_a_result_not_an_error(local, run):
    result = run(local(), "rm -rf /", "sh")
    assert result.exit_code == 1
    assert result.output.startswith("Potentially dangerous command detected")
    with pytest.raises(ValueError, match="dangerous"):
        LocalCommandLineCodeExecutor.sanitize_command("sh", "dd if=/dev/zero")


@requirement("exec:subclass")
def test_a_subclass_sees_code_and_results(run, tmp_path):
    class Careful(LocalCommandLineCodeExecutor):
        @staticmethod
        def sanitize_command(lang, code):
            if "remove" in code:
                raise ValueError("no removing")

        def _execute_code_dont_check_setup(self, code_blocks):
            result = super()._execute_code_dont_check_setup(code_blocks)
            result.output = result.output.strip()[:10]
            return result

    executor = Careful(work_dir=tmp_path)
    assert run(executor, "print('y' * 100)").output == "y" * 10
    refused = run(executor, "import os; os.remove('x')")
    assert (refused.exit_code, refused.output) == (1, "no removin")


@requirement("exec:languages:unknown")
def test_unknown_language_and_missing_program_are_results(local, run):
    assert run(local(), "x", "cobol").output == "unknown language cobol"
    result = run(local(env={"PATH": "/nowhere"}), "exit", "pwsh")
    assert result.exit_code == 127


@requirement("exec:restart")
def test_restart_says_that_it_does_nothing(local):
    with pytest.warns(UserWarning, match=r"No action is taken\."):
        local().restart()


def test_live_output_and_cancellation(local, run, tmp_path):
    token = CancelToken()
    seen = []

    def sink(event):
        seen.append(event.text)
        token.cancel()

    def make_event(run, type, data):
        return SimpleNamespace(text=data["text"], is_seen=True)

    state = Run(id="r", cancel=token, sinks=[sink], make_event=make_event)
    started = time.monotonic()
    with entered(state), pytest.raises(RunCancelled):
        run(local(), "print('first', flush=True)\nimport time\ntime.sleep(60)")
    assert time.monotonic() - started < 5
    assert "".join(seen) in ("first", "first\n")


def test_interrupt_from_the_keyboard_kills_the_block(local, run, tmp_path, eventually):
    executor = local()

    def interrupt():
        while not (tmp_path / "work" / "up").exists():
            time.sleep(0.005)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            run(executor, "touch up; sleep 81", "sh")
    finally:
        signal.signal(signal.SIGINT, previous)
        thread.join()
    eventually(lambda: not running("sleep 81"))
    assert run(executor, "print('fine')").output == "fine\n"


@requirement("exec:artifacts")
def test_artifacts_come_back(local, run):
    result = run(local(), "open('a.csv', 'w').write('1')")
    assert [artifact.name for artifact in result.artifacts] == ["a.csv"]
    assert "artifacts" not in result.model_dump()


@pytest.mark.parametrize(
    "options", [{"functions": [print]}, {"functions_module": "not a name"}, {"timeout": 0}]
)
def test_wrong_arguments_are_refused(local, options):
    with pytest.raises(ValueError, match=r".+"):
        local(**options)


def test_old_spellings_are_found_with_a_warning():
    from autogen.coding import local_commandline_code_executor as old

    with pytest.warns(DeprecationWarning, match="LocalCommandLineCodeExecutor"):
        assert old.LocalCommandlineCodeExecutor is LocalCommandLineCodeExecutor
    with pytest.warns(DeprecationWarning, match="CommandLineCodeResult"):
        assert old.CommandlineCodeResult is old.CommandLineCodeResult
    with pytest.raises(AttributeError):
        _ = old.Nonsense
