r"""Hyperelastic bodies: a network is the displacement u(x) of the undeformed body, phi = x + u.

Motion minimises the incremental potential of implicit Euler in every step, equilibrium the energy; both are sums of
squares (:mod:`sciml.insr.problems.energies`, :mod:`sciml.insr.problems.contact`), so that they are least-squares fits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sciml.checks import number, positive, whole_number
from sciml.domains import BoundaryPoints, Box, Domain, MeshDomain
from sciml.domains.output_points import mean_points
from sciml.errors import InputError
from sciml.insr.problems.base import Fields, Problem
from sciml.insr.problems.contact import Obstacle
from sciml.insr.problems.energies import ArapVolume, Energy, determinant
from sciml.numerics.derivatives import Jet

if TYPE_CHECKING:
    from sciml.reference.hyperelasticity_finite_elements import FiniteElementDisplacement

WATCHED = 2000  # boundary points at which penetration is watched
HELD = 400  # points in each group that is held


def deformation_gradient(displacement: Jet) -> Tensor:
    """Return the deformation gradient F = 1 + du/dx, (n, d, d), from a jet of order 1 along the axes."""
    gradient = displacement.first.permute(1, 2, 0)
    return gradient + torch.eye(gradient.shape[-1], dtype=gradient.dtype, device=gradient.device)


class ElasticProblem(Problem):
    """A hyperelastic body, whose first field is the displacement.

    Attributes
    ----------
    energy : of the material
    """

    energy: Energy
    pictures = ("strain_energy",)

    @property
    def fields(self) -> Mapping[str, int]:
        """The channels of the displacement."""
        return {"displacement": self.domain.dim}

    def held_groups(self) -> list[tuple[str, Tensor, Tensor, float]]:
        """Return the Dirichlet groups of a penalty: name, points, their displacement, and weight of the mean square."""
        return []

    def present(self, fields: Fields, points: Tensor, time: float) -> dict[str, Tensor]:
        """Return displacement, energy density, volume ratio, and the largest principal stretch."""
        jet = fields("displacement", points, 1)
        gradient = deformation_gradient(jet)
        return {
            "displacement": jet.value,
            "strain_energy": self.energy.energy_density(gradient)[:, None],
            "volume_ratio": determinant(gradient)[:, None],
            "stretch": torch.linalg.matrix_norm(gradient, 2)[:, None],
        }

    def quantities(self, fields: Fields, time: float) -> dict[str, float]:
        """Return the elastic energy and the smallest volume ratio, which is not positive where the body is inverted."""
        gradient = deformation_gradient(fields("displacement", self._points, 1))
        return {
            "elastic_energy": float(self.energy.energy_density(gradient).mean()) * self.domain.measure,
            "smallest_volume_ratio": float(determinant(gradient).min()),
        }

    @cached_property
    def _points(self) -> Tensor:
        return mean_points(self.domain)


class Tension(ElasticProblem):
    """A box with a fixed lower end and a displaced upper end along the first axis; the other faces are free.

    The ends are exact with a network inside of :class:`~sciml.nets.dirichlet_ends.DirichletEnds`, and held by a
    penalty of ``boundary_weight`` otherwise. Every step of :class:`~sciml.insr.integrators.elastic.Equilibrium` is a
    further fit.

    Parameters
    ----------
    lower, upper : corners of the box; the paper's is the default
    energy : of the material; the paper's is the default
    extension : displacement of the upper end
    boundary_weight : of the penalty
    reference_cells : along each axis, of the quadratic finite elements (in the plane) that give the exact field; none
        if 0. The mesh is graded towards the corners, where the solution is singular

    References
    ----------
    Chen et al., "Implicit neural spatial representations for time-dependent PDEs", ICML 2023: the 2-D tension test.
    """

    pictures = (
        "stretch",
    )  # the energy of the initial condition, which changes the volume, is a thousand times that at rest

    def __init__(
        self,
        lower: Sequence[float] = (-1.0, -1.0),
        upper: Sequence[float] = (1.0, 1.0),
        energy: Energy | None = None,
        extension: float = 2.0,
        boundary_weight: float = 1e4,
        reference_cells: int = 0,
    ) -> None:
        self.domain = Box(lower, upper)
        if self.domain.dim not in (2, 3):
            raise InputError(f"the body has {self.domain.dim} dimensions, expected 2 or 3.")
        length = upper[0] - lower[0]
        number("the extension", extension, above=-length, remedy="a body keeps a positive length")
        positive("the weight of the boundary", boundary_weight)
        whole_number("the number of reference cells", reference_cells, at_least=0)
        self.energy = energy or ArapVolume()
        self.extension, self.boundary_weight, self.reference_cells = extension, boundary_weight, reference_cells
        self._known: dict[tuple, tuple[Tensor, Tensor]] = {}  # values at the last points, asked for in every step
        if reference_cells and (tuple(lower), tuple(upper)) != ((-1.0, -1.0), (1.0, 1.0)):
            raise InputError("the finite element reference is for the box [-1, 1]^2; set reference_cells to 0.")
        if reference_cells:
            self.energy.material()

    def initial_field(self, name: str, points: Tensor) -> Tensor:
        """Return a uniform stretch along the first axis."""
        share = (points[:, :1] - self.domain.lower[0]) / (self.domain.upper[0] - self.domain.lower[0])
        return torch.cat([self.extension * share, torch.zeros_like(points[:, 1:])], 1)

    def boundary(self, name: str, at: BoundaryPoints, jet: Jet, time: float) -> Tensor:
        """Return the difference from the prescribed displacement at the two ends."""
        at_end = at.normals[:, :1].abs() > 0.5
        return torch.where(at_end, jet.value - self.initial_field(name, at.points), torch.zeros_like(jet.value))

    def exact_field(self, name: str, points: Tensor, time: float) -> Tensor | None:
        """Return the displacement by finite elements if ``reference_cells`` is set, else None."""
        if not self.reference_cells:
            return None
        key = (len(points), points.device, points.dtype)
        last = self._known.get(key)
        if last is None or not torch.equal(last[0], points):
            values = torch.from_numpy(self.reference(points.double().cpu().numpy())).to(points)
            last = self._known[key] = (points.clone(), values)
        return last[1]

    @cached_property
    def reference(self) -> FiniteElementDisplacement:
        """The displacement by quadratic finite elements on a mesh graded towards the corners."""
        from sciml.reference.hyperelasticity_finite_elements import square, tension

        mesh, material = square(self.reference_cells, grading=2.0), self.energy.material()
        return tension(mesh, material, 2, extension=self.extension, load_steps=12)


@dataclass(frozen=True)
class Motion:
    """The initial velocity of a body, and gravity.

    Parameters
    ----------
    time_step : of the run; the state of a moving body holds its displacement one step before
    velocity : at time 0, one component per axis; zero by default
    gravity : acceleration, one component per axis; zero by default
    until : time at which the gravity ends
    """

    time_step: float
    velocity: Sequence[float] | None = None
    gravity: Sequence[float] | None = None
    until: float = math.inf

    def __post_init__(self) -> None:
        positive("the time step of the motion", self.time_step)
        if self.until != math.inf:
            number("the time at which gravity ends", self.until)
        for name in ("velocity", "gravity"):
            for component in getattr(self, name) or ():
                number(f"a component of the {name}", component)

    def acceleration(self, points: Tensor, time: float) -> Tensor:
        """Return the acceleration of gravity at a time, ``(dim,)``."""
        absent = self.gravity is None or time > self.until * (1 + 1e-12)
        return points.new_zeros(points.shape[1]) if absent else points.new_tensor(self.gravity)


class ElasticBody(ElasticProblem):
    r"""A moving body: rho u_tt = div P(1 + grad u) + rho g, free or fixed on its boundary, in contact with obstacles.

    The fields are the displacement and, for a network of the same kind, the displacement one step ``"previous"``, so
    that the state is complete. It begins at u(-h) = -h v + h^2 g / 2, from where free fall is the exact parabola.

    Parameters
    ----------
    domain : a box, or a mesh of triangles or tetrahedra
    motion : step, velocity and gravity
    energy : of the material
    density : mass per volume
    obstacles : planes and spheres; their stiffness is pressure per depth
    held : groups of facets of the mesh, or faces of the box such as "x-", that do not move
    held_stiffness : pressure per displacement that holds them
    """

    def __init__(
        self,
        domain: Domain,
        motion: Motion,
        energy: Energy | None = None,
        density: float = 1.0,
        obstacles: Sequence[Obstacle] = (),
        held: Sequence[str] = (),
        held_stiffness: float = 1e4,
    ) -> None:
        positive("the density of a body", density)
        positive("the held_stiffness of a body", held_stiffness)
        if domain.dim not in (2, 3):
            raise InputError(f"the body has {domain.dim} dimensions, expected 2 or 3.")
        for values in (motion.velocity, motion.gravity):
            if values is not None and len(values) != domain.dim:
                raise InputError(f"velocity or gravity is {list(values)}, expected {domain.dim} numbers as the domain.")
        self.domain, self.motion, self.energy = domain, motion, energy or ArapVolume(100.0, 1e3)
        self.density, self.obstacles = density, tuple(obstacles)
        self.held, self.held_stiffness = tuple(held), held_stiffness
        for obstacle in self.obstacles:
            obstacle.depth(torch.zeros(1, domain.dim))  # refuses another dimension
        self.held_groups()  # refuses groups that are not there

    @property
    def obstacle(self) -> Any:
        """The first obstacle as a shape of :mod:`sciml.plots`, None if there is none."""
        return next((obstacle.picture() for obstacle in self.obstacles), None)

    @property
    def fields(self) -> Mapping[str, int]:
        """The channels of the displacement now and one step before."""
        return dict.fromkeys(("displacement", "previous"), self.domain.dim)

    def initial_field(self, name: str, points: Tensor) -> Tensor:
        """Return zero for the displacement, and the point of the parabola of free fall one step before."""
        start, step = torch.zeros_like(points), self.motion.time_step
        if name == "previous":
            start = start + step**2 / 2 * self.motion.acceleration(points, 0.0)
            if self.motion.velocity is not None:
                start = start - step * points.new_tensor(self.motion.velocity)
        return start

    def held_groups(self) -> list[tuple[str, Tensor, Tensor, float]]:
        """Return the Dirichlet groups, always at the same points."""
        result = []
        for name in self.held:
            at = self.domain.boundary(HELD, torch.Generator().manual_seed(0), group=name)
            weight = self.held_stiffness / 2 * self.domain.boundary_measure / self.domain.measure
            result.append((f"held {name}", at.points, torch.zeros_like(at.points), weight))
        return result

    def velocity(self, fields: Fields, points: Tensor) -> Tensor:
        """Return the mean velocity of the last step, ``(n, dim)``, which is that of its midpoint."""
        return (fields("displacement", points) - fields("previous", points)) / self.motion.time_step

    def present(self, fields: Fields, points: Tensor, time: float) -> dict[str, Tensor]:
        """Return displacement, velocity, energy density and volume ratio."""
        return super().present(fields, points, time) | {"velocity": self.velocity(fields, points)}

    def quantities(self, fields: Fields, time: float) -> dict[str, float]:
        """Return energies, momentum, mean displacement, and the largest penetration depth."""
        quantities, mass = super().quantities(fields, time), self.density * self.domain.measure
        displacement, velocity = fields("displacement", self._points), self.velocity(fields, self._points)
        moved, momentum = displacement.mean(0), mass * velocity.mean(0)
        surface = self._surface.to(displacement)
        positions = surface + fields("displacement", surface)
        depths = [obstacle.depth(positions).max() for obstacle in self.obstacles]
        contact = sum(float(obstacle.residuals(positions).square().mean()) for obstacle in self.obstacles)
        quantities["kinetic_energy"] = mass / 2 * float(velocity.square().sum(1).mean())
        quantities["contact_energy"] = contact * self.domain.boundary_measure
        quantities["gravity_energy"] = -mass * float(moved @ self.motion.acceleration(displacement, time))
        quantities["total_energy"] = sum(value for name, value in quantities.items() if name.endswith("_energy"))
        quantities["penetration"] = float(max(depths, default=0.0))
        for axis, name in zip(range(self.domain.dim), "xyz", strict=False):
            quantities[f"momentum_{name}"] = float(momentum[axis])
            quantities[f"mean_displacement_{name}"] = float(moved[axis])
        return quantities

    @cached_property
    def _surface(self) -> Tensor:
        """The points at which penetration is measured; of a mesh its corners too, which touch first."""
        points = self.domain.boundary(WATCHED, torch.Generator().manual_seed(0)).points
        if isinstance(self.domain, MeshDomain):
            boundary = self.domain.mesh.boundary()
            corners = sorted({int(k) for cells in boundary.cells.values() for k in cells.ravel()})
            points = torch.cat([points, torch.from_numpy(boundary.points[corners])])
        return points
