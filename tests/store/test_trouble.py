"""What goes wrong with a database: each says what happened and what to do, and hides passwords."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
import sqlalchemy as sa

import autogen.store.connect as connect
from autogen.errors import JournalError, UsageError
from autogen.events import Event
from autogen.store.base import RunRecord
from autogen.store.connect import masked
from autogen.store.sql import SqlStore

PASSWORD = "s3cret+pass"


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:pw@h/db",
        "runs.db",
        "",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:///runs.db?mode=ro",
        "sqlite://host/runs.db",
        "postgresql+asyncpg://u:pw@h/db",
        "postgresql://u:pw@h:port/db",
        "postgresql://",
    ],
)
def test_a_url_of_no_known_kind_is_refused_with_those_there_are(url: str) -> None:
    with pytest.raises(UsageError, match="give sqlite:///PATH") as caught:
        SqlStore(url)
    assert "pw" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "url, expected",
    [
        ("postgresql://u:p/w@h/db", "postgresql://u:***@h/db"),
        ("postgresql://u:p@w@h:5/db", "postgresql://u:***@h:5/db"),
        ("postgresql://:pw@h/db", "postgresql://:***@h/db"),
        ("postgresql://u@h/db", "postgresql://u@h/db"),
        ("postgresql://h:5/db", "postgresql://h:5/db"),
        ("postgresql://h/db?password=pw&x=1", "postgresql://h/db?password=***&x=1"),
        ("host=h password=pw user=u", "host=h password=*** user=u"),
        ("sqlite:////tmp/a:b@c.db", "sqlite:////tmp/a:b@c.db"),
    ],
)
def test_no_password_is_shown(url: str, expected: str) -> None:
    assert masked(url) == expected


# -- without the extra -----------------------------------------------------------------------------

WITHOUT = """
import sys
import autogen
from autogen import ConversableAgent, RunOptions

assert not {"alembic", "dbos", "psycopg", "sqlalchemy"} & set(sys.modules)
sys.modules["sqlalchemy"] = None
agents = [ConversableAgent(n, llm_config=False, human_input_mode="NEVER") for n in "ab"]
try:
    agents[0].initiate_chat(
        agents[1], message="x", run=RunOptions(durable=True, id="x", database="sqlite:///x.db")
    )
except autogen.errors.UsageError as error:
    print(error)
"""


def test_without_its_extra_it_says_what_to_install(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], cwd=tmp_path, capture_output=True, text=True, timeout=50
    )
    assert 'need the extra "durable"' in done.stdout, done.stderr


# -- SQLite ----------------------------------------------------------------------------------------


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("this is no database, whatever its name may be\n" * 100)
    with pytest.raises(JournalError, match=r"notes.txt cannot be opened: the file is no SQLite"):
        SqlStore(f"sqlite:///{path}")
    assert path.read_text().startswith("this is no database")


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="cannot be opened; check the path"):
        SqlStore(f"sqlite:///{tmp_path}")


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        JournalError, match=r"folder of the database cannot be made: .*name a place"
    ):
        SqlStore(f"sqlite:///{tmp_path}/file/runs.db")


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    store = SqlStore(f"sqlite:///{path}")
    for n in range(50):
        store.create_run(RunRecord(id=str(n), request={"message": "x" * 4000}))
    store.close()
    for beside in ("-wal", "-shm"):
        Path(f"{path}{beside}").unlink(missing_ok=True)
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    with pytest.raises(JournalError, match="no SQLite database, or damaged"):
        SqlStore(f"sqlite:///{path}").runs()


LOCKS = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("begin immediate")
print("locked", flush=True)
sys.stdin.readline()
"""


