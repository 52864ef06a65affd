"""Wall 4: a pod around the runner, made as tight as a cluster lets it be.

Makes the pod, waits until it runs or says why it will not, starts the runner over one exec stream,
and looks for ways out with a canary before any other code runs. Only `kubernetes.py` uses this.
"""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

from .._kernel.cancel import CancelToken
from .._kernel.run import transient
from ..errors import ExecutionError, NoWallError, PackageError, RunCancelled
from .canary import PRELUDE
from .kubernetes_cluster import Cluster, Refused
from .kubernetes_link import PodLink, open_exec
from .kubernetes_manifest import PodPlan, manifest_of
from .runner_setup import limits, variables
from .waker import Waker

__all__ = ["POLICIES", "start_pod"]

#: The shipped policies.
POLICIES = Path(__file__).with_name("data") / "kubernetes-network-policy.yaml"
START_S = 30.0
DELETE_S = 5.0
#: How long a fixed name may stay taken by the pod that had it before.
GONE_S = 30.0
INSTALL_S = 900.0
#: How often a pod that is coming up is looked at: quickly at first.
FIRST_LOOK_S, LOOK_S = 0.05, 0.5
#: How long nobody takes a pod, or the reason why it does not start may pass by itself.
UNSCHEDULABLE_S = 10.0
#: How long it may take until policies hold for a new pod.
POLICY_S = 5.0
#: Reasons of a container that waits, which do not pass by themselves.
HOPELESS = frozenset(
    {
        *("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"),
        *("CreateContainerConfigError", "CreateContainerError", "RunContainerError"),
        *("CrashLoopBackOff", "RegistryUnavailable", "ImageInspectError"),
    }
)

# The runner's source comes over the stream: a pod has none of this package's files.
FIRST = """
import os, sys, time
folder, work_dir, life = {inside!r}, {work_dir!r}, {life!r}
os.makedirs(folder + "/packages", exist_ok=True)
os.makedirs(work_dir, exist_ok=True)
deadline = time.monotonic() + 10
while life:
    try:
        fd = os.open(life, os.O_WRONLY)
    except FileNotFoundError:
        if time.monotonic() > deadline:
            sys.exit("process 1 of the pod did not begin")
        time.sleep(0.01)
        continue
    os.write(fd, b"x")
    os.dup2(fd, 100)
    os.close(fd)
    break
path = os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin")
os.environ["PATH"] = folder + "/layer/bin:" + path + ":" + folder + "/last"
size, source = {size}, b""
while len(source) < size:
    part = os.read(0, size - len(source))
    if not part:
        os._exit(0)
    source += part
name = folder + "/runner.py"
exec(compile(source, name, "exec"), {{"__name__": "__main__", "__file__": name}})
"""


def start_pod(cluster: Cluster, plan: PodPlan, *, waker: Waker, token: CancelToken) -> PodLink:
    """A runner in a pod that was seen to hold.

    Raises:
        ExecutionError: The cluster could not run the pod, or the canary found a way out.
        PackageError: The packages could not be installed.
        RunnerLost: The pod came up and the runner did not.
        RunCancelled: `token` fired.
    """
    pod = _Pod(cluster, plan)
    pod.create(token)
    link: PodLink | None = None
    try:
        pod.wait(token)
        source = Path(__file__).with_name("runner.py").read_bytes()
        link = pod.open(len(source), token)
        link.feed(source)
        link.start(_setup(plan), timeout_s=START_S, waker=waker)
        _install(link, plan, waker)
        _canary(link, plan, waker)
    except BaseException:
        if link is not None:
            link.kill()
        else:
            pod.end()
        raise
    if token.cancelled:
        link.kill()
        raise RunCancelled()
    return link


