"""The doctor says what works and what to do, shows no secret, and its exit code can be trusted."""

from __future__ import annotations

import json

import pytest

import autogen
from autogen.cli import doctor
from autogen.cli.doctor import clashes
from autogen.coding.walls import WallReport

NO_WALL = [WallReport(name="bubblewrap", ok=False, why="it is missing", remedy="install it")]
WALL = [WallReport(name="bubblewrap", ok=True, why="it holds", remedy="")]


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("reports, code", [(WALL, 0), (NO_WALL, 3)])
def test_exit_code_says_whether_a_wall_stands(reports, code, monkeypatch, capsys):
    monkeypatch.setattr(doctor, "probe", lambda: reports)
    assert doctor.report(as_json=False, debug=False) == code
    printed = capsys.readouterr().out
    assert reports[0].why in printed
    assert ("install it" in printed) is (code == 3)


def test_json_is_one_document_and_holds_no_secret(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(doctor, "probe", lambda: WALL)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-to-be-shown")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://me:pass123@127.0.0.1/v1")
    (tmp_path / ".env").write_text("GROQ_API_KEY=gsk-not-to-be-shown-either\n")
    listed = [{"model": "m", "api_key": "k-not-to-be-shown"}]
    monkeypatch.setenv("OAI_CONFIG_LIST", json.dumps(listed))
    doctor.report(as_json=True, debug=False)
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert "not-to-be-shown" not in printed.out + printed.err
    assert "pass123" not in printed.out
    assert found["version"] == autogen.__version__
    assert [(key["name"], key["for"]) for key in found["keys"]] == [
        ("OPENAI_API_KEY", "openai"),
        ("GROQ_API_KEY", "groq"),
    ]
    assert found["keys"][0]["from"] == "the environment"
    assert found["keys"][1]["from"].endswith(".env")
    assert found["config_list"]["models"] == ["m"]


def test_broken_config_list_is_told_without_its_text(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "probe", lambda: WALL)
    monkeypatch.setenv("OAI_CONFIG_LIST", '[{"api_key": "k-half')
    doctor.report(as_json=False, debug=False)
    printed = capsys.readouterr().out
    assert "valid JSON" in printed
    assert "k-half" not in printed


def test_distributions_with_the_same_import_name_are_found(tmp_path):
    for name, version in [
        ("ag2", "0.9.1"),
        ("pyautogen", "0.2.35"),
        ("autogen_agentchat", "0.2.40"),
        ("autogen_core", "0.4.0"),
    ]:
        folder = tmp_path / f"{name}-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
    found = clashes([str(tmp_path)])
    assert [clash["name"] for clash in found] == ["ag2", "autogen-agentchat", "pyautogen"]
    assert all("pip uninstall" in clash["remedy"] for clash in found)


def test_newer_agentchat_has_another_import_name(tmp_path):
    folder = tmp_path / "autogen_agentchat-0.4.1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: autogen-agentchat\nVersion: 0.4.1\n"
    )
    assert clashes([str(tmp_path)]) == []


@pytest.mark.parametrize(
    "files, offered",
    [
        ((), "none"),
        (("memory/cgroup.procs",), "version 1"),
        (("cgroup.controllers",), "version 2"),
        (("memory/cgroup.procs", "unified/cgroup.controllers"), "version 1 and 2"),
    ],
)
def test_cgroups_are_told_by_version(tmp_path, files, offered):
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    said = doctor._cgroups(tmp_path)
    assert said.startswith(f"{offered}; each wall below says")
