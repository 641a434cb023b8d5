r"""Laminar flow through a channel around an obstacle: its development, its frames, drag, lift and shedding frequency.

The velocity at the inlet is the parabola 4 U y (H - y) / H^2 with the peak U; walls and obstacle hold the fluid, and
the pressure at the outlet is 0. The Reynolds number is ``Re = U_m D / nu`` with the mean velocity U_m = 2 U / 3 and the
width D of the obstacle across the channel; of a circle it sheds vortices above 48 to 54. The method is that of
`sciml.reference.incompressible_triangles`.

Reference: Schäfer and Turek, Benchmark computations of laminar flow around a cylinder, Notes on Numerical Fluid
Mechanics 52 (1996), 547-566: case 2D-2 has a Strouhal number of 0.295 to 0.305, a largest drag coefficient of 3.22 to
3.24 and a largest lift coefficient of 0.99 to 1.01.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sciml.checks import number, positive, whole_number
from sciml.errors import InputError
from sciml.mesh import Mesh
from sciml.reference.incompressible_triangles import TriangleFlow, TriangleSplit, check_start

SIDES = ("inlet", "outlet", "wall", "obstacle")  # groups of the mesh
BEHIND = 1.0  # widths of the obstacle, the place of the perturbation behind its centre
REACH = 0.5  # widths of the obstacle, its size


@dataclass(frozen=True, eq=False)
class Forces:
    """Drag and lift at the times after each step.

    Parameters
    ----------
    times : (steps,) in s
    drag, lift : (steps,) coefficients 2 F / (U_m^2 D)
    """

    times: np.ndarray
    drag: np.ndarray
    lift: np.ndarray

    @property
    def frequency(self) -> float:
        """The frequency of the lift in 1/s, from where it rises through its mean; nan with less than two such times."""
        lift = self.lift - self.lift.mean()
        rises = np.flatnonzero((lift[:-1] < 0) & (lift[1:] >= 0))
        if len(rises) < 2:
            return float("nan")
        part = lift[rises] / (lift[rises] - lift[rises + 1])
        crossings = self.times[rises] + part * (self.times[rises + 1] - self.times[rises])
        return float((len(crossings) - 1) / (crossings[-1] - crossings[0]))


@dataclass(frozen=True, eq=False)
class ChannelFlow:
    """The flow through a channel on a mesh of `sciml.mesh.make_channel`, or another with the same groups.

    Parameters
    ----------
    mesh : of triangles, with the groups inlet, outlet, wall and obstacle; from x at the inlet to x at the outlet
    peak_velocity : U at the middle of the inlet, in m/s
    viscosity : nu, in m^2/s

    Raises
    ------
    InputError
        For a mesh without these groups or of other cells, or numbers that are not positive.

    Examples
    --------
    >>> from sciml.mesh import make_channel
    >>> from sciml.mesh.obstacles import Circle
    >>> flow = ChannelFlow(make_channel(Circle((0.3, 0.2), 0.06), 0.8, size=0.02, growth=0.2), peak_velocity=0.3)
    >>> round(flow.reynolds)
    24
    >>> later = flow.advanced(flow.start(), 0.2)
    >>> later.time, later.velocity.shape == flow.mesh.points.shape
    (0.2, True)
    """

    mesh: Mesh
    peak_velocity: float
    viscosity: float = 1e-3

    def __post_init__(self) -> None:
        positive("the peak velocity", self.peak_velocity)
        positive("the viscosity", self.viscosity)
        missing = [name for name in SIDES if name not in self.mesh.groups or self.mesh.groups[name].facets is None]
        if missing:
            raise InputError(
                f"the mesh lacks the boundary groups {', '.join(missing)}, expected {', '.join(SIDES)}; "
                "`sciml mesh make channel` makes one that has them."
            )

    def points_of(self, side: str) -> np.ndarray:
        """Return which points are on one side, (points,).

        Parameters
        ----------
        side : inlet, outlet, wall or obstacle
        """
        flags = np.zeros(self.mesh.n_points, bool)
        flags[np.asarray(self.mesh.groups[side].facets).ravel()] = True
        return flags

    @cached_property
    def obstacle(self) -> np.ndarray:
        """Which points are on the obstacle, (points,)."""
        return self.points_of("obstacle")

    @cached_property
    def method(self) -> TriangleSplit:
        """The solver with the boundary conditions of the channel."""
        held = self.points_of("wall") | self.obstacle
        return TriangleSplit(self.mesh, self.viscosity, held | self.points_of("inlet"), self.points_of("outlet"))

    @cached_property
    def width(self) -> float:
        """The width D of the obstacle across the channel, in m."""
        return float(np.ptp(self.mesh.points[self.obstacle, 1]))

    @property
    def mean_velocity(self) -> float:
        """The mean velocity U_m at the inlet, in m/s."""
        return 2.0 * self.peak_velocity / 3.0

    @property
    def reynolds(self) -> float:
        """The Reynolds number U_m D / nu."""
        return self.mean_velocity * self.width / self.viscosity

    def inflow(self) -> np.ndarray:
        """Return the parabola at the height of every point, (points,), in m/s."""
        y = self.mesh.points[:, 1]
        lower, upper = y[self.points_of("inlet")].min(), y[self.points_of("inlet")].max()
        return 4.0 * self.peak_velocity * (y - lower) * (upper - y) / (upper - lower) ** 2

    def start(self, perturbation: float = 0.0) -> TriangleFlow:
        """Return the parabola everywhere but on the walls and the obstacle, free of divergence, at time 0.

        Parameters
        ----------
        perturbation : largest velocity across the channel that is added behind the obstacle, over the peak velocity;
            its sign chooses the side of the first vortex
        """
        number("the perturbation", perturbation, at_least=-1, at_most=1)
        held = self.points_of("wall") | self.obstacle
        velocity = np.column_stack([np.where(held, 0.0, self.inflow()), np.zeros(self.mesh.n_points)])
        body = self.mesh.points[self.obstacle]
        place = (body.min(axis=0) + body.max(axis=0)) / 2 + [BEHIND * self.width, 0.0]
        distance = np.hypot(*(self.mesh.points - place).T) / (REACH * self.width)
        bump = perturbation * self.peak_velocity * np.exp(-(distance**2))
        velocity[:, 1] = np.where(self.method.fixed, 0.0, bump)
        return self.method.project(TriangleFlow(velocity, np.zeros(self.mesh.n_points)))

    def advanced(self, flow: TriangleFlow, duration: float) -> TriangleFlow:
        """Return a flow some time later.

        Parameters
        ----------
        flow : to start from
        duration : in s

        Raises
        ------
        DivergenceError
            If the velocity grows beyond all bounds.
        """
        return self.method.advanced(check_start(flow, self.mesh), duration)

    def frames(self, flow: TriangleFlow, interval: float, count: int) -> list[TriangleFlow]:
        """Return a flow and what it becomes, at equal intervals.

        Parameters
        ----------
        flow : the first frame
        interval : between two frames, in s
        count : frames
        """
        positive("the interval", interval)
        flows = [check_start(flow, self.mesh)]
        for _ in range(whole_number("the number of frames", count, at_least=1) - 1):
            flows.append(self.method.advanced(flows[-1], interval))
        return flows

    def forces(self, flow: TriangleFlow, duration: float) -> tuple[TriangleFlow, Forces]:
        """Return a flow some time later, and drag and lift of the obstacle after each step.

        Parameters
        ----------
        flow : to start from
        duration : in s
        """
        before = check_start(flow, self.mesh)
        end = before.time + positive("the duration", duration)
        times, forces = [], []
        while before.time < end:
            after = self.method.next(before, end)
            times.append(after.time)
            forces.append(self.method.force(before, after, self.obstacle))
            before = after
        drag, lift = (np.array(forces) * 2.0 / (self.mean_velocity**2 * self.width)).T
        return before, Forces(np.array(times), drag, lift)

    def flux(self, flow: TriangleFlow, side: str) -> float:
        """Return the volume that leaves through a side per time and depth, in m^2/s; negative where it enters.

        Parameters
        ----------
        flow : on the mesh
        side : inlet, outlet, wall or obstacle
        """
        facets = np.asarray(self.mesh.groups[side].facets)
        sides = Mesh(self.mesh.points, {"line": facets})
        return float(np.sum(sides.normals() * flow.velocity[facets].mean(axis=1)))

    def strouhal(self, forces: Forces) -> float:
        """Return the Strouhal number f D / U_m of the lift, nan if it does not oscillate.

        Parameters
        ----------
        forces : over several periods
        """
        return forces.frequency * self.width / self.mean_velocity
