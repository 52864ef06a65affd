"""Reading documents and cutting them into chunks: the names of AutoGen 0.2's `retrieve_utils`.

Nothing here reaches for the network but `get_file_from_url`, and `get_files_from_dir` where it is
given a URL. PDF files need the package pypdf.
"""

from __future__ import annotations

import atexit
import glob
import hashlib
import importlib
import logging
import os
import re
import shutil
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from html.parser import HTMLParser
from typing import Any, Final

from .errors import UsageError
from .memory.local import LocalMemory
from .token_count_utils import count_token

__all__ = [
    "TEXT_FORMATS",
    "VALID_CHUNK_MODES",
    "create_vector_db_from_dir",
    "extract_text_from_pdf",
    "get_file_from_url",
    "get_files_from_dir",
    "is_url",
    "parse_html_to_markdown",
    "query_vector_db",
    "split_files_to_chunks",
    "split_text_to_chunks",
]

logger = logging.getLogger(__name__)

#: Endings of files that are read. A list, because programs add to it.
TEXT_FORMATS: list[str] = "txt json csv tsv md html htm rtf rst jsonl log xml yaml yml pdf".split()
VALID_CHUNK_MODES: Final = frozenset({"one_line", "multi_lines"})

_URL_TIMEOUT_S: Final = 30.0
_MAX_DOWNLOAD_BYTES: Final = 50 * 1024 * 1024


# ---------------------------------------------------------------------------------------- chunks


def split_text_to_chunks(
    text: str,
    max_tokens: int = 4000,
    chunk_mode: str = "multi_lines",
    must_break_at_empty_line: bool = True,
    overlap: int = 0,
) -> list[str]:
    """Pieces of a text, in order, none longer than `max_tokens`.

    Args:
        text: The text.
        max_tokens: What a chunk may count; tokens are counted, or estimated from above, by
            `count_token`.
        chunk_mode: "multi_lines" puts as many lines into a chunk as fit; "one_line" makes each line
            that is not blank a chunk of its own.
        must_break_at_empty_line: End a chunk at the last blank line it has, where there is one.
        overlap: How many lines the end of a chunk and the start of the next have in common.

    Raises:
        UsageError: `max_tokens` is not positive, or `overlap` is negative.
        AssertionError: Another `chunk_mode`.
    """
    if chunk_mode not in VALID_CHUNK_MODES:
        raise AssertionError(
            f"chunk_mode is {chunk_mode!r}; use one of {sorted(VALID_CHUNK_MODES)}."
        )
    if max_tokens < 1 or overlap < 0:
        raise UsageError(
            f"max_tokens is {max_tokens!r} and overlap {overlap!r}; they must be at least 1 and 0."
        )
    lines = [
        piece
        for line in text.split("\n")
        if chunk_mode == "multi_lines" or line.strip()
        for piece in _short_enough(line, max_tokens)
    ]
    if chunk_mode == "one_line":
        return lines
    # A line's end is a token at most.
    sizes = [count_token(line) + 1 for line in lines]
    chunks = []
    start = 0
    while start < len(lines):
        end, size = start + 1, sizes[start]
        while end < len(lines) and size + sizes[end] <= max_tokens:
            size += sizes[end]
            end += 1
        if must_break_at_empty_line and end < len(lines):
            blank = next((i for i in range(end - 1, start, -1) if not lines[i].strip()), None)
            end = end if blank is None else blank + 1
        chunk = "\n".join(lines[start:end]).strip("\n")
        if chunk.strip():
            chunks.append(chunk)
        # At least one line further, whatever the overlap.
        start = end if end == len(lines) else max(start + 1, end - overlap)
    return chunks


