"""The house: imports go down only, and nothing goes in circles.

Reads the syntax tree of every file below `src/autogen`. `TYPE_CHECKING`, in-function and lazy
imports count: what a file names, it depends on. The plan of the house is data, at the top; each
rule is a function from a house to the list of what breaks it, and each has a test in which a small
house breaks it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "autogen"

# -- the plan --------------------------------------------------------------------------------------

GROUND, VALUES, PORTS, ADAPTERS, CORE = "0 ground", "1 values", "2 ports", "3 adapters", "4 core"
FACE, AGENTS, ROOT = "5a face", "5b agents", "5c root"
SERVICES, COMMANDS = "6a services", "6b commands"
BESIDE = "beside"

# From the bottom up. A file may import from its own floor and from every floor below.
FLOORS: Mapping[str, frozenset[str]] = {
    GROUND: frozenset({"_kernel", "_lazy", "_retired", "_version", "errors", "types"}),
    VALUES: frozenset({"artifacts", "events", "messages", "usage"}),
    PORTS: frozenset({"_registry", "config", "limits", "tools"}),
    ADAPTERS: frozenset(
        {"cache", "coding", "human", "journal", "mcp", "memory", "models", "store", "telemetry"}
    ),
    CORE: frozenset({"_chat", "_durable"}),
    FACE: frozenset(
        {
            "_pydantic",
            "browser_utils",
            "code_utils",
            "exception_utils",
            "formatting_utils",
            "function_utils",
            "graph_utils",
            "io",
            "logger",
            "math_utils",
            "oai",
            "retrieve_utils",
            "runtime_logging",
            "token_count_utils",
            "version",
        }
    ),
    AGENTS: frozenset({"agentchat", "runtime"}),
    # `autogen/__init__.py` itself: the names users import.
    ROOT: frozenset({""}),
    SERVICES: frozenset({"server", "studio"}),
    COMMANDS: frozenset({"__main__", "cli"}),
}
ORDER = list(FLOORS)

# In a room of adapters these modules are the port: they stand one floor lower than the rest of the
# room.
PORT_MODULES = {"*": {"base"}, "human": {"base", "stream"}}

# Each of these is one way of serving its room's port, and may be left out or replaced. Adapters
# never import each other, and no other module of their floor imports one; what two of them share is
# a module of its own. A name is a module or a whole subpackage.
SINGLE_ADAPTERS: Mapping[str, frozenset[str]] = {
    "cache": frozenset({"memory", "redis", "sqlite"}),
    "coding": frozenset({"docker", "jupyter", "kubernetes", "local", "sandbox"}),
    "human": frozenset({"auto", "mailbox", "terminal"}),
    "journal": frozenset({"dbos", "memory"}),
    "memory": frozenset({"chroma", "local", "pgvector"}),
    "models": frozenset({"anyllm", "custom", "http"}),
}

# `testing` may import everything; only these may import it.
TESTING_IS_FOR = {"autogen.cli.demo", "autogen.cli.demo_teams"}

# The core asks and never acts: what it may not import, anywhere in a file.
CORE_FILES = ("autogen._chat", "autogen.agentchat", "autogen._kernel.ops", "autogen._kernel.faces")
NOT_IN_CORE = {"anyio", "asyncio", "random", "threading", "time"}

# Modules that only exist on POSIX systems may be imported inside functions. The runner is the
# exception: it is the program inside the wall, and walls are Linux.
POSIX_ONLY = {
    "_posixsubprocess",
    "crypt",
    "curses",
    "fcntl",
    "grp",
    "nis",
    "posix",
    "pty",
    "pwd",
    "readline",
    "resource",
    "spwd",
    "syslog",
    "termios",
    "tty",
}
RUNNER = "autogen.coding.runner"


# -- reading ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One imported name: `target` as written, made absolute."""

    target: str
    line: int
    in_function: bool


