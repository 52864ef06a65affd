"""What people do in the studio, in a real browser, on the real server."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from tests.studio.words import STORY

pytestmark = [pytest.mark.timeout(120), pytest.mark.xdist_group("studio")]

EDITED = "Run this instead.\n\n```python\nfor n in range(4):\n    print('edited', n)\n```"


@pytest.mark.wall
def test_two_agents_code_and_a_person_edits_denies_and_approves(studio, look):
    window = look().enter()
    run_id = window.begin("coding", "Write down the squares of 1 to 5.")
    expect(window.question).to_be_visible()
    expect(window.status).to_contain_text(re.compile("waiting", re.IGNORECASE))
    # For whoever looks at another page meanwhile.
    expect(window.page).to_have_title(re.compile(r"^\(asks you\) Write down the squares"))

    window.question.get_by_role("button", name="Edit").click()
    window.question.get_by_label("Edited message").fill(EDITED)
    window.question.get_by_role("button", name="Approve edited").click()
    expect(window.output.last).to_contain_text("edited 3")

    expect(window.question).to_contain_text("rm squares.py")
    window.question.get_by_role("button", name="Deny").click()
    window.question.get_by_label("Reason").fill("keep it")
    window.question.get_by_role("button", name="Send denial").click()
    expect(window.transcript).to_contain_text("Denied: keep it")

    expect(window.question).to_contain_text("table.py")
    window.question.get_by_role("button", name="Approve").click()
    expect(window.transcript).to_contain_text("saved squares.csv and squares.png")

    expect(window.transcript).to_contain_text("The squares are in")
    expect(window.transcript.get_by_role("table")).to_be_visible()
    window.question.get_by_role("button", name="Send").click()
    expect(window.status).to_contain_text(re.compile("finished", re.IGNORECASE))
    expect(window.question).to_have_count(0)
    expect(window.page).to_have_title(re.compile(r"^Write down the squares"))
    window.expect_everything_once(run_id)
    # What code printed stands once, and not again in the message that reports it.
    assert window.transcript.evaluate("one => one.textContent").count("edited 3") == 1

    types = studio.types(run_id)
    assert types.count("message.edited") == 1
    assert types.count("code.finished") == 2
    words = studio.words(run_id)
    assert "edited 3" in words[2]
    assert words[4] == "Denied: keep it"


@pytest.mark.wall
def test_files_that_code_leaves_are_shown(studio, look):
    run_id = studio.begin("coding", "Squares.")
    window = look().enter().open(run_id)
    for _ in range(3):
        window.question.get_by_role("button", name="Approve").click()
        expect(window.question).not_to_be_visible()
        expect(window.question).to_be_visible()
    window.tab("Files").click()
    expect(window.page.get_by_text("squares.csv").first).to_be_visible()
    picture = window.page.get_by_role("img", name="squares.png").first
    expect(picture).to_be_visible()
    assert picture.evaluate("one => one.complete && one.naturalWidth") == 160
    with window.page.expect_download() as coming:
        window.page.get_by_role("link", name=re.compile("squares.csv")).first.click()
    assert coming.value.path().read_text(encoding="utf-8").splitlines()[-1] == "5,25"


def test_group_shows_who_speaks(studio, look):
    window = look().enter()
    run_id = window.begin("group", "Why is the sky blue?")
    expect(window.status).to_contain_text(re.compile("finished", re.IGNORECASE))
    window.expect_everything_once(run_id)
    agents = window.messages.evaluate_all("all => all.map(one => one.dataset.agent)")
    assert agents[:4] == ["person", "planner", "writer", "critic"]
    window.tab("Team").click()
    graph = window.page.get_by_role("img", name=re.compile("team|graph", re.IGNORECASE)).first
    expect(graph).to_be_visible()
    for name in ("planner", "writer", "critic"):
        expect(graph).to_contain_text(name)


def test_what_tools_answer_stands_once_in_the_transcript(studio, look):
    window = look().enter()
    run_id = window.begin("weigher", "What do they weigh?")
    expect(window.status).to_contain_text(re.compile("finished", re.IGNORECASE))
    window.expect_everything_once(run_id)
    # Folded text counts as well: whoever looks for it in the page finds it.
    said = window.transcript.evaluate("one => one.textContent")
    for answer in ("5 ounces of apple", "4 ounces of pear"):
        assert said.count(answer) == 1
    expect(window.transcript).to_contain_text("passes on the results above")
    expect(window.messages.nth(1)).to_contain_text('calls weigh {"what": "pear"}')


def test_words_are_shown_as_they_come_and_once_in_the_end(studio, look):
    window = look().enter()
    run_id = window.begin("talk", "Tell me.")
    expect(window.live).to_contain_text("word3")
    assert STORY not in window.live.inner_text()
    expect(window.status).to_contain_text(re.compile("finished", re.IGNORECASE))
    expect(window.live).to_have_count(0)
    window.expect_everything_once(run_id)
    assert STORY in " ".join(window.messages.last.inner_text().split())


def test_reload_in_the_middle_of_an_answer_shows_its_words_so_far(studio, look):
    window = look().enter()
    run_id = window.begin("talk", "Tell me.")
    expect(window.live).to_contain_text("word10 ")
    window.page.reload()
    expect(window.live).to_contain_text("word1 word2 word3")
    expect(window.status).to_contain_text(re.compile("finished", re.IGNORECASE))
    window.expect_everything_once(run_id)


def test_reload_keeps_the_question_and_the_draft_of_its_answer(studio, look):
    window = look().enter()
    run_id = window.begin("coding", "Squares.")
    window.question.get_by_role("button", name="Deny").click()
    window.question.get_by_label("Reason").fill("half a rea")
    before = studio.events(run_id)
    window.page.reload()
    expect(window.question).to_contain_text("squares.py")
    expect(window.question.get_by_label("Reason")).to_have_value("half a rea")
    window.question.get_by_label("Reason").press("End")
    window.question.get_by_label("Reason").press_sequentially("son")
    assert len(studio.events(run_id)) == len(before)
    window.question.get_by_role("button", name="Send denial").click()
    expect(window.transcript).to_contain_text("Denied: half a reason")


def test_answer_of_one_window_closes_the_question_in_the_other(studio, look):
    first, second = look().enter(), look().enter()
    run_id = first.begin("coding", "Squares.")
    second.open(run_id)
    expect(second.question).to_be_visible()
    first.question.get_by_role("button", name="Stop").click()
    expect(second.question).to_have_count(0)
    expect(second.status).to_contain_text(re.compile("finished", re.IGNORECASE))


def test_killed_server_comes_back_and_nothing_is_lost_or_twice(own_studio, look):
    studio = own_studio()
    window = look(at=studio).enter()
    run_id = window.begin("turns", "Go.")
    expect(window.transcript).to_contain_text("turn 5")
    studio.kill()
    expect(window.page.get_by_role("status").filter(has_text="econnecting")).to_be_visible()
    again = own_studio(port=studio.port)
    # It has another token; whoever comes in with its address has let the first window in as well.
    expect(window.page.get_by_label("Token")).to_be_visible()
    other = window.context.new_page()
    other.goto(again.door)
    expect(other.get_by_role("button", name="New run").first).to_be_visible()
    window.studio = again
    window.page.bring_to_front()
    window.page.evaluate("window.dispatchEvent(new Event('focus'))")
    expect(window.transcript).to_contain_text("turn 60")
    expect(window.status).to_contain_text(re.compile("finished", re.IGNORECASE))
    window.expect_everything_once(run_id)
    assert again.words(run_id).count("turn 5") == 1
    # The kill may break off an answer at any byte, which the browser has many words for.
    window.expect_complaints("net::ERR_", "401")


def test_pause_resume_and_stop(studio, look):
    window = look().enter()
    run_id = window.begin("turns", "Go.")
    expect(window.transcript).to_contain_text("turn 3")
    window.button("Pause").click()
    expect(window.status).to_contain_text(re.compile("paused", re.IGNORECASE))
    window.button("Resume").click()
    expect(window.status).to_contain_text(re.compile("running", re.IGNORECASE))
    n_shown = window.messages.count()
    expect(window.messages.nth(n_shown + 3)).to_be_visible()
    window.button("Stop run").click()
    expect(window.status).to_contain_text(re.compile("cancelled|stopped", re.IGNORECASE))
    window.expect_everything_once(run_id)


def test_fork_from_a_message_with_other_words_and_the_difference(studio, look):
    run_id = studio.begin("group", "Why is the sky blue?")
    studio.ended(run_id)
    window = look().enter().open(run_id)
    expect(window.messages.first).to_be_visible()
    expect(window.messages.last).to_be_visible()
    pos = window.positions()[0]
    window.message(pos).hover()
    window.button(re.compile(rf"Fork from message {pos}\b")).click()
    dialog = window.page.get_by_role("dialog")
    dialog.get_by_label("Message").fill("Why is the sea blue?")
    with window.page.expect_response(lambda got: got.url.endswith("/fork")) as made:
        dialog.get_by_role("button", name="Fork").click()
    fork_id = made.value.json()["id"]
    expect(window.transcript).to_contain_text("Why is the sea blue?")
    expect(window.status).to_contain_text(re.compile("finished", re.IGNORECASE))
    window.expect_everything_once(fork_id)
    window.page.get_by_role("link", name=re.compile("Compare")).first.click()
    difference = window.page.get_by_test_id("diff")
    expect(difference).to_contain_text("Why is the sky blue?")
    expect(difference).to_contain_text("Why is the sea blue?")


@pytest.mark.wall
def test_files_are_attached_and_read(studio, look):
    window = look().enter()
    file = {"name": "data.csv", "mimeType": "text/csv", "buffer": b"alpha,beta\n1,2\n"}
    run_id = window.begin("reader", "Read the file.", file)
    expect(window.status).to_contain_text(re.compile("finished", re.IGNORECASE))
    expect(window.transcript).to_contain_text("ALPHA,BETA")
    assert "data.csv" in studio.words(run_id)[0]


@pytest.mark.wall
def test_host_that_code_was_refused_can_be_allowed(studio, look):
    window = look().enter()
    run_id = window.begin("reach", "Fetch it.")
    with window.page.expect_response(lambda got: got.url.endswith("/egress")) as made:
        window.button("Allow files.example").first.click()
    assert made.value.status < 300
    expect(window.output.last).to_contain_text("let out")
    expect(window.status).to_contain_text(re.compile("finished", re.IGNORECASE))
    assert "egress.allowed" in studio.types(run_id)


@pytest.mark.wall
def test_host_cannot_be_allowed_once_the_run_is_over(studio, look):
    window = look().enter()
    run_id = window.begin("reach", "Fetch it.")
    expect(window.button("Allow files.example").first).to_be_visible()
    window.button("Stop run").click()
    expect(window.transcript).to_contain_text("not allowed")
    expect(window.button("Allow files.example")).to_have_count(0)
    assert "egress.allowed" not in studio.types(run_id)


def test_button_that_came_too_late_is_answered_where_it_is_seen(studio, look):
    run_id = studio.begin("group", "Why is the sky blue?")
    studio.ended(run_id)
    window = look().enter()
    # What another window did a moment ago is not known here yet.
    window.page.route(
        re.compile(rf"/api/v1/runs/{run_id}$"),
        lambda route: route.fulfill(json={**route.fetch().json(), "status": "failed"}),
    )
    window.open(run_id).button("Resume").click()
    expect(window.page.get_by_role("alert")).to_contain_text("the run is finished")
    expect(window.page.get_by_role("alert")).to_be_in_viewport()
    window.button("Close this message").click()
    expect(window.page.get_by_role("alert")).to_have_count(0)
    # An answer may be on its way still.
    window.page.unroute_all(behavior="wait")
    window.expect_complaints("409")


def test_budget_that_is_spent_can_be_raised(studio, look):
    run_id = studio.begin("turns", "Go.", budget={"steps": 4})
    window = look().enter().open(run_id)
    expect(window.status).to_contain_text("budget spent")
    n_said = len(studio.words(run_id))
    window.button("Raise the budget").click()
    dialog = window.page.get_by_role("dialog")
    expect(dialog.get_by_label("Steps")).to_have_value("8")
    dialog.get_by_label("Steps").fill("12")
    dialog.get_by_role("button", name="Go on").click()
    expect(window.transcript).to_contain_text("turn 12")
    expect(window.status).to_contain_text("budget spent")
    assert len(studio.words(run_id)) > n_said
    window.expect_everything_once(run_id)


def test_old_messages_of_a_long_run_are_shown_to_whoever_scrolls_up(studio, look):
    run_id = studio.begin("long", "Go.")
    window = look().enter().open(run_id)
    expect(window.transcript).to_contain_text("turn 250", timeout=60_000)
    assert window.messages.count() <= 400
    expect(window.messages.last).to_be_in_viewport()
    while window.page.locator(".earlier").count():
        window.page.mouse.wheel(0, -20_000)
    window.expect_everything_once(run_id)
    window.page.mouse.wheel(0, -1_000_000)
    expect(window.messages.first).to_be_in_viewport()


#: Old messages go and a long one comes, before the browser has told of the first.
MOVED = """messages => {
    for (const one of messages.slice(0, 100)) one.style.display = "none";
    document.body.offsetHeight;
    messages.at(-1).style.paddingTop = "2000px";
}"""


def test_what_the_browser_moves_leaves_the_page_at_its_end(studio, look):
    run_id = studio.begin("long", "Go.")
    window = look().enter().open(run_id)
    expect(window.transcript).to_contain_text("turn 250", timeout=60_000)
    studio.ended(run_id)
    expect(window.button("Newest")).to_have_count(0)
    window.messages.evaluate_all(MOVED)
    end = window.page.locator(".end")
    expect(end).to_be_in_viewport()
    window.page.mouse.wheel(0, -200)
    expect(window.button("Newest")).to_be_visible()
    window.messages.last.evaluate("one => { one.style.paddingBottom = '2000px' }")
    expect(end).not_to_be_in_viewport()
    window.button("Newest").click()
    expect(end).to_be_in_viewport()
    expect(window.button("Newest")).to_have_count(0)


def test_views_of_a_run_have_addresses_and_the_way_back(studio, look):
    run_id = studio.begin("group", "Why is the sky blue?")
    studio.ended(run_id)
    window = look().enter()
    window.page.goto(f"{studio.url}/studio/runs/{run_id}/timeline")
    expect(window.tab("Timeline")).to_have_attribute("aria-selected", "true")
    window.tab("Team").click()
    expect(window.page.get_by_role("img", name=re.compile("Graph"))).to_be_visible()
    assert window.page.url.endswith(f"{run_id}/team")
    window.page.go_back()
    expect(window.tab("Timeline")).to_have_attribute("aria-selected", "true")
    window.page.reload()
    expect(window.page.get_by_role("group", name="Steps")).to_be_visible()
