"""How soon the studio's page can be used: `python -m benchmarks.page`, with chromium installed.

From the start of the navigation until what was asked for is drawn, five times each, in a browser
that has been there before; and the longest task that kept the page from answering meanwhile.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.studio.studio import BROWSER_FLAGS, Studio, Window  # noqa: E402
from tests.studio.words import answer  # noqa: E402

from autogen.testing import LoopbackLLM  # noqa: E402

REPEATS = 5
MOST_WAIT_S = 300

_LONG_TASKS = """
window.tasks = []
new PerformanceObserver(list => tasks.push(...list.getEntries().map(one => one.duration)))
  .observe({ type: 'longtask', buffered: true })
"""
_DRAWN = """wanted => new Promise(done => {
  const look = () => document.querySelector(wanted)
    ? requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now())))
    : requestAnimationFrame(look)
  look()
})"""


def measure(browser: Browser, studio: Studio, path: str, wanted: str) -> tuple[list[float], float]:
    """Milliseconds until `wanted` is drawn, sorted; and the longest task."""
    times, longest = [], 0.0
    for _ in range(REPEATS):
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        context.add_init_script(_LONG_TASKS)
        page = Window(context, studio).enter().page
        page.goto("about:blank")
        page.goto(studio.url + path, wait_until="commit")
        times.append(float(page.evaluate(_DRAWN, wanted)))
        page.wait_for_timeout(2000)
        longest = max(longest, *page.evaluate("[0, ...tasks]"))
        context.close()
    return sorted(times), longest


def finished(studio: Studio, run_id: str) -> str:
    """The run's id, once it is over."""
    deadline = time.monotonic() + MOST_WAIT_S
    while studio.ended(run_id)["status"] != "finished":
        if time.monotonic() > deadline:
            raise SystemExit("page: the run does not end.")
    return run_id


def main() -> int:
    """Measure the list, and runs of two lengths."""
    program = shutil.which("chromium")
    if program is None:
        print("page: chromium is missing; apt-get install -y chromium", file=sys.stderr)
        return 1
    with (
        tempfile.TemporaryDirectory(prefix="page-") as folder,
        LoopbackLLM(answer, keep=0) as model,
        sync_playwright() as driver,
    ):
        browser = driver.chromium.launch(executable_path=program, args=BROWSER_FLAGS)
        for n_messages in (300, 2000):
            os.environ["AUTOGEN_TEST_TURNS"] = str(n_messages // 2)
            runs = f"sqlite:///{folder}/runs.db"
            studio = Studio(runs, model_url=model.base_url, work_dir=Path(folder))
            try:
                run_id = finished(studio, studio.begin("long"))
                pages = {f"{n_messages:,} messages": (f"/studio/runs/{run_id}", "message")}
                if n_messages == 300:
                    pages = {"list of runs": ("/studio", "run-row"), **pages}
                for name, (path, wanted) in pages.items():
                    found, longest = measure(browser, studio, path, f"[data-testid={wanted}]")
                    print(f"{name:16} {found[0]:5.0f} to {found[-1]:5.0f} ms", end="")
                    print(f"  longest task {longest:4.0f} ms")
            finally:
                studio.stop()
        browser.close()
    load = " ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"load of the machine: {load}, on {os.cpu_count()} cores")
    return 0


if __name__ == "__main__":
    sys.exit(main())
