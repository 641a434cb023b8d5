r"""Incompressible plane flow on triangles with linear velocities and pressures, by a split of each step in three.

For du/dt + (u . grad) u = nu \Delta u - grad p, div u = 0, one step from u, p at time t to t + dt is

    M (u* - u) = dt [ -\int (N + dt/2 u . grad N) (u . grad u + grad p) - nu \int grad N . grad u ],
    \int grad N . grad q = -1/dt \int N div u* - \int grad N . (grad p - g),    g = M_L^-1 \int N grad p,
    u = u* - dt M_L^-1 \int N grad q,    p = p + q,

the characteristic-based split in its incremental form. The term with dt/2 follows the characteristics and damps what
would oscillate along them. The difference of the gradient of p and its mean g around each point keeps pressures of the
same order as velocities from oscillating; it vanishes with the square of the size of the triangles. M is inverted by
three sweeps with the lumped mass M_L. The Laplacian is factorised once, whatever the time step is. Boundaries without a
given velocity have a given pressure of 0 and no viscous stress.

References: Zienkiewicz, Nithiarasu, Codina, Vázquez and Ortiz, The characteristic-based-split procedure, International
Journal for Numerical Methods in Fluids 31 (1999), 359-392; Codina, Pressure stability in fractional step finite element
methods for incompressible flows, Journal of Computational Physics 170 (2001), 112-140.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import SuperLU, splu

from sciml.checks import boolean_array, number, real_array
from sciml.errors import DivergenceError, InputError
from sciml.mesh import Mesh
from sciml.reference.incompressible_triangle_kernels import (
    divergence,
    fastest_rate,
    gradient,
    mass_times,
    momentum,
    roughness,
)

COURANT = 0.5  # of a step that is chosen; steps are stable up to about 0.7
DIFFUSIVE = 0.3  # of the limit of explicit diffusion with a lumped mass
SWEEPS = 2  # after the first, for the consistent mass


@dataclass(frozen=True, eq=False)
class TriangleFlow:
    """A flow at one time on the points of a mesh.

    Parameters
    ----------
    velocity : (points, 2) in m/s
    pressure : (points,) over the density, in m^2/s^2
    time : in s
    """

    velocity: np.ndarray
    pressure: np.ndarray
    time: float = 0.0


@dataclass(frozen=True, eq=False)
class TriangleSplit:
    """The method on a mesh with given velocities at some points and zero pressure at others.

    Parameters
    ----------
    mesh : of triangles in the plane
    viscosity : nu, in m^2/s
    fixed : (points,) where the velocity keeps its value
    zero_pressure : (points,) where the pressure is 0: at the outlet, or at one point if all velocities there are given
    """

    mesh: Mesh
    viscosity: float
    fixed: np.ndarray
    zero_pressure: np.ndarray

    def __post_init__(self) -> None:
        if self.mesh.dim != 2 or "triangle" not in self.mesh.cells:
            raise InputError(f"a plane flow needs a mesh of triangles in the plane, got {self.mesh!r}.")
        number("the viscosity", self.viscosity, at_least=0)
        for name, flags in (("fixed velocities", self.fixed), ("zero pressures", self.zero_pressure)):
            boolean_array(f"the points with {name}", flags, shape=(self.mesh.n_points,))
        if not self.zero_pressure.any():
            raise InputError("the pressure is zero nowhere, expected one point at least where it is; give an outlet.")

    @cached_property
    def triangles(self) -> np.ndarray:
        """The point numbers of the triangles, (cells, 3)."""
        return np.ascontiguousarray(self.mesh.cells["triangle"], np.int32)

    @cached_property
    def gradients(self) -> np.ndarray:
        """The gradients of the barycentric coordinates, (cells, 3, 2)."""
        corners = self.mesh.points[self.triangles]
        opposite = np.roll(corners, -2, axis=1) - np.roll(corners, -1, axis=1)  # the side opposite each corner
        turned = np.stack([-opposite[..., 1], opposite[..., 0]], axis=-1)
        return np.ascontiguousarray(turned / (2.0 * self._signed_areas[:, None, None]))

    @cached_property
    def _signed_areas(self) -> np.ndarray:
        corners = self.mesh.points[self.triangles]
        (ax, ay), (bx, by) = (corners[:, 1] - corners[:, 0]).T, (corners[:, 2] - corners[:, 0]).T
        return (ax * by - ay * bx) / 2

    @cached_property
    def areas(self) -> np.ndarray:
        """The areas of the triangles, (cells,)."""
        return np.abs(self._signed_areas)

    @cached_property
    def lumped(self) -> np.ndarray:
        """The lumped mass of every point, a third of the areas around it, (points, 1)."""
        weights = np.repeat(self.areas / 3.0, 3)
        return np.bincount(self.triangles.ravel(), weights, self.mesh.n_points)[:, None]

    @cached_property
    def stiffness(self) -> sp.csc_matrix:
        """The matrix of ``int grad N_i . grad N_j``."""
        local = self.areas[:, None, None] * (self.gradients @ self.gradients.transpose(0, 2, 1))
        rows, columns = np.repeat(self.triangles, 3, axis=1), np.tile(self.triangles, (1, 3))
        count = self.mesh.n_points
        return sp.csc_matrix((local.ravel(), (rows.ravel(), columns.ravel())), shape=(count, count))

    @cached_property
    def _factors(self) -> SuperLU:
        free = np.flatnonzero(~self.zero_pressure)
        options = {"SymmetricMode": True}
        matrix = self.stiffness[free][:, free].tocsc()
        return splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options)

    @cached_property
    def _movable(self) -> np.ndarray:
        return (~self.fixed).astype(float)[:, None]

    @cached_property
    def _diffusive_rate(self) -> float:
        return float(self.viscosity * (self.stiffness.diagonal() / self.lumped[:, 0]).max() / DIFFUSIVE)

    def longest_step(self, flow: TriangleFlow) -> float:
        """Return the time step at which a flow has half the velocity of one height of a triangle per step.

        Parameters
        ----------
        flow : at the beginning of the step

        Raises
        ------
        DivergenceError
            If its velocity is not finite.
        """
        rate = fastest_rate(self.triangles, self.gradients, flow.velocity)
        if not np.isfinite(rate):
            raise DivergenceError(
                f"the velocity is not finite at time {flow.time:g}, expected finite numbers; take smaller cells or a "
                "larger viscosity."
            )
        return 1.0 / max(rate / COURANT + self._diffusive_rate, 1e-300)

    def step(self, flow: TriangleFlow, time_step: float) -> TriangleFlow:
        """Return a flow one time step later.

        Parameters
        ----------
        flow : to start from
        time_step : in s, not checked against `longest_step`
        """
        rates = momentum(
            self.triangles, self.areas, self.gradients, flow.velocity, flow.pressure, self.viscosity, time_step
        )
        velocity = flow.velocity + time_step * self._movable * self._over_mass(rates * self._movable)
        return self._projected(TriangleFlow(velocity, flow.pressure, flow.time + time_step), time_step)

    def project(self, flow: TriangleFlow) -> TriangleFlow:
        """Return a flow whose velocity lost its weak divergence but for the order of the method, at the same pressure.

        Parameters
        ----------
        flow : with the given velocities at the points where they are fixed
        """
        still = TriangleFlow(flow.velocity, np.zeros(self.mesh.n_points), flow.time)
        return TriangleFlow(self._projected(still, 1.0).velocity, flow.pressure, flow.time)

    def _projected(self, flow: TriangleFlow, time_step: float) -> TriangleFlow:
        cells = self.triangles, self.areas, self.gradients
        source = -divergence(*cells, flow.velocity) / time_step
        source -= roughness(*cells, flow.pressure, gradient(*cells, flow.pressure) / self.lumped)
        increment = np.zeros(len(source))
        increment[~self.zero_pressure] = self._factors.solve(source[~self.zero_pressure])
        push = gradient(*cells, increment) / self.lumped
        velocity = flow.velocity - time_step * self._movable * push
        return TriangleFlow(velocity, flow.pressure + increment, flow.time)

    def _over_mass(self, values: np.ndarray) -> np.ndarray:
        """Return values divided by the consistent mass matrix, nearly."""
        result = values / self.lumped
        for _ in range(SWEEPS):
            result = result + (values - mass_times(self.triangles, self.areas, result)) / self.lumped
        return result

    def advanced(self, flow: TriangleFlow, duration: float) -> TriangleFlow:
        """Return a flow some time later, by time steps that are chosen.

        Parameters
        ----------
        flow : to start from
        duration : in s
        """
        end = flow.time + number("the duration", duration, at_least=0)
        while flow.time < end:
            flow = self.next(flow, end)
        return flow

    def next(self, flow: TriangleFlow, end: float) -> TriangleFlow:
        """Return a flow one step later, as long as is stable and as divides the time that is left into equal steps.

        Parameters
        ----------
        flow : to start from
        end : time that is not to be passed, and is met exactly
        """
        left = end - flow.time
        count = max(int(np.ceil(left / self.longest_step(flow) - 1e-9)), 1)
        after = self.step(flow, left / count)
        return after if count > 1 else TriangleFlow(after.velocity, after.pressure, end)

    def force(self, before: TriangleFlow, after: TriangleFlow, points: np.ndarray) -> np.ndarray:
        r"""Return the force of the flow on a body over the density, (2,), by the residual at the points of the body.

        It is ``-\int N (du/dt + u . grad u) - nu \int grad N . grad u + \int p grad N``, summed over these points,
        which is the integral of the stress over the boundary of the body.

        Parameters
        ----------
        before, after : flows at the beginning and the end of a step
        points : (points,) flags of those on the body
        """
        nothing = np.zeros(self.mesh.n_points)
        rates = momentum(self.triangles, self.areas, self.gradients, after.velocity, nothing, self.viscosity, 0.0)
        change = (after.velocity - before.velocity) / (after.time - before.time)
        rates -= mass_times(self.triangles, self.areas, change)
        weights = (self.areas * after.pressure[self.triangles].mean(axis=1))[:, None, None] * self.gradients
        on_body = points[self.triangles]
        return rates[points].sum(axis=0) + weights[on_body].sum(axis=0)


def check_start(flow: TriangleFlow, mesh: Mesh) -> TriangleFlow:
    """Return a flow as float64 arrays that fit a mesh.

    Parameters
    ----------
    flow : given by a user
    mesh : that it should be on
    """
    velocity = real_array("the velocity", flow.velocity, shape=(mesh.n_points, 2)).astype(float)
    pressure = real_array("the pressure", flow.pressure, shape=(mesh.n_points,)).astype(float)
    return TriangleFlow(velocity, pressure, flow.time)
