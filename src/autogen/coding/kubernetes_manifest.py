"""What a pod is made of: the plan of an executor, and the manifest that the API server takes.

Everything that makes a pod tight is said here; `kubernetes_pod.py` looks whether it holds.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["INSIDE", "NETWORK_LABEL", "PodPlan", "manifest_of"]

INSIDE = "/run/autogen"
#: What the shipped policies choose pods by.
NETWORK_LABEL = "autogen.executor/network"
USER = 10001
#: Room in the pod for the runner itself, beyond what a block may use.
RUNNER_MB = 128

# Process 1 ends, and with it everything in the container, when the runner is gone: a program that
# was killed closes its stream, and leaves nothing that runs.
KEEPER = """
import os, select, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
path = {inside!r} + "/life"
os.mkfifo(path, 0o600)
life = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
poll = select.poll()
poll.register(life, select.POLLIN)
if poll.poll({start_ms}):
    while os.read(life, 4096):
        poll.poll()
"""
KEEP = "import signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\nwhile True: signal.pause()"
KEEPER_S = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class PodPlan:
    """What a pod is built from.

    Attributes:
        spec: A whole pod of the caller's own, as a dict, instead of ours.
        work_dir: Absolute path inside.
        packages: Requirements that pip installs inside before any block.
        lifetime_s: When the cluster ends the pod, whoever holds it.
        once: End when this program lets go of the stream.
    """

    namespace: str
    name: str
    image: str
    container: str
    spec: dict[str, Any] | None
    work_dir: str
    network: str
    packages: tuple[str, ...]
    env: Mapping[str, str]
    memory_mb: int
    processes: int
    disk_mb: int
    cpus: float
    lifetime_s: int
    once: bool

    @property
    def inside(self) -> str:
        """Where the runner keeps its own files."""
        return INSIDE if self.spec is None else "/tmp/.autogen"  # noqa: S108 - in the pod

    @property
    def label(self) -> str:
        """The pod, for people."""
        return f"the pod {self.name!r} in namespace {self.namespace!r}"


def manifest_of(plan: PodPlan) -> dict[str, Any]:
    """The pod as the API server takes it."""
    manifest = copy.deepcopy(plan.spec) if plan.spec is not None else _tight(plan)
    manifest.setdefault("apiVersion", "v1")
    manifest.setdefault("kind", "Pod")
    metadata = manifest.setdefault("metadata", {})
    metadata.update(name=plan.name, namespace=plan.namespace)
    labels = metadata.setdefault("labels", {})
    labels.setdefault("app.kubernetes.io/managed-by", "autogen")
    labels[NETWORK_LABEL] = plan.network
    return manifest


def _tight(plan: PodPlan) -> dict[str, Any]:
    keeper = KEEPER.format(inside=INSIDE, start_ms=KEEPER_S * 1000) if plan.once else KEEP
    limits = {
        "cpu": f"{round(plan.cpus * 1000)}m",
        "memory": f"{plan.memory_mb + RUNNER_MB}Mi",
        "ephemeral-storage": f"{3 * plan.disk_mb + 64}Mi",
    }
    requests = {"cpu": "100m", "memory": f"{min(256, plan.memory_mb)}Mi"}
    requests["ephemeral-storage"] = "64Mi"
    container = {
        "name": plan.container,
        "image": plan.image,
        "command": ["python3", "-I", "-c", keeper],
        "workingDir": "/tmp",  # noqa: S108 - in the pod
        "resources": {"limits": limits, "requests": requests},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "privileged": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "workspace", "mountPath": plan.work_dir},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - in the pod
            {"name": "run", "mountPath": INSIDE},
        ],
    }
    half = {"sizeLimit": f"{max(16, plan.disk_mb // 2)}Mi"}
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [
            {"name": "workspace", "emptyDir": {"sizeLimit": f"{2 * plan.disk_mb}Mi"}},
            {"name": "tmp", "emptyDir": half},
            {"name": "run", "emptyDir": half},
        ],
    }
    if plan.once:
        spec["activeDeadlineSeconds"] = plan.lifetime_s
    return {"spec": spec}
