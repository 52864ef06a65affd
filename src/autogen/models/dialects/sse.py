"""Server-sent events: bytes in, the data of whole events out.

Takes what servers really send: any line ending, comments, chunks cut anywhere, a byte order mark,
a bare JSON line where an event should be. Knows nothing of models.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from __future__ import annotations

__all__ = ["EventLines"]

_BOM = b"\xef\xbb\xbf"


class EventLines:
    """Takes a stream apart into events; each event is the list of its data lines."""

    __slots__ = ("_data", "_is_first", "_pieces", "_skip_newline")

    def __init__(self) -> None:
        #: Beginnings of a line whose end has not come; joined once, so that a line that comes in
        #: 10,000 chunks costs as much as one that comes in one.
        self._pieces: list[bytes] = []
        self._data: list[bytes] = []
        self._skip_newline = False
        self._is_first = True

    def feed(self, chunk: bytes) -> list[list[bytes]]:
        """The events that `chunk` completes."""
        if self._skip_newline and chunk:
            # The carriage return that ended the chunk before was the first half of this end.
            self._skip_newline = False
            chunk = chunk.removeprefix(b"\n")
        if b"\r" in chunk:
            self._skip_newline = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if b"\n" not in chunk:
            if chunk:
                self._pieces.append(chunk)
            return []
        lines = (b"".join(self._pieces) + chunk).split(b"\n")
        last = lines.pop()
        self._pieces = [last] if last else []
        return self._events(lines)

    def end(self) -> list[list[bytes]]:
        """The event that the end of the stream leaves open, if it has any data."""
        line = b"".join(self._pieces)
        self._pieces = []
        return self._events([line, b""] if line else [b""])

    def _events(self, lines: list[bytes]) -> list[list[bytes]]:
        events = []
        for line in lines:
            if self._is_first:
                self._is_first = False
                line = line.removeprefix(_BOM)
            if not line:
                if self._data:
                    events.append(self._data)
                    self._data = []
            elif line.startswith(b"data:"):
                self._data.append(line[6:] if line[5:6] == b" " else line[5:])
            elif line.startswith(b"{"):
                # No field of the format begins so: a server that fails says it as plain JSON.
                self._data.append(line)
        return events
