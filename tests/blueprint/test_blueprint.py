"""`autogen new blueprint`: the project starts with its own commands, and refuses without Docker."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.blueprint.conftest import ENDS_S, SETUP_S, Project, written

from autogen.testing import LoopbackLLM

#: What two of the project's own files name, and nobody else may lose.
AS_FOUNDED = """
    src/agents/group_chat.py api/main.py Dockerfile compose.yaml work_dir/.gitkeep test_autogen.py
    start.sh .env.example README.md
""".split()

PROGRAM = """Here it is.
```python
# filename: squares.py
from pathlib import Path
Path("squares.txt").write_text(" ".join(str(n * n) for n in range(5)))
print(Path("squares.txt").read_text(), "from", Path("/").exists())
```"""

ANSWERS = [PROGRAM, "It is in squares.txt. TERMINATE"]

slow = [
    pytest.mark.wall,
    pytest.mark.xdist_group("blueprint"),
    pytest.mark.timeout(SETUP_S + 120),
]


def slowly(test: Any) -> Any:
    """Marks of tests that work with a project that was set up."""
    for mark in slow:
        test = mark(test)
    return test


def test_it_writes_the_project_as_it_was_founded(tmp_path: Path) -> None:
    folder = written(tmp_path / "made")
    missing = [name for name in AS_FOUNDED if not (folder / name).is_file()]
    assert missing == []
    assert (folder / "start.sh").stat().st_mode & 0o111


def test_it_writes_over_nothing(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(AssertionError, match="is there and not empty; name a new folder"):
        written(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    "command", ["./start.sh", "python3 test_autogen.py", "python3 api/main.py"]
)
def test_without_docker_it_refuses(command: str, tmp_path: Path) -> None:
    folder = written(tmp_path / "made")
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "DOCKER_HOST": f"unix://{tmp_path}/nothing.sock",
    }
    done = Project(folder, environment).shell(command)
    assert done.returncode == 1
    assert "Docker" in done.stderr
    assert "Traceback" not in done.stderr


@slowly
def test_the_two_agents_work_in_a_container(project: Project) -> None:
    with LoopbackLLM(ANSWERS) as model:
        done = project.shell(
            "source venv/bin/activate && export PYTHONPATH=$PYTHONPATH:$(pwd) && "
            "python test_autogen.py 'Squares, please.'",
            OPENAI_BASE_URL=model.base_url,
            BUDGET_USD="1",
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Ended by: termination. Messages: 4." in done.stdout
    assert "File: work_dir/squares.txt" in done.stdout
    assert (project.folder / "work_dir/squares.txt").read_text() == "0 1 4 9 16"


@slowly
def test_versions_that_were_installed_are_kept(project: Project) -> None:
    pins = (project.folder / "constraints.txt").read_text().splitlines()
    names = {line.partition("==")[0].lower() for line in pins}
    assert {"fastapi", "sqlalchemy"} <= names
    assert "autogen-next" not in names
    assert all("==" in line for line in pins)
    image = (project.folder / "deploy/Dockerfile").read_text()
    assert "COPY requirements.txt constraints.txt" in image


@slowly
def test_without_a_key_it_says_where_keys_belong(project: Project) -> None:
    done = project.shell("venv/bin/python test_autogen.py", OPENAI_API_KEY="")
    assert done.returncode == 1
    assert done.stderr.endswith("In this project keys belong into .env.\n")
    assert "Traceback" not in done.stderr


@slowly
def test_a_run_that_is_over_is_told_again_and_not_paid_again(project: Project) -> None:
    command = "venv/bin/python test_autogen.py 'Squares, please.'"
    with LoopbackLLM(ANSWERS) as model:
        first = project.shell(command, OPENAI_BASE_URL=model.base_url, RUN_ID="once")
        again = project.shell(command, OPENAI_BASE_URL=model.base_url, RUN_ID="once")
        assert first.returncode == 0, first.stdout + first.stderr
        assert len(model.requests) == 2
    assert (first.returncode, again.returncode) == (0, 0), again.stdout + again.stderr
    assert again.stdout.splitlines()[-3:] == first.stdout.splitlines()[-3:]


@slowly
def test_the_api_has_a_route_that_triggers_the_conversation(project: Project) -> None:
    with LoopbackLLM(ANSWERS) as model:
        server = project.start(
            "venv/bin/python api/main.py", OPENAI_BASE_URL=model.base_url, PORT="0"
        )
        try:
            assert server.stdout is not None
            told = server.stdout.readline()
            found = re.fullmatch(r"Listening on (\S+); the token is (\S+)\n", told)
            assert found, told + server.stdout.read()
            url, token = found.groups()

            def asked(path: str, body: Any = None, token: str = token) -> Any:
                data = None if body is None else json.dumps(body).encode()
                headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
                request = urllib.request.Request(url + path, data, headers)
                with urllib.request.urlopen(request, timeout=50) as answer:
                    return json.load(answer)

            with pytest.raises(urllib.error.HTTPError, match="401"):
                asked("/conversation", {"task": "x"}, token="none")
            begun = asked("/conversation", {"task": "Squares, please."})
            ended = asked(f"/api/v1/runs/{begun['run_id']}/wait?timeout_s=40")
            assert (ended["status"], ended["stop_reason"]) == ("finished", "termination")
            events = asked(begun["events"])["items"]
            assert [e["type"] for e in events][-1] == "run.finished"
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=20)
            assert server.stdout is not None
            server.stdout.close()


def asked_as(
    url: str, key: str, path: str, body: Any = None, *, host: str | None = None
) -> tuple[int, Any]:
    """The status and what was answered."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    if host is not None:
        headers["Host"] = host
    data = None if body is None else json.dumps(body).encode()
    try:
        request = urllib.request.Request(url + path, data, headers)
        with urllib.request.urlopen(request, timeout=50) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()


