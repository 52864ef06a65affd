"""Pictures in messages: reading them, and the forms in which models take them."""

from __future__ import annotations

import base64
import http.server
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from tests.compat.requirements import requirement
from tests.contrib.pictures import PNG, URI, locations

from autogen.agentchat.contrib import img_utils
from autogen.agentchat.contrib.img_utils import (
    _to_pil,
    convert_base64_to_data_uri,
    extract_img_paths,
    get_image_data,
    get_pil_image,
    gpt4v_formatter,
    llava_formatter,
    message_formatter_pil_to_b64,
    num_tokens_from_gpt_image,
    pil_to_data_uri,
)
from autogen.errors import UsageError


@pytest.fixture
def picture(tmp_path: Path) -> str:
    path = tmp_path / "dot.png"
    path.write_bytes(PNG)
    return str(path)


@pytest.fixture
def served() -> Iterator[Any]:
    """A web server, and the paths it was asked for."""

    class Handler(http.server.BaseHTTPRequestHandler):
        asked: ClassVar[list[str]] = []

        def do_GET(self) -> None:
            self.asked.append(self.path)
            if self.path == "/away":
                self.send_response(302)
                self.send_header("Location", "file:///etc/hostname")
                self.end_headers()
                return
            self.send_response(200)
            self.end_headers()
            self.wfile.write(PNG)

        def log_message(self, *args: Any) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", Handler.asked
        server.shutdown()
        thread.join(5)


# -- without Pillow --------------------------------------------------------------------------------


@pytest.fixture
def no_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)


@requirement("pictures:pillow")
@pytest.mark.usefixtures("no_pillow")
def test_common_files_need_no_pillow(picture, tmp_path):
    assert get_image_data(picture, use_b64=False) == PNG
    assert get_image_data(URI) == base64.b64encode(PNG).decode()
    assert locations(gpt4v_formatter(f"<img {picture}>")) == [URI]


@pytest.mark.usefixtures("no_pillow")
def test_decoding_says_what_it_needs(picture):
    with pytest.raises(UsageError, match=r"\.\[images\]"):
        get_pil_image(picture)


@requirement("pictures:missing")
def test_a_file_that_is_no_picture_is_refused(tmp_path):
    pytest.importorskip("PIL")
    secret = tmp_path / "secret.txt"
    secret.write_text("the password")
    with pytest.raises(UsageError, match="no picture"):
        get_image_data(str(secret))
    text = f"see <img {secret}>"
    assert gpt4v_formatter(text) == [{"type": "text", "text": text}]
    with pytest.raises(UsageError, match="can't be read"):
        get_image_data(str(tmp_path / "missing.png"))


# -- fetching --------------------------------------------------------------------------------------


def test_who_asks_for_a_url_gets_its_picture(served):
    url, asked = served
    assert get_image_data(f"{url}/dot.png", use_b64=False) == PNG
    assert asked == ["/dot.png"]


@requirement("pictures:url")
def test_a_url_in_a_message_is_never_fetched(served):
    url, asked = served
    assert locations(gpt4v_formatter(f"see <img {url}/dot.png>")) == [f"{url}/dot.png"]
    assert asked == []


def test_a_redirection_out_of_the_web_is_refused(served):
    url, _ = served
    with pytest.raises(UsageError, match="can't be fetched"):
        get_image_data(f"{url}/away")


def test_a_picture_that_is_too_large_is_refused(served, monkeypatch):
    monkeypatch.setattr(img_utils, "MAX_FETCHED_BYTES", 10)
    with pytest.raises(UsageError, match="more than 10 bytes"):
        get_image_data(f"{served[0]}/dot.png")


# -- formats ---------------------------------------------------------------------------------------


