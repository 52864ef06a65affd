"""Who can use the studio: on a phone, in the dark, with the keyboard or a screen reader alone."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from tests.studio.studio import Studio, Window

pytestmark = [pytest.mark.timeout(120), pytest.mark.xdist_group("studio")]

PHONE = {"viewport": {"width": 390, "height": 780}, "has_touch": True, "is_mobile": True}
NARROWEST = {"viewport": {"width": 320, "height": 640}}

#: Views of the studio, and the way to each from a window that is in.
VIEWS: dict[str, Callable[[Window, str, str], object]] = {
    "runs": lambda window, group, asking: window.page.goto(f"{window.studio.url}/studio"),
    "run": lambda window, group, asking: window.open(group),
    "question": lambda window, group, asking: window.open(asking),
    "team": lambda window, group, asking: window.open(group).tab("Team").click(),
    "timeline": lambda window, group, asking: window.open(group).tab("Timeline").click(),
    "files": lambda window, group, asking: window.open(group).tab("Files").click(),
    "new run": lambda window, group, asking: window.button("New run").first.click(),
}


@pytest.fixture(scope="module")
def group_run(studio: Studio) -> str:
    """A group's run that is over."""
    run_id = studio.begin("group", "Why is the sky blue?")
    studio.ended(run_id)
    return run_id


@pytest.fixture(scope="module")
def asking_run(studio: Studio) -> str:
    """A run that waits for a person."""
    return studio.begin("coding", "Squares.")


def violations(page: Page) -> list[str]:
    """What is wrong for people who hear the page, or see little of it."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']} ({one['impact']}): {one['help']}: {node['html'][:160]}"
        for one in found
        for node in one["nodes"][:3]
    ]


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than the window."""
    return int(
        page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_is_accessible(look, group_run, asking_run, scheme):
    window = look(color_scheme=scheme).enter()
    for name, go in VIEWS.items():
        go(window, group_run, asking_run)
        window.page.wait_for_load_state("networkidle" if name == "new run" else "load")
        expect(window.page.locator("h1")).to_be_visible()
        assert violations(window.page) == [], name


def test_whoever_has_no_token_is_told_how_to_come_in(studio, look):
    window = look()
    window.page.goto(studio.url)
    token = window.page.get_by_label("Token")
    expect(token).to_be_visible()
    assert violations(window.page) == []
    token.fill("wrong")
    token.press("Enter")
    expect(window.page.get_by_role("alert")).to_be_visible()
    token.fill(studio.token)
    token.press("Enter")
    expect(window.button("New run").first).to_be_visible()
    window.expect_complaints("401")


def test_token_leaves_the_address_and_is_kept_nowhere_scripts_can_read(studio, look):
    window = look().enter()
    assert "token" not in window.page.url
    kept = window.page.evaluate(
        "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"
    )
    assert studio.token not in kept
    (cookie,) = window.context.cookies()
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Strict"
    assert studio.token not in cookie["value"]


@pytest.mark.parametrize("size", [PHONE, NARROWEST], ids=["phone", "narrowest"])
def test_no_view_is_wider_than_a_phone(look, group_run, asking_run, size):
    window = look(**size).enter()
    for name, go in VIEWS.items():
        go(window, group_run, asking_run)
        expect(window.page.get_by_role("main")).to_be_visible()
        assert overflow(window.page) <= 0, name


def test_question_is_answered_on_a_phone(studio, look):
    run_id = studio.begin("coding", "Squares.")
    window = look(**PHONE).enter().open(run_id)
    window.question.get_by_role("button", name="Stop").tap()
    expect(window.status).to_contain_text(re.compile("finished", re.IGNORECASE))


def test_keyboard_alone_begins_a_run_and_answers_its_question(studio, look):
    window = look().enter()
    page = window.page
    page.keyboard.press("?")
    sheet = page.get_by_role("dialog")
    expect(sheet).to_contain_text(re.compile("keyboard", re.IGNORECASE))
    page.keyboard.press("Escape")
    expect(sheet).to_have_count(0)

    page.keyboard.press("n")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    assert dialog.evaluate("one => one.contains(document.activeElement)")
    dialog.get_by_label("Team").focus()
    page.keyboard.type("coding")
    dialog.get_by_label("Message").focus()
    page.keyboard.type("Squares.")
    with page.expect_response(lambda got: got.url.endswith("/api/v1/runs")) as made:
        page.keyboard.press("Control+Enter")
    run_id = made.value.json()["id"]
    expect(window.question).to_be_visible()
    page.keyboard.press("a")
    expect(window.output.last).to_contain_text("first draft")
    assert "question.answered" in studio.types(run_id)


def test_focus_stays_in_a_dialog_and_goes_back(look):
    window = look().enter()
    opener = window.button("New run").first
    opener.focus()
    window.page.keyboard.press("Enter")
    dialog = window.page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    for _ in range(20):
        window.page.keyboard.press("Tab")
        assert dialog.evaluate(
            "one => !document.activeElement.closest('main') || one.contains(document.activeElement)"
        )
    window.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(opener).to_be_focused()


def test_dark_is_what_the_machine_says_until_a_person_switches(look):
    def light(window: Window) -> float:
        """How light the page is, from 0 to 1."""
        canvas = """() => {
            const at = document.createElement('canvas').getContext('2d')
            at.fillStyle = getComputedStyle(document.body).backgroundColor
            at.fillRect(0, 0, 1, 1)
            return Math.max(...at.getImageData(0, 0, 1, 1).data.slice(0, 3)) / 255
        }"""
        return float(window.page.evaluate(canvas))

    assert light(look(color_scheme="light").enter()) > 0.9
    window = look(color_scheme="dark").enter()
    assert light(window) < 0.2
    switch = window.button(re.compile("theme", re.IGNORECASE)).first
    for _ in range(3):
        if light(window) > 0.9:
            break
        switch.click()
    assert light(window) > 0.9
    window.page.reload()
    assert light(window) > 0.9
