"""Which program is the kernel of a name, and what of this machine it needs to see."""

from __future__ import annotations

import importlib.util
import os
import re
from dataclasses import dataclass, field

from ...errors import ExecutionError, UsageError

__all__ = ["BRIDGE", "KernelSpec", "find_kernel"]

#: What `bridge.py` is called inside.
BRIDGE = "autogen_bridge"
PYTHON = re.compile(r"python(3(\.\d+)?)?(\.exe)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelSpec:
    """How a kernel is started.

    Attributes:
        argv: Program and arguments; `{connection_file}` stands for a path. The first is "python"
            where the interpreter of the wall is meant.
        env: Variables it wants.
        interrupt_mode: "signal" or "message".
        folder: Its own files, to be shown inside; None where it needs none.
    """

    argv: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)
    interrupt_mode: str = "signal"
    folder: str | None = None


def find_kernel(name: str) -> KernelSpec:
    """The kernel that is installed here under this name.

    Raises:
        ExecutionError: The extra is missing.
        UsageError: There is no such kernel.
    """
    missing = [one for one in ("jupyter_client", "ipykernel") if not importlib.util.find_spec(one)]
    if missing:
        raise ExecutionError(
            "autogen.coding.jupyter needs the 'jupyter' extra: run pip install -e "
            '".[jupyter]" in the clone of this package '
            f"({' and '.join(missing)} cannot be imported)."
        )
    if name == "python3":
        # Known without loading the library, which takes a third of a second.
        launcher = ("python", "-m", "ipykernel_launcher", "-f", "{connection_file}")
        return KernelSpec(argv=(*launcher, f"--Session.packer={BRIDGE}.pack"))
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    manager = KernelSpecManager()
    try:
        spec = manager.get_kernel_spec(name)
    except NoSuchKernel:
        known = ", ".join(sorted(manager.find_kernel_specs())) or "none"
        raise UsageError(
            f"Kernel {name} is not installed. Installed here: {known}; "
            "`jupyter kernelspec install` adds one."
        ) from None
    argv = tuple(str(part) for part in spec.argv)
    if PYTHON.fullmatch(os.path.basename(argv[0])):
        argv = ("python", *argv[1:])
    folder = spec.resource_dir or None
    return KernelSpec(
        argv=tuple(part.replace("{resource_dir}", folder or "") for part in argv),
        env={str(key): str(value) for key, value in spec.env.items()},
        interrupt_mode=str(spec.interrupt_mode),
        folder=folder,
    )
