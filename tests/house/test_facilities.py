"""The facilities of `tests/conftest.py` hold what they promise, seen from tests inside a test."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

# Each starts a pytest of its own.
pytestmark = pytest.mark.slow

CONFTEST = Path(__file__).resolve().parents[1] / "conftest.py"


def run_tests(folder: Path, body: str, *options: str, **env: str) -> str:
    """Run one file of tests beside a copy of our conftest; what pytest printed."""
    (folder / "conftest.py").write_text(CONFTEST.read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "test_inner.py").write_text(body, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    outside = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    outside.pop("AUTOGEN_TEST_REQUIRE", None)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options, str(folder)],
        capture_output=True,
        text=True,
        env={**outside, **env},
        cwd=folder,
        check=False,
        timeout=50,
    )
    return done.stdout + done.stderr


MISSING = """
def test_one(require_part):
    require_part("a wall", because="bwrap is missing", do="apt-get install bubblewrap")

def test_two(require_part):
    require_part("a wall", because="bwrap is missing", do="apt-get install bubblewrap")

def test_three():
    pass
"""


@pytest.mark.parametrize("options", [(), ("-n", "1")], ids=["one process", "a worker"])
def test_missing_part_is_skipped_and_listed_once(tmp_path, options):
    printed = run_tests(tmp_path, MISSING, *options)
    line = "not run: a wall (2 tests), because bwrap is missing, apt-get install bubblewrap"
    assert printed.count(line) == 1, printed
    assert "1 passed, 2 skipped" in printed


@pytest.mark.parametrize("required", ["all", "docker, a wall"])
def test_missing_part_fails_where_it_is_required(tmp_path, required):
    printed = run_tests(tmp_path, MISSING, AUTOGEN_TEST_REQUIRE=required)
    assert "2 failed, 1 passed" in printed
    assert "not run:" not in printed


def test_part_that_is_not_in_the_list_stays_a_skip(tmp_path):
    printed = run_tests(tmp_path, MISSING, AUTOGEN_TEST_REQUIRE="docker")
    assert "1 passed, 2 skipped" in printed


def test_keys_of_the_shell_do_not_reach_tests_and_changes_do_not_reach_the_next(tmp_path):
    body = """
import os

def test_a():
    assert "OPENAI_API_KEY" not in os.environ
    os.environ["LEFT_BEHIND"] = "1"
    os.chdir("/")

def test_b():
    assert "LEFT_BEHIND" not in os.environ
    assert os.getcwd() != "/"
"""
    printed = run_tests(tmp_path, body, "-p", "no:randomly", OPENAI_API_KEY="sk-outside")
    assert "2 passed" in printed


def test_connection_beyond_loopback_is_refused():
    with socket.socket() as outside, pytest.raises(RuntimeError, match="loopback only"):
        outside.connect(("192.0.2.1", 80))


def test_datagram_beyond_loopback_is_refused():
    datagrams = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    with datagrams, pytest.raises(RuntimeError, match="loopback only"):
        datagrams.sendto(b"x", ("2001:db8::1", 53))


def test_look_up_of_a_name_is_refused():
    with pytest.raises(RuntimeError, match="look up"):
        socket.getaddrinfo("example.invalid", 443)


def test_loopback_is_open():
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(("127.0.0.1", server.getsockname()[1]), timeout=5)
        client.close()
