"""Make the lists of classes that a config may name, ``sciml/PACKAGE/config_classes.json``, from the code.

python tools/make_config_classes.py           writes the files
python tools/make_config_classes.py --check   changes nothing; exit code 1 if a file differs from the code

A class is listed if a parameter of a task, of a data module, or of another listed class may hold it, and if all that it
needs itself can be written in a file. Functions, geometries of DeepXDE and other objects cannot, so a class that needs
one is for Python alone.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import lightning
from torch import nn

import sciml
from sciml.config_classes import FILE, identity, satisfies
from sciml.config_errors import members
from sciml.training.solve_task import SolveTask
from sciml.training.task import Task
from sciml.typed_values import parameters_of

PACKAGE = Path(sciml.__file__).parent
ROOTS = (Task, lightning.LightningDataModule)
LEFT_OUT = ("sciml.cli", "sciml.bench", "sciml.__main__")  # programs, of which a config needs nothing
# Bases that can be made but do nothing themselves.
BASES = ("sciml.training.Task", "sciml.training.SolveTask")


def modules() -> dict[str, Any]:
    """Return all modules of sciml by name."""
    names = ["sciml", *(found.name for found in pkgutil.walk_packages(sciml.__path__, "sciml."))]
    return {name: importlib.import_module(name) for name in names if not name.startswith(LEFT_OUT)}


def classes_of(found: dict[str, Any]) -> dict[type, list[str]]:
    """Return every public class of sciml with the dotted paths that lead to it, the shortest first."""
    paths: dict[type, set[str]] = {}
    for name, module in found.items():
        for attribute in {*vars(module), *getattr(module, "__all__", ())}:
            cls = getattr(module, attribute, None)
            if not isinstance(cls, type) or cls.__module__ not in found or attribute.startswith("_"):
                continue
            if cls.__module__ == name or attribute in getattr(module, "__all__", ()):
                paths.setdefault(cls, set()).add(f"{name}.{attribute}")
    return {cls: sorted(names, key=lambda path: (path.count("."), path)) for cls, names in paths.items()}


def parts(hint: Any) -> Iterator[Any]:
    """Return what an annotation is made of, the items of lists and the values of mappings too."""
    for member in members(hint):
        inner = () if get_origin(member) is Literal else get_args(member)
        yield from (part for each in inner if each is not Ellipsis for part in (parts(each) if inner else ()))
        if not inner:
            yield member


def is_made(cls: type) -> bool:
    """Return whether a class is no base: nothing of it is abstract."""
    is_abstract = any(getattr(getattr(cls, name, None), "__isabstractmethod__", False) for name in dir(cls))
    return not is_abstract and not getattr(cls, "_is_protocol", False) and identity(cls) not in BASES


def fitting(base: type, known: dict[type, list[str]]) -> set[type]:
    """Return the classes that may stand where a base is expected."""
    return {cls for cls in known if satisfies(cls, base) and is_made(cls)}


def listed(known: dict[type, list[str]]) -> set[type]:
    """Return the classes that a config can make, reached from tasks and data modules."""
    never: set[type] = set()
    while True:
        reached = reach(known, never)
        lacking = {cls for cls in reached if not can_be_made(cls, reached)}
        if not lacking:
            return reached
        never |= lacking  # and what only they need is not reached any more


def reach(known: dict[type, list[str]], never: set[type]) -> set[type]:
    """Return the classes that parameters of tasks and data modules may hold, and those that these need, and so on."""
    reached: set[type] = set()
    waiting = {cls for root in ROOTS for cls in fitting(root, known)} - never
    while waiting:
        cls = waiting.pop()
        reached.add(cls)
        waiting |= {found for base in annotated(cls) for found in fitting(base, known)} - never - reached
    return reached


def annotated(cls: type) -> set[type]:
    """Return the classes in the annotations of a constructor whose objects a config describes."""
    found = [part for entry in parameters_of(cls).values() for part in parts(entry.hint) if isinstance(part, type)]
    return {part for part in found if part.__module__.partition(".")[0] in ("sciml", "torch")}


def can_be_made(cls: type, reached: set[type]) -> bool:
    """Return whether all that a class must be given can be written in a file."""
    return all(
        any(is_writable(member, reached) for member in members(entry.hint))
        for entry in parameters_of(cls).values()
        if entry.default is None
    )


def is_writable(hint: Any, reached: set[type]) -> bool:
    """Return whether some value of an annotation can be written in a file."""
    plain = (bool, int, float, str, type(None), Path)
    inner = () if get_origin(hint) is Literal else [each for each in get_args(hint) if each is not Ellipsis]
    if (inner and get_origin(hint) in (list, tuple, dict)) or getattr(
        get_origin(hint), "__module__", ""
    ) == "collections.abc":
        is_function = "Callable" in str(get_origin(hint))
        return not is_function and all(any(is_writable(m, reached) for m in members(each)) for each in inner)
    if get_origin(hint) is Literal or hint in plain:
        return True
    return isinstance(hint, type) and any(satisfies(cls, hint) for cls in reached)


def bases_of(cls: type, protocols: set[type]) -> list[str]:
    """Return the classes of sciml that a class is, the protocols it follows, and torch's and Lightning's base."""
    inherited = {base for base in cls.__mro__ if base.__module__.startswith("sciml.") or base in (*ROOTS, nn.Module)}
    found = {base for base in inherited if satisfies(cls, base)} | {base for base in protocols if follows(cls, base)}
    return sorted(identity(base) for base in found)


def follows(cls: type, protocol: type) -> bool:
    """Return whether a class has the methods of a protocol, and declares its attributes."""
    declared = {name for base in cls.__mro__ for name in getattr(base, "__annotations__", {})} | set(dir(cls))
    return satisfies(cls, protocol) and set(getattr(protocol, "__annotations__", {})) <= declared


def files() -> dict[Path, str]:
    """Return the text of every list by its path."""
    known = classes_of(modules())
    by_package: dict[str, dict[str, Any]] = {}
    reached = listed(known)
    protocols = {
        base for cls in [*reached, SolveTask] for base in annotated(cls) if getattr(base, "_is_protocol", False)
    }
    for cls in reached:
        path, *aliases = known[cls]
        about = {"bases": bases_of(cls, protocols), "aliases": aliases}
        by_package.setdefault(path.split(".")[1], {})[path] = about
    return {
        PACKAGE / package / FILE: "{\n"
        + ",\n".join(f"{json.dumps(path)}: {json.dumps(about)}" for path, about in sorted(entries.items()))
        + "\n}\n"
        for package, entries in by_package.items()
    }


def main() -> int:
    """Write the files, or check them."""
    made = files()
    stale = [path for path in PACKAGE.glob(f"*/{FILE}") if path not in made]
    wrong = [path for path, text in made.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if "--check" in sys.argv[1:]:
        for path in [*wrong, *stale]:
            print(f"{path.relative_to(PACKAGE.parent)} differs from the code; run python tools/make_config_classes.py")
        return 1 if wrong or stale else 0
    for path in wrong:
        path.write_text(made[path], encoding="utf-8")
    for path in stale:
        path.unlink()
    print(f"{len(wrong)} files written, {len(stale)} removed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
