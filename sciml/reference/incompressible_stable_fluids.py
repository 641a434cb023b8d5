r"""Stable fluids: flow in a closed rectangular box on a staggered grid, as computer graphics solves it.

Each step carries the velocity along itself by tracing back where it came from, and makes it free of divergence again:

    u* = u^n(X),    X = x - \int u^n along the path of one time step,    u^{n+1} = P u* = u* - grad p,

with closed slip walls. It is stable at any time step. Linear interpolation makes it first order in space and very
dissipative; cubic splines cure that, and what is left is the splitting, of first order in time. The other kind of step,
advection-reflection, projects in the middle of the step and reflects there,

    u^{1/2} = P u*,    u^{n+1} = P (2 u^{1/2} - u*)(X),    u* and X by half a time step each,

and is of second order if both halves follow the velocity of the middle of the step, for which a first u^{1/2}, carried
along u^n, is taken: three projections per step in place of one. Viscosity acts for half a time step before and after,
exactly on the grid, by sines and cosines. Buoyancy, an acceleration b s along y where the density of smoke is s, acts
before each projection: on the step as a whole by the density at its start, on halves by that at its start and at its
end. Smoke that depends on y alone then is at rest to rounding, since the pressure of the grid balances it. This is
what a plain grid can do.

References: Stam, Stable fluids, SIGGRAPH 1999; Harlow and Welch, Physics of Fluids 8 (1965) 2182-2189 (the grid);
Zehnder, Narain and Thomaszewski, An advection-reflection solver for detail-preserving fluid simulation, ACM Trans.
Graph. 37 (2018) no. 85; Narain, Zehnder and Thomaszewski, A second-order advection-reflection solver, Proc. ACM Comput.
Graph. Interact. Tech. 2 (2019) no. 16; Fedkiw, Stam and Jensen, Visual simulation of smoke, SIGGRAPH 2001 (buoyancy).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from scipy.fft import dct, dctn, dst, idct, idctn, idst
from scipy.ndimage import spline_filter

from sciml.checks import choice, number, positive, whole_number
from sciml.errors import InputError

INTERPOLATIONS = ("linear", "cubic")
BACK_TRACES = ("euler", "rk4")
SPLITTINGS = ("projection", "reflection")
# Places of the first value of a field, in cells from the lower corner.
OFFSETS = {"along": np.array([0.0, 0.5]), "across": np.array([0.5, 0.0]), "density": np.array([0.5, 0.5])}


class GridFlow(NamedTuple):
    """A flow on a staggered grid of nx x ny cells.

    Parameters
    ----------
    along : (nx + 1, ny), the x-component on the faces normal to x
    across : (nx, ny + 1), the y-component on the faces normal to y
    density : (nx, ny), a substance that moves with the fluid, at the centres, or None
    """

    along: np.ndarray
    across: np.ndarray
    density: np.ndarray | None = None


@dataclass(frozen=True)
class StableFluids:
    """The method on a grid of a given size.

    Parameters
    ----------
    cells : along each axis, or (nx, ny)
    interpolation : "linear" or "cubic" (splines)
    back_trace : "euler", one step along the velocity of the end, or "rk4"
    splitting : "projection", first order in time, or "reflection", second order
    viscosity : nu >= 0
    buoyancy : b, the acceleration along y for each unit of the density
    box : its bounds along x and along y
    conserve : keep the sum of the density to rounding: what a step loses is shared out in proportion to the distance of
        each value from the largest of the four around its origin, what it gains to that from the least, as far as these
        distances reach. With linear interpolation no value leaves these bounds; where cubic splines overshoot them,
        values stay as they are. After Bermejo and Conde, Monthly Weather Review 130 (2002) 423-430, where other weights
        are used

    Raises
    ------
    InputError
        If a choice is unknown, there are fewer than four cells, the viscosity is negative, or the box is empty.

    Examples
    --------
    >>> from sciml.reference.incompressible_plane_flows import taylor_green
    >>> method = StableFluids(32, "cubic", splitting="reflection")
    >>> flow = method.run(method.start(taylor_green().velocity), 0.05, 20)
    >>> round(float(abs(method.velocity(flow, np.array([[0.0, -0.5]]))[0, 1])), 3)    # 1 / pi: it stands still
    0.318
    """

    cells: int | tuple[int, int]
    interpolation: Literal["linear", "cubic"] = "linear"
    back_trace: Literal["euler", "rk4"] = "rk4"
    splitting: Literal["projection", "reflection"] = "projection"
    viscosity: float = 0.0
    buoyancy: float = 0.0
    box: tuple[tuple[float, float], tuple[float, float]] = ((-1.0, 1.0), (-1.0, 1.0))
    conserve: bool = False

    def __post_init__(self) -> None:
        for name, known in (
            ("interpolation", INTERPOLATIONS),
            ("back_trace", BACK_TRACES),
            ("splitting", SPLITTINGS),
        ):
            choice(name, getattr(self, name), known)
        for count in self.shape:
            whole_number("the number of cells along each axis", count, at_least=4)
        number("the viscosity", self.viscosity, at_least=0)
        number("the buoyancy", self.buoyancy)
        for axis, (lower, upper) in zip("xy", self.box, strict=True):
            number(f"the upper end of the box along {axis}", upper, above=number("its lower end", lower))

    @property
    def shape(self) -> tuple[int, int]:
        """Cells along x and along y."""
        return self.cells if isinstance(self.cells, tuple) else (self.cells, self.cells)

    @property
    def spacing(self) -> tuple[float, float]:
        """Lengths of a cell along x and along y."""
        hx, hy = ((upper - lower) / n for (lower, upper), n in zip(self.box, self.shape, strict=True))
        return hx, hy

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
        """Return the divergence of the velocity in each cell, (nx, ny)."""
        hx, hy = self.spacing
        return np.diff(flow.along, axis=0) / hx + np.diff(flow.across, axis=1) / hy

    def project(self, flow: GridFlow) -> GridFlow:
        """Return the nearest flow without divergence and without flow through the walls, exactly, by cosines."""
        (hx, hy), (waves_x, waves_y) = self.spacing, self._waves
        closed = GridFlow(*(np.array(field, float) for field in flow[:2]), flow.density)
        closed.along[[0, -1]] = 0.0
        closed.across[:, [0, -1]] = 0.0
        negative_laplacian = waves_x[:, None] + waves_y
        negative_laplacian[0, 0] = 1.0  # the pressure is known up to a constant, and the divergence sums to zero
        pressure = idctn(-dctn(self.divergence(closed)) / negative_laplacian)
        closed.along[1:-1] -= np.diff(pressure, axis=0) / hx
        closed.across[:, 1:-1] -= np.diff(pressure, axis=1) / hy
        return closed

    def step(self, flow: GridFlow, time_step: float) -> GridFlow:
        """Return the flow one time step later."""
        half = positive("the time step", time_step) / 2
        flow = self._diffused(flow, half)
        fields = self._extended(flow)
        if self.splitting == "projection":
            moved = self._projected(self._carried(fields, fields, time_step), flow.density, time_step)
            density = self._carried_density(flow, self._extended(moved), time_step)  # as in Stam's paper
        else:
            by = self._extended(self._projected(self._carried(fields, fields, half), flow.density, half))
            pushed = self._pushed(self._carried(fields, by, half), flow.density, half)
            middle = self.project(pushed)
            reflected = GridFlow(2 * middle.along - pushed.along, 2 * middle.across - pushed.across)
            density = self._carried_density(flow, by, time_step)
            moved = self._projected(self._carried(self._extended(reflected), by, half), density, half)
        return self._diffused(moved, half)._replace(density=density)

    def run(self, flow: GridFlow, time_step: float, steps: int) -> GridFlow:
        """Return the flow after a number of steps."""
        for _ in range(steps):
            flow = self.step(flow, time_step)
        return flow

    def velocity(self, flow: GridFlow, points: np.ndarray) -> np.ndarray:
        """Return the velocity (m, 2) at points (m, 2), interpolated as the method does."""
        return np.stack([self._at(flow.along, "along", points), self._at(flow.across, "across", points)], axis=-1)

    def density(self, flow: GridFlow, points: np.ndarray) -> np.ndarray:
        """Return the density (m,) at points (m, 2), interpolated as the method does."""
        if flow.density is None:
            raise InputError("the flow has no density, expected one; pass it to start.")
        return self._at(flow.density, "density", points)

    @property
    def _cubic(self) -> bool | None:
        return True if self.interpolation == "cubic" else None  # as the kernels take it

    @property
    def _waves(self) -> tuple[np.ndarray, np.ndarray]:
        """Eigenvalues of the negative second difference along x and y, of cosines at centres and of sines at faces."""
        along, across = (
            (2.0 - 2.0 * np.cos(np.pi * np.arange(n) / n)) / h**2 for n, h in zip(self.shape, self.spacing, strict=True)
        )
        return along, across

    def _diffused(self, flow: GridFlow, time_step: float) -> GridFlow:
        """Return a velocity after diffusion, zero at the walls it is normal to and without slope at the others."""
        if self.viscosity == 0.0:
            return flow
        decays, fields = [np.exp(-self.viscosity * time_step * waves) for waves in self._waves], []
        for axis, field in enumerate(flow[:2]):
            inner = np.moveaxis(field, axis, 0)[1:-1]
            modes = dct(dst(inner, 1, axis=0), 2, axis=1) * decays[axis][1:, None] * decays[1 - axis]
            fields.append(np.moveaxis(np.pad(idst(idct(modes, 2, axis=1), 1, axis=0), ((1, 1), (0, 0))), 0, axis))
        return GridFlow(*fields, flow.density)

    def _pushed(self, flow: GridFlow, density: np.ndarray | None, time_step: float) -> GridFlow:
        """Return a velocity after the buoyancy of a density has acted for some time, as if there were no pressure."""
        if density is None or self.buoyancy == 0.0:
            return flow
        across = flow.across.copy()
        across[:, 1:-1] += time_step * self.buoyancy / 2 * (density[:, 1:] + density[:, :-1])
        return flow._replace(across=across)

    def _projected(self, flow: GridFlow, density: np.ndarray | None, time_step: float) -> GridFlow:
        return self.project(self._pushed(flow, density, time_step))

    def _places(self, kind: str) -> np.ndarray:
        """Return the points of the values of a field, (m, 2)."""
        counts = self._shape_of(kind)
        axes = (
            lower + (np.arange(count) + offset) * h
            for (lower, _), count, offset, h in zip(self.box, counts, OFFSETS[kind], self.spacing, strict=True)
        )
        return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)

    def _shape_of(self, kind: str) -> tuple[int, int]:
        nx, ny = self.shape
        return nx + (kind == "along"), ny + (kind == "across")

    def _shaped(self, values: np.ndarray, kind: str) -> np.ndarray:
        return np.asarray(values, float).reshape(self._shape_of(kind))

    def _carried(self, fields: GridFlow, by: GridFlow, time_step: float) -> GridFlow:
        """Return a velocity carried along another for some time; both are given with ghosts."""
        along, across = (self._carry(getattr(fields, kind), kind, by, time_step) for kind in ("along", "across"))
        along[[0, -1]] = 0.0
        across[:, [0, -1]] = 0.0
        return GridFlow(along, across)

    def _carried_density(self, flow: GridFlow, by: GridFlow, time_step: float) -> np.ndarray | None:
        """Return the density of a flow carried along a velocity, which is given with ghosts."""
        from sciml.reference.incompressible_staggered_kernels import bounds, with_ghosts

        if flow.density is None:
            return None
        carried = self._carry(self._with_ghosts(flow.density, "density"), "density", by, time_step)
        if not self.conserve:
            return carried
        values = with_ghosts(np.ascontiguousarray(flow.density, float), OFFSETS["density"])
        least, largest = bounds(values, OFFSETS["density"], *self._path(by, time_step))
        lost = flow.density.sum() - carried.sum()
        margin = np.maximum(largest - carried if lost > 0 else carried - least, 0.0)
        total = margin.sum()
        return carried + np.clip(lost / total, -1.0, 1.0) * margin if total > 0 else carried

    def _carry(self, field: np.ndarray, kind: str, by: GridFlow, time_step: float) -> np.ndarray:
        from sciml.reference.incompressible_staggered_kernels import carried

        return carried(field, OFFSETS[kind], *self._path(by, time_step))

    def _path(self, by: GridFlow, time_step: float) -> tuple[np.ndarray, np.ndarray, float, bool | None, bool]:
        """Return what the kernels trace back along: the velocity in cells per unit of time, and how."""
        hx, hy = self.spacing
        return by.along / hx, by.across / hy, time_step, self._cubic, self.back_trace == "euler"

    def _at(self, values: np.ndarray, kind: str, points: np.ndarray) -> np.ndarray:
        from sciml.reference.incompressible_staggered_kernels import values_at

        lower = [bounds[0] for bounds in self.box]
        places = (np.asarray(points, float) - lower) / self.spacing
        return values_at(self._with_ghosts(values, kind), OFFSETS[kind], places, self._cubic)

    def _extended(self, flow: GridFlow) -> GridFlow:
        """Return the velocity as interpolation needs it: values or coefficients, with ghosts behind the walls."""
        return GridFlow(self._with_ghosts(flow.along, "along"), self._with_ghosts(flow.across, "across"))

    def _with_ghosts(self, values: np.ndarray, kind: str) -> np.ndarray:
        from sciml.reference.incompressible_staggered_kernels import with_ghosts

        if self._cubic:
            values = self._spline_coefficients(values, kind)
        return with_ghosts(np.ascontiguousarray(values, float), OFFSETS[kind])

    def _spline_coefficients(self, values: np.ndarray, kind: str) -> np.ndarray:
        """Return the coefficients of a field that is continued by reflection at the walls to a periodic one."""
        periodic = values
        for axis, offset in enumerate(OFFSETS[kind]):
            mirrored = np.flip(periodic, axis)
            if offset == 0.0:  # a velocity normal to the wall changes its sign there; its two ends are on the walls
                mirrored = -mirrored[(slice(None),) * axis + (slice(1, -1),)]
            periodic = np.concatenate([periodic, mirrored], axis=axis)
        rows, columns = values.shape
        return spline_filter(periodic, 3, mode="grid-wrap")[:rows, :columns]
