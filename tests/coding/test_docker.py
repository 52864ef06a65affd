"""Code blocks in containers of a real engine: what they see, what they may, how they end."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from tests.compat.requirements import requirement

import autogen
from autogen._kernel.cancel import CancelToken
from autogen._kernel.run import Run, entered
from autogen.code_utils import TIMEOUT_MSG, execute_code
from autogen.coding import CodeBlock, CodeExecutorFactory, DockerCommandLineCodeExecutor
from autogen.coding.docker_container import LABEL
from autogen.coding.factory import legacy_executor
from autogen.coding.func_with_reqs import FunctionWithRequirements
from autogen.coding.walls import probe
from autogen.errors import ExecutionError, NoWallError, PackageError, RunCancelled, UsageError
from autogen.testing.conformance.executor import conformance_tests

from . import test_sandbox_network
from .docker_engine import IMAGE, SHARED, engine_up

# The first test may have to install the engine.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.wall,
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("docker"),
]


test_conformance = conformance_tests("docker_box", walled=True, limited=True)

FETCH = test_sandbox_network.FETCH
site = test_sandbox_network.site


@pytest.fixture(scope="session")
def running_engine(require_part):
    """One engine for all tests of this group."""
    with engine_up(require_part) as started:
        yield started


@pytest.fixture
def engine(running_engine, monkeypatch):
    """The engine, up, which no test leaves with a container."""
    if not running_engine.answers():
        running_engine.kill()
        running_engine.start()
    monkeypatch.setenv("DOCKER_HOST", running_engine.address)
    return running_engine


@pytest.fixture
def docker_box(engine, tmp_path):
    """Makes executors whose work_dir is `tmp_path/work`; afterwards nothing of them is left."""
    made = []

    def make(**options):
        options = {"image": IMAGE, "work_dir": tmp_path / "work", "timeout": 20, **options}
        made.append(DockerCommandLineCodeExecutor(**options))
        return made[-1]

    yield make
    for executor in made:
        executor.stop()
    if engine.answers():
        assert engine.containers() == []


@pytest.fixture(scope="module")
def shared_box(running_engine, tmp_path_factory):
    box = DockerCommandLineCodeExecutor(
        IMAGE,
        container_name=SHARED,
        work_dir=tmp_path_factory.mktemp("shared"),
        timeout=5,
        memory_mb=256,
        processes=40,
        disk_mb=64,
    )
    yield box
    box.stop()


@pytest.fixture
def shared(engine, shared_box):
    """One warm container for tests that leave nothing behind in it."""
    return shared_box


@pytest.fixture
def survives(shared, run):
    """Runs hostile code; whatever it did, the next block finds a working container."""

    def attempt(code, language="python"):
        result = run(shared, textwrap.dedent(code), language)
        assert run(shared, "print('fine')").output == "fine\n"
        return result

    return attempt


# -- what a block sees -----------------------------------------------------------------------------


def test_blocks_run_in_the_folder_that_both_sides_see(docker_box, run, tmp_path):
    box = docker_box()
    result = run(box, "import os; print(os.getcwd()); open('made.txt', 'w').write('x')")
    assert (result.exit_code, result.output) == (0, "/workspace\n")
    assert [artifact.name for artifact in result.artifacts] == ["made.txt"]
    assert result.code_file == str(next((tmp_path / "work").glob("tmp_code_*.py")))
    assert run(box, "cat made.txt; exit 3", "sh").output == "x"


@requirement("docker:container")
def test_one_container_serves_all_blocks_until_stop(docker_box, engine, run):
    box = docker_box()
    assert engine.containers() == []
    run(box, "open('/tmp/x', 'w')")
    first = engine.containers()
    run(box, "open('/tmp/x')")
    assert engine.containers() == first
    assert len(first) == 1
    box.restart()
    assert engine.containers() == []
    assert run(box, "open('/tmp/x')").exit_code == 1


def test_container_is_labelled_with_its_program(docker_box, engine, run):
    run(docker_box(container_name="autogen-test-named"), "")
    (found,) = engine.containers()
    assert found.labels[LABEL] == str(os.getpid())
    assert found.name == "autogen-test-named"


def test_name_that_is_taken_is_refused(docker_box, run):
    run(docker_box(container_name="autogen-test-taken"), "")
    with pytest.raises(ExecutionError, match=r"autogen-test-taken.*docker rm -f"):
        run(docker_box(container_name="autogen-test-taken"), "")


def test_environment_is_that_of_the_image_and_the_caller(docker_box, run, monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_HOST", "x")
    box = docker_box(env={"MINE": "m"})
    code = "import os; e = os.environ; print(e['FROM_IMAGE'], e['MINE'], 'SECRET_OF_THE_HOST' in e)"
    assert run(box, code).output == "yes m False\n"


def test_mounts_are_read_only_unless_they_say_so(docker_box, run, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    mounts = {tmp_path / "a": "/data/a", tmp_path / "b": {"bind": "/data/b", "mode": "rw"}}
    box = docker_box(mounts=mounts)
    assert "Read-only" in run(box, "open('/data/a/x', 'w')").output
    assert run(box, "open('/data/b/x', 'w')").exit_code == 0
    assert (tmp_path / "b" / "x").exists()


@requirement("docker:bind-dir")
def test_bind_dir_is_what_the_engine_mounts(docker_box, run, tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "same").symlink_to("work")
    box = docker_box(bind_dir=tmp_path / "same")
    assert run(box, "print(1)").output == "1\n"
    assert box.bind_dir == tmp_path / "same"
    (tmp_path / "other").mkdir()
    with pytest.raises(ExecutionError, match="bind_dir"):
        run(docker_box(bind_dir=tmp_path / "other"), "print(1)")
    assert not list((tmp_path / "work").glob(".autogen-*"))


@pytest.mark.parametrize("owner", [0, 1234])
def test_picture_belongs_to_the_owner_of_the_work_dir(docker_box, run, tmp_path, owner):
    work_dir = tmp_path / "work"
    work_dir.mkdir()
    os.chown(work_dir, owner, owner)
    result = run(
        docker_box(),
        """
        import struct, zlib
        def part(kind, data):
            crc = zlib.crc32(kind + data)
            return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)
        rows = b"".join(b"\\0" + bytes([x % 256 for x in range(64)]) for y in range(64))
        head = part(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 0, 0, 0, 0))
        body = part(b"IDAT", zlib.compress(rows)) + part(b"IEND", b"")
        open("chart.png", "wb").write(b"\\x89PNG\\r\\n\\x1a\\n" + head + body)
        """.replace("\n        ", "\n"),
    )
    assert result.exit_code == 0, result.output
    state = (work_dir / "chart.png").stat()
    assert (state.st_uid, state.st_gid) == (owner, owner)
    assert [(one.name, one.mime) for one in result.artifacts] == [("chart.png", "image/png")]


def test_packages_are_installed_for_the_python_inside(docker_box, run):
    box = docker_box(packages=["six"])
    assert run(box, "import six; print(six.__file__)").output.startswith("/run/autogen/layer/")
    assert run(box, "pip install iniconfig", "sh").exit_code == 0
    assert run(box, "import six, iniconfig").exit_code == 0
    assert "Could not install" in run(box, "pip install autogen-no-such-thing", "sh").output


def test_packages_that_cannot_be_installed_are_an_error(docker_box, run):
    with pytest.raises(PackageError, match="autogen-no-such-thing"):
        run(docker_box(packages=["autogen-no-such-thing"]), "print(1)")


def test_network_none_refuses_packages_too(docker_box, run):
    result = run(docker_box(network="none"), "pip install six", "sh")
    assert "network is switched off" in result.output


# -- the rules of every command line executor ------------------------------------------------------


@requirement("docker:languages:unknown")
def test_unknown_language_is_a_result(shared, run):
    result = run(shared, "x", "brainfuck")
    assert (result.exit_code, result.output) == (1, "Unsupported language brainfuck")


def test_languages_that_are_only_saved_say_where(shared, run):
    result = run(shared, "<!-- page.html -->\n<p>", "html")
    assert (result.exit_code, result.output) == (0, f"Code saved to {shared.work_dir}/page.html\n")


def test_file_name_outside_is_refused(shared, run):
    result = run(shared, "# filename: ../x.py\nprint(1)")
    assert (result.exit_code, result.output) == (1, "Filename is not in the workspace")


def test_no_blocks_and_no_time_are_errors(shared, tmp_path):
    with pytest.raises(ValueError, match="no code blocks"):
        shared.execute_code_blocks([])
    with pytest.raises(ValueError, match="at least 1 second"):
        DockerCommandLineCodeExecutor(timeout=0, work_dir=tmp_path)


@pytest.mark.parametrize(
    "options",
    [
        {"image": ""},
        {"image": []},
        {"network": "everything"},
        {"memory_mb": 1},
        {"bind_dir": "x", "packages": ["six"]},
        {"mounts": {"/nowhere/at/all": "/x"}},
    ],
)
def test_values_that_cannot_be_worked_with_are_refused(tmp_path, options):
    with pytest.raises(UsageError):
        DockerCommandLineCodeExecutor(work_dir=tmp_path, **options)


def test_failing_block_stops_the_rest(shared):
    blocks = [
        CodeBlock(code="print(1)", language="python"),
        CodeBlock(code="echo 2; exit 4", language="sh"),
        CodeBlock(code="print(3)", language="python"),
    ]
    result = shared.execute_code_blocks(blocks)
    assert (result.exit_code, result.output) == (4, "1\n2\n")


def test_output_of_any_bytes_is_text(survives):
    code = "import os; os.write(1, b'\\xff\\0\\x1b[31mred\\x1b[0m'); os.write(2, b'err')"
    assert survives(code).output == "\\xff\\x00rederr"


def test_long_output_keeps_its_ends(survives):
    output = survives("print('a' + 'x' * 3_000_000 + 'z')").output
    assert output.startswith("ax")
    assert output.endswith("xz\n")
    assert "bytes of output left out" in output


def test_output_arrives_while_the_block_runs(shared, run):
    seen = threading.Event()
    state = Run(id="r", sinks=[lambda event: seen.set()], make_event=lambda run, kind, data: kind)
    code = (
        "import os, time\nprint('now', flush=True)\nwhile not os.path.exists('go'): time.sleep(.01)"
    )

    def allow():
        if seen.wait(5):
            (shared.work_dir / "go").write_text("")

    thread = threading.Thread(target=allow)
    thread.start()
    with entered(state):
        assert run(shared, code).exit_code == 0
    thread.join()
    (shared.work_dir / "go").unlink()


# -- limits ----------------------------------------------------------------------------------------


def test_timeout_is_124_and_leaves_nothing(docker_box, run):
    box = docker_box(timeout=1)
    code = """
