"""The classes that a config may name. A config is data: only a name on this list is ever imported.

Each package holds the list of its classes in ``config_classes.json``, which ``tools/make_config_classes.py`` makes: for
each class all the dotted paths that lead to it and the classes that it is (its bases, and the protocols whose methods
it has). A name is looked up here *before* anything is imported, and is accepted only where the annotation of the
parameter asks for one of its bases; so ``torch.distributed...SubprocessHandler`` is as unknown as a misspelt name, and
a data module cannot stand where a task is expected.

Classes of a user's own module are added to a list of one's own, never to the shipped one:

>>> class Rotor(Shape): ...                                                               # doctest: +SKIP
>>> mine = shipped_classes().extended({"rotors.Rotor": Rotor})                            # doctest: +SKIP
>>> config = load_config("rotor.yaml", classes=mine)                                      # doctest: +SKIP
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from sciml.config_errors import Where, shorten
from sciml.renamed import in_its_package

FILE = "config_classes.json"
LONGEST_NAME = 100  # characters of an unknown name that a sentence repeats
MOST_NAMES = 8  # that a sentence lists
ROOTS = ("sciml.training.Task", "lightning.pytorch.LightningDataModule")  # a task is no network, though a torch module
_PACKAGE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class ConfigClass:
    """A class that a config may name.

    Parameters
    ----------
    path : its public dotted path, such as ``sciml.insr.Advection``
    bases : the classes that it is, itself among them, as ``PACKAGE.CLASS`` (see :func:`identity`)
    loaded : the class where it has been imported already, as those of a user's module are
    """

    path: str
    bases: frozenset[str]
    loaded: type | None = None

    def fits(self, wanted: Sequence[type]) -> bool:
        """Return whether the class may stand where one of these classes is expected."""
        if self.loaded is not None:
            return any(satisfies(self.loaded, base) for base in wanted)
        return any(identity(base) in self.bases for base in wanted)

    def load(self) -> type:
        """Import the class and return it."""
        if self.loaded is not None:
            return self.loaded
        module, _, name = self.path.rpartition(".")
        return getattr(importlib.import_module(module), name)


@dataclass(frozen=True)
class ClassList:
    """The classes that a config may name, by every dotted path that leads to them.

    Parameters
    ----------
    entries : by dotted path
    """

    entries: Mapping[str, ConfigClass] = field(repr=False)

    def extended(self, classes: Mapping[str, type]) -> ClassList:
        """Return this list with more classes, such as those of a module that the user has named.

        A class fits wherever one of the classes it inherits from, or a protocol whose methods it has, is expected. A
        name that is on the list already is refused by a ValueError: no file may put another class in its place.

        Parameters
        ----------
        classes : by the dotted path under which a config names them, such as ``{"rotors.Rotor": Rotor}``
        """
        if taken := sorted(set(classes) & set(self.entries)):
            raise ValueError(f"{taken[0]} is on the list of classes already.")
        own = {path: ConfigClass(path, frozenset(map(identity, cls.__mro__)), cls) for path, cls in classes.items()}
        return ClassList({**self.entries, **own})

    def find(self, where: Where, key: str, path: Any, wanted: Sequence[type]) -> type:
        """Return the class that a config names; nothing is imported before the name has been found on the list.

        Parameters
        ----------
        where : the source, for errors
        key : the dotted key that holds the name
        path : what is there, of any kind
        wanted : the classes one of which it should be, from the annotation

        Raises
        ------
        ConfigError
            If the name is none, is not on the list, or is not one of the wanted classes; the sentence says which are.
        """
        kinds = " or ".join(_with_article(base.__name__) for base in wanted)
        if not isinstance(path, str) or not all(part.isidentifier() for part in path.split(".")):
            raise where.error(key, f"{key} is {shorten(path)}, expected a class{self._near('', wanted)}")
        entry = self.entries.get(path)
        if entry is None:
            reason = f"{key} is {path[:LONGEST_NAME]}, which is no class that a config may name"
            expected = f"expected {kinds}{self._near(path[:LONGEST_NAME], wanted)}"
            if self._may_be_own(path):
                file = _file_of(path)
                own = f'for a class of your own, give its file: --module {file} (in Python, modules=["{file}"])'
                expected = f"{own}; otherwise {expected}"
            raise where.error(key, f"{reason}; {expected}")
        if not entry.fits(wanted):
            raise where.error(key, f"{key} is {path}, expected {kinds}{self._near(path, wanted)}")
        return entry.load()

    def _may_be_own(self, path: str) -> bool:
        """Return whether a name that is not on the list may be that of a class in a file that was not given."""
        known = {name.partition(".")[0] for name in self.entries} | {"torch", "lightning"} | sys.stdlib_module_names
        return "." in path and path.partition(".")[0] not in known

    def _near(self, path: str, wanted: Sequence[type]) -> str:
        """Return the end of a sentence: the nearest name of a class that fits, or some of those that do."""
        package = path.rpartition(".")[0]
        fitting = {entry.path for entry in self.entries.values() if entry.fits(wanted)}
        fitting = sorted(fitting, key=lambda full: (not full.startswith(f"{package}."), full))
        by_name = {full.rpartition(".")[2]: full for full in fitting}
        meant = get_close_matches(path, fitting, 1, cutoff=0.85) if path else []
        meant = meant or [by_name[name] for name in get_close_matches(path.rpartition(".")[2], by_name, 1)]
        folded = {full.casefold(): full for full in fitting}  # adr.Adr is far from adr.ADR, but for the case
        meant = meant or [folded[full] for full in get_close_matches(path.casefold(), folded, 1, cutoff=0.85) if path]
        if meant:
            return f"; did you mean {meant[0]!r}?"
        return f" such as {', '.join(fitting[:MOST_NAMES])}" if fitting else ", of which there are none"


@cache
def shipped_classes() -> ClassList:
    """Return the list of the classes that come with sciml."""
    entries: dict[str, ConfigClass] = {}
    for file in sorted(_PACKAGE.glob(f"*/{FILE}")):
        for path, about in json.loads(file.read_text(encoding="utf-8")).items():
            entry = ConfigClass(path, frozenset(about["bases"]))
            entries |= dict.fromkeys([path, *about["aliases"]], entry)
    return ClassList(entries)


def identity(cls: type) -> str:
    """Return the package and the name of a class, such as ``sciml.insr.Problem`` or ``torch.nn.Module``.

    It does not depend on the module inside of the package, and no two classes that a config may name share it.
    """
    return in_its_package(f"{cls.__module__}.{cls.__qualname__}")


def _file_of(path: str) -> str:
    """Return the name of the file whose class a dotted path would be."""
    return f"{path.partition('.')[0][:LONGEST_NAME]}.py"


def _with_article(name: str) -> str:
    return f"an {name}" if name[0] in "AEIO" else f"a {name}"


def satisfies(cls: type, base: type) -> bool:
    """Return whether a class inherits from another one, or has all public members of it if that is a protocol.

    Attributes that a constructor sets cannot be seen; a class is taken to have them. A task or data module stands only
    where one is expected, and not where its own bases are.
    """
    if roots := [root for root in cls.__mro__ if identity(root) in ROOTS]:
        return base in cls.__mro__ and any(root in base.__mro__ for root in roots)
    if base in cls.__mro__:
        return True
    if not getattr(base, "_is_protocol", False):
        return False
    methods = [name for name, value in vars(base).items() if callable(value) and not name.startswith("_")]
    return all(callable(getattr(cls, name, None)) for name in methods)
