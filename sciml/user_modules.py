"""Python files of a user's own, whose classes a config may name: the only way in which foreign code is imported.

A file is executed because the user names it, with ``--module FILE.py`` or ``modules=[...]``, and never because a
config, a card of weights or a run folder does. These hold the name and the SHA-256 of each file, which is compared
before anything is executed. A file is read once: what is executed is what the checksum belongs to.

>>> import tempfile
>>> from sciml.config_errors import Where
>>> file = Path(tempfile.mkdtemp()) / "my_problem.py"
>>> _ = file.write_text("class MyProblem:\\n    pass\\n")
>>> load_modules([file], None, Where("my.yaml")).classes(object)
{'my_problem.MyProblem': <class 'my_problem.MyProblem'>}
"""

from __future__ import annotations

import ast
import hashlib
import importlib.abc
import importlib.util
import keyword
import linecache
import re
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from sciml.config_errors import Where, shorten
from sciml.errors import InputError
from sciml.regular_files import read_bytes

MOST_MODULES = 16  # files of one config
LARGEST = 1 << 20  # bytes of a file; one is written by hand
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class SourceFile:
    """The contents of a Python file, read once.

    Parameters
    ----------
    path : as it was given
    data : all bytes of the file
    """

    path: Path
    data: bytes

    @property
    def name(self) -> str:
        """The name of the module: that of the file without its ending."""
        return self.path.stem

    @cached_property
    def sha256(self) -> str:
        """The checksum of the contents, in hexadecimal."""
        return hashlib.sha256(self.data).hexdigest()

    @cached_property
    def text(self) -> str:
        """The contents of the file as text, without a byte order mark.

        Raises
        ------
        InputError
            If they are not UTF-8.
        """
        try:
            return self.data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = self.data[: error.start].count(b"\n") + 1
            raise InputError(f"{self.path}, line {line}: this is not UTF-8; save the file as UTF-8.") from None

    @cached_property
    def location(self) -> str:
        """The absolute path when the file was read, under which tracebacks name it."""
        return str(self.path.absolute())

    def imported(self) -> set[str]:
        """Return the names of the modules that the file imports anywhere, without what follows a dot."""
        names = set()
        for node in ast.walk(ast.parse(self.text)):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.partition(".")[0])
        return names


class UserModules:
    """The files that were given for one config, executed, with the classes that they define.

    Parameters
    ----------
    files : what was read
    modules : what became of each, in the same order
    """

    def __init__(self, files: Sequence[SourceFile] = (), modules: Sequence[ModuleType] = ()) -> None:
        self.files = {file.name: file for file in files}
        self.modules = dict(zip(self.files, modules, strict=True))

    def __bool__(self) -> bool:
        return bool(self.files)

    def classes(self, base: type) -> dict[str, type]:
        """Return the classes that derive from a base by their dotted paths: those of the files, not what they import.

        Parameters
        ----------
        base : such as ``sciml.insr.Problem``
        """
        return {
            f"{name}.{attribute}": found
            for name, module in self.modules.items()
            for attribute, found in vars(module).items()
            if isinstance(found, type) and found.__module__ == name and issubclass(found, base)
        }

    def records(self) -> list[dict[str, str]]:
        """Return the name and the checksum of each file, for ``config.yaml``, in the order of the names."""
        return [{"name": name, "sha256": self.files[name].sha256} for name in sorted(self.files)]

    def check_used(self, where: Where, values: Any) -> None:
        """Refuse a file that the config does not need: neither does it name a class of it, nor a file that imports it.

        Parameters
        ----------
        where : the source of the config, for errors
        values : of the config, nested mappings and lists
        """
        used: set[str] = set()
        left = [path.partition(".")[0] for path in _class_paths(values)]
        while left:
            name = left.pop()
            if name in self.files and name not in used:
                used.add(name)
                left.extend(self.files[name].imported())
        for name in sorted(self.files.keys() - used):
            classes = ", ".join(path for path in self.classes(object) if path.startswith(f"{name}.")) or "no class"
            raise where.error(
                "modules",
                f"it uses nothing of {self.files[name].path}, which defines {classes}; name one of its classes as a "
                f"class_path, or leave --module {self.files[name].path} (in Python, the file in modules) out",
            )


_LOADED: dict[tuple[tuple[str, str], ...], UserModules] = {}  # by path and checksum of all files: executed once


