"""What every test gets: loopback only, a clean environment, and a list of missing real parts.

- `require_part(name, because=, do=)`: call it where a *real* part (a wall, a server, a registry)
  cannot start on this
  machine. The test is skipped and the part is listed at the end of the run as *not run: X, because
  Y, do Z*. With `AUTOGEN_TEST_REQUIRE=all`, or a comma-separated list that has the name, the test
  fails instead.
- `wait_s`: the most seconds that a test waits for anything.
- Tests of rooms with real servers, and behind walls, are `slow` without saying so.
- `face`: a test that asks for it runs once for each face of the API.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from autogen.testing import FACES, Face

# -- parts that a machine may lack -----------------------------------------------------------------

REQUIRED = "AUTOGEN_TEST_REQUIRE"
PROPERTY = "missing part"


class MissingPart(pytest.skip.Exception):
    """A skip that says which real part is missing, why, and what would bring it."""

    def __init__(self, name: str, because: str, do: str) -> None:
        super().__init__(f"{name}, because {because}, {do}")
        self.part = (name, because, do)


def _require_part(name: str, *, because: str, do: str) -> NoReturn:
    required = {word.strip() for word in os.environ.get(REQUIRED, "").split(",")}
    if required & {"all", name}:
        pytest.fail(
            f"{name} is required here ({REQUIRED}) and cannot start, "
            f"because {because}. To do: {do}",
            pytrace=False,
        )
    raise MissingPart(name, because, do)


@pytest.fixture(scope="session")
def require_part() -> Callable[..., NoReturn]:
    """Give up this test because a real part is missing; any fixture may call it too."""
    return _require_part


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Let the missing part travel with the report, from a worker process to the one that prints."""
    report = yield
    if call.excinfo is not None and isinstance(call.excinfo.value, MissingPart):
        report.user_properties = [*report.user_properties, (PROPERTY, call.excinfo.value.part)]
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The closing list: one line for each real part that could not start."""
    parts: dict[tuple[str, ...], int] = {}
    for report in terminalreporter.stats.get("skipped", []):
        for name, value in getattr(report, "user_properties", ()):
            if name == PROPERTY:
                parts[tuple(value)] = parts.get(tuple(value), 0) + 1
    if not parts:
        return
    terminalreporter.section("real parts that could not start")
    for (name, because, do), count in sorted(parts.items()):
        tests = "1 test" if count == 1 else f"{count} tests"
        terminalreporter.write_line(f"not run: {name} ({tests}), because {because}, {do}")


# -- no network but loopback -----------------------------------------------------------------------


class NetworkBlocked(RuntimeError):
    """A test reached for the network. Not an OSError, so that no retry or fallback hides it."""


def _is_loopback(host: Any) -> bool:
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if host in (None, "", "localhost"):
        return True
    try:
        address = ipaddress.ip_address(str(host).partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    # Connecting to 0.0.0.0 or :: reaches this machine.
    return (mapped or address).is_loopback or address.is_unspecified


def _check_address(family: int, address: Any) -> None:
    if family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(address[0]):
        raise NetworkBlocked(
            f"a test tried to reach {address!r}; tests reach loopback only. "
            "Use autogen.testing.LoopbackLLM."
        )


def _check_name(host: Any) -> None:
    if _is_loopback(host):
        return
    try:
        ipaddress.ip_address(str(host).partition("%")[0])
    except ValueError:
        raise NetworkBlocked(
            f"a test tried to look up {host!r}; tests reach loopback only. "
            "Use autogen.testing.LoopbackLLM."
        ) from None


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse connections and look-ups that leave this machine. Child processes are not affected."""
    real_socket = socket.socket

    def guard(name: str) -> None:
        real = getattr(real_socket, name)

        def guarded(self: socket.socket, *args: Any) -> Any:
            # sendto has flags before the address, which is last in all three.
            _check_address(self.family, args[-1])
            return real(self, *args)

        monkeypatch.setattr(real_socket, name, guarded)

    for name in ("connect", "connect_ex", "sendto"):
        guard(name)

    real_getaddrinfo = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        _check_name(host)
        return real_getaddrinfo(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


# -- which tests are quick -------------------------------------------------------------------------

#: Rooms whose tests start servers, databases and programs, each of which takes its moment.
SLOW_ROOMS = frozenset({"blueprint", "cli", "crash", "durable", "server", "store", "studio"})


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs a real part is slow: `make check` leaves it out."""
    here = Path(__file__).parent
    for item in items:
        room = item.path.relative_to(here).parts[0]
        if room in SLOW_ROOMS or item.get_closest_marker("wall"):
            item.add_marker("slow")


# -- a clean environment ---------------------------------------------------------------------------

# What a developer's shell may hold and the code under test would read.
OUTSIDE_PREFIXES = (
    "ANTHROPIC_",
    "AUTOGEN_",
    "AZURE_OPENAI_",
    "GEMINI_",
    "GOOGLE_",
    "OAI_CONFIG_LIST",
    "OPENAI_",
)
KEPT_PREFIX = "AUTOGEN_TEST_"


def pytest_configure(config: pytest.Config) -> None:
    """Remove keys and settings of the developer's shell before anything is imported."""
    for name in list(os.environ):
        if name.startswith(OUTSIDE_PREFIXES) and not name.startswith(KEPT_PREFIX):
            del os.environ[name]


@pytest.fixture(autouse=True)
def _same_environment_after() -> Iterator[None]:
    """Undo what a test, or code under test, did to the environment and the folder."""
    environment = dict(os.environ)
    folder = os.getcwd()
    yield
    # pytest keeps the name of the running test in this variable and removes it itself.
    environment.pop("PYTEST_CURRENT_TEST", None)
    for name in set(os.environ) - set(environment) - {"PYTEST_CURRENT_TEST"}:
        del os.environ[name]
    for name, value in environment.items():
        if os.environ.get(name) != value:
            os.environ[name] = value
    os.chdir(folder)


@pytest.fixture
def wait_s() -> float:
    """The most seconds that a test waits for anything; a wait that passes it is a failure."""
    return 5.0


@pytest.fixture(params=FACES, ids=str)
def face(request: pytest.FixtureRequest) -> Face:
    """The faces of the API, for tests that have one body for all."""
    chosen: Face = request.param
    return chosen
