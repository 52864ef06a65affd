"""`PodCommandLineCodeExecutor`: code blocks in a pod of a Kubernetes cluster."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from .._kernel.cancel import CancelToken
from ..errors import RunCancelled, UsageError, UsageTypeError
from .base import CommandLineCodeResult
from .func_with_reqs import AnyFunction
from .kubernetes_cluster import Cluster
from .kubernetes_files import MOST_TAR_BYTES, pack_command, unpack
from .kubernetes_manifest import PodPlan
from .kubernetes_pod import start_pod
from .languages import DEFAULT_EXECUTION_POLICY
from .link import Link, RunnerLost
from .policy import PUBLIC
from .waker import Waker
from .walled import WalledExecutor

__all__ = ["CommandLineCodeResult", "PodCommandLineCodeExecutor"]

DEFAULT_IMAGE = "python:3-slim"
FETCH_S = 60.0
#: How far the times of files may lag behind the clock. Source: Linux stamps files at its tick.
CLOCK_STEP_NS = 20_000_000
POWERSHELLS = ("pwsh", "powershell", "ps1")
NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
# Folders of the system, and of the runner.
TAKEN = ("bin", "dev", "etc", "lib", "proc", "run", "sbin", "sys", "tmp", "usr", "var")


class PodCommandLineCodeExecutor(WalledExecutor):
    """Runs code blocks in one warm pod: they see the image and their work_dir there, nothing else.

    Nothing is asked of the cluster at construction. The first block starts the pod, which later
    blocks share until `stop()`; each block is a process of its own there and is killed with
    everything it started when it ends. Code has no rights on the cluster and no root: an id of its
    own, no capabilities, a read-only image. A pod that was evicted or deleted is replaced at the
    next block, and what was in its work_dir is gone. A pod ends with the program that made it, even
    if that is killed; its entry stays, completed, until the cluster clears it away.

    The work_dir lies in the pod. Files that blocks leave there are copied to `local_dir` after each
    call, where `artifacts` name them.

    Args:
        image: What the container is made of; it has a `python3` of 3.9 or later.
        pod_name: Default: a new one each time.
        namespace: Of the pod. Default: that of `pod_spec`, else "default".
        pod_spec: A pod of your own (`V1Pod`, or a dict like a manifest), taken as it is but for
            name, namespace and two labels. It keeps running, has a `python3`, and a container named
            `container_name`. Limits of blocks hold in it; how tight it is, is up to you.
        container_name: The container that code runs in.
        timeout: Seconds that one block may take.
        work_dir: Folder in the pod, created if missing.
        kube_config_file: Default: KUBECONFIG, else ~/.kube/config, else the account of the pod that
            this program runs in.
        stop_container: Delete the pod with this object and this program; False leaves it running
            until `stop()`.
        execution_policies: Language to whether its blocks are run or only saved.
        network: "public" or "none" by the policies shipped as
            `coding/data/kubernetes-network-policy.yaml`, which have to be applied to the namespace;
            a pod that is seen to have more is refused. "host" takes the network that the cluster
            gives its pods. Lists of hosts are for the other walls.
        packages: Requirements that pip installs in the pod before the first block.
        env: Variables the code sees, beside those of the image.
        mounts: Refused: a cluster does not see the files of this machine; use `pod_spec`.
        memory_mb: Memory for all processes of a block together.
        processes: Processes and threads at a time.
        disk_mb: Largest file, growth of the work_dir in one block, half of what it may hold, and
            room in /tmp and the home folder together.
        cpus: Processors at most.
        lifetime_s: Seconds after which the cluster ends a pod in any case.
        local_dir: Folder on this machine for the files that blocks leave. Default: a temporary one,
            which goes away with this object.
        functions: What blocks may import, as for the sandbox; pip installs what they need.
        functions_module: Name of the module that blocks import them from.

    Raises:
        UsageError: A value cannot be worked with.
    """

    #: There is no PowerShell in a pod.
    DEFAULT_EXECUTION_POLICY: ClassVar[dict[str, bool]] = {
        language: run
        for language, run in DEFAULT_EXECUTION_POLICY.items()
        if language not in POWERSHELLS
    }

    wall_name = "pod"

    def __init__(
        self,
        image: str = DEFAULT_IMAGE,
        pod_name: str | None = None,
        namespace: str | None = None,
        pod_spec: Any = None,
        container_name: str = "autogen-code-exec",
        timeout: int = 60,
        work_dir: str | os.PathLike[str] = "/workspace",
        kube_config_file: str | os.PathLike[str] | None = None,
        stop_container: bool = True,
        execution_policies: dict[str, bool] | None = None,
        *,
        network: str | Sequence[str] = PUBLIC,
        packages: Sequence[str] | None = None,
        env: Mapping[str, str] | None = None,
        mounts: Mapping[str, str | Mapping[str, str]] | None = None,
        memory_mb: int = 2048,
        processes: int = 256,
        disk_mb: int = 1024,
        cpus: float = 2.0,
        lifetime_s: int = 86_400,
        local_dir: str | os.PathLike[str] | None = None,
        functions: Sequence[AnyFunction] = (),
        functions_module: str = "functions",
    ):
        self._inside = _folder_inside(work_dir)
        _check_network(network)
        if mounts:
            raise UsageError(
                "mounts cannot be shown in a pod, which is on another machine; put the files into "
                "the image, or use a pod_spec with volumes."
            )
        if not image:
            raise UsageError(f"image {image!r} names no image; use for example {DEFAULT_IMAGE!r}.")
        for name, value in (("cpus", cpus), ("lifetime_s", lifetime_s)):
            if value <= 0:
                raise UsageError(f"{name} {value!r} is too little; it must be above 0.")
        spec = _as_manifest(pod_spec, container_name)
        metadata = (spec or {}).get("metadata") or {}
        self.pod_name = metadata.get("name") or pod_name
        self.namespace = str(metadata.get("namespace") or namespace or "default")
        for name, word in (("pod_name", self.pod_name), ("namespace", self.namespace)):
            if word is not None and not NAME.fullmatch(word):
                raise UsageError(
                    f"{name} {word!r} is no name for Kubernetes; use small letters, digits and "
                    "dashes."
                )
        temporary = None
        if local_dir is None:
            local_dir = temporary = tempfile.mkdtemp(prefix="autogen-pod-")
        try:
            super().__init__(
                timeout=timeout,
                work_dir=local_dir,
                network=network,
                packages=packages,
                env=env,
                mounts=None,
                memory_mb=memory_mb,
                processes=processes,
                disk_mb=disk_mb,
                execution_policies=None,
                functions=functions,
                functions_module=functions_module,
            )
            if self.packages and network == "none":
                raise UsageError(
                    "packages cannot be installed in a pod with network='none'; put them into the "
                    "image, or use network='public'."
                )
        except BaseException:
            if temporary:
                os.rmdir(temporary)
            raise
        self.execution_policies = {**self.DEFAULT_EXECUTION_POLICY, **(execution_policies or {})}
        self.image = image
        self.container_name = container_name
        self.kube_config_file = None if kube_config_file is None else str(kube_config_file)
        self.stop_container = stop_container
        self.cpus, self.lifetime_s = cpus, lifetime_s
        self._spec = spec
        self._plan: PodPlan | None = None
        self._unsent: dict[str, str] = {}
        self._since_ns = 0
        if temporary:
            weakref.finalize(self, _remove, temporary, os.getpid())
        if not stop_container:
            self._finalizer.detach()

    @property
    def work_dir(self) -> Path:
        """The folder in the pod that code is saved to and runs in."""
        return Path(self._inside)

    @property
    def local_dir(self) -> Path:
        """The folder on this machine that has copies of what blocks left."""
        return self._work_dir

    def _unknown_language(self, language: str) -> str:
        return f"Unsupported language {language}"

    def _folder_inside(self) -> str:
        return self._inside

    def _where(self, path: Path) -> str:
        return f"{self._inside}/{self._name(path)}"

    def _name(self, path: Path) -> str:
        return path.relative_to(self._place.real).as_posix()

    # -- the pod -----------------------------------------------------------------------------------

    def _start_runner(self, waker: Waker, token: CancelToken, *, at_once: bool = False) -> Link:
        plan = PodPlan(
            namespace=self.namespace,
            name=self.pod_name or f"autogen-code-exec-{secrets.token_hex(8)}",
            image=self.image,
            container=self.container_name,
            spec=self._spec,
            work_dir=self._inside,
            network=str(self.network),
            packages=self.packages,
            env=self.env,
            memory_mb=self.memory_mb,
            processes=self.processes,
            disk_mb=self.disk_mb,
            cpus=self.cpus,
            lifetime_s=self.lifetime_s,
            once=self.stop_container,
        )
        cluster = Cluster(self.kube_config_file)
        try:
            link = start_pod(cluster, plan, waker=waker, token=token)
        except BaseException:
            cluster.close()
            raise
        self._plan = plan
        self._since_ns = 0
        if self._functions.functions:
            self._unsent[f"{self._functions.name}.py"] = self._functions.text
        return link

    # -- files -------------------------------------------------------------------------------------

    def _save(self, name: str, text: str) -> Path:
        # A name may be absolute if it lies in the work_dir, which is in the pod.
        if PurePosixPath(name).is_absolute() and name.startswith(f"{self._inside}/"):
            name = name.removeprefix(f"{self._inside}/")
        path = super()._save(name, text)
        self._unsent[self._name(path)] = text
        return path

    def _job_files(self, path: Path) -> dict[str, Any]:
        self._unsent.setdefault(self._name(path), path.read_text(encoding="utf-8"))
        files = {f"{self._inside}/{name}": text for name, text in self._unsent.items()}
        self._unsent.clear()
        return {"files": files}

    def _fetch(self, saved: Iterable[Path], token: CancelToken) -> None:
        link, plan = self._held.link, self._plan
        if link is None or plan is None or not link.alive:
            return
        waker = Waker()
        files = {f"{self._inside}/{name}": text for name, text in self._unsent.items()}
        self._unsent.clear()
        try:
            with token.listen(waker.cancel):
                _, data = link.run_quietly(
                    pack_command(self._since_ns, [self._name(path) for path in saved]),
                    cwd=plan.work_dir,
                    timeout_s=FETCH_S,
                    waker=waker,
                    keep_bytes=MOST_TAR_BYTES,
                    files=files,
                )
        except RunnerLost:
            # The blocks have their results; what they left is gone with the pod.
            self._held.close()
            data = b""
        finally:
            waker.close()
        if token.cancelled:
            raise RunCancelled()
        clock_ns = unpack(data, self._work_dir)
        self._since_ns = max(self._since_ns, clock_ns - CLOCK_STEP_NS)


def _folder_inside(work_dir: str | os.PathLike[str]) -> str:
    """The work_dir as a path in the pod.

    Raises:
        UsageError: It cannot be one.
    """
    path = PurePosixPath(Path(work_dir).as_posix())
    if not path.is_absolute() or ".." in path.parts or len(path.parts) < 2:
        raise UsageError(
            f"work_dir {str(work_dir)!r} is a folder in the pod; use an absolute path such as "
            "'/workspace', and local_dir= for the folder on this machine."
        )
    if path.parts[1] in TAKEN and len(path.parts) == 2:
        raise UsageError(f"work_dir {str(path)!r} is the system's; use one such as '/workspace'.")
    return str(path)


def _check_network(network: str | Sequence[str]) -> None:
    """Refuse what a pod cannot be held to.

    Raises:
        UsageError: It is such a network.
    """
    if not isinstance(network, str):
        raise UsageError(
            f"network {network!r} is a list of hosts, which a pod cannot be held to; use 'none', "
            "'public' or 'host', or run code in the sandbox or in Docker."
        )


def _as_manifest(pod_spec: Any, container_name: str) -> dict[str, Any] | None:
    """A pod of the caller's as a dict.

    Raises:
        UsageError: It is no pod, or none that code could run in.
    """
    if pod_spec is None:
        return None
    if not isinstance(pod_spec, Mapping):
        if not hasattr(pod_spec, "to_dict"):
            raise UsageTypeError(
                f"pod_spec is {pod_spec!r}; expected a V1Pod of the kubernetes client, or a dict "
                "like a manifest."
            )
        from kubernetes.client import ApiClient

        client: Any = ApiClient()
        pod_spec = client.sanitize_for_serialization(pod_spec)
    manifest: dict[str, Any] = dict(pod_spec)
    spec = manifest.get("spec")
    containers = spec.get("containers") if isinstance(spec, Mapping) else None
    names = [one.get("name") for one in containers or ()]
    if container_name not in names:
        raise UsageError(
            f"pod_spec has no container {container_name!r} (it has {names}); say which one runs "
            "code with container_name=."
        )
    assert spec is not None
    if spec.get("hostPID") or spec.get("shareProcessNamespace"):
        raise UsageError(
            "pod_spec shares process ids (hostPID, shareProcessNamespace): ending a block would "
            "end processes of others too; leave it out."
        )
    return manifest


def _remove(folder: str, pid: int) -> None:
    if os.getpid() == pid:
        shutil.rmtree(folder, ignore_errors=True)
