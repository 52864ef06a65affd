"""Packages asked for by code: what is taken, what is refused, and layers that are shared."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest

from autogen.coding import packages
from autogen.coding.packages import Layers, layers_dir, parse_requirement
from autogen.errors import PackageError


def build_wheel(folder: Path, name: str, version: str, *, requires: str = "") -> None:
    """A pure wheel with one module, as an index would serve it."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    if requires:
        metadata += f"Requires-Dist: {requires}\n"
    files = {
        f"{name}.py": f"__version__ = {version!r}\ndef main(): print('script of {name}')\n",
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name}-say = {name}:main\n",
    }
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
        record += f"{path},sha256={digest.decode()},{len(text)}\n"
    files[f"{info}/RECORD"] = record + f"{info}/RECORD,,\n"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder of wheels in the place of every index, told the way pip is told."""
    folder = tmp_path / "index"
    folder.mkdir()
    build_wheel(folder, "agpear", "1.0")
    build_wheel(folder, "agpear", "2.0")
    build_wheel(folder, "agplum", "1.0", requires="agpear<2")
    (folder / "agstone-1.0.tar.gz").write_bytes(b"")
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_INDEX"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setattr(packages, "_pip_files", list)
    packages.pip_settings.cache_clear()
    yield folder
    packages.pip_settings.cache_clear()


# -- what may be asked for -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, name",
    [
        ("numpy", "numpy"),
        ("Foo_Bar.baz", "foo-bar-baz"),
        ("a[b,c]>=1.0,<2", "a"),
        ("a == 1.*", "a"),
        ('a; python_version < "3.9"', "a"),
        ("a~=1.0.post1+local", "a"),
    ],
)
def test_names_with_versions_are_taken(text, name):
    assert parse_requirement(text).name == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-r x",
        "--index-url=http://evil",
        "a @ http://evil/a.whl",
        "git+https://evil/a",
        "./a",
        "/a",
        "../a.whl",
        "a b",
        "a\n--index-url http://evil",
        "a; $(touch x)",
        "a" * 1000,
        "a\0",
        "ü",
        "-e .",
        "a>=1 --hash=sha256:0",
    ],
)
def test_everything_else_is_refused(text):
    with pytest.raises(PackageError, match="is not the name of a package"):
        parse_requirement(text)


def test_number_of_requirements_is_bounded():
    with pytest.raises(PackageError, match="at once"):
        Layers().install([f"a{number}" for number in range(1000)])


# -- layers ----------------------------------------------------------------------------------------


def test_layer_holds_what_was_asked_for(index):
    layer, satisfied = Layers().install(["agplum"])
    assert satisfied == []
    assert layer.holds == ("agpear-1.0", "agplum-1.0")
    assert Path(layer.folder, "agplum.py").exists()
    assert Path(layer.folder, "bin", "agplum-say").exists()


def test_layer_is_made_once_and_used_again_without_uv(index, monkeypatch):
    first, _ = Layers().install(["agpear"])
    monkeypatch.setattr(packages, "_uv", lambda: "/nowhere/uv")
    second, _ = Layers().install(["agpear"])
    assert first == second


def test_later_requests_are_resolved_with_the_earlier_ones(index):
    layers = Layers()
    assert layers.install(["agpear"])[0].holds == ("agpear-2.0",)
    assert layers.install(["agplum"])[0].holds == ("agpear-1.0", "agplum-1.0")
    assert layers.current.holds == ("agpear-1.0", "agplum-1.0")


def test_request_that_fails_changes_nothing(index):
    layers = Layers()
    before, _ = layers.install(["agpear==2.0"])
    with pytest.raises(PackageError, match="Could not install agplum"):
        layers.install(["agplum"])
    assert layers.current == before
    assert layers.install(["agpear==2.0"])[0] == before


def test_constraints_bind(index):
    layer, _ = Layers().install(["agpear"], constraints=["agpear<2"])
    assert layer.holds == ("agpear-1.0",)


def test_what_the_interpreter_has_is_not_installed_again(index):
    layer, satisfied = Layers().install(["pydantic"])
    assert layer is None
    assert satisfied[0].startswith("Requirement already satisfied: pydantic (")


def test_missing_wheel_and_missing_name_are_explained(index):
    with pytest.raises(PackageError, match="agstone") as missing:
        Layers().install(["agstone"])
    assert "\x1b" not in str(missing.value)
    with pytest.raises(PackageError, match="agnothing"):
        Layers().install(["agnothing"])
    assert sorted(path.suffix for path in layers_dir().iterdir()) == [".lock", ".lock"]


def test_stopped_installation_leaves_nothing(index):
    with pytest.raises(PackageError, match="stopped"):
        Layers().install(["agpear"], stop=lambda: True)
    assert [path for path in layers_dir().iterdir() if path.suffix != ".lock"] == []


def test_whoever_wants_the_same_layer_at_once_waits_for_it(index, monkeypatch):
    made = []
    real = packages._uv_install

    def counted(*arguments):
        made.append(arguments)
        time.sleep(0.1)
        return real(*arguments)

    monkeypatch.setattr(packages, "_uv_install", counted)
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(Layers().install(["agpear"])[0]))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert len(set(found)) == 1


def test_settings_of_pip_reach_uv(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_INDEX"))]:
        monkeypatch.delenv(name)
    config = tmp_path / "pip.conf"
    config.write_text(
        "[global]\nindex-url = http://one/simple\nextra-index-url =\n    http://two\n    http://three\n"
        "find-links = /wheels\ntrusted-host = one\n"
    )
    monkeypatch.setattr(packages, "_pip_files", lambda: [config])
    monkeypatch.setenv("PIP_INDEX_URL", "http://zero/simple")
    packages.pip_settings.cache_clear()
    options, _ = packages.pip_settings()
    packages.pip_settings.cache_clear()
    assert " ".join(options) == (
        "--default-index http://zero/simple --extra-index-url http://two "
        "--extra-index-url http://three --index-strategy unsafe-best-match "
        "--find-links /wheels --allow-insecure-host one"
    )


def test_fallback_folder_is_used_where_home_cannot_be_written(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert layers_dir().parent == tmp_path.resolve()


# -- inside ----------------------------------------------------------------------------------------

FORMS = {
    "shell": ("sh", "pip install agpear"),
    "pip3": ("sh", "pip3 install -q --no-cache-dir 'agpear>=1'"),
    "module": ("sh", "python -m pip install --upgrade agpear"),
    "uv": ("sh", "uv pip install agpear"),
    "file": ("bash", "echo agpear > r.txt; python3 -m pip install -r r.txt && echo installed"),
    "notebook": ("python", "!pip install agpear\nprint('next')"),
    "magic": ("python", "%pip install agpear"),
    "subprocess": (
        "python",
        "import subprocess, sys\n"
        "subprocess.check_call([sys.executable, '-m', 'pip', 'install', 'agpear'])",
    ),
    "function": ("python", "import pip\npip.main(['install', 'agpear'])"),
}


@pytest.mark.wall
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_installing_works(sandbox, run, index, form):
    language, code = FORMS[form]
    box = sandbox()
    result = run(box, code, language)
    assert result.exit_code == 0, result.output
    assert run(box, "import agpear; print(agpear.__version__)").output == "2.0\n"


@pytest.mark.wall
def test_block_that_asked_can_import_at_once_and_so_can_its_children(sandbox, run, index):
    code = """
