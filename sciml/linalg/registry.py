"""The one list of methods for linear systems, which a package joins by a module named ``linear_methods``.

Each such module has a tuple ``METHODS`` of :class:`~sciml.linalg.method.LinearMethod` classes and loads what
they compute with only when they are used. Those of this package come first, the others in alphabetical order.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from sciml.checks import choice
from sciml.errors import InputError
from sciml.linalg.method import LinearMethod

if TYPE_CHECKING:
    from collections.abc import Mapping

MODULE = "linear_methods"


@cache
def registered() -> Mapping[str, type[LinearMethod]]:
    """Return the class of every method by its name.

    >>> list(registered())[:3]
    ['auto', 'fft', 'multigrid']
    """
    here = Path(__file__).parent
    root = here.parent
    packages = sorted(
        (path.parent.name for path in root.glob(f"*/{MODULE}.py")), key=lambda name: (name != here.name, name)
    )
    modules = [import_module(f"{root.name}.{package}.{MODULE}") for package in packages]
    return {method.name: method for module in modules for method in module.METHODS}


def find(name: str) -> type[LinearMethod]:
    """Return the class of a method; the error lists the known names."""
    return registered()[choice("method", name, registered())]


def as_method(method: str | LinearMethod) -> LinearMethod:
    """Return a method object: the one given, or that of a name with its default options."""
    if isinstance(method, LinearMethod):
        return method
    if not isinstance(method, str):
        raise InputError(
            f"method is {method!r}, expected a name such as 'multigrid' or an object such as Multigrid(rtol=1e-8)."
        )
    return find(method)()