class _Pod:
    """One pod on the cluster, from its making to its end."""

    def __init__(self, cluster: Cluster, plan: PodPlan):
        self.cluster, self.plan = cluster, plan
        self._uid = ""

    def create(self, token: CancelToken) -> None:
        """Have the API server take it."""
        plan, api = self.plan, self.cluster.api
        # A dict goes through as it is.
        manifest: Any = manifest_of(plan)

        async def create() -> Any:
            return await api.create_namespaced_pod(plan.namespace, manifest)

        deadline_s = time.monotonic() + GONE_S
        while True:
            try:
                made = self.cluster.ask(f"make {plan.label}", create, token=token)
            except Refused as error:
                if error.status != 409:
                    raise
                # The pod that had the name before may still be on its way out.
                if "being deleted" in str(error) and time.monotonic() < deadline_s:
                    _pause(LOOK_S, token)
                    continue
                raise ExecutionError(
                    f"A pod named {plan.name!r} is there already in namespace {plan.namespace!r}; "
                    f"remove it with `kubectl delete pod -n {plan.namespace} {plan.name}`, or give "
                    "another pod_name."
                ) from error
            self._uid = made.metadata.uid
            return

    def look(self, token: CancelToken | None = None, limit_s: float = 20.0) -> dict[str, Any]:
        """The pod as the API server has it.

        Raises:
            ExecutionError: It has none, or does not answer.
        """
        plan, api = self.plan, self.cluster.api

        async def read() -> Any:
            return await api.read_namespaced_pod(plan.name, plan.namespace)

        found = self.cluster.ask(f"look at {plan.label}", read, token=token, limit_s=limit_s)
        seen: dict[str, Any] = api.api_client.sanitize_for_serialization(found)
        if seen["metadata"].get("uid") != self._uid:
            raise Refused(f"{plan.label} is another one by now", status=404, reason="NotFound")
        return seen

    def wait(self, token: CancelToken) -> None:
        """Wait until it runs.

        Raises:
            ExecutionError: It will not, and why.
        """
        transient("progress", {"text": f"starting {self.plan.label} ..."})
        began_s = time.monotonic()
        pause_s = FIRST_LOOK_S
        while True:
            seen = self.look(token)
            if self._runs(seen):
                return
            took_s = time.monotonic() - began_s
            if trouble := _trouble(seen, self.plan, took_s):
                raise ExecutionError(trouble)
            _pause(pause_s, token)
            pause_s = min(LOOK_S, pause_s * 1.5)

    def _runs(self, seen: dict[str, Any]) -> bool:
        states = seen.get("status", {}).get("containerStatuses") or ()
        mine = [one for one in states if one.get("name") == self.plan.container]
        return any((one.get("state") or {}).get("running") for one in mine)

    def open(self, source_bytes: int, token: CancelToken) -> PodLink:
        """The stream to a runner in it."""
        plan = self.plan
        life = f"{plan.inside}/life" if plan.once and plan.spec is None else ""
        first = FIRST.format(
            inside=plan.inside, work_dir=plan.work_dir, life=life, size=source_bytes
        )
        command = ["python3", "-I", "-c", first]

        async def start() -> Any:
            return await open_exec(self.cluster, plan.namespace, plan.name, plan.container, command)

        doing = f"start the runner in {plan.label}"
        near, pump, _ = self.cluster.ask(doing, start, token=token)
        return PodLink(near, pump, end=self.end, fate=self.fate, abandon=self.cluster.abandon)

    def fate(self) -> str:
        """Why it is gone, for people; empty where that is not known."""
        try:
            seen = self.look(limit_s=DELETE_S)
        except Refused as error:
            return "the pod was deleted" if error.status == 404 else ""
        except (ExecutionError, RunCancelled):
            return "the Kubernetes API server does not answer"
        return _ending(seen, self.plan.container)

    def end(self) -> None:
        """Delete it and close the connection.

        Never raises for a cluster that is gone: the pod ends when its stream does.
        """
        if self.cluster.is_mine:
            # The garbage collector may end an executor in any thread, this one too.
            threading.Thread(target=self._end, name="autogen-kubernetes-end", daemon=True).start()
        else:
            self._end()

    def _end(self) -> None:
        plan, api = self.plan, self.cluster.api
        options: Any = {"gracePeriodSeconds": 0, "preconditions": {"uid": self._uid}}

        async def delete() -> None:
            await api.delete_namespaced_pod(plan.name, plan.namespace, body=options)

        try:
            self.cluster.ask(f"delete {plan.label}", delete, limit_s=DELETE_S)
        except (ExecutionError, RunCancelled):
            # One that is gone already, or was replaced, is not ours to delete.
            pass
        finally:
            self.cluster.close()


