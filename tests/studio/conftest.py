"""A browser, a scripted model, and the real server between them."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright
from playwright.sync_api import Error as BrowserError
from tests.studio.studio import BROWSER_FLAGS, Studio, Window
from tests.studio.words import answer

from autogen.testing import LoopbackLLM


@pytest.fixture(scope="session")
def driven(
    require_part: Callable[..., NoReturn],
) -> Iterator[tuple[Browser, asyncio.AbstractEventLoop]]:
    """A browser, and the loop that its driver turns in this thread."""
    program = shutil.which("chromium")
    if program is None:
        require_part(
            "chromium",
            because="it is not installed",
            do="run `apt-get install -y chromium` as root",
        )
    with sync_playwright() as driver:
        loop = asyncio.get_running_loop()
        try:
            browser = driver.chromium.launch(executable_path=program, args=BROWSER_FLAGS)
        except BrowserError as error:
            require_part("chromium", because=f"it does not start ({error})", do="see why")
        asyncio._set_running_loop(None)
        yield browser, loop
        asyncio._set_running_loop(loop)
        browser.close()


@pytest.fixture
def browser(driven: tuple[Browser, asyncio.AbstractEventLoop]) -> Iterator[Browser]:
    """The browser. Its loop counts as running during this test alone: others have their own."""
    browser, loop = driven
    asyncio._set_running_loop(loop)
    yield browser
    asyncio._set_running_loop(None)


@pytest.fixture(scope="session")
def model() -> Iterator[LoopbackLLM]:
    with LoopbackLLM(answer, keep=0) as served:
        yield served


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('studio') / 'runs.db'}"


@pytest.fixture(scope="session")
def studio(
    model: LoopbackLLM, database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Studio]:
    """One server for the stories that leave it as it was."""
    work_dir = tmp_path_factory.mktemp("work")
    serving = Studio(database, model_url=model.base_url, work_dir=work_dir)
    yield serving
    assert serving.stop() == 0
    print("".join(serving.said))
    assert serving.token not in "".join(serving.said[2:])


@pytest.fixture
def own_studio(model: LoopbackLLM, tmp_path: Path) -> Iterator[Callable[..., Studio]]:
    """Starts servers for a test that kills them, all for one database."""
    started: list[Studio] = []

    def start(port: int = 0) -> Studio:
        runs = f"sqlite:///{tmp_path / 'runs.db'}"
        started.append(Studio(runs, model_url=model.base_url, work_dir=tmp_path, port=port))
        return started[-1]

    yield start
    for serving in started:
        if serving.process.poll() is None:
            serving.stop()
        print("".join(serving.said))


@pytest.fixture
def look(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Callable[..., Window]]:
    """Opens windows, each with cookies of its own. None may complain, or ask anybody else."""
    opened: list[Window] = []

    def look(at: Studio | None = None, **options: Any) -> Window:
        options = {"viewport": {"width": 1440, "height": 900}, "locale": "en-GB", **options}
        context: BrowserContext = browser.new_context(**options)
        opened.append(Window(context, at or request.getfixturevalue("studio")))
        return opened[-1]

    yield look
    for window in opened:
        window.context.close()
    for window in opened:
        assert window.outside == []
        assert window.complaints == []
