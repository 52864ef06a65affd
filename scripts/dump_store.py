"""Write down a database of the newest version, for the tests of what comes after it.

    python scripts/dump_store.py > tests/store/data/v0001.sql

Run it before a migration is added: the tests then bring this database up to the new version.
"""

from __future__ import annotations

import re
import sqlite3
import sys
import tempfile
from pathlib import Path

from autogen.events import Event
from autogen.human.base import Question
from autogen.store.asking import Questions
from autogen.store.base import RunRecord
from autogen.store.sql import SqlStore


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "runs.db")
        store = SqlStore(f"sqlite:///{path}")
        request = {"message": "5% of :x; 'é' \0 \ud83d\n"}
        store.create_run(RunRecord(id="kept", team="t", request=request))
        store.claim("kept", "w:1:a/0", expected=None)
        for n in range(3):
            event = Event(type="message.sent", run_id="kept", key=str(n), at=1.5, data={"n": n})
            store.append("kept", "w:1:a/0", [(event, n)])
        result = {"summary": "done"}
        store.update("kept", "w:1:a/0", status="finished", result=result, leave=True)
        store.create_run(RunRecord(id="begun"))
        store.claim("begun", "w:1:a/1", expected=None)
        Questions(store).put(
            Question(
                id="q",
                run_id="begun",
                key="0.1",
                agent="user",
                kind="text",
                prompt="Go on?",
                default="no",
            )
        )
        store.beat("w:1:a")
        store.close()
        connection = sqlite3.connect(path)
        for statement in connection.iterdump():
            if statement not in ("BEGIN TRANSACTION;", "COMMIT;"):
                # Plain SQL, for both databases: a name wants no quotes, a float no other name. What
                # stands for a boolean in an INSERT is to be made true or false by hand.
                plain = re.sub(r"\s+", " ", statement)
                sys.stdout.write(
                    plain.replace("BOOLEAN DEFAULT 1 ", "BOOLEAN DEFAULT true ") + "\n"
                )
        connection.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