import subprocess, sys
try:
    import agpear
except ImportError:
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "agpear"], check=True)
import agpear
print(agpear.__version__)
print(subprocess.run(["agpear-say"], capture_output=True, text=True).stdout)
subprocess.run([sys.executable, "-c", "import agpear; print(agpear.__file__)"])
"""
    result = run(sandbox(), code)
    assert result.output == "2.0\nscript of agpear\n\n/run/autogen/layer/agpear.py\n"


@pytest.mark.wall
def test_packages_of_the_constructor_are_there(sandbox, run, index):
    box = sandbox(packages=["agpear<2"], network="none")
    assert run(box, "import agpear; print(agpear.__version__)").output == "1.0\n"


@pytest.mark.wall
def test_packages_that_cannot_be_had_are_an_error_of_the_executor(sandbox, run, index):
    with pytest.raises(PackageError, match="agnothing"):
        run(sandbox(packages=["agnothing"]), "pass")


@pytest.mark.wall
def test_layer_cannot_be_changed_from_inside(sandbox, run, index):
    box = sandbox(packages=["agpear"])
    result = run(box, "import agpear; open(agpear.__file__, 'a').write('x')")
    assert "Error" in result.output
    assert "x" not in Path(box._layers.current.folder, "agpear.py").read_text()[-2:]


@pytest.mark.wall
def test_without_a_network_packages_are_refused_with_the_way_to_allow(sandbox, run, index):
    result = run(sandbox(network="none"), "pip install agpear", "sh")
    assert result.exit_code == 1
    assert "network='public'" in result.output


@pytest.mark.wall
@pytest.mark.parametrize(
    "arguments, said",
    [
        ("./local", "by name only"),
        (".", "by name only"),
        ("git+https://example.org/x", "by name only"),
        ("https://example.org/x.whl", "by name only"),
        ("--index-url http://evil agpear", "not possible"),
        ("-e .", "not possible"),
        ("-r nowhere.txt", "Could not open requirements file"),
        ("", "at least one requirement"),
        ("agnothing", "Could not install agnothing"),
    ],
)
def test_what_is_not_installed_says_why(sandbox, run, index, arguments, said):
    result = run(sandbox(), f"mkdir local; pip install {arguments}", "sh")
    assert result.exit_code == 1
    assert said in result.output


@pytest.mark.wall
def test_requests_written_by_hand_are_checked_again(sandbox, run, index, tmp_path):
    code = """
