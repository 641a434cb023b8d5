"""Stratified random positions in [0, 1), and their map into the pieces of a domain.

A domain cut into pieces is the interval [0, total measure): a position on the interval is a piece and a place in it.
Where neighbours on the interval are neighbours in space, equal parts of the interval are compact parts of the domain,
and one point in each integrates smooth functions better than independent points: the variance falls like
n^(-1 - 2/dim) in place of n^(-1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

from sciml.checks import choice, whole_number
from sciml.errors import InputError


class BoundaryPoints(NamedTuple):
    """Points on a boundary with their outward normals.

    Parameters
    ----------
    points : (n, dim)
    normals : (n, dim) of length 1, outward
    """

    points: torch.Tensor
    normals: torch.Tensor


def check_draw(count: int, generator: torch.Generator, kind: str, kinds: Sequence[str]) -> None:
    """Refuse a number of points, a generator or a kind from which no points can be drawn.

    Parameters
    ----------
    count : at least 1
    generator : a torch generator
    kind : one of ``kinds``
    """
    whole_number("the number of points", count, at_least=1)
    if not isinstance(generator, torch.Generator):
        raise InputError(
            f"points are drawn by a torch.Generator, got {type(generator).__name__}; "
            "make one with sciml.numerics.random.generator(seed)."
        )
    choice("the kind of points", kind, kinds)


def uniform(shape: Sequence[int], generator: torch.Generator) -> torch.Tensor:
    """Return independent float64 numbers, uniform in [0, 1), on the device of the generator."""
    return torch.rand(*shape, generator=generator, device=generator.device, dtype=torch.float64)


def positions(count: int, generator: torch.Generator, kind: str) -> torch.Tensor:
    """Return ``count`` positions in [0, 1), each uniform, (count,).

    Parameters
    ----------
    kind : "uniform" independent; "stratified" one in each of ``count`` equal parts, increasing; "shifted" equispaced
        with one random offset, increasing
    """
    if kind == "uniform":
        return uniform([count], generator)
    start = torch.arange(count, device=generator.device, dtype=torch.float64)
    return (start + uniform([count if kind == "stratified" else 1], generator)) / count


def locate(position: torch.Tensor, measures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the piece that each position falls into and how far into it, as a fraction of its measure.

    Parameters
    ----------
    position : (n,) in [0, 1), fractions of the total measure
    measures : (pieces,) > 0

    Returns
    -------
    tuple of Tensor
        (n,) numbers of pieces and (n,) fractions in [0, 1].
    """
    ends = measures.cumsum(0)
    place = position * ends[-1]
    # the bound is for a place that was rounded up to the very end
    piece = torch.searchsorted(ends, place, right=True).clamp(max=len(measures) - 1)
    start = ends[piece] - measures[piece]
    return piece, ((place - start) / measures[piece]).clamp(0.0, 1.0)


def levels(count: int, share: float, children: int) -> int:
    """Return how often a piece of the given share of the total is cut, for no more than one of ``count`` points a part.

    Parameters
    ----------
    count : points in the whole domain
    share : measure of the largest piece over the total
    children : equal parts that one cut makes
    """
    if children < 2:
        return 0
    wanted, parts, level = count * share * (1 - 1e-9), 1, 0
    while parts < wanted:
        parts, level = parts * children, level + 1
    return level


def descend(fraction: torch.Tensor, children: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return which of equal children a fraction of their parent falls into, and the fraction of the child."""
    scaled = fraction * children
    child = scaled.floor().clamp(max=children - 1)
    return child.long(), scaled - child


def in_cube(fraction: torch.Tensor, dim: int, level: int, generator: torch.Generator) -> torch.Tensor:
    """Return points of [0, 1]^dim at fractions of the way along the Z-order curve, (n, dim).

    Parameters
    ----------
    fraction : (n,) in [0, 1], uniform ones give uniform points
    dim : 0 or more
    level : number of halvings of the cube along each axis; inside the smallest cube, the point is random
    """
    if dim == 0:
        return fraction.new_zeros(len(fraction), 0)
    bits = torch.arange(dim, device=fraction.device)
    corner = fraction.new_zeros(len(fraction), dim)
    for depth in range(level):
        child, fraction = descend(fraction, 2**dim)
        corner += ((child[:, None] >> bits) & 1) * 0.5 ** (depth + 1)
    inside = torch.cat([fraction[:, None], uniform([len(fraction), dim - 1], generator)], dim=1)
    return corner + inside * 0.5**level
