"""Bytes that code wrote, as text that is safe to store, send and show."""

from __future__ import annotations

import codecs
import re
import signal

__all__ = ["KEEP_BYTES", "BoundedOutput", "Decoder", "clean_text", "exit_status"]

#: How much of a block's output is kept at the start, and again at the end.
KEEP_BYTES = 128 * 1024

COLOURS = re.compile(r"\x1b\[[0-9;:]*m")
#: Control characters other than tab, newline and carriage return, and lone surrogates.
UNSAFE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def clean_text(text: str) -> str:
    """`text` without colours, and with other control characters and lone surrogates spelled out.

    A terminal obeys escape sequences, JSON and databases refuse NUL and lone surrogates, and all of
    this may come from code that a model wrote.
    """
    text = COLOURS.sub("", text).replace("\r\n", "\n")
    return UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


class Decoder:
    r"""UTF-8 as it arrives in pieces; bytes that are none become `\xNN`."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")

    def __call__(self, data: bytes, *, final: bool = False) -> str:
        """The text that `data` completes."""
        return self._decoder.decode(data, final)


class BoundedOutput:
    """Head and tail of a stream, and how much fell out between them."""

    def __init__(self, keep_bytes: int = KEEP_BYTES):
        self._keep_bytes = keep_bytes
        self._head = bytearray()
        self._tail = bytearray()
        self.left_out_bytes = 0

    def add(self, data: bytes) -> bytes:
        """Take `data` in; the part of it that went to the head, which is worth showing live."""
        room = self._keep_bytes - len(self._head)
        shown, rest = data[:room], data[room:]
        self._head += shown
        self._tail += rest
        # Trimming at twice the size keeps the cost of many small writes linear.
        if len(self._tail) > 2 * self._keep_bytes:
            self._trim()
        return shown

    def _trim(self) -> None:
        extra = len(self._tail) - self._keep_bytes
        if extra > 0:
            del self._tail[:extra]
            self.left_out_bytes += extra

    def value(self) -> bytes:
        """Everything that was kept, with a line in place of what was not."""
        self._trim()
        if not self.left_out_bytes:
            return bytes(self._head + self._tail)
        gap = f"\n[... {self.left_out_bytes:,} bytes of output left out ...]\n"
        return bytes(self._head) + gap.encode() + bytes(self._tail)


def exit_status(code: int) -> tuple[int, str]:
    """The exit code as a shell gives it, and a line about the signal that ended the process."""
    if code >= 0:
        return code, ""
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = "unknown"
    return 128 - code, f"Killed by signal {-code} ({name})."
