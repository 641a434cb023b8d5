"""Read pore networks in Statoil format, as network extraction writes them: four text files of one name.

========================  ==============================================================================================
file                      columns; the first line of node1 and of link1 has the number of rows
========================  ==============================================================================================
``PREFIX_node1.dat``      first line also the sizes of the sample along x, y, z in m; then number, x, y, z, connections,
                          their pores, whether at inlet and outlet, their throats
``PREFIX_node2.dat``      number, volume, inscribed radius, shape factor, volume of clay
``PREFIX_link1.dat``      number, two pores (-1 the inlet, 0 the outlet), inscribed radius, shape factor, distance
``PREFIX_link2.dat``      number, two pores, lengths of the first pore, the second pore and the throat, volume, clay
========================  ==============================================================================================

Flow is along x. A reservoir becomes one boundary pore for each throat that leads to it, on the face of the sample,
beside the pore at the other end and of the same sizes. The way through it is a nanometre long: nothing for the flow,
and a number of which laws may take the logarithm.

References: Dong and Blunt, Phys. Rev. E 80 (2009) 036307 (extraction); Valvatne and Blunt, Water Resour. Res. 40 (2004)
W07406 (the flow).
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from sciml.checks import real_array
from sciml.errors import DataFormatError, InputError
from sciml.reference.pore_network_laws import SHAPE_FACTORS
from sciml.reference.pore_networks import WATER, PoreNetwork
from sciml.regular_files import read_text

PARTS = ("node1", "node2", "link1", "link2")
LARGEST = 2**27  # bytes of a file, some million throats; they take 30 times as much memory
NOTHING = 1e-9  # m, length of the way through a boundary pore
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
FINEST, WIDEST = 1e-15, 1e6  # m, bounds of every size: less than an atom, more than any sample
FLATTEST = 1e-9  # shape factor of a slit that no image resolves
ROUNDEST = 0.08  # shape factor beyond that of a circle, 1 / (4 pi), which no cross section has; files round it
INLET, OUTLET = -1, 0  # numbers of the reservoirs; pores count from 1


def read_statoil(
    path: Path, *, length: float | None = None, area: float | None = None, viscosity: float = WATER
) -> PoreNetwork:
    """Return the network that four files hold, with conductances by shape factors, untrimmed.

    Parameters
    ----------
    path : one of the four files
    length, area : of the sample, those of the file by default
    viscosity : in Pa s

    Raises
    ------
    DataFormatError : one of the files is missing, cut, damaged, or contradicts another; the sentence names it
    """
    files = _files(path)
    size, points, lists = _read_node1(files["node1"])
    pores = _table(files["node2"], len(points), 5, header=False)
    link1 = _table(files["link1"], None, 6, header=True)
    link2 = _table(files["link2"], len(link1), 8, header=False)
    ends = _ends(files["link1"], link1[:, 1:3], len(points))
    if not np.array_equal(link2[:, 1:3], ends):
        row = int(np.argmax((link2[:, 1:3] != ends).any(axis=1))) + 1
        raise DataFormatError(f"throat {row} joins other pores in {files['link2']} than in {files['link1']}.")
    _check_connections(files["node1"], lists, files["link1"], ends)
    for file, what, columns, lengths in (
        (files["node2"], "pore", pores[:, 2:4], [0]),
        (files["link1"], "throat", link1[:, 3:5], [0]),
        (files["link2"], "throat", link2[:, 3:6], [0, 1, 2]),
    ):
        _check_sizes(file, what, columns, lengths)
    for file, what, volumes in ((files["node2"], "pore", pores[:, 1]), (files["link2"], "throat", link2[:, 6])):
        wrong = np.flatnonzero((volumes < 0.0) | (volumes > WIDEST**3))
        if len(wrong):
            raise DataFormatError(
                f"{what} {wrong[0] + 1} of {file} has the volume {volumes[wrong[0]]:g} m^3, expected 0 or more."
            )
    return _network(
        size, points, pores, ends, link1[:, 3:5], link2[:, 3:6], {"length": length, "area": area}, viscosity
    )


def _check_connections(
    node1: Path, lists: list[list[tuple[int | None, int | None]]], link1: Path, ends: np.ndarray
) -> None:
    """Refuse pores whose throats and neighbours, in any order, are other ones than the throats join."""
    expected: list[list[tuple[int, int]]] = [[] for _ in lists]
    for throat, (first, second) in enumerate(ends.tolist(), start=1):
        for pore, other in ((first, second), (second, first)):
            if pore > OUTLET:
                expected[pore - 1].append((throat, other))
    for pore, (found, wanted) in enumerate(zip(lists, expected, strict=True), start=1):
        if None in (number for pair in found for number in pair) or sorted(found) != sorted(wanted):  # type: ignore[type-var]
            raise DataFormatError(
                f"pore {pore} has other throats or neighbours in {node1} than the throats of {link1} join; one of the "
                "two files is damaged or of another network."
            )


def _check_sizes(file: Path, what: str, columns: np.ndarray, lengths: list[int]) -> None:
    """Refuse sizes that no pore or throat has; columns that are no lengths are shape factors."""
    smallest, largest = np.full(columns.shape[1], FLATTEST), np.full(columns.shape[1], ROUNDEST)
    smallest[lengths], largest[lengths] = FINEST, WIDEST
    wrong = (columns < smallest) | (columns > largest)
    if wrong.any():
        row = int(np.argmax(wrong.any(axis=1)))
        raise DataFormatError(
            f"{what} {row + 1} of {file} has a radius, shape factor or length of {columns[row][wrong[row]][0]:g}, "
            f"expected lengths in m from {FINEST:g} to {WIDEST:g}, and shape factors from {FLATTEST:g} to {ROUNDEST}."
        )


def _network(  # noqa: PLR0913 - the columns of four files
    size: np.ndarray,
    points: np.ndarray,
    pores: np.ndarray,
    ends: np.ndarray,
    sections: np.ndarray,
    lengths: np.ndarray,
    given: dict[str, float | None],
    viscosity: float,
) -> PoreNetwork:
    """Return the network of checked columns, with a boundary pore for each throat to a reservoir."""
    throats, lengths = ends - 1, lengths.copy()
    throat, end = np.nonzero(ends <= 0)
    number = len(points) + np.arange(len(throat))
    throats[throat, end] = number
    lengths[throat, end] = NOTHING
    beside = ends[throat, 1 - end] - 1
    faces = points[beside]
    at_inlet = ends[throat, end] == INLET
    faces[:, 0] = np.where(at_inlet, 0.0, size[0])
    is_inlet, is_outlet = np.zeros((2, len(points) + len(faces)), bool)
    is_inlet[number], is_outlet[number] = at_inlet, ~at_inlet
    radius, shape = np.concatenate([pores[:, 2:4], pores[beside, 2:4]]).T
    network = PoreNetwork(
        np.concatenate([points, faces]),
        throats,
        is_inlet,
        is_outlet,
        length=size[0] if given["length"] is None else given["length"],
        area=size[1] * size[2] if given["area"] is None else given["area"],
        viscosity=viscosity,
        pores={
            "diameter": 2.0 * radius,
            "shape_factor": shape,
            "volume": np.concatenate([pores[:, 1], np.zeros(len(faces))]),
        },
        columns={
            "diameter": 2.0 * sections[:, 0],
            "shape_factor": sections[:, 1],
            "pore1_length": lengths[:, 0],
            "pore2_length": lengths[:, 1],
            "length": lengths[:, 2],
        },
    )
    return network.with_columns(throats={"conductance": SHAPE_FACTORS.conductance(network)})


def _files(path: Path) -> dict[str, Path]:
    """Return the four files of the network that one of them belongs to."""
    match = re.fullmatch(rf"(.*_)({'|'.join(PARTS)})(\.dat)", path.name, re.IGNORECASE)
    if match is None:
        raise DataFormatError(
            f"{path} is no file of a network in Statoil format, expected PREFIX_node1.dat beside _node2.dat, "
            "_link1.dat and _link2.dat."
        )
    files = {part: path.with_name(f"{match[1]}{part}{match[3]}") for part in PARTS}
    files[match[2].lower()] = path
    missing = [file.name for file in files.values() if not file.exists()]
    if missing:
        raise DataFormatError(
            f"{path} lacks {', '.join(missing)} beside it; a network in Statoil format has four files."
        )
    return files


def _read_node1(file: Path) -> tuple[np.ndarray, np.ndarray, list[list[tuple[int | None, int | None]]]]:
    """Return the size of the sample, (3,), the centres of the pores, (pores, 3), and of each its (throat, pore)."""
    rows = _rows(file)
    count, size = _header(file, rows, 4)
    centres, lists = np.zeros((count, 3)), []
    for number, row in enumerate(rows[1:], start=1):
        connections = _whole(row[4]) if len(row) > 4 else None
        if connections is None or connections < 0 or len(row) != 7 + 2 * connections or _whole(row[0]) != number:
            raise DataFormatError(
                f"line {number + 1} of {file} is cut or damaged: expected the pore {number} with 3 coordinates, the "
                "number n of its connections, n pores, 2 flags and n throats."
            )
        centres[number - 1] = _numbers(file, [row[1:4]])[0]
        joined = [_whole(value) for value in row[5 : 5 + connections]]
        lists.append(list(zip([_whole(value) for value in row[7 + connections :]], joined, strict=True)))
    if (size < FINEST).any() or (size > WIDEST).any():
        raise DataFormatError(
            f"the sizes of the sample in {file} are {size.tolist()}, expected positive numbers of metres, from "
            f"{FINEST:g} to {WIDEST:g}."
        )
    if (np.abs(centres) > WIDEST).any():
        row = int(np.argmax((np.abs(centres) > WIDEST).any(axis=1))) + 1
        raise DataFormatError(
            f"pore {row} of {file} is at {centres[row - 1].tolist()}, expected coordinates in m of at most {WIDEST:g}."
        )
    return size, centres, lists


def _table(file: Path, expected: int | None, columns: int, *, header: bool) -> np.ndarray:
    """Return the rows of a file whose first column counts from 1, (rows, columns)."""
    rows = _rows(file)
    if header:
        expected, _ = _header(file, rows, 1)
        rows = rows[1:]
    if len(rows) != expected:
        raise DataFormatError(f"{file} has {len(rows)} rows, expected {expected}; it is cut, or of another network.")
    for number, row in enumerate(rows, start=1):
        if len(row) != columns or _whole(row[0]) != number:
            raise DataFormatError(
                f"row {number} of {file} is cut or damaged: expected the number {number} and {columns - 1} more values."
            )
    return _numbers(file, rows).reshape(-1, columns)


def _header(file: Path, rows: list[list[str]], values: int) -> tuple[int, np.ndarray]:
    """Return the number of rows that the first line announces, and its other values."""
    count = _whole(rows[0][0]) if rows and len(rows[0]) == values else None
    if count is None or count < 1:
        raise DataFormatError(
            f"the first line of {file} is damaged: expected the number of rows, then {values - 1} sizes."
        )
    if len(rows) - 1 != count:
        raise DataFormatError(f"{file} announces {count} rows and has {len(rows) - 1}; it is cut.")
    return count, _numbers(file, [rows[0][1:]])[0]


def _ends(file: Path, ends: np.ndarray, pores: int) -> np.ndarray:
    """Return the pores that the throats join, (throats, 2) whole numbers, in which reservoirs are -1 and 0."""
    whole = ends.astype(np.int64)
    wrong = (whole != ends) | (whole < INLET) | (whole > pores)
    if wrong.any():
        row = int(np.argmax(wrong.any(axis=1)))
        raise DataFormatError(
            f"throat {row + 1} of {file} joins the pores {ends[row].tolist()}, expected numbers from -1 to {pores}."
        )
    between = np.flatnonzero((whole <= OUTLET).all(axis=1))
    if len(between):
        raise DataFormatError(f"throat {between[0] + 1} of {file} joins two reservoirs, expected at least one pore.")
    return whole


def _rows(file: Path) -> list[list[str]]:
    try:
        text = read_text(file, LARGEST, DataFormatError)
    except UnicodeDecodeError:
        raise DataFormatError(f"{file} is no text, expected a network in Statoil format.") from None
    return [row for row in (line.split() for line in text.split("\n")) if row]


def _numbers(file: Path, rows: list[list[str]]) -> np.ndarray:
    """Return rows of decimal numbers of ASCII digits; what else Python's `float` takes is no number of these files."""
    for row in rows:
        wrong = [value for value in row if not NUMBER.fullmatch(value)]
        if wrong:
            raise DataFormatError(f"{file} is damaged: it has {wrong[0][:40]!r}, expected a decimal number.")
    try:
        return real_array("the numbers", [[float(value) for value in row] for row in rows])
    except InputError as error:
        raise DataFormatError(f"{file} is damaged: {error}") from None


def _whole(text: str) -> int | None:
    """Return a whole number of at most nine digits, or None."""
    return int(text) if re.fullmatch(r"-?[0-9]{1,9}", text) else None