def _pause(pause_s: float, token: CancelToken) -> None:
    fired = threading.Event()
    with token.listen(fired.set):
        fired.wait(pause_s)
    if token.cancelled:
        raise RunCancelled()


# -- how it does -----------------------------------------------------------------------------------


def _trouble(seen: dict[str, Any], plan: PodPlan, took_s: float) -> str | None:
    """Why the pod will not run; None while it may."""
    status = seen.get("status", {})
    if seen["metadata"].get("deletionTimestamp"):
        return f"While it started, {plan.label} was deleted by somebody else."
    if status.get("phase") in ("Failed", "Succeeded"):
        return (
            f"At its start {plan.label} came to an end: {_ending(seen, plan.container)}. "
            f"`kubectl logs -n {plan.namespace} {plan.name}` may say more; its container needs a "
            "python3 and has to keep running."
        )
    states = [
        *(status.get("initContainerStatuses") or ()),
        *(status.get("containerStatuses") or ()),
    ]
    for one in states:
        waiting = (one.get("state") or {}).get("waiting") or {}
        reason = waiting.get("reason", "")
        if reason in HOPELESS:
            said = " ".join(str(waiting.get("message") or "").split())[:400].rstrip(".")
            image = one.get("image") or plan.image
            remedy = (
                "Name an image that the nodes can pull (image=), or give them the credentials with "
                "imagePullSecrets in pod_spec."
                if "Image" in reason or reason == "RegistryUnavailable"
                else "It needs a python3; look at it with `kubectl describe pod`, or give a "
                "pod_spec."
            )
            return (
                f"The image {image!r} of {plan.label} does not start: {reason}"
                f"{f' ({said})' if said else ''}. {remedy}"
            )
    for one in status.get("conditions") or ():
        is_refused = one.get("type") == "PodScheduled" and one.get("status") == "False"
        if is_refused and one.get("reason") == "Unschedulable" and took_s > UNSCHEDULABLE_S:
            said = " ".join(str(one.get("message") or "").split())[:400].rstrip(".")
            return (
                f"No node takes {plan.label} ({said}). Ask for less (memory_mb={plan.memory_mb}"
                f", cpus={plan.cpus:g}, disk_mb={plan.disk_mb}), make room, or give a pod_spec "
                "that a node fits."
            )
    if took_s > 300:
        return (
            f"After {took_s:.0f} seconds {plan.label} still does not run (phase "
            f"{status.get('phase', 'unknown')}); `kubectl describe pod -n {plan.namespace} "
            f"{plan.name}` may say why."
        )
    return None


def _ending(seen: dict[str, Any], container: str) -> str:
    """How a pod came to its end, in its own words."""
    status = seen.get("status", {})
    words = [str(status.get("reason") or ""), str(status.get("message") or "")]
    for one in status.get("containerStatuses") or ():
        ended = (one.get("state") or {}).get("terminated")
        if ended and one.get("name") == container:
            words += [
                str(ended.get("reason") or ""),
                f"exit code {ended.get('exitCode')}",
                str(ended.get("message") or ""),
            ]
    if not any(words) and seen["metadata"].get("deletionTimestamp"):
        words = ["it is being deleted"]
    text = ", ".join(word.strip().rstrip(".") for word in words if word)
    return f"the pod ended: {text}"[:600] if text else ""


# -- the runner ------------------------------------------------------------------------------------


def _setup(plan: PodPlan) -> dict[str, Any]:
    """What the runner is told."""
    inside, layer = plan.inside, f"{plan.inside}/layer"
    env = {
        **variables(home=f"{inside}/home", work_dir=plan.work_dir),
        # pip installs where blocks look, since the rest cannot be written to.
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_CACHE_DIR": "1",
        "PIP_TARGET": layer,
        "PYTHONPATH": layer,
        **plan.env,
    }
    return {
        "limits": {
            **limits(memory_mb=plan.memory_mb, disk_mb=plan.disk_mb, processes=plan.processes),
            # The kernel counts everything that this id runs on the node.
            "user_processes": 1 << 20,
        },
        # Last on the path: for images whose Python goes by `python3` alone.
        "files": {f"{inside}/last/python": ('#!/bin/sh\nexec python3 "$@"\n', 0o755)},
        "links": {},
        "home": f"{inside}/home",
        # Other processes can be seen, process 1 of the pod, and signals end at its wall.
        "shared": {"abi": 0, "folder": inside},
        "path_first": [layer],
        "path_last": [],
        "keep_env": True,
        "env": env,
        "layer": f"{inside}/packages",
        "layer_link": layer,
    }


