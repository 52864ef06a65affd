"""How the pages of the studio are served: to whom, with which headers, and nothing but them."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator

import pytest
from tests.server.serving import Serving

pytestmark = [pytest.mark.xdist_group("studio-pages")]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("pages")
    serving = Serving(f"sqlite:///{folder / 'runs.db'}", "--no-worker")
    yield serving
    serving.stop()


@pytest.fixture(scope="module")
def assets(server: Serving) -> list[str]:
    """The addresses that the page names."""
    found = re.findall(r'(?:src|href)="([^"]+)"', server.call("GET", "/", token=None).text)
    assert found
    return found


def as_it_is(server: Serving, path: str) -> tuple[int, str]:
    """The answer to a path that the client leaves as it is."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_page_is_open_and_holds_no_token(server):
    page = server.call("GET", "/", token=None)
    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert server.token not in page.text


@pytest.mark.parametrize("path", ["/studio", "/studio/runs/some-run"])
def test_every_address_of_the_studio_is_the_page(server, path):
    assert server.call("GET", path, token=None).text == server.call("GET", "/", token=None).text


def test_page_lets_nothing_in_from_elsewhere(server):
    headers = server.call("GET", "/", token=None).headers
    policy = dict(
        part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["object-src"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


def test_page_has_no_script_or_style_of_its_own(server):
    page = server.call("GET", "/", token=None).text
    assert re.findall(r"<script(?![^>]*\bsrc=)", page) == []
    assert "<style" not in page
    assert re.findall(r"\bon\w+=", page) == []


def test_page_names_files_of_this_server_only(server, assets):
    for address in assets:
        assert address.startswith("/")
        assert server.call("GET", address, token=None).status == 200


def test_page_is_asked_for_again_and_its_files_never(server, assets):
    page = server.call("GET", "/", token=None)
    assert page.headers["Cache-Control"] == "no-cache"
    known = {"If-None-Match": page.headers["ETag"]}
    again = server.call("GET", "/", headers=known, token=None)
    assert (again.status, again.text) == (304, "")
    hashed = [address for address in assets if address.startswith("/assets/")]
    assert hashed
    for address in hashed:
        assert re.search(r"-[\w-]{8,}\.\w+$", address)
        headers = server.call("GET", address, token=None).headers
        assert headers["Cache-Control"] == "public, max-age=31536000, immutable"


def test_page_and_its_files_are_at_most_250_kilobytes(server, assets):
    sizes = []
    for address in ["/", *assets]:
        got = server.call("GET", address, token=None, headers={"Accept-Encoding": "gzip"})
        assert got.headers.get("Content-Encoding") == "gzip"
        sizes.append(int(got.headers["Content-Length"]))
    assert sum(sizes) <= 250_000


@pytest.mark.parametrize(
    "path",
    [
        "/assets/none.js",
        "/assets/..%2findex.html",
        "/assets/..%2f..%2f..%2fserver%2fguard.py",
        "/assets/",
    ],
)
def test_no_other_file_is_served(server, path):
    answer = server.call("GET", path, token=None)
    assert answer.status == 404
    assert answer.is_problem


def test_open_pages_open_no_data(server):
    page = server.call("GET", "/", token=None).text
    for path in (
        "/api/v1/runs",
        "/openapi.json",
        "/assets/../api/v1/runs",
        "/assets/%2e%2e/api/v1/runs",
        "/assets/..%2fapi%2fv1%2fruns",
        "/studio/../api/v1/runs",
        "/studio%2f..%2fapi/v1/runs",
        "//api/v1/runs",
    ):
        status, text = as_it_is(server, path)
        assert status in (401, 404) or text == page, path
        assert "items" not in text
    assert server.call("POST", "/studio/runs", {}, token=None).status == 405


def test_pages_are_for_this_machine_only(server):
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
        assert server.call("GET", "/", headers=headers, token=None).status in (403, 421)


def test_cookies_of_two_servers_are_kept_apart(server):
    """Browsers send a cookie to every port of a machine."""
    given = server.call("POST", "/api/v1/session", {"token": server.token}, token=None)
    name, _, value = given.headers["Set-Cookie"].partition(";")[0].partition("=")
    assert str(server.port) in name
    for cookies, status in (
        (f"autogen_session_1=other; {name}={value}", 200),
        (f"autogen_session_1={value}", 401),
        (f"{name}=other", 401),
    ):
        answer = server.call("GET", "/api/v1/runs", headers={"Cookie": cookies}, token=None)
        assert answer.status == status