def _short_enough(line: str, max_tokens: int) -> list[str]:
    """`line`, cut where it alone is too long; between words where there are any."""
    pieces = []
    while (n_tokens := count_token(line)) > max_tokens and len(line) > 1:
        n_chars = max(1, len(line) * max_tokens // n_tokens)
        while n_chars > 1 and count_token(line[:n_chars]) > max_tokens:
            n_chars = n_chars * 9 // 10
        blank = line.rfind(" ", n_chars // 2, n_chars)
        n_chars = blank + 1 if blank > 0 else n_chars
        pieces.append(line[:n_chars])
        line = line[n_chars:]
    return [*pieces, line]


def split_files_to_chunks(
    files: Sequence[Any],
    max_tokens: int = 4000,
    chunk_mode: str = "multi_lines",
    must_break_at_empty_line: bool = True,
    custom_text_split_function: Callable[[str], list[str]] | None = None,
) -> tuple[list[str], list[dict[str, Any]]]:
    """The chunks of files, and for each chunk `{"source": path or URL}`.

    Args:
        files: Paths, or (path, URL) for what was downloaded.
        max_tokens: As for `split_text_to_chunks`.
        chunk_mode: As for `split_text_to_chunks`.
        must_break_at_empty_line: As for `split_text_to_chunks`.
        custom_text_split_function: Takes a file's text and gives its chunks, instead.
    """
    chunks: list[str] = []
    sources: list[dict[str, Any]] = []
    for file in files:
        path, source = file if isinstance(file, tuple) else (file, file)
        text = _text_of(str(path))
        if not text.strip():
            logger.warning("there is no text in %s.", source)
            continue
        if custom_text_split_function is not None:
            found = list(custom_text_split_function(text))
        else:
            found = split_text_to_chunks(text, max_tokens, chunk_mode, must_break_at_empty_line)
        chunks += found
        sources += [{"source": str(source)} for _ in found]
    return chunks, sources


def _text_of(path: str) -> str:
    if path.lower().endswith(".pdf"):
        return extract_text_from_pdf(path)
    with open(path, encoding="utf-8", errors="ignore") as file:
        return file.read()


def extract_text_from_pdf(file: str) -> str:
    """The text of a PDF file; "" with a line in the log where it can't be read.

    Raises:
        UsageError: The package pypdf is not installed.
    """
    try:
        pypdf: Any = importlib.import_module("pypdf")
        faults: Any = importlib.import_module("pypdf.errors")
    except ImportError as error:
        raise UsageError(
            f"reading the PDF file {file!r} needs the package pypdf: pip install pypdf."
        ) from error
    try:
        with open(file, "rb") as stream:
            reader = pypdf.PdfReader(stream)
            if reader.is_encrypted:
                reader.decrypt("")
            return "\n".join(page.extract_text() for page in reader.pages)
    except (faults.PyPdfError, ValueError, KeyError) as error:
        logger.warning("the PDF file %s can't be read: %s", file, error)
        return ""


# ----------------------------------------------------------------------------------------- files


def get_files_from_dir(
    dir_path: str | os.PathLike[str] | Sequence[Any],
    types: Sequence[str] | None = None,
    recursive: bool = True,
) -> list[Any]:
    """Files to read, in order of their names.

    Args:
        dir_path: A folder, a file, a URL, which is downloaded, or a list of these.
        types: Endings of the files of a folder to take; by default `TEXT_FORMATS`. Files that are
            named themselves are taken whatever their ending.
        recursive: Whether to look into folders inside.

    Returns:
        Paths, and (path, URL) for what was downloaded.

    Raises:
        UsageError: There is no such file or folder, or a URL can't be loaded.
    """
    endings = tuple(f".{one.lower()}" for one in (TEXT_FORMATS if types is None else types))
    if not isinstance(dir_path, str | os.PathLike):
        return [file for one in dir_path for file in get_files_from_dir(one, types, recursive)]
    path = os.fspath(dir_path)
    if os.path.isfile(path):
        return [path]
    if is_url(path):
        return [get_file_from_url(path)]
    if not os.path.isdir(path):
        raise UsageError(f"{path!r} is no file, folder or URL to read documents from.")
    pattern = os.path.join(glob.escape(path), "**" if recursive else "", "*")
    found = glob.glob(pattern, recursive=recursive)
    return sorted(f for f in found if f.lower().endswith(endings) and os.path.isfile(f))


def is_url(string: str) -> bool:
    """Whether a text is an address with a scheme and a host."""
    try:
        parts = urllib.parse.urlsplit(string)
    except ValueError:
        return False
    return bool(parts.scheme and parts.netloc)


def get_file_from_url(url: str, save_path: str | None = None) -> tuple[str, str]:
    """Download a file: its path and its URL. HTML is kept as Markdown.

    Args:
        url: http or https. At most 50 MB and 30 seconds of silence.
        save_path: The file to write, or a folder for it; by default a folder that goes when the
            process ends.

    Raises:
        UsageError: The URL can't be loaded, or there is too much of it.
    """
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise UsageError(f"the URL {url!r} can't be loaded; use http or https.")
    request = urllib.request.Request(url, headers={"User-Agent": "Mozilla/5.0 (autogen)"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=_URL_TIMEOUT_S) as response:  # noqa: S310
            body: bytes = response.read(_MAX_DOWNLOAD_BYTES + 1)
            kind = response.headers.get_content_type()
            charset = response.headers.get_content_charset() or "utf-8"
    except (OSError, ValueError) as error:
        raise UsageError(f"the URL {url!r} can't be loaded: {error}.") from error
    if len(body) > _MAX_DOWNLOAD_BYTES:
        raise UsageError(f"the URL {url!r} has more than {_MAX_DOWNLOAD_BYTES} bytes.")
    name = re.sub(r"[^\w.-]", "_", os.path.basename(parts.path)) or "page"
    if kind == "text/html":
        text = body.decode(_known_charset(charset), "replace")
        body = parse_html_to_markdown(text, url).encode()
        name += ".md"
    if save_path is None:
        # Files of one name from several places stay apart.
        key = hashlib.blake2b(url.encode(), digest_size=8).hexdigest()
        save_path = os.path.join(_downloads(os.getpid()), key, name)
    elif os.path.isdir(save_path) or save_path.endswith(("/", os.sep)):
        save_path = os.path.join(save_path, name)
    os.makedirs(os.path.dirname(os.path.abspath(save_path)), exist_ok=True)
    with open(save_path, "wb") as file:
        file.write(body)
    return save_path, url


@cache
def _downloads(process: int) -> str:
    """A folder of this process for what it downloads."""
    folder = tempfile.mkdtemp(prefix="autogen-documents-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _known_charset(name: str) -> str:
    try:
        "".encode(name)
    except LookupError:
        return "utf-8"
    return name


# ----------------------------------------------------------------------------------------- HTML


def parse_html_to_markdown(html: str, url: str | None = None) -> str:
    """The text of a page as simple Markdown: headings, paragraphs, list items, code, links.

    Args:
        html: The page.
        url: Where it is from; relative links are completed with it.
    """
    page = _Page(url)
    page.feed(html)
    page.close()
    return page.text()


class _Page(HTMLParser):
    """Collects the text of a page, with the marks of Markdown for what its tags say."""

    _SKIPPED: Final = frozenset({"head", "script", "style", "noscript", "template", "svg"})
    _BLOCKS: Final = frozenset(
        "address article aside blockquote div dl dt dd fieldset figure footer form header hr main "
        "nav ol p section table tr ul".split()
    )
    _HEADINGS: Final = {f"h{n}": "#" * n + " " for n in range(1, 7)}

    def __init__(self, url: str | None):
        super().__init__(convert_charrefs=True)
        self._url = url
        self._parts: list[str] = []
        self._n_skipped = 0
        self._is_verbatim = False
        self._links: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self._SKIPPED:
            self._n_skipped += 1
        elif tag in self._HEADINGS:
            self._parts.append("\n\n" + self._HEADINGS[tag])
        elif tag in self._BLOCKS:
            self._parts.append("\n\n")
        elif tag == "br":
            self._parts.append("\n")
        elif tag == "li":
            self._parts.append("\n- ")
        elif tag in ("td", "th"):
            self._parts.append(" ")
        elif tag == "pre":
            self._is_verbatim = True
            self._parts.append("\n\n```\n")
        elif tag == "a":
            target = dict(attrs).get("href")
            self._links.append(target and urllib.parse.urljoin(self._url or "", target))
            if target:
                self._parts.append("[")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._SKIPPED:
            self._n_skipped = max(0, self._n_skipped - 1)
        elif tag in self._HEADINGS or tag in self._BLOCKS:
            self._parts.append("\n\n")
        elif tag == "pre":
            self._is_verbatim = False
            self._parts.append("\n```\n\n")
        elif tag == "a" and self._links:
            target = self._links.pop()
            if target:
                self._parts.append(f"]({target})")

    def handle_data(self, data: str) -> None:
        if not self._n_skipped:
            self._parts.append(data if self._is_verbatim else re.sub(r"\s+", " ", data))

    def text(self) -> str:
        """What was collected, without runs of blanks and blank lines outside of code."""
        kept: list[str] = []
        for i, part in enumerate("".join(self._parts).split("```")):
            kept.append(
                part if i % 2 else re.sub(r"\n\s*\n+", "\n\n", re.sub(r" *\n *", "\n", part))
            )
        return "```".join(kept).strip() + "\n"


# ---------------------------------------------------------------------------------------- stores


def create_vector_db_from_dir(
    dir_path: str | Sequence[str],
    max_tokens: int = 4000,
    client: Any = None,
    db_path: str = "tmp/chromadb.db",
    collection_name: str = "all-my-documents",
    get_or_create: bool = False,
    chunk_mode: str = "multi_lines",
    must_break_at_empty_line: bool = True,
    embedding_model: str = "all-MiniLM-L6-v2",
    embedding_function: Callable[..., Any] | None = None,
    custom_text_split_function: Callable[[str], list[str]] | None = None,
    custom_text_types: Sequence[str] | None = None,
    recursive: bool = True,
    extra_docs: bool = False,
) -> Any:
    """Put the chunks of documents into a store, which is returned; close it after use.

    Args:
        dir_path: As for `get_files_from_dir`.
        max_tokens: As for `split_text_to_chunks`.
        client: A `LocalMemory` to use instead of opening `db_path`.
        db_path: The store's file, or a folder for it.
        collection_name: Where in the store.
        get_or_create: Whether the collection may exist.
        chunk_mode: As for `split_text_to_chunks`.
        must_break_at_empty_line: As for `split_text_to_chunks`.
        embedding_model: Kept for 0.2; no model is loaded by name here.
        embedding_function: As for `LocalMemory`.
        custom_text_split_function: As for `split_files_to_chunks`.
        custom_text_types: As `types` of `get_files_from_dir`.
        recursive: As for `get_files_from_dir`.
        extra_docs: The collection may exist, and gets these documents too.

    Raises:
        UsageError: The collection exists and may not, or there are no such documents.
    """
    memory = client if client is not None else LocalMemory(db_path, embedding_function)
    try:
        files = get_files_from_dir(dir_path, custom_text_types, recursive)
        chunks, sources = split_files_to_chunks(
            files, max_tokens, chunk_mode, must_break_at_empty_line, custom_text_split_function
        )
        if not memory.create(collection_name) and not (get_or_create or extra_docs):
            raise UsageError(
                f"the collection {collection_name!r} exists already; say get_or_create=True to add "
                "to it."
            )
        memory.add(chunks, metadata=sources, collection=collection_name, replace=False)
    except BaseException:
        if client is None:
            memory.close()
        raise
    return memory


def query_vector_db(
    query_texts: str | Sequence[str],
    n_results: int = 10,
    client: Any = None,
    db_path: str = "tmp/chromadb.db",
    collection_name: str = "all-my-documents",
    search_string: str = "",
    embedding_model: str = "all-MiniLM-L6-v2",
    embedding_function: Callable[..., Any] | None = None,
) -> dict[str, list[list[Any]]]:
    """What a store has nearest to each query, in columns.

    Args:
        query_texts: What to look for.
        n_results: At most so many for each query.
        client: A `LocalMemory` to use instead of opening `db_path`.
        db_path: The store's file, or the folder it is in.
        collection_name: Where in the store.
        search_string: A piece of text that results must have.
        embedding_model: Kept for 0.2; no model is loaded by name here.
        embedding_function: The one the store was made with.

    Returns:
        `ids`, `documents`, `metadatas` and `distances` (1 - cosine): of each a list per query.

    Raises:
        UsageError: There is no such collection.
    """
    memory = client if client is not None else LocalMemory(db_path, embedding_function)
    queries = [query_texts] if isinstance(query_texts, str) else query_texts
    try:
        found = [
            memory.query(query, limit=n_results, collection=collection_name, contains=search_string)
            for query in queries
        ]
    finally:
        if client is None:
            memory.close()
    return {
        "ids": list(_column(found, lambda one: one.entry.id)),
        "documents": list(_column(found, lambda one: one.entry.text)),
        "metadatas": list(_column(found, lambda one: dict(one.entry.metadata))),
        "distances": list(_column(found, lambda one: 1 - one.score)),
    }


def _column(found: list[list[Any]], value: Callable[[Any], Any]) -> Iterator[list[Any]]:
    return ([value(one) for one in row] for row in found)
