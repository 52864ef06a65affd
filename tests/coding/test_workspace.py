"""Files into and out of a folder that somebody hostile writes to as well."""

from __future__ import annotations

import hashlib
import os
import socket

import pytest
from tests.compat.requirements import requirement

from autogen.coding import workspace
from autogen.coding.workspace import Snapshot, prepare, write


@pytest.fixture
def work(tmp_path):
    return prepare(tmp_path / "work")


@pytest.mark.parametrize("name", ["a.py", "sub/dir/a.py", "./a.py", "with space.py", "ünï.py"])
def test_code_is_saved_below_the_folder(work, name):
    path = write(work, name, "print(1)")
    assert path.read_text() == "print(1)"
    assert path.resolve().is_relative_to(work)


@pytest.mark.parametrize(
    "name", ["../a.py", "/etc/a.py", "a/../../b.py", "", "..", "a\0b", "\ud800.py", "x" * 500]
)
def test_name_that_leads_out_is_refused(work, name):
    with pytest.raises(ValueError, match=r"^Filename is not in the workspace$"):
        write(work, name, "x")


def test_absolute_name_inside_is_taken(work):
    assert write(work, str(work.resolve() / "a.py"), "x").read_text() == "x"


def test_folder_that_is_a_link_is_not_followed(work, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (work / "sub").symlink_to(outside)
    with pytest.raises(ValueError, match="not in the workspace"):
        write(work, "sub/a.py", "x")
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("kind", ["symbolic", "hard"])
def test_file_that_is_a_link_is_replaced_and_its_target_left_alone(work, tmp_path, kind):
    target = tmp_path / "precious"
    target.write_text("precious")
    if kind == "symbolic":
        (work / "a.py").symlink_to(target)
    else:
        os.link(target, work / "a.py")
    write(work, "a.py", "x")
    assert (target.read_text(), (work / "a.py").read_text()) == ("precious", "x")
    assert not (work / "a.py").is_symlink()


def test_fifo_in_the_place_of_the_file_does_not_block(work):
    os.mkfifo(work / "a.py")
    assert write(work, "a.py", "x").read_text() == "x"


def test_folder_in_the_place_of_the_file_is_an_error_without_leftovers(work):
    (work / "a.py").mkdir()
    with pytest.raises(OSError, match="directory"):
        write(work, "a.py", "x")
    assert [path.name for path in work.iterdir()] == ["a.py"]


@requirement("exec:work-dir")
def test_work_dir_without_parent_is_a_usage_error(tmp_path):
    with pytest.raises(ValueError, match="its parent must exist"):
        prepare(tmp_path / "no" / "such")


@requirement("exec:artifacts")
def test_new_and_changed_files_are_artifacts(work):
    (work / "old.txt").write_text("old")
    (work / "changed.txt").write_text("old")
    before = Snapshot(work)
    (work / "changed.txt").write_text("newer")
    (work / "sub").mkdir()
    (work / "sub" / "chart.png").write_bytes(b"png")
    found = {artifact.name: artifact for artifact in before.artifacts()}
    assert sorted(found) == ["changed.txt", "sub/chart.png"]
    chart = found["sub/chart.png"]
    assert (chart.mime, chart.size_bytes) == ("image/png", 3)
    assert chart.sha256 == hashlib.sha256(b"png").hexdigest()
    assert chart.path == str(work.resolve() / "sub" / "chart.png")


def test_code_files_hidden_files_and_caches_are_no_artifacts(work):
    before = Snapshot(work)
    code = write(work, "code.py", "x")
    for folder in (".git", "__pycache__"):
        (work / folder).mkdir()
        (work / folder / "x").write_text("x")
    (work / ".hidden").write_text("x")
    assert before.artifacts(leave_out=frozenset({code})) == ()


def test_links_fifos_sockets_and_linked_files_are_no_artifacts(work, tmp_path, monkeypatch):
    secret = tmp_path / "secret"
    secret.write_text("key")
    before = Snapshot(work)
    (work / "link").symlink_to(secret)
    (work / "folder_link").symlink_to(tmp_path)
    os.link(secret, work / "hard")
    os.mkfifo(work / "fifo")
    monkeypatch.chdir(work)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        assert before.artifacts() == ()


def test_file_swapped_for_a_link_after_it_was_seen_is_not_read(work, tmp_path, monkeypatch):
    secret = tmp_path / "secret"
    secret.write_text("key")
    before = Snapshot(work)
    (work / "sub").mkdir()
    (work / "sub" / "a.txt").write_text("a")
    (work / "b.txt").write_text("b")
    look = before._look

    def swapped():
        seen = look()
        (work / "b.txt").unlink()
        (work / "b.txt").symlink_to(secret)
        (work / "sub" / "a.txt").unlink()
        (work / "sub").rmdir()
        (work / "sub").symlink_to(tmp_path)
        return seen

    monkeypatch.setattr(before, "_look", swapped)
    assert before.artifacts() == ()


def test_artifacts_are_capped_in_number_and_size(work, monkeypatch):
    monkeypatch.setattr(workspace, "MOST_ARTIFACTS", 5)
    monkeypatch.setattr(workspace, "MOST_ARTIFACT_BYTES", 10)
    before = Snapshot(work)
    for number in range(20):
        (work / f"{number:02}.txt").write_text("x" * (100 if number == 0 else 1))
    assert [artifact.name for artifact in before.artifacts()] == [
        f"{number:02}.txt" for number in range(1, 6)
    ]


@pytest.mark.parametrize("limit", ["MOST_LOOKED_AT", "MOST_SECONDS"])
def test_file_that_was_there_unseen_is_no_artifact(work, monkeypatch, limit):
    for number in range(20):
        (work / f"{number:02}.txt").write_text("x")
        os.utime(work / f"{number:02}.txt", (1, 1))
    monkeypatch.setattr(workspace.time, "time_ns", lambda: 2**62)
    monkeypatch.setattr(workspace, limit, 0)
    before = Snapshot(work)
    monkeypatch.undo()
    assert before.artifacts() == ()


def test_file_is_never_seen_half_or_gone(work, monkeypatch):
    names = []
    rename = os.rename

    def seen(source, target, **folders):
        names.append(sorted(path.name for path in work.iterdir()))
        rename(source, target, **folders)

    monkeypatch.setattr(os, "rename", seen)
    for text in ("old", "new"):
        assert write(work, "a.py", text).read_text() == text
    assert [len(found) for found in names] == [1, 2]
    assert [path.name for path in work.iterdir()] == ["a.py"]


def test_same_file_again_is_left_there_as_new(work):
    path = write(work, "a.py", "same")
    os.utime(path, (1, 1))
    before, seen = path.stat(), Snapshot(work)
    assert write(work, "a.py", "same").stat().st_ino == before.st_ino
    assert path.stat().st_mtime > 1
    assert [artifact.name for artifact in seen.artifacts()] == ["a.py"]


def test_same_file_that_has_another_name_is_replaced(work, tmp_path):
    path = write(work, "a.py", "same")
    os.link(path, tmp_path / "elsewhere")
    assert write(work, "a.py", "same").stat().st_nlink == 1
    (tmp_path / "elsewhere").write_text("other")
    assert path.read_text() == "same"


def test_head_of_a_file_follows_no_link_and_waits_for_no_pipe(work):
    assert workspace.head(work, "a", 3) is None
    (work / "a").write_text("abcdef")
    assert workspace.head(work, "a", 3) == b"abc"
    (work / "link").symlink_to(work / "a")
    os.mkfifo(work / "pipe")
    (work / "folder").mkdir()
    for name in ("link", "pipe", "folder"):
        assert workspace.head(work, name, 3) is None


def test_sparse_file_is_not_read_to_its_end(work):
    before = Snapshot(work)
    with (work / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    assert before.artifacts() == ()


def test_name_that_is_no_text_is_left_out(work):
    before = Snapshot(work)
    (work / os.fsdecode(b"\xff.txt")).write_text("x")
    assert before.artifacts() == ()


def test_folder_that_vanished_gives_nothing(work):
    before = Snapshot(work)
    work.rmdir()
    assert before.artifacts() == ()
