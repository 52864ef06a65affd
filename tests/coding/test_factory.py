"""Executors by name and by the keys of 0.2."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from tests.compat.requirements import requirement

import autogen
from autogen.coding import (
    CodeExecutor,
    CodeExecutorFactory,
    LocalCommandLineCodeExecutor,
    SandboxCommandLineCodeExecutor,
    legacy,
)
from autogen.coding.config import docker_wish
from autogen.coding.factory import legacy_executor
from autogen.errors import NoWallError


@pytest.fixture
def no_wall(monkeypatch):
    """A machine without bubblewrap, Landlock and a Docker engine."""
    monkeypatch.setattr("autogen.coding.landlock.abi", lambda: 0)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr("autogen.coding.bubblewrap.shutil.which", lambda *a, **k: None)
    monkeypatch.setattr(legacy, "_warned", legacy.threading.Event())


@requirement("code:config:by-name")
def test_executor_is_made_by_name(tmp_path):
    config = {"executor": "commandline-local", "commandline-local": {"work_dir": tmp_path}}
    assert isinstance(CodeExecutorFactory.create(config), LocalCommandLineCodeExecutor)
    config = {"executor": "commandline-sandbox", "commandline-sandbox": {"work_dir": tmp_path}}
    assert isinstance(CodeExecutorFactory.create(config), SandboxCommandLineCodeExecutor)


@requirement("code:config:protocol")
def test_instance_is_taken_by_what_it_can_do():
    class Mine:
        code_extractor = None

        def execute_code_blocks(self, code_blocks):
            return None

        def restart(self):
            return None

    mine = Mine()
    assert CodeExecutorFactory.create({"executor": mine}) is mine


@requirement("code:config:unknown-executor")
def test_unknown_executor_is_named():
    with pytest.raises(ValueError) as caught:
        CodeExecutorFactory.create({"executor": "nonsense"})
    assert str(caught.value) == "Unknown code executor nonsense"
    assert "'commandline-docker'" in caught.value.__notes__[0]
    with pytest.raises(ValueError, match="has no 'executor'"):
        CodeExecutorFactory.create({})


@requirement("code:config:lazy", "code:config:defaults")
def test_legacy_executor_probes_nothing_and_makes_no_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    executor = legacy_executor({})
    assert isinstance(executor, CodeExecutor)
    assert (executor.timeout, str(executor.work_dir)) == (600, "coding")
    assert list(tmp_path.iterdir()) == []


@requirement("code:wall:unset", "code:wall:false", "code:config:keys", "code:config:wall-keys")
@pytest.mark.wall
@pytest.mark.parametrize("use_docker", [None, False])
def test_legacy_executor_takes_the_sandbox(sandbox, run, tmp_path, use_docker):
    sandbox()
    config = {"work_dir": tmp_path / "new" / "coding", "use_docker": use_docker, "env": {"A": "b"}}
    executor = legacy_executor(config)
    result = run(executor, "import os; print(os.getpid() < 50, os.environ['A'])")
    executor.stop()
    assert (result.exit_code, result.output) == (0, "True b\n")


@requirement("code:wall:one")
@pytest.mark.wall
def test_blocks_share_one_wall_and_the_configuration_stays(sandbox, run, tmp_path):
    sandbox()
    config = {"work_dir": tmp_path / "coding", "use_docker": False}
    executor = legacy_executor(config)
    code = "import os; print(os.path.exists('/tmp/mark')); open('/tmp/mark', 'w').close()"
    assert [run(executor, code).output for _ in range(2)] == ["False\n", "True\n"]
    executor.restart()
    assert run(executor, code).output == "False\n"
    executor.stop()
    assert config == {"work_dir": tmp_path / "coding", "use_docker": False}


@requirement("code:wall:unset")
def test_without_a_wall_code_is_refused_with_the_ways_out(no_wall, run, tmp_path):
    executor = legacy_executor({"work_dir": tmp_path / "coding"})
    for _ in range(2):
        with pytest.raises(NoWallError, match=r"apt-get install bubblewrap.*use_docker.*False"):
            run(executor, "print(1)")


@requirement("code:wall:false")
def test_use_docker_false_runs_on_the_host_with_one_warning(no_wall, run, tmp_path):
    executor = legacy_executor({"work_dir": tmp_path / "coding", "use_docker": False})
    with pytest.warns(UserWarning, match="No sandbox stands"):
        assert run(executor, "print(1)").output == "1\n"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = legacy_executor({"work_dir": tmp_path / "coding", "use_docker": False})
        assert run(again, "print(2)").output == "2\n"


@requirement("code:wall:required")
@pytest.mark.parametrize("how", ["key", "variable"])
def test_required_wall_refuses_the_host(no_wall, run, tmp_path, monkeypatch, how):
    config = {"work_dir": tmp_path / "coding", "use_docker": False}
    if how == "key":
        config["require_wall"] = True
    else:
        monkeypatch.setenv("AUTOGEN_REQUIRE_WALL", "1")
    with pytest.raises(NoWallError, match="a wall is required"):
        run(legacy_executor(config), "print(1)")


@requirement("code:wall:true")
@pytest.mark.parametrize("use_docker", [True, "python:3-slim", ["a", "b"]])
def test_without_an_engine_docker_is_refused_with_three_ways_out(
    run, tmp_path, monkeypatch, use_docker
):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    executor = legacy_executor({"work_dir": tmp_path / "coding", "use_docker": use_docker})
    with pytest.raises(NoWallError, match=r"does not answer.*Three ways out: .*; or .*; or "):
        run(executor, "print(1)")


@requirement("code:wall:variable")
@pytest.mark.parametrize(
    "value, meant",
    [("1", True), ("True", True), ("f", False), ("no", False), ("none", None), ("", None)],
)
def test_variable_speaks_where_use_docker_is_silent(monkeypatch, value, meant):
    monkeypatch.setenv("AUTOGEN_USE_DOCKER", value)
    assert docker_wish(None) is meant
    assert docker_wish("image") == "image"


@requirement("code:wall:variable")
def test_variable_with_nonsense_is_refused(monkeypatch):
    monkeypatch.setenv("AUTOGEN_USE_DOCKER", "perhaps")
    with pytest.raises(ValueError, match="perhaps"):
        legacy_executor({})


@pytest.mark.parametrize("config", [{"timeout": 0}, {"workdir": "x"}])
def test_wrong_keys_and_values_are_refused(config):
    with pytest.raises(ValueError, match=r".+"):
        legacy_executor(config)


@pytest.mark.wall
def test_where_namespaces_are_forbidden_landlock_holds_or_the_refusal_says_so(
    sandbox, tmp_path, require_part
):
    sandbox()
    program = f"""
from autogen.coding import CodeBlock
from autogen.coding.config import docker_wish
from autogen.coding.factory import legacy_executor
from autogen.coding.walls import probe
from autogen.errors import NoWallError
assert not probe()[0].ok and probe()[0].remedy
print(probe()[0].why)
try:
    print(probe()[1].ok, legacy_executor({{"work_dir": {str(tmp_path / "w")!r}}})
        .execute_code_blocks([CodeBlock(code="print(1)", language="python")]).output)
except NoWallError as error:
    print(probe()[1].ok, error)
"""
    forbid = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
    done = subprocess.run(
        ["unshare", "-Ur", "sh", "-c", forbid, "sh", sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(Path(autogen.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare" in done.stderr:
        require_part(
            "forbidden namespaces",
            because=done.stderr.strip(),
            do="run the tests where `unshare -Ur true` works",
        )
    assert "User namespaces are probably forbidden" in done.stdout, done.stderr
    if "True" in done.stdout:
        assert "\nTrue 1\n" in done.stdout
    else:
        assert "\nFalse Code is not run, because no wall stands here" in done.stdout
