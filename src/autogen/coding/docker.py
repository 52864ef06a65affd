"""`DockerCommandLineCodeExecutor`: code blocks in a container of a Docker engine."""

from __future__ import annotations

import os
import platform
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from .._kernel.cancel import CancelToken
from ..errors import RunCancelled, UsageError
from .docker_container import LAYERS, WORKSPACE, ContainerPlan, start_container
from .docker_engine import build_image, caller_ids, connect, engine_address, find_image
from .func_with_reqs import AnyFunction
from .languages import file_name_of
from .link import Link
from .packages import Layer, Layers, layers_dir
from .plan import Mount
from .policy import PUBLIC
from .waker import Waker
from .walled import WalledExecutor

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["DockerCommandLineCodeExecutor"]

DEFAULT_IMAGE = "python:3-slim"
DOCKERFILE = "Dockerfile"


class DockerCommandLineCodeExecutor(WalledExecutor):
    """Runs code blocks in one warm container: they see the image, their work_dir, nothing else.

    Nothing is asked of Docker at construction. The first block starts the container, which later
    blocks share until `stop()`; each block is a process of its own there and is killed with
    everything it started when it ends. The code runs as the caller (as the owner of the work_dir
    where the caller is root), without capabilities or a network, on a read-only root with /tmp in
    memory. A container goes away with the program that made it, even if that is killed.

    Args:
        image: What the container is made of; it has a `python3` of 3.9 or later. Pulled if it is
            missing. Of several, the first that is there, else the first that can be pulled. None
            builds the `Dockerfile` in the work_dir, as it is now; the engine runs its lines with a
            network, so blocks cannot change it, and it can copy no files of the folder.
        container_name: Default: a new one each time.
        timeout: Seconds that one block may take; installing packages does not count.
        work_dir: The one folder that the code can write to for good, at /workspace inside.
        bind_dir: The work_dir as the engine names it, where it sees another file system than this
            program, which runs in a container itself. Default: the work_dir.
        auto_remove: Remove the container when it stops; False keeps it to be looked at.
        stop_container: End the container with this object and this program; False leaves it running
            until `stop()`.
        execution_policies: Language to whether its blocks are run or only saved.
        network: What the code can reach, over HTTP and HTTPS through a proxy of this program, as
            for the sandbox: "public" hosts, "none", or a list of host patterns. "host" shares the
            network of the machine that the engine runs on. The proxy, and packages, need an engine
            that shares files and sockets with this program: Linux, and no `bind_dir`.
        packages: Requirements to install before the first block.
        env: Variables the code sees, beside those of the image.
        mounts: Further files and folders: host path to path inside (read-only), or to
            `{"bind": path, "mode": "ro" | "rw"}`.
        memory_mb: Memory for all processes of a block together.
        processes: Processes and threads at a time.
        disk_mb: Largest file, growth of the work_dir in one block, and room in /tmp and the home
            folder together.
        functions: What blocks may import, as for the sandbox.
        functions_module: Name of the module that blocks import them from.

    Raises:
        UsageError: A value cannot be worked with.
    """

    wall_name = "container"

    def __init__(
        self,
        image: str | Sequence[str] | None = DEFAULT_IMAGE,
        container_name: str | None = None,
        timeout: int = 60,
        work_dir: str | os.PathLike[str] = ".",
        bind_dir: str | os.PathLike[str] | None = None,
        auto_remove: bool = True,
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
        functions: Sequence[AnyFunction] = (),
        functions_module: str = "functions",
    ):
        images = (image,) if isinstance(image, str) else tuple(image or ())
        if image is not None and (not images or not all(images)):
            raise UsageError(f"image {image!r} names no image; use for example {DEFAULT_IMAGE!r}.")
        super().__init__(
            timeout=timeout,
            work_dir=work_dir,
            network=network,
            packages=packages,
            env=env,
            mounts=mounts,
            memory_mb=memory_mb,
            processes=processes,
            disk_mb=disk_mb,
            execution_policies=execution_policies,
            functions=functions,
            functions_module=functions_module,
        )
        if self.packages and bind_dir is not None:
            raise UsageError(
                "packages cannot be installed where bind_dir is set; put them into the image."
            )
        self.images = images
        self._dockerfile = _read_dockerfile(self._work_dir) if image is None else None
        self.container_name = container_name
        self._bind_dir = None if bind_dir is None else Path(bind_dir)
        self.auto_remove = auto_remove
        self.stop_container = stop_container
        self._image_id: str | None = None
        self._image_used: str | None = None
        self._layers: Layers | None = None
        self._has_packages = False
        if not stop_container:
            self._finalizer.detach()

    @property
    def bind_dir(self) -> Path:
        """The work_dir as the engine names it."""
        return self._bind_dir or self._work_dir

    @property
    def image_used(self) -> str | None:
        """The name of the image that the code ran in last, its id if it has none; None before."""
        return self._image_used

    def _unknown_language(self, language: str) -> str:
        return f"Unsupported language {language}"

    # -- the container -----------------------------------------------------------------------------

    def _start_runner(self, waker: Waker, token: CancelToken, *, at_once: bool = False) -> Link:
        link = self._start_container(waker, token)
        if self.packages and not self._has_packages:
            # Which packages fit is known only from inside, and they have to be there before.
            link.kill()
            self._install_wanted(token)
            self._has_packages = True
            if token.cancelled:
                raise RunCancelled()
            link = self._start_container(waker, token)
        return link

    def _start_container(self, waker: Waker, token: CancelToken) -> Link:
        client = connect()
        try:
            plan = self._plan(client, token)
            link, interpreter = start_container(client, plan, waker=waker)
        except BaseException:
            client.close()
            raise
        if self._layers is None:
            self._layers = Layers(interpreter)
        return link

    def _plan(self, client: DockerClient, token: CancelToken) -> ContainerPlan:
        if self._dockerfile is not None:
            image = build_image(client, self._dockerfile, token)
        else:
            image = find_image(client, self.images, token)
        if image.id != self._image_id:
            # Perhaps another one under the same name: what was installed was for the old one.
            self._image_id, self._layers, self._has_packages = image.id, None, False
        tags = image.tags
        self._image_used = next(
            (name for name in (*self.images, *tags) if name in tags), str(image.id)
        )
        config: dict[str, Any] = image.attrs.get("Config") or {}
        work_dir = self._place.real
        layer = self._layers.current if self._layers else None
        return ContainerPlan(
            address=engine_address(),
            image=str(image.id),
            image_env=dict(line.partition("=")[::2] for line in config.get("Env") or ()),
            name=self.container_name or f"autogen-code-exec-{secrets.token_hex(8)}",
            work_dir=work_dir,
            bind_dir=str(self._bind_dir) if self._bind_dir else work_dir,
            layers_dir=str(layers_dir()) if self._shares_files else None,
            layer=self._layer_inside(layer) if layer else None,
            user=caller_ids(client, work_dir),
            host_network=self.network == "host",
            memory_mb=self.memory_mb,
            processes=self.processes,
            disk_mb=self.disk_mb,
            env=self.env,
            mounts=self._all_mounts(),
            auto_remove=self.auto_remove,
            once=self.stop_container,
            egress=self._egress if self._shares_files else None,
        )

    def _all_mounts(self) -> tuple[Mount, ...]:
        path = Path(self._bind_dir or self._work_dir.resolve(), DOCKERFILE)
        if self._dockerfile is None or not path.is_file():
            return self.mounts
        return (*self.mounts, Mount(host=str(path), inside=f"{WORKSPACE}/{DOCKERFILE}"))

    def _refuse(self, language: str, code: str) -> str | None:
        name, _ = file_name_of(code, language)
        if self._dockerfile is None or PurePath(name).name.lower() != DOCKERFILE.lower():
            return None
        return "The Dockerfile of this container cannot be changed from inside."

    def _folder_inside(self) -> str:
        return WORKSPACE

    # -- packages ----------------------------------------------------------------------------------

    def _package_layers(self) -> Layers:
        assert self._layers is not None
        return self._layers

    def _layer_inside(self, layer: Layer) -> str:
        return f"{LAYERS}/{Path(layer.folder).name}"

    def _answer(self, request: dict[str, Any], stop: Any) -> dict[str, Any]:
        if self._shares_files:
            return super()._answer(request, stop)
        text = "Packages cannot be installed here; they have to be in the image."
        return {"exit": 1, "text": text}

    @property
    def _shares_files(self) -> bool:
        """Whether the engine shows files and sockets of this program as they are here."""
        return self._bind_dir is None and platform.system() == "Linux"


def _read_dockerfile(work_dir: Path) -> bytes:
    try:
        return (work_dir / DOCKERFILE).read_bytes()
    except OSError as error:
        raise UsageError(
            f"image=None builds {str(work_dir / DOCKERFILE)!r}, which cannot be read: "
            f"{error.strerror}; write it, or name an image such as {DEFAULT_IMAGE!r}."
        ) from error