import os, signal, time
for number in range(1, 32):
    try: signal.signal(number, signal.SIG_IGN)
    except OSError: pass
if os.fork() == 0: os.setsid()
while True: time.sleep(1)
"""
    result = run(box, code)
    assert result.exit_code == 124
    assert result.output.endswith("Timeout")
    left = "import os; print(len([name for name in os.listdir('/proc') if name.isdigit()]))"
    assert run(box, left).output == "2\n"


def test_cancelling_ends_the_block_within_a_second(shared, run):
    token = CancelToken()
    begun = threading.Event()
    state = Run(
        id="r",
        cancel=token,
        sinks=[lambda event: begun.set()],
        make_event=lambda run, kind, data: kind,
    )
    began_s = []

    def cancel():
        assert begun.wait(5)
        began_s.append(time.monotonic())
        token.cancel()

    thread = threading.Thread(target=cancel)
    thread.start()
    with entered(state), pytest.raises(RunCancelled):
        run(shared, "print('on', flush=True)\nwhile True: pass")
    assert time.monotonic() - began_s[0] < 1
    thread.join()
    assert run(shared, "print(1)").output == "1\n"


def test_memory_is_limited(survives):
    result = survives("x = [bytearray(10_000_000) for _ in range(200)]")
    assert result.exit_code != 0
    assert "out of memory (limit 256 MB)" in result.output


def test_memory_of_many_processes_together_is_limited(survives):
    result = survives(
        """
        import os, time
        for _ in range(8):
            if os.fork() == 0:
                x = b"x" * 80_000_000
                time.sleep(60)
        time.sleep(60)
        """
    )
    assert "out of memory" in result.output


def test_fork_bomb_is_limited(survives):
    result = survives("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass")
    assert result.exit_code != 0
    assert "too many processes (limit 40)" in result.output


def test_growth_of_the_work_dir_is_limited(survives, shared):
    result = survives("f = open('big', 'wb')\nwhile True: f.write(bytes(1_000_000))")
    (shared.work_dir / "big").unlink()
    assert result.exit_code != 0
    assert "disk limit" in result.output or "wrote too much" in result.output


def test_tmp_is_limited(survives):
    result = survives("f = open('/tmp/big', 'wb')\nwhile True: f.write(bytes(1_000_000))")
    assert "No space left" in result.output
    survives("import os; os.unlink('/tmp/big')")


def test_open_files_are_limited(survives):
    code = "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE))"
    assert survives(code).output == "(1024, 4096)\n"


# -- the wall --------------------------------------------------------------------------------------


def test_there_are_no_capabilities_and_no_way_to_get_some(survives):
    result = survives("grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status", "sh")
    values = dict(line.split(":\t") for line in result.output.splitlines())
    assert values.pop("NoNewPrivs") == "1"
    assert values.pop("Seccomp") == "2"
    assert set(values.values()) == {"0000000000000000"}


@pytest.mark.parametrize(
    "path", ["/x", "/usr/x", "/etc/x", "/proc/sys/kernel/core_pattern", "/sys/x", "/run/x"]
)
def test_nothing_outside_can_be_written(survives, path):
    result = survives(f"open({path!r}, 'w').write('x')")
    assert "Read-only" in result.output or "Permission denied" in result.output


def test_sockets_beyond_ip_and_local_are_refused(survives):
    result = survives(
        """
        import socket
        for family in (socket.AF_VSOCK, socket.AF_PACKET, 38, 16):
            try:
                socket.socket(family, socket.SOCK_RAW, 9)
                print("OPEN", family)
            except OSError as error:
                print(error.errno)
        """
    )
    assert "OPEN" not in result.output


def test_calls_that_have_opened_ways_out_are_refused(survives):
    result = survives(
        """
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        # unshare, setns, mount, ptrace, bpf, keyctl, io_uring_setup. Source: asm/unistd_64.h
        for number in (272, 308, 165, 101, 321, 250, 425):
            if libc.syscall(number, 0x10000000, 0, 0, 0, 0) >= 0: print("OPEN", number)
        """
    )
    assert "OPEN" not in result.output


def test_there_is_no_interface_but_loopback(survives):
    code = "import socket; print([name for _, name in socket.if_nameindex()])"
    result = survives(code)
    assert result.output == "['lo']\n"


def test_runner_cannot_be_killed_or_read(survives):
    result = survives(
        """
        import os, signal
        for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM):
            try: os.kill(1, number)
            except OSError: pass
        for name in ("mem", "environ", "fd/3", "fd/4"):
            try:
                open(f"/proc/1/{name}", "rb").read(1)
                print("OPEN", name)
            except OSError:
                pass
        print("alive")
        """
    )
    assert result.output == "alive\n"


def test_processes_end_with_their_block(survives):
    survives("import os\nif os.fork() == 0:\n    os.setsid()\n    import time; time.sleep(100)")
    left = "import os; print(len([name for name in os.listdir('/proc') if name.isdigit()]))"
    assert survives(left).output == "2\n"


# -- the way out -----------------------------------------------------------------------------------


def test_public_hosts_are_reached_and_others_are_not(docker_box, run, site):
    box = docker_box(network=["*.example"])
    code = f"""{FETCH}
