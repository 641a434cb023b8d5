r"""Pore networks: Stokes flow between pores through throats; pressures and permeability with bounds on their errors.

A network is a graph of pores (points) and throats (lines between them). At low Reynolds number, the flow through throat
ij is k_ij (p_i - p_j), with the conductance k_ij in m^3/(Pa s), and the pressures follow from the conservation of mass:

    \sum_j k_ij (p_i - p_j) = 0  in every pore that is neither inlet nor outlet.

With the flow Q at a pressure drop \Delta p over a sample of length L and cross section A, Darcy's law defines the
permeability K = Q \mu L / (A \Delta p).

>>> import numpy as np
>>> network = random_network("delaunay", 20, np.random.default_rng(0))
>>> 1e-16 < network.permeability() < 1e-13
True

References: Fatt, Petroleum Trans. AIME 207 (1956) 144-181; Blunt, Multiphase Flow in Permeable Media, 2017, chapter 6.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np

from sciml.checks import choice, positive, real_array, whole_array, whole_number
from sciml.errors import InputError
from sciml.mesh import Field, Group, Mesh
from sciml.mesh.edges import check_single
from sciml.reference.pore_network_flow import components, dissipation, pressures
from sciml.reference.pore_network_laws import HAGEN_POISEUILLE, Law
from sciml.reference.pore_network_tessellations import TESSELLATIONS

DARCY = 9.869233e-13  # m^2
WATER = 1e-3  # viscosity at 20 degrees Celsius in Pa s
TRIES = 20  # of drawing a network: points that nearly coincide leave no space for pores

Columns = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class PoreNetwork:
    """A network of pores and throats with an inlet and an outlet; immutable and checked when made.

    Parameters
    ----------
    points : (pores, 3) centres of the pores in m
    throats : (throats, 2) the pores that each throat joins, each pair at most once
    pores : values at the pores by name, (pores,) each, in SI units; see `sciml.reference.pore_network_laws`
    columns : values at the throats by name, (throats,) each, in SI units; the conductance in m^3/(Pa s)
    inlet, outlet : (pores,) booleans, pores in which the pressure is given
    length : of the sample along the flow in m
    area : of its cross section in m^2
    viscosity : of the fluid in Pa s

    Raises
    ------
    InputError : shapes that do not fit, throats that join a pore to itself or occur twice, values that are not finite,
        no inlet or outlet, a pore that is both
    """

    points: np.ndarray
    throats: np.ndarray
    inlet: np.ndarray
    outlet: np.ndarray
    length: float
    area: float
    viscosity: float = WATER
    pores: Columns = field(default_factory=dict)
    columns: Columns = field(default_factory=dict)

    def __post_init__(self) -> None:
        points = real_array("the centres of the pores", self.points, shape=("number of pores", 3))
        throats = whole_array(
            "the throats", self.throats, shape=("number of throats", 2), at_least=0, below=max(len(points), 1)
        )
        checked = {
            "points": points,
            "throats": throats,
            "inlet": _flags("the inlet", self.inlet, len(points)),
            "outlet": _flags("the outlet", self.outlet, len(points)),
            "length": positive("the length of the sample", self.length),
            "area": positive("the area of the sample", self.area),
            "viscosity": positive("the viscosity", self.viscosity),
            "pores": _columns(self.pores, "pores", len(points)),
            "columns": _columns(self.columns, "throats", len(throats)),
        }
        for name, value in checked.items():
            if isinstance(value, np.ndarray):
                value = value.copy()
                value.setflags(write=False)
            object.__setattr__(self, name, value)
        for name in ("inlet", "outlet"):
            if not getattr(self, name).any():
                raise InputError(f"the {name} has no pores, expected at least one.")
        both = np.flatnonzero(self.inlet & self.outlet)
        if len(both):
            raise InputError(f"pore {both[0]} is in the inlet and in the outlet, expected at most one of the two.")
        check_single(throats, "throat", "pore")

    def __reduce__(self) -> tuple[Any, ...]:
        plain = {"pores": dict(self.pores), "columns": dict(self.columns)}
        return PoreNetwork, tuple(plain.get(each.name, getattr(self, each.name)) for each in fields(self))

    @property
    def n_pores(self) -> int:
        """Number of pores, those of inlet and outlet among them."""
        return len(self.points)

    @property
    def n_throats(self) -> int:
        """Number of throats, parallel ones counted each."""
        return len(self.throats)

    def distances(self) -> np.ndarray:
        """Return the distances between the centres of the pores that each throat joins, (throats,) in m."""
        first, second = self.points[self.throats].transpose(1, 0, 2)
        return np.linalg.norm(first - second, axis=1)

    def with_columns(self, pores: Columns | None = None, throats: Columns | None = None) -> PoreNetwork:
        """Return the network with more columns; those of the same name are replaced."""
        return replace(self, pores={**self.pores, **(pores or {})}, columns={**self.columns, **(throats or {})})

    def part(self, kept: np.ndarray) -> PoreNetwork:
        """Return the network of some of the pores, (pores,) booleans, with the throats between them."""
        kept = _flags("the pores to keep", kept, self.n_pores)
        number = np.cumsum(kept) - 1
        inside = kept[self.throats].all(axis=1)
        return replace(
            self,
            points=self.points[kept],
            throats=number[self.throats[inside]],
            inlet=self.inlet[kept],
            outlet=self.outlet[kept],
            pores={name: values[kept] for name, values in self.pores.items()},
            columns={name: values[inside] for name, values in self.columns.items()},
        )

    def trimmed(self) -> tuple[PoreNetwork, int]:
        """Return the connected components that touch both inlet and outlet, and the number of pores that are left out.

        All other pores carry no flow, and the pressure of those that touch neither is undetermined.

        Raises
        ------
        InputError : no component connects inlet and outlet
        """
        component = components(self.throats, self.n_pores)
        percolating = np.intersect1d(component[self.inlet], component[self.outlet])
        if not len(percolating):
            raise InputError(
                f"no path of throats connects the inlet ({self.inlet.sum()} pores) and the outlet "
                f"({self.outlet.sum()} pores), so that the permeability is zero; check both."
            )
        kept = np.isin(component, percolating)
        return (self if kept.all() else self.part(kept)), int(np.count_nonzero(~kept))

    def pressures(self, conductance: np.ndarray | None = None) -> np.ndarray:
        """Return the pressures of all pores, (pores,), where the inlet has 1 and the outlet 0.

        Parameters
        ----------
        conductance : (throats,) of the throats, any unit; the column ``conductance`` by default

        Raises
        ------
        InputError : a conductance that is not positive; the sentence names its throat
        SingularSystemError : pores that no path of throats connects to inlet or outlet; see `trimmed`
        DivergenceError : conductances that differ by so much that the pressures cannot be told to 1e-10
        """
        return self._solved(conductance)[0].copy()

    def pressure_error(self, conductance: np.ndarray | None = None) -> float:
        """Return a proven bound on the errors of `pressures`, rounding included."""
        return self._solved(conductance)[1]

    def fluxes(self, conductance: np.ndarray | None = None) -> np.ndarray:
        """Return the flow through each throat from its first to its second pore, (throats,) in m^3/s for 1 Pa."""
        conductance = self.conductances(conductance)
        first, second = self.throats.T
        pressure = self.pressures(conductance)
        return conductance * (pressure[first] - pressure[second])

    def permeability(self, conductance: np.ndarray | None = None, pressure: np.ndarray | None = None) -> float:
        r"""Return the permeability K = Q \mu L / (A \Delta p) in m^2.

        The flow is taken from the power that is dissipated, Q \Delta p = \sum k_ij (p_i - p_j)^2. The pressures
        minimise it, so that their errors are squared, and no difference of two nearly equal pressures decides.

        Parameters
        ----------
        conductance : (throats,) in m^3/(Pa s); the column ``conductance`` by default
        pressure : (pores,) as `pressures` returns them, where they are known, or others: their errors are not checked

        Raises
        ------
        DivergenceError : the relative error of the result may exceed 1e-6
        """
        pressure, error = self._solved(conductance) if pressure is None else (pressure, 0.0)
        conductance = self.conductances(conductance)
        power = dissipation(self.throats, conductance, pressure, error)
        return float(power * self.viscosity * self.length / self.area)

    def inflow(self, fluxes: np.ndarray) -> float:
        """Return the flow out of the inlet into the rest of the network, of fluxes as `fluxes` returns them."""
        enters = self.inlet[self.throats].astype(float)
        return float(np.sum(fluxes * (enters[:, 0] - enters[:, 1])))

    def outflow(self, fluxes: np.ndarray) -> float:
        """Return the flow into the outlet, of fluxes as `fluxes` returns them."""
        leaves = self.outlet[self.throats].astype(float)
        return float(np.sum(fluxes * (leaves[:, 1] - leaves[:, 0])))

    def to_mesh(self) -> Mesh:
        """Return the network as a mesh of lines, with groups ``inlet`` and ``outlet`` of points."""
        groups = {
            name: Group(0, facets=np.flatnonzero(flags)[:, None])
            for name, flags in (("inlet", self.inlet), ("outlet", self.outlet))
        }
        return Mesh(self.points, {"line": self.throats}, groups)

    @classmethod
    def from_mesh(
        cls,
        mesh: Mesh,
        values: Iterable[Field] = (),
        *,
        length: float | None = None,
        area: float | None = None,
        viscosity: float = WATER,
    ) -> PoreNetwork:
        """Return the network of a mesh of lines in space with groups ``inlet`` and ``outlet``.

        Parameters
        ----------
        mesh : with lines; cells of other types are left aside
        values : scalars at points or cells, which become columns of pores or throats
        length, area : of the sample; by default those of the box around the points, along the axis on which the centres
            of inlet and outlet are farthest apart
        viscosity : in Pa s

        Raises
        ------
        InputError : no lines, no such groups, or anything that makes no network
        """
        blocks = {name: where for name, _, where in mesh.blocks()}
        if "line" not in blocks or mesh.dim != 3:
            raise InputError(f"{mesh!r} is no pore network, expected a mesh of lines between points in 3-D.")
        inlet, outlet = (_points_of(mesh, name) for name in ("inlet", "outlet"))
        lines = blocks["line"]
        scalars = [each for each in values if each.times is None and not each.components]
        if not inlet.any() or not outlet.any():
            raise InputError("the groups inlet and outlet have no points, expected at least one each.")
        along, across = sample_size(mesh.points, inlet, outlet)
        return cls(
            mesh.points,
            mesh.cells["line"],
            inlet,
            outlet,
            length=along if length is None else length,
            area=across if area is None else area,
            viscosity=viscosity,
            pores={each.name: each.values for each in scalars if each.location == "points"},
            columns={each.name: each.values[lines] for each in scalars if each.location == "cells"},
        )

    def __repr__(self) -> str:
        return (
            f"PoreNetwork({self.n_pores} pores, {self.n_throats} throats, inlet {self.inlet.sum()}, "
            f"outlet {self.outlet.sum()}, {self.length:g} m x {self.area:g} m^2)"
        )

    @cached_property
    def _own(self) -> tuple[np.ndarray, float]:
        """The pressures for the column of conductances, which pressures and permeability share, and their error."""
        return self._solved(self.conductances())

    def _solved(self, conductance: np.ndarray | None) -> tuple[np.ndarray, float]:
        if conductance is None:
            return self._own
        return pressures(self.throats, self.conductances(conductance), self.inlet, self.outlet)

    def conductances(self, given: np.ndarray | None = None) -> np.ndarray:
        """Return conductances that are given, or else the column, if all of them are positive."""
        if given is None and "conductance" not in self.columns:
            raise InputError(
                "the network has no column conductance of the throats; give it, or compute it by a law: "
                "law.conductance(network) of sciml.reference.pore_network_laws, or in 'sciml solve' "
                "task.init_args.law=hagen_poiseuille."
            )
        given = self.columns["conductance"] if given is None else given
        conductance = real_array("the conductances", given, shape=(self.n_throats,))
        wrong = np.flatnonzero(conductance <= 0.0)
        if len(wrong):
            raise InputError(
                f"the conductance of throat {wrong[0]} (pores {self.throats[wrong[0]].tolist()}) is "
                f"{conductance[wrong[0]]:g}, expected a positive number."
            )
        return conductance


def random_network(
    tessellation: str,
    n_base: int,
    random: np.random.Generator,
    law: Law = HAGEN_POISEUILLE,
    *,
    length: float = 1e-3,
    clip: str = "network",
    viscosity: float = 1e-5,
) -> PoreNetwork:
    """Return a network drawn as in Park, Choo and Park (2022): a tessellation of a cube, and lognormal pores.

    Pore diameters are lognormal with the median 1e-5 m and the deviation 0.1 of the logarithm, at most 0.9 times a
    distance between centres, so that pores do not overlap. The flow is along x, from the face x = 0 to the opposite
    one.

    Parameters
    ----------
    tessellation : ``delaunay`` or ``voronoi``; see `sciml.reference.pore_network_tessellations`
    n_base : number of random points of the tessellation
    random : generator that all draws come from
    law : draws the throats and gives their conductances, one of `sciml.reference.pore_network_laws.LAWS`
    length : edge of the cube in m; with `length_at_density`, large networks have the statistics of small ones
    clip : ``network`` takes the smallest distance of the whole network for all pores, as the paper does; in a large
        network that makes all pores equal and small. ``pore`` takes for each pore that to its nearest neighbour, so
        that the statistics do not depend on the size
    viscosity : in Pa s

    Raises
    ------
    InputError : an argument, or 20 draws without a connected network of pores that do not overlap

    References
    ----------
    Park, Choo and Park, Convergent Graph Solvers, ICLR 2022, arXiv:2106.01680; OpenPNM 2.8.2, whose generators it uses.
    """
    tessellate = TESSELLATIONS[choice("the tessellation", tessellation, tuple(TESSELLATIONS))]
    largest = CLIPS[choice("clip", clip, tuple(CLIPS))]
    whole_number("the number of base points", n_base, at_least=4)
    positive("the edge of the cube", length)
    for _ in range(TRIES):
        points, throats = tessellate(n_base, random)
        inlet, outlet = (np.abs(points[:, 0] - face) <= FACE for face in (0.0, 1.0))
        network = PoreNetwork(points * length, throats, inlet, outlet, length, length**2, viscosity)
        if components(throats, len(points)).any():  # pores of several components
            continue
        diameter = np.minimum(random.lognormal(np.log(MEDIAN), DEVIATION, network.n_pores), ROOM * largest(network))
        if diameter.min() > FACE * length:
            return law.applied(network.with_columns({"diameter": diameter}), random)
    raise InputError(
        f"{TRIES} draws of {n_base} base points gave no connected network of pores that do not overlap; take another "
        "seed, more points or clip='pore'."
    )


MEDIAN, DEVIATION = 1e-5, 0.1  # of the pore diameters: median in m, standard deviation of the logarithm
ROOM = 0.9  # the largest pore diameter as a part of the distance
FACE = 1e-7  # of the edge of the cube: how near to a face a pore lies on it


def length_at_density(n_base: int, n_base_of_training: int, length_of_training: float = 1e-3) -> float:
    """Return the edge of the cube in which `n_base` points lie as densely as fewer points in a smaller cube."""
    return length_of_training * (n_base / n_base_of_training) ** (1.0 / 3.0)


def sample_size(points: np.ndarray, inlet: np.ndarray, outlet: np.ndarray) -> tuple[float, float]:
    """Return length and cross section of the box around points, along the axis from the inlet to the outlet."""
    axis = int(np.argmax(np.abs(points[outlet].mean(axis=0) - points[inlet].mean(axis=0))))
    extent = np.ptp(points, axis=0)
    return float(extent[axis]), float(np.prod(np.delete(extent, axis)))


def _shortest_of_all(network: PoreNetwork) -> np.ndarray:
    return np.full(network.n_pores, network.distances().min())


def _shortest_of_each(network: PoreNetwork) -> np.ndarray:
    shortest = np.full(network.n_pores, np.inf)
    for end in network.throats.T:
        np.minimum.at(shortest, end, network.distances())
    return shortest


CLIPS = {"network": _shortest_of_all, "pore": _shortest_of_each}


def _flags(name: str, values: object, count: int) -> np.ndarray:
    flags = np.array(values)
    if flags.dtype != bool or flags.shape != (count,):
        raise InputError(
            f"{name} has the type {flags.dtype} and the shape {flags.shape}, expected one boolean for each of "
            f"{count} pores."
        )
    return flags


def _columns(columns: Columns, of: str, count: int) -> Columns:
    checked = {
        name: real_array(f"{name!r} of the {of}", values, shape=(count,)).copy() for name, values in columns.items()
    }
    for values in checked.values():
        values.setflags(write=False)
    return MappingProxyType(checked)


def _points_of(mesh: Mesh, name: str) -> np.ndarray:
    """Return which points belong to a named group, whether its members are points, vertices or other cells."""
    if name not in mesh.groups:
        known = ", ".join(mesh.groups) or "none"
        raise InputError(
            f"the mesh has no group {name!r}, expected groups inlet and outlet, or in a file fields of these names at "
            f"the points, 1 there and 0 elsewhere; it has the groups {known}."
        )
    group, flags = mesh.groups[name], np.zeros(mesh.n_points, bool)
    if group.facets is not None:
        flags[group.facets.ravel()] = True
        return flags
    for _, nodes, where in mesh.blocks():
        inside = (group.members >= where.start) & (group.members < where.stop)
        flags[nodes[group.members[inside] - where.start].ravel()] = True
    return flags
