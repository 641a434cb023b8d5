"""Parts of gmsh files that meshio 5.3.5 reads wrongly: data of nodes and elements, and absurd node numbers.

Its reader of version 2.2 splits element data by the length of a tuple instead of that of the block, and both versions
want the data of all elements in order, so these sections are taken out before it sees the file. Its readers also make
tables as long as the largest number of a node or as an announced count, so one damaged number takes all memory.
Formats: gmsh reference manual, "MSH file format" and "MSH file format version 2 (Legacy)".
"""

from __future__ import annotations

import re

import numpy as np

from sciml.errors import InputError

_BEGIN = re.compile(rb"^\$(Node|Element)Data[ \t]*\r?\n", re.MULTILINE)
_COUNT = re.compile(rb"^\$(?:Nodes|Elements|Periodic|PhysicalNames)[ \t]*\r?\n(\d+)", re.MULTILINE)

Table = tuple[np.ndarray, np.ndarray]  # numbers from 1, values (numbers [, components])


def take_data(content: bytes) -> tuple[bytes, dict[str, Table], dict[str, Table]]:
    """Cut the data of nodes and elements out of the bytes of a gmsh file.

    Returns
    -------
    rest : the file without these sections; all of it if it has none
    point_data, cell_data : by name
    """
    fields = _format(content)
    if len(fields) < 2:
        return content, {}, {}
    rest, data, start = [], {b"Node": {}, b"Element": {}}, 0  # type: ignore[var-annotated]
    while begin := _BEGIN.search(content, start):
        end_mark = b"$End" + begin[1] + b"Data"
        end = content.find(end_mark, begin.end())
        if end < 0:
            raise InputError("a section of data is not closed, the file is cut off")
        name, *table = _section(content[begin.end() : end], fields[1] == b"1")
        data[begin[1]][name] = tuple(table)
        rest.append(content[start : begin.start()])
        start = end + len(end_mark)
    return b"".join([*rest, content[start:]]), data[b"Node"], data[b"Element"]


def place(name: str, table: Table, total: int) -> np.ndarray:
    """Return values for all of ``total`` nodes or elements; nan where the file has none.

    Numbers beyond the total are those of a file with gaps: then values for all are taken in their order.
    """
    numbers, values = table
    if len(numbers) == total and total and numbers.max() > total:
        return values
    if len(numbers) and (numbers.min() < 1 or numbers.max() > total):
        raise InputError(
            f"the data {name!r} are for numbers {numbers.min()} to {numbers.max()}, expected 1 to "
            f"{total}: renumber the mesh"
        )
    full = np.full((total, *values.shape[1:]), np.nan)
    full[numbers - 1] = values
    return full


def _format(content: bytes) -> list[bytes]:
    """Return version, binary flag and size of numbers."""
    header = content[:200].split(b"\n", 2)
    return header[1].split() if len(header) == 3 and header[0].strip() == b"$MeshFormat" else []


def check_node_numbers(content: bytes) -> None:
    """Raise `InputError` if the nodes of a gmsh file, of version 2.2 or 4.1, have numbers beyond any use."""
    fields, begin, end = _format(content), content.find(b"$Nodes"), content.find(b"$EndNodes")
    if len(fields) < 2 or begin < 0:
        return
    if fields[0].startswith(b"2"):
        for count in _COUNT.findall(content):
            if int(count) > len(content):
                raise InputError(f"a section announces {int(count)} entries, more than the file has bytes")
    body = content[content.find(b"\n", begin) + 1 : end if end > 0 else len(content)]
    if fields[0].startswith(b"4"):
        largest = _largest_in_blocks(body) if fields[1] == b"1" else _largest_in_text_blocks(body.split())
    else:
        # the binary reader of 2.2 itself insists on 1, 2, 3, ...
        largest = max(map(_whole, body.split()[1::4]), default=0) if fields[1] == b"0" else 0
    if largest > 100 * len(content):
        raise InputError(
            f"a node has the number {largest}, beyond any use in a file of {len(content)} bytes: the file "
            "is damaged, or renumber the nodes"
        )


def _largest_in_text_blocks(words: list[bytes]) -> int:
    largest, place, found = 0, 4, 0
    blocks, total = (_whole(word) for word in (words + [b"", b""])[:2])
    for _ in range(blocks):
        n = _whole(words[place + 3]) if place + 4 <= len(words) else len(words)
        if place + 4 + 4 * n > len(words):
            break
        largest = max(largest, *map(_whole, words[place + 4 : place + 4 + n]), 0)
        place, found = place + 4 + 4 * n, found + n
    _check_total(found, total)
    return largest


def _largest_in_blocks(body: bytes) -> int:
    largest, place, found = 0, 32, 0
    for _ in range(int.from_bytes(body[:8], "little")):
        n = int.from_bytes(body[place + 12 : place + 20], "little")
        if place + 20 + 32 * n > len(body):
            break
        if n:
            largest = max(largest, int(np.frombuffer(body, "<u8", n, place + 20).max()))
        place, found = place + 20 + 32 * n, found + n
    _check_total(found, int.from_bytes(body[8:16], "little"))
    return largest


def _check_total(found: int, total: int) -> None:
    """Refuse a wrong count: meshio would take what memory holds by chance for the missing nodes."""
    if found != total:
        raise InputError(f"the file announces {total} nodes and holds {found}, it is damaged or cut off")


def _whole(word: bytes) -> int:
    return int(word) if word.isdigit() else 0


def _section(text: bytes, binary: bool) -> tuple[str, np.ndarray, np.ndarray]:
    position = 0

    def line() -> bytes:
        nonlocal position
        stop = text.index(b"\n", position)
        found, position = text[position:stop], stop + 1
        return found.strip()

    strings = [line().decode().strip('"') for _ in range(_count(line()))]
    for _ in range(_count(line())):
        line()  # time
    integers = [int(line()) for _ in range(_count(line()))]
    if not strings or len(integers) < 3:
        raise InputError("a section of data has no name or no size")
    components, items = integers[1], integers[2]
    if binary:
        row = np.dtype([("number", "<i4"), ("values", "<f8", (components,))])
        table = np.frombuffer(text, row, count=items, offset=position)
        numbers, values = table["number"].astype(np.int64), table["values"]
    else:
        flat = np.array(text[position:].split(), dtype=np.float64).reshape(items, 1 + components)
        numbers, values = flat[:, 0].astype(np.int64), flat[:, 1:]
    return strings[0], numbers, values[:, 0] if components == 1 else values


def _count(text: bytes) -> int:
    number = int(text)
    if not 0 <= number <= 100:
        raise InputError(f"a section of data claims {number} tags")
    return number
