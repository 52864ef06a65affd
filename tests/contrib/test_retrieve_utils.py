"""Reading documents and cutting them into chunks."""

from __future__ import annotations

import http.server
import io
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from tests.compat.requirements import requirement

from autogen import retrieve_utils
from autogen.retrieve_utils import (
    TEXT_FORMATS,
    create_vector_db_from_dir,
    extract_text_from_pdf,
    get_file_from_url,
    get_files_from_dir,
    is_url,
    parse_html_to_markdown,
    query_vector_db,
    split_files_to_chunks,
    split_text_to_chunks,
)
from autogen.token_count_utils import count_token


def test_text_formats_is_a_list_that_programs_can_add_to() -> None:
    assert isinstance(TEXT_FORMATS, list)
    assert {"txt", "md", "pdf"} <= {*TEXT_FORMATS, "org"}


@requirement("split:chunks")
@pytest.mark.parametrize("at_empty_line", [True, False])
def test_chunks_keep_every_line_and_the_limit(at_empty_line: bool) -> None:
    lines = [f"line {i} says something of its own" if i % 5 else "" for i in range(60)]
    chunks = split_text_to_chunks("\n".join(lines), 60, "multi_lines", at_empty_line)
    assert len(chunks) > 3
    assert all(count_token(chunk) <= 60 for chunk in chunks)
    kept = [line for chunk in chunks for line in chunk.split("\n") if line]
    assert kept == [line for line in lines if line]
    if at_empty_line:
        assert all(
            chunk.endswith(tuple(f"line {i} says something of its own" for i in range(4, 60, 5)))
            for chunk in chunks
        )


def test_a_line_that_is_too_long_is_cut_between_words() -> None:
    text = "word " * 500
    chunks = split_text_to_chunks(text, 50)
    assert all(count_token(chunk) <= 50 for chunk in chunks)
    assert "".join(chunks).split() == text.split()
    unbroken = split_text_to_chunks("x" * 1000, 50)
    assert "".join(unbroken).replace("\n", "") == "x" * 1000


@requirement("split:chunks")
def test_one_line_mode_makes_each_line_a_chunk() -> None:
    assert split_text_to_chunks("a\n\n  \nb\n", chunk_mode="one_line") == ["a", "b"]


@requirement("split:overlap")
def test_overlap_repeats_lines_and_ends() -> None:
    lines = [f"line {i}" for i in range(10)]
    chunks = split_text_to_chunks("\n".join(lines), 12, must_break_at_empty_line=False, overlap=1)
    assert len(chunks) > 2
    for first, second in pairwise(chunks):
        assert first.split("\n")[-1] == second.split("\n")[0]


def test_empty_text_has_no_chunks() -> None:
    assert split_text_to_chunks("") == []
    assert split_text_to_chunks("\n \n") == []


def test_values_that_cannot_work_are_refused() -> None:
    with pytest.raises(AssertionError, match="chunk_mode is 'words'"):
        split_text_to_chunks("x", chunk_mode="words")
    with pytest.raises(ValueError, match="max_tokens is 0"):
        split_text_to_chunks("x", 0)


@requirement("split:files")
def test_files_of_a_folder_are_found_by_their_ending(tmp_path: Path) -> None:
    (tmp_path / "in [here]").mkdir()
    for name in ("b.txt", "a.MD", "c.exe", "in [here]/d.txt"):
        (tmp_path / name).write_text("x")
    names = [Path(f).name for f in get_files_from_dir(str(tmp_path))]
    assert names == ["a.MD", "b.txt", "d.txt"]
    assert [Path(f).name for f in get_files_from_dir(tmp_path, recursive=False)] == [
        "a.MD",
        "b.txt",
    ]
    assert [Path(f).name for f in get_files_from_dir(tmp_path / "in [here]")] == ["d.txt"]
    assert [Path(f).name for f in get_files_from_dir(tmp_path, types=["exe"])] == ["c.exe"]
    both = get_files_from_dir([str(tmp_path / "c.exe"), str(tmp_path / "in [here]")])
    assert [Path(f).name for f in both] == ["c.exe", "d.txt"]
    with pytest.raises(ValueError, match="is no file, folder or URL"):
        get_files_from_dir(str(tmp_path / "nowhere"))


