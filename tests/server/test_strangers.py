"""What callers try with ids, cursors, keys and names that are not theirs, or are none at all."""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
from tests.server.serving import WAIT_S, Answer, Serving

from autogen.runtime.runtime import Runtime

pytestmark = pytest.mark.xdist_group("strangers")

SCOPES = ["runs:read", "runs:write", "questions:answer", "files:write"]


class Two(NamedTuple):
    """A server, its database, and two callers who know everything of each other but the keys."""

    server: Serving
    database: str
    ann: str
    ben: str

    def as_ann(self, method: str, path: str, body: Any = None, **more: Any) -> Answer:
        return self.server.call(method, f"/api/v1{path}", body, token=self.ann, **more)

    def as_ben(self, method: str, path: str, body: Any = None, **more: Any) -> Answer:
        return self.server.call(method, f"/api/v1{path}", body, token=self.ben, **more)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    database = f"sqlite:///{tmp_path_factory.mktemp('strangers') / 'runs.db'}"
    with Runtime(database) as runtime:
        ann, _ = runtime.keys.add("ann", scopes=SCOPES)
        ben, _ = runtime.keys.add("ben", scopes=SCOPES)
    server = Serving(database)
    yield Two(server, database, ann, ben)
    assert server.stop() == 0
    assert "Traceback" not in "".join(server.said)