# -- before the first block ------------------------------------------------------------------------


def _install(link: PodLink, plan: PodPlan, waker: Waker) -> None:
    """Have pip install the packages inside.

    Raises:
        PackageError: It did not.
    """
    if not plan.packages:
        return
    transient("progress", {"text": f"installing {', '.join(plan.packages)} ..."})
    command = ["python3", "-m", "pip", "install", "--no-input", "--quiet", "--", *plan.packages]
    code, output = link.run_quietly(command, cwd=plan.work_dir, timeout_s=INSTALL_S, waker=waker)
    if code and not waker.fired:
        text = output.decode("utf-8", "backslashreplace").strip()[-1500:]
        raise PackageError(
            f"{', '.join(plan.packages)} could not be installed in the pod: {text}\nWays out: put "
            "them into the image, or say where pip finds them (env={'PIP_INDEX_URL': ...})."
        )


CANARY = r"""
import time
network, folder, patience_s = sys.argv[1:]
servers = []
if network != "host":
    servers = [tuple(os.environ.get(f"KUBERNETES_SERVICE_{part}") for part in ("HOST", "PORT"))]
if network == "none":
    try:
        words = [line.split() for line in open("/etc/resolv.conf")]
        servers += [(word[1], 53) for word in words if word[:1] == ["nameserver"]]
    except OSError:
        pass
def reached():
    for host, port in servers:
        if host and port and can(lambda: socket.create_connection((host, int(port)), 1).close()):
            return f"{host}:{port}"
    return ""
deadline = time.monotonic() + float(patience_s)
while (there := reached()) and time.monotonic() < deadline:
    time.sleep(0.25)
print(json.dumps({
    "found": {
        "writes kernel settings": can(lambda: open("/proc/sys/kernel/core_pattern", "r+").close()),
        "writes /": can(lambda: os.mkdir("/autogen-canary")),
        "opens raw sockets": can(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)),
        "has capabilities": capabilities("Prm", "Eff", "Bnd", "Amb"),
        "can gain privileges": status["NoNewPrivs"] != "1",
        "has no system call filter": status["Seccomp"] != "2",
        "is root": os.getuid() == 0,
        "has a token of the cluster": os.path.exists("/var/run/secrets/kubernetes.io"),
    },
    "reached": there,
    "writes its folder": os.access(folder, os.W_OK),
}))
"""


def _canary(link: PodLink, plan: PodPlan, waker: Waker) -> None:
    """Look for ways out from inside.

    Raises:
        NoWallError: There is one.
        ExecutionError: The folder for code cannot be written to.
    """
    argv = ["python3", "-I", "-c", PRELUDE + CANARY, plan.network, plan.work_dir, str(POLICY_S)]
    code, output = link.run_quietly(argv, cwd=plan.work_dir, timeout_s=30, waker=waker)
    if waker.fired:
        return
    try:
        facts = json.loads(output)
        found = [name for name, bad in facts["found"].items() if bad]
        there = str(facts["reached"])
        writes = bool(facts["writes its folder"])
    except (ValueError, LookupError, AttributeError, TypeError):
        text = output[-500:].decode("utf-8", "backslashreplace")
        raise ExecutionError(
            f"The canary failed in a pod of {plan.image!r} (exit code {code}): {text}"
        ) from None
    if found and plan.spec is None:
        raise NoWallError(f"The pod does not hold: code in it {', '.join(found)}. It is not used.")
    if there:
        raise NoWallError(
            f"The network of the pod is open: code in it reaches {there}, although "
            f"network={plan.network!r}. Ways out: `kubectl apply -n {plan.namespace} -f "
            f"{POLICIES}` on a cluster whose network enforces policies; or accept the network that "
            "the cluster gives its pods with network='host'."
        )
    if not writes:
        raise ExecutionError(
            f"Code cannot write to {plan.work_dir} in {plan.label}; give a work_dir or a pod_spec "
            "with a volume there that its user may write to."
        )