def test_text_and_pictures_alternate(picture):
    made = gpt4v_formatter(f"before <img src='{picture}'> between <img http://x.invalid/a.png>")
    assert made == [
        {"type": "text", "text": "before "},
        {"type": "image_url", "image_url": {"url": URI}},
        {"type": "text", "text": " between "},
        {"type": "image_url", "image_url": {"url": "http://x.invalid/a.png"}},
    ]
    assert gpt4v_formatter("no picture") == [{"type": "text", "text": "no picture"}]
    assert gpt4v_formatter("") == [{"type": "text", "text": ""}]


def test_url_format_leaves_locations_as_they_are(picture):
    assert locations(gpt4v_formatter(f"<img {picture}>", img_format="url")) == [picture]
    with pytest.raises(UsageError, match="img_format"):
        gpt4v_formatter("x", img_format="other")


def test_pil_format_decodes_and_comes_back_as_data_uri(picture):
    pytest.importorskip("PIL")
    parts = gpt4v_formatter(f"<img {picture}>", img_format="pil")
    assert locations(parts)[0].size == (1, 1)
    messages = [{"role": "user", "content": parts}, {"role": "user", "content": "text"}]
    made = message_formatter_pil_to_b64(messages)
    assert locations(made[0]["content"])[0].startswith("data:image/png;base64,")
    assert made[1] == messages[1]
    assert locations(messages[0]["content"])[0].size == (1, 1)


def test_llava_format_has_tokens_and_data(picture):
    text = f"a <img {picture}> b <img {picture}>"
    data = base64.b64encode(PNG).decode()
    assert llava_formatter(text) == ("a <image> b <image>", [data, data])
    assert llava_formatter(text, order_image_tokens=True)[0] == "a <image 0> b <image 1>"
    assert llava_formatter("a <img nowhere.png>") == ("a <img nowhere.png>", [])


@pytest.mark.parametrize(
    "data,mime_type",
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0" + bytes(20), "image/jpeg"),
        (b"GIF89a" + bytes(20), "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"something else entirely", "image/jpeg"),
    ],
)
def test_the_first_bytes_tell_the_type(data, mime_type):
    text = base64.b64encode(data).decode()
    assert convert_base64_to_data_uri(text) == f"data:{mime_type};base64,{text}"


def test_pillow_images_go_both_ways():
    pillow = pytest.importorskip("PIL.Image")
    red = pillow.new("RGB", (3, 2), "red")
    assert get_pil_image(red) is red
    again = get_pil_image(pil_to_data_uri(red))
    assert (again.size, again.getpixel((0, 0))) == ((3, 2), (255, 0, 0))
    assert _to_pil(get_image_data(red)).size == (3, 2)


def test_other_files_become_png(tmp_path):
    pillow = pytest.importorskip("PIL.Image")
    path = tmp_path / "dot.bmp"
    pillow.new("RGB", (3, 2), "red").save(path)
    assert get_image_data(str(path), use_b64=False).startswith(b"\x89PNG")


def test_paths_of_pictures_are_found_in_text():
    text = "Compare ./a.PNG with https://x.invalid/b.jpg?size=2, (c.webp) and d.txt."
    assert extract_img_paths(text) == ["./a.PNG", "https://x.invalid/b.jpg?size=2,", "c.webp"]


@pytest.mark.parametrize(
    "size,model,expected",
    [
        ((512, 512), "gpt-4-vision", 85 + 170),
        ((1024, 1024), "gpt-4o", 85 + 170 * 4),
        ((2048, 4096), "gpt-4-vision-preview", 85 + 170 * 6),
        ((512, 512), "gpt-4o-mini", 2833 + 5667),
    ],
)
def test_a_picture_costs_by_its_tiles(size, model, expected):
    pillow = pytest.importorskip("PIL.Image")
    assert num_tokens_from_gpt_image(pillow.new("1", size), model) == expected
    base = num_tokens_from_gpt_image(pillow.new("1", size), model, low_quality=True)
    assert base == (2833 if "mini" in model else 85)


def test_an_unknown_price_is_said():
    with pytest.raises(UsageError, match="is not known"):
        num_tokens_from_gpt_image("dot.png", "another")
