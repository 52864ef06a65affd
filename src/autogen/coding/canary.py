"""What the canaries of all walls begin with.

A canary is a program that runs behind a wall before anything else does. It tries the ways out that
this wall must close, and prints what it found as JSON. Each wall has its own, beside it, because
each promises something else.
"""

from __future__ import annotations

__all__ = ["PRELUDE"]

#: Gives a canary `can`, for an act that has to fail, and `status`, what the kernel says about it.
PRELUDE = r"""
import json, os, socket, sys
def can(act):
    try:
        act()
    except OSError:
        return False
    return True
lines = open("/proc/self/status").read().splitlines()
status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
def capabilities(*sets):
    return any(int(status[f"Cap{name}"], 16) for name in sets)
"""
