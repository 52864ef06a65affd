"""A sandbox whose folder fills up or disappears, and what is left when all is over: nothing."""

from __future__ import annotations

import os
import select
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from autogen.coding import CodeBlock, SandboxPool, bubblewrap
from autogen.coding.group import PREFIX
from autogen.errors import ExecutionError, UsageError

pytestmark = pytest.mark.wall


def test_full_disk_is_an_error_of_the_block(sandbox, run, small_disk):
    box = sandbox(work_dir=small_disk)
    result = run(box, "open('big', 'wb').write(bytes(4 << 20))")
    assert result.exit_code == 1
    assert "No space left on device" in result.output
    # The file took what there was, so that the next block's own code cannot be saved.
    result = run(box, f"print('{'x' * 20_000}')")
    assert result.exit_code == 1
    assert "could not be saved" in result.output
    assert "No space left on device" in result.output
    (small_disk / "big").unlink()
    assert run(box, "print('fine')").output == "fine\n"


def test_disk_without_room_for_another_file_is_an_error_of_the_block(sandbox, run, small_disk):
    box = sandbox(work_dir=small_disk)
    result = run(box, "for n in range(100): open(str(n), 'w').close()")
    assert result.exit_code == 1
    assert "No space left on device" in result.output
    assert "could not be saved" in run(box, "print('another name')").output
    for path in small_disk.glob("[0-9]*"):
        path.unlink()
    assert run(box, "print('fine')").output == "fine\n"


def test_work_dir_that_is_removed_while_a_block_runs_is_made_anew(sandbox, run, tmp_path):
    box = sandbox()
    work, results = tmp_path / "work", []
    code = "import os, time\nopen('up', 'w').close()\n"
    code += "while os.path.exists('up'): time.sleep(0.005)\nprint('gone')"
    thread = threading.Thread(target=lambda: results.append(run(box, code)))
    thread.start()
    while not (work / "up").exists():
        time.sleep(0.005)
    for path in work.iterdir():
        path.unlink()
    work.rmdir()
    thread.join(20)
    assert (results[0].exit_code, results[0].output) == (0, "gone\n")
    assert run(box, "open('new', 'w').close(); print('fine')").output == "fine\n"
    assert (work / "new").exists()


def test_work_dir_that_became_a_file_is_told(sandbox, run, tmp_path):
    box = sandbox()
    work = tmp_path / "work"
    work.rmdir()
    work.write_text("x")
    with pytest.raises(UsageError, match="is no folder"):
        run(box, "print(1)")


@pytest.mark.parametrize("timeout", [0, -1])
def test_time_limit_that_is_none_is_refused(sandbox, timeout):
    with pytest.raises(UsageError, match="timeout"):
        sandbox(timeout=timeout)


def left_behind():
    """What the code of this process could leave on the machine."""
    own = Path("/proc/self")
    mounts = [line for line in (own / "mountinfo").read_text().splitlines() if "autogen" in line]
    groups = [
        os.path.join(at, name)
        for at, names, _ in os.walk("/sys/fs/cgroup")
        for name in names
        if name.startswith(PREFIX) and f"-{os.getpid()}-" in name
    ]
    children = " ".join(path.read_text() for path in own.glob("task/*/children")).split()
    return {
        "mounts": mounts,
        "cgroups": groups,
        "processes": sorted(children),
        "folders": sorted(os.listdir(tempfile.gettempdir())),
        "files": len(os.listdir(own / "fd")),
    }


def test_nothing_is_left_however_blocks_ended(sandbox, run, tmp_path, monkeypatch, eventually):
    place = tmp_path / "temporary"
    place.mkdir(mode=0o755)
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    # What stays for the whole process (the thread that starts walls, its pipes) is there before.
    first = sandbox()
    run(first, "pass")
    first.stop()
    before = left_behind()
    for code in (
        "1 / 0",
        "import os; os.kill(os.getpid(), 9)",
        "import time; time.sleep(60)",
        "import os\nos.fork()\nos.setsid()\nos.fork()",
        "x = []\nwhile True: x.append(bytearray(b'x') * (8 << 20))",
    ):
        box = sandbox(timeout=1, memory_mb=128)
        assert run(box, code) is not None
        box.stop()
    lost = sandbox()
    run(lost, "pass")
    lost._held.link.process.kill()
    lost.stop()
    with SandboxPool(2) as pool:
        pool.fill()
        run(pool.executor(), "open('x', 'w')")
    eventually(lambda: left_behind() == before)


# -- a work_dir that is a link ---------------------------------------------------------------------