def test_chunks_of_files_carry_their_source(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one, two = tmp_path / "one.txt", tmp_path / "two.txt"
    one.write_text("a\nb", encoding="utf-8")
    two.write_bytes(b"\n\xff\n")
    chunks, sources = split_files_to_chunks([str(one), (str(two), "http://x/two")])
    assert (chunks, sources) == (["a\nb"], [{"source": str(one)}])
    assert "there is no text in http://x/two" in caplog.text
    chunks, sources = split_files_to_chunks([(str(one), "u")], custom_text_split_function=str.split)
    assert (chunks, sources) == (["a", "b"], [{"source": "u"}] * 2)


def _pdf(text: str) -> bytes:
    """The smallest PDF file with a line of text."""
    stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        b"/Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out = io.BytesIO(b"")
    out.write(b"%PDF-1.4\n")
    places = []
    for n, body in enumerate(objects, 1):
        places.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (n, body))
    start = out.tell()
    out.write(b"xref\n0 6\n0000000000 65535 f \n")
    out.writelines(b"%010d 00000 n \n" % place for place in places)
    out.write(b"trailer << /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % start)
    return out.getvalue()


@requirement("split:pdf")
def test_text_of_a_pdf_is_read_and_a_broken_one_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("pypdf")
    good, bad = tmp_path / "good.pdf", tmp_path / "bad.pdf"
    good.write_bytes(_pdf("The gateway listens"))
    bad.write_bytes(b"no pdf")
    chunks, _ = split_files_to_chunks([str(good), str(bad)])
    assert chunks == ["The gateway listens"]
    assert "bad.pdf can't be read" in caplog.text


def test_a_pdf_without_pypdf_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pypdf", None)
    with pytest.raises(ValueError, match="pip install pypdf"):
        extract_text_from_pdf("x.pdf")


PAGE = b"""<html><head><title>t</title><style>p {}</style></head><body><h2>Ports</h2>
<p>The   gateway <a href="/doc">listens</a>.</p><ul><li>one<li>two</ul>
<pre>a
  b</pre><script>alert(1)</script></body></html>"""


@requirement("split:html")
def test_html_becomes_markdown() -> None:
    text = parse_html_to_markdown(PAGE.decode(), "https://example.org/x/")
    assert "## Ports" in text
    assert "The gateway [listens](https://example.org/doc)." in text
    assert "- one\n- two" in text
    assert "```\na\n  b\n```" in text
    assert "alert" not in text and "p {}" not in text


def test_addresses_are_told_from_paths() -> None:
    assert is_url("https://example.org/x.md")
    assert not any(is_url(one) for one in ("docs/x.md", "/x", "C:\\x", "http://", "http://[x"))


class _Site(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/missing":
            self.send_error(404)
            return
        is_page = self.path == "/page"
        body = PAGE if is_page else b"The gateway listens."
        self.send_response(200)
        self.send_header("Content-Type", "text/html" if is_page else "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Site) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@requirement("split:files")
def test_documents_of_a_url_are_loaded_and_keep_their_address(
    site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chunks, sources = split_files_to_chunks(get_files_from_dir([f"{site}/a.txt", f"{site}/page"]))
    assert chunks[0] == "The gateway listens."
    assert chunks[1].startswith("## Ports")
    assert sources == [{"source": f"{site}/a.txt"}, {"source": f"{site}/page"}]
    assert get_file_from_url(f"{site}/a.txt", str(tmp_path)) == (
        str(tmp_path / "a.txt"),
        f"{site}/a.txt",
    )
    with pytest.raises(ValueError, match="can't be loaded: HTTP Error 404"):
        get_file_from_url(f"{site}/missing")
    with pytest.raises(ValueError, match="use http or https"):
        get_file_from_url("file:///etc/passwd")
    monkeypatch.setattr(retrieve_utils, "_MAX_DOWNLOAD_BYTES", 5)
    with pytest.raises(ValueError, match="more than 5 bytes"):
        get_file_from_url(f"{site}/a.txt")


def test_a_folder_becomes_a_store_that_can_be_asked(tmp_path: Path) -> None:
    docs, path = tmp_path / "docs", str(tmp_path / "db")
    docs.mkdir()
    (docs / "a.txt").write_text("The gateway listens on port 7717.")
    (docs / "b.txt").write_text("Cats sleep all day.")
    create_vector_db_from_dir(str(docs), db_path=path).close()
    found = query_vector_db(["which port?", "cats"], n_results=1, db_path=path)
    assert found["documents"] == [["The gateway listens on port 7717."], ["Cats sleep all day."]]
    assert found["metadatas"][1] == [{"source": str(docs / "b.txt")}]
    assert 0 < found["distances"][0][0] < 1
    found = query_vector_db("port", db_path=path, search_string="Cats")
    assert found["documents"] == [["Cats sleep all day."]]
    with pytest.raises(ValueError, match="exists already"):
        create_vector_db_from_dir(str(docs), db_path=path)
    with create_vector_db_from_dir(str(docs), db_path=path, get_or_create=True) as memory:
        assert len(memory.get(collection="all-my-documents")) == 2
