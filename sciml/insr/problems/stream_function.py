r"""Incompressible flow in a box by its stream function: divergence-free and tangential to the walls by construction.

    (u, v) = (\psi_y, -\psi_x),    \omega = v_x - u_y = -\Delta \psi,
    \omega_t + u \omega_x + v \omega_y = \nu \Delta \omega.

The network, inside :class:`~sciml.nets.ansatz.VanishingOnBox`, is \psi; a fit compares \omega. There is no pressure, no
projection, and one fit per step. Walls are free of friction: \psi = \omega = 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import torch
from torch import Tensor
from torch.func import jvp

from sciml.checks import number, positive
from sciml.domains import BoundaryPoints, Box
from sciml.errors import InputError
from sciml.insr.problems.base import Fields, Problem
from sciml.insr.problems.transport import Transport
from sciml.numerics.derivatives import Jet, laplacian
from sciml.reference.incompressible_plane_flows import Flow, sine_flow, taylor_green, two_vortices

PER_AXIS = 64  # middles of cells, for means
WATCHED = 400  # points at which the divergence and the flow through the walls are watched


class Smoke:
    """A passive density ``exp(-|x - centre|^2 / (2 width^2))`` that the flow carries, at time 0.

    Parameters
    ----------
    centre : two coordinates
    width : a positive number
    """

    def __init__(self, centre: Sequence[float] = (-0.5, -0.25), width: float = 0.2) -> None:
        if len(centre) != 2:
            raise InputError(f"the centre of the smoke is {list(centre)}, expected two coordinates.")
        for coordinate in centre:
            number("a coordinate of the centre of the smoke", coordinate)
        positive("the width of the smoke", width)
        self.centre, self.width = tuple(centre), width

    def __call__(self, points: Tensor) -> Tensor:
        """Return the density at points, ``(n, 1)``."""
        square = (points - points.new_tensor(self.centre)).square().sum(1, keepdim=True)
        return torch.exp(-square / (2 * self.width**2))

    def __repr__(self) -> str:
        return f"Smoke(centre={self.centre}, width={self.width:g})"


class StreamFunctionFlow(Problem, Transport):
    """A plane flow in [-1, 1]^2 by its stream function, the field ``"stream"``, and with smoke ``"density"``.

    Parameters
    ----------
    initial : flow at time 0
    viscosity : at least 0
    smoke : a density that the flow carries; none by default
    """

    walls = "reflect"
    active = ("stream",)
    headline = "velocity"

    def __init__(self, initial: Flow, viscosity: float = 0.0, smoke: Smoke | None = None) -> None:
        number("the viscosity", viscosity, at_least=0)
        self.initial, self.viscosity, self.smoke = initial, viscosity, smoke
        self.domain = Box([-1.0, -1.0], [1.0, 1.0])
        self.passive = () if smoke is None else ("density",)

    @property
    def fields(self) -> Mapping[str, int]:
        """The channels of the stream function, and of the density if there is one."""
        return dict.fromkeys((*self.active, *self.passive), 1)

    def initial_field(self, name: str, points: Tensor) -> Tensor:
        """Return the vorticity or the density at time 0."""
        return self.smoke(points) if name == "density" else self.initial.vorticity(points)[:, None]

    def observe(self, name: str, jet: Jet) -> Tensor:
        """Return the vorticity, minus the Laplacian of the stream function; of a density its value."""
        return jet.value if name == "density" else -laplacian(jet)

    def observed_order(self, name: str) -> int:
        """Return 2 for the stream function and 0 for a density."""
        return 0 if name == "density" else 2

    def diffusivity(self, name: str) -> float:
        """Return the viscosity for the vorticity and 0 for a density."""
        return 0.0 if name == "density" else self.viscosity

    def is_odd(self, name: str) -> bool:
        """Return whether the field is the stream function, whose vorticity has odd reflection at the walls."""
        return name == "stream"

    def velocity_at(self, fields: Fields, points: Tensor, time: float = 0.0) -> Tensor:
        """Return the velocity of the stream function, ``(n, 2)``."""
        slopes = fields("stream", points, 1).first
        return torch.cat([slopes[1], -slopes[0]], 1)

    @property
    def pictures(self) -> tuple[str, ...]:
        """The names of the density, if there is one, and of the vorticity."""
        return (*self.passive, "vorticity")

    def present(self, fields: Fields, points: Tensor, time: float) -> dict[str, Tensor]:
        """Return velocity and vorticity, and the density if there is one."""
        shown = {
            "velocity": self.velocity_at(fields, points, time),
            "vorticity": self.observe("stream", fields("stream", points, 2)),
        }
        return shown | {name: fields(name, points) for name in self.passive}

    def quantities(self, fields: Fields, time: float) -> dict[str, float]:
        """Return energy, enstrophy and mass, and divergence and flow through walls, which are zero by construction."""
        jet, half_area = fields("stream", self._points, 2), self.domain.measure / 2
        some, walls = self._points[:: PER_AXIS**2 // WATCHED], self._walls
        watched = {
            "energy": float(jet.first.square().sum(0).mean()) * half_area,
            "enstrophy": float(self.observe("stream", jet).square().mean()) * half_area,
            "divergence": largest_divergence(lambda points: self.velocity_at(fields, points), some),
            "through_walls": float((self.velocity_at(fields, walls.points) * walls.normals).sum(1).abs().max()),
        }
        if self.smoke is not None:
            watched["mass"] = float(fields("density", self._points).mean()) * self.domain.measure
        return watched

    @cached_property
    def _points(self) -> Tensor:
        middles = (torch.arange(PER_AXIS, dtype=torch.float64) + 0.5) * (2 / PER_AXIS) - 1
        return torch.cartesian_prod(middles, middles)

    @cached_property
    def _walls(self) -> BoundaryPoints:
        return self.domain.boundary(WATCHED, torch.Generator().manual_seed(0))


class TaylorGreen(StreamFunctionFlow):
    r"""The Taylor-Green vortices: stationary without viscosity, as in the paper, else decaying as \exp(-2 \nu \pi^2 t).

    u = (sin X cos Y, -cos X sin Y) / \pi at time 0, X = \pi (x + 1), Y = \pi (y + 1).

    Parameters
    ----------
    viscosity : at least 0
    smoke : a density that the flow carries; none by default
    """

    def __init__(self, viscosity: float = 0.0, smoke: Smoke | None = None) -> None:
        super().__init__(taylor_green(), viscosity, smoke)

    def exact_field(self, name: str, points: Tensor, time: float) -> Tensor | None:
        """Return the exact velocity or vorticity; None for a density."""
        decay = math.exp(-2 * self.viscosity * math.pi**2 * time)
        if name == "velocity":
            return decay * self.initial.velocity(points)
        return decay * self.initial.vorticity(points)[:, None] if name == "vorticity" else None


class MultiModeEuler(StreamFunctionFlow):
    r"""A flow of several interacting sine modes, \omega = \sum a sin(k X / 2) sin(l Y / 2), which is not stationary.

    Parameters
    ----------
    modes : (k, l, a) with whole numbers k, l >= 1
    viscosity : at least 0
    smoke : a density that the flow carries; none by default
    """

    def __init__(
        self,
        modes: Sequence[Sequence[float]] = ((2, 2, 2.0), (1, 1, 1.2), (1, 2, 0.6), (3, 2, 0.4)),
        viscosity: float = 0.0,
        smoke: Smoke | None = None,
    ) -> None:
        if any(len(mode) != 3 for mode in modes):
            raise InputError(f"the modes are {[*map(list, modes)]}, expected (k, l, amplitude) for each.")
        super().__init__(sine_flow(*(tuple(mode) for mode in modes)), viscosity, smoke)


class TwoVortices(StreamFunctionFlow):
    """Two vortices, a Taylor-Green cell in one corner and one of a quarter of its size in the other, both of speed 1.

    Parameters
    ----------
    taper : half the thickness of the shear layers at the edge of the large cell
    viscosity : at least 0
    smoke : a density that the flow carries; none by default
    """

    def __init__(self, taper: float = 0.05, viscosity: float = 0.0, smoke: Smoke | None = None) -> None:
        super().__init__(two_vortices(taper), viscosity, smoke)


def largest_divergence(velocity: Callable[[Tensor], Tensor], points: Tensor) -> float:
    """Return the largest absolute divergence of a velocity ``(n, dim)`` at points, by automatic differentiation."""
    total = points.new_zeros(len(points))
    for axis in range(points.shape[1]):
        along = torch.zeros_like(points)
        along[:, axis] = 1.0
        total = total + jvp(velocity, (points,), (along,))[1][:, axis]
    return float(total.abs().max())
