"""The rules of a wall: what code behind it must not be able to do.

They look for gross leaks in any wall; they do not prove that there is none.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from .suite import Suite, expect
from .trial import Trial, block, path_inside

__all__ = ["WALL_RULES"]

WALL_RULES = Suite()
check = WALL_RULES.check


@check("walled", "files")
def files_of_the_host_are_not_read(trial: Trial) -> None:
    """A file beside the work_dir cannot be read, by its path or through a link."""
    secret = trial.outside / "secret"
    secret.write_text("the-key-itself")
    code = f"""
import os
path = {path_inside(secret)}
os.symlink(path, 'way')
for path in (path, 'way', '../outside/secret', '/proc/1/root' + path):
    try:
        print(open(path).read())
    except OSError as error:
        print(error.strerror)
"""
    found = trial.run(code).output
    expect("the-key-itself" not in found, "four errors", found)


@check("walled")
def files_of_the_host_are_not_written(trial: Trial) -> None:
    """Nothing beside the work_dir can be written, removed or made."""
    victim = trial.outside / "victim"
    victim.write_text("untouched")
    code = f"""
import os
path = {path_inside(victim)}
for act in (lambda: open(path, 'w').write('x'), lambda: os.unlink(path), lambda: os.chmod(path, 0),
            lambda: os.mkdir(path + '.new'), lambda: os.rename(path, path + '.old')):
    try:
        act()
    except OSError:
        pass
"""
    trial.run(code)
    found = [(path.name, path.read_text()) for path in trial.outside.iterdir() if path.is_file()]
    expect(found == [("victim", "untouched")], "the file as it was, alone", found)


@check("walled")
def environment_of_the_host_is_not_seen(trial: Trial) -> None:
    """Variables of this program are not handed in, and those of `env=` are."""
    name = "AUTOGEN_TRIAL_KEY"
    os.environ[name] = "the-key-itself"
    try:
        trial.make(env={"HANDED_IN": "yes"})
        code = "import os, glob\nprint(os.environ.get('HANDED_IN'), dict(os.environ))\n"
        code += "for path in glob.glob('/proc/[0-9]*/environ'):\n"
        code += "    try: print(open(path, 'rb').read())\n    except OSError: pass"
        found = trial.run(code).output
    finally:
        del os.environ[name]
    expect(found.startswith("yes "), "what was handed in", found[:100])
    expect("the-key-itself" not in found, "no variable of this program", name)


@check("walled")
def services_of_the_host_are_not_reached(trial: Trial) -> None:
    """A server on this machine's loopback is out of reach, directly and by the way out."""
    with listening() as (port, calls):
        code = f"""
import socket, urllib.request
try:
    socket.create_connection(('127.0.0.1', {port}), 2).close()
except OSError:
    pass
for host in ('127.0.0.1', 'localhost', '2130706433', '[::ffff:127.0.0.1]'):
    for options in ((), (urllib.request.ProxyHandler({{}}),)):
        try:
            urllib.request.build_opener(*options).open(f'http://{{host}}:{port}/', timeout=2)
        except OSError:
            pass
"""
        trial.run(code)
        trial.make(network="none").execute_code_blocks([block(code)])
    expect(calls == [], "no connection", calls)


@check("walled")
def processes_of_the_host_are_not_signalled(trial: Trial) -> None:
    """Processes of this machine cannot be ended from behind the wall."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        try:
            code = f"""
import os, signal
for act in (lambda: os.kill({process.pid}, signal.SIGKILL), lambda: os.killpg({process.pid}, 9),
            lambda: os.kill({os.getppid()}, 0) and None):
    try:
        act()
    except OSError:
        pass
"""
            trial.run(code)
            ended = process.poll()
        finally:
            process.kill()
    expect(ended is None, "the process to run on", f"exit code {ended}")


@check("walled")
def code_has_no_rights_of_root(trial: Trial) -> None:
    """Code has no capabilities and cannot gain any, whatever its id, and changes no kernel."""
    code = """
import ctypes
lines = open('/proc/self/status').read().splitlines()
status = dict(line.split(':\\t', 1) for line in lines if ':\\t' in line)
try:
    open('/proc/sys/kernel/core_pattern', 'r+')
    changes = True
except OSError:
    changes = False
mounts = ctypes.CDLL(None).mount(b'none', b'/tmp', b'tmpfs', 0, None) == 0
rights = [int(status[name], 16) for name in ('CapPrm', 'CapEff', 'CapAmb')]
print(rights, status['NoNewPrivs'], changes, mounts)
"""
    found = trial.run(code).output.strip()
    expect(found == "[0, 0, 0] 1 False False", "no capabilities, and no way to any", found)


@check("walled", "files", "not stateful")
def temporary_files_do_not_meet_others(trial: Trial) -> None:
    """What a block leaves in the temporary folder is not on the host, and gone after `restart`."""
    name = f"autogen-trial-{os.getpid()}-left"
    look = f"import os, tempfile; path = os.path.join(tempfile.gettempdir(), {name!r})\n"
    made = trial.run(f"{look}open(path, 'w').close(); print(path)").output.strip()
    on_host = os.path.join(os.path.dirname(str(trial.outside.parent)), name)
    expect(not os.path.exists(on_host), "no file of that name on the host", on_host)
    trial.restart()
    found = trial.run(f"{look}print(os.path.exists({made!r}), os.path.exists(path))").output
    expect(found.split() == ["False", "False"], "no file after restart", found)


# -- limits ----------------------------------------------------------------------------------------


@check("walled", "limited")
def memory_ends(trial: Trial) -> None:
    """A block that takes more memory than `memory_mb` fails, in one process and in several."""
    trial.make(memory_mb=512)
    alone = "x = []\nwhile True: x.append(bytearray(b'x') * (8 << 20))"
    shared = "import os, time\nfor _ in range(8):\n    if os.fork() == 0:\n"
    shared += "        x = bytearray(b'x') * (120 << 20); time.sleep(20); os._exit(0)\n"
    shared += "for _ in range(8): os.wait()\nprint('survived')"
    for code in (alone, shared):
        result = trial.run(code)
        expect(result.exit_code != 0, "an exit code other than 0", result)
        expect("survived" not in result.output, "the block to end", result.output)
        trial.expect_to_go_on()


@check("walled", "limited")
def processes_end(trial: Trial) -> None:
    """A block that starts processes without end fails, and the next one runs."""
    trial.make(processes=64)
    result = trial.run("import os\nwhile True: os.fork()")
    expect(result.exit_code != 0, "an exit code other than 0", result)
    trial.expect_to_go_on()


@check("walled", "limited")
def disk_ends(trial: Trial) -> None:
    """A file cannot grow beyond `disk_mb`, and the next block runs."""
    trial.make(disk_mb=16)
    code = "with open('big', 'wb') as file:\n    for _ in range(64): file.write(bytes(1 << 20))"
    result = trial.run(code)
    expect(result.exit_code != 0, "an exit code other than 0", result.output)
    big = trial.work_dir / "big"
    size = big.stat().st_size if big.exists() else 0
    expect(size <= 17 << 20, "no more than 16 MB", f"{size:,} bytes")
    trial.expect_to_go_on()


# -- helpers ---------------------------------------------------------------------------------------


@contextmanager
def listening() -> Iterator[tuple[int, list[str]]]:
    """A server on loopback: its port, and who connected."""
    calls: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    client, address = server.accept()
                except OSError:
                    return
                calls.append(str(address))
                client.close()

        thread = threading.Thread(target=serve, name="autogen-trial", daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1], calls
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(5)
