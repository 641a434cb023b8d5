r"""Stable fluids: flow in the box [-1, 1]^2 on a staggered grid, as computer graphics solves it.

Each step carries the velocity along itself by tracing back where it came from, and makes it free of divergence again:

    u* = u^n(X),    X = x - \int u^n along the path of one time step,    u^{n+1} = P u* = u* - grad p,

with closed slip walls. It is stable at any time step. Linear interpolation makes it first order in space and very
dissipative; cubic splines cure that, and what is left is the splitting, of first order in time. The other kind of step,
advection-reflection, projects in the middle of the step and reflects there,

    u^{1/2} = P u*,    u^{n+1} = P (2 u^{1/2} - u*)(X),    u* and X by half a time step each,

and is of second order if both halves follow the velocity of the middle of the step, for which a first u^{1/2}, carried
along u^n, is taken: three projections per step in place of one. Viscosity acts for half a time step before and after,
exactly on the grid, by sines and cosines. This is what a plain grid can do.

References: Stam, Stable fluids, SIGGRAPH 1999; Harlow and Welch, Physics of Fluids 8 (1965) 2182-2189 (the grid);
Zehnder, Narain and Thomaszewski, An advection-reflection solver for detail-preserving fluid simulation, ACM Trans.
Graph. 37 (2018) no. 85; Narain, Zehnder and Thomaszewski, A second-order advection-reflection solver, Proc. ACM Comput.
Graph. Interact. Tech. 2 (2019) no. 16.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from scipy.fft import dct, dctn, dst, idct, idctn, idst
from scipy.ndimage import map_coordinates, spline_filter

from sciml.checks import choice, number, positive, whole_number
from sciml.errors import InputError

ORDERS = {"linear": 1, "cubic": 3}
BACK_TRACES = ("euler", "rk4")
SPLITTINGS = ("projection", "reflection")


class GridFlow(NamedTuple):
    """A flow on a staggered grid of n x n cells.

    Parameters
    ----------
    along : (n + 1, n), the x-component on the faces normal to x
    across : (n, n + 1), the y-component on the faces normal to y
    density : (n, n), a passive substance at the centres, or None
    """

    along: np.ndarray
    across: np.ndarray
    density: np.ndarray | None = None


@dataclass(frozen=True)
class StableFluids:
    """The method on a grid of a given size.

    Parameters
    ----------
    cells : n, along each axis; a flow has 2 n (n + 1) values
    interpolation : "linear" or "cubic" (splines)
    back_trace : "euler", one step along the velocity of the end, or "rk4"
    splitting : "projection", first order in time, or "reflection", second order
    viscosity : nu >= 0

    Raises
    ------
    InputError
        If a choice is unknown, there are fewer than four cells, or the viscosity is negative.

    Examples
    --------
    >>> from sciml.reference.incompressible_plane_flows import taylor_green
    >>> method = StableFluids(32, "cubic", splitting="reflection")
    >>> flow = method.run(method.start(taylor_green().velocity), 0.05, 20)
    >>> round(float(abs(method.velocity(flow, np.array([[0.0, -0.5]]))[0, 1])), 3)    # 1 / pi: it stands still
    0.318
    """

    cells: int
    interpolation: Literal["linear", "cubic"] = "linear"
    back_trace: Literal["euler", "rk4"] = "rk4"
    splitting: Literal["projection", "reflection"] = "projection"
    viscosity: float = 0.0

    def __post_init__(self) -> None:
        for name, known in (("interpolation", ORDERS), ("back_trace", BACK_TRACES), ("splitting", SPLITTINGS)):
            choice(name, getattr(self, name), known)
        whole_number("the number of cells along each axis", self.cells, at_least=4)
        number("the viscosity", self.viscosity, at_least=0)

    def start(
        self,
        velocity: Callable[[np.ndarray], np.ndarray],
        density: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> GridFlow:
        """Return the flow of a given velocity, projected, and a density.

        Parameters
        ----------
        velocity : (m, 2) at points (m, 2)
        density : (m,) at points (m, 2)
        """
        along, across = (velocity(self._places(kind))[:, axis] for axis, kind in enumerate(("along", "across")))
        substance = None if density is None else self._shaped(density(self._places("density")), "density")
        return self.project(GridFlow(self._shaped(along, "along"), self._shaped(across, "across"), substance))

    def divergence(self, flow: GridFlow) -> np.ndarray:
        """Return the divergence of the velocity in each cell, (n, n)."""
        return (np.diff(flow.along, axis=0) + np.diff(flow.across, axis=1)) * (self.cells / 2)

    def project(self, flow: GridFlow) -> GridFlow:
        """Return the nearest flow without divergence and without flow through the walls, exactly, by cosines."""
        spacing, waves = 2.0 / self.cells, self._waves
        closed = GridFlow(*(np.array(field, float) for field in flow[:2]), flow.density)
        closed.along[[0, -1]] = 0.0
        closed.across[:, [0, -1]] = 0.0
        negative_laplacian = waves[:, None] + waves
        negative_laplacian[0, 0] = 1.0  # the pressure is known up to a constant, and the divergence sums to zero
        pressure = idctn(-dctn(self.divergence(closed)) / negative_laplacian)
        closed.along[1:-1] -= np.diff(pressure, axis=0) / spacing
        closed.across[:, 1:-1] -= np.diff(pressure, axis=1) / spacing
        return closed

    def step(self, flow: GridFlow, time_step: float) -> GridFlow:
        """Return the flow one time step later."""
        positive("the time step", time_step)
        flow = self._diffused(flow, time_step / 2)
        if self.splitting == "projection":
            moved = self.project(self._carried(flow, flow, time_step))
            by = moved  # the density follows the new velocity, as in Stam's paper
        else:
            by = self.project(self._carried(flow, flow, time_step / 2))
            carried = self._carried(flow, by, time_step / 2)
            middle = self.project(carried)
            reflected = GridFlow(2 * middle.along - carried.along, 2 * middle.across - carried.across)
            moved = self.project(self._carried(reflected, by, time_step / 2))
        moved = self._diffused(moved, time_step / 2)
        if flow.density is None:
            return moved
        places = self._origins(by, self._places("density"), time_step)
        return moved._replace(density=self._shaped(self.density(flow, places), "density"))

    def run(self, flow: GridFlow, time_step: float, steps: int) -> GridFlow:
        """Return the flow after a number of steps."""
        for _ in range(steps):
            flow = self.step(flow, time_step)
        return flow

    def velocity(self, flow: GridFlow, points: np.ndarray) -> np.ndarray:
        """Return the velocity (m, 2) at points (m, 2), interpolated as the method does."""
        return self._velocity(flow)(points)

    def density(self, flow: GridFlow, points: np.ndarray) -> np.ndarray:
        """Return the density (m,) at points (m, 2), interpolated as the method does."""
        if flow.density is None:
            raise InputError("the flow has no density, expected one; pass it to start.")
        return self._interpolant(flow.density, "density")(points)

    @property
    def _waves(self) -> np.ndarray:
        """Eigenvalues of the negative second difference, of cosines at the centres and of sines at the faces."""
        return (2.0 - 2.0 * np.cos(np.pi * np.arange(self.cells) / self.cells)) * (self.cells / 2) ** 2

    def _diffused(self, flow: GridFlow, time_step: float) -> GridFlow:
        """Return a velocity after diffusion, zero at the walls it is normal to and without slope at the others."""
        if self.viscosity == 0.0:
            return flow
        decay, fields = np.exp(-self.viscosity * time_step * self._waves), []
        for axis, field in enumerate(flow[:2]):
            inner = np.moveaxis(field, axis, 0)[1:-1]
            modes = dct(dst(inner, 1, axis=0), 2, axis=1) * decay[1:, None] * decay
            fields.append(np.moveaxis(np.pad(idst(idct(modes, 2, axis=1), 1, axis=0), ((1, 1), (0, 0))), 0, axis))
        return GridFlow(*fields, flow.density)

    def _places(self, kind: str) -> np.ndarray:
        faces, centres = np.linspace(-1, 1, self.cells + 1), (np.arange(self.cells) + 0.5) * 2 / self.cells - 1
        axes = (faces if kind == "along" else centres, faces if kind == "across" else centres)
        return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)

    def _shaped(self, values: np.ndarray, kind: str) -> np.ndarray:
        return np.asarray(values, float).reshape(self.cells + (kind == "along"), self.cells + (kind == "across"))

    def _carried(self, carried: GridFlow, by: GridFlow, time_step: float) -> GridFlow:
        """Return a velocity carried along another for some time."""
        fields = []
        for kind in ("along", "across"):
            origins = self._origins(by, self._places(kind), time_step)
            fields.append(self._shaped(self._interpolant(getattr(carried, kind), kind)(origins), kind))
        fields[0][[0, -1]] = 0.0
        fields[1][:, [0, -1]] = 0.0
        return GridFlow(*fields)

    def _origins(self, by: GridFlow, points: np.ndarray, time_step: float) -> np.ndarray:
        velocity = self._velocity(by)
        first = velocity(points)
        if self.back_trace == "euler":
            return np.clip(points - time_step * first, -1.0, 1.0)
        second = velocity(points - time_step / 2 * first)
        third = velocity(points - time_step / 2 * second)
        fourth = velocity(points - time_step * third)
        return np.clip(points - time_step / 6 * (first + 2 * second + 2 * third + fourth), -1.0, 1.0)

    def _velocity(self, flow: GridFlow) -> Callable[[np.ndarray], np.ndarray]:
        components = [self._interpolant(flow.along, "along"), self._interpolant(flow.across, "across")]
        return lambda points: np.stack([component(points) for component in components], axis=-1)

    def _interpolant(self, values: np.ndarray, kind: str) -> Callable[[np.ndarray], np.ndarray]:
        """Interpolate one field, continued by reflection at the walls to a periodic field of 2 n values."""
        staggered = (kind == "along", kind == "across")
        for axis, on_faces in enumerate(staggered):
            mirrored = np.flip(values, axis)
            if on_faces:  # a velocity normal to the wall changes its sign there; its two ends are on the walls
                mirrored = -mirrored[(slice(None),) * axis + (slice(1, -1),)]
            values = np.concatenate([values, mirrored], axis=axis)
        order = ORDERS[self.interpolation]
        weights = spline_filter(values, order, mode="grid-wrap") if order > 1 else values

        def evaluate(points: np.ndarray) -> np.ndarray:
            places = (np.clip(points, -1.0, 1.0) + 1.0) * (self.cells / 2)
            indices = [places[:, axis] - (0.0 if on_faces else 0.5) for axis, on_faces in enumerate(staggered)]
            return map_coordinates(weights, indices, order=order, mode="grid-wrap", prefilter=False)

        return evaluate
