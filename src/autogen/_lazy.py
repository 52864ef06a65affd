"""Names that are imported when first used, so that a plain import stays cheap.

__getattr__, __dir__ = lazy_names(__name__, {"Cache": ".cache.cache", "FAST_MODEL": ".config.llm"})
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

__all__ = ["lazy_names"]


def lazy_names(
    package: str, where: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` for a package whose names live elsewhere.

    Args:
        package: The package's `__name__`.
        where: Public name to the module that defines it, relative to the package. A name that is
            the last part of its own module path stands for the module itself.
    """

    def __getattr__(name: str) -> Any:
        module_name = where.get(name)
        if module_name is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = importlib.import_module(module_name, package)
        inside = getattr(module, name, module)
        # A package may have a module of its own name: `autogen.cache.cache`.
        is_module = module_name.rpartition(".")[2] == name and isinstance(inside, ModuleType)
        value = module if is_module else getattr(module, name)
        # A submodule with the name of its class would shadow it once imported, so the name is bound
        # here.
        setattr(sys.modules[package], name, value)
        return value

    def __dir__() -> list[str]:
        return sorted({*vars(sys.modules[package]), *where})

    return __getattr__, __dir__
