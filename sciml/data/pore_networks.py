"""Pore networks in data sets: each sample is a mesh of lines, with values at its points (pores) and cells (throats).

The place of the samples is called ``network``. Columns of the pores become fields ``pore_NAME``, those of the throats
``throat_NAME``; ``permeability`` in m^2, ``length``, ``area`` and ``viscosity`` are parameters. All is in SI units.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from sciml.checks import choice, positive, real_array, whole_number
from sciml.data.formats import DataField, DatasetWriter, Description, VaryingMesh
from sciml.data.samples import Sample
from sciml.errors import InputError
from sciml.mesh import Mesh
from sciml.reference.pore_networks import PoreNetwork, random_network

PLACE = "network"
SIZES = ("length", "area", "viscosity")
POSITIVE = frozenset({"diameter", "length", "conductance", "shape_factor"})  # columns of pores or throats
ROUNDING = 1e-5  # of pressures in single precision
UNITS = {
    "diameter": "m",
    "length": "m",
    "pore1_length": "m",
    "pore2_length": "m",
    "conductance": "m^3/(Pa s)",
    "volume": "m^3",
}
Written = tuple[dict[str, np.ndarray], dict[str, float], dict[str, Mesh]]


def describe_networks(
    network: PoreNetwork, name: str = "pore networks", *, pressure: bool = True, permeability: bool = True
) -> Description:
    """Describe a data set of networks with the columns of one of them.

    Parameters
    ----------
    network : one that the others are like
    name : of the data set
    pressure : whether the pressures of the pores are among the fields
    permeability : whether the permeability is among the parameters
    """
    columns = [(f"pore_{column}", "points", column) for column in network.pores]
    columns += [(f"throat_{column}", "cells", column) for column in network.columns]
    fields = [
        DataField(title, (), "float64", UNITS.get(column, ""), location, False)  # type: ignore[arg-type]
        for title, location, column in columns
    ]
    if pressure:
        fields.insert(0, DataField("pressure", (), "float64", "", "points", False))
    kind = VaryingMesh.of(network.to_mesh())
    parameters = dict.fromkeys((("permeability", *SIZES) if permeability else SIZES), np.zeros(0))
    return Description(name, {PLACE: kind}, np.zeros(1), tuple(fields), 1, parameters=parameters)


def network_sample(network: PoreNetwork, *, pressure: bool = True) -> Written:
    """Return a network with conductances as what `DatasetWriter.append` takes: fields, parameters and places.

    Parameters
    ----------
    network : whose pores are all connected to inlet or outlet, see `PoreNetwork.trimmed`
    pressure : whether the pressures are among the fields, 1 in the inlet and 0 in the outlet
    """
    return _labelled(network, network.pressures() if pressure else None, network.permeability())


def _labelled(network: PoreNetwork, pressure: np.ndarray | None, permeability: float | None) -> Written:
    """Return a network with the labels that it has as what `DatasetWriter.append` takes."""
    fields = {} if pressure is None else {"pressure": pressure}
    fields |= {f"pore_{name}": values for name, values in network.pores.items()}
    fields |= {f"throat_{name}": values for name, values in network.columns.items()}
    parameters = {} if permeability is None else {"permeability": permeability}
    parameters |= {name: float(getattr(network, name)) for name in SIZES}
    return fields, parameters, {PLACE: network.to_mesh()}


def sample_network(sample: Sample) -> PoreNetwork:
    """Return the pore network of a sample of a data set.

    Parameters
    ----------
    sample : with a place ``network`` that has groups ``inlet`` and ``outlet`` of points, and fields named as above
    """
    missing = [name for name in SIZES if name not in sample.parameters]
    if missing:
        raise InputError(
            f"sample {sample.number} lacks the parameters {', '.join(missing)} of a pore network; "
            "sciml.data.pore_networks.write_networks writes files that have all of them."
        )
    mesh = sample.places.get(PLACE)
    if not isinstance(mesh, Mesh) or list(mesh.cells) != ["line"] or mesh.dim != 3:
        there = ", ".join(f"{name} ({place})" for name, place in sample.places.items()) or "none"
        raise InputError(
            f"sample {sample.number} has the places {there}, expected a mesh of lines in 3-D called {PLACE!r} with "
            "groups inlet and outlet of points."
        )
    ends = [_points_of(sample.number, mesh, name) for name in ("inlet", "outlet")]
    columns: dict[str, dict[str, np.ndarray]] = {"pore_": {}, "throat_": {}}
    for title, values in sample.fields.items():
        for prefix, into in columns.items():
            if title.startswith(prefix):
                into[title.removeprefix(prefix)] = values
    for prefix, named in columns.items():
        for name in POSITIVE & set(named):
            if not (named[name] > 0.0).all():
                raise InputError(
                    f"the field {prefix + name!r} of sample {sample.number} has {float(np.min(named[name])):g} among "
                    "its values, expected positive numbers."
                )
    given = {name: float(sample.parameters[name]) for name in SIZES}
    return PoreNetwork(
        mesh.points.copy(),
        mesh.cells["line"].copy(),
        *ends,
        pores=columns["pore_"],
        columns=columns["throat_"],
        **given,
    )


def sample_labels(sample: Sample) -> tuple[np.ndarray | None, float | None]:
    """Return the labels that a sample has: the pressures of the pores, (pores,), and the permeability in m^2.

    Parameters
    ----------
    sample : of a data set of pore networks

    Raises
    ------
    InputError : pressures outside the 0 of the outlet and the 1 of the inlet, between which all pressures are, a
        permeability that is not positive, or a label that is not finite
    """
    return _checked_labels(sample.number, sample.fields.get("pressure"), sample.parameters.get("permeability"))


def _checked_labels(
    number: int, pressure: np.ndarray | None, permeability: float | None
) -> tuple[np.ndarray | None, float | None]:
    """Return the labels of the sample of a number, or refuse values that they cannot have."""
    if pressure is not None:
        pressure = real_array(f"the pressures of sample {number}", pressure)
        wrong = (pressure < -ROUNDING) | (pressure > 1.0 + ROUNDING)
        if wrong.any():
            raise InputError(
                f"the pressures of sample {number} have {pressure[wrong][0]:g} among them, expected numbers "
                "from 0 in the outlet to 1 in the inlet; divide by the pressure drop."
            )
    if permeability is not None:
        permeability = positive(f"the permeability of sample {number}", float(permeability))
    return pressure, permeability


def _points_of(number: int, mesh: Mesh, name: str) -> np.ndarray:
    """Return which points are in a group of points; a group of cells counts throats, which are no pores."""
    group = mesh.groups.get(name)
    if group is None or group.facets is None or group.dim != 0:
        kind = "cells" if group is not None and group.facets is None else "facets"
        there = "no group" if group is None else f"a group of {kind} of dimension {group.dim},"
        raise InputError(
            f"sample {number} has {there} {name!r} in its mesh {PLACE!r}, expected a group of points, of dimension 0: "
            "the pores of a given pressure."
        )
    flags = np.zeros(mesh.n_points, bool)
    flags[group.facets.ravel()] = True
    return flags


def write_networks(
    path: str | os.PathLike[str],
    networks: Sequence[PoreNetwork],
    name: str = "pore networks",
    *,
    pressures: Sequence[np.ndarray] | None = None,
    permeabilities: Sequence[float] | None = None,
) -> None:
    """Write networks of one's own to a data set, with labels that were measured or, without any, are solved for.

    Parameters
    ----------
    path : of the file
    networks : with the same columns; where labels are solved for, ``conductance`` of the throats among them
    name : of the data set
    pressures : measured in all pores, (pores,) for each network, 1 in the inlet and 0 in the outlet
    permeabilities : measured, in m^2, one for each network

    Raises
    ------
    InputError : no network, or labels of another number, or of values that they cannot have

    Examples
    --------
    >>> import tempfile
    >>> from sciml.data import SampleData
    >>> path = tempfile.mkdtemp() + "/mine.h5"
    >>> write_networks(path, [random_network("delaunay", n, np.random.default_rng(n)) for n in (8, 12)])
    >>> batch = next(iter(SampleData(path, fractions=(1.0, 0.0)).train_dataloader()))
    >>> batch.places["network"]["point_offsets"][-1] == len(batch.fields["pressure"])
    tensor(True)
    """
    if not networks:
        raise InputError("there are no networks to write, expected at least one.")
    measured = {"pressures": pressures, "permeabilities": permeabilities}
    for title, values in measured.items():
        if values is not None and len(values) != len(networks):
            raise InputError(f"there are {len(values)} {title}, expected {len(networks)}, one of each network.")
    solved = pressures is None and permeabilities is None
    given = {"pressure": solved or pressures is not None, "permeability": solved or permeabilities is not None}
    about = describe_networks(networks[0], name, **given)
    with DatasetWriter(path, Description(**{**vars(about), "trajectories": len(networks)})) as writer:
        for number, network in enumerate(networks):
            labels = (None if values is None else values[number] for values in measured.values())
            writer.append(
                *(network_sample(network) if solved else _labelled(network, *_checked_labels(number, *labels)))
            )


@dataclass(frozen=True)
class PoreNetworks:
    """Random pore networks with their pressures and permeabilities, drawn as by Park, Choo and Park (2022).

    Parameters
    ----------
    tessellation : delaunay or voronoi
    law : of the conductances: hagen_poiseuille, conduits or shape_factors
    fewest, most : numbers of base points of the tessellation; each network draws its own between them
    length : edge of the cube in m
    clip : of the pore diameters: network as published, or pore
    viscosity : in Pa s
    label : pressure has the pressures of all pores and the permeability, permeability that number alone
    """

    tessellation: str = "delaunay"
    law: str = "hagen_poiseuille"
    fewest: int = 13
    most: int = 86
    length: float = 1e-3
    clip: str = "network"
    viscosity: float = 1e-5
    label: str = "pressure"
    summary: ClassVar[str] = "random pore networks, each a mesh of its own, with pressures and permeability"

    def __post_init__(self) -> None:
        from sciml.reference.pore_network_laws import LAWS
        from sciml.reference.pore_network_tessellations import TESSELLATIONS
        from sciml.reference.pore_networks import CLIPS

        choice("tessellation", self.tessellation, TESSELLATIONS)
        choice("law", self.law, LAWS)
        choice("clip", self.clip, CLIPS)
        choice("label", self.label, ("pressure", "permeability"))
        whole_number("fewest", self.fewest, at_least=4)
        whole_number("most", self.most, at_least=self.fewest)
        positive("length", self.length)
        positive("viscosity", self.viscosity)

    def describe(self) -> Description:
        """Return what each sample holds: the columns of the law at pores and throats, and the labels."""
        # the columns are those that the law gives to any network
        return describe_networks(self._network(self.fewest, np.random.default_rng(0)), pressure=self._solved)

    def sample(self, random: np.random.Generator) -> Written:
        """Return one network: fields, parameters and its mesh.

        Parameters
        ----------
        random : draws the number of base points, the network and its pores and throats
        """
        from threadpoolctl import threadpool_limits

        network = self._network(int(random.integers(self.fewest, self.most + 1)), random)
        with threadpool_limits(1):  # sums over several threads depend on their number in the last digits
            return network_sample(network, pressure=self._solved)

    @property
    def _solved(self) -> bool:
        return self.label == "pressure"

    def _network(self, base: int, random: np.random.Generator) -> PoreNetwork:
        from sciml.reference.pore_network_laws import LAWS

        options: dict[str, Any] = {"length": self.length, "clip": self.clip, "viscosity": self.viscosity}
        return random_network(self.tessellation, base, random, LAWS[self.law], **options)