import json, socket
def ask(data):
    s = socket.socket(socket.AF_UNIX); s.connect("/run/autogen/ask"); s.sendall(data + b"\\n")
    answer = s.makefile().readline()
    return json.loads(answer) if answer else None
evil = ["--index-url=http://e", "agpear @ file:///etc/passwd", "-r /etc/passwd", 3, None, "a\\nb"]
for one in evil:
    print(ask(json.dumps({"requirements": [one]}).encode())["exit"])
print(ask(b"nonsense"), ask(b"[]"))
try: print(ask(json.dumps({"requirements": ["agpear"] * 10000}).encode()))
except OSError: print("dropped")
print([ask(b"[]")["exit"] for _ in range(40)].count(1))
"""
    result = run(sandbox(), code)
    lines = result.output.splitlines()
    assert lines[:3] + lines[5:6] == ["1"] * 4
    assert result.exit_code == 0
    assert int(lines[-1]) > 0
    assert not list(layers_dir().glob("*/agpear.py"))


@pytest.mark.wall
def test_time_of_an_installation_is_not_the_block_s(sandbox, run, index, monkeypatch):
    real = packages._uv_install

    def slow(*arguments):
        time.sleep(1.5)
        return real(*arguments)

    monkeypatch.setattr(packages, "_uv_install", slow)
    assert run(sandbox(timeout=1), "pip install agpear", "sh").exit_code == 0


@pytest.mark.wall
def test_shim_answers_what_models_ask(sandbox, run, index):
    box = sandbox(packages=["agpear"])
    assert "of the sandbox" in run(box, "pip --version", "sh").output
    assert "agpear" in run(box, "pip list", "sh").output
    assert "agpear==2.0" in run(box, "pip freeze | cat", "sh").output
    assert "Version: 2.0" in run(box, "pip show agpear", "sh").output
    assert run(box, "pip show agnothing", "sh").exit_code == 1
    assert json.loads(run(box, "pip list --format=json", "sh").output)
    assert run(box, "pip list | head -1", "bash").output.startswith("Package")
    assert "read-only" in run(box, "pip uninstall -y agpear", "sh").output
    assert run(box, "pip install --upgrade pip", "sh").exit_code == 0
    assert run(box, "pip download x", "sh").exit_code == 1
    assert run(box, "uv run python -c 'print(1)'", "sh").output == "1\n"


@pytest.mark.slow
@pytest.mark.wall
def test_small_package_comes_from_the_real_index(sandbox, run, require_part):
    result = run(sandbox(), "pip install cowsay==6.1\n", "sh")
    if "cannot be reached" in result.output:
        require_part("package index", because="it cannot be reached", do="connect this machine")
    assert result.exit_code == 0, result.output


def test_shim_needs_nothing_but_the_standard_library():
    shim = str(Path(packages.__file__).with_name("pip_shim.py"))
    program = (
        "import sys, runpy; sys.path = [p for p in sys.path if 'site-packages' not in p]\n"
        "import importlib.util\n"
        f"spec = importlib.util.spec_from_file_location('pip', {shim!r})\n"
        "module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module)\n"
        "raise SystemExit(module.main(['--version']))"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], check=False)
    assert done.returncode == 0
