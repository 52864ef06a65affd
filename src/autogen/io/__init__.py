"""Where people see output and type input: the console, a web socket, or a stream of your own."""

from __future__ import annotations

from ..human.stream import InputStream, IOConsole, IOStream, OutputStream
from . import base as base
from . import console as console
from .websockets import IOWebsockets

__all__ = ["IOConsole", "IOStream", "IOWebsockets", "InputStream", "OutputStream"]