def load_modules(paths: Sequence[str | Path], recorded: Any, where: Where) -> UserModules:
    """Execute the files that the user names, after a comparison with those that a config was made with.

    The files may import one another. Each becomes a module of its name, so that ``my_problem.MyProblem`` is a class.

    Parameters
    ----------
    paths : of Python files; they are executed
    recorded : what the config holds under ``modules``; None if it is not that of a run
    where : the source of the config, for errors

    Raises
    ------
    ConfigError
        If the config was made with files that are not given, or with other contents.
    InputError
        If a file is none that can be a module, is not valid Python, or raises an exception.
    """
    records = None if recorded is None else check_records(where, recorded)
    files = _read(paths)
    if records:
        _compare(where, files, records)
    key = tuple(sorted((file.location, file.sha256) for file in files))
    if key not in _LOADED:
        _LOADED[key] = UserModules(files, _execute(files))
    sys.modules.update(_LOADED[key].modules)  # in the place of other contents under that name
    return _LOADED[key]


def check_records(where: Where, recorded: Any) -> dict[str, str]:
    """Return the checksums of the files that a config was made with, by the names of their modules.

    Parameters
    ----------
    where : the source of the config, for errors
    recorded : a list of mappings with ``name`` and ``sha256``; nothing that it says is ever imported

    Raises
    ------
    ConfigError
        If it is anything else.
    """
    expected = "a list of {name: my_problem, sha256: 64 hexadecimal digits}"
    if not isinstance(recorded, list):
        raise where.error("modules", f"modules is {shorten(recorded)}, expected {expected}")
    if len(recorded) > MOST_MODULES:
        raise where.error("modules", f"modules has {len(recorded)} entries, expected at most {MOST_MODULES}")
    records: dict[str, str] = {}
    for number, entry in enumerate(recorded):
        key = f"modules.{number}"
        if not isinstance(entry, Mapping) or set(entry) != {"name", "sha256"}:
            raise where.error(key, f"{key} is {shorten(entry)}, expected name and sha256 and nothing else")
        name, sha256 = entry["name"], entry["sha256"]
        if not isinstance(name, str) or _unusable(name):
            reason = f", {_unusable(name)}" if isinstance(name, str) else ""
            raise where.error(key, f"{key}.name is {shorten(name)}{reason}, expected a name such as my_problem")
        if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
            raise where.error(key, f"{key}.sha256 is {shorten(sha256)}, expected 64 hexadecimal digits")
        if name in records:
            raise where.error(key, f"{key}.name is {shorten(name)}, which is there already; expected it once")
        records[name] = sha256
    return records


def blame(error: BaseException) -> str | None:
    """Return the sentence of an exception that passed through a user's file: the last line of it, and what was raised.

    Parameters
    ----------
    error : that was raised by a method of a user's class

    Returns
    -------
    str or None
        Such as ``my_problem.py, line 12, in rate: NameError: name 'alpha' is not defined``; None if no file of the
        user's had a part in it.
    """
    shown = {file.location: file.path for loaded in _LOADED.values() for file in loaded.files.values()}
    return _blame(error, shown)


def place(function: Any) -> str | None:
    """Return the file and the line where a function of a user's file begins, None for any other.

    Parameters
    ----------
    function : or a method, such as ``problem.rate``

    Returns
    -------
    str or None
        Such as ``my_problem.py, line 12``.
    """
    code = getattr(function, "__code__", None)
    for loaded in _LOADED.values() if code is not None else ():
        for file in loaded.files.values():
            if file.location == code.co_filename:
                return f"{file.path}, line {code.co_firstlineno}"
    return None


def _blame(error: BaseException, shown: Mapping[str, Path]) -> str | None:
    """Return the sentence for files by their locations."""
    raised = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
    if isinstance(error, SyntaxError) and error.filename in shown:
        return f"{shown[error.filename]}, line {error.lineno}: {type(error).__name__}: {error.msg}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in shown]
    if not frames:
        return None
    last = frames[-1]
    inside = "" if last.name == "<module>" else f", in {last.name}"
    return f"{shown[last.filename]}, line {last.lineno}{inside}: {raised}"


def _class_paths(values: Any) -> Iterator[str]:
    """Yield the class paths of a config, wherever they are."""
    if isinstance(values, Mapping):
        if isinstance(values.get("class_path"), str):
            yield values["class_path"]
        values = list(values.values())
    if isinstance(values, list):
        for value in values:
            yield from _class_paths(value)


