"""The other files that a mesh file names: only those in its own folder are read.

A mesh from elsewhere must not read the files of this machine. XDMF names HDF5 and raw files, Abaqus includes files;
HDF5 has links of its own, see :func:`sciml.mesh.hdf5.inside`.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath, PureWindowsPath
from xml.etree import ElementTree

from sciml.errors import MeshFileError
from sciml.regular_files import open_regular, regular_file

_DEEPEST = 16  # files that include one another


def check_references(path: Path, suffix: str) -> None:
    """Refuse a mesh file that names files elsewhere, or something that is no regular file.

    Parameters
    ----------
    path : of the mesh file
    suffix : its ending, in small letters

    Raises
    ------
    MeshFileError
        The sentence has the name in it.
    DataFormatError
        If an HDF5 file leads to another file.
    """
    checks: dict[str, Callable[[Path], None]] = {".xdmf": _check_xdmf, ".med": _check_hdf5, ".inp": _check_abaqus}
    checks.get(suffix, lambda path: None)(path)


def beside(path: Path, name: str) -> Path:
    """Return the file of a name that stands in another file; it lies in the same folder or in a folder of that.

    Parameters
    ----------
    path : of the file that names it
    name : relative and without ``..``

    Raises
    ------
    MeshFileError
        If it leads elsewhere, does not exist or is no regular file.
    """
    parts = {*PurePosixPath(name).parts, *PureWindowsPath(name).parts}
    if not name or "\0" in name or ".." in parts or os.path.isabs(name) or PureWindowsPath(name).anchor:
        raise MeshFileError(
            f"{path} names the file {name!r}, expected one in its own folder without '..'; move it there, and change "
            "the name."
        )
    found = path.parent / name
    if not found.exists():
        raise MeshFileError(f"{path} names the file {name!r}, but there is no {found}.")
    return regular_file(found, MeshFileError)


def _check_hdf5(path: Path) -> None:
    from sciml.mesh.hdf5 import check_all_inside

    check_all_inside(path)


def _check_xdmf(path: Path) -> None:
    """Check the HDF5 and raw files of an XDMF document, and that what it reads of them is there."""
    import h5py

    from sciml.mesh.hdf5 import inside

    for item in ElementTree.parse(path).iter("DataItem"):
        text = (item.text or "").strip()
        if item.get("Format") == "HDF" and "Reference" not in item.attrib:
            name, _, place = text.partition(":")
            with h5py.File(beside(path, name), "r") as file:
                inside(file, place)
        elif item.get("Format") == "Binary" and "Reference" not in item.attrib:
            _check_here(path, text)


def _check_abaqus(path: Path, depth: int = _DEEPEST) -> None:
    if not depth:
        raise MeshFileError(f"{path} is included by itself, or more than {_DEEPEST} files include one another.")
    # As meshio reads it: the same line ends and encoding, and stars and case do not count.
    with io.TextIOWrapper(open_regular(path, MeshFileError)) as file:
        names = [line.rpartition("=")[2].strip() for line in file if _is_include(line)]
    for name in names:
        _check_here(path, name)
        _check_abaqus(beside(path, name), depth - 1)


def _is_include(line: str) -> bool:
    keyword = "".join(line.partition(",")[0].replace("*", "").split()).upper()
    return keyword == "INCLUDE" and not line.startswith("**")


def _check_here(path: Path, name: str) -> None:
    """Check a name which meshio looks up in the working directory first, and not in the folder of the file."""
    found = beside(path, name)
    if Path(name).exists() and not Path(name).samefile(found):
        raise MeshFileError(
            f"{path} names the file {name!r}, which there is in the working directory too; run this in {path.parent}."
        )
