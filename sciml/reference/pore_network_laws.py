r"""Laws of pore networks: from the sizes of pores and throats to the conductances of throats.

The names of columns, all in SI units:

===============  ======  ===========================================================================================
column           of      meaning
===============  ======  ===========================================================================================
diameter         both    of the inscribed circle, twice the radius of files in Statoil format
shape_factor     both    G = area / perimeter^2 of the cross section: 0.0796 of a circle, at most 0.0481 of a triangle
length           throat  of the throat itself, between the two pores
pore1_length     throat  of the way through its first pore, from the centre to the throat
pore2_length     throat  of the way through its second pore
conductance      throat  flow at a pressure drop of 1 Pa, in m^3/(Pa s)
===============  ======  ===========================================================================================

A duct of inscribed radius r and shape factor G has the cross section A = r^2 / (4 G), and a flow per gradient of
pressure of c A^2 G / \mu, with c = 0.5 for circles (exact), 0.5623 for squares (nearly exact) and 0.6 for triangles.

References: Mason and Morrow, J. Colloid Interface Sci. 141 (1991) 262-274; Patzek and Silin, J. Colloid Interface Sci.
236 (2001) 295-304; Valvatne and Blunt, Water Resour. Res. 40 (2004) W07406; Gostick et al., Comput. Sci. Eng. 18 (2016)
60-74 (the conduits of OpenPNM).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from sciml.errors import InputError

if TYPE_CHECKING:
    from sciml.reference.pore_networks import PoreNetwork

CIRCLE = 1.0 / (4.0 * np.pi)  # shape factors
SQUARE = 1.0 / 16.0
TRIANGLE = np.sqrt(3.0) / 36.0  # of the equilateral one, the largest of all triangles
ROUNDER_THAN_SQUARE = 0.07  # from this shape factor on, a cross section counts as a circle


class Law(Protocol):
    """The interface of a law: it draws what a network lacks, and gives the conductances."""

    name: str

    def applied(self, network: PoreNetwork, random: np.random.Generator) -> PoreNetwork:
        """Return a network with pore diameters completed by throats and the column ``conductance``."""

    def conductance(self, network: PoreNetwork) -> np.ndarray:
        """Return the conductances of a network that has the columns of the law, (throats,) in m^3/(Pa s)."""


@dataclass(frozen=True)
class HagenPoiseuille:
    r"""Throats as cylinders: k = \pi r^4 / (8 \mu l); pores resist no flow.

    The throat diameter is that of the smaller pore, the length the distance of the centres less the radii.
    """

    name: str = "hagen_poiseuille"

    def applied(self, network: PoreNetwork, random: np.random.Generator) -> PoreNetwork:
        """Return the network with throats and conductances; nothing is drawn."""
        first, second = _pore_diameters(network).T
        length = network.distances() - 0.5 * (first + second)
        return _with_conductance(self, network, {"diameter": np.minimum(first, second), "length": length})

    def conductance(self, network: PoreNetwork) -> np.ndarray:
        """Return the conductances by the columns ``diameter`` and ``length`` of the throats."""
        diameter, length = needed(network.columns, "throats", "diameter", "length")
        return 1.0 / (network.viscosity * cylinder_resistance(diameter, length))


@dataclass(frozen=True)
class Conduits:
    r"""Throats in series with the halves of their pores: cylinders between spheres, as in OpenPNM.

    A throat is a cylinder of radius t, narrower than both pores. From its centre to the throat, a spherical pore of
    radius R is passed over the length l = \sqrt{R^2 - t^2}, with the resistance of slices of circular cross section

        8 \mu / \pi \int_0^l dx / (R^2 - x^2)^2 = 8 \mu / \pi (l / (2 R^2 (R^2 - l^2)) + artanh(l / R) / (2 R^3)).

    Parameters
    ----------
    narrowest, widest : the throat diameter is a uniformly drawn part of that of the smaller pore, between these
    """

    narrowest: float = 0.3
    widest: float = 0.9
    name: str = "conduits"

    def applied(self, network: PoreNetwork, random: np.random.Generator) -> PoreNetwork:
        """Return the network with throats of drawn diameters and their conductances."""
        ends = _pore_diameters(network)
        diameter = ends.min(axis=1) * random.uniform(self.narrowest, self.widest, network.n_throats)
        return _with_conductance(self, network, _spheres_and_cylinders(network, diameter))

    def conductance(self, network: PoreNetwork) -> np.ndarray:
        """Return the conductances by the diameters of pores and throats, and the lengths of the conduits."""
        diameter, length = needed(network.columns, "throats", "diameter", "length")
        resistance = cylinder_resistance(diameter, length)
        (pore,) = needed(network.pores, "pores", "diameter")
        for end, passed in zip(network.throats.T, needed(network.columns, "throats", *PORE_LENGTHS), strict=True):
            resistance = resistance + sphere_resistance(pore[end], passed)
        return 1.0 / (network.viscosity * resistance)


@dataclass(frozen=True)
class ShapeFactors:
    """Pores and throats as ducts in series, whose cross sections are triangles, squares or circles.

    Applied to a random network, throats have drawn diameters as in `Conduits`, and shape factors are drawn like those
    of sandstones: triangles whose shape factors are uniform between bounds, and a few squares and circles.

    Parameters
    ----------
    smallest : shape factor of a triangle that is drawn
    squares, circles : the part of pores and throats that have these cross sections
    """

    smallest: float = 0.01
    squares: float = 0.05
    circles: float = 0.05
    name: str = "shape_factors"

    def applied(self, network: PoreNetwork, random: np.random.Generator) -> PoreNetwork:
        """Return the network with throats of drawn diameters, drawn shape factors, and conductances."""
        ends = _pore_diameters(network)
        diameter = ends.min(axis=1) * random.uniform(0.3, 0.9, network.n_throats)
        drawn = network.with_columns({"shape_factor": self._drawn(network.n_pores, random)})
        columns = _spheres_and_cylinders(network, diameter)
        return _with_conductance(self, drawn, {**columns, "shape_factor": self._drawn(network.n_throats, random)})

    def conductance(self, network: PoreNetwork) -> np.ndarray:
        """Return the conductances by diameters, shape factors and the lengths of the conduits."""
        diameter, shape, length = needed(network.columns, "throats", "diameter", "shape_factor", "length")
        resistance = length / duct(diameter, shape)
        pore_diameter, pore_shape = needed(network.pores, "pores", "diameter", "shape_factor")
        pore = duct(pore_diameter, pore_shape)
        for end, passed in zip(network.throats.T, needed(network.columns, "throats", *PORE_LENGTHS), strict=True):
            resistance = resistance + passed / pore[end]
        return 1.0 / (network.viscosity * resistance)

    def _drawn(self, count: int, random: np.random.Generator) -> np.ndarray:
        shape = random.uniform(self.smallest, TRIANGLE, count)
        kind = random.random(count)
        shape[kind < self.squares + self.circles] = SQUARE
        shape[kind < self.circles] = CIRCLE
        return shape


PORE_LENGTHS = ("pore1_length", "pore2_length")
HAGEN_POISEUILLE, CONDUITS, SHAPE_FACTORS = HagenPoiseuille(), Conduits(), ShapeFactors()
LAWS: dict[str, Law] = {law.name: law for law in (HAGEN_POISEUILLE, CONDUITS, SHAPE_FACTORS)}


def circular(network: PoreNetwork) -> np.ndarray:
    """Return conductances as if all cross sections were circles, by the diameters and lengths of `ShapeFactors`."""
    circles = network.with_columns(
        {"shape_factor": np.full(network.n_pores, CIRCLE)}, {"shape_factor": np.full(network.n_throats, CIRCLE)}
    )
    return SHAPE_FACTORS.conductance(circles)


def duct(diameter: np.ndarray, shape_factor: np.ndarray) -> np.ndarray:
    """Return the flow of a fluid of viscosity 1 through a duct at a pressure gradient of 1, in m^4."""
    factor = np.where(shape_factor <= TRIANGLE, 0.6, np.where(shape_factor < ROUNDER_THAN_SQUARE, 0.5623, 0.5))
    area = (0.5 * diameter) ** 2 / (4.0 * shape_factor)
    return factor * area**2 * shape_factor


def cylinder_resistance(diameter: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Return the pressure drop of a fluid of viscosity 1 at a flow of 1 through a cylinder, in 1/m^3."""
    return 128.0 * length / (np.pi * diameter**4)


