"""One request and its answer: what an application sees that is cut off, or is sent too much."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from autogen.server.exchange import Exchange

SCOPE: dict[str, Any] = {"type": "http", "method": "POST", "path": "/", "headers": []}
START = {"type": "http.response.start", "status": 200, "headers": []}
PIECE = {"type": "http.response.body", "body": b"more", "more_body": True}


class Wire:
    """Both ends of a connection."""

    def __init__(self, *pieces: bytes):
        self.pieces = list(pieces)
        self.sent: list[Any] = []
        self.answers: Counter[int] = Counter()
        self.exchange = Exchange(SCOPE, self.receive, self.send, most=10, answers=self.answers)

    async def receive(self) -> Any:
        piece = self.pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(self.pieces)}

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    @property
    def body(self) -> bytes:
        return b"".join(one.get("body", b"") for one in self.sent)


def test_whoever_makes_an_answer_that_is_cut_is_cancelled_and_told_of_no_error() -> None:
    wire, errors = Wire(b""), []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await send(START)
            await send(PIECE)
            wire.exchange.cut()
            await send(PIECE)
            errors.append("it went on")
        except Exception as error:
            errors.append(repr(error))
            raise

    asyncio.run(wire.exchange.lead_to(app))
    assert errors == []
    assert wire.body == b"more"
    # Its end is sent, without which the connection would stay.
    assert not wire.sent[-1].get("more_body")
    assert wire.answers == {200: 1}


def test_what_is_sent_behind_a_shield_after_the_end_goes_nowhere() -> None:
    import anyio

    wire = Wire(b"")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        wire.exchange.cut()
        with anyio.CancelScope(shield=True):
            await send(PIECE)

    asyncio.run(wire.exchange.lead_to(app))
    assert wire.body == b""


def test_an_application_that_is_sent_too_much_meets_no_error_of_ours() -> None:
    wire, errors = Wire(b"123456", b"123456", b"never", b"mind"), []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            while (await receive()).get("more_body"):
                pass
            errors.append("it went on")
        except Exception as error:
            errors.append(repr(error))

    asyncio.run(wire.exchange.lead_to(app))
    assert errors == []
    assert wire.sent[0]["status"] == 413
    assert b"larger than 10 bytes" in wire.body
    assert wire.answers == {413: 1}
    # It is read to its end: many clients read no answer before they have sent everything.
    assert wire.pieces == []


def test_an_answer_that_began_before_too_much_came_is_cut() -> None:
    wire = Wire(b"123456", b"123456")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(PIECE)
        while True:
            await receive()

    asyncio.run(wire.exchange.lead_to(app))
    assert wire.body == b"more"
    assert [one["type"] for one in wire.sent].count("http.response.start") == 1


def test_errors_of_an_application_are_its_own() -> None:
    wire = Wire(b"")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        asyncio.run(wire.exchange.lead_to(app))
