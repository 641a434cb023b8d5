"""Incompressible flow in a box by its velocity and pressure, the formulation of the paper.

:mod:`sciml.insr.problems.stream_function` is far more accurate in the plane: there the divergence is zero by
construction, while here it is as small as three fits a step make it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import torch
from torch import Tensor

from sciml.checks import positive
from sciml.domains import BoundaryPoints, Box
from sciml.domains.output_points import mean_points
from sciml.insr.problems.base import Fields, Problem
from sciml.insr.problems.stream_function import WATCHED, largest_divergence
from sciml.numerics.derivatives import Jet
from sciml.reference.incompressible_plane_flows import Flow, taylor_green, two_vortices


class IncompressibleFlow(Problem):
    """A plane flow without viscosity in [-1, 1]^2 with impermeable walls, by its velocity and pressure.

    The fields are ``"velocity"`` and ``"pressure"``, which contains the density and the length of a time step as in the
    paper, and is determined up to a constant.

    Parameters
    ----------
    initial : flow at time 0
    boundary_weight : of the mean over all walls of ``(u . n)^2``, and of ``(dp/dn)^2``; 2 is one for each pair of
        opposite walls, as published
    """

    pictures = ("vorticity", "pressure")

    def __init__(self, initial: Flow, boundary_weight: float = 2.0) -> None:
        positive("the weight of the boundary", boundary_weight)
        self.initial, self.boundary_weight = initial, boundary_weight
        self.domain = Box([-1.0, -1.0], [1.0, 1.0])

    @property
    def fields(self) -> Mapping[str, int]:
        """The channels of velocity and pressure."""
        return {"velocity": 2, "pressure": 1}

    def initial_field(self, name: str, points: Tensor) -> Tensor:
        """Return the velocity at time 0; the pressure is zero."""
        return self.initial.velocity(points) if name == "velocity" else torch.zeros_like(points[:, :1])

    def boundary(self, name: str, at: BoundaryPoints, jet: Jet, time: float) -> Tensor:
        """Return the flow through the wall, or the normal derivative of the pressure."""
        across = jet.value if name == "velocity" else jet.first[..., 0].T
        return (across * at.normals).sum(1, keepdim=True)

    def present(self, fields: Fields, points: Tensor, time: float) -> dict[str, Tensor]:
        """Return velocity, vorticity and pressure."""
        velocity = fields("velocity", points, 1)
        vorticity = velocity.first[0, :, 1:] - velocity.first[1, :, :1]
        return {"velocity": velocity.value, "vorticity": vorticity, "pressure": fields("pressure", points)}

    def quantities(self, fields: Fields, time: float) -> dict[str, float]:
        """Return the energy, and the largest divergence and flow through the walls."""
        walls = self._walls
        return {
            "energy": float(fields("velocity", self._points).square().sum(1).mean()) * self.domain.measure / 2,
            "divergence": largest_divergence(lambda points: fields("velocity", points), self._points[::10]),
            "through_walls": float((fields("velocity", walls.points) * walls.normals).sum(1).abs().max()),
        }

    @cached_property
    def _points(self) -> Tensor:
        return mean_points(self.domain)

    @cached_property
    def _walls(self) -> BoundaryPoints:
        return self.domain.boundary(WATCHED, torch.Generator().manual_seed(0))


class TaylorGreenPrimitive(IncompressibleFlow):
    """The Taylor-Green vortices of the paper, a stationary flow."""

    def __init__(self, boundary_weight: float = 2.0) -> None:
        super().__init__(taylor_green(), boundary_weight)

    def exact_field(self, name: str, points: Tensor, time: float) -> Tensor | None:
        """Return the velocity at time 0, which is stationary."""
        return self.initial.velocity(points) if name == "velocity" else None


class TwoVorticesPrimitive(IncompressibleFlow):
    """The two vortices of the paper, of different size, smoothed.

    The smoothing is that of :func:`~sciml.reference.incompressible_plane_flows.two_vortices`.

    Parameters
    ----------
    taper : half the thickness of the shear layers at the edge of the large cell
    boundary_weight : as in :class:`IncompressibleFlow`
    """

    def __init__(self, taper: float = 0.05, boundary_weight: float = 2.0) -> None:
        super().__init__(two_vortices(taper), boundary_weight)
