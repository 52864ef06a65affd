"""`Studio`: a real server. `Window`: a browser that looks at it and at nothing else."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from playwright.sync_api import BrowserContext, Locator, Page, expect
from tests.server.serving import Answer, Serving

__all__ = ["BROWSER_FLAGS", "PATIENCE_MS", "TEAMS", "Studio", "Window"]

#: A browser that asks nobody anything of its own.
BROWSER_FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()

TEAMS = Path(__file__).parent / "teams"

#: The most a browser waits for anything, in its unit: milliseconds.
PATIENCE_MS = 15_000

expect.set_options(timeout=PATIENCE_MS)

# The driver turns an event loop in the thread of the test, so requests are made in another one.
_elsewhere = ThreadPoolExecutor(1)


class Studio(Serving):
    """`autogen serve` with the teams of this folder."""

    def __init__(self, database: str, *, model_url: str, work_dir: Path, port: int = 0):
        env = {"AUTOGEN_TEST_MODEL_URL": model_url, "AUTOGEN_TEST_WORK_DIR": str(work_dir)}
        super().__init__(database, port=port, teams=TEAMS, env=env)

    def call(self, *arguments: Any, **more: Any) -> Answer:
        return _elsewhere.submit(super().call, *arguments, **more).result()

    @property
    def door(self) -> str:
        """The address that lets a browser in."""
        return f"{self.url}/#token={self.token}"

    def events(self, run_id: str) -> list[dict[str, Any]]:
        """Every event of a run."""
        items: list[dict[str, Any]] = self.get(f"/api/v1/runs/{run_id}/events?limit=1000")["items"]
        return items

    def types(self, run_id: str) -> list[str]:
        """The type of every event of a run."""
        return [event["type"] for event in self.events(run_id)]

    def words(self, run_id: str) -> list[str]:
        """Every message of a run."""
        return [
            str(event["data"]["message"]["content"])
            for event in self.events(run_id)
            if event["type"] == "message.sent"
        ]


class Window:
    """A page of a browser that notes what a page should not do; its parts by their names."""

    def __init__(self, context: BrowserContext, studio: Any):
        self.context = context
        self.studio = studio
        self.page: Page = context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        #: What the page complained about, and what it asked of others.
        self.complaints: list[str] = []
        self.outside: list[str] = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        context.on("request", self._asked)

    def _heard(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text} ({message.location})")

    def _asked(self, request: Any) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and parts.hostname != "127.0.0.1":
            self.outside.append(request.url)

    def expect_complaints(self, *words: str) -> None:
        """Forget the complaints that have any of `words`: this test brought them about."""
        self.complaints = [one for one in self.complaints if not any(word in one for word in words)]

    # -- going about

    def enter(self) -> Window:
        """Come in with the token, as whoever clicks on the address does."""
        self.page.goto(self.studio.door)
        expect(self.button("New run").first).to_be_visible()
        return self

    def open(self, run_id: str) -> Window:
        """Look at a run."""
        self.page.goto(f"{self.studio.url}/studio/runs/{quote(run_id, safe='')}")
        expect(self.transcript).to_be_visible()
        return self

    def begin(self, team: str, message: str, *files: dict[str, Any]) -> str:
        """Begin a run the way people do; its id."""
        self.button("New run").first.click()
        dialog = self.page.get_by_role("dialog")
        dialog.get_by_label("Team").select_option(team)
        dialog.get_by_label("Message").fill(message)
        if files:
            dialog.get_by_label("Files").set_input_files(list(files))
        with self.page.expect_response(lambda got: got.url.endswith("/api/v1/runs")) as made:
            dialog.get_by_role("button", name="Start run").click()
        expect(self.transcript).to_be_visible()
        return str(made.value.json()["id"])

    def button(self, name: str | re.Pattern[str]) -> Locator:
        return self.page.get_by_role("button", name=name)

    # -- parts of a run

    @property
    def transcript(self) -> Locator:
        return self.page.get_by_role("log", name="Transcript")

    @property
    def messages(self) -> Locator:
        return self.page.get_by_test_id("message")

    @property
    def live(self) -> Locator:
        return self.page.get_by_test_id("live-message")

    @property
    def output(self) -> Locator:
        return self.page.get_by_test_id("code-output")

    @property
    def question(self) -> Locator:
        return self.page.get_by_role("region", name="Question")

    @property
    def status(self) -> Locator:
        return self.page.get_by_test_id("run-status")

    def message(self, pos: int) -> Locator:
        return self.page.locator(f'[data-testid="message"][data-pos="{pos}"]')

    def tab(self, name: str) -> Locator:
        return self.page.get_by_role("tab", name=name)

    def positions(self) -> list[int]:
        """The numbers of the messages that are shown."""
        found = self.messages.evaluate_all("all => all.map(one => Number(one.dataset.pos))")
        return [int(pos) for pos in found]

    def expect_everything_once(self, run_id: str) -> None:
        """Every message of a run is shown, in order, none twice."""
        stored = [
            event["pos"] for event in self.studio.events(run_id) if event["type"] == "message.sent"
        ]
        expect(self.messages).to_have_count(len(stored))
        assert self.positions() == stored
