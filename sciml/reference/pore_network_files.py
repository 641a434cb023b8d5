"""Read and write pore networks: Statoil format, arrays with the names of OpenPNM, meshes of lines.

=================================  =====================================================================================
file                               contents
=================================  =====================================================================================
``PREFIX_node1.dat`` and           extracted networks of rocks in Statoil format, four files, of which any one is given
``_node2 _link1 _link2``
``.npz``                           ``coords``, ``conns``, ``inlet``, ``outlet``, columns ``pore.NAME`` and
                                   ``throat.NAME``, optionally ``length``, ``area``, ``viscosity``
meshes (`sciml.mesh.read_mesh`)    lines in 3-D with groups ``inlet`` and ``outlet`` of points, or fields of these
                                   names at the points, 1 there and 0 elsewhere; columns are fields, of the same names
                                   or without prefix, and ``sample_length``, ``sample_area``, ``sample_viscosity``
                                   constant ones
=================================  =====================================================================================

Columns have the names and units of `sciml.reference.pore_network_laws`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from sciml.atomic import AtomicFile
from sciml.checks import real_array, whole_array
from sciml.errors import DataFormatError, InputError, MeshFileError
from sciml.mesh import Field, Group, Mesh, read_mesh, write_mesh
from sciml.mesh.files import READ, WRITE
from sciml.npy_files import read_npz
from sciml.reference.pore_network_statoil import PARTS, read_statoil
from sciml.reference.pore_networks import PoreNetwork, sample_size

PREFIXES = ("pore.", "throat.")
SAME = {  # names of OpenPNM, and ours
    "pore.coords": "coords",
    "throat.conns": "conns",
    "pore.inlet": "inlet",
    "pore.outlet": "outlet",
    "throat.hydraulic_conductance": "throat.conductance",
}
SCALARS = ("length", "area", "viscosity")
SAMPLE = "sample_"  # prefix of fields of a mesh that have the same value, one of the scalars, at all points
ENDS = ("inlet", "outlet")
NEEDED = ("coords", "conns", *ENDS)

Columns = Mapping[str, np.ndarray]


def read_network(
    path: str | os.PathLike[str],
    *,
    length: float | None = None,
    area: float | None = None,
    viscosity: float | None = None,
) -> PoreNetwork:
    """Return the pore network of a file, untrimmed.

    Parameters
    ----------
    path : of the file, whose ending says what it is; of a network in Statoil format one of the four files
    length, area : of the sample in m and m^2; by default those of the file, or of the box around the pores
    viscosity : in Pa s; by default that of the file, or of water

    Raises
    ------
    DataFormatError : no such file, another format, damaged, or no network; the sentence names the file
    MeshFileError : the same of a mesh file
    """
    path = Path(path)
    suffix = path.suffix.lower()
    given = {"length": length, "area": area, "viscosity": viscosity}
    given = {name: value for name, value in given.items() if value is not None}
    if suffix not in (".dat", ".npz", *READ):
        raise DataFormatError(
            f"{path} is no pore network: the ending is {suffix!r}, expected one of .dat .npz {' '.join(READ)}."
        )
    try:
        if suffix in READ:
            return _read_lines(path, given)
        return read_statoil(path, **given) if suffix == ".dat" else _read_arrays(path, given)
    except (DataFormatError, MeshFileError):
        raise
    except FileNotFoundError:
        raise DataFormatError(f"{path} is not a file; check the name.") from None
    except Exception as error:  # zipfile and NumPy raise whatever they stumble over
        kind = MeshFileError if suffix in READ else DataFormatError
        reason = " ".join(str(error).split())[:400].rstrip(".") or type(error).__name__
        raise kind(f"{path} holds no pore network: {reason}.") from error


def write_network(
    path: str | os.PathLike[str],
    network: PoreNetwork,
    pores: Columns | None = None,
    throats: Columns | None = None,
) -> None:
    """Write a network with its columns, and results beside them; the file appears complete or not at all.

    Parameters
    ----------
    path : ``.npz``, or a mesh with lines: ``.vtu .xdmf .msh .med``
    network : any
    pores, throats : results by name, such as ``{"pressure": (pores,)}`` and ``{"flux": (throats,)}``

    Raises
    ------
    DataFormatError : another ending
    MeshFileError : what `write_mesh` raises
    """
    path = Path(path)
    network = network.with_columns(pores, throats)
    if path.suffix.lower() in WRITE:
        mesh = network.to_mesh()
        fields = [Field(PREFIXES[0] + name, values, mesh, "points") for name, values in network.pores.items()]
        fields += [Field(PREFIXES[1] + name, values, mesh, "cells") for name, values in network.columns.items()]
        constants = {SAMPLE + name: np.full(network.n_pores, getattr(network, name)) for name in SCALARS}
        write_mesh(path, mesh, fields + [Field(name, values, mesh, "points") for name, values in constants.items()])
        return
    if path.suffix.lower() != ".npz":
        raise DataFormatError(
            f"{path} cannot be written: the ending must be one of .npz {' '.join(WRITE)}; got {path.suffix!r}."
        )
    if not path.parent.is_dir():
        raise DataFormatError(f"The folder {path.parent} does not exist; make it first.")
    arrays = {"coords": network.points, "conns": network.throats, "inlet": network.inlet, "outlet": network.outlet}
    arrays |= {name: np.float64(getattr(network, name)) for name in SCALARS}
    arrays |= {f"pore.{name}": values for name, values in network.pores.items()}
    arrays |= {f"throat.{name}": values for name, values in network.columns.items()}
    with AtomicFile(path, keep_name=True) as file:
        np.savez_compressed(file.part, **arrays)


def is_network_file(path: str | os.PathLike[str]) -> bool:
    """Return whether a name is that of a file in Statoil format, or one that `read_network` may take as a mesh."""
    path = Path(path)
    return path.name.lower().endswith(tuple(f"_{part}.dat" for part in PARTS)) or path.suffix.lower() in (".npz", *READ)


def _read_lines(path: Path, given: Mapping[str, float]) -> PoreNetwork:
    """Return the network of a mesh file."""
    mesh, fields = read_mesh(path, keep_3d=True)
    constants = {name: _constant(each) for each in fields for name in SCALARS if each.name == SAMPLE + name}
    columns = [
        replace(each, name=each.name.removeprefix(PREFIXES[each.location == "cells"]))
        for each in fields
        if not each.name.startswith(SAMPLE)
    ]
    return PoreNetwork.from_mesh(*_with_ends(mesh, columns), **{**constants, **given})


def _with_ends(mesh: Mesh, columns: list[Field]) -> tuple[Mesh, list[Field]]:
    """Return a mesh with groups inlet and outlet, where fields of 0 and 1 at its points are there in their place."""
    flags = {
        each.name: _flags(each.name, each.values)
        for each in columns
        if each.name in ENDS and each.name not in mesh.groups and each.location == "points"
    }
    groups = {name: Group(0, facets=np.flatnonzero(inside)[:, None]) for name, inside in flags.items()}
    left = [each for each in columns if each.name not in flags]
    return (Mesh(mesh.points, mesh.cells, {**mesh.groups, **groups}) if flags else mesh), left


def _read_arrays(path: Path, given: Mapping[str, float]) -> PoreNetwork:
    """Return the network of an ``.npz`` file; arrays that are no columns, such as vectors and texts, are left aside."""
    found = {SAME.get(name, name): values for name, values in read_npz(path).items()}
    missing = [name for name in NEEDED if name not in found]
    if missing:
        raise InputError(
            f"it has no array {missing[0]!r}, expected coords (pores, 3), conns (throats, 2), inlet and outlet "
            f"(pores,); it has {', '.join(found) or 'none'}."
        )
    unknown = [name for name in found if name not in (*NEEDED, *SCALARS) and not name.startswith(PREFIXES)]
    if unknown:
        raise InputError(
            f"it has an array {unknown[0]!r}, expected names pore.NAME and throat.NAME beside "
            f"{', '.join((*NEEDED, *SCALARS))}; call a column of throats throat.{unknown[0]}."
        )
    points = real_array("coords", found["coords"], shape=("pores", 3))
    throats = whole_array("conns", found["conns"], shape=("throats", 2))
    inlet, outlet = (_flags(name, found[name]) for name in ENDS)
    sizes: dict[str, float] = {name: _scalar(name, found[name]) for name in SCALARS if name in found} | dict(given)
    if not {"length", "area"} <= set(sizes):
        flags = all(each.shape == (len(points),) and each.any() for each in (inlet, outlet))
        along, across = sample_size(points, inlet, outlet) if flags else (1.0, 1.0)  # which the type refuses
        sizes = {"length": along, "area": across, **sizes}
    by_prefix = {
        prefix: {
            name.removeprefix(prefix): values
            for name, values in found.items()
            if name.startswith(prefix) and values.ndim == 1 and values.dtype.kind in "biuf"
        }
        for prefix in PREFIXES
    }
    return PoreNetwork(points, throats, inlet, outlet, **sizes, pores=by_prefix["pore."], columns=by_prefix["throat."])


def _flags(name: str, values: np.ndarray) -> np.ndarray:
    """Return booleans, also of numbers 0 and 1, as files without booleans have them."""
    numbers = real_array(name, values)
    if not np.isin(numbers, (0.0, 1.0)).all():
        raise InputError(
            f"{name} has values other than 0 and 1, expected a boolean for each pore, not numbers of pores."
        )
    return numbers == 1.0


def _scalar(name: str, values: np.ndarray) -> float:
    if values.size != 1:
        raise InputError(f"{name} has {values.size} values, expected one number.")
    return float(real_array(name, values).reshape(()))


def _constant(given: Field) -> float:
    values = np.unique(given.values)
    if values.size != 1:
        raise InputError(f"the field {given.name!r} has {values.size} different values, expected one at all points.")
    return float(values[0])
