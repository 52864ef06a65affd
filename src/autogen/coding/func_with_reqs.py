"""Functions that code blocks may import, with the packages and imports they need.

Here they are read, described to a model and put together as a module. Nothing is run or installed;
that is for the executor that gets them (`commandline.py`).
"""

from __future__ import annotations

import ast
import functools
import inspect
import keyword
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from string import Template
from textwrap import dedent, indent
from typing import Any, Generic, NoReturn, ParamSpec, TypeAlias, TypeVar

from ..errors import UsageError, UsageTypeError

__all__ = [
    "Alias",
    "AnyFunction",
    "FunctionWithRequirements",
    "FunctionWithRequirementsStr",
    "FunctionsModule",
    "Import",
    "ImportFromModule",
    "required_packages",
    "to_stub",
    "with_requirements",
]

#: The first line of the module that an executor writes, by which it knows its own again.
MODULE_HEADER = "# Written by autogen from functions=[...] of an executor, and written anew.\n"

P = ParamSpec("P")
T = TypeVar("T")

_Definition = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Alias:
    """Something under another name: `Alias("pandas", "pd")` is `pandas as pd`."""

    name: str
    alias: str


@dataclass
class ImportFromModule:
    """`from module import ...`."""

    module: str
    imports: list[str | Alias]


#: `import name`, `import name as alias`, or `from module import ...`.
Import: TypeAlias = str | ImportFromModule | Alias


class FunctionWithRequirementsStr:
    """A function given as its source. It is read, not run, and can't be called here.

    Args:
        func: Source of exactly one function.
        python_packages: What pip installs for it.
        global_imports: What stands above it in its module.

    Raises:
        UsageError: The source is not that of exactly one function.
    """

    def __init__(
        self,
        func: str,
        python_packages: Sequence[str] = (),
        global_imports: Sequence[Import] = (),
    ):
        self.func = func
        self.python_packages = list(python_packages)
        self.global_imports = list(global_imports)
        self._definition = _only_definition(func)

    @property
    def __name__(self) -> str:
        return self._definition.name

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Always raises: the function exists only where the code runs."""
        raise NotImplementedError(
            f"{self._definition.name!r} was given as source; only code that an executor runs can "
            "call it."
        )


@dataclass
class FunctionWithRequirements(Generic[T, P]):
    """A function with what it needs; calling it calls the function."""

    func: Callable[P, T]
    python_packages: list[str] = field(default_factory=list)
    global_imports: list[Import] = field(default_factory=list)

    @classmethod
    def from_callable(
        cls,
        func: Callable[P, T],
        python_packages: Sequence[str] = (),
        global_imports: Sequence[Import] = (),
    ) -> FunctionWithRequirements[T, P]:
        """`func` with what it needs."""
        return cls(func, list(python_packages), list(global_imports))

    @staticmethod
    def from_str(
        func: str,
        python_packages: Sequence[str] = (),
        global_imports: Sequence[Import] = (),
    ) -> FunctionWithRequirementsStr:
        """The function whose source is `func`, with what it needs."""
        return FunctionWithRequirementsStr(func, python_packages, global_imports)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call the function."""
        return self.func(*args, **kwargs)


#: What an executor's `functions` may hold.
AnyFunction: TypeAlias = (
    Callable[..., Any] | FunctionWithRequirements[Any, Any] | FunctionWithRequirementsStr
)


def with_requirements(
    python_packages: Sequence[str] | None = None, global_imports: Sequence[Import] | None = None
) -> Callable[[Callable[P, T]], FunctionWithRequirements[T, P]]:
    """A decorator that says what a function needs where code blocks use it.

    Args:
        python_packages: What pip installs for it.
        global_imports: What stands above it in its module.
    """

    def decorated(func: Callable[P, T]) -> FunctionWithRequirements[T, P]:
        made = FunctionWithRequirements.from_callable(
            func, python_packages or (), global_imports or ()
        )
        functools.update_wrapper(made, func)
        return made

    return decorated


def required_packages(funcs: Iterable[AnyFunction]) -> list[str]:
    """What pip installs for these functions; each once, in order."""
    needed = [package for func in funcs for package in getattr(func, "python_packages", ())]
    return list(dict.fromkeys(needed))


def to_stub(func: AnyFunction) -> str:
    """Signature and docstring of a function, with `...` for its body: what a model needs to know.

    Raises:
        UsageError: The function tells neither its source nor its signature.
    """
    definition = _definition_or_none(func)
    if definition is None:
        head, doc = _head_of_object(func)
    else:
        doc = ast.get_docstring(definition)
        head = _head(definition)
    lines = [head]
    if doc:
        # Indented by hand rather than unparsed: a model reads it as people wrote it.
        quoted = doc.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
        quoted += " " if quoted.endswith('"') else ""
        lines.append(indent(f'"""{quoted}"""', "    ", lambda line: bool(line.strip())))
    lines.append("    ...")
    return "\n".join(lines)


