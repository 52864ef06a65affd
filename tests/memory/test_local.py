"""The store of texts: what it keeps, finds and refuses, alone and shared."""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import sqlite3
import statistics
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autogen.memory import LocalMemory, Memory

Rows = list[list[float]]


def by_length(texts: list[str]) -> Rows:
    """Two numbers per text; the same length is the same direction."""
    return [[1.0, float(len(text))] for text in texts]


@pytest.fixture(params=["file", "in memory"])
def memory(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LocalMemory]:
    with LocalMemory(tmp_path / "store" if request.param == "file" else None) as made:
        yield made


def texts(found: list[Any]) -> list[str]:
    return [one.entry.text for one in found]


def test_it_has_the_methods_of_the_port(memory: LocalMemory) -> None:
    assert isinstance(memory, Memory)


def test_the_nearest_text_comes_first_with_its_score(memory: LocalMemory) -> None:
    memory.add(["The gateway listens on port 7717.", "Cats sleep all day."], ids=["g", "c"])
    found = memory.query("the port of the gateway")
    assert [one.entry.id for one in found] == ["g", "c"]
    assert 1 > found[0].score > 0.5 > found[1].score
    assert memory.query("Cats sleep all day.")[0].score == pytest.approx(1)
    assert texts(memory.query("port", limit=1)) == ["The gateway listens on port 7717."]
    assert memory.query("port", limit=0) == []


def test_of_equals_the_first_added_comes_first(memory: LocalMemory) -> None:
    memory.add(["same"] * 5, ids=["e", "d", "c", "b", "a"])
    assert [one.entry.id for one in memory.query("same", limit=3)] == ["e", "d", "c"]


def test_metadata_comes_back_and_filters(memory: LocalMemory) -> None:
    notes = [{"n": 1, "who": "Ünal", "deep": {"x": [None, 1.5]}}, {"n": 2}, None]
    memory.add(["a cat", "a dog", "a cat and a dog"], ids=["1", "2", "3"], metadata=notes)
    assert [dict(entry.metadata) for entry in memory.get()] == [notes[0], notes[1], {}]
    assert texts(memory.query("dog", where={"n": 1})) == ["a cat"]
    assert texts(memory.query("cat", contains="dog", limit=1)) == ["a cat and a dog"]
    assert memory.query("cat", contains="dog", where={"n": 1}) == []


def test_a_text_without_id_is_kept_once(memory: LocalMemory) -> None:
    first = memory.add(["x", "y"])
    assert memory.add(["y", "x"]) == first[::-1]
    assert len(memory.get()) == 2


def test_an_id_that_is_there_is_replaced_or_left(memory: LocalMemory) -> None:
    memory.add(["old cat"], ids=["1"])
    memory.query("cat")
    memory.add(["new dog", "more"], ids=["1", "2"], replace=False)
    assert texts(memory.query("cat", limit=1)) == ["old cat"]
    memory.add(["new dog"], ids=["1"])
    assert texts(memory.query("dog", limit=1)) == ["new dog"]
    assert [entry.id for entry in memory.get()] == ["1", "2"]


def test_get_and_delete_by_id(memory: LocalMemory) -> None:
    memory.add(["a", "b", "c"], ids=["1", "2", "3"])
    memory.query("b")
    assert [entry.text for entry in memory.get(["3", "nobody", "1"])] == ["c", "a"]
    assert memory.delete(["2", "nobody"]) == 1
    assert memory.query("b", limit=1)[0].entry.id != "2"
    memory.add(["b again"], ids=["2"])
    assert texts(memory.query("b again", limit=1)) == ["b again"]


def test_collections_are_apart(memory: LocalMemory) -> None:
    assert memory.create("a") and not memory.create("a")
    memory.add(["in b"], ids=["1"], collection="b")
    assert memory.collections() == ["a", "b"]
    assert memory.query("in b", collection="a") == []
    assert memory.drop("b") and not memory.drop("b")
    memory.add(["b anew"], ids=["2"], collection="b")
    assert texts(memory.query("in b", collection="b")) == ["b anew"]


def test_a_collection_that_is_not_there_is_told(memory: LocalMemory) -> None:
    memory.create("known")
    for ask in (
        lambda: memory.query("x", collection="none"),
        lambda: memory.get(collection="none"),
        lambda: memory.delete(["1"], collection="none"),
    ):
        with pytest.raises(ValueError, match=r"no collection 'none'; there are: \['known'\]"):
            ask()
    with pytest.raises(ValueError, match="its name must not be empty"):
        memory.create("")


