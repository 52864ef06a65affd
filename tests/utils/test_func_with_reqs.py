"""Functions that code blocks may import: reading, describing, writing them into a module."""

from __future__ import annotations

import functools

import pytest
from tests.compat.requirements import requirement

from autogen.coding import func_with_reqs
from autogen.coding.func_with_reqs import (
    Alias,
    FunctionWithRequirements,
    FunctionWithRequirementsStr,
    ImportFromModule,
    _build_python_functions_file,
    required_packages,
    to_stub,
    with_requirements,
)

SOURCE = '''
def twice(a: int, b: "list[int] | None" = None) -> int:
    """Two times a.

    And then some.
    """
    return 2 * a
'''


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@with_requirements(
    python_packages=["pandas", "numpy"],
    global_imports=[
        "numpy",
        Alias("pandas", "pd"),
        ImportFromModule("math", ["pi", Alias("e", "x")]),
    ],
)
def load(path: str = "x.csv") -> "pd.DataFrame":  # noqa: F821, UP037
    """Load some text.

    Keeps its "quotes".
    """
    # A comment stays.
    return path


@functools.lru_cache
@func_with_reqs.with_requirements()
async def later(*args, key=(), **kwargs): ...


@requirement("requirements:decorator")
def test_decorated_function_can_be_called_and_keeps_its_name():
    assert load("a") == "a"
    assert load.__name__ == "load"
    assert isinstance(load, FunctionWithRequirements)


@requirement("requirements:text")
def test_source_is_read_and_not_run():
    func = FunctionWithRequirements.from_str("import os\nos.abort()\n" + SOURCE, ["x"], ["os"])
    assert isinstance(func, FunctionWithRequirementsStr)
    assert func.__name__ == "twice"
    with pytest.raises(NotImplementedError, match="'twice' was given as source"):
        func(1)


@requirement("requirements:text:bad")
@pytest.mark.parametrize(
    "source, problem",
    [
        ("x = 1", "it holds none"),
        (SOURCE + SOURCE.replace("twice", "thrice"), "it holds twice, thrice"),
        ("def f(:", "is not Python"),
        ("class A:\n    def f(self): ...", "it holds none"),
    ],
)
def test_source_of_anything_else_than_one_function_is_refused(source, problem):
    with pytest.raises(ValueError, match=problem):
        FunctionWithRequirements.from_str(source)


@requirement("requirements:stub")
def test_stub_is_signature_and_docstring():
    assert to_stub(add) == ('def add(a: int, b: int) -> int:\n    """Add two numbers."""\n    ...')
    assert to_stub(FunctionWithRequirements.from_str(SOURCE)) == (
        "def twice(a: int, b: 'list[int] | None'=None) -> int:\n"
        '    """Two times a.\n\n    And then some."""\n    ...'
    )
    assert to_stub(later) == "async def later(*args, key=(), **kwargs):\n    ..."


def test_stub_is_python_whatever_the_docstring():
    source = 'def f():\n    """It\\\\s \\"\\"\\"quoted\\"\\"\\""""\n'
    stub = to_stub(FunctionWithRequirements.from_str(source))
    names: dict[str, object] = {}
    exec(stub, names)
    assert names["f"].__doc__.strip() == 'It\\s """quoted"""'


def test_stub_of_a_function_without_source_comes_from_the_object():
    names: dict[str, object] = {}
    source = 'def f(a: int = 1) -> int:\n    """Doc."""\n    return a'
    exec(compile(source, "nowhere", "exec", dont_inherit=True), names)
    stub = to_stub(FunctionWithRequirements.from_callable(names["f"]))
    assert stub == 'def f(a: int = 1) -> int:\n    """Doc."""\n    ...'


def test_function_that_tells_nothing_is_refused():
    with pytest.raises(ValueError, match="tells neither its source nor its signature"):
        to_stub(dict.fromkeys.__self__)


def test_packages_are_named_once():
    more = FunctionWithRequirements.from_str(SOURCE, ["numpy", "scipy"])
    assert required_packages([load, add, more]) == ["pandas", "numpy", "scipy"]


def test_module_has_the_imports_once_and_the_sources_without_the_decorator():
    text = _build_python_functions_file(
        [add, load, FunctionWithRequirements.from_str(SOURCE), load]
    )
    assert text.startswith(
        "import numpy\nimport pandas as pd\nfrom math import pi, e as x\n\ndef add(a: int"
    )
    assert "with_requirements" not in text
    assert "# A comment stays." in text
    compile(text, "functions", "exec")


def test_other_decorators_stay():
    text = _build_python_functions_file([later])
    assert "@functools.lru_cache\nasync def later" in text
    assert "with_requirements" not in text


def test_function_without_source_can_not_be_written():
    names: dict[str, object] = {}
    exec("def f(): ...", names)
    with pytest.raises(ValueError, match="can't be found"):
        _build_python_functions_file([names["f"]])
