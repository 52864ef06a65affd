"""Budgets in the database: shared by processes, never passed, and none of the dead's money lost."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
import sqlalchemy as sa

from autogen import ConversableAgent, RunOptions
from autogen.errors import JournalError, UsageError
from autogen.limits.base import NOTHING, Amounts, Ceiling, Reservation, Shortage
from autogen.limits.budget import Budget
from autogen.limits.memory import MemoryAccount
from autogen.store.account import SqlAccount, budget_records
from autogen.store.sql import SqlStore
from autogen.store.tables import beats, reservations
from autogen.testing import ScriptedModel

CEILING = Ceiling(nano_usd=1000, tokens=500, steps=20)


def account(store: SqlStore, *, worker: str = "w:1:a", **options: Any) -> SqlAccount:
    store.beat(worker)
    return SqlAccount(store, "b", worker_id=worker, **options)


def reserved(made: Reservation | Shortage) -> Reservation:
    assert isinstance(made, Reservation)
    return made


def test_it_decides_like_the_account_in_memory(store: SqlStore) -> None:
    """The same calls in the same order have the same outcomes."""
    one, other = account(store, ceiling=CEILING), MemoryAccount(CEILING)
    draw = random.Random(7)
    held: list[tuple[Reservation, Reservation]] = []
    refused = granted = 0
    for _ in range(150):
        if held and draw.random() < 0.4:
            mine, yours = held.pop(draw.randrange(len(held)))
            actual = Amounts(*(int(n * draw.random() * 1.1) for n in mine.amounts))
            one.settle(mine, actual)
            other.settle(yours, actual)
        else:
            wanted = Amounts(draw.randrange(200), draw.randrange(90), 0, draw.randrange(3))
            kept_back = draw.choice([NOTHING, Amounts(100, 50, 0, 2)])
            made = one.reserve(wanted, kept_back=kept_back)
            expected = other.reserve(wanted, kept_back=kept_back)
            if isinstance(expected, Shortage):
                assert made == expected
                refused += 1
            else:
                held.append((reserved(made), expected))
                granted += 1
        assert (one.spent, one.left, one.ceiling) == (other.spent, other.left, other.ceiling)
    assert min(granted, refused) > 10


def test_each_reservation_is_settled_once_by_its_own_account(store: SqlStore) -> None:
    mine = account(store, ceiling=CEILING)
    other = SqlAccount(store, "other", worker_id="w:1:a")
    made = reserved(mine.reserve(Amounts(tokens=5)))
    with pytest.raises(UsageError, match="exactly once"):
        other.settle(made, NOTHING)
    mine.settle(made, Amounts(tokens=50))
    with pytest.raises(UsageError, match="exactly once"):
        mine.settle(made, NOTHING)
    assert (mine.spent.tokens, other.spent.tokens) == (50, 0)


def test_a_limit_is_set_for_everybody_and_kept(store: SqlStore) -> None:
    first = account(store, ceiling=Ceiling(tokens=10))
    assert isinstance(first.reserve(Amounts(tokens=11)), Shortage)
    assert account(store, worker="w:2:b").ceiling == Ceiling(tokens=10)
    account(store, worker="w:2:b", ceiling=Ceiling(tokens=20, steps=1))
    reserved(first.reserve(Amounts(tokens=11)))
    assert first.ceiling == Ceiling(tokens=20, steps=1)
    (record,) = budget_records(store)
    assert (record.name, record.held, record.spent) == ("b", Amounts(tokens=11), NOTHING)
    assert record.left == Ceiling(tokens=9, steps=1)


def test_threads_that_race_never_pass_the_limit(store: SqlStore) -> None:
    accounts = [account(store, worker=f"w:{n}:x", ceiling=Ceiling(tokens=300)) for n in range(6)]
    granted: list[int] = []

    def work(mine: SqlAccount, seed: int) -> None:
        draw = random.Random(seed)
        for _ in range(15):
            wanted = Amounts(tokens=draw.randrange(1, 20))
            made = mine.reserve(wanted)
            if isinstance(made, Reservation):
                granted.append(wanted.tokens)
                mine.settle(made, wanted)

    threads = [threading.Thread(target=work, args=(mine, n)) for n, mine in enumerate(accounts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(40)
    assert accounts[0].spent.tokens == sum(granted)
    assert 280 < sum(granted) <= 300
    assert accounts[0].record().held == NOTHING


# -- processes that die ----------------------------------------------------------------------------


def silent(store: SqlStore, worker: str) -> None:
    """Nothing was heard of a process for a minute."""
    with store.writing("a sign of life") as connection:
        old = sa.update(beats).where(beats.c.worker_id == worker)
        connection.execute(old.values(beat_at=beats.c.beat_at - 60))


def test_what_a_dead_process_had_set_aside_counts_as_spent(store: SqlStore) -> None:
    dead = account(store, worker="w:2:dead", ceiling=Ceiling(tokens=100))
    mine = account(store)
    reserved(dead.reserve(Amounts(tokens=80)))
    short = mine.reserve(Amounts(tokens=30))
    assert short == Shortage("tokens", 30, 20, False)
    silent(store, "w:2:dead")
    # Nothing will come back: there is no use in waiting.
    assert mine.reserve(Amounts(tokens=30)) == Shortage("tokens", 30, 20, True)
    assert (mine.spent.tokens, mine.record().held) == (80, NOTHING)
    reserved(mine.reserve(Amounts(tokens=20)))


def test_who_was_only_asleep_gives_back_what_it_did_not_need(store: SqlStore) -> None:
    asleep = account(store, worker="w:2:asleep", ceiling=Ceiling(tokens=100))
    mine = account(store)
    made = reserved(asleep.reserve(Amounts(tokens=80)))
    silent(store, "w:2:asleep")
    assert isinstance(mine.reserve(Amounts(tokens=30)), Shortage)
    asleep.settle(made, Amounts(tokens=10))
    assert (mine.spent.tokens, mine.left.tokens) == (10, 90)
    with pytest.raises(UsageError, match="exactly once"):
        asleep.settle(made, NOTHING)


def test_what_the_dead_had_set_aside_is_forgotten_in_time_and_stays_spent(store: SqlStore) -> None:
    dead = account(store, worker="w:2:dead", ceiling=Ceiling(tokens=100))
    mine = account(store)
    for _ in range(2):
        reserved(dead.reserve(Amounts(tokens=40)))
    silent(store, "w:2:dead")
    assert isinstance(mine.reserve(Amounts(tokens=30)), Shortage)
    live = reserved(mine.reserve(Amounts(tokens=5)))
    with store.writing("the age of reservations") as connection:
        older = sa.update(reservations).values(made_at=reservations.c.made_at - 5000)
        connection.execute(older)
    store.prune(3600)
    with store.reading("what is left") as connection:
        left = connection.execute(sa.select(reservations.c.id)).scalars()
        assert list(left) == [live.id]
    mine.settle(live, NOTHING)
    assert mine.spent.tokens == 80


DIES = """
import os, signal, sys
from autogen.limits.base import Amounts
from autogen.store.account import SqlAccount
from autogen.store.sql import SqlStore

