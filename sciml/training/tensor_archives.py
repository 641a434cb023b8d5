"""Tensors and plain values from the archives of ``torch.save``, read without an unpickler.

An archive is a zip file of stored records: ``data.pkl``, a pickle of protocol 2, and the bytes of each storage as
``data/KEY``. Of the language of pickles, only what builds numbers, texts, tuples, lists, dictionaries and tensors is
understood here, so that nothing else can happen. Time and memory are bounded by the size of the file:
``torch.load(weights_only=True)`` allocates ``bytearray(3 * 10**9)`` for a file of 500 bytes, hashes nested keys for
ever, and gives out a list that contains itself.
"""

from __future__ import annotations

import math
import pickletools
import sys
import zipfile
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import torch

LARGEST_GROWTH = 64  # bytes of tensors for each byte of the file; a tensor may repeat its numbers
_STORAGES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "ComplexDoubleStorage": torch.complex128,
    "ComplexFloatStorage": torch.complex64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
_NAMES = (
    "collections OrderedDict",
    "collections Counter",
    "torch._utils _rebuild_tensor_v2",
    "torch._utils _rebuild_parameter",
    *(f"torch {name}" for name in _STORAGES),
)
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_VALUES = ("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE")
_MADE: dict[str, Callable[[], Any]] = {"EMPTY_TUPLE": tuple, "EMPTY_LIST": list, "EMPTY_DICT": dict}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_MARK = object()
_PLAIN = (type(None), bool, int, float, str, torch.Tensor)
_DEEPEST = 100  # containers inside one another
_MOST_AXES = 64


def read_archive(file: BinaryIO, length: int) -> Any:
    """Return what an archive of ``torch.save`` holds, with its tensors on the CPU.

    Parameters
    ----------
    file : the archive
    length : of the file in bytes

    Raises
    ------
    ValueError
        If it is damaged, holds anything but tensors and plain values, or needs much more memory than the file has.
    zipfile.BadZipFile, IndexError, KeyError, TypeError
        If it is damaged otherwise.
    """
    with zipfile.ZipFile(file) as archive:
        records = {record.filename: record for record in archive.infolist()}
        if len(records) != len(archive.infolist()):
            raise ValueError("it has two records of one name")
        if any(record.compress_type != zipfile.ZIP_STORED for record in records.values()):
            raise ValueError("it holds compressed records, which no checkpoint of sciml does")
        if sum(record.file_size for record in records.values()) > length:
            raise ValueError("it claims records beyond its end")
        found = [name for name in records if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(found) != 1:
            raise ValueError("it is not an archive of torch")
        root = found[0].removesuffix("data.pkl")
        order = archive.read(records[f"{root}byteorder"]).decode() if f"{root}byteorder" in records else "little"
        if order != sys.byteorder:
            raise ValueError(f"it was written with the byte order {order[:20]!r}, and this machine has another one")
        pickle = archive.read(found[0])
        value = _Reader(archive, root, length).read(pickle)
    _check_values([value], LARGEST_GROWTH * len(pickle))
    return value


class _Name:
    """A name of a module, which stands for itself and calls nothing."""

    def __init__(self, name: str) -> None:
        if name not in _NAMES:
            raise ValueError(f"it names {name.replace(' ', '.')[:80]}, expected tensors and plain values")
        self.name = name


class _Reader:
    """Follows the instructions of one pickle."""

    def __init__(self, archive: zipfile.ZipFile, root: str, length: int) -> None:
        self._archive, self._root, self._length = archive, root, length
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._storages: dict[str, torch.Tensor] = {}
        self._claimed = self._copied = 0  # bytes of tensors, items of counters

    def read(self, pickle: bytes) -> Any:
        """Return the value of the pickle."""
        for code, argument, _ in pickletools.genops(pickle):
            self._follow(code.name, argument, len(pickle))
        return self._stack[-1]

    def _follow(self, code: str, argument: Any, length: int) -> None:
        stack = self._stack
        if code in _VALUES:
            stack.append(argument)
        elif code in _CONSTANTS:
            stack.append(_CONSTANTS[code])
        elif code in _MADE:
            stack.append(_MADE[code]())
        elif code in ("BINGET", "LONG_BINGET"):
            stack.append(self._memo[argument])
        elif code in ("BINPUT", "LONG_BINPUT"):
            self._memo[argument] = stack[-1]
        elif code == "MARK":
            stack.append(_MARK)
        elif code in _TUPLES:
            stack[-_TUPLES[code] :] = [tuple(stack[-_TUPLES[code] :])]
        elif code == "TUPLE":
            stack.append(tuple(self._to_mark()))
        elif code in ("APPEND", "APPENDS"):
            items = [stack.pop()] if code == "APPEND" else self._to_mark()
            _of(list, stack[-1]).extend(items)
        elif code in ("SETITEM", "SETITEMS"):
            items = [stack.pop(), stack.pop()][::-1] if code == "SETITEM" else self._to_mark()
            _of(dict, stack[-1]).update((_key(name), value) for name, value in zip(*[iter(items)] * 2, strict=True))
        elif code == "GLOBAL":
            stack.append(_Name(argument))
        elif code == "BINPERSID":
            stack.append(self._storage(*_of(tuple, stack.pop())))
        elif code == "REDUCE":
            arguments, name = _of(tuple, stack.pop()), _of(_Name, stack.pop()).name
            stack.append(self._made(name, arguments, length))
        elif code == "BUILD":
            state, target = _of(dict, stack.pop()), _of(OrderedDict, stack[-1])
            if list(state) != ["_metadata"]:
                raise ValueError("it gives attributes to a dictionary, expected those of weights alone")
            target._metadata = _of(OrderedDict, state["_metadata"])
        elif code not in ("PROTO", "STOP"):
            raise ValueError(f"it has the instruction {code}, expected those of tensors and plain values")

    def _to_mark(self) -> list[Any]:
        """Return what lies above the last mark, which goes as well."""
        items = []
        while (item := self._stack.pop()) is not _MARK:
            items.append(item)
        return items[::-1]

    def _storage(self, word: str, kind: Any, key: str, place: str, count: int) -> torch.Tensor:
        """Return the numbers of a storage, in one dimension."""
        if word != "storage" or not _of(_Name, kind).name.endswith("Storage"):
            raise ValueError("it refers to something other than the numbers of a tensor")
        dtype = _STORAGES[kind.name.split()[1]]
        if key not in self._storages:
            record = self._archive.getinfo(f"{self._root}data/{_of(str, key)}")
            if record.file_size != _of(int, count) * dtype.itemsize:
                raise ValueError(f"it claims {count} numbers where it has {record.file_size} bytes")
            data = bytearray(record.file_size)
            with self._archive.open(record) as stream:
                if stream.readinto(data) != len(data) or stream.read(1):
                    raise ValueError("it has a record of another length than it says")
            self._storages[key] = torch.frombuffer(data, dtype=dtype) if data else torch.empty(0, dtype=dtype)
        if self._storages[key].dtype != dtype:
            raise ValueError("it reads one storage as two types")
        return self._storages[key]

    def _made(self, name: str, arguments: tuple[Any, ...], length: int) -> Any:
        if name == "collections OrderedDict" and not arguments:
            return OrderedDict()
        if name == "collections Counter":
            (counts,) = arguments
            self._copied += len(_of(dict, counts))
            if self._copied > length:
                raise ValueError("it copies more than it holds")
            return Counter(counts)
        if name == "torch._utils _rebuild_tensor_v2":
            return self._tensor(*arguments)
        if name == "torch._utils _rebuild_parameter":
            data, needs_gradient, _ = arguments
            return torch.nn.Parameter(_of(torch.Tensor, data), _of(bool, needs_gradient))
        raise ValueError(f"it calls {name.replace(' ', '.')} with unknown arguments")

    def _tensor(
        self,
        storage: torch.Tensor,
        offset: int,
        size: tuple[int, ...],
        stride: tuple[int, ...],
        needs_gradient: bool,
        hooks: Any,
        further: Any = None,
    ) -> torch.Tensor:
        numbers = (offset, *_of(tuple, size), *_of(tuple, stride))
        if len(numbers) > 1 + 2 * _MOST_AXES or len(size) != len(stride):
            raise ValueError("it has a tensor of no shape")
        if any(type(number) is not int or not 0 <= number < 1 << 62 for number in numbers):
            raise ValueError("it has a tensor of no shape")
        if hooks or further:
            raise ValueError("it has a tensor with hooks or marks, expected a plain one")
        last = offset + sum((count - 1) * step for count, step in zip(size, stride, strict=True))
        if last >= _of(torch.Tensor, storage).numel() and math.prod(size):
            raise ValueError(f"it has a tensor of the shape {size}, which is larger than its storage")
        self._claimed += math.prod(size) * storage.element_size()
        if self._claimed > LARGEST_GROWTH * self._length:
            raise ValueError(f"it claims tensors of {self._claimed} bytes, which it does not hold")
        return storage.as_strided(size, stride, offset).requires_grad_(_of(bool, needs_gradient))


def _of(kind: type, value: Any) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"it has a {type(value).__name__} in the place of a {kind.__name__}")
    return value


