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
from ..errors import ReplayMismatch
from ..runtime.retelling import replaying

__all__ = ["replay"]


@contextmanager
def replay(run_id: str, *, database: str | None = None) -> Iterator[None]:
    """Inside the `with` block chats are told from the record of a run.

    No model, tool, code or person is asked, and nothing is written. The first chat that is started
    is the run. Where a program was recorded by `autogen run PROGRAM.py --id ID`, its chats are
    `ID/1`, `ID/2`, ... in the order in which they start. A durable chat is the run that it names.

    Args:
        run_id: The run, or the id of the program.
        database: Where it is recorded; None for the default database.

    Raises:
        ReplayMismatch: A chat asks for something else than it did, or there is a further one; the
            text names the first such step. At the end of the block: a recorded step was left out.
        UnknownRun: There is no such run.
    """
    with replaying(Database.at(database), run_id) as retelling:
        yield
    # What left a chat as an error has been told there, where the caller may have expected it.
    differs = retelling.swallowed
    if differs is None and retelling.trouble is None and retelling.left_out is not None:
        differs = f"{retelling.left_out}."
    if differs is not None:
        raise ReplayMismatch(differs)
