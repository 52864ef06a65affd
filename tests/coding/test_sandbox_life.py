"""The life of a sandbox: started late, shared, interrupted, forked, lost, gone."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path

import pytest

from autogen._kernel.cancel import CancelToken
from autogen._kernel.drive import drive_sync
from autogen._kernel.ops import Call
from autogen._kernel.run import Run, entered
from autogen.coding import link as link_module
from autogen.coding import runner
from autogen.errors import RunCancelled

pytestmark = pytest.mark.wall


def inside(executor):
    """The process that holds the wall up, seen from the host."""
    return executor._held.link.process


def descendants(pid):
    """Every process below `pid`."""
    found, waiting = set(), [pid]
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                stat = Path(f"/proc/{name}/stat").read_bytes().rpartition(b")")[2].split()
            except OSError:
                continue
            if stat[0] != b"Z":
                parents.setdefault(int(stat[1]), []).append(int(name))
    while waiting:
        for child in parents.get(waiting.pop(), []):
            found.add(child)
            waiting.append(child)
    return found


def test_one_wall_serves_all_blocks_until_stop(sandbox, run, eventually):
    box = sandbox()
    assert box._held.link is None
    run(box, "open('/tmp/x', 'w')")
    first = inside(box)
    run(box, "open('/tmp/x')")
    assert inside(box) is first
    below = descendants(first.pid)
    assert below
    box.stop()
    eventually(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in below))
    assert run(box, "import os; print(os.path.exists('/tmp/x'))").output == "False\n"


def test_restart_forgets_what_was_in_memory(sandbox, run):
    box = sandbox()
    run(box, "open('/tmp/x', 'w')")
    box.restart()
    assert "No such file" in run(box, "open('/tmp/x')").output


def test_wall_can_be_brought_up_before_the_first_block(sandbox, run):
    box = sandbox()
    assert not box.is_warm
    box.start()
    process = inside(box)
    assert box.is_warm
    box.start()
    run(box, "pass")
    assert inside(box) is process
    box.stop()
    assert not box.is_warm


def test_start_can_be_cancelled(sandbox):
    token = CancelToken()
    token.cancel()
    box = sandbox()
    with pytest.raises(RunCancelled):
        box.start(cancel=token)
    assert not box.is_warm


def test_stop_ends_a_block_that_runs_in_another_thread(sandbox, run, tmp_path, eventually):
    box, results = sandbox(), []
    code = "open('up', 'w').close()\nimport time\ntime.sleep(60)"
    thread = threading.Thread(target=lambda: results.append(run(box, code)))
    thread.start()
    eventually(lambda: (tmp_path / "work" / "up").exists())
    process = inside(box)
    below = descendants(process.pid)
    box.stop()
    thread.join(10)
    assert results[0].exit_code == 137
    assert "was replaced" in results[0].output
    eventually(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in below))
    assert run(box, "print('fine')").output == "fine\n"


def test_with_block_ends_the_wall(sandbox, run):
    with sandbox() as box:
        run(box, "pass")
        process = inside(box)
    assert process.poll() is not None


def test_forgotten_executor_takes_its_wall_along(tmp_path, sandbox, run, eventually):
    from autogen.coding import SandboxCommandLineCodeExecutor

    box = SandboxCommandLineCodeExecutor(work_dir=tmp_path / "work")
    run(box, "pass")
    process = inside(box)
    del box
    gc.collect()
    eventually(lambda: process.poll() is not None)


def test_nothing_is_left_behind(sandbox, run, tmp_path, monkeypatch, eventually):
    def mounts():
        # Other tests may run a Docker engine beside this one.
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
        return [line for line in lines if str(tmp_path) in line]

    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    threads = threading.active_count()
    around = set(descendants(os.getpid()))
    box = sandbox()
    run(box, "sleep 60 & echo x", "sh")
    below = set(descendants(os.getpid())) - around
    assert below
    files = len(os.listdir("/proc/self/fd"))
    run(box, "print(1)")
    assert len(os.listdir("/proc/self/fd")) == files
    box.stop()
    eventually(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in below))
    assert mounts() == []
    assert list(temporary.iterdir()) == []
    assert threading.active_count() <= threads + 1
    assert sorted(path.suffix for path in (tmp_path / "work").iterdir()) == [".py", ".sh"]


def test_wall_dies_with_the_program_however_that_ends(sandbox, run, tmp_path, eventually):
    sandbox()
    program = f"""
        import os, sys
        from autogen.coding import CodeBlock, SandboxCommandLineCodeExecutor
        box = SandboxCommandLineCodeExecutor(work_dir={str(tmp_path / "w")!r})
        box.execute_code_blocks([CodeBlock(code="print(1)", language="python")])
        print(box._held.link.process.pid, flush=True)
        box.execute_code_blocks([CodeBlock(code="import time; time.sleep(60)", language="python")])
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True
    )
    pid = int(process.stdout.readline())
    eventually(lambda: len(descendants(pid)) >= 2)
    below = {pid, *descendants(pid)}
    process.kill()
    process.communicate()
    eventually(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in below))