def test_the_server_of_compose_starts_without_docker_once_there_is_a_key(tmp_path: Path) -> None:
    folder = written(tmp_path / "made")
    services = yaml.safe_load((folder / "compose.yaml").read_text())["services"]
    told = {**services["server"]["environment"], "HOST": "0.0.0.0", "PORT": "0"}
    assert services["server"]["environment"]["HOST"] == told["HOST"]
    project = Project(
        folder,
        {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "DOCKER_HOST": f"unix://{tmp_path}/nothing.sock",
            **told,
            "AUTOGEN_DATABASE_URL": f"sqlite:///{folder}/runs.db",
        },
    )
    command = " ".join(services["server"]["command"])

    refused = project.shell(command)
    assert refused.returncode == 1
    assert "make a key with `autogen keys add" in refused.stderr
    assert "Traceback" not in refused.stderr

    def key(name: str, scope: str) -> str:
        made = project.shell(f"python -m autogen.cli keys add {name} {scope} --budget-usd 2")
        assert made.returncode == 0, made.stderr
        return made.stdout.strip()

    ours = key("ours", "--scope runs:write --scope runs:read")
    other = key("other", "--scope runs:read")
    server = project.start(command)
    try:
        assert server.stdout is not None
        found = re.fullmatch(r"Listening on http://0\.0\.0\.0:(\d+)\n", server.stdout.readline())
        assert found
        url = f"http://127.0.0.1:{found[1]}"
        # The health check, and the collector.
        assert asked_as(url, "none", "/readyz")[0] == 200
        assert asked_as(url, "none", "/readyz", host="server:8000")[0] == 200
        assert asked_as(url, "none", "/readyz", host="elsewhere.test")[0] == 421
        # A run is the caller's, and of nobody else who has a key.
        status, begun = asked_as(url, ours, "/conversation", {"task": "Squares, please."})
        assert status == 202
        assert asked_as(url, ours, begun["events"])[0] == 200
        assert asked_as(url, other, begun["events"])[0] == 404
        assert asked_as(url, other, "/conversation", {"task": "Squares."})[0] == 403
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=20)
        assert server.stdout is not None
        server.stdout.close()


def test_the_probes_of_the_cluster_use_names_that_the_server_answers_under(tmp_path: Path) -> None:
    folder = written(tmp_path / "made") / "deploy/kubernetes"
    (server,) = (
        one["spec"]["template"]["spec"]["containers"][0]
        for one in yaml.safe_load_all((folder / "app.yaml").read_text())
        if one["kind"] == "Deployment" and one["metadata"]["name"] == "server"
    )
    (names,) = (one["value"].split() for one in server["env"] if one["name"] == "ALLOWED_HOSTS")
    for probe in ("readinessProbe", "livenessProbe"):
        (host,) = (
            h["value"] for h in server[probe]["httpGet"]["httpHeaders"] if h["name"] == "Host"
        )
        assert host in names


def test_compose_takes_its_file(tmp_path: Path, compose: list[str]) -> None:
    folder = written(tmp_path / "made")
    (folder / ".env").write_text((folder / ".env.example").read_text() + "\nPOSTGRES_PASSWORD=pw\n")
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PWD": str(folder)}
    done = subprocess.run(
        [*compose, "config"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=ENDS_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    services = yaml.safe_load(done.stdout)["services"]
    assert set(services) == {"collector", "postgres", "server", "worker"}
    for name in ("server", "worker"):
        url = services[name]["environment"]["AUTOGEN_DATABASE_URL"]
        assert url == "postgresql://autogen:pw@postgres/autogen"
    # Reached from this machine alone.
    assert "127.0.0.1" in str(services["server"]["ports"])


def test_the_manifests_say_nothing_that_the_api_does_not_know(tmp_path: Path) -> None:
    from kubernetes import client

    folder = written(tmp_path / "made") / "deploy/kubernetes"
    with client.ApiClient() as api:
        kinds = []
        for path in sorted(folder.glob("*.yaml")):
            for told in yaml.safe_load_all(path.read_text()):
                kinds.append(told["kind"])
                group, _, version = told["apiVersion"].rpartition("/")
                model = f"{version.capitalize()}{told['kind']}"
                assert group in {"", "apps", "networking.k8s.io", "rbac.authorization.k8s.io"}
                read = api.deserialize(json.dumps(told), model, "application/json")
                assert api.sanitize_for_serialization(read) == told, path.name
    assert {"Deployment", "NetworkPolicy", "Role"} <= set(kinds)
