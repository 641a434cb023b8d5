"""Scalar problems: advection in any dimension, the heat equation, and Burgers' equation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from sciml.checks import number, positive, whole_number
from sciml.domains import BoundaryPoints, Box, Domain
from sciml.domains.output_points import mean_points
from sciml.errors import InputError
from sciml.insr.problems.base import EvolutionProblem, Fields
from sciml.insr.problems.transport import Transport
from sciml.numerics.derivatives import Jet, laplacian


class Advection(EvolutionProblem, Transport):
    """Advection of a Gaussian pulse in a box of any dimension, ``u_t + velocity . grad u = 0``.

    ``u(x, 0) = exp(-|x - centre|^2 / (2 dim width^2))``, as in the paper.

    Parameters
    ----------
    velocity : one component per dimension
    lower, upper : of the box along every axis
    centre : of the pulse along every axis
    width : of the pulse in one dimension; it grows with ``sqrt(dim)``
    boundary : ``"periodic"``; ``"zero"``, u = 0 on all faces, as published; or ``"inflow"``, the exact solution in
        free space where the flow enters, and no condition where it leaves
    boundary_weight : of the mean square of that condition

    References
    ----------
    Chen et al., "Implicit neural spatial representations for time-dependent PDEs", ICML 2023, section
    5.1: the defaults.
    """

    linear = True
    passive = ("u",)

    def __init__(
        self,
        velocity: Sequence[float] = (0.25,),
        lower: float = -2.0,
        upper: float = 2.0,
        centre: float = -1.5,
        width: float = 0.1,
        boundary: Literal["periodic", "zero", "inflow"] = "periodic",
        boundary_weight: float = 0.01,
    ) -> None:
        if boundary not in ("periodic", "zero", "inflow"):
            raise InputError(f"there is no boundary {boundary!r} of advection, expected periodic, zero or inflow.")
        for component in velocity:
            number("a component of the velocity", component)
        if not any(velocity):
            raise InputError(f"the velocity is {list(velocity)}, expected one number per dimension, not all 0.")
        number("the centre of the pulse", centre)
        positive("the width of the pulse", width)
        number("the weight of the boundary", boundary_weight, at_least=0)
        dim, self.periodic, self.inflow = len(velocity), boundary == "periodic", boundary == "inflow"
        self.domain = Box([lower] * dim, [upper] * dim, self.periodic)
        self.velocity, self.centre, self.width = tuple(velocity), centre, width * math.sqrt(dim)
        self.boundary_weight = boundary_weight
        self._length = upper - lower

    def initial(self, points: Tensor) -> Tensor:
        """Return the pulse at time 0."""
        return self.exact(points, 0.0)

    def exact(self, points: Tensor, time: float) -> Tensor:
        """Return the translated pulse; in a periodic box its nearest image."""
        distance = points - self.centre - time * points.new_tensor(self.velocity)
        if self.periodic:
            distance = distance - self._length * torch.round(distance / self._length)
        return torch.exp(-distance.square().sum(1, keepdim=True) / (2 * self.width**2))

    def propose(self, name: str, count: int, generator: torch.Generator) -> Tensor:
        """Return points around the pulse, which uniform points would miss in many dimensions."""
        normal = torch.randn(count, self.domain.dim, generator=generator, device=generator.device, dtype=torch.float64)
        return self.centre + 2 * self.width * normal

    def directions(self, points: Tensor) -> Tensor:
        """Return the direction of transport, along which derivatives cost the same in every dimension."""
        return points.new_tensor([self.velocity])

    def velocity_at(self, fields: Fields, points: Tensor, time: float) -> Tensor:
        """Return the velocity, which is constant."""
        return points.new_tensor(self.velocity).expand_as(points)

    def rate(self, points: Tensor, u: Jet, time: float) -> Tensor:
        """Return minus the derivative along the velocity."""
        return -u.first[0]

    def rate_of_rate(self, points: Tensor, u: Jet) -> Tensor:
        """Return the second derivative along the velocity."""
        return u.second[0]

    def on_boundary(self, at: BoundaryPoints, u: Jet, time: float) -> Tensor | None:
        """Return ``u``, or at an inflow its difference from the exact solution."""
        if self.periodic or not self.inflow:
            return None if self.periodic else u.value
        enters = at.normals @ at.normals.new_tensor(self.velocity) < 0
        return torch.where(enters[:, None], u.value - self.exact(at.points, time), 0.0)

    def quantities(self, fields: Fields, time: float) -> dict[str, float]:
        """Return the mass, the integral of ``u``."""
        return {"mass": float(fields("u", self._points).mean()) * self.domain.measure}

    @cached_property
    def _points(self) -> Tensor:
        return mean_points(self.domain)


class Heat(EvolutionProblem):
    """The heat equation ``u_t = diffusivity * Laplace u`` in a box with ``u = 0`` on its faces.

    The initial condition is an eigenfunction, ``u(x, 0) = prod sin(modes_i pi (x_i - lower_i) / L_i)``, which decays
    as ``exp(-diffusivity |k|^2 t)``.

    Parameters
    ----------
    lower, upper : corners of the box
    diffusivity : a positive number
    modes : number of half periods of the sine along each axis
    boundary_weight : of the mean square of the boundary condition; without effect where the network satisfies it
    """

    order = 2
    linear = True

    def __init__(
        self,
        lower: Sequence[float] = (-1.0,),
        upper: Sequence[float] = (1.0,),
        diffusivity: float = 0.1,
        modes: Sequence[int] | None = None,
        boundary_weight: float = 1.0,
    ) -> None:
        positive("the diffusivity", diffusivity)
        number("the weight of the boundary", boundary_weight, at_least=0)
        self.domain: Domain = Box(lower, upper)
        self.modes = tuple(modes) if modes is not None else (1,) * len(lower)
        if len(self.modes) != len(lower):
            raise InputError(f"the modes are {list(self.modes)}, expected a positive whole number for each axis.")
        for mode in self.modes:
            whole_number("the number of half periods", mode, at_least=1)
        self.diffusivity, self.boundary_weight = diffusivity, boundary_weight
        sides = [high - low for low, high in zip(lower, upper, strict=True)]
        self._wavenumbers = [mode * math.pi / side for mode, side in zip(self.modes, sides, strict=True)]
        self._lower = list(lower)

    def initial(self, points: Tensor) -> Tensor:
        """Return the eigenfunction at time 0."""
        return self.exact(points, 0.0)

    def exact(self, points: Tensor, time: float) -> Tensor:
        """Return the eigenfunction with the amplitude of the given time."""
        wavenumbers = points.new_tensor(self._wavenumbers)
        shape = torch.sin(wavenumbers * (points - points.new_tensor(self._lower))).prod(1, keepdim=True)
        return shape * math.exp(-self.diffusivity * time * sum(k**2 for k in self._wavenumbers))

    def rate(self, points: Tensor, u: Jet, time: float) -> Tensor:
        """Return the diffusivity times the Laplacian."""
        return self.diffusivity * laplacian(u)

    def on_boundary(self, at: BoundaryPoints, u: Jet, time: float) -> Tensor:
        """Return ``u``, which is zero on the boundary."""
        return u.value


class PeriodicBurgers(EvolutionProblem):
    """Burgers' equation ``u_t + u u_x = viscosity * u_xx`` on the periodic interval [0, 2 pi].

    The initial condition is ``sin x + cos(2 x) / 2``.

    Parameters
    ----------
    viscosity : a positive number
    """

    order = 2

    def __init__(self, viscosity: float = 0.05) -> None:
        positive("the viscosity", viscosity)
        self.viscosity = viscosity
        self.domain = Box([0.0], [2 * math.pi], True)

    def initial(self, points: Tensor) -> Tensor:
        """Return the sum of two Fourier modes."""
        return torch.sin(points) + torch.cos(2 * points) / 2

    def rate(self, points: Tensor, u: Jet, time: float) -> Tensor:
        """Return the diffusion minus the convection."""
        return self.viscosity * u.second[0] - u.value * u.first[0]

    def quantities(self, fields: Fields, time: float) -> dict[str, float]:
        """Return the mass, which is conserved, and the energy, which decreases."""
        u = fields("u", self._points)
        return {"mass": float(u.mean()) * self.domain.measure, "energy": float(u.square().mean()) / 2}

    @cached_property
    def _points(self) -> Tensor:
        return mean_points(self.domain)
