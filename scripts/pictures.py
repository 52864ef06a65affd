"""Take the pictures of the studio for the README and the documentation: `docs/images/studio-*.png`.

    python scripts/pictures.py [NAME ...]

Everything in them is real but the model: the demo's teams, run by `autogen studio` in a folder of
its own, in Debian's chromium.
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, expect, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.studio.studio import BROWSER_FLAGS, Window  # noqa: E402

IMAGES = ROOT / "docs" / "images"
MOST_BYTES = 300_000


class Shown:
    """The studio of a folder: where it is, and how a browser comes in."""

    def __init__(self, door: str):
        self.door = door
        self.url = door.partition("/#")[0]


@contextmanager
def shown(folder: Path) -> Iterator[Shown]:
    """`autogen studio` in a folder, until the `with` block ends."""
    command = [sys.executable, "-m", "autogen.cli", "studio", "--no-browser", "--port", "0"]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            for line in process.stderr:
                if found := re.search(r"http\S+#token=\S+", line):
                    yield Shown(found[0])
                    return
        finally:
            process.terminate()
    raise SystemExit("pictures: `autogen studio` did not start.")


def save(name: str, picture: bytes) -> None:
    """Write a picture, in few colours: it is a page, and no photograph."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    made = io.BytesIO()
    image.quantize(255, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(
        made, "PNG", optimize=True
    )
    path = IMAGES / f"studio-{name}.png"
    path.write_bytes(made.getvalue())
    size = path.stat().st_size
    print(f"pictures: {path.relative_to(ROOT)}  {size / 1000:.0f} kB")
    if size > MOST_BYTES:
        raise SystemExit(f"pictures: {path.name} is larger than {MOST_BYTES} bytes.")


# -- the pictures ----------------------------------------------------------------------------------


def _finished(window: Window) -> None:
    expect(window.status).to_contain_text(re.compile("finished", re.IGNORECASE), timeout=60_000)


def _failed(window: Window) -> None:
    """A program has failed, and its repair waits for a person."""
    window.begin("demo-approval", "Plot a chart of the share price, year to date.")
    window.question.get_by_role("button", name="Approve").click()
    expect(window.transcript).to_contain_text("KeyError", timeout=60_000)
    expect(window.question.get_by_role("button", name="Approve")).to_be_visible()


def repair(window: Window) -> None:
    """The buttons below the repair."""
    _failed(window)
    window.question.get_by_role("button", name="Approve").scroll_into_view_if_needed()


def chart(window: Window) -> None:
    """The repair was approved, and drew its chart."""
    _failed(window)
    window.question.get_by_role("button", name="Approve").click()
    expect(window.transcript).to_contain_text("days of 2026, from", timeout=60_000)
    picture = window.transcript.get_by_role("img", name="share_price.png")
    expect(picture).to_be_visible()
    window.page.wait_for_function("one => one.complete", arg=picture.element_handle())
    expect(window.question).to_be_visible()


def group(window: Window) -> None:
    """A group that has finished, as a graph."""
    window.begin("demo-group", "Why is the sky blue?")
    _finished(window)
    window.tab("Team").click()


def difference(window: Window) -> None:
    """Two runs that began alike."""
    window.begin("demo-group", "Why is the sky blue?")
    _finished(window)
    pos = window.positions()[0]
    window.message(pos).hover()
    window.button(re.compile(rf"Fork from message {pos}\b")).click()
    dialog = window.page.get_by_role("dialog")
    dialog.get_by_label("Message").fill("Why is the sea blue?")
    dialog.get_by_role("button", name="Fork").click()
    expect(window.transcript).to_contain_text("Why is the sea blue?")
    _finished(window)
    window.page.get_by_role("link", name=re.compile("Compare")).first.click()
    expect(window.page.get_by_test_id("diff")).to_be_visible()


WIDE = {"viewport": {"width": 1360, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 780}, "has_touch": True, "is_mobile": True}

PICTURES: dict[str, tuple[Callable[[Window], None], dict[str, Any]]] = {
    "run": (chart, {**WIDE, "color_scheme": "light"}),
    "dark": (chart, {**WIDE, "color_scheme": "dark"}),
    "graph": (group, {**WIDE, "color_scheme": "light"}),
    "diff": (difference, {**WIDE, "color_scheme": "light"}),
    "phone": (repair, {**PHONE, "color_scheme": "light"}),
}


def take(browser: Browser, name: str) -> None:
    """Take one picture, in a folder where nothing was run before."""
    story, options = PICTURES[name]
    with tempfile.TemporaryDirectory(prefix="pictures-") as folder, shown(Path(folder)) as studio:
        context = browser.new_context(**options, device_scale_factor=1.5, locale="en-GB")
        window = Window(context, studio).enter()
        story(window)
        window.page.mouse.move(0, 0)
        window.page.evaluate("document.fonts.ready")
        save(name, window.page.screenshot(animations="disabled"))
        context.close()


def main() -> int:
    """Take those that are named, or all."""
    program = shutil.which("chromium")
    if program is None:
        print("pictures: chromium is missing; apt-get install -y chromium", file=sys.stderr)
        return 1
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=BROWSER_FLAGS)
        for name in sys.argv[1:] or PICTURES:
            take(browser, name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
