"""Runs blocks behind one wall, as the user that started it: orders and results are lines of JSON.

python stage.py WORLD
"""

from __future__ import annotations

import fcntl
import json
import os
import sys

import layers

from autogen.coding import (
    CodeBlock,
    DockerCommandLineCodeExecutor,
    SandboxCommandLineCodeExecutor,
    bubblewrap,
    landlock,
)

LIMITS = {"memory_mb": 192, "processes": 40, "disk_mb": 32, "network": "public"}


def main() -> None:
    world = json.loads(sys.argv[1])
    world["environ"] = dict(os.environ)
    # Above the numbers that a runner and its block use themselves.
    secret = os.open(world["secret"], os.O_RDONLY)
    world["descriptor"] = fcntl.fcntl(secret, fcntl.F_DUPFD, 100)
    os.set_inheritable(world["descriptor"], True)
    for name in world["without"]:
        layers.no_canary()
        layers.OFF[world["wall"]][name](world)
    options = {"work_dir": world["work"], **LIMITS}
    if world["wall"] == "docker":
        box = DockerCommandLineCodeExecutor(world["image"], **options)
    else:
        if world["mapped"] is not None:
            variant = bubblewrap.Variant(mapped=world["mapped"], seal=not world["mapped"])
            if world["without"]:
                bubblewrap._proven[False] = variant
            else:
                only_variant(variant)
        box = SandboxCommandLineCodeExecutor(wall=world["wall"], **options)
    for line in sys.stdin:
        order = json.loads(line)
        box._timeout = order["timeout_s"]
        block = CodeBlock(code=order["code"], language=order["language"])
        result = box.execute_code_blocks([block])
        artifacts = [[one.name, one.sha256] for one in result.artifacts]
        told = {"code": result.exit_code, "output": result.output, "artifacts": artifacts}
        print(json.dumps(told), flush=True)
    box.stop()


def only_variant(variant: bubblewrap.Variant) -> None:
    """Let the canary judge this variant and take no other."""
    real = bubblewrap._raise_wall

    def raise_wall(bwrap: str, plan: object, wanted: object, waker: object) -> object:
        if str(wanted) != str(variant):
            raise OSError("another variant is wanted")
        return real(bwrap, plan, wanted, waker)

    bubblewrap._raise_wall = raise_wall


assert landlock
main()
