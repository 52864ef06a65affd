"""`autogen demo`: the main job with real parts; on data of the test's own; without a wall."""

from __future__ import annotations

import json
import shutil

import pytest

from autogen.cli import demo
from autogen.cli.demo_script import CHART, DATA, PROGRAM, TASK, next_answer
from autogen.coding.walls import WallReport
from autogen.testing import LoopbackLLM

NO_WALL = [WallReport(name="bubblewrap", ok=False, why="user namespaces are forbidden", remedy="")]
LAST_LINE = "The same with a model: `autogen demo --model NAME`"

# Installing matplotlib reaches a package index; one worker (`xdist_group`) does it once for all.


@pytest.fixture
def show(run, require_part):
    """Runs `autogen demo`; gives up where there is no package index to install from."""

    def show(*arguments: str) -> tuple[int, str, str]:
        code, out, err = run("demo", *arguments)
        if "index cannot be reached" in out + err:
            require_part("package index", because="it cannot be reached", do="connect this machine")
        return code, out, err

    return show


@pytest.fixture
def in_process(cache, tmp_path, monkeypatch, environment):
    """`show_demo` in this process, in an empty folder, with the layers of these tests."""
    for name in ("XDG_CACHE_HOME", "UV_CACHE_DIR"):
        monkeypatch.setenv(name, environment[name])
    monkeypatch.chdir(tmp_path)

    def show(model: str | None = None, base_url: str | None = None) -> int:
        return demo.show_demo(
            model=model, base_url=base_url, work_dir="autogen-demo", as_json=False, debug=False
        )

    return show


@pytest.mark.wall
@pytest.mark.xdist_group("matplotlib")
@pytest.mark.usefixtures("wall")
class TestWithTheWall:
    def test_ends_with_a_chart_after_a_real_failure_and_its_repair(self, show, tmp_path):
        code, out, err = show()
        assert (code, err) == (0, "")
        chart = tmp_path / "autogen-demo" / CHART
        assert chart.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
        assert chart.stat().st_size > 10_000
        assert "KeyError: 'Date'" in out
        assert "No model is asked, no key is needed" in " ".join(out.split())
        assert "6 messages, 2 programs run" in out
        assert "0 dollars" in out
        assert out.splitlines()[-1] == LAST_LINE

    def test_json_tells_every_step(self, show):
        code, out, _ = show("--json")
        events = [json.loads(line) for line in out.splitlines()]
        runs = [e["data"] for e in events if e["type"] == "code.finished"]
        assert code == 0
        assert [run["exit_code"] for run in runs] == [1, 0]
        assert "Traceback" in runs[0]["output"]
        assert CHART in [artifact["name"] for artifact in runs[1]["artifacts"]]
        assert sum(e["type"] == "message.sent" for e in events) <= 8
        assert events[-1]["data"]["stop_reason"] == "termination"
        assert sum(e["data"]["cost_usd"] for e in events if e["type"] == "model.answered") == 0

    @pytest.mark.parametrize(
        "text, n_messages, told",
        [
            ("Date,Close\n2026-01-02,10\n2026-01-05,15\n", 4, "from 10.00 to 15.00 dollars"),
            ("when time,price in $\n2026-01-02,4\n2026-01-05,5\n", 6, "from 4.00 to 5.00 dollars"),
            (
                "day,close\n02.01.2026,4\n05.01.2026,n/a\n06.01.2026,6\n",
                10,
                "2 days of 2026, from 4.00 to 6.00 dollars",
            ),
        ],
        ids=["as guessed", "other columns", "other dates and a gap"],
    )
    def test_other_data_make_another_conversation(self, text, n_messages, told, show, tmp_path):
        folder = tmp_path / "autogen-demo"
        folder.mkdir()
        (folder / DATA).write_text(text)
        code, out, _ = show()
        assert code == 0
        assert f"{n_messages} messages" in out
        assert told in out
        assert (folder / DATA).read_text() == text

    def test_data_that_cannot_be_drawn_end_without_a_chart(self, show, tmp_path):
        folder = tmp_path / "autogen-demo"
        folder.mkdir()
        (folder / DATA).write_text("city,people\nParis,2\n")
        (folder / CHART).write_bytes(b"of an earlier demo")
        code, out, _ = show()
        assert code == 1
        assert "`city`, `people`" in out
        assert "was not drawn" in out
        assert not (folder / CHART).exists()

    def test_same_task_with_a_model(self, in_process, capsys):
        with LoopbackLLM(lambda request: next_answer(request.json["messages"])) as server:
            assert in_process("some-model", server.base_url) == 0
            assert server.requests[0].json["messages"][-1]["content"] == TASK
            assert server.requests[0].model == "some-model"
        out = capsys.readouterr().out
        assert "tokens, the price of some-model is not known" in out
        assert "Scripted" not in out


@pytest.mark.xdist_group("matplotlib")
def test_without_a_wall_the_shipped_programs_still_draw_the_chart(
    in_process, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(demo, "probe", lambda: NO_WALL)
    assert in_process() == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "No wall stands on this machine: user namespaces are forbidden" in out
    assert "they run without a wall" in out
    assert "KeyError: 'Date'" in out
    assert (tmp_path / "autogen-demo" / CHART).stat().st_size > 10_000
    assert "pip" not in (tmp_path / "autogen-demo" / PROGRAM).read_text()


def test_without_a_wall_a_model_is_refused_and_not_asked(in_process, capsys, monkeypatch):
    monkeypatch.setattr(demo, "probe", lambda: NO_WALL)
    with LoopbackLLM([]) as server, pytest.raises(SystemExit) as end:
        in_process("some-model", server.base_url)
    assert end.value.code == 3
    assert server.requests == []
    assert "user namespaces are forbidden" in capsys.readouterr().err


def test_address_without_a_model_is_misuse(run):
    code, _, err = run("demo", "--base-url", "http://127.0.0.1:1")
    assert code == 2
    assert "--model" in err


def test_folder_that_cannot_be_made_is_an_error_in_words(run, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = run("demo", "--work-dir", "file/below")
    assert code == 1
    assert "Traceback" not in err


def test_shipped_data_say_what_they_are():
    text = (demo.Path(demo.__file__).parent / "data" / DATA).read_text()
    days = [line.split(",")[0] for line in text.splitlines()[1:]]
    assert text.startswith("day,close_usd,volume\n")
    assert DATA.startswith("synthetic")
    assert days == sorted(set(days))
    assert len({day[:4] for day in days}) > 1


def test_data_of_the_folder_are_kept_and_missing_ones_brought(tmp_path):
    folder = demo.prepare(tmp_path / "new")
    shutil.copyfile(folder / DATA, tmp_path / "shipped.csv")
    (folder / DATA).write_text("mine")
    assert demo.prepare(folder) == folder
    assert (folder / DATA).read_text() == "mine"
