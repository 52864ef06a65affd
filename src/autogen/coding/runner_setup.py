"""What every runner is told before its first block; the rest is said beside the wall it is for."""

from __future__ import annotations

from pathlib import Path

from .egress import Egress
from .gate import PORT

__all__ = ["INSIDE", "installers", "limits", "variables"]

#: Where a runner keeps its own things, unless its wall needs another place.
INSIDE = "/run/autogen"


def limits(*, memory_mb: int, disk_mb: int, processes: int) -> dict[str, int]:
    """What all processes of a block may use together."""
    return {
        "memory_bytes": memory_mb << 20,
        "disk_bytes": disk_mb << 20,
        "processes": processes,
    }


def variables(*, home: str, work_dir: str, egress: Egress | None = None) -> dict[str, str]:
    """The variables that code finds behind every wall."""
    return {
        "HOME": home,
        "LANG": "C.UTF-8",
        "MPLBACKEND": "Agg",
        "PWD": work_dir,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONIOENCODING": "utf-8:backslashreplace",
        "PYTHONUNBUFFERED": "1",
        **(_proxy_variables(egress) if egress else {}),
    }


def _proxy_variables(egress: Egress) -> dict[str, str]:
    """What makes programs inside take the way out, in both cases of letters."""
    here = f"http://127.0.0.1:{PORT}"
    named = {"http_proxy": here, "https_proxy": here, "all_proxy": here}
    named["no_proxy"] = egress.bypass()
    both = {spelling: value for name, value in named.items() for spelling in (name, name.upper())}
    return {**both, "NODE_USE_ENV_PROXY": "1"}


def installers(python: str, *, inside: str = INSIDE) -> dict[str, tuple[str, int]]:
    """Files, with their modes, by which `pip` and `uv` inside ask the host to install."""
    shim = Path(__file__).with_name("pip_shim.py").read_text(encoding="utf-8")
    command = '#!/bin/sh\nexec {} -m {} "$@"\n'
    return {
        f"{inside}/lib/pip/__init__.py": (shim.replace(INSIDE, inside), 0o644),
        f"{inside}/lib/pip/__main__.py": ("from . import main\nraise SystemExit(main())\n", 0o644),
        f"{inside}/lib/uv.py": ("from pip import uv\nraise SystemExit(uv())\n", 0o644),
        f"{inside}/bin/pip": (command.format(python, "pip"), 0o755),
        f"{inside}/bin/pip3": (command.format(python, "pip"), 0o755),
        f"{inside}/bin/uv": (command.format(python, "uv"), 0o755),
    }