store = SqlStore(sys.argv[1])
account = SqlAccount(store, "b", worker_id="w:9:dies")
account.reserve(Amounts(tokens=60))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_leaves_its_reservation_behind(store: SqlStore, database_url: str) -> None:
    mine = account(store, ceiling=Ceiling(tokens=100))
    done = subprocess.run([sys.executable, "-c", DIES, database_url], timeout=50, check=False)
    assert done.returncode == -9
    assert mine.record().held.tokens == 60
    assert mine.reserve(Amounts(tokens=50)) == Shortage("tokens", 50, 40, True)
    assert mine.spent.tokens == 60


# -- waiting, and chats ----------------------------------------------------------------------------


def test_who_need_not_wait_for_room_does_not(store: SqlStore) -> None:
    mine = account(store, ceiling=Ceiling(tokens=100))
    before = time.monotonic()
    for wanted in (100, 101):
        asyncio.run(mine.room(Amounts(tokens=wanted)))
    assert time.monotonic() - before < 5


def test_who_waits_for_room_gets_it(store: SqlStore) -> None:
    mine = account(store, ceiling=Ceiling(tokens=100))
    held = reserved(mine.reserve(Amounts(tokens=100)))
    timer = threading.Timer(0.1, mine.settle, (held, Amounts(tokens=10)))

    async def wait() -> Reservation:
        async with asyncio.timeout(20):
            while True:
                made = await asyncio.to_thread(mine.reserve, Amounts(tokens=50))
                if isinstance(made, Reservation):
                    return made
                await mine.room(Amounts(tokens=50))

    timer.start()
    asyncio.run(wait())
    timer.join(5)
    assert mine.record().held.tokens == 50


def test_a_budget_in_the_database_ends_a_chat(store: SqlStore) -> None:
    budget = Budget(account=account(store, ceiling=Ceiling(steps=2)))
    with ScriptedModel(["one", "two"]) as model:
        writer = ConversableAgent("writer", llm_config=model.config(), human_input_mode="NEVER")
        reader = ConversableAgent(
            "reader", llm_config=False, human_input_mode="NEVER", default_auto_reply="more"
        )
        result = reader.initiate_chat(
            writer, message="go", max_turns=5, silent=True, run=RunOptions(budget=budget)
        )
    assert result.stop_reason == "budget"
    assert budget.spent.steps == 2
    assert account(store, worker="w:2:b").spent.steps == 2


def test_a_name_that_databases_do_not_keep_is_refused(store: SqlStore) -> None:
    with pytest.raises(UsageError, match="use another name"):
        SqlAccount(store, "a\0", worker_id="w")


def test_what_could_not_be_settled_is_settled_later_and_once(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    later: list[Any] = []
    mine = account(store, ceiling=Ceiling(tokens=100), later=later.append)
    made = reserved(mine.reserve(Amounts(tokens=80)))
    with monkeypatch.context() as away:
        away.setattr(store, "writing", lambda what: _away())
        mine.settle(made, Amounts(tokens=10))
        assert "booked later" in caplog.text
        (settle,) = later
        with pytest.raises(JournalError):
            settle()
    assert (mine.spent.tokens, mine.left.tokens) == (0, 20)
    # The second time stands for one that was heard, while its answer was lost.
    for _ in range(2):
        settle()
        assert (mine.spent.tokens, mine.left.tokens) == (10, 90)


def test_without_anybody_who_does_it_later_what_cannot_be_settled_raises(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = account(store, ceiling=Ceiling(tokens=100))
    made = reserved(mine.reserve(Amounts(tokens=80)))
    monkeypatch.setattr(store, "writing", lambda what: _away())
    with pytest.raises(JournalError):
        mine.settle(made, NOTHING)


def _away() -> Any:
    raise JournalError("the server does not answer")
