"""Versions of the tables: made once, brought up from every earlier one, newer ones refused."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from autogen.errors import JournalError
from autogen.limits.base import Amounts
from autogen.store.account import SqlAccount
from autogen.store.asking import Questions
from autogen.store.connect import connected
from autogen.store.schema import HEAD, VERSION_TABLE, upgraded
from autogen.store.sql import SqlStore
from autogen.store.tables import metadata

MIGRATIONS = Path(str(sys.modules[upgraded.__module__].__file__)).parent / "migrations/versions"
VERSIONS = sorted(path.name[1:5] for path in MIGRATIONS.glob("v[0-9]*.py"))

#: A database as each earlier version left it: the tables and a run in them, as plain SQL.
DATA = Path(__file__).parent / "data"


def test_the_newest_migration_is_the_version_this_code_needs() -> None:
    assert [f"{n + 1:04}" for n in range(len(VERSIONS))] == VERSIONS
    assert VERSIONS[-1] == HEAD


def test_there_is_a_database_of_every_earlier_version() -> None:
    """Made by `scripts/dump_store.py` before a migration is added."""
    assert sorted(path.stem[1:] for path in DATA.glob("v*.sql")) == VERSIONS[:-1]


def load(url: str, version: str) -> None:
    statements = (DATA / f"v{version}.sql").read_text(encoding="utf-8").split(";\n")
    engine = connected(url)
    with engine.begin() as connection:
        for statement in filter(str.strip, statements):
            if engine.dialect.name == "postgresql":
                statement = statement.replace(" BLOB ", " BYTEA ")
            # No parameters: a percent sign or a colon of a text is meant.
            connection.connection.cursor().execute(statement)
    engine.dispose()


@pytest.mark.parametrize("version", VERSIONS[:-1])
def test_a_database_of_an_earlier_version_is_brought_up(database_url: str, version: str) -> None:
    load(database_url, version)
    store = SqlStore(database_url)
    try:
        assert differences(store._engine) == []
        found = store.run("kept")
        assert found.request == {"message": "5% of :x; 'é' \0 \ud83d\n"}
        assert found.result == {"summary": "done"}
        assert store.verify("kept")[:2] == (True, 3)
        assert [event.data["n"] for event in store.events("kept")] == [0, 1, 2]
        (question,) = Questions(store).questions()
        assert (question.prompt, question.default) == ("Go on?", "no")
        taken = store.claim("begun", "w:2:b/1", expected="w:1:a/1")
        assert taken is not None
        assert taken.attempts == 2
        account = SqlAccount(store, "new", worker_id="w:2:b")
        account.reserve(Amounts(tokens=1))
    finally:
        store.close()


def differences(engine: sa.Engine) -> list[Any]:
    """What the tables of a database have other than those the code names."""
    with engine.connect() as connection:
        options = {"include_object": _is_ours, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, metadata))


def _is_ours(thing: Any, name: str | None, kind: str, *rest: Any) -> bool:
    return kind != "table" or (str(name).startswith("autogen_") and name != VERSION_TABLE)


def test_the_migrations_make_the_tables_that_the_code_names(store: SqlStore) -> None:
    assert differences(store._engine) == []


def test_opening_again_changes_nothing(store: SqlStore, database_url: str) -> None:
    engine = connected(database_url)
    assert upgraded(engine) == HEAD
    engine.dispose()


def test_a_database_of_a_newer_version_is_refused(store: SqlStore, database_url: str) -> None:
    with store.writing("a version") as connection:
        connection.execute(sa.text(f"update {VERSION_TABLE} set version_num = '0999'"))
    with pytest.raises(JournalError, match=r"has version 0999 .* knows 0.*Use the version"):
        SqlStore(database_url)


OPENS = """
import os, sys
import alembic.command
from autogen.store.sql import SqlStore

url, n = sys.argv[1], int(sys.argv[2])
ready, go = os.pipe()
children = []
for i in range(n):
    child = os.fork()
    if not child:
        os.close(go)
        os.read(ready, 1)
        store = SqlStore(url)
        store.beat(str(i))
        store.close()
        os._exit(0)
    children.append(child)
os.close(go)
sys.exit(sum(os.waitpid(child, 0)[1] != 0 for child in children))
"""


def test_processes_that_open_a_new_database_at_once_make_it_once(database_url: str) -> None:
    """They are let go together: by the end of a pipe, which all of them wait for."""
    words = [sys.executable, "-c", OPENS, database_url, "6"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=50)
    assert (done.returncode, done.stderr) == (0, "")
    store = SqlStore(database_url)
    assert all(store.beats_since(str(n), 100) for n in range(6))
    store.close()


def test_other_tables_in_the_same_database_are_left_alone(database_url: str) -> None:
    """The journal keeps its own beside them, with versions of its own."""
    engine = connected(database_url)
    with engine.begin() as connection:
        connection.execute(sa.text("create table alembic_version (version_num text)"))
        connection.execute(sa.text("insert into alembic_version values ('theirs')"))
    engine.dispose()
    store = SqlStore(database_url)
    with store.reading("theirs") as connection:
        assert connection.execute(sa.text("select * from alembic_version")).all() == [("theirs",)]
    store.close()


# -- the file --------------------------------------------------------------------------------------


def test_a_file_is_written_ahead_and_its_folder_ignores_itself(tmp_path: Path) -> None:
    path = tmp_path / ".autogen" / "runs.db"
    SqlStore(f"sqlite:///{path}").close()
    assert (path.parent / ".gitignore").read_text() == "*\n"
    connection = sqlite3.connect(path)
    assert connection.execute("pragma journal_mode").fetchone() == ("wal",)
    connection.close()
    other = tmp_path / "mine" / "runs.db"
    SqlStore(f"sqlite:///{other}").close()
    assert not (other.parent / ".gitignore").exists()


def test_the_folder_of_others_keeps_its_own_list(tmp_path: Path) -> None:
    folder = tmp_path / ".autogen"
    folder.mkdir()
    (folder / ".gitignore").write_text("mine\n")
    SqlStore(f"sqlite:///{folder / 'runs.db'}").close()
    assert (folder / ".gitignore").read_text() == "mine\n"
