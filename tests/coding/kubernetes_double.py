"""An API server for tests that speaks the pod part of Kubernetes; its pods are real containers.

Pods run on the Docker engine that the tests start, made as a node would make them: user, read-only
root, capabilities, emptyDir volumes, memory. Exec is the real WebSocket protocol. What a cluster
does on a bad day is told by `fault`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import tempfile
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import yaml
from aiohttp import WSMsgType, web

PREFIX = "k8s-test-"
TOKEN = "token-of-the-test"
PIECE = struct.Struct(">BxxxL")
PATH = "/api/v1/namespaces/{namespace}/pods"


class Double:
    """Serves on a free port in a thread of its own.

    Attributes:
        fault: What goes wrong with the next pods: "image", "unschedulable", "crash", "stuck",
            "forbidden"; "" for nothing.
        open_network: Whether pods reach the API server, as without network policies.
        manifests: What was created, in order.
    """

    def __init__(self, client: Any, folder: Path):
        self._docker, self._folder = client, folder
        self._pods: dict[tuple[str, str], dict[str, Any]] = {}
        self._containers: dict[str, str] = {}
        self.fault = ""
        self.open_network = False
        self.manifests: list[dict[str, Any]] = []
        self.subprotocols: list[str] = ["v5.channel.k8s.io", "v4.channel.k8s.io"]
        self.chosen: list[str | None] = []
        self.calls: list[str] = []
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self.port = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)
        self.config_file = folder / "kubeconfig"
        self.config_file.write_text(yaml.safe_dump(self._config()))

    def _config(self) -> dict[str, Any]:
        cluster = {"server": f"http://localhost:{self.port}"}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "double", "cluster": cluster}],
            "users": [{"name": "me", "user": {"token": TOKEN}}],
            "contexts": [{"name": "x", "context": {"cluster": "double", "user": "me"}}],
            "current-context": "x",
        }

    def reset(self) -> None:
        """A good day, with nothing behind it."""
        for name in self.pods():
            self.delete(name)
        self.fault, self.open_network = "", False
        self.subprotocols = ["v5.channel.k8s.io", "v4.channel.k8s.io"]
        for record in (self.manifests, self.chosen, self.calls):
            record.clear()

    # -- for tests ---------------------------------------------------------------------------------

    def pods(self) -> list[str]:
        """The names of all pods there are."""
        return [name for _, name in self._pods]

    def phases(self) -> list[str]:
        """How they are."""
        for pod in self._pods.values():
            self._look(pod)
        return [pod["status"]["phase"] for pod in self._pods.values()]

    def containers(self) -> list[Any]:
        """The containers behind the pods."""
        found = self._docker.containers.list(all=True, ignore_removed=True)
        return [one for one in found if one.name.startswith(PREFIX)]

    def delete(self, name: str) -> None:
        """What `kubectl delete pod --now` does."""
        for key in [key for key in self._pods if key[1] == name]:
            self._remove(self._pods.pop(key))

    def evict(self, name: str) -> None:
        """What a node does that is short of something."""
        pod = next(pod for (_, found), pod in self._pods.items() if found == name)
        message = "The node was low on resource: ephemeral-storage."
        pod["status"] = {"phase": "Failed", "reason": "Evicted", "message": message}
        self._remove(pod)

    def close(self) -> None:
        """End the server and every pod."""
        for name in self.pods():
            self.delete(name)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _remove(self, pod: dict[str, Any]) -> None:
        identifier = self._containers.pop(pod["metadata"]["uid"], None)
        if identifier:
            from docker.errors import NotFound

            with contextlib.suppress(NotFound):
                self._docker.containers.get(identifier).remove(force=True, v=True)

    # -- the server --------------------------------------------------------------------------------

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        app = web.Application(middlewares=[self._guard])
        app.router.add_get("/version", self._version)
        app.router.add_get("/api", self._api)
        app.router.add_get("/apis", self._groups)
        app.router.add_get("/api/v1", self._resources)
        app.router.add_post(PATH, self._create)
        app.router.add_get(PATH, self._list)
        app.router.add_get(PATH + "/{name}", self._get)
        app.router.add_delete(PATH + "/{name}", self._delete)
        app.router.add_get(PATH + "/{name}/exec", self._exec)
        runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=0.1)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0)
        self._loop.run_until_complete(site.start())
        self.port = runner.addresses[0][1]
        self._ready.set()
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(runner.cleanup())
            rest = asyncio.all_tasks(self._loop)
            for task in rest:
                task.cancel()
            if rest:
                self._loop.run_until_complete(asyncio.wait(rest, timeout=2))
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.calls.append(f"{request.method} {request.path}")
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return _status(401, "Unauthorized", "Unauthorized")
        namespace = request.match_info.get("namespace")
        if self.fault == "forbidden":
            message = (
                'pods is forbidden: User "me" cannot create resource "pods" in API group "" in '
                f'the namespace "{namespace}"'
            )
            return _status(403, "Forbidden", message)
        if namespace not in (None, "default", "team"):
            return _status(404, "NotFound", f'namespaces "{namespace}" not found')
        return await handler(request)

    async def _version(self, request: web.Request) -> web.Response:
        return web.json_response({"major": "1", "minor": "34", "gitVersion": "v1.34.0"})

    async def _api(self, request: web.Request) -> web.Response:
        return web.json_response({"kind": "APIVersions", "versions": ["v1"]})

    async def _groups(self, request: web.Request) -> web.Response:
        return web.json_response({"kind": "APIGroupList", "apiVersion": "v1", "groups": []})

    async def _resources(self, request: web.Request) -> web.Response:
        pods = {"name": "pods", "singularName": "pod", "namespaced": True, "kind": "Pod"}
        pods |= {"verbs": ["create", "delete", "get", "list"], "shortNames": ["po"]}
        execs = {"name": "pods/exec", "singularName": "", "namespaced": True}
        execs |= {"kind": "PodExecOptions", "verbs": ["create", "get"]}
        found = {"kind": "APIResourceList", "groupVersion": "v1", "resources": [pods, execs]}
        return web.json_response(found)

    async def _create(self, request: web.Request) -> web.Response:
        pod = await request.json()
        namespace, name = request.match_info["namespace"], pod["metadata"]["name"]
        if (namespace, name) in self._pods:
            return _status(409, "AlreadyExists", f'pods "{name}" already exists')
        made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        extra = {"namespace": namespace, "uid": str(uuid.uuid4()), "creationTimestamp": made}
        pod["metadata"].update(extra, resourceVersion="1")
        pod["status"] = {"phase": "Pending"}
        self.manifests.append(json.loads(json.dumps(pod)))
        self._pods[namespace, name] = pod
        if self.fault:
            pod["status"] = self._bad_day(pod)
        else:
            await asyncio.to_thread(self._start, pod)
        return web.json_response(pod, status=201)

    def _bad_day(self, pod: dict[str, Any]) -> dict[str, Any]:
        container = pod["spec"]["containers"][0]
        one = {"name": container["name"], "image": container["image"], "imageID": ""}
        one |= {"ready": False, "restartCount": 0}
        if self.fault == "unschedulable":
            message = "0/3 nodes are available: 3 Insufficient memory."
            condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
            return {"phase": "Pending", "conditions": [{**condition, "message": message}]}
        if self.fault == "image":
            message = f'Back-off pulling image "{container["image"]}"'
            state = {"waiting": {"reason": "ImagePullBackOff", "message": message}}
            return {"phase": "Pending", "containerStatuses": [{**one, "state": state}]}
        if self.fault == "crash":
            state = {"terminated": {"exitCode": 127, "reason": "StartError"}}
            return {"phase": "Failed", "containerStatuses": [{**one, "state": state}]}
        return {"phase": "Pending"}

    def _start(self, pod: dict[str, Any]) -> None:
        """Make the container as a node would."""
        spec = pod["spec"]
        (container,) = spec["containers"]
        outer, inner = spec.get("securityContext") or {}, container.get("securityContext") or {}
        limits = (container.get("resources") or {}).get("limits") or {}
        user = outer.get("runAsUser")
        options: dict[str, Any] = {}
        if inner.get("allowPrivilegeEscalation") is False:
            options["security_opt"] = ["no-new-privileges"]
        if "memory" in limits:
            options["mem_limit"] = limits["memory"].replace("Mi", "m")
        volumes = {one["name"]: one for one in spec.get("volumes") or ()}
        binds = []
        for mount in container.get("volumeMounts") or ():
            assert "emptyDir" in volumes[mount["name"]]
            folder = Path(tempfile.mkdtemp(dir=self._folder))
            folder.chmod(0o777)
            binds.append(f"{folder}:{mount['mountPath']}:rw")
        env = {one["name"]: one["value"] for one in container.get("env") or ()}
        env |= {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(self.port)}
        made = self._docker.containers.create(
            container["image"],
            [*(container.get("command") or ()), *(container.get("args") or ())],
            entrypoint="",
            name=f"{PREFIX}{pod['metadata']['namespace']}-{pod['metadata']['name']}",
            user=f"{user}:{outer.get('runAsGroup', user)}" if user is not None else None,
            cap_drop=(inner.get("capabilities") or {}).get("drop"),
            read_only=bool(inner.get("readOnlyRootFilesystem")),
            network_mode="host" if self.open_network else "none",
            environment=env,
            working_dir=container.get("workingDir"),
            volumes=binds,
            **options,
        )
        self._containers[pod["metadata"]["uid"]] = made.id
        made.start()
        self._look(pod)

    def _look(self, pod: dict[str, Any]) -> None:
        """Bring the status up to date."""
        identifier = self._containers.get(pod["metadata"]["uid"])
        if identifier is None:
            return
        state = self._docker.api.inspect_container(identifier)["State"]
        container = pod["spec"]["containers"][0]
        one = {"name": container["name"], "image": container["image"], "imageID": ""}
        one |= {"ready": state["Running"], "restartCount": 0}
        if state["Running"]:
            found = {"phase": "Running"}
            one["state"] = {"running": {"startedAt": pod["metadata"]["creationTimestamp"]}}
        else:
            found = {"phase": "Failed" if state["ExitCode"] else "Succeeded"}
            reason = "OOMKilled" if state["OOMKilled"] else "Error"
            ended = {"exitCode": state["ExitCode"]}
            one["state"] = {"terminated": {**ended, "reason": reason}}
        pod["status"] = {**found, "containerStatuses": [one]}

    async def _list(self, request: web.Request) -> web.Response:
        mine = [
            pod
            for (where, _), pod in self._pods.items()
            if where == request.match_info["namespace"]
        ]
        found = {"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}}
        return web.json_response({**found, "items": mine})

    async def _get(self, request: web.Request) -> web.Response:
        pod = self._find(request)
        if pod is None:
            return _missing(request)
        await asyncio.to_thread(self._look, pod)
        return web.json_response(pod)

    def _find(self, request: web.Request) -> dict[str, Any] | None:
        return self._pods.get((request.match_info["namespace"], request.match_info["name"]))

    async def _delete(self, request: web.Request) -> web.Response:
        pod = self._find(request)
        if pod is None:
            return _missing(request)
        body = await request.json() if request.can_read_body else {}
        wanted = ((body or {}).get("preconditions") or {}).get("uid")
        if wanted not in (None, pod["metadata"]["uid"]):
            return _status(409, "Conflict", "the UID in the precondition does not match")
        del self._pods[request.match_info["namespace"], request.match_info["name"]]
        await asyncio.to_thread(self._remove, pod)
        return web.json_response(pod)

    # -- exec --------------------------------------------------------------------------------------

    async def _exec(self, request: web.Request) -> web.StreamResponse:
        pod = self._find(request)
        if pod is None:
            return _missing(request)
        answer = web.WebSocketResponse(protocols=self.subprotocols, autoping=True)
        await answer.prepare(request)
        self.chosen.append(answer.ws_protocol)
        command = request.query.getall("command")
        api = self._docker.api
        identifier = self._containers[pod["metadata"]["uid"]]

        def begin() -> tuple[str, socket.socket]:
            made = api.exec_create(identifier, command, stdin=True, tty=False)["Id"]
            wrapped = api.exec_start(made, socket=True)
            inner = getattr(wrapped, "_sock", wrapped)
            raw = socket.socket(fileno=inner.detach())
            raw.setblocking(False)
            return made, raw

        made, raw = await asyncio.to_thread(begin)
        with raw:
            outward = asyncio.ensure_future(self._outward(made, raw, answer))
            try:
                async for message in answer:
                    data = message.data
                    if message.type is WSMsgType.BINARY and data[:1] == b"\0" and len(data) > 1:
                        await asyncio.get_running_loop().sock_sendall(raw, data[1:])
            except OSError:
                pass
            finally:
                outward.cancel()
                await asyncio.wait({outward})
        return answer

    async def _outward(self, made: str, raw: socket.socket, answer: web.WebSocketResponse) -> None:
        loop = asyncio.get_running_loop()
        pending = bytearray()
        with contextlib.suppress(OSError):
            while data := await loop.sock_recv(raw, 65536):
                pending += data
                while len(pending) >= PIECE.size:
                    kind, size = PIECE.unpack_from(pending)
                    end = PIECE.size + size
                    if len(pending) < end:
                        break
                    await answer.send_bytes(bytes([kind]) + pending[PIECE.size : end])
                    del pending[:end]
        status: dict[str, Any] = {"metadata": {}, "status": "Success"}
        with contextlib.suppress(Exception):
            ended = await asyncio.to_thread(self._docker.api.exec_inspect, made)
            if code := ended["ExitCode"]:
                text = f"command terminated with non-zero exit code: exit status {code}"
                cause = {"reason": "ExitCode", "message": str(code)}
                status |= {"status": "Failure", "message": text, "reason": "NonZeroExitCode"}
                status["details"] = {"causes": [cause]}
        await answer.send_bytes(b"\3" + json.dumps(status).encode())
        await answer.close()


def _status(code: int, reason: str, message: str) -> web.Response:
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    return web.json_response(
        {**body, "reason": reason, "message": message, "code": code}, status=code
    )


def _missing(request: web.Request) -> web.Response:
    name = request.match_info["name"]
    return _status(404, "NotFound", f'pods "{name}" not found')