def test_work_dir_may_be_a_link_from_the_start(sandbox, run, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    box = sandbox(work_dir=tmp_path / "link")
    assert run(box, "open('x', 'w').close(); print('ok')").output == "ok\n"
    assert (tmp_path / "real" / "x").exists()


@pytest.mark.parametrize("start", ["a block", "start()"])
def test_work_dir_that_became_a_link_is_refused(sandbox, run, tmp_path, start):
    """Code in the folder above puts a link in the place of another executor's work_dir."""
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("key")
    outer = sandbox(work_dir=tmp_path / "outer")
    inner = sandbox(work_dir=tmp_path / "outer" / "inner")
    assert run(inner, "print(1)").output == "1\n"
    code = f"import os; os.rename('inner', 'was'); os.symlink({str(secret)!r}, 'inner')"
    assert run(outer, code).exit_code == 0
    go = {"a block": lambda: run(inner, "print(open('key').read())"), "start()": inner.start}
    with pytest.raises(ExecutionError, match="leads to"):
        go[start]()
    assert sorted(os.listdir(secret)) == ["key"]
    (tmp_path / "outer" / "inner").unlink()
    assert run(inner, "import os; print(os.listdir('.') == [])").exit_code == 0


def test_folder_above_the_work_dir_that_became_a_link_is_refused(sandbox, run, tmp_path):
    for name in ("above", "secret"):
        (tmp_path / name / "work").mkdir(parents=True)
    box = sandbox(work_dir=tmp_path / "above" / "work")
    (tmp_path / "above").rename(tmp_path / "was")
    (tmp_path / "above").symlink_to(tmp_path / "secret")
    with pytest.raises(ExecutionError, match="make a new executor"):
        run(box, "open('x', 'w')")
    assert os.listdir(tmp_path / "secret" / "work") == []


@pytest.mark.parametrize("above", [False, True], ids=["itself", "the folder above"])
def test_work_dir_that_becomes_a_link_while_a_wall_goes_up_is_refused(
    sandbox, run, tmp_path, monkeypatch, above
):
    """The moment is that in which everything was looked at, and the wall is not up."""
    work, other = tmp_path / "above" / "work", tmp_path / "other" / "work"
    for folder in (work, other):
        folder.mkdir(parents=True)
    (other / "key").write_text("key")
    box = sandbox(work_dir=work)
    run(box, "pass")
    box.stop()
    real = bubblewrap.spawn

    def swap(argv, **options):
        there, lure = (work.parent, other.parent) if above else (work, other)
        there.rename(there.with_name("was"))
        there.symlink_to(lure)
        return real(argv, **options)

    monkeypatch.setattr(bubblewrap, "spawn", swap)
    with pytest.raises(ExecutionError, match="another folder"):
        run(box, "print(open('key').read())")
    assert os.listdir(other) == ["key"]


def test_work_dir_that_becomes_a_link_between_two_blocks_is_left_alone(sandbox, tmp_path):
    """What another executor's code does while the first block runs."""
    work, other = tmp_path / "above" / "work", tmp_path / "other"
    for folder in (work, other):
        folder.mkdir(parents=True)
    box = sandbox(work_dir=work)
    blocks = [
        CodeBlock(
            code="open('up', 'w').close()\nwhile True:\n try: open('up').close()\n"
            " except OSError: break",
            language="python",
        ),
        CodeBlock(code="# filename: authorized_keys\nprint('mine')", language="python"),
    ]
    results = []

    def execute():
        try:
            results.append(box.execute_code_blocks(blocks))
        except ExecutionError as error:
            results.append(error)

    thread = threading.Thread(target=execute)
    thread.start()
    while not (work / "up").exists():
        time.sleep(0.005)
    work.rename(work.with_name("was"))
    work.symlink_to(other)
    (work.with_name("was") / "up").unlink()
    thread.join(20)
    assert "is not that folder any more" in str(results[0])
    assert os.listdir(other) == []


def test_relative_work_dir_goes_along_with_its_program(sandbox, run, tmp_path, monkeypatch):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "one")
    box = sandbox(work_dir="work")
    monkeypatch.chdir(tmp_path / "two")
    assert run(box, "open('x', 'w')").exit_code == 0
    assert (tmp_path / "two" / "work" / "x").exists()


def test_a_wall_that_is_given_up_as_it_goes_up_leaves_nobody_behind(
    sandbox, run, eventually, monkeypatch, tmp_path
):
    """The first process inside waits for a word of the one that made it, which is killed."""
    moments = iter(range(40))

    def given_up(info, waker):
        # Sooner or later: from nothing there yet to just about to go on.
        select.select([info], [], [], next(moments) / 2000)
        raise KeyboardInterrupt

    def left():
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                if b"bwrap" in (words := path.read_bytes()) and os.fsencode(tmp_path) in words:
                    return True
        return False

    monkeypatch.setattr(bubblewrap, "first_inside", given_up)
    for number in range(40):
        with pytest.raises(KeyboardInterrupt):
            run(sandbox(work_dir=tmp_path / str(number)), "pass")
    eventually(lambda: not left())