@pytest.mark.parametrize(
    "arguments, told",
    [
        ({"texts": "a text"}, "texts is one text"),
        ({"texts": ["a"], "ids": ["1", "2"]}, "1 texts, 2 ids"),
        ({"texts": ["a"], "metadata": []}, "0 metadata"),
        ({"texts": ["a"], "metadata": [{"x": object()}]}, "metadata must be JSON"),
        ({"texts": ["a"], "vectors": [[1.0]]}, "vectors of 2048 numbers"),
        ({"texts": ["a"], "vectors": [1.0]}, "shape"),
        ({"texts": ["a"], "vectors": [[float("nan")]]}, "not finite"),
        ({"texts": ["a"], "vectors": [["x"]]}, "no table of numbers"),
        ({"texts": ["a", "\ud800"]}, "UTF-8|surrogates"),
    ],
)
def test_what_cannot_be_kept_is_refused_as_a_whole(
    memory: LocalMemory, arguments: dict[str, Any], told: str
) -> None:
    memory.add(["here"], ids=["1"])
    with pytest.raises(ValueError, match=told):
        memory.add(**arguments)
    assert [entry.text for entry in memory.get()] == ["here"]
    memory.add(["still works"])


def test_any_function_can_embed(tmp_path: Path) -> None:
    with LocalMemory(tmp_path / "a.db", by_length) as memory:
        memory.add(["a", "bbbb", "cc"])
        assert texts(memory.query("xx")) == ["cc", "bbbb", "a"]
    with LocalMemory(tmp_path / "a.db") as other:
        with pytest.raises(ValueError, match="holds vectors of 2 numbers by another embedder"):
            other.query("x")
        assert len(other.get()) == 3


def test_embedders_of_different_names_are_not_mixed(tmp_path: Path) -> None:
    class Named:
        def __init__(self, name: str):
            self.name = name

        def __call__(self, texts: list[str], /) -> Rows:
            return by_length(texts)

    with LocalMemory(tmp_path, Named("one")) as memory:
        memory.add(["a"])
    with (
        LocalMemory(tmp_path, Named("two")) as memory,
        pytest.raises(ValueError, match="by one; two"),
    ):
        memory.query("a")


def test_an_embedder_that_fails_leaves_nothing(memory: LocalMemory) -> None:
    def fails(texts: list[str]) -> Rows:
        raise OSError("no service")

    memory.embedder = fails
    with pytest.raises(OSError, match="no service"):
        memory.add(["x"])
    assert memory.collections() == []


def test_what_is_kept_is_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    with LocalMemory(tmp_path / "deep" / "er") as memory:
        memory.add(["The gateway listens."], ids=["g"], metadata=[{"x": 1}])
    assert sorted(path.name for path in (tmp_path / "deep" / "er").iterdir()) == ["memory.sqlite3"]
    with LocalMemory(tmp_path / "deep" / "er" / "memory.sqlite3") as memory:
        assert memory.query("gateway")[0].entry.metadata == {"x": 1}


def test_two_stores_on_one_file_see_each_other(tmp_path: Path) -> None:
    with LocalMemory(tmp_path) as one, LocalMemory(tmp_path) as two:
        one.add(["cat"], ids=["1"])
        assert texts(two.query("dog")) == ["cat"]
        two.add(["dog"], ids=["2"])
        assert texts(one.query("dog", limit=1)) == ["dog"]
        one.delete(["2"])
        assert texts(two.query("dog")) == ["cat"]
        two.drop("default")
        two.add(["bird"], ids=["9"])
        assert texts(one.query("dog")) == ["bird"]


# ------------------------------------------------------------------------------------- refusals


