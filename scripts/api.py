"""The public API as text: every public name with its signature.

    python scripts/api.py            print it
    python scripts/api.py --write    write it to tests/house/api.txt (`make api`)
    python scripts/api.py --check    compare it with tests/house/api.txt; exit 1 and a diff where
                                     they differ

Public are the modules whose path has no part that begins with an underscore, and of them the names
in `__all__`. A class is shown with the members it defines itself; what it inherits stands at the
class it comes from.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import inspect
import re
import sys
from collections.abc import Iterator, Set
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "autogen"
SNAPSHOT = ROOT / "tests" / "house" / "api.txt"

# Not imported by anybody: the program inside a wall, and the command line's start.
PROGRAMS = {"autogen.coding.runner", "autogen.__main__"}


def public_modules(source: Path = SOURCE) -> list[str]:
    """The dotted names of all public modules, sorted."""
    names = []
    for path in source.rglob("*.py"):
        parts = list(path.relative_to(source.parent).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        name = ".".join(parts)
        # Projects that are written for users are no modules of ours.
        is_ours = "templates" not in parts and not any(part.startswith("_") for part in parts)
        if name not in PROGRAMS and is_ours:
            names.append(name)
    return sorted(names)


class Written:
    """An annotation that is shown as it was written, without quotes."""

    def __init__(self, annotation: Any) -> None:
        self.annotation = annotation

    def __repr__(self) -> str:
        annotation = getattr(self.annotation, "__forward_arg__", self.annotation)
        return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def signature(value: Any) -> str:
    """The signature as written, without what changes from run to run."""
    try:
        found = inspect.signature(value)
    except (TypeError, ValueError):
        return "(...)"
    empty = inspect.Parameter.empty
    parameters = [
        one.replace(
            annotation=empty if one.annotation is empty else Written(one.annotation),
            default=Sorted(one.default) if isinstance(one.default, Set) else one.default,
        )
        for one in found.parameters.values()
    ]
    returned = found.return_annotation
    found = found.replace(
        parameters=parameters, return_annotation=empty if returned is empty else Written(returned)
    )
    return re.sub(r" at 0x[0-9a-f]+", "", str(found))


class Sorted:
    """A set as a default, in one order: a set's own differs from process to process."""

    def __init__(self, values: Set[Any]) -> None:
        self.values = values

    def __repr__(self) -> str:
        inside = ", ".join(sorted(map(repr, self.values)))
        return f"{type(self.values).__name__}({f'{{{inside}}}' if inside else ''})"


def member(owner: type, name: str, raw: object) -> str:
    """One line for a member of a class."""
    if isinstance(raw, property):
        return f"{name}: property"
    if isinstance(raw, staticmethod | classmethod):
        return f"{name}{signature(raw.__func__)}  [{type(raw).__name__}]"
    value = getattr(owner, name, raw)
    if inspect.isclass(value):
        return f"{name}: class"
    if not callable(value):
        return f"{name}: attribute"
    words = "async " if inspect.iscoroutinefunction(value) else ""
    return f"{words}{name}{signature(value)}"


def class_lines(name: str, cls: type) -> Iterator[str]:
    """A class: its bases, its constructor, and its own public members."""
    bases = ", ".join(base.__name__ for base in cls.__bases__ if base is not object)
    yield f"class {name}({bases})" if bases else f"class {name}"
    constructed = "__init__" in vars(cls) or "__new__" in vars(cls)
    if constructed and not getattr(cls, "_is_protocol", False):
        yield f"    {signature(cls)}"
    fields = inspect.get_annotations(cls)
    for own in sorted({*vars(cls), *fields}):
        if own.startswith("_") or own == "model_config":
            continue
        if own in fields:
            yield f"    {own}: {Written(fields[own])!r}"
        else:
            yield f"    {member(cls, own, vars(cls)[own])}"


def name_lines(name: str, value: object, module: str) -> Iterator[str]:
    """What stands for one public name: in full where it is defined, by reference elsewhere."""
    home = getattr(value, "__module__", module)
    if isinstance(value, ModuleType):
        yield f"module {name}"
    elif home != module and home in set(public_modules()) and name in exported(home):
        yield f"{name} = {home}.{name}"
    elif inspect.isclass(value):
        yield from class_lines(name, value)
    elif callable(value):
        words = "async def" if inspect.iscoroutinefunction(value) else "def"
        yield f"{words} {name}{signature(value)}"
    else:
        yield f"{name}: {type(value).__name__}"


def exported(module: str) -> list[str]:
    """The names in a module's `__all__`; none where it has no such list."""
    return sorted(getattr(importlib.import_module(module), "__all__", ()))


def render() -> str:
    """The whole API, one block per module."""
    lines: list[str] = []
    for module in public_modules():
        names = exported(module)
        if not names:
            continue
        lines += ["", f"# {module}"]
        for name in names:
            value = getattr(importlib.import_module(module), name)
            lines += name_lines(name, value, module)
    return "\n".join(lines).lstrip("\n") + "\n"


def main() -> int:
    """Print, write or compare."""
    parser = argparse.ArgumentParser(description="The public API as text.")
    parser.add_argument("--write", action="store_true", help=f"write {SNAPSHOT.relative_to(ROOT)}")
    parser.add_argument("--check", action="store_true", help="compare with the written one")
    arguments = parser.parse_args()
    text = render()
    if arguments.write:
        SNAPSHOT.write_text(text, encoding="utf-8")
    elif arguments.check:
        written = SNAPSHOT.read_text(encoding="utf-8") if SNAPSHOT.exists() else ""
        before, after = written.splitlines(), text.splitlines()
        diff = difflib.unified_diff(before, after, "api.txt", "the code", lineterm="", n=1)
        found = "\n".join(diff)
        if found:
            print(found)
            return 1
    else:
        print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