def _read(paths: Sequence[str | Path]) -> list[SourceFile]:
    """Read the files, and refuse what cannot be a module."""
    if isinstance(paths, str | Path):
        raise InputError(f"the modules are {str(paths)!r}, expected a list of Python files; put it into brackets.")
    if len(paths) > MOST_MODULES:
        raise InputError(f"there are {len(paths)} modules, expected at most {MOST_MODULES}.")
    files: dict[str, SourceFile] = {}
    for path in map(Path, paths):
        _check_name(path)
        if path.stem in files:
            other = files[path.stem].path
            twice = f"{path} is given twice" if path == other else f"{other} and {path} both have the name {path.stem}"
            raise InputError(f"{twice}; give one of them.")
        try:
            files[path.stem] = SourceFile(path, read_bytes(path, LARGEST))
            if place := _taken(path):
                raise InputError(f"{path} cannot be a module: its name is that of {place}; rename the file.")
        except FileNotFoundError:
            raise InputError(f"{path} is given as a module, but does not exist; check the name.") from None
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
        files[path.stem].text  # noqa: B018 - refuses what is not UTF-8
    return list(files.values())


def _check_name(path: Path) -> None:
    if path.suffix != ".py":
        raise InputError(f"{path} is given as a module, expected a Python file, my_problem.py for example.")
    if reason := _unusable(path.stem):
        raise InputError(f"{path} cannot be a module: {path.stem!r} is {reason}; rename the file.")


def _unusable(name: str) -> str:
    """Return why a name cannot be that of a user's module, an empty text if it can."""
    if not name.isidentifier():
        return "no identifier of Python"
    if keyword.iskeyword(name):
        return "a keyword of Python"
    if name.startswith("__"):
        return "a reserved name of Python"
    return "a module of Python itself" if name in sys.stdlib_module_names else ""


def _taken(path: Path) -> str:
    """Return which other module has the name of a file, an empty text if none has."""
    present = sys.modules.get(path.stem)
    if present is not None and any(loaded.modules.get(path.stem) is present for loaded in _LOADED.values()):
        return ""
    if present is not None:
        return f"a module that is imported already, from {getattr(present, '__file__', None) or 'memory'}"
    spec = importlib.util.find_spec(path.stem)  # imports nothing, since the name has no dot
    if spec is None or spec.origin is None:  # the latter is a folder without __init__.py
        return ""
    same = Path(spec.origin).is_file() and path.samefile(spec.origin)
    return "" if same else f"the installed module {spec.origin}"


def _compare(where: Where, files: Sequence[SourceFile], records: Mapping[str, str]) -> None:
    """Refuse files that are missing or differ from those that a config was made with; nothing is executed before."""
    given = {file.name: file for file in files}
    missing = [name for name in records if name not in given]
    if missing:
        named = " and ".join(f"{name}.py (SHA-256 {records[name][:12]}...)" for name in missing)
        options = " ".join(f"--module path/to/{name}.py" for name in missing)
        listed = ", ".join(f'"path/to/{name}.py"' for name in missing)
        raise where.error(
            "modules",
            f"this was made with classes of {named}; give {options} (in Python, modules=[{listed}]), if you trust that "
            "code",
        )
    for name, sha256 in records.items():
        found = given[name]
        if found.sha256 != sha256:
            checksums = f"its SHA-256 is {found.sha256[:12]}..., it was {sha256[:12]}..."
            remedy = "restore the file, or start a new run with modules=null"
            raise where.error("modules", f"{found.path} is not the file that this was made with: {checksums}; {remedy}")


class _Loader(importlib.abc.InspectLoader):
    """Compiles the bytes that were read, whatever has become of the file since."""

    def __init__(self, file: SourceFile) -> None:
        self._file = file

    def get_source(self, fullname: str) -> str:
        return self._file.text

    def is_package(self, fullname: str) -> bool:
        return False

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._file.text, self._file.location, "exec", dont_inherit=True)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the given files by their names, so that one of them may import another."""

    def __init__(self, files: Sequence[SourceFile]) -> None:
        self._files = {file.name: file for file in files}

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        file = self._files.get(fullname)
        if file is None:
            return None
        return importlib.util.spec_from_file_location(fullname, file.location, loader=_Loader(file))


def _execute(files: Sequence[SourceFile]) -> list[ModuleType]:
    """Import the files; if one of them fails, everything is as it was."""
    former = {file.name: sys.modules.pop(file.name) for file in files if file.name in sys.modules}
    finder = _Finder(files)
    sys.meta_path.insert(0, finder)
    try:
        for file in files:
            lines = file.text.splitlines(keepends=True)  # tracebacks and inspect show what is executed
            linecache.cache[file.location] = (len(file.data), None, lines, file.location)
        return [importlib.import_module(file.name) for file in files]
    except BaseException as error:
        for file in files:
            sys.modules.pop(file.name, None)
        sys.modules.update(former)
        if not isinstance(error, Exception | SystemExit):
            raise
        sentence = _blame(error, {file.location: file.path for file in files})
        raise InputError(f"{sentence or f'a module cannot be loaded: {error}'}.") from error
    finally:
        sys.meta_path.remove(finder)