def test_a_file_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    LocalMemory(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version=99")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"newer version of autogen \(schema 99"):
        LocalMemory(path)
    assert path.read_bytes() == before


def test_files_of_others_are_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "other.db")
    connection.execute("CREATE TABLE entries (x)")
    connection.close()
    with pytest.raises(ValueError, match="is a database of something else"):
        LocalMemory(tmp_path / "other.db")
    (tmp_path / "text.txt").write_text("no database at all, by far " * 50)
    with pytest.raises(ValueError, match="it is damaged, or no store of ours"):
        LocalMemory(tmp_path / "text.txt")
    (tmp_path / "plain").write_text("")
    with pytest.raises(ValueError, match="can't be used"):
        LocalMemory(tmp_path / "plain" / "a.db")


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    memory = LocalMemory(tmp_path)
    memory.close()
    memory.close()
    with pytest.raises(ValueError, match="is closed"):
        memory.get()


def test_a_store_that_is_dropped_closes_its_file(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        memory = LocalMemory(tmp_path)
        memory.add(["x"])
        del memory
        gc.collect()
    assert [path.name for path in tmp_path.iterdir()] == ["memory.sqlite3"]


def test_without_numpy_the_extra_is_named(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['numpy'] = None\n"
        "from autogen.memory import LocalMemory\n"
        "try: LocalMemory()\n"
        "except ValueError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert 'pip install -e ".[memory]"' in done.stdout


# --------------------------------------------------------------------------------------- sharing


def test_threads_may_share_a_store(memory: LocalMemory) -> None:
    errors: list[BaseException] = []

    def work(k: int) -> None:
        try:
            for i in range(20):
                memory.add([f"thread {k} text {i}"], ids=[f"{k}-{i}"])
                assert memory.query(f"thread {k} text {i}", limit=1)
                if i % 5 == 0:
                    memory.delete([f"{k}-{i}"])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(memory.get()) == 4 * 16
    assert len(memory.query("thread text", limit=100)) == 4 * 16


def test_processes_may_share_a_file(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from autogen.memory import LocalMemory\n"
        "with LocalMemory(sys.argv[1]) as memory:\n"
        "    for i in range(25):\n"
        "        memory.add([f'{sys.argv[2]} {i}'])\n"
    )
    children = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", program, str(tmp_path), name])
        for name in ("one", "two", "three")
    ]
    assert [child.wait(30) for child in children] == [0, 0, 0]
    with LocalMemory(tmp_path) as memory:
        assert len(memory.get()) == 75


def _in_child(memory: LocalMemory, answers: Any) -> None:
    memory.add(["from the child"], ids=["child"])
    answers.put(sorted(entry.id for entry in memory.get()))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_may_go_on_with_a_store(memory: LocalMemory) -> None:
    memory.add(["from the parent"], ids=["parent"])
    memory.query("x")
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    child = context.Process(target=_in_child, args=(memory, answers))
    with memory._lock, warnings.catch_warnings():
        # Python 3.12 warns of forks beside threads; here the lock is held to make it hard.
        warnings.simplefilter("ignore", DeprecationWarning)
        child.start()
    assert answers.get(timeout=10) == ["child", "parent"]
    child.join(10)
    assert child.exitcode == 0
    ids = sorted(entry.id for entry in memory.get())
    assert ids == (["parent"] if memory.path is None else ["child", "parent"])
    memory.add(["after the child"], ids=["after"])


def test_a_process_killed_while_it_writes_leaves_whole_batches(tmp_path: Path) -> None:
    program = (
        "import sys, os, threading\n"
        "from autogen.memory import LocalMemory\n"
        "memory = LocalMemory(sys.argv[1])\n"
        "for i in range(10_000):\n"
        "    memory.add([f'{i} {k}' for k in range(50)], ids=[f'{i}-{k}' for k in range(50)])\n"
        "    print(i, flush=True)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    for _ in range(3):
        child.stdout.readline()
    child.kill()
    child.wait(10)
    child.stdout.close()
    with LocalMemory(tmp_path) as memory:
        n_entries = len(memory.get())
        assert n_entries >= 150 and n_entries % 50 == 0
        assert len(memory.query("1 1", limit=10_000)) == n_entries


# ---------------------------------------------------------------------------------------- growth


def test_ten_thousand_texts_are_searched_in_milliseconds(tmp_path: Path) -> None:
    """CPU time of this thread, so that a busy machine does not matter; 2 to 8 ms were measured."""
    with LocalMemory(tmp_path) as memory:
        memory.add([f"document {i} about subject{i % 97} and item{i}" for i in range(10_000)])
        assert "subject5 " in memory.query("subject5", limit=1)[0].entry.text
        took_s = []
        for i in range(9):
            start = time.thread_time()
            assert len(memory.query(f"item{i}", limit=20)) == 20
            took_s.append(time.thread_time() - start)
    assert statistics.median(took_s) < 0.05


def test_additions_are_taken_in_without_reading_everything_again(memory: LocalMemory) -> None:
    memory.add([f"text {i}" for i in range(300)])
    memory.query("text")
    (index,) = memory._indexes.values()
    memory.add(["one more", "text 7"])
    assert texts(memory.query("one more", limit=1)) == ["one more"]
    assert list(memory._indexes.values()) == [index]
    assert len(index.vectors) == 301
    assert json.dumps(texts(memory.query("text 7", limit=1))) == '["text 7"]'
