"""The host's end of the frames, against runners that break every rule."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from autogen.coding.link import HEADER, Link, RunnerLost
from autogen.coding.waker import Waker

READY = "frame(b'r', b'{}')\nread_frame()\n"

PRELUDE = """
import json, marshal, os, struct, sys, time
def frame(kind, body):
    os.write(1, struct.pack(">IB", len(body), kind[0]) + body)
def read_frame():
    length, kind = struct.unpack(">IB", os.read(0, 5))
    return os.read(0, length)
read_frame()
"""


@pytest.fixture
def connect():
    """Starts a runner that plays foul: `connect(code)`."""
    links = []

    def start(code):
        process = subprocess.Popen(
            [sys.executable, "-S", "-c", PRELUDE + code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        )
        links.append(Link(process))
        return links[-1]

    yield start
    for link in links:
        link.kill()


def run(link, *, timeout_s=1.0, ask=lambda request, stop: {}):
    waker, output = Waker(), bytearray()
    try:
        link.start({}, timeout_s=5)
        outcome = link.run({}, timeout_s=timeout_s, on_output=output.extend, ask=ask, waker=waker)
    finally:
        waker.close()
    return outcome, bytes(output)


def test_block_that_ends_well(connect):
    good = (
        READY
        + "frame(b'o', b'hi')\n"
        + 'frame(b\'x\', b\'{"code": 0, "reason": null, "seconds": 1}\')\n'
        + "read_frame()"
    )
    outcome, output = run(connect(good))
    assert (outcome.code, outcome.reason, output) == (0, None, b"hi")


@pytest.mark.parametrize(
    "code, said",
    [
        ("os.write(1, b'\\xff' * 100); time.sleep(5)", "malformed frame"),
        ("os.write(1, struct.pack('>IB', 1 << 31, 111)); time.sleep(5)", "malformed frame"),
        ("frame(b'?', b''); time.sleep(5)", "malformed frame"),
        ("frame(b'x', b'{'); time.sleep(5)", "malformed frame"),
        ("frame(b'x', b'[]'); time.sleep(5)", "malformed frame"),
        ("frame(b'x', b'[' * 100000); time.sleep(5)", "malformed frame"),
        ("frame(b'x', b'{}'); time.sleep(5)", "malformed result"),
        (
            'frame(b\'x\', b\'{"code": 0, "reason": "because", "seconds": 0}\'); time.sleep(5)',
            "malformed result",
        ),
        ("frame(b'r', b'{}'); time.sleep(5)", "out of turn"),
        ("while True: frame(b'o', b'x' * 60000)", "more output than agreed"),
        ("frame(b'a', b'{\"id\": \"x\"}')\ntime.sleep(5)", "malformed request"),
        ("raise SystemExit(3)", "it is gone"),
        ("raise RuntimeError('last words')", "last words"),
        ("os.close(1); time.sleep(5)", "it is gone"),
        ("os.write(1, b'\\0\\0'); time.sleep(60)", "did not answer in time"),
    ],
)
def test_runner_that_breaks_the_rules_is_lost(connect, monkeypatch, code, said):
    monkeypatch.setattr("autogen.coding.link.GRACE_S", 0.3)
    with pytest.raises(RunnerLost, match=said):
        run(connect(READY + code))


@pytest.mark.parametrize(
    "code, said",
    [
        ("frame(b'o', b'x')", "out of turn"),
        ("raise RuntimeError('no start')", "no start"),
        ("frame(b'r', b'nonsense')", "malformed"),
    ],
)
def test_runner_that_does_not_start_is_lost(connect, code, said):
    with pytest.raises(RunnerLost, match=said):
        connect(code + "\ntime.sleep(5)").start({}, timeout_s=5)


def test_runner_that_never_gets_ready_is_lost(connect):
    with pytest.raises(RunnerLost, match="not ready after"):
        connect("time.sleep(60)").start({}, timeout_s=0.2)


def test_exit_code_is_kept_in_its_range(connect):
    body = json.dumps({"code": 10**9, "reason": None, "seconds": 0})
    outcome, _ = run(connect(READY + f"frame(b'x', {body.encode()!r})\ntime.sleep(5)"))
    assert outcome.code == 255


def test_requests_are_answered_and_may_be_any_nonsense(connect):
    code = """
frame(b'a', b'{"id": 7, "request": "nonsense"}')
answer = marshal.loads(read_frame())
frame(b'o', json.dumps(answer).encode())
frame(b'x', b'{"code": 0, "reason": null, "seconds": 0}')
time.sleep(5)
"""
    seen = []

    def ask(request, stop):
        seen.append(request)
        return {"exit": 1, "text": "no"}

    _, output = run(connect(READY + code), ask=ask)
    assert json.loads(output) == {"id": 7, "answer": {"exit": 1, "text": "no"}}
    assert seen == [{}]


def test_header_is_what_the_runner_packs():
    assert HEADER.size == 5
