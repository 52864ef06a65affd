"""What walls are built from: values that executors make and walls read."""

from __future__ import annotations

from dataclasses import dataclass, field

from .egress import Egress
from .interpreter import Interpreter, running_interpreter

__all__ = ["Mount", "Plan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A folder or file of the host shown inside, at `inside`."""

    host: str
    inside: str
    writable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a wall of this machine, bubblewrap or Landlock, is built from.

    Attributes:
        work_dir: Absolute and real; writable, at its own place inside.
        layers_dir: Where packages are installed, read-only inside; it exists.
        layer: The layer to begin with.
        preload: Modules that are imported before the first block.
        egress: What may be reached through the proxy of the host; None for nothing.
        at_once: A block waits for the wall, so what helps later ones is done after it.
        folder: Device and inode of the work_dir as it was looked at; None where nobody did.
    """

    work_dir: str
    layers_dir: str
    layer: str | None
    host_network: bool
    memory_mb: int
    processes: int
    disk_mb: int
    env: dict[str, str]
    mounts: tuple[Mount, ...] = ()
    preload: tuple[str, ...] = ()
    egress: Egress | None = None
    at_once: bool = False
    folder: tuple[int, int] | None = None
    interpreter: Interpreter = field(default_factory=running_interpreter)
