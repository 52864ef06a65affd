"""Functions of the program that code blocks import."""

from __future__ import annotations

import os
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.compat.requirements import requirement

from autogen.code_utils import create_virtual_env
from autogen.coding import CodeBlock, packages
from autogen.coding.func_with_reqs import FunctionWithRequirements, with_requirements
from autogen.errors import PackageError, UsageError


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@with_requirements(global_imports=["math"])
def root(x: float) -> float:
    """The square root."""
    return math.sqrt(x)  # noqa: F821


@with_requirements(python_packages=["autogen-test-greeting"], global_imports=["greeting"])
def greet() -> str:
    """A greeting."""
    return greeting.HELLO  # noqa: F821


@with_requirements(python_packages=["autogen-test-no-such-package"])
def hopeless() -> None:
    """Cannot be had."""


@with_requirements(global_imports=["no_such_module"])
def unloadable() -> None:
    """Cannot be imported."""


MINUS = FunctionWithRequirements.from_str("def minus(a, b):\n    return a - b\n")


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder with one package, which installations of this test look into and nowhere else."""
    folder = tmp_path / "index"
    folder.mkdir()
    name = "autogen_test_greeting-1.0"
    with zipfile.ZipFile(folder / f"{name}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("greeting.py", "HELLO = 'hello'\n")
        wheel.writestr(
            f"{name}.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: autogen-test-greeting\nVersion: 1.0\n",
        )
        wheel.writestr(
            f"{name}.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr(f"{name}.dist-info/RECORD", "")
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    # An earlier test may have had those of this machine read.
    packages.pip_settings.cache_clear()
    yield
    packages.pip_settings.cache_clear()


@requirement("exec:functions:import", "exec:functions:walled")
def test_blocks_import_functions(either, run, tmp_path):
    executor = either(functions=[add, root, MINUS])
    code = "from functions import add, root, minus\nprint(add(1, 2), root(16), minus(1, 2))"
    result = run(executor, code)
    assert (result.exit_code, result.output) == (0, "3 4.0 -1\n")
    assert result.artifacts == ()
    names = {path.name for path in (tmp_path / "work").iterdir()} - {"__pycache__"}
    assert names == {"functions.py", result.code_file.rpartition("/")[2]}
    assert executor.functions == [add, root, MINUS]


@requirement("exec:functions:module")
def test_module_of_functions_can_be_named(either, run):
    executor = either(functions=[add], functions_module="mine")
    assert executor.functions_module == "mine"
    assert run(executor, "import mine\nprint(mine.add(1, 1))").output == "2\n"


@requirement("exec:functions:module")
@pytest.mark.parametrize("name", ["not a name", "a-b", "", "class", "a.b", "../a"])
def test_module_that_could_not_be_imported_is_refused(either, name):
    with pytest.raises(ValueError, match="functions_module"):
        either(functions_module=name)


@requirement("exec:functions:packages", "exec:functions:walled")
def test_what_functions_need_is_installed_first(either, run, index):
    executor = either(functions=[greet])
    assert run(executor, "from functions import greet\nprint(greet())").output == "hello\n"
    assert run(executor, "import greeting; print(greeting.HELLO)").output == "hello\n"


def test_layer_of_functions_goes_before_the_path_of_the_caller(local, run, index, tmp_path):
    executor = local(functions=[greet], env={"PYTHONPATH": str(tmp_path)})
    result = run(executor, "import sys, functions\nprint(sys.path[1:3])")
    assert result.output.endswith(f", {str(tmp_path)!r}]\n")


@requirement("exec:functions:packages:venv", "exec:venv")
@pytest.mark.slow
@pytest.mark.parametrize("with_pip", [True, False])
def test_packages_go_into_the_virtual_environment(local, run, index, tmp_path, with_pip):
    context = create_virtual_env(tmp_path / "venv", with_pip=with_pip)
    executor = local(functions=[greet], virtual_env_context=context)
    code = "import greeting, sys\nfrom functions import greet\nprint(greet(), greeting.__file__)"
    result = run(executor, code)
    assert result.output.startswith(f"hello {tmp_path}/venv/lib/"), result.output
    assert run(executor, "command -v python", "sh").output == f"{context.bin_path}/python\n"
    assert run(executor, "echo $VIRTUAL_ENV", "sh").output == f"{tmp_path}/venv\n"


@requirement("exec:functions:packages:bad")
def test_package_that_cannot_be_had_is_an_error_each_time(either, run, index):
    executor = either(functions=[hopeless])
    for _ in range(2):
        with pytest.raises(ValueError, match=r"^Pip install failed.*no-such-package") as caught:
            run(executor, "print(1)")
    assert isinstance(caught.value.__cause__, PackageError)


@requirement("exec:functions:load:bad")
def test_functions_that_do_not_load_are_an_error(either, run, tmp_path):
    with pytest.raises(ValueError, match=r"^Functions failed to load: (.|\n)*no_such_module"):
        run(either(functions=[unloadable]), "print(1)")
    names = {path.name for path in (tmp_path / "work").iterdir()} - {"__pycache__"}
    assert names == {"functions.py"}


@requirement("exec:functions:load:bad")
def test_functions_that_take_too_long_to_load_are_an_error(local, run):
    slow = FunctionWithRequirements.from_str("import time; time.sleep(60)\ndef f(): ...")
    with pytest.raises(ValueError, match=r"Functions failed to load: (.|\n)*Timeout"):
        run(local(functions=[slow], timeout=1), "print(1)")


@requirement("exec:functions:prompt")
def test_model_is_told_of_functions(either):
    executor = either(functions=[add, MINUS], functions_module="mine")
    said = executor.format_functions_for_prompt()
    assert "`from mine import foo`" in said
    assert said.endswith(
        'def add(a: int, b: int) -> int:\n    """Add two numbers."""\n    ...\n\n'
        "def minus(a, b):\n    ..."
    )
    own = executor.format_functions_for_prompt("In $module_name, for $5:\n$functions")
    assert own.startswith("In mine, for $5:\ndef add(")


@requirement("exec:functions:early")
@pytest.mark.parametrize(
    "functions, problem",
    [
        ([print], "source"),
        ([lambda: 1], "source"),
        (["def f(): ..."], "from_str"),
        ([MINUS, FunctionWithRequirements.from_str("def minus(): ...")], "two functions"),
    ],
)
def test_functions_that_cannot_be_written_down_are_refused_at_once(either, functions, problem):
    with pytest.raises(ValueError, match=problem):
        either(functions=functions)


def test_function_may_be_named_twice(local, run):
    executor = local(functions=[add, add])
    assert run(executor, "from functions import add\nprint(add(1, 1))").output == "2\n"


def test_module_that_was_deleted_is_written_again(either, run, tmp_path):
    executor = either(functions=[add])
    code = "from functions import add\nprint(add(1, 1))"
    assert run(executor, code).output == "2\n"
    (tmp_path / "work" / "functions.py").unlink()
    assert run(executor, code).output == "2\n"


@requirement("exec:functions:kept")
@pytest.mark.parametrize("name", ["functions", "mine"])
def test_file_of_somebody_else_is_not_overwritten(either, run, tmp_path, name):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / f"{name}.py").write_text("precious = 1\n")
    executor = either(functions=[add], functions_module=name)
    with pytest.raises(UsageError, match=f"'{name}.py' in .* is not replaced"):
        run(executor, "print(1)")
    assert (tmp_path / "work" / f"{name}.py").read_text() == "precious = 1\n"


def test_module_of_an_earlier_program_is_replaced(either, run):
    run(either(functions=[MINUS]), "print(1)")
    result = run(either(functions=[add]), "from functions import add\nprint(add(1, 1))")
    assert result.output == "2\n"


def test_executors_that_share_a_folder_share_the_module(either, run):
    def work(_):
        executor = either(functions=[add])
        return [run(executor, "from functions import add\nprint(add(1, 1))") for _ in range(3)]

    with ThreadPoolExecutor(4) as pool:
        results = [result.output for found in pool.map(work, range(4)) for result in found]
    assert results == ["2\n"] * 12


def test_pipe_or_link_in_the_place_of_the_module_is_no_trap(local, run, tmp_path):
    (tmp_path / "work").mkdir()
    os.mkfifo(tmp_path / "work" / "functions.py")
    executor = local(functions=[add])
    assert run(executor, "import functions\nprint(functions.add(1, 1))").output == "2\n"


def test_functions_where_python_is_only_saved_are_written_all_the_same(local, tmp_path):
    executor = local(functions=[add], execution_policies={"python": False})
    blocks = [CodeBlock(code="from functions import add", language="python")]
    assert executor.execute_code_blocks(blocks).output.startswith("Code saved to ")
    assert "def add(" in (tmp_path / "work" / "functions.py").read_text()


@requirement("exec:venv")
def test_virtual_environment_without_a_python_is_refused(local):
    with pytest.raises(TypeError, match="has no paths env_exe and bin_path; give what"):
        local(virtual_env_context=sys)