class FunctionsModule:
    """The module that code blocks import an executor's functions from.

    Args:
        functions: What it holds.
        name: What blocks call it.

    Attributes:
        text: Its source.
        packages: What has to be installed for it.

    Raises:
        UsageError: The name is none of a module; a function cannot be written down; or two
            functions have one name.
    """

    def __init__(self, functions: Sequence[AnyFunction], name: str):
        if not str(name).isidentifier() or keyword.iskeyword(name):
            raise UsageError(f"functions_module {name!r} is not a valid module name.")
        self.name = name
        self.functions = list(functions)
        by_name: dict[str, AnyFunction] = {}
        for function in self.functions:
            if not callable(function):
                raise UsageTypeError(
                    f"functions has {function!r}; give functions, or their source to "
                    "FunctionWithRequirements.from_str."
                )
            known_as = function_name(function)
            if by_name.setdefault(known_as, function) is not function:
                raise UsageError(f"functions has two functions called {known_as!r}; rename one.")
        self.text = MODULE_HEADER + _build_python_functions_file(list(by_name.values()))
        self.packages = tuple(required_packages(self.functions))
        #: A program that imports each of them, as blocks will.
        self.check = f"from {name} import {', '.join(by_name)}\n"

    def described(self, template: str) -> str:
        """`template` with `$module_name` and `$functions` filled in; other dollars stay."""
        stubs = "\n\n".join(to_stub(function) for function in self.functions)
        return Template(template).safe_substitute(module_name=self.name, functions=stubs)


def function_name(function: AnyFunction) -> str:
    """The name that the source of `function` gives it.

    Raises:
        UsageError: It has no source, or one that is not of exactly one function.
    """
    return _only_definition(_source(function)).name


def _head(definition: _Definition) -> str:
    word = "async def" if isinstance(definition, ast.AsyncFunctionDef) else "def"
    returned = f" -> {ast.unparse(definition.returns)}" if definition.returns else ""
    return f"{word} {definition.name}({ast.unparse(definition.args)}){returned}:"


def _head_of_object(func: Any) -> tuple[str, str | None]:
    func = getattr(func, "func", func)
    try:
        signature = inspect.signature(func)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{func!r} tells neither its source nor its signature.") from error
    word = "async def" if inspect.iscoroutinefunction(func) else "def"
    return f"{word} {func.__name__}{signature}:", inspect.getdoc(func)


def _build_python_functions_file(funcs: Sequence[AnyFunction]) -> str:
    """The text of a module that holds these functions: the imports of all, then their sources."""
    imports = dict.fromkeys(
        _import_line(one) for func in funcs for one in getattr(func, "global_imports", ())
    )
    return "\n".join(imports) + "\n\n" + "".join(f"{_to_code(func)}\n\n" for func in funcs)


def _import_line(import_: Import) -> str:
    if isinstance(import_, ImportFromModule):
        names = ", ".join(_imported(one) for one in import_.imports)
        return f"from {import_.module} import {names}"
    return f"import {_imported(import_)}"


def _imported(one: str | Alias) -> str:
    return f"{one.name} as {one.alias}" if isinstance(one, Alias) else one


# ----------------------------------------------------------------------------------------- source


def _source(func: AnyFunction) -> str:
    if isinstance(func, FunctionWithRequirementsStr):
        return dedent(func.func)
    function = func.func if isinstance(func, FunctionWithRequirements) else func
    try:
        return dedent(inspect.getsource(function))
    except (OSError, TypeError) as error:
        raise UsageError(
            f"the source of {function!r} can't be found; define it in a file or a notebook cell, "
            "or give its source to FunctionWithRequirements.from_str."
        ) from error


def _only_definition(source: str) -> _Definition:
    try:
        body = ast.parse(dedent(source)).body
    except SyntaxError as error:
        raise UsageError(f"the source of the function is not Python: {error}.") from error
    found = [node for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    if len(found) != 1:
        names = ", ".join(node.name for node in found) or "none"
        raise UsageError(f"the source must hold exactly one function; it holds {names}.")
    return found[0]


def _definition_or_none(func: AnyFunction) -> _Definition | None:
    try:
        return _only_definition(_source(func))
    except UsageError:
        return None


def _to_code(func: AnyFunction) -> str:
    """The source of a function without its `with_requirements`, which its module does not know."""
    source = _source(func)
    definition = _only_definition(source)
    lines = source.split("\n")
    dropped: set[int] = set()
    for decorator in definition.decorator_list:
        if _is_with_requirements(decorator):
            assert decorator.end_lineno is not None, "a parsed node has an end"
            dropped.update(range(decorator.lineno, decorator.end_lineno + 1))
    kept = [line for number, line in enumerate(lines, start=1) if number not in dropped]
    return "\n".join(kept).strip("\n")


def _is_with_requirements(decorator: ast.expr) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    return name == with_requirements.__name__