@dataclass(frozen=True, kw_only=True)
class Module:
    """One file of the package, by its dotted name."""

    name: str
    path: Path
    is_package: bool

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_text(encoding="utf-8"), filename=str(self.path))

    @cached_property
    def imports(self) -> list[Import]:
        return list(self._walk(self.tree, in_function=False))

    def _walk(self, node: ast.AST, *, in_function: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                for alias in child.names:
                    yield Import(target=alias.name, line=child.lineno, in_function=in_function)
            elif isinstance(child, ast.ImportFrom):
                origin = self._absolute(child.level, child.module or "")
                for alias in child.names:
                    target = f"{origin}.{alias.name}"
                    yield Import(target=target, line=child.lineno, in_function=in_function)
            elif isinstance(child, ast.Call):
                yield from self._lazy_imports(child)
            is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from self._walk(child, in_function=in_function or is_function)

    def _lazy_imports(self, call: ast.Call) -> Iterator[Import]:
        """The modules in the table of `lazy_names(__name__, {"Cache": ".cache"})`."""
        if not (isinstance(call.func, ast.Name) and call.func.id == "lazy_names"):
            return
        for table in call.args:
            for value in table.values if isinstance(table, ast.Dict) else ():
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    level = len(value.value) - len(value.value.lstrip("."))
                    target = self._absolute(level, value.value.lstrip("."))
                    yield Import(target=target, line=value.lineno, in_function=True)

    def _absolute(self, level: int, module: str) -> str:
        """`..errors` in `autogen.coding.base` -> `autogen.errors`."""
        if not level:
            return module
        parts = self.name.split(".")
        up = level - 1 if self.is_package else level
        return ".".join(parts[: len(parts) - up] + ([module] if module else []))

    @property
    def parts(self) -> list[str]:
        """The name without `autogen`: `["coding", "base"]`."""
        return self.name.split(".")[1:]

    @property
    def room(self) -> str:
        """The name right below `autogen`; empty for `autogen` itself."""
        return self.parts[0] if self.parts else ""

    @property
    def unit(self) -> str:
        """The name right below the room, a module or a subpackage; empty for the room itself."""
        return self.parts[1] if len(self.parts) > 1 else ""

    @cached_property
    def only_passes_on(self) -> bool:
        """The face of a room, or an alias module: imports, a docstring, `__all__`, nothing else."""
        return not self.unit or all(
            isinstance(node, ast.Import | ast.ImportFrom)
            or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
            or assigned_name(node) == "__all__"
            for node in self.tree.body
        )


class House:
    """The modules below a folder, and what each imports of the others."""

    def __init__(self, folder: Path) -> None:
        self.modules: dict[str, Module] = {}
        for path in sorted(folder.rglob("*.py")):
            if "templates" in path.parts:
                # Projects that are written for users: no part of the house.
                continue
            parts = ["autogen", *path.relative_to(folder).with_suffix("").parts]
            is_package = parts[-1] == "__init__"
            name = ".".join(parts[:-1] if is_package else parts)
            self.modules[name] = Module(name=name, path=path, is_package=is_package)

    def module_of(self, target: str) -> str | None:
        """The module a name belongs to: `autogen.errors.UsageError` -> `autogen.errors`."""
        for name in (target, target.rpartition(".")[0]):
            if name in self.modules:
                return name
        return None

    def edges(self) -> Iterator[tuple[Module, Module, int]]:
        """Every import of one module of the house by another, with its line."""
        for module in self.modules.values():
            for imported in module.imports:
                name = self.module_of(imported.target)
                if name is not None and name != module.name:
                    yield module, self.modules[name], imported.line


def assigned_name(node: ast.stmt) -> str | None:
    """`x = ...` or `x: T = ...` -> `x`."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target = node.targets[0]
    elif isinstance(node, ast.AnnAssign):
        target = node.target
    else:
        return None
    return target.id if isinstance(target, ast.Name) else None


def floor_of(module: Module) -> str | None:
    """The floor a module stands on; None where the plan does not know its room."""
    if module.room == "testing":
        return BESIDE
    floor = next((floor for floor, rooms in FLOORS.items() if module.room in rooms), None)
    ports = PORT_MODULES.get(module.room, PORT_MODULES["*"])
    return PORTS if floor == ADAPTERS and module.unit in ports else floor


def is_adapter(module: Module) -> bool:
    """Whether a module is, or belongs to, one of the adapters."""
    return module.unit in SINGLE_ADAPTERS.get(module.room, ())


def circles(edges: Mapping[str, set[str]]) -> list[list[str]]:
    """Groups of nodes that can all reach each other (Tarjan's strongly connected components)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(edges.get(node, ())):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1:
                found.append(sorted(group))

    for node in sorted(edges):
        if node not in index:
            visit(node)
    return found


# -- the rules -------------------------------------------------------------------------------------


def rooms_without_a_floor(house: House) -> list[str]:
    """Every room stands on a floor of the plan."""
    return [
        f"{module.name}: give the room {module.room!r} a floor in FLOORS"
        for module in house.modules.values()
        if floor_of(module) is None
    ]


def upward_imports(house: House) -> list[str]:
    """A file imports from its own floor and from those below; `testing` is only for the demo."""
    found = []
    for module, imported, line in house.edges():
        lower, upper = floor_of(module), floor_of(imported)
        if lower is None or upper is None or lower == BESIDE:
            continue
        if upper == BESIDE:
            wrong = module.name not in TESTING_IS_FOR
        else:
            wrong = ORDER.index(upper) > ORDER.index(lower)
        if wrong:
            found.append(f"{module.name}:{line} ({lower}) imports {imported.name} ({upper})")
    return found


def circles_of_modules(house: House) -> list[str]:
    """No module reaches itself."""
    edges: dict[str, set[str]] = {}
    for module, imported, _ in house.edges():
        edges.setdefault(module.name, set()).add(imported.name)
    return [" <-> ".join(group) for group in circles(edges)]


def circles_of_rooms(house: House) -> list[str]:
    """On one floor, imports run one way between rooms."""
    edges: dict[str, set[str]] = {}
    for module, imported, _ in house.edges():
        floor = floor_of(module)
        if floor == floor_of(imported) and module.room != imported.room:
            edges.setdefault(f"{floor}: {module.room}", set()).add(f"{floor}: {imported.room}")
    return [" <-> ".join(group) for group in circles(edges)]


def adapters_that_know_adapters(house: House) -> list[str]:
    """Among adapters nobody imports another, except files that only pass names on."""
    found = []
    for module, imported, line in house.edges():
        if floor_of(module) != ADAPTERS or not is_adapter(imported) or module.only_passes_on:
            continue
        if (module.room, module.unit) != (imported.room, imported.unit):
            found.append(f"{module.name}:{line} imports the adapter {imported.name}")
    return found


def packages_without_sorted_names(house: House) -> list[str]:
    """The `__init__` of every package has a literal `__all__`, sorted as `sorted()` sorts."""
    found = []
    for module in house.modules.values():
        if not module.is_package:
            continue
        values = [node for node in module.tree.body if assigned_name(node) == "__all__"]
        try:
            names = ast.literal_eval(values[0].value)  # type: ignore[attr-defined]
        except (IndexError, ValueError):
            found.append(f"{module.name}: no literal __all__")
            continue
        if list(names) != sorted(set(names)):
            found.append(f"{module.name}: __all__ is not sorted, or names something twice")
    return found


def posix_imports_at_module_level(house: House) -> list[str]:
    """Modules that only exist on POSIX systems are imported where they are needed."""
    return [
        f"{module.name}:{imported.line} imports {imported.target}"
        for module in house.modules.values()
        if module.name != RUNNER
        for imported in module.imports
        if not imported.in_function and imported.target.split(".")[0] in POSIX_ONLY
    ]


def acts_of_the_core(house: House) -> list[str]:
    """The core never imports an event loop, threads, the clock or randomness."""
    return [
        f"{module.name}:{imported.line} imports {imported.target}"
        for module in house.modules.values()
        if module.name.startswith(tuple(f"{name}." for name in CORE_FILES))
        or module.name in CORE_FILES
        for imported in module.imports
        if imported.target.split(".")[0] in NOT_IN_CORE
    ]


def needs_of_the_runner(house: House) -> list[str]:
    """The runner is copied into walls that have no autogen, so it imports none of it."""
    return [
        f"{module.name}:{line} imports {imported.name}"
        for module, imported, line in house.edges()
        if module.name == RUNNER
    ]


RULES = (
    rooms_without_a_floor,
    upward_imports,
    circles_of_modules,
    circles_of_rooms,
    adapters_that_know_adapters,
    packages_without_sorted_names,
    posix_imports_at_module_level,
    acts_of_the_core,
    needs_of_the_runner,
)

# -- the tests -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def house() -> House:
    return House(SOURCE)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_house_keeps(rule, house):
    found = rule(house)
    assert not found, f"{rule.__doc__}\n" + "\n".join(f"  {line}" for line in found)


def build(folder: Path, files: Mapping[str, str]) -> House:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return House(folder)


BROKEN_HOUSES = {
    "a room that the plan does not know": (
        rooms_without_a_floor,
        {"attic.py": ""},
        ["autogen.attic: give the room 'attic' a floor in FLOORS"],
    ),
    "an upward import at the top": (
        upward_imports,
        {"errors.py": "from autogen.usage import Usage", "usage.py": ""},
        ["autogen.errors:1 (0 ground) imports autogen.usage (1 values)"],
    ),
    "an upward import inside a function, relative": (
        upward_imports,
        {
            "coding/base.py": "def f():\n    from ..agentchat import Agent",
            "agentchat/__init__.py": "",
        },
        ["autogen.coding.base:2 (2 ports) imports autogen.agentchat (5b agents)"],
    ),
    "an upward import for type checkers only": (
        upward_imports,
        {
            "_chat/loop.py": "import typing as t\nif t.TYPE_CHECKING:\n    import autogen",
            "__init__.py": "",
        },
        ["autogen._chat.loop:3 (4 core) imports autogen (5c root)"],
    ),
    "a port that imports its adapter": (
        upward_imports,
        {
            "human/stream.py": "from . import terminal",
            "human/terminal.py": "",
            "human/__init__.py": "",
        },
        ["autogen.human.stream:1 (2 ports) imports autogen.human.terminal (3 adapters)"],
    ),
    "an upward import in a lazy table": (
        upward_imports,
        {
            "tools/__init__.py": "x, y = lazy_names(__name__, {'Agent': '..agentchat.agent'})",
            "agentchat/agent.py": "",
        },
        ["autogen.tools:1 (2 ports) imports autogen.agentchat.agent (5b agents)"],
    ),
    "testing used by the product": (
        upward_imports,
        {
            "cli/run.py": "import autogen.testing",
            "cli/demo.py": "import autogen.testing",
            "testing/__init__.py": "import autogen.cli.run",
        },
        ["autogen.cli.run:1 (6b commands) imports autogen.testing (beside)"],
    ),
    "a circle of modules": (
        circles_of_modules,
        {
            "_kernel/a.py": "from .b import x",
            "_kernel/b.py": "def f():\n    from . import c",
            "_kernel/c.py": "import autogen._kernel.a",
            "_kernel/__init__.py": "from .a import x",
        },
        ["autogen._kernel.a <-> autogen._kernel.b <-> autogen._kernel.c"],
    ),
    "a circle of rooms": (
        circles_of_rooms,
        {
            "tools/call.py": "from ..limits import rate",
            "limits/rate.py": "",
            "limits/budget.py": "from ..tools import schema",
            "tools/schema.py": "",
        },
        ["2 ports: limits <-> 2 ports: tools"],
    ),
    "an adapter that imports another, and a shared part that does": (
        adapters_that_know_adapters,
        {
            "coding/docker.py": "from .sandbox import S\nfrom .workspace import files\nx = 1",
            "coding/sandbox.py": "from .jupyter.kernel import Kernel\nclass Sandbox: ...",
            "coding/workspace.py": "from . import local\ndef files(): ...",
            "coding/local.py": "",
            "coding/jupyter/kernel.py": "from .server import Server",
            "coding/jupyter/server.py": "",
            "coding/__init__.py": "from .docker import Docker\n__all__ = ['Docker']",
            "coding/docker_commandline_code_executor.py": "from .docker import Docker",
        },
        [
            "autogen.coding.docker:1 imports the adapter autogen.coding.sandbox",
            "autogen.coding.sandbox:1 imports the adapter autogen.coding.jupyter.kernel",
            "autogen.coding.workspace:1 imports the adapter autogen.coding.local",
        ],
    ),
    "packages without, with a computed, and with an unsorted list of names": (
        packages_without_sorted_names,
        {
            "cache/__init__.py": "",
            "memory/__init__.py": "__all__ = ['a'] + list(map(str, []))",
            "config/__init__.py": "__all__ = ['b', 'a']",
            "tools/__init__.py": "__all__: list[str] = ['A', 'a', 'b']",
        },
        [
            "autogen.cache: no literal __all__",
            "autogen.config: __all__ is not sorted, or names something twice",
            "autogen.memory: no literal __all__",
        ],
    ),
    "a POSIX module at the top, guarded or not": (
        posix_imports_at_module_level,
        {
            "coding/local.py": "try:\n    import resource\nexcept ImportError:\n    pass",
            "coding/sandbox.py": "def f():\n    import fcntl",
            "coding/runner.py": "import fcntl",
        },
        ["autogen.coding.local:2 imports resource"],
    ),
    "a core that acts": (
        acts_of_the_core,
        {
            "_chat/select.py": "def f():\n    from random import choice",
            "_kernel/ops.py": "import asyncio.events",
            "_kernel/drive.py": "import asyncio",
        },
        [
            "autogen._chat.select:2 imports random.choice",
            "autogen._kernel.ops:1 imports asyncio.events",
        ],
    ),
    "a runner that needs the package": (
        needs_of_the_runner,
        {"coding/runner.py": "import os\nfrom autogen.errors import AutogenError", "errors.py": ""},
        ["autogen.coding.runner:2 imports autogen.errors"],
    ),
}


@pytest.mark.parametrize("name", BROKEN_HOUSES)
def test_rule_finds(name, tmp_path):
    rule, files, expected = BROKEN_HOUSES[name]
    assert rule(build(tmp_path, files)) == expected


def test_every_rule_has_a_broken_house():
    assert {rule for rule, _, _ in BROKEN_HOUSES.values()} == set(RULES)