def sphere_resistance(diameter: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Return the same of a sphere that is passed from its centre over a length, which is less than its radius."""
    radius = 0.5 * diameter
    integral = length / (2.0 * radius**2 * (radius**2 - length**2)) + np.arctanh(length / radius) / (2.0 * radius**3)
    return 8.0 / np.pi * integral


def needed(columns: Mapping[str, np.ndarray], of: str, *names: str) -> list[np.ndarray]:
    """Return columns by their names, and refuse a network that lacks one."""
    missing = [name for name in names if name not in columns]
    if missing:
        known = ", ".join(columns) or "none"
        raise InputError(
            f"the {of} of the network have no column {missing[0]!r} ({of[:-1]}.{missing[0]} in files), which the law "
            f"needs; it has {known}."
        )
    return [columns[name] for name in names]


def _pore_diameters(network: PoreNetwork) -> np.ndarray:
    """Return the diameters of the two pores of each throat, (throats, 2)."""
    return needed(network.pores, "pores", "diameter")[0][network.throats]


def _spheres_and_cylinders(network: PoreNetwork, diameter: np.ndarray) -> dict[str, np.ndarray]:
    """Return the columns of throats as cylinders of given diameters between spherical pores."""
    ends = _pore_diameters(network)
    passed = 0.5 * np.sqrt(ends**2 - diameter[:, None] ** 2)
    length = network.distances() - passed.sum(axis=1)
    return {"diameter": diameter, "length": length, **dict(zip(PORE_LENGTHS, passed.T, strict=True))}


def _with_conductance(law: Law, network: PoreNetwork, columns: Mapping[str, np.ndarray]) -> PoreNetwork:
    """Return the network with the columns of its throats and their conductances; pores that overlap are refused."""
    overlapping = np.flatnonzero(columns["length"] <= 0.0)
    if len(overlapping):
        throat = overlapping[0]
        raise InputError(
            f"the pores {network.throats[throat].tolist()} overlap: throat {throat} between them has the length "
            f"{columns['length'][throat]:g} m, expected a positive one; make the pores smaller."
        )
    network = network.with_columns(throats=columns)
    return network.with_columns(throats={"conductance": law.conductance(network)})
