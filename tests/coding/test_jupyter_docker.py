"""A Jupyter server in a container of a real engine."""

from __future__ import annotations

import gc
import secrets

import pytest
from tests.compat.requirements import requirement

from autogen.coding.jupyter import (
    DockerJupyterServer,
    JupyterClient,
    JupyterCodeExecutor,
    docker_jupyter_server,
)
from autogen.errors import ExecutionError, NoWallError, UsageError

from . import jupyter_image
from .docker_engine import IMAGE, engine_up
from .test_jupyter import STATE_LOST

pytestmark = [
    pytest.mark.slow,
    pytest.mark.wall,
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("jupyter-docker"),
]


@pytest.fixture(scope="module")
def running_engine(require_part):
    """An engine with the image, and with a network, which the tests' own engines have not."""
    with engine_up(require_part) as started:
        jupyter_image.make_image(started.client)
        bridge = {"com.docker.network.bridge.name": f"agt{secrets.token_hex(4)}"}
        network = started.client.networks.create("tests", driver="bridge", options=bridge)
        yield started
        network.remove()


@pytest.fixture
def start(running_engine, monkeypatch):
    """Starts servers; afterwards no container is left."""
    monkeypatch.setenv("DOCKER_HOST", running_engine.address)
    made = []

    def make(image=jupyter_image.NAME, **options):
        made.append(DockerJupyterServer(image, **{"network": "tests", **options}))
        return made[-1]

    yield make
    for server in made:
        server.stop()
    assert running_engine.containers() == []


@requirement("jupyter:docker", "jupyter:docker:closed", "jupyter:lost")
def test_cells_run_in_a_container(start, running_engine, run, tmp_path):
    with start(docker_env={"GIVEN": "yes"}, memory_mb=700, processes=100) as server:
        (container,) = running_engine.containers()
        limits = container.attrs["HostConfig"]
        assert (limits["Memory"], limits["PidsLimit"]) == (700 << 20, 100)
        assert limits["CapDrop"] == ["ALL"]
        (published,) = container.ports["8888/tcp"]
        assert published["HostIp"] == "127.0.0.1"
        with JupyterCodeExecutor(server, output_dir=tmp_path) as box:
            code = "import os\nx = os.environ['GIVEN']\nprint(x, os.path.exists('/.dockerenv'))"
            assert run(box, code).output == "yes True"
            assert run(box, "x").output == "'yes'"
            page = run(box, "display({'text/html': '<b>'}, raw=True)").output_files
            assert [path.read_text() for path in tmp_path.iterdir()] == ["<b>"]
            assert len(page) == 1
            result = run(box, "b = bytearray(3 << 30); b[::4096] = bytes(len(b[::4096]))")
            assert result.output.startswith("ERROR: The kernel ended while it ran this block")
            assert run(box, "1").output == f"{STATE_LOST}\n1"
        assert JupyterClient(server.connection_info).list_kernels() == []
    assert running_engine.containers() == []


def test_container_ends_with_its_object_unless_told_otherwise(start, running_engine, eventually):
    server = DockerJupyterServer(jupyter_image.NAME, network="tests", token="mine")
    assert server.connection_info.token == "mine"
    del server
    gc.collect()
    eventually(lambda: running_engine.containers() == [])
    server = start(stop_container=False, auto_remove=False, container_name="kept")
    (container,) = running_engine.containers()
    assert container.name == "kept"
    server.stop()
    container.reload()
    assert container.status == "exited"
    container.remove()


def test_image_without_a_server_says_what_it_did(start, monkeypatch, running_engine):
    monkeypatch.setattr(docker_jupyter_server, "START_S", 3.0)
    with pytest.raises(ExecutionError, match=r"could not start|did not start"):
        start(IMAGE)
    with pytest.raises(NoWallError, match="could not be pulled"):
        start("autogen-test-missing:latest")
    with pytest.raises(UsageError, match="is no token"):
        start(token="")


def test_default_image_that_cannot_be_built_says_why(start, running_engine):
    # This engine gives its builds no network, so packages cannot be fetched.
    running_engine.client.images.get(IMAGE).tag("python:3-slim")
    with pytest.raises(ExecutionError, match="The Jupyter image could not be built"):
        start(None)
