"""What one cell of code gave: text in order, pictures and pages as files, or an error.

Fed with the messages of a kernel, all of them taken as hostile: text is bounded and cleaned,
pictures are checked and limited in number and size. Both executors use it; nothing is run here.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import uuid
from pathlib import Path
from typing import Any, NamedTuple

from ..output import BoundedOutput, Decoder, clean_text

__all__ = ["Cell", "DataItem", "Files"]

MOST_FILES = 100
MOST_FILE_BYTES = 16 << 20
MOST_ERROR_CHARS = 32_768
#: Suffix of the file that a display of this type is saved to.
SUFFIXES = {
    "image/bmp": "bmp",
    "image/gif": "gif",
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/svg+xml": "svg",
    "image/webp": "webp",
    "text/html": "html",
}
NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class DataItem(NamedTuple):
    """Something a cell displayed that is no plain text.

    Attributes:
        mime_type: For example "image/png".
        data: As the kernel sent it: base64 for pictures, text for pages.
    """

    mime_type: str
    data: str


class Files:
    """Saves what cells display in a folder, under random names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths: list[str] = []

    def save(self, mime: str, data: Any) -> str:
        """Save one picture or page; a line that says where it is, or why it is not."""
        what = "HTML" if mime == "text/html" else "Image"
        if len(self.paths) >= MOST_FILES:
            return f"{what} data was not saved: at most {MOST_FILES} files are."
        content = decoded(mime, data)
        if content is None:
            return f"{what} data was not saved: it is no valid {mime}."
        if len(content) > MOST_FILE_BYTES:
            return f"{what} data was not saved: it is larger than {MOST_FILE_BYTES >> 20} MiB."
        path = self.folder.resolve() / f"{uuid.uuid4().hex}.{SUFFIXES[mime]}"
        try:
            # A new name in a folder that the code may write to: never through a link.
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_FOLLOW, 0o644)
            with os.fdopen(file, "wb") as stream:
                stream.write(content)
        except OSError as error:
            return f"{what} data was not saved: {error.strerror}."
        self.paths.append(str(path))
        return f"{what} data saved to {path}"


def decoded(mime: str, data: Any) -> bytes | None:
    """The bytes of a file; None if they are not what the type says."""
    if isinstance(data, list) and all(isinstance(line, str) for line in data):
        data = "".join(data)
    if not isinstance(data, str) or not data:
        return None
    if mime in ("text/html", "image/svg+xml"):
        return data.encode("utf-8", "backslashreplace")
    try:
        return base64.b64decode("".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


class Cell:
    """Takes the messages of one cell.

    Args:
        files: Where pictures and pages go; without it they are kept in `items`.
    """

    def __init__(self, files: Files | None = None) -> None:
        self.items: list[DataItem] = []
        #: Why the cell failed, as text for people; None if it did not.
        self.error: str | None = None
        self._files = files
        self._output = BoundedOutput()
        self._decoder = Decoder()
        self._ends_line = True

    @property
    def text(self) -> str:
        """What the cell printed and displayed, in order; the middle of much is left out."""
        return clean_text(self._output.value().decode("utf-8", "backslashreplace"))

    def take(self, kind: str, content: Any) -> str:
        """Take one message in; the text that is worth showing while the cell runs."""
        if not isinstance(content, dict):
            return ""
        if content.get("too_large") is True:
            return self._line("[A display was left out: it is too large.]")
        if kind == "stream":
            return self._add(str(content.get("text", "")))
        if kind in ("execute_result", "display_data"):
            data = content.get("data")
            return "".join(self._display(*item) for item in as_items(data))
        if kind == "error":
            self.error = error_text(content)
        return ""

    def _display(self, mime: str, data: Any) -> str:
        if mime == "text/plain":
            return self._line(str(data))
        if mime not in SUFFIXES:
            return self._line(json.dumps(data))
        if self._files is not None:
            return self._line(self._files.save(mime, data))
        if len(self.items) < MOST_FILES:
            self.items.append(DataItem(mime, data if isinstance(data, str) else ""))
        return ""

    def _line(self, text: str) -> str:
        """Add a line of its own."""
        return self._add(f"{'' if self._ends_line else chr(10)}{text}\n")

    def _add(self, text: str) -> str:
        if not text:
            return ""
        self._ends_line = text.endswith("\n")
        shown = self._output.add(text.encode("utf-8", "backslashreplace"))
        return clean_text(self._decoder(shown))


def as_items(data: Any) -> list[tuple[str, Any]]:
    """The representations of a display, by type."""
    return [(str(mime), value) for mime, value in data.items()] if isinstance(data, dict) else []


def error_text(content: dict[str, Any]) -> str:
    """Name and message of an error, then where it happened."""
    trace = content.get("traceback")
    lines = [str(line) for line in trace] if isinstance(trace, list) else []
    name, message = str(content.get("ename", "Error")), str(content.get("evalue", ""))
    if name == "StdinNotImplementedError":
        message = "Code cannot ask for input here; put the value into the code."
    head = clean_text(f"{name}: {message}")
    text = clean_text("\n".join(lines))
    if len(text) > MOST_ERROR_CHARS:
        half = MOST_ERROR_CHARS // 2
        text = f"{text[:half]}\n[... left out ...]\n{text[-half:]}"
    return f"{head[:MOST_ERROR_CHARS]}\n{text}".rstrip()