import socket
fetch('http://a.example/x')
fetch('http://other.test/')
for address in (("93.184.216.34", 80), ("127.0.0.1", 22), ("169.254.169.254", 80)):
    try: socket.create_connection(address, 2); print("OPEN", address)
    except OSError: pass
"""
    first, second = run(box, code).output.splitlines()
    assert first == "a.example/x"
    assert "Egress refused: other.test is not on the list" in second


def test_contacts_are_events(docker_box, run, site):
    seen = []
    state = Run(
        id="r",
        sinks=[seen.append],
        make_event=lambda run, kind, data, *rest: (kind, data),
    )
    with entered(state):
        run(docker_box(network=["a.example"]), f"{FETCH}\nfetch('http://a.example/')")
    assert ("egress.allowed", {"host": "a.example", "port": 80}) in seen


def test_door_takes_nobody_else(docker_box, run):
    code = "import os, socket; print(os.listdir('/run/autogen-door'))"
    assert run(docker_box(), code).output == "[]\n"


def test_without_a_network_there_is_no_way_out(docker_box, run, site):
    code = f"{FETCH}\nfetch('http://a.example/x')\nimport os; print('http_proxy' in os.environ)"
    output = run(docker_box(network="none"), code).output
    assert "a.example/x" not in output
    assert output.endswith("False\n")


def test_network_of_the_host_is_shared_where_that_is_asked_for(docker_box, run):
    code = "import os; print(os.readlink('/proc/self/ns/net'))"
    output = run(docker_box(network="host"), code).output
    assert output.strip() == os.readlink("/proc/self/ns/net")


# -- engines and containers that go away -----------------------------------------------------------


def test_killed_container_is_a_result_and_replaced(docker_box, engine, run):
    box = docker_box()
    run(box, "")
    (found,) = engine.containers()
    thread = start_when_there(box.work_dir / "on", found.kill)
    result = run(box, "open('on', 'w')\nwhile True: pass")
    thread.join()
    assert result.exit_code == 137
    assert "The container broke down and was replaced" in result.output
    assert run(box, "print(1)").output == "1\n"


def test_removed_container_is_replaced_between_blocks(docker_box, engine, run, eventually):
    box = docker_box()
    run(box, "")
    (found,) = engine.containers()
    found.remove(force=True)
    eventually(lambda: not box._held.link.alive)
    assert run(box, "print(1)").output == "1\n"


def test_engine_killed_in_the_middle_is_a_result_and_survived(docker_box, engine, run):
    box = docker_box()
    run(box, "")
    thread = start_when_there(box.work_dir / "on", engine.kill)
    result = run(box, "open('on', 'w')\nwhile True: pass")
    thread.join()
    assert result.exit_code == 137
    assert "broke down" in result.output
    with pytest.raises(NoWallError, match="Three ways out"):
        run(box, "print(1)")
    engine.start()
    assert run(box, "print(1)").output == "1\n"


def start_when_there(path, act):
    """Do something in a thread as soon as a file is there."""

    def wait():
        deadline_s = time.monotonic() + 5
        while not path.exists() and time.monotonic() < deadline_s:
            time.sleep(0.005)
        act()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_work_dir_that_was_made_anew_is_seen(docker_box, run, tmp_path):
    box = docker_box()
    run(box, "open('old', 'w')")
    (tmp_path / "work").rename(tmp_path / "away")
    assert run(box, "import os; print(os.path.exists('old'))").output == "False\n"


def test_work_dir_that_is_removed_is_made_anew(docker_box, run, tmp_path):
    """A container goes on showing the folder that is gone: the next block needs another."""
    box = docker_box()
    run(box, "open('x', 'w')")
    shutil.rmtree(tmp_path / "work")
    assert run(box, "import os; open('new', 'w'); print(os.path.exists('x'))").output == "False\n"
    assert (tmp_path / "work" / "new").exists()


def test_full_disk_is_an_error_of_the_block(docker_box, run, small_disk):
    box = docker_box(work_dir=small_disk)
    result = run(box, "open('big', 'wb').write(bytes(4 << 20))")
    assert result.exit_code == 1
    assert "No space left on device" in result.output
    assert "could not be saved" in run(box, f"print('{'x' * 20_000}')").output
    (small_disk / "big").unlink()
    assert run(box, "print('fine')").output == "fine\n"


def test_ten_thousand_files_are_no_trouble(docker_box, run):
    result = run(docker_box(), "for i in range(10_000): open(f'{i}.txt', 'w').close()")
    assert result.exit_code == 0
    assert len(result.artifacts) == 200


def test_image_that_is_nowhere_is_named_with_what_to_do(docker_box, run):
    with pytest.raises(NoWallError, match=r"'no-such-image:1'.*docker pull no-such-image:1"):
        run(docker_box(image="no-such-image:1"), "print(1)")


def test_first_image_that_is_there_is_taken(docker_box, run):
    assert run(docker_box(image=["no-such-image:1", IMAGE]), "print(1)").output == "1\n"


def test_dockerfile_in_the_work_dir_is_built(docker_box, engine, run, tmp_path):
    (tmp_path / "work").mkdir()
    dockerfile = tmp_path / "work" / "Dockerfile"
    dockerfile.write_text(f"FROM {IMAGE}\nENV BUILT=here\n")
    box = docker_box(image=None)
    assert run(box, "import os; print(os.environ['BUILT'])").output == "here\n"
    for attempt in ("open('Dockerfile', 'w')", "import os; os.replace('x', 'Dockerfile')"):
        result = run(box, f"open('x', 'w').close()\n{attempt}")
        assert "Error" in result.output
    assert "cannot be changed" in run(box, "# filename: ./Dockerfile\nFROM x").output
    assert dockerfile.read_text().endswith("BUILT=here\n")
    engine.client.images.prune(filters={"dangling": True})


def test_dockerfile_that_cannot_be_built_says_why(docker_box, run, tmp_path):
    with pytest.raises(UsageError, match=r"Dockerfile.*No such file"):
        docker_box(image=None)
    (tmp_path / "work" / "Dockerfile").write_text(f"FROM {IMAGE}\nNONSENSE\n")
    with pytest.raises(ExecutionError, match=r"could not be built: .*NONSENSE"):
        run(docker_box(image=None), "print(1)")


# -- the end ---------------------------------------------------------------------------------------


@requirement("docker:context")
def test_stopping_takes_well_under_a_second(docker_box, engine, run):
    with docker_box() as box:
        run(box, "print(1)")
        began_s = time.monotonic()
    assert time.monotonic() - began_s < 1
    assert engine.containers() == []


def test_forgotten_executor_ends_its_container(engine, run, tmp_path):
    run(DockerCommandLineCodeExecutor(IMAGE, work_dir=tmp_path), "print(1)")
    gc.collect()
    assert engine.containers() == []


def test_container_can_be_kept_to_be_looked_at(docker_box, engine, run):
    box = docker_box(auto_remove=False)
    run(box, "print(1)")
    box.stop()
    (found,) = engine.containers()
    assert found.status == "exited"
    found.remove()


PROGRAM = """
import sys
from autogen.coding import CodeBlock, DockerCommandLineCodeExecutor
box = DockerCommandLineCodeExecutor({image!r}, work_dir={work_dir!r}, **{options!r})
print(box.execute_code_blocks([CodeBlock(code="print(1)", language="python")]).output, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def program(engine, tmp_path):
    """Starts programs that run one block and then wait until stdin closes."""
    started = []

    def start(**options):
        code = PROGRAM.format(image=IMAGE, work_dir=str(tmp_path), options=options)
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": str(Path(autogen.__file__).parents[1])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout.readline() == "1\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@requirement("docker:context")
def test_program_that_ends_takes_its_container_along(program, engine):
    process = program()
    assert len(engine.containers()) == 1
    process.communicate()
    assert process.returncode == 0
    assert engine.containers() == []


def test_program_that_is_killed_leaves_no_container(program, engine, eventually):
    process = program()
    assert len(engine.containers()) == 1
    process.send_signal(signal.SIGKILL)
    process.wait()
    eventually(lambda: engine.containers() == [])


def test_container_outlives_its_program_where_that_is_asked_for(program, engine):
    program(stop_container=False).communicate()
    (found,) = engine.containers()
    assert found.status == "running"
    found.remove(force=True)


def test_temporary_folders_do_not_pile_up(docker_box, run, tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    box = docker_box()
    run(box, "print(1)")
    assert list(scratch.iterdir()) == []
    descriptors = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        box.restart()
        run(box, "print(1)")
    assert len(os.listdir("/proc/self/fd")) <= descriptors


# -- how it is chosen ------------------------------------------------------------------------------


@requirement("code:config:by-name")
def test_executor_is_made_by_name(engine, run, tmp_path):
    options = {"image": IMAGE, "work_dir": tmp_path}
    config = {"executor": "commandline-docker", "commandline-docker": options}
    with CodeExecutorFactory.create(config) as box:
        assert isinstance(box, DockerCommandLineCodeExecutor)
        assert run(box, "print(1)").output == "1\n"


@pytest.mark.parametrize("use_docker", [IMAGE, ["no-such-image:1", IMAGE]])
def test_use_docker_chooses_the_container(engine, run, tmp_path, use_docker):
    executor = legacy_executor({"work_dir": tmp_path / "w", "use_docker": use_docker})
    assert run(executor, "import os; print(os.environ['FROM_IMAGE'])").output == "yes\n"
    executor.stop()
    assert engine.containers() == []


@requirement("code:image", "codeutils:image")
def test_code_that_ran_in_an_image_tells_which(engine, tmp_path):
    image_id = engine.client.images.get(IMAGE).id
    for named in ([IMAGE], image_id):
        config = {"work_dir": str(tmp_path), "use_docker": named}
        agent = autogen.ConversableAgent("a", code_execution_config=config)
        done = agent.run_code("print(1)")
        assert done == (0, "1\n", IMAGE)
        assert agent.run_code("print(2)", use_docker=done[2])[2] == IMAGE
        agent._executor.stop()
    assert execute_code("print(1)", work_dir=tmp_path, use_docker=IMAGE) == (0, "1\n", IMAGE)
    late = execute_code("while True: ...", timeout=1, work_dir=tmp_path, use_docker=IMAGE)
    assert late == (1, TIMEOUT_MSG, IMAGE)
    assert engine.containers() == []


def test_docker_stands_in_where_bubblewrap_does_not(engine, run, tmp_path, monkeypatch):
    monkeypatch.setattr("autogen.coding.bubblewrap.find_bwrap", lambda: None)
    executor = legacy_executor({"work_dir": tmp_path / "w"})
    with pytest.raises(
        NoWallError, match=r"bubblewrap is not installed.*docker pull python:3-slim"
    ):
        run(executor, "print(1)")
    engine.client.images.get(IMAGE).tag("python", "3-slim")
    try:
        assert run(executor, "import os; print(os.environ['FROM_IMAGE'])").output == "yes\n"
    finally:
        executor.stop()
        engine.client.images.remove("python:3-slim")


@requirement("exec:functions:walled")
def test_functions_are_imported_inside_the_container(docker_box, run):
    add = FunctionWithRequirements.from_str("def add(a, b):\n    return a + b\n")
    executor = docker_box(functions=[add])
    assert run(executor, "from functions import add\nprint(add(1, 2))").output == "3\n"


def test_functions_with_packages_and_a_bind_dir_are_refused(tmp_path):
    with pytest.raises(UsageError, match="where bind_dir is set"):
        DockerCommandLineCodeExecutor(
            work_dir=tmp_path,
            bind_dir=tmp_path,
            functions=[FunctionWithRequirements.from_str("def f(): ...", ["x"])],
        )


def test_probe_tells_of_the_engine(engine):
    report = {one.name: one for one in probe()}["docker"]
    assert report.ok
    assert "answers" in report.why
