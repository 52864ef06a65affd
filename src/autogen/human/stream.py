"""`IOStream`: where people see output and type input.

All output and input of the package goes through the current stream, so a notebook, a web socket or
a test takes part by setting its own. The default is context-local: a thread or task that sets one
does not disturb the others.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol, runtime_checkable

__all__ = ["IOConsole", "IOStream", "InputStream", "OutputStream"]


@runtime_checkable
class OutputStream(Protocol):
    """Something that prints."""

    def print(self, *objects: Any, sep: str = " ", end: str = "\n", flush: bool = False) -> None:
        """Print as the built-in `print` does."""
        ...


@runtime_checkable
class InputStream(Protocol):
    """Something that asks."""

    def input(self, prompt: str = "", *, password: bool = False) -> str:
        """The line a person typed, without its newline."""
        ...


class _Defaults:
    everywhere: Any = None


_here: ContextVar[Any] = ContextVar("autogen_iostream", default=None)


@runtime_checkable
class IOStream(InputStream, OutputStream, Protocol):
    """A stream that prints and asks. Subclass it, or bring any object with both methods."""

    @staticmethod
    def set_global_default(stream: IOStream) -> None:
        """Use `stream` wherever the context has set none. None means that there is no default."""
        _Defaults.everywhere = stream

    @staticmethod
    def get_global_default() -> IOStream:
        """The stream for contexts that set none.

        Raises:
            RuntimeError: There is none.
        """
        stream: IOStream | None = _Defaults.everywhere
        if stream is None:
            raise RuntimeError(
                "No global default IOStream is set; call IOStream.set_global_default()."
            )
        return stream

    @staticmethod
    def get_default() -> IOStream:
        """The stream of the current context, else the global one."""
        stream: IOStream | None = _here.get()
        return IOStream.get_global_default() if stream is None else stream

    @staticmethod
    @contextmanager
    def set_default(stream: IOStream | None) -> Iterator[None]:
        """Use `stream` inside the `with` block, in this context only."""
        token = _here.set(stream)
        try:
            yield
        finally:
            _here.reset(token)


class IOConsole(IOStream):
    """stdin and stdout, looked up at each use so that redirections count."""

    def print(self, *objects: Any, sep: str = " ", end: str = "\n", flush: bool = False) -> None:
        """Print to stdout."""
        try:
            print(*objects, sep=sep, end=end, flush=flush)  # noqa: T201 this is where it ends up
        except UnicodeEncodeError:
            # A terminal that lacks a character is no reason to lose a conversation.
            code = sys.stdout.encoding or "ascii"
            shown = [str(o).encode(code, "backslashreplace").decode(code) for o in objects]
            print(*shown, sep=sep, end=end, flush=flush)  # noqa: T201

    def input(self, prompt: str = "", *, password: bool = False) -> str:
        """One line from stdin; not shown as it is typed when it is a password."""
        if password:
            from getpass import getpass

            return getpass(prompt)
        return input(prompt)


IOStream.set_global_default(IOConsole())
