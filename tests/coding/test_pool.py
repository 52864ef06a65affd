"""Sandboxes that are warm before anybody needs them."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from autogen import AssistantAgent, UserProxyAgent
from autogen.coding import SandboxPool
from autogen.errors import ExecutionError, NoWallError, UsageError
from autogen.testing import ScriptedModel

pytestmark = pytest.mark.wall


@pytest.fixture
def pool(sandbox, tmp_path):
    """Makes pools in `tmp_path/chats`, which are closed after the test."""
    made = []

    def make(size=1, **options):
        made.append(SandboxPool(size, **{"root": tmp_path / "chats", "timeout": 20, **options}))
        return made[-1]

    yield make
    for one in made:
        one.close()


def wall_of(executor):
    return executor._held.link.process


def test_first_block_finds_its_wall_up(pool, run):
    one = pool()
    one.fill()
    box = one.executor()
    wall = wall_of(box)
    assert run(box, "print(1)").output == "1\n"
    assert wall_of(box) is wall


def test_wall_is_handed_out_once(pool, run):
    one = pool(size=2)
    one.fill()
    boxes = [one.executor() for _ in range(2)]
    one.fill()
    boxes += [one.executor(), one.executor()]
    assert len({wall_of(box).pid for box in boxes}) == 4
    assert len({box.work_dir for box in boxes}) == 4


def test_nothing_of_one_chat_is_met_by_another(pool, run):
    one = pool(preload=("json",))
    one.fill()
    first = one.executor()
    run(first, "import json, os\njson.left = 1\nopen('/tmp/left', 'w')\nopen('left', 'w')")
    run(first, "nohup sleep 60 & mkdir /run/autogen/home/left", "sh")
    first.stop()
    one.fill()
    look = "import json, os; print([hasattr(json, 'left'), os.path.exists('/tmp/left'), "
    look += "os.listdir(os.path.expanduser('~')), [n for n in os.listdir('.') if n[0] != 't'], "
    look += "len([n for n in os.listdir('/proc') if n.isdigit()])])"
    assert run(one.executor(), look).output == "[False, False, [], [], 2]\n"


def test_chats_cannot_see_each_others_folders(pool, run):
    one = pool(size=2)
    one.fill()
    first, second = one.executor(), one.executor()
    run(first, "open('secret', 'w').write('key')")
    path = str(first.work_dir / "secret")
    assert "No such file" in run(second, f"open({path!r})").output
    assert run(second, "import os; print(len(os.listdir('..')))").output == "1\n"


def test_empty_pool_hands_out_a_sandbox_whose_wall_comes_with_its_first_block(pool, run):
    one = pool()
    boxes = [one.executor() for _ in range(4)]
    assert any(not box.is_warm for box in boxes)
    assert [run(box, "print(1)").output for box in boxes] == ["1\n"] * 4


def test_pool_fills_again_after_one_was_taken(pool, eventually):
    one = pool(size=2)
    one.fill()
    one.executor()
    eventually(lambda: one.warm == 2)


def test_wall_that_died_while_it_stood_by_is_not_handed_out(pool, run):
    one = pool()
    one.fill()
    died = one._stock.ready[0]
    wall_of(died).kill()
    wall_of(died).wait(5)
    box = one.executor()
    assert box is not died
    assert run(box, "print(1)").output == "1\n"
    assert not died.work_dir.exists()


def test_wall_that_died_while_it_stood_by_is_replaced(pool, monkeypatch, eventually):
    monkeypatch.setattr("autogen.coding.pool.HEALTH_S", 0.02)
    one = pool()
    one.fill()
    died = one._stock.ready[0]
    wall_of(died).kill()
    eventually(lambda: one.warm == 1 and one._stock.ready[0] is not died)
    assert not died.work_dir.exists()


def test_modules_are_there_before_the_first_block(pool, run):
    one = pool(preload=("decimal", "xml.dom.minidom"))
    one.fill()
    code = "import sys; print('decimal' in sys.modules, 'xml.dom.minidom' in sys.modules)"
    assert run(one.executor(), code).output == "True True\n"
    assert "False" in run(pool(root=None).executor(), code).output


def test_numpy_computes_in_blocks_of_a_preloading_pool(pool, run):
    box = pool(preload=("numpy",)).executor()
    code = "import numpy as np\na = np.random.rand(300, 300)\nprint(int((a @ a).sum() > 0))"
    for _ in range(3):
        assert run(box, code).output == "1\n"


def test_module_that_cannot_be_preloaded_is_told_to_who_waits_and_to_the_chat(pool, run):
    one = pool(preload=("no_such_module",))
    told = "ModuleNotFoundError: No module named 'no_such_module'.*packages="
    with pytest.raises(ExecutionError, match=told):
        one.fill()
    with pytest.raises(ExecutionError, match=told):
        run(one.executor(), "print(1)")


def test_where_no_wall_stands_whoever_waits_is_told(pool, monkeypatch):
    monkeypatch.setattr("autogen.coding.bubblewrap.find_bwrap", lambda: None)
    with pytest.raises(NoWallError, match="bubblewrap is not installed"):
        pool(wall="bubblewrap").fill()


@pytest.mark.parametrize(
    "options, told",
    [
        ({"size": 0}, "size 0 is too small"),
        ({"work_dir": "x"}, "say where with root="),
        ({"memory_mb": 1}, "memory_mb 1 is too little"),
        ({"timeout": 0}, "timeout.*at least 1 second"),
        ({"preload": "numpy"}, "expected names of modules"),
        ({"preload": ("a b",)}, "'a b', which is no name of a module"),
        ({"root": "/"}, "holds your home folder"),
    ],
)
def test_what_cannot_be_worked_with_is_refused_at_once(tmp_path, options, told):
    threads = threading.active_count()
    with pytest.raises(UsageError, match=told):
        SandboxPool(**{"root": tmp_path / "chats", **options})
    assert threading.active_count() == threads


def test_closed_pool_has_nothing_running_and_nothing_to_give(pool, run, eventually, tmp_path):
    around = set(Path("/proc/self/task").iterdir())
    one = pool(size=2)
    one.fill()
    box = one.executor()
    run(box, "open('kept', 'w')")
    one.fill()
    walls = [wall_of(box), *map(wall_of, one._stock.ready)]
    one.close()
    one.close()
    assert all(wall.poll() is not None for wall in walls)
    assert os.listdir(tmp_path / "chats") == [box.work_dir.name]
    assert "kept" in os.listdir(box.work_dir)
    with pytest.raises(UsageError, match="closed"):
        one.executor()
    with pytest.raises(UsageError, match="closed"):
        one.fill()
    assert one.warm == 0
    eventually(lambda: len(set(Path("/proc/self/task").iterdir()) - around) <= 1)


def test_folder_of_its_own_is_removed_with_the_pool(pool, run):
    one = pool(root=None)
    one.fill()
    root = one.executor().work_dir.parent
    assert root.name.startswith("autogen-pool-")
    one.close()
    assert not root.exists()


def test_folder_of_a_chat_that_is_over_does_not_stay(pool, run, monkeypatch, eventually):
    monkeypatch.setattr("autogen.coding.pool.HEALTH_S", 0.02)
    one = pool(root=None)
    one.fill()
    box = one.executor()
    deep = "import os\nfor _ in range(1500):\n    os.mkdir('d'); os.chdir('d')"
    assert run(box, deep).exit_code == 0
    folder, wall = box.work_dir, wall_of(box)
    del box
    gc.collect()
    eventually(lambda: not folder.exists() and wall.poll() is not None)


def test_forgotten_pool_takes_its_walls_along(pool, eventually, tmp_path):
    one = SandboxPool(1, root=tmp_path / "chats")
    one.fill()
    walls, thread = [wall_of(box) for box in one._stock.ready], one._stock.thread
    del one
    gc.collect()
    eventually(lambda: all(wall.poll() is not None for wall in walls))
    thread.join(5)
    assert not thread.is_alive()
    assert os.listdir(tmp_path / "chats") == []


def test_sandbox_keeps_its_pool(run, sandbox, eventually):
    box = SandboxPool(1).executor()
    gc.collect()
    assert run(box, "open('x', 'w'); print(1)").output == "1\n"
    folder = box.work_dir
    del box
    gc.collect()
    eventually(lambda: not folder.parent.exists())


def test_closing_ends_a_block_that_runs(pool, run, wait_s):
    one = pool()
    one.fill()
    box = one.executor()
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(run, box, "open('on', 'w'); import time; time.sleep(60)")
        while not (box.work_dir / "on").exists():
            assert not running.done()
        one.close()
        assert running.result(wait_s).exit_code == 137


def test_threads_get_sandboxes_of_their_own(pool, run):
    one = pool(size=2)
    with ThreadPoolExecutor(8) as threads:
        boxes = list(threads.map(lambda _: one.executor(), range(8)))
        outputs = list(threads.map(lambda n: run(boxes[n], f"print({n})").output, range(8)))
    assert outputs == [f"{n}\n" for n in range(8)]
    assert len({box.work_dir for box in boxes}) == 8


def test_chats_on_a_server_take_their_sandboxes_in_coroutines(pool):
    one = pool(size=2)
    block = "```python\nprint(6 * 7)\n```"

    async def chat():
        user = UserProxyAgent(
            "user", human_input_mode="NEVER", code_execution_config={"executor": one.executor()}
        )
        with ScriptedModel([block, "TERMINATE"]) as model:
            assistant = AssistantAgent("assistant", llm_config=model.config())
            result = await user.a_initiate_chat(assistant, message="go")
        return result.chat_history[2]["content"]

    async def all_of_them():
        return await asyncio.gather(*(chat() for _ in range(3)))

    assert (
        asyncio.run(all_of_them()) == ["exitcode: 0 (execution succeeded)\nCode output: 42\n"] * 3
    )


PROGRAM = """
import os, sys
from autogen.coding import CodeBlock, SandboxPool
pool = SandboxPool(2)
pool.fill()
block = CodeBlock(code="print(1)", language="python")
"""


def program(text, **options):
    return subprocess.run(
        [sys.executable, "-c", PROGRAM + textwrap.dedent(text)],
        capture_output=True,
        text=True,
        timeout=50,
        **options,
    )


def test_end_of_the_program_ends_the_pool(sandbox, tmp_path):
    done = program(
        """
        box = pool.executor()
        print(box.work_dir.parent, box._held.link.process.pid)
        """,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    root, pid = done.stdout.split()
    assert (done.returncode, done.stderr) == (0, "")
    assert not os.path.exists(root)
    assert not os.path.exists(f"/proc/{pid}")


def test_child_of_a_fork_fills_a_pool_of_its_own(sandbox, tmp_path):
    done = program(
        """
        walls = {one._held.link.process.pid for one in pool._stock.ready}
        child = os.fork()
        box = pool.executor()
        output = box.execute_code_blocks([block]).output
        mine = box._held.link.process.pid
        pool.fill()
        text = f"{output.strip()} {mine in walls} {pool.warm}\\n"
        if child == 0:
            os.write(1, b"child " + text.encode())
            pool.close()
            os._exit(0)
        os.waitpid(child, 0)
        os.write(1, b"parent " + text.encode())
        """,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert done.stdout == "child 1 False 2\nparent 1 True 2\n", done.stderr
    assert done.stderr == ""
    assert [name for name in os.listdir(tmp_path) if name.startswith("autogen-pool")] == []
