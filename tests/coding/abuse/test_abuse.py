"""Every attack against every wall, and every layer of a wall proven by leaving it out."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.coding.abuse.attacks import ATTACKS, BY_ID
from tests.coding.abuse.layers import OFF
from tests.coding.abuse.world import PLACES, World, below, open_python
from tests.coding.docker_engine import IMAGE, engine_up

from autogen.coding import landlock
from autogen.coding.landlock_entry import abi

pytestmark = [pytest.mark.wall, pytest.mark.timeout(120)]

ATTACKABLE = {place.name: place for place in PLACES}


def group(name):
    return "docker" if name == "Docker" else name


def cases():
    for name in ATTACKABLE:
        for attack in ATTACKS:
            marks = [pytest.mark.xdist_group(group(name))]
            if attack.slow or name == "Docker":
                marks.append(pytest.mark.slow)
            yield pytest.param(name, attack, id=f"{attack.id}: {name}", marks=marks)


@pytest.fixture(scope="session")
def abuse_engine(require_part):
    """One engine for the containers of this suite."""
    with engine_up(require_part) as engine:
        yield SimpleNamespace(address=engine.address, image=IMAGE, engine=engine)


@pytest.fixture(scope="session")
def raise_world(request, require_part):
    """Makes a host with a wall."""
    python = open_python()

    def make(place, without=()):
        if place.uid is not None and os.geteuid() != 0:
            require_part("other users", because="only root can become them", do="run as root")
        if python is None or shutil.which("setpriv") is None:
            require_part(
                "a Python for any user",
                because="this one is closed to others and the system has no other of its version",
                do="install python3 and util-linux, or a Python outside of a closed folder",
            )
        if place.wall == "landlock" and abi() < landlock.ABI_SIGNALS:
            require_part("landlock", because="the kernel has none or an old one", do="Linux 6.12")
        if place.wall == "bubblewrap" and shutil.which("bwrap") is None:
            require_part("bubblewrap", because="bwrap is not installed", do="install bubblewrap")
        docker = request.getfixturevalue("abuse_engine") if place.wall == "docker" else None
        return World(place, without=without, python=python, docker=docker)

    return make


@pytest.fixture(scope="session")
def worlds(raise_world):
    """One warm wall of each kind."""
    made = {}

    def get(name):
        if name in made and not made[name].stands:
            made.pop(name).close()
        if name not in made:
            made[name] = raise_world(ATTACKABLE[name])
            made[name].settle()
        return made[name]

    yield get
    for world in made.values():
        world.close()


@pytest.mark.parametrize("name, attack", list(cases()))
def test_attack_fails(worlds, eventually, require_part, name, attack):
    world = worlds(name)
    if attack.needs_group and not world.has_groups:
        require_part(
            "cgroups that can be written", because="/sys/fs/cgroup is read-only", do="run as root"
        )
    try:
        told = world.play(attack)
        lines = told["output"].splitlines()
        taken = [line for line in lines if line.startswith("GOT")]
        assert world.token not in told["output"]
        assert world.secret_digest not in [digest for _, digest in told["artifacts"]]
        assert not told["output"].count("\x1b")
        if world.place.wall in attack.open_on:
            assert taken, "the documentation says that this works"
        else:
            assert taken == []
            assert told["code"] in (*attack.ends, 0), told["output"][-500:]
            if attack.says:
                assert any(text in told["output"] for text in (*attack.says, "\nend")), told
            elif told["code"] == 0:
                assert lines[-1:] == ["end"]
        assert world.run("print('fine')")["output"] == "fine\n"
        eventually(lambda: len(below(world.stage.pid)) <= world.idle)
        assert world.changes() == []
    finally:
        world.clean()


#: The layer, an attack that it alone stops, and where.
CONTROLS = [
    ("bubblewrap, as root", "view", "file-of-the-host"),
    ("bubblewrap, as root", "view", "files-outside"),
    ("bubblewrap, as root", "view", "unix-socket-with-a-path"),
    ("bubblewrap, as a user", "view", "new-files-outside"),
    ("bubblewrap, as a user", "read-only packages", "poisoned-layers"),
    ("bubblewrap, as root", "network namespace", "services-of-the-host"),
    ("bubblewrap, as root", "network namespace", "datagrams-to-the-host"),
    ("bubblewrap, as a user", "network namespace", "abstract-unix-socket"),
    ("bubblewrap, as root", "process namespace", "command-lines-of-other-processes"),
    ("bubblewrap, as root", "filter", "doors-of-the-kernel"),
    ("bubblewrap, as a user", "filter", "doors-of-the-kernel"),
    ("bubblewrap, as root", "filter", "other-families"),
    ("bubblewrap, as root", "filter", "namespaces-and-mounts"),
    ("bubblewrap, as root", "filter", "set-user-id"),
    ("bubblewrap, as root", "filter", "terminal-injection"),
    ("bubblewrap, as root", "cleared environment", "environment-of-the-program"),
    ("bubblewrap, as root", "closed descriptors", "inherited-descriptors"),
    ("bubblewrap, as root", "lock of the runner", "runner"),
    ("bubblewrap, as a user", "lock of the runner", "forged-frames"),
    ("bubblewrap, as root", "limits", "many-processes"),
    ("bubblewrap, as root", "limits", "many-threads"),
    ("bubblewrap, as root", "limits", "much-memory"),
    ("bubblewrap, as root", "limits", "memory-of-many-processes"),
    ("bubblewrap, as root", "limits", "one-large-file"),
    ("bubblewrap, as root", "group", "memory-that-no-process-shows"),
    ("bubblewrap, as a user", "group", "memory-that-no-process-shows"),
    ("Landlock, as root", "file rules", "file-of-the-host"),
    ("Landlock, as a user", "file rules", "files-outside"),
    ("Landlock, as root", "filter", "doors-of-the-kernel"),
    ("Landlock, as root", "second filter", "any-network"),
    ("Landlock, as a user", "second filter", "files-outside"),
    ("Landlock, as a user", "scope of signals", "processes-of-the-host"),
    ("Landlock, as root", "cleared environment", "environment-of-the-program"),
    ("Landlock, as root", "closed descriptors", "inherited-descriptors"),
    ("Landlock, as root", "limits", "much-memory"),
    ("Landlock, as root", "limits", "many-processes"),
    ("Landlock, as a user", "group", "memory-that-no-process-shows"),
    ("Docker", "filter", "doors-of-the-kernel"),
    ("Docker", "filter", "set-user-id"),
    ("Docker", "lock of the runner", "forged-frames"),
    ("Docker", "no new privileges", "capabilities-and-ids"),
    ("Docker", "network namespace", "services-of-the-host"),
    ("Docker", "view", "file-of-the-host"),
    ("Docker", "limits", "many-processes"),
    ("Docker", "limits", "memory-that-no-process-shows"),
]


def controls():
    for name, layer, attack in CONTROLS:
        marks = [pytest.mark.slow, pytest.mark.xdist_group(group(name))]
        yield pytest.param(name, layer, attack, id=f"{attack}: {name}, {layer}", marks=marks)


@pytest.mark.parametrize("name, layer, attack", list(controls()))
def test_attack_works_without_the_layer_that_stops_it(raise_world, name, layer, attack):
    world = raise_world(ATTACKABLE[name], without=(layer,))
    try:
        try:
            told = world.play(BY_ID[attack])
        except AssertionError:
            # It may even end the program that waits for its result.
            assert world.changes()
            return
        # A forged result says that the block ended well, which it had not.
        is_deceived = told["code"] == 0 and 0 not in (BY_ID[attack].ends or (0,))
        assert "GOT" in told["output"] or world.changes() or is_deceived, told
    finally:
        world.close()


def test_every_layer_is_left_out_once():
    left_out = {(ATTACKABLE[name].wall, layer) for name, layer, _ in CONTROLS}
    assert left_out == {(wall, layer) for wall, layers in OFF.items() for layer in layers}


def test_documentation_says_what_is_held():
    page = (Path(__file__).parents[3] / "docs" / "security.md").read_text(encoding="utf-8")
    walls = ("bubblewrap", "landlock", "docker")
    for kind in dict.fromkeys(attack.kind for attack in ATTACKS):
        cells = []
        for wall in walls:
            gaps = [
                one.open_on[wall] for one in ATTACKS if one.kind == kind and wall in one.open_on
            ]
            cells.append(f"held but for: {'; '.join(gaps)}" if gaps else "held")
        assert f"| {kind} | {' | '.join(cells)} |" in page
