"""The event log as JSON lines: what `--json` writes to stdout."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import IO

from ..config.secrets import MASK
from ..events import Event

__all__ = ["JsonLines"]


class JsonLines:
    """A sink that writes each stored event as one line, and numbers them from 1.

    Tokens, live output and progress are shown, not kept, so they are left out. Keys of the model
    are masked wherever they stand.
    """

    def __init__(self, stream: IO[str], secrets: Iterable[str] = ()):
        self._stream = stream
        self._secrets = tuple(secret for secret in secrets if secret)
        self._pos = 0

    def __call__(self, event: Event) -> None:
        """Write `event`."""
        if event.is_transient:
            return
        self._pos += 1
        line = replace(event, pos=self._pos).to_json()
        for secret in self._secrets:
            line = line.replace(secret, MASK)
        print(line, file=self._stream, flush=True)
