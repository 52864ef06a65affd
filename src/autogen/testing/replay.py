"""A production run as a regression test, without a model.

    def test_review_still_goes_as_it_went():
        with replay("chat-17", database="sqlite:///tests/runs.db"):
            user.initiate_chat(reviewer, message="Review PR 17.")

It fails with the first request that differs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .._durable.database import Database
from ..runtime.retelling import replaying

__all__ = ["replay"]


@contextmanager
def replay(run_id: str, *, database: str | None = None) -> Iterator[None]:
    """Inside the `with` block the first chat that is started is told from the record of a run.

    No model, tool, code or person is asked, and nothing is written.

    Args:
        run_id: The run.
        database: Where it is recorded; None for the default database.

    Raises:
        ReplayMismatch: The chat asks for something else than it did; the text names the first
            such step.
        UnknownRun: There is no such run.
    """
    with replaying(Database.at(database), run_id):
        yield
