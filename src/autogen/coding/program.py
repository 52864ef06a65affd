"""Programs as compiled code, in memory: starting them from source would compile them each time."""

from __future__ import annotations

import importlib.util
import marshal
import os
from functools import lru_cache
from pathlib import Path

__all__ = ["compiled", "memory_file"]


@lru_cache(maxsize=4)
def compiled(name: str) -> bytes:
    """What a compiled file of the module `name` holds, for the Python that runs this program."""
    source = Path(__file__).with_name(name).read_bytes()
    code = compile(source, name, "exec", dont_inherit=True)
    # Source: PEP 552; flags, time and size are not looked at in a file that is run by its path.
    return importlib.util.MAGIC_NUMBER + bytes(12) + marshal.dumps(code)


def memory_file(name: str, data: bytes) -> int:
    """A descriptor from which `data` can be read, of a file that lies in no folder."""
    fd = os.memfd_create(name)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(fd, rest) :]
        os.lseek(fd, 0, os.SEEK_SET)
    except BaseException:
        os.close(fd)
        raise
    return fd