def _cursor(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def test_conversations_of_equal_names_do_not_meet(two: Two) -> None:
    asked = {"team": "ask", "message": "hi", "conversation": "shared"}
    hers = two.as_ann("POST", "/runs", asked)
    assert hers.status == 201
    for how in ("reject", "enqueue", "interrupt"):
        his = two.as_ben("POST", "/runs", {**asked, "on_conflict": how, "conversation": "shared"})
        assert his.status == 201
        two.as_ben("POST", f"/runs/{his.json['id']}/cancel")
        assert two.as_ben("GET", f"/runs/{his.json['id']}/wait?timeout_s=10").status == 200
    still = two.as_ann("GET", f"/runs/{hers.json['id']}").json
    assert still["status"] in ("queued", "running", "waiting")


def test_ids_of_others_in_bodies_are_those_of_nothing(two: Two) -> None:
    file = two.as_ann("POST", "/files?name=a.csv", data=b"1,2").json["id"]
    run = two.as_ann("POST", "/runs", {"team": "ask", "message": "hi"}).json["id"]
    own = two.as_ben("POST", "/runs", {"team": "talk", "message": "hi"}).json["id"]
    end = time.monotonic() + WAIT_S
    while not (found := two.as_ann("GET", f"/questions?run_id={run}").json["items"]):
        assert time.monotonic() < end
    nobodys = uuid.uuid4().hex
    for hers, none in (
        (
            ("POST", "/runs", {"team": "talk", "files": [file]}),
            {"team": "talk", "files": [nobodys]},
        ),
        (("GET", f"/runs/{own}/diff?other={run}", None), None),
        (("POST", f"/questions/{found[0]['id']}/answer", {"action": "stop"}), {"action": "stop"}),
    ):
        method, path, body = hers
        got = two.as_ben(method, path, body)
        there_is_none = two.as_ben(
            method, path.replace(run, nobodys).replace(found[0]["id"], nobodys), none
        )
        assert got.status == there_is_none.status == 404
        words = (file, run, found[0]["id"], nobodys)
        texts = {_without(answer.text, words) for answer in (got, there_is_none)}
        assert len(texts) == 1, texts
    assert two.as_ben("GET", f"/questions?run_id={run}").json["items"] == []
    assert two.as_ann("GET", f"/questions?run_id={run}").json["items"][0]["status"] == "open"


def _without(text: str, words: tuple[str, ...]) -> str:
    for word in words:
        text = text.replace(word, "*")
    return text


def test_cursors_of_others_are_those_of_nothing(two: Two) -> None:
    hers = two.as_ann("POST", "/runs", {"team": "talk", "message": "hi"}).json["id"]
    forged = [_cursor(text) for text in (hers, uuid.uuid4().hex, "' or 1=1 --", "é" * 300)]
    answers = [two.as_ben("GET", f"/runs?cursor={cursor}") for cursor in forged]
    assert {answer.status for answer in answers} == {422}
    assert len({answer.text for answer in answers}) == 1
    assert two.as_ann("GET", f"/runs?cursor={forged[0]}").status == 200


def test_questions_come_in_pages_and_none_of_others(two: Two) -> None:
    runs = {two.as_ann("POST", "/runs", {"team": "ask", "message": "hi"}).json["id"] for _ in "abc"}
    end = time.monotonic() + WAIT_S
    while not runs <= {one["run_id"] for one in two.as_ann("GET", "/questions").json["items"]}:
        assert time.monotonic() < end
    whole = two.as_ann("GET", "/questions").json["items"]
    pages = two.server.pages("/api/v1/questions", limit=2, token=two.ann)
    assert [one for page in pages for one in page] == whole
    assert {len(page) for page in pages[:-1]} == {2}
    forged = [_cursor(text) for text in (whole[0]["id"], uuid.uuid4().hex, "' or 1=1 --")]
    answers = [two.as_ben("GET", f"/questions?cursor={cursor}") for cursor in forged]
    assert {(answer.status, answer.text) for answer in answers} == {(422, answers[0].text)}
    # An answered one may have been the last of a page.
    page = two.as_ann("GET", "/questions?limit=1&status=open").json
    told = {"action": "stop"}
    assert two.as_ann("POST", f"/questions/{page['items'][0]['id']}/answer", told).status == 200
    rest = two.as_ann("GET", f"/questions?status=open&cursor={page['next']}").json["items"]
    assert rest[0]["id"] != page["items"][0]["id"]


def test_keys_come_in_pages_and_none_of_others(two: Two) -> None:
    for n in range(3):
        two.server.call(
            "POST", "/api/v1/keys", {"name": f"cyd {n}", "scopes": ["runs:read"], "owner": "cyd"}
        )
    made = two.server.call(
        "POST", "/api/v1/keys", {"name": "admin of cyd", "owner": "cyd", "scopes": ["keys:admin"]}
    )
    whole = two.server.get("/api/v1/keys")["items"]
    pages = two.server.pages("/api/v1/keys", limit=2)
    assert [one for page in pages for one in page] == whole
    token = made.json["key"]
    hers = two.server.pages("/api/v1/keys", limit=3, token=token)
    assert [[one["name"] for one in page] for page in hers] == [
        ["cyd 0", "cyd 1", "cyd 2"],
        ["admin of cyd"],
    ]
    of_others = next(one["id"] for one in whole if one["owner"] != "cyd")
    for text in (of_others, "nobody"):
        path = f"/api/v1/keys?cursor={_cursor(text)}"
        assert two.server.call("GET", path, token=token).status == 422


def test_a_key_for_asking_again_is_each_callers_own(two: Two) -> None:
    asked, key = {"team": "talk", "message": "hi"}, {"Idempotency-Key": "the same"}
    hers = two.as_ann("POST", "/runs", asked, headers=key)
    his = two.as_ben("POST", "/runs", asked, headers=key)
    assert (hers.status, his.status) == (201, 201)
    assert hers.json["id"] != his.json["id"]
    # Nor does anybody take a run by its id where ids are made of what clients say.
    said = [{"id": "1", "role": "user", "content": "hi"}]
    body = {"threadId": "t", "runId": "r", "messages": said}
    told = [two.server.call("POST", "/ag-ui/talk", body, token=t).text for t in (two.ann, two.ben)]
    runs = [text.partition('"run_id":"')[2][:32] for text in told]
    assert len(set(runs)) == 2


@pytest.mark.parametrize(
    "last", ["x", "-1", "1.5", "9" * 30, "1\u0661", " ", "1 or 1", "0x10", "NaN", "\u00b2"]
)
def test_garbage_as_the_last_event_is_refused(two: Two, last: str) -> None:
    run = two.as_ann("POST", "/runs", {"team": "talk", "message": "hi"}).json["id"]
    headers = {"Accept": "text/event-stream", "Last-Event-ID": last}
    answer = two.as_ann("GET", f"/runs/{run}/events", headers=headers)
    assert (answer.status, answer.is_problem) == (422, True)


@pytest.mark.parametrize("size", ["0", "-1", "1001", "999999999999", "1e3", "ten", "%C2%B2"])
def test_pages_have_a_size_that_can_be_held(two: Two, size: str) -> None:
    run = two.as_ann("POST", "/runs", {"team": "talk", "message": "hi"}).json["id"]
    for path in ("/runs", f"/runs/{run}/events", f"/runs/{run}/messages", "/chats"):
        answer = two.as_ann("GET", f"{path}?limit={size}")
        assert (answer.status, answer.is_problem) == (422, True), path


NAMES = (
    "a.txt\r\nSet-Cookie: a=b",
    'a"; filename="b.html',
    "..%2f..%2fetc%2fpasswd",
    "\u202egnp.exe",
    "\uff0e\uff0e\uff0fup",
    "a\u0000.png",
    "con.txt:stream",
    "caf\u00e9.txt",
)


@pytest.mark.parametrize("name", NAMES)
def test_names_go_nowhere_but_where_names_belong(two: Two, name: str) -> None:
    answer = two.as_ann("POST", f"/files?name={quote(name, safe='')}", data=b"x")
    assert answer.status in (201, 422)
    assert not [value for value in answer.headers.values() if "\r" in value or "\n" in value]
    assert "Set-Cookie" not in answer.headers
    if answer.status == 201:
        # As it was given: nothing of it is decoded once more.
        assert answer.json["name"] == name
        assert answer.headers["Location"] == f"/api/v1/files/{answer.json['id']}"
    # Names in paths come back as they are, in JSON, and in no header.
    for path in (f"/runs/{quote(name, safe='')}", f"/chats/{quote(name, safe='')}"):
        got = two.as_ann("GET", path)
        assert got.status in (404, 422)
        assert got.is_problem
