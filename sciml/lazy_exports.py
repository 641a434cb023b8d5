"""Names that a package exports from its modules without importing them before they are asked for (PEP 562)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_exports(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` of a package whose names are imported on first use.

    Parameters
    ----------
    package : its ``__name__``
    homes : the module of each name

    Examples
    --------
    In the ``__init__`` of a package:

    >>> __getattr__, __dir__ = lazy_exports(__name__, {"solve": "sciml.linalg.solver"})  # doctest: +SKIP
    """

    def exported(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(homes[name]), name)

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *homes})

    return exported, names