def test_wall_outlives_the_thread_that_started_it(sandbox, run):
    box = sandbox()
    thread = threading.Thread(target=run, args=(box, "pass"))
    thread.start()
    thread.join()
    process = inside(box)
    for _ in range(20):
        assert run(box, "print(1)").output == "1\n"
    assert inside(box) is process


def test_threads_take_turns(sandbox, run):
    box = sandbox()
    results = {}

    def work(number):
        results[number] = run(box, f"print({number})").output

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: f"{number}\n" for number in range(8)}


def test_output_is_seen_while_the_block_runs(sandbox, run, tmp_path):
    box = sandbox()
    seen = []

    def sink(event):
        seen.append(event)
        (tmp_path / "work" / "go").touch()

    state = Run(id="r", sinks=[sink], make_event=lambda run, kind, data: (kind, data["text"]))
    code = "import os, time\nprint('first')\nwhile not os.path.exists('go'): time.sleep(0.005)"
    with entered(state):
        assert run(box, code).exit_code == 0
    assert seen == [("code.output", "first\n")]


def test_cancelled_run_kills_the_block_quickly(sandbox, run, tmp_path):
    box = sandbox()
    run(box, "pass")
    token = CancelToken()
    state = Run(id="r", cancel=token)
    cancelled_s = []

    def cancel():
        while not (tmp_path / "work" / "up").exists():
            time.sleep(0.002)
        cancelled_s.append(time.monotonic())
        token.cancel()

    thread = threading.Thread(target=cancel)
    thread.start()
    with entered(state), pytest.raises(RunCancelled):
        run(box, "import os, time\nos.fork()\nopen('up', 'w').close()\ntime.sleep(60)")
    took_s = time.monotonic() - cancelled_s[0]
    thread.join()
    assert took_s < 1
    assert run(box, "print('fine')").output == "fine\n"


def test_cancelled_before_it_began_runs_nothing(sandbox, run, tmp_path):
    box = sandbox()
    token = CancelToken()
    token.cancel()
    with entered(Run(id="r", cancel=token)), pytest.raises(RunCancelled):
        run(box, "open('x', 'w')")
    assert not (tmp_path / "work" / "x").exists()


def test_waiting_for_another_block_can_be_cancelled(sandbox, run, tmp_path, eventually):
    box = sandbox()
    code = "import os, time\nopen('up', 'w')\nwhile not os.path.exists('go'): time.sleep(0.01)"
    thread = threading.Thread(target=run, args=(box, code))
    thread.start()
    eventually(lambda: (tmp_path / "work" / "up").exists())
    token = CancelToken()
    timer = threading.Timer(0.2, token.cancel)
    timer.start()
    started = time.monotonic()
    with entered(Run(id="r", cancel=token)), pytest.raises(RunCancelled):
        run(box, "pass")
    assert time.monotonic() - started < 1.2
    assert thread.is_alive()
    (tmp_path / "work" / "go").touch()
    thread.join()
    timer.join()


def test_interrupt_from_the_keyboard_kills_the_block_and_leaves_the_sandbox_usable(
    sandbox, run, tmp_path, eventually
):
    box = sandbox()
    run(box, "pass")
    process = inside(box)

    def interrupt():
        while not (tmp_path / "work" / "up").exists():
            time.sleep(0.002)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            run(box, "open('up', 'w').close()\nimport time\ntime.sleep(60)")
    finally:
        signal.signal(signal.SIGINT, previous)
        thread.join()
    assert inside(box) is process
    assert run(box, "print('fine')").output == "fine\n"
    # The runner, and the fork that stands by for the next block.
    eventually(lambda: len(descendants(process.pid)) == 2)


