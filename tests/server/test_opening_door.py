"""Which doors there are, and what becomes of them when the server ends."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest
from tests.server.doors import TEAMS, WAIT_S
from tests.server.serving import Serving
from tests.server.test_mcp_door import MODES, client

from autogen import Runtime


def test_without_its_extra_a_door_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = "import sys; sys.modules.update(mcp=None, a2a=None, ag_ui=None)"
    (tmp_path / "sitecustomize.py").write_text(hidden)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    serving = Serving(f"sqlite:///{tmp_path / 'runs.db'}", teams=TEAMS)
    try:
        for path in ("/mcp", "/a2a", "/a2a/two", "/ag-ui", "/ag-ui/two"):
            answer = serving.call("POST", path, {})
            assert answer.status == 404
            assert answer.is_problem
        assert serving.get("/v1/models")["object"] == "list"
    finally:
        assert serving.stop() == 0


@pytest.mark.parametrize("mode", MODES)
def test_a_server_that_ends_leaves_runs_of_calls_under_way(tmp_path: Path, mode: str) -> None:
    database = f"sqlite:///{tmp_path / 'runs.db'}"
    serving = Serving(database, teams=TEAMS)
    stopped: list[int] = []

    async def main() -> None:
        began = asyncio.Event()

        async def progress(_n: float, _of: float | None, _message: str | None) -> None:
            began.set()

        # How a client ends whose server is gone is its own affair.
        with suppress(Exception):
            async with client(serving, mode) as mcp:
                call = asyncio.create_task(
                    mcp.call_tool("slow", {"message": "hello"}, progress_callback=progress)
                )
                await asyncio.wait_for(began.wait(), WAIT_S)
                stopped.append(await asyncio.to_thread(serving.stop))
                call.cancel()

    try:
        asyncio.run(main())
    finally:
        serving.process.kill()
    assert stopped == [0]
    with Runtime(database) as runtime:
        (record,) = runtime.runs()
        assert record.wish is None
        assert record.status in ("queued", "running")
