"""Element data of gmsh 2.2 files, which meshio 5.3.5 cannot read where the cells are of several types.

Its reader splits the data by the length of a tuple instead of that of the block. So the sections are taken out before
meshio sees the file. Format: gmsh reference manual, "MSH file format version 2 (Legacy)".
"""

from __future__ import annotations

import numpy as np

from sciml.errors import InputError

_BEGIN, _END = b"$ElementData", b"$EndElementData"


def take_element_data(content: bytes) -> tuple[bytes, dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Cut the element data out of the bytes of a gmsh 2.2 file.

    Returns
    -------
    rest : the file without these sections; all of it if it is of another version
    data : by name (numbers of the elements, from 1; values of shape (elements,) or (elements, components))
    """
    header = content[:200].split(b"\n", 2)
    if len(header) < 3 or header[0].strip() != b"$MeshFormat" or not header[1].startswith(b"2"):
        return content, {}
    binary = header[1].split()[1:2] == [b"1"]
    rest, data, start = [], {}, 0
    while (begin := content.find(_BEGIN, start)) >= 0:
        end = content.find(_END, begin)
        if end < 0:
            raise InputError("a section $ElementData is not closed, the file is cut off")
        name, numbers, values = _section(content[begin:end], binary)
        data[name] = (numbers, values)
        rest.append(content[start:begin])
        start = end + len(_END)
    return b"".join([*rest, content[start:]]), data


def place_element_data(data: dict[str, tuple[np.ndarray, np.ndarray]], sizes: list[int]) -> dict[str, list[np.ndarray]]:
    """Return the data per block of cells; cells without a value get nan.

    Parameters
    ----------
    data : from `take_element_data`
    sizes : number of cells in each block, in the order of the file
    """
    out = {}
    for name, (numbers, values) in data.items():
        total = sum(sizes)
        if len(numbers) and (numbers.min() < 1 or numbers.max() > total):
            raise InputError(f"the element data {name!r} are for elements {numbers.min()} to {numbers.max()}, expected "
                             f"1 to {total}: renumber the elements")
        full = np.full((total, *values.shape[1:]), np.nan)
        full[numbers - 1] = values
        out[name] = np.split(full, np.cumsum(sizes)[:-1])
    return out


def _section(text: bytes, binary: bool) -> tuple[str, np.ndarray, np.ndarray]:
    position = text.index(b"\n") + 1

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
        raise InputError("a section $ElementData has no name or no size")
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
        raise InputError(f"a section $ElementData claims {number} tags")
    return number