def test_error_in_a_sink_kills_the_block_and_leaves_the_sandbox_usable(sandbox, run):
    box = sandbox()

    def sink(event):
        raise RuntimeError("sink")

    state = Run(id="r", sinks=[sink], make_event=lambda run, kind, data: data)
    block = Call(run, None, (box, "print(1)\nimport time\ntime.sleep(60)"))

    async def core():
        return await block

    with entered(state), pytest.raises(RuntimeError, match="sink"):
        drive_sync(core())
    assert run(box, "print('fine')").output == "fine\n"


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_forked_program_gets_a_wall_of_its_own(sandbox, run, tmp_path):
    box = sandbox()
    run(box, "open('/tmp/mine', 'w')")
    process = inside(box)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            shared = run(box, "import os; print(os.path.exists('/tmp/mine'))").output
            own = inside(box).pid
            box.stop()
            code = 0 if shared == "False\n" and own != process.pid else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert inside(box) is process
    assert run(box, "import os; print(os.path.exists('/tmp/mine'))").output == "True\n"


def test_runner_killed_from_outside_is_replaced(sandbox, run, tmp_path, eventually):
    box = sandbox()
    run(box, "pass")
    process = inside(box)

    def kill():
        while not (tmp_path / "work" / "up").exists():
            time.sleep(0.002)
        process.kill()

    thread = threading.Thread(target=kill)
    thread.start()
    result = run(box, "open('up', 'w').close()\nimport time\ntime.sleep(60)")
    thread.join()
    assert result.exit_code == 137
    assert "was replaced: it is gone" in result.output
    assert run(box, "print('fine')").output == "fine\n"


def test_runner_that_died_between_blocks_is_not_noticed(sandbox, run):
    box = sandbox()
    run(box, "pass")
    inside(box).kill()
    inside(box).wait()
    assert run(box, "print('fine')").output == "fine\n"


def test_wedged_runner_is_replaced(sandbox, run, monkeypatch, eventually):
    monkeypatch.setattr(link_module, "GRACE_S", 0.3)
    box = sandbox(timeout=1)
    run(box, "pass")
    process = inside(box)
    (runner,) = (pid for pid in descendants(process.pid) if is_runner(pid, process.pid))
    os.kill(runner, signal.SIGSTOP)
    below = descendants(process.pid)
    result = run(box, "print(1)")
    assert result.exit_code == 137
    assert "did not answer in time" in result.output
    eventually(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in below))
    assert run(box, "print('fine')").output == "fine\n"


def is_runner(pid, holder):
    return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1]) == holder


# -- the first block, and those after it -----------------------------------------------------------


def test_first_block_and_later_ones_have_the_same_tracebacks(sandbox, run):
    code = """
import os, traceback
os.chdir("/")
try:
    print(1 / 0)
except ZeroDivisionError:
    print(traceback.format_exc())
raise ValueError("the end")
"""
    box = sandbox()
    first, second = run(box, f"# filename: a.py\n{code}"), run(box, f"# filename: a.py\n{code}")
    assert first.output == second.output
    assert first.output.count("print(1 / 0)") == 1
    assert 'raise ValueError("the end")' in first.output


def test_later_blocks_find_what_blocks_usually_import(sandbox, run):
    code = "import sys; print(sys.modules.keys() >= {'json', 're', 'socket', 'typing'})"
    box = sandbox()
    assert run(box, code, "python").exit_code == 0
    assert run(box, code).output == "True\n"
    warmed = sandbox()
    warmed.start()
    assert run(warmed, code).output == "True\n"


def test_first_block_may_be_one_of_a_notebook_or_ask_for_packages(sandbox, run):
    assert run(sandbox(), "!echo yes").output == "yes\n"
    said = run(sandbox(network="none"), "pip install colorama", "sh")
    assert "network is switched off" in said.output


@pytest.mark.parametrize("text", ['"\\', "\x00\x1f\x7f", "äö€😀", "\ud800"])
def test_runner_tells_the_host_any_text(text):
    told = {"a": text, "b": None, "c": 1, "d": -2.5, "e": {"f": text}}
    assert json.loads(runner.as_json(told)) == told