def test_a_database_that_somebody_keeps_locked_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "BUSY_S", 0.2)
    path = tmp_path / "runs.db"
    store = SqlStore(f"sqlite:///{path}")
    words = [sys.executable, "-c", LOCKS, str(path)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(words, **pipes) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        with pytest.raises(JournalError, match=r"another program kept it locked for .* end that"):
            store.create_run(RunRecord(id="r"))
        # Whoever only reads is not in anybody's way.
        assert store.runs() == []
        other.communicate("go\n", timeout=10)
    assert store.create_run(RunRecord(id="r"))[1]
    store.close()


WRITES = """
import sys
from autogen.errors import JournalError
from autogen.events import Event
from autogen.store.base import RunRecord
from autogen.store.sql import SqlStore

try:
    store = SqlStore(sys.argv[1])
    store.create_run(RunRecord(id="r"))
    store.claim("r", "w:1:a/1", expected=None)
    for n in range(int(sys.argv[2])):
        data = {"text": "x" * 20_000}
        store.append("r", "w:1:a/1", [(Event(type="message.sent", key=str(n), data=data), n)])
except JournalError as error:
    print(error)
"""


def walled(require_part: Callable[..., NoReturn], *words: str, url: str, n: int) -> str:
    """What a program prints that writes to `url` where bubblewrap changed the view of the disk."""
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        require_part(
            "bubblewrap", because="bwrap is not installed", do="apt-get install bubblewrap"
        )
    view = [bwrap, "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", *words]
    program = [sys.executable, "-c", WRITES, url, str(n)]
    done = subprocess.run([*view, *program], capture_output=True, text=True, timeout=50)
    if "bwrap:" in done.stderr:
        require_part("bubblewrap", because=done.stderr.strip(), do="allow user namespaces")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_full_disk_is_told_and_what_was_written_is_whole(
    tmp_path: Path, require_part: Callable[..., NoReturn]
) -> None:
    """The disk is a small one in memory, so nothing of it is left to look at afterwards."""
    folder = tmp_path / "disk"
    folder.mkdir()
    url = f"sqlite:///{folder}/runs.db"
    told = walled(require_part, "--size", str(1 << 20), "--tmpfs", str(folder), url=url, n=200)
    assert f"events of run 'r' could not be written to {url}: the disk is" in told
    assert "make room, then run it again" in told


def test_a_disk_that_can_only_be_read_is_told(
    tmp_path: Path, require_part: Callable[..., NoReturn]
) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    SqlStore(f"sqlite:///{folder}/runs.db").close()
    told = walled(require_part, url=f"sqlite:///{folder}/runs.db", n=1)
    assert "can only be read" in told or "cannot be opened; check the path" in told
    told = walled(require_part, url=f"sqlite:///{folder}/new.db", n=1)
    assert "cannot be opened; check the path and its permissions" in told
    told = walled(require_part, url=f"sqlite:///{folder}/new/runs.db", n=1)
    assert "the folder of the database cannot be made" in told


def test_a_new_database_is_for_its_owner_alone(tmp_path: Path) -> None:
    store = SqlStore(f"sqlite:///{tmp_path}/new/runs.db")
    modes = {path.name: path.stat().st_mode & 0o077 for path in (tmp_path / "new").iterdir()}
    store.close()
    assert set(modes.values()) == {0}, modes
    assert (tmp_path / "new").stat().st_mode & 0o077 == 0


def test_a_file_without_write_permission_is_told(
    tmp_path: Path, require_part: Callable[..., NoReturn]
) -> None:
    """Without its capabilities even root may not write to such a file."""
    path = tmp_path / "runs.db"
    SqlStore(f"sqlite:///{path}").close()
    path.chmod(0o444)
    words = ["--bind", str(tmp_path), str(tmp_path), "--cap-drop", "ALL"]
    told = walled(require_part, *words, url=f"sqlite:///{path}", n=1)
    assert "it can only be read; give its file and its folder write permission" in told


# -- Postgres --------------------------------------------------------------------------------------


def test_a_wrong_password_is_told_and_not_shown(postgres_url: str) -> None:
    wrong = postgres_url.replace(PASSWORD, "wr0ng")
    with pytest.raises(JournalError, match="the server refused the user or password") as caught:
        SqlStore(wrong)
    told = "".join(traceback.format_exception(caught.value))
    assert "wr0ng" not in told
    assert "autogen:***@127.0.0.1" in told


def test_a_database_that_is_not_there_is_told(postgres_server: str) -> None:
    with pytest.raises(JournalError, match="no such database; create it with createdb"):
        SqlStore(f"{postgres_server}/nothing_here")


def test_a_server_that_is_not_there_is_told(postgres_server: str) -> None:
    # Port 1 of this machine: nobody listens there.
    with pytest.raises(JournalError, match="the server does not answer; start it") as caught:
        SqlStore(f"postgresql://u:{PASSWORD}@127.0.0.1:1/db")
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))


def test_a_server_that_went_away_is_told_and_used_again_once_it_is_back(
    postgres_url: str, postgres_server: str
) -> None:
    import psycopg

    store = SqlStore(postgres_url)
    name = postgres_url.rpartition("/")[2]

    def write() -> None:
        with store.writing("something") as connection:
            connection.execute(sa.text("select 1"))
            with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as admin:
                admin.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s",
                    [name],
                )
            connection.execute(sa.text("select 1"))

    with pytest.raises(JournalError, match="the server does not answer"):
        write()
    assert store.create_run(RunRecord(id="r"))[1]
    store.close()


def test_a_reader_without_the_right_to_write_is_told(
    postgres_url: str, postgres_server: str
) -> None:
    SqlStore(postgres_url).close()
    read_only = f"{postgres_url}?options=-c%20default_transaction_read_only%3Don"
    store = SqlStore(read_only)
    with pytest.raises(JournalError, match="it can only be read"):
        store.create_run(RunRecord(id="r"))
    store.close()


def test_texts_of_chats_are_no_part_of_errors(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    store = SqlStore(f"sqlite:///{path}")
    connection = sqlite3.connect(path)
    connection.execute("drop table autogen_runs")
    connection.commit()
    connection.close()
    with pytest.raises(JournalError, match="no such table") as caught:
        store.create_run(RunRecord(id="r", request={"message": "-".join("abc")}))
    assert "a-b-c" not in "".join(traceback.format_exception(caught.value))
    store.close()


def test_an_event_that_cannot_be_written_leaves_none_of_its_step(tmp_path: Path) -> None:
    """All events of an append are there, or none of them is."""
    store = SqlStore(f"sqlite:///{tmp_path / 'runs.db'}")
    store.create_run(RunRecord(id="r"))
    store.claim("r", "w:1:a/1", expected=None)
    with store.writing("a trap") as connection:
        connection.exec_driver_sql(
            "create trigger trap before insert on autogen_events when new.key = 'bad' "
            "begin select raise(abort, 'database or disk is full'); end"
        )
    both = [(Event(type="message.sent", key=key), 0) for key in ("good", "bad")]
    with pytest.raises(JournalError, match="make room"):
        store.append("r", "w:1:a/1", both)
    assert store.events("r") == []
    assert store.verify("r").is_whole
    store.close()