def _key(name: Any) -> Any:
    """Return a key whose hash costs nothing, and of which few have the same one."""
    if not (name is None or isinstance(name, str) or (isinstance(name, int) and abs(name) < 1 << 62)):
        raise ValueError(f"it has a {type(name).__name__} as a key, expected a text or a number")
    return name


def _check_values(values: list[Any], most: int) -> None:
    """Refuse other things than plain values, and containers inside of themselves, too deep, or repeated too often."""
    sizes: dict[int, int] = {}  # of finished containers by id, with all that is inside
    path: list[tuple[Any, Iterator[Any]]] = []
    counts: list[int] = []
    open_: set[int] = set()

    def enter(inner: Any) -> None:
        open_.add(id(inner))
        path.append((inner, iter(inner.values() if isinstance(inner, dict) else inner)))
        counts.append(1)

    enter(values)
    while path:
        if len(path) > _DEEPEST:
            raise ValueError(f"it has more than {_DEEPEST} lists inside of one another")
        container, items = path[-1]
        for item in items:
            if isinstance(item, _PLAIN):
                counts[-1] += 1
            elif not isinstance(item, list | tuple | dict):
                raise ValueError("it holds a name of Python, expected tensors and plain values")
            elif id(item) in open_:
                raise ValueError("it has a list inside of itself")
            elif id(item) in sizes:
                counts[-1] += sizes[id(item)]
            else:
                enter(item)
                break
        else:
            path.pop()
            open_.discard(id(container))
            sizes[id(container)] = counts.pop()
            if sizes[id(container)] > most:
                raise ValueError("it repeats its values more often than any checkpoint does")
            if counts:
                counts[-1] += sizes[id(container)]
