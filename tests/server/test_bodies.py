"""Bodies that nobody should hold: enormous, packed, slow. The server stays as small as it was."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from tests.server.doors import TEAMS
from tests.server.serving import WAIT_S, Serving

from autogen.server.guard import MOST_BYTES

pytestmark = pytest.mark.xdist_group("bodies")

GIB = 1024**3
PIECE = bytes(1024 * 1024)

#: What the server may grow by while it is sent a gigabyte.
MOST_GROWTH = 64 * 1024 * 1024

BODY_PATHS = (
    "/api/v1/runs",
    "/api/v1/session",
    "/v1/chat/completions",
    "/v1/responses",
    "/mcp",
    "/a2a",
    "/a2a/two",
    "/ag-ui",
    "/ag-ui/two",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    database = f"sqlite:///{tmp_path_factory.mktemp('bodies') / 'runs.db'}"
    serving = Serving(database, teams=TEAMS)
    yield serving
    assert serving.stop() == 0
    said = "".join(serving.said)
    assert "Traceback" not in said, said


@pytest.fixture
def memory(server: Serving, require_part: Callable[..., NoReturn]) -> Callable[[], int]:
    """Says the most memory that the server has taken, in bytes."""
    path = Path(f"/proc/{server.process.pid}/status")
    if not path.exists():
        require_part("/proc", because="this is no Linux", do="run these tests on Linux")

    def most() -> int:
        (line,) = [line for line in path.read_text().splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) * 1024

    return most


def _send(server: Serving, path: str, n_bytes: int, *, says_length: bool) -> tuple[str, int]:
    """The head of the answer, and how much of the body was sent before it came."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    head += f"Authorization: Bearer {server.token}\r\n"
    head += f"Content-Length: {n_bytes}\r\n" if says_length else "Transfer-Encoding: chunked\r\n"
    piece = PIECE if says_length else b"%x\r\n%s\r\n" % (len(PIECE), PIECE)

    async def main() -> tuple[str, int]:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            writer.write(f"{head}\r\n".encode())
            answer = asyncio.create_task(reader.readuntil(b"\r\n\r\n"))
            n_sent = 0
            while n_sent < n_bytes and not answer.done():
                writer.write(piece)
                await writer.drain()
                n_sent += len(PIECE)
            return (await asyncio.wait_for(answer, WAIT_S)).decode(), n_sent
        finally:
            writer.transport.abort()

    return asyncio.run(main())


@pytest.mark.parametrize("says_length", [True, False], ids=["with its length", "in chunks"])
@pytest.mark.parametrize("path", ["/api/v1/runs", "/api/v1/files?name=x", "/v1/responses", "/mcp"])
def test_a_gigabyte_is_refused_soon_and_held_nowhere(
    server: Serving, memory: Callable[[], int], path: str, says_length: bool
) -> None:
    server.get("/readyz")
    before = memory()
    head, n_sent = _send(server, path, GIB, says_length=says_length)
    assert head.startswith("HTTP/1.1 413")
    assert "content-type: application/problem+json" in head
    assert n_sent < GIB / 4
    assert memory() - before < MOST_GROWTH


@pytest.mark.parametrize("path", BODY_PATHS)
def test_every_way_in_refuses_what_is_larger_than_a_body_may_be(server: Serving, path: str) -> None:
    answer = server.call("POST", path, data=b'"' + b"x" * MOST_BYTES + b'"')
    assert (answer.status, answer.is_problem) == (413, True), answer.text


@pytest.mark.parametrize("path", [*BODY_PATHS, "/api/v1/files?name=packed"])
def test_nothing_unpacks_what_is_sent_packed(
    server: Serving, memory: Callable[[], int], path: str
) -> None:
    """100 MB of text that weigh 100 kB: to be kept as they are, or no JSON."""
    packed = gzip.compress(b'{"team": "two", "message": "' + b"x" * 100_000_000 + b'"}')
    before = memory()
    answer = server.call("POST", path, data=packed, headers={"Content-Encoding": "gzip"})
    if "files" in path:
        assert (answer.status, answer.json["size"]) == (201, len(packed))
    else:
        # A2A tells errors of requests with status 200, as JSON-RPC does.
        assert 400 <= answer.status < 500 or "error" in answer.json
    assert memory() - before < MOST_GROWTH


def test_an_archive_that_is_handed_in_stays_an_archive(
    server: Serving, memory: Callable[[], int]
) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../bomb", bytes(50_000_000))
    before = memory()
    answer = server.call("POST", "/api/v1/files?name=bomb.zip", data=made.getvalue())
    assert (answer.status, answer.json["size"]) == (201, len(made.getvalue()))
    run_id = server.begin("two", files=[answer.json["id"]])
    assert server.ended(run_id)["status"] == "finished"
    assert memory() - before < MOST_GROWTH


def test_a_body_that_is_deep_in_a_door_breaks_nothing(server: Serving) -> None:
    deep = b"[" * 200_000 + b"]" * 200_000
    wide = json.dumps({f"k{n}": n for n in range(50_000)}).encode()
    for path in BODY_PATHS:
        for body in (deep, wide, b"", b"null", b'"\\ud800"', b"\xff\xfe", b"1" * 20_000):
            answer = server.call("POST", path, data=body)
            assert 200 <= answer.status < 500, (path, body[:20], answer.text[:300])
