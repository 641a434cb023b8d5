"""Boxes cut out of a pore network, as samples of a rock: flow along one axis, closed sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sciml.checks import real_array, whole_number
from sciml.errors import InputError
from sciml.reference.pore_networks import PoreNetwork


def cut_box(network: PoreNetwork, lower: Sequence[float], upper: Sequence[float], axis: int = 0) -> PoreNetwork:
    """Return the part of a network in a box, with flow along an axis, trimmed to what connects inlet and outlet.

    Pores strictly inside belong to the box, and so do the pores beyond its two faces across the axis to which their
    throats lead: these are inlet and outlet. Throats through the other four faces are cut off.

    Parameters
    ----------
    network : any; its own inlet and outlet become ordinary pores
    lower, upper : (3,) corners of the box in m
    axis : of the flow, 0 to 2; the inlet is at the lower face

    Raises
    ------
    InputError : a box without volume, or without a path from inlet to outlet
    """
    whole_number("the axis of the flow", axis, at_least=0, at_most=2)
    lower, upper = (real_array("a corner of the box", corner, shape=(3,)) for corner in (lower, upper))
    if not (lower < upper).all():
        raise InputError(f"the box from {lower.tolist()} to {upper.tolist()} has no volume, expected lower < upper.")
    inside = ((network.points > lower) & (network.points < upper)).all(axis=1)
    ends = network.throats
    leads_inside = np.zeros(network.n_pores, bool)
    for end, other in (ends.T, ends.T[::-1]):
        leads_inside[end[inside[other]]] = True
    beyond = leads_inside & ~inside
    inlet, outlet = beyond & (network.points[:, axis] <= lower[axis]), beyond & (network.points[:, axis] >= upper[axis])
    if not inlet.any() or not outlet.any():
        raise InputError(
            f"no throats lead through both faces of the box from {lower.tolist()} to {upper.tolist()} across axis "
            f"{axis}; make it larger."
        )
    size = upper - lower
    box = replace(
        network,
        throats=ends[inside[ends].any(axis=1)],
        columns={name: values[inside[ends].any(axis=1)] for name, values in network.columns.items()},
        inlet=inlet,
        outlet=outlet,
        length=float(size[axis]),
        area=float(np.prod(np.delete(size, axis))),
    )
    return box.part(inside | inlet | outlet).trimmed()[0]


def random_box(
    network: PoreNetwork,
    lower: Sequence[float],
    upper: Sequence[float],
    edges: tuple[float, float],
    random: np.random.Generator,
) -> PoreNetwork:
    """Return a cube cut at a random place out of a part of a network, with flow along a random axis.

    Parameters
    ----------
    network : any
    lower, upper : (3,) corners of the part in m, that the cube lies in
    edges : smallest and largest edge of the cube in m, drawn uniformly
    random : generator that all draws come from

    Raises
    ------
    InputError : 20 draws without a path from inlet to outlet
    """
    lower, upper = np.asarray(lower, float), np.asarray(upper, float)
    for _ in range(TRIES):
        edge, axis = random.uniform(*edges), int(random.integers(3))
        corner = lower + random.random(3) * (upper - lower - edge)
        try:
            return cut_box(network, corner, corner + edge, axis)
        except InputError:
            continue
    raise InputError(f"{TRIES} boxes of edges from {edges[0]:g} to {edges[1]:g} m have no flow; make them larger.")


TRIES = 20
