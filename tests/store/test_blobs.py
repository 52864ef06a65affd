"""Contents: kept once, whole, and as long as a file or a run has them."""

from __future__ import annotations

import hashlib
import io

import pytest

from autogen.errors import RunBusy, UnknownFile
from autogen.events import Event
from autogen.store.base import RunRecord
from autogen.store.blobs import MOST_FILE_BYTES, PIECE_BYTES, Blobs
from autogen.store.sql import SqlStore
from autogen.store.usage import usage_sums


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES, 2 * PIECE_BYTES + 1])
def test_a_file_comes_back_as_it_was(store: SqlStore, size: int) -> None:
    blobs, data = Blobs(store), bytes(range(256)) * (size // 256 + 1)
    data = data[:size]
    record = blobs.add_file(io.BytesIO(data), name="ü.bin", media_type="a/b", belongs_to="anna")
    assert (record.size_bytes, record.sha256) == (size, sha256(data))
    assert blobs.file(record.id) == record
    assert b"".join(blobs.read(record.sha256)) == data


def test_a_content_stays_as_long_as_somebody_has_it(store: SqlStore) -> None:
    blobs, data = Blobs(store), b"abc"
    first, second = (blobs.add_file(io.BytesIO(data), name=name, media_type="a/b") for name in "xy")
    store.create_run(RunRecord(id="r"))
    assert blobs.keep(io.BytesIO(data), sha256=sha256(data), run_id="r")
    for file in (first, second):
        blobs.delete_file(file.id)
        with pytest.raises(UnknownFile, match="there is no file"):
            blobs.file(file.id)
    assert blobs.has(sha256(data))
    store.wish("r", "cancel")
    assert [run.id for run in store.prune(-1)] == ["r"]
    assert not blobs.has(sha256(data))
    assert list(blobs.read(sha256(data))) == []


def test_only_what_was_told_of_is_kept(store: SqlStore) -> None:
    blobs = Blobs(store)
    assert not blobs.keep(io.BytesIO(b"other"), sha256=sha256(b"this"), run_id="r")
    large = bytes(MOST_FILE_BYTES + 1)
    assert not blobs.keep(io.BytesIO(large), sha256=sha256(large), run_id="r")
    assert not blobs.has(sha256(b"other"))


def test_of_a_conversation_one_run_is_claimed_at_a_time(store: SqlStore) -> None:
    def made(name: str, *, is_alone: bool = False, belongs_to: str | None = None) -> RunRecord:
        record = RunRecord(id=name, team="t", conversation="c", belongs_to=belongs_to)
        return store.create_run(record, is_alone=is_alone)[0]

    made("a", is_alone=True)
    with pytest.raises(RunBusy, match="conversation 'c' has a run under way \\(a\\)"):
        made("x", is_alone=True)
    made("b")
    made("other", is_alone=True, belongs_to="anna")
    assert [run.id for run in store.runs_of_conversation(store.run("b"))] == ["a", "b"]
    assert store.claim("b", "w/1", expected=None, attempt=1) is None
    assert store.claim("other", "w/2", expected=None, attempt=1) is not None
    assert store.claim("a", "w/3", expected=None, attempt=1) is not None
    assert store.claim("b", "w/1", expected=None, attempt=1) is None
    store.update("a", "w/3", status="finished", leave=True)
    assert store.claim("b", "w/1", expected=None, attempt=1) is not None


def answered(key: str, cost: float | None, *, is_cached: bool = False) -> Event:
    data = {"model": "m", "prompt_tokens": 3, "completion_tokens": 2, "is_cached": is_cached}
    return Event(
        type="model.answered",
        run_id="r",
        key=key,
        at=90_000.0,
        agent="b",
        data=data | {"cost_usd": cost},
    )


def test_what_is_used_is_summed_once_and_without_what_a_cache_gave(store: SqlStore) -> None:
    store.create_run(RunRecord(id="r", team="t", belongs_to="anna"))
    store.claim("r", "w/1", expected=None)
    events = [(answered("1", 0.25), 1), (answered("2", 9.0, is_cached=True), 2)]
    store.append("r", "w/1", events)
    store.append("r", "w/1", events)
    run = store.run("r")
    assert (run.n_tokens, run.nano_usd, run.n_steps, run.is_cost_known) == (5, 250_000_000, 2, True)
    for by, key in (("model", "m"), ("agent", "b"), ("day", "1970-01-02")):
        (row,) = usage_sums(store, by=by, team="t", belongs_to="anna")
        assert (row.key, row.n_calls, row.n_cached, row.cost_usd) == (key, 2, 1, 0.25)
        assert (row.prompt_tokens, row.completion_tokens) == (3, 2)
    assert usage_sums(store, belongs_to="bert") == []
    assert usage_sums(store, until=90_000.0) == []
    store.append("r", "w/1", [(answered("3", None), 3)])
    assert store.run("r").is_cost_known is False
    (total,) = usage_sums(store, by=None, run_id="r")
    assert (total.n_calls, total.is_cost_known) == (3, False)
