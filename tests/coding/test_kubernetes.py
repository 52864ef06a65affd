"""Code blocks in pods of an API server whose pods are real containers: how they run and end."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import sys
import tarfile
import textwrap
import threading
import time

import pytest
import yaml
from tests.compat.requirements import requirement

from autogen._kernel.cancel import CancelToken
from autogen._kernel.run import Run, entered
from autogen.coding import CodeBlock, CodeExecutorFactory, PodCommandLineCodeExecutor
from autogen.coding.kubernetes_files import unpack
from autogen.coding.kubernetes_manifest import NETWORK_LABEL
from autogen.coding.kubernetes_pod import POLICIES
from autogen.errors import ExecutionError, NoWallError, PackageError, RunCancelled, UsageError
from autogen.testing.conformance.executor import conformance_tests

from .docker_engine import IMAGE, engine_up
from .kubernetes_double import Double

# The first test may have to install the engine.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.wall,
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("kubernetes"),
]

test_conformance = conformance_tests("any_pod_box", files=False, limited=True)


@pytest.fixture(scope="module")
def cluster_of_module(require_part, tmp_path_factory):
    """One API server, with an engine of its own behind it."""
    with engine_up(require_part) as engine:
        double = Double(engine.client, tmp_path_factory.mktemp("cluster"))
        with contextlib.closing(double):
            yield double


@pytest.fixture
def cluster(cluster_of_module, monkeypatch):
    """The API server, on a good day."""
    cluster_of_module.reset()
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    return cluster_of_module


@pytest.fixture
def pod_box(cluster, tmp_path):
    """Makes executors; afterwards nothing of them is left."""
    made = []

    def make(**options):
        options = {
            "image": IMAGE,
            "kube_config_file": cluster.config_file,
            "timeout": 20,
            "local_dir": tmp_path / "here",
            **options,
        }
        made.append(PodCommandLineCodeExecutor(**options))
        return made[-1]

    yield make
    for executor in made:
        executor.stop()
    assert cluster.pods() == []
    assert cluster.containers() == []


@pytest.fixture
def any_pod_box(pod_box):
    """The same for rules that name a work_dir on this machine."""

    def make(work_dir, **options):
        return pod_box(local_dir=work_dir, **options)

    return make


def started(cluster):
    (name,) = cluster.pods()
    return name


# -- running blocks --------------------------------------------------------------------------------


@requirement("pod:work-dir")
def test_blocks_run_in_the_work_dir_of_the_pod(pod_box, run, tmp_path):
    box = pod_box()
    result = run(box, "import os; print(os.getcwd()); open('made.bin', 'wb').write(b'\\0\\xff')")
    assert (result.exit_code, result.output) == (0, "/workspace\n")
    assert result.code_file.startswith("/workspace/tmp_code_")
    assert str(box.work_dir) == "/workspace"
    assert [(one.name, one.path) for one in result.artifacts] == [
        ("made.bin", str(tmp_path / "here" / "made.bin"))
    ]
    assert (tmp_path / "here" / "made.bin").read_bytes() == b"\0\xff"
    assert run(box, "wc -c < made.bin; exit 3", "sh").output.strip() == "2"


@requirement("pod:life")
def test_one_pod_serves_all_blocks_until_stop(pod_box, cluster, run):
    with pod_box() as box:
        assert cluster.pods() == []
        run(box, "open('/tmp/x', 'w')")
        first = started(cluster)
        assert run(box, "open('/tmp/x')").exit_code == 0
        assert started(cluster) == first
        box.restart()
        assert cluster.pods() == []
        assert run(box, "open('/tmp/x')").exit_code == 1
        assert started(cluster) != first
    assert cluster.pods() == cluster.containers() == []


@requirement("pod:languages")
def test_unknown_language_and_names_outside_are_told(pod_box, cluster, run):
    box = pod_box()
    for language in ("klingon", "pwsh", "powershell", "ps1"):
        result = run(box, "x", language)
        assert (result.exit_code, result.output) == (1, f"Unsupported language {language}")
    for name in ("../x.py", "/etc/x.py"):
        result = run(box, f"# filename: {name}\n")
        assert (result.exit_code, result.output) == (1, "Filename is not in the workspace")
    assert cluster.manifests == []


@requirement("pod:saved")
def test_pages_are_saved_in_the_pod_and_named_there(pod_box, run):
    box = pod_box()
    result = run(box, "<!-- filename: site/page.html -->\n<p>", "html")
    assert result.output == "Code saved to /workspace/site/page.html\n"
    assert result.exit_code == 0
    assert "<p>" in run(box, "cat site/page.html", "sh").output
    named = run(box, "# filename: /workspace/a/b.py\nprint(__file__)")
    assert named.code_file == "/workspace/a/b.py"
    assert named.exit_code == 0


def test_functions_are_there_in_each_new_pod(pod_box, run):
    box = pod_box(functions=[twice])
    code = "from functions import twice; print(twice(21))"
    assert run(box, code).output == "42\n"
    box.restart()
    assert run(box, code).output == "42\n"


def twice(number: int) -> int:
    """Two of them."""
    return number * 2


def test_much_code_and_odd_text_arrive_whole(pod_box, run):
    code = "x = '" + "ä\U0001f600" * 200_000 + "'\nprint(len(x))"
    assert run(pod_box(), code).output == "400000\n"


@requirement("pod:timeout")
def test_timeout_ends_the_tree_of_the_block(pod_box, run):
    box = pod_box(timeout=1)
    code = "import subprocess as s\nfor new in (True, False):\n"
    code += "    one = s.Popen(['sleep', '77'], start_new_session=new)\n"
    result = run(box, code + "print('begun', flush=True)\none.wait()")
    assert result.exit_code == 124
    assert result.output.startswith("begun")
    assert result.output.endswith("Timeout")
    assert "sleep 77" not in run(box, "ps ax -o args | grep '[s]leep' || true", "sh").output


def test_cancelling_ends_the_block_within_a_second_and_keeps_the_pod(pod_box, cluster, run):
    box, token, took = pod_box(timeout=60), CancelToken(), []
    run(box, "")
    before = started(cluster)

    def sink(event):
        if event[0] == "code.output":
            took.append(time.monotonic())
            token.cancel()

    told = Run(id="x", cancel=token, sinks=[sink], make_event=lambda run, kind, data: (kind, data))
    with entered(told), pytest.raises(RunCancelled):
        run(box, "echo begun; sleep 55 & sleep 55", "sh")
    assert time.monotonic() - took[0] < 1
    assert "sleep" not in run(box, "ps ax -o comm", "sh").output
    assert started(cluster) == before


def test_stop_from_another_thread_ends_the_block(pod_box, cluster, run):
    box = pod_box()
    ended = []

    def sink(event):
        if event[0] == "code.output":
            box.stop()

    told = Run(id="x", sinks=[sink], make_event=lambda run, kind, data: (kind, data))

    def work():
        with entered(told):
            ended.append(run(box, "print('begun', flush=True)\nimport time\ntime.sleep(50)"))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(30)
    assert ended[0].exit_code == 137
    assert cluster.pods() == []


def test_environment_is_that_of_the_image_and_the_caller(pod_box, run, monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_HOST", "x")
    code = "import os; e = os.environ; print(e['FROM_IMAGE'], e['MINE'], 'SECRET_OF_THE_HOST' in e)"
    assert run(pod_box(env={"MINE": "m"}), code).output == "yes m False\n"
    assert run(pod_box(), "python -c 'print(1)'", "sh").output == "1\n"


def test_factory_makes_it_by_name(cluster, pod_box, run):
    options = {"image": IMAGE, "kube_config_file": cluster.config_file, "namespace": "team"}
    box = CodeExecutorFactory.create({"executor": "commandline-pod", "commandline-pod": options})
    with box:
        assert run(box, "print(1)").output == "1\n"
        assert cluster.manifests[0]["metadata"]["namespace"] == "team"
        assert box.execute_code_blocks([CodeBlock(code="1/0", language="py")]).exit_code == 1


# -- the wall --------------------------------------------------------------------------------------


@requirement("pod:tight")
def test_pod_is_made_tight(pod_box, cluster, run):
    run(pod_box(memory_mb=300, disk_mb=100, cpus=0.5, lifetime_s=999), "")
    (manifest,) = cluster.manifests
    spec, (container,) = manifest["spec"], manifest["spec"]["containers"]
    assert spec["automountServiceAccountToken"] is spec["enableServiceLinks"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert (spec["restartPolicy"], spec["activeDeadlineSeconds"]) == ("Never", 999)
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    limits = container["resources"]["limits"]
    assert limits == {"cpu": "500m", "memory": "428Mi", "ephemeral-storage": "364Mi"}


def test_code_is_no_root_and_writes_to_its_folders_alone(pod_box, run):
    code = """
    import os
    print(os.getuid(), os.getgid())
    for folder in ("/", "/usr", "/etc", "/tmp", "/workspace"):
        try:
            open(folder + "/x", "w").close()
            print(folder)
        except OSError:
            pass
    """
    assert run(pod_box(), textwrap.dedent(code)).output == "10001 10001\n/tmp\n/workspace\n"


@pytest.mark.parametrize("network", ["public", "none"])
def test_open_network_is_refused_and_the_ways_out_are_named(
    pod_box, cluster, run, network, monkeypatch
):
    monkeypatch.setattr("autogen.coding.kubernetes_pod.POLICY_S", 0.3)
    cluster.open_network = True
    with pytest.raises(NoWallError, match=r"is open.*kubectl apply -n default.*network='host'"):
        run(pod_box(network=network), "")
    assert run(pod_box(network="host"), "print(1)").output == "1\n"


@requirement("pod:network")
def test_shipped_policies_choose_pods_by_their_label(pod_box, cluster, run):
    policies = list(yaml.safe_load_all(POLICIES.read_text()))
    chosen = [one["spec"]["podSelector"]["matchLabels"][NETWORK_LABEL] for one in policies]
    assert chosen == ["none", "public"]
    assert "egress" not in policies[0]["spec"]
    run(pod_box(network="none"), "")
    assert cluster.manifests[0]["metadata"]["labels"][NETWORK_LABEL] == "none"


def test_limits_of_blocks_hold(pod_box, run):
    box = pod_box(memory_mb=128, processes=20, disk_mb=16)
    assert "memory" in run(box, "x = b'x' * (400 << 20)").output
    bomb = "import os, time\nfor n in range(60):\n    os.fork() or time.sleep(30)\ntime.sleep(30)"
    assert "too many processes" in run(box, bomb).output
    assert run(box, "open('big', 'wb').write(b'x' * (40 << 20))").exit_code != 0
    assert run(box, "print('fine')").output == "fine\n"


def test_archive_from_the_pod_cannot_write_elsewhere(tmp_path):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, kind in (
            ("../out", tarfile.REGTYPE),
            (str(tmp_path / "out"), tarfile.REGTYPE),
            ("link", tarfile.SYMTYPE),
            ("device", tarfile.CHRTYPE),
            ("good", tarfile.REGTYPE),
        ):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, str(tmp_path)
            archive.addfile(entry)
    (tmp_path / "in").mkdir()
    assert unpack(made.getvalue(), tmp_path / "in") == 0
    assert unpack(b"no archive at all", tmp_path / "in") == 0
    assert [path.name for path in tmp_path.rglob("*")] == ["in", "good"]


# -- bad days --------------------------------------------------------------------------------------


@requirement("pod:replaced")
def test_pod_deleted_in_the_middle_of_a_block_is_replaced(pod_box, cluster, run):
    box, ended = pod_box(), []
    run(box, "")
    first = started(cluster)
    thread = threading.Thread(target=lambda: ended.append(run(box, "import time; time.sleep(50)")))
    thread.start()
    cluster.delete(first)
    thread.join(20)
    assert ended[0].exit_code == 137
    assert "pod was deleted" in ended[0].output
    assert run(box, "print('next')").output == "next\n"
    assert started(cluster) != first


def test_ten_thousand_files_are_no_trouble(pod_box, run, tmp_path):
    box = pod_box(timeout=60)
    result = run(box, "for i in range(10_000): open(f'{i}.txt', 'w').close()")
    assert result.exit_code == 0
    assert 0 < len(result.artifacts) <= 200
    assert run(box, "print('fine')").output == "fine\n"


@pytest.mark.parametrize("timeout", [0, -1])
def test_time_limit_that_is_none_is_refused(timeout, tmp_path):
    with pytest.raises(UsageError, match="timeout"):
        PodCommandLineCodeExecutor(timeout=timeout, work_dir=tmp_path)


def test_pod_evicted_between_blocks_is_replaced(pod_box, cluster, run):
    box = pod_box(pod_name="always-this-one")
    run(box, "")
    cluster.evict("always-this-one")
    cluster.delete("always-this-one")
    assert run(box, "print('next')").output == "next\n"


def test_pod_evicted_in_the_middle_says_why(pod_box, cluster, run, eventually):
    box, ended = pod_box(), []
    run(box, "")
    code = "import time; print('begun', flush=True); time.sleep(50)"
    thread = threading.Thread(target=lambda: ended.append(run(box, code)))
    thread.start()
    cluster.evict(started(cluster))
    thread.join(20)
    assert "Evicted, The node was low on resource" in ended[0].output


@pytest.mark.parametrize(
    "fault, said",
    [
        ("image", r"ImagePullBackOff.*imagePullSecrets"),
        ("crash", r"came to an end: .*StartError.*kubectl logs"),
        ("forbidden", r"forbidden.*Role with create, get and delete on pods"),
        ("unschedulable", r"No node takes.*3 Insufficient memory.*memory_mb=2048"),
    ],
)
@requirement("pod:troubles")
def test_pod_that_does_not_start_says_why(pod_box, cluster, run, monkeypatch, fault, said):
    monkeypatch.setattr("autogen.coding.kubernetes_pod.UNSCHEDULABLE_S", 0.1)
    cluster.fault = fault
    with pytest.raises(ExecutionError, match=said):
        run(pod_box(), "")


def test_namespace_that_is_missing_is_named(pod_box, run):
    with pytest.raises(ExecutionError, match=r'"nowhere" not found.*kubectl create namespace'):
        run(pod_box(namespace="nowhere"), "")


def test_cluster_that_does_not_answer_names_the_ways_out(pod_box, run, tmp_path, cluster):
    text = cluster.config_file.read_text().replace(str(cluster.port), "1")
    (tmp_path / "config").write_text(text)
    with pytest.raises(NoWallError, match=r"localhost:1 does not answer.*Three ways out"):
        run(pod_box(kube_config_file=tmp_path / "config"), "")


def test_no_cluster_at_all_names_the_ways_out(pod_box, run, monkeypatch, tmp_path):
    usual = "kubernetes.aio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION"
    monkeypatch.setattr(usual, str(tmp_path / "no-config"))
    with pytest.raises(NoWallError, match=r"No Kubernetes cluster is known.*Three ways out"):
        run(pod_box(kube_config_file=None), "")
    with pytest.raises(UsageError, match=r"kube_config_file .*missing' does not exist"):
        run(pod_box(kube_config_file=tmp_path / "missing"), "")


def test_cancelling_while_the_pod_starts_leaves_none(pod_box, cluster, run):
    cluster.fault = "stuck"
    token = CancelToken()
    box = pod_box()
    threading.Timer(0.5, token.cancel).start()
    with entered(Run(id="x", cancel=token)), pytest.raises(RunCancelled):
        run(box, "")
    assert cluster.pods() == []


def test_name_that_is_taken_is_refused(pod_box, run):
    run(pod_box(pod_name="taken"), "")
    with pytest.raises(ExecutionError, match=r"'taken' is there already.*kubectl delete pod"):
        run(pod_box(pod_name="taken"), "")


def test_server_of_the_older_protocol_will_do(pod_box, cluster, run):
    cluster.subprotocols = ["v4.channel.k8s.io"]
    assert run(pod_box(), "print(1)").output == "1\n"
    assert cluster.chosen[-1] == "v4.channel.k8s.io"
    cluster.subprotocols = []
    with pytest.raises(ExecutionError, match="expected one of"):
        run(pod_box(), "print(1)")


def test_packages_that_cannot_be_installed_say_why(pod_box, run):
    with pytest.raises(PackageError, match=r"(?s)could not be installed in the pod: .*pip"):
        run(pod_box(packages=["left-pad"]), "")


# -- the end of the program ------------------------------------------------------------------------

PROGRAM = """
import sys, time
from autogen.coding import CodeBlock, PodCommandLineCodeExecutor
folders = dict(kube_config_file={config!r}, local_dir={here!r})
box = PodCommandLineCodeExecutor({image!r}, **folders, {options})
print(box.execute_code_blocks([CodeBlock(code="print(1)", language="python")]).output, flush=True)
{rest}
"""


def program(cluster, *, options="", rest=""):
    text = PROGRAM.format(
        image=IMAGE,
        config=str(cluster.config_file),
        here=str(cluster.config_file.with_name("here")),
        options=options,
        rest=rest,
    )
    return subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE)


@requirement("pod:exit")
def test_pod_is_deleted_when_the_program_ends(cluster):
    with program(cluster) as process:
        output, _ = process.communicate(timeout=60)
    assert output.split() == [b"1"]
    assert len(cluster.manifests) == 1
    assert cluster.pods() == []


def test_pod_ends_by_itself_when_the_program_is_killed(cluster, eventually):
    with program(cluster, rest="time.sleep(60)") as process:
        assert process.stdout.readline() == b"1\n"
        os.kill(process.pid, signal.SIGKILL)
    eventually(lambda: cluster.phases() == ["Succeeded"])
    cluster.delete(started(cluster))


def test_pod_stays_where_it_is_to_stay(cluster):
    with program(cluster, options="stop_container=False") as process:
        process.communicate(timeout=60)
    assert cluster.phases() == ["Running"]
    assert "activeDeadlineSeconds" not in cluster.manifests[0]["spec"]
    cluster.delete(started(cluster))


# -- what cannot be had ----------------------------------------------------------------------------


@requirement("pod:spec")
def test_pod_spec_is_kept_as_it_is(pod_box, cluster, run):
    from kubernetes import client

    container = client.V1Container(
        name="mine",
        image=IMAGE,
        command=["sleep", "1000"],
        env=[client.V1EnvVar(name="A", value="b")],
    )
    spec = client.V1Pod(
        metadata=client.V1ObjectMeta(name="of-my-own", namespace="team", labels={"x": "y"}),
        spec=client.V1PodSpec(containers=[container]),
    )
    box = pod_box(pod_spec=spec, container_name="mine", network="none", work_dir="/data/work")
    result = run(box, "import os; print(os.getcwd(), os.environ['A'])")
    assert result.output == "/data/work b\n"
    (manifest,) = cluster.manifests
    assert manifest["spec"]["containers"][0]["command"] == ["sleep", "1000"]
    assert manifest["metadata"]["name"] == "of-my-own"
    assert manifest["metadata"]["labels"]["x"] == "y"
    assert "securityContext" not in manifest["spec"]


@pytest.mark.parametrize(
    "options, said",
    [
        ({"network": ["example.com"]}, "list of hosts, which a pod cannot be held to"),
        ({"mounts": {"/tmp": "/data"}}, "mounts cannot be shown in a pod"),
        ({"packages": ["x"], "network": "none"}, "put them into the image"),
        ({"work_dir": "coding"}, "absolute path such as '/workspace'"),
        ({"work_dir": "/usr"}, "is the system's"),
        ({"timeout": 0}, "timeout"),
        ({"image": ""}, "names no image"),
        ({"cpus": 0}, "cpus 0 is too little"),
        ({"pod_name": "Not_a_name"}, "small letters"),
        ({"pod_spec": {"spec": {"containers": []}}}, "no container 'autogen-code-exec'"),
        ({"pod_spec": 1}, "expected a V1Pod"),
        (
            {
                "pod_spec": {
                    "spec": {"containers": [{"name": "autogen-code-exec"}], "hostPID": True}
                }
            },
            "shares process ids",
        ),
    ],
)
@requirement("pod:refused")
def test_what_a_pod_cannot_do_is_refused_at_once(tmp_path, options, said):
    with pytest.raises(ValueError if options != {"pod_spec": 1} else TypeError, match=said):
        PodCommandLineCodeExecutor(**{"local_dir": tmp_path, **options})
