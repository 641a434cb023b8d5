"""Diffusion on a given mesh: `sciml solve cgs/diffusion_cpu task.init_args.mesh=PATH`."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from sciml.errors import InputError
from sciml.mesh import Field, read_mesh, write_fields
from sciml.mesh.shapes import SHAPES
from sciml.reference.diffusion_finite_elements import DiffusionProblem, solve_diffusion
from sciml.training.settings import Training
from sciml.training.task import Task


class MeshDiffusion(Task):
    """Steady diffusion -div(k grad u) = f on triangles or tetrahedra, by finite elements; nothing is learned.

    The unknowns are the values of u at the points of the mesh, and the matrix is the Laplacian of the graph of its
    edges (:class:`~sciml.reference.diffusion_finite_elements.DiffusionProblem`). Nothing flows through the rest of the
    boundary.

    Parameters
    ----------
    mesh : a file that `sciml.mesh.read_mesh` takes, with named groups
    dirichlet : values of u on groups of the mesh by name; where two of them meet, the later one holds
    coefficient : k > 0
    coefficient_field : name of a field of the file that has k at the cells, in place of a number
    source : f
    method : of `sciml.linalg.solve`, ``auto`` by size
    """

    epochs_of: ClassVar[tuple[str, ...]] = ()  # one: there is nothing to repeat
    states_problem: ClassVar[tuple[str, ...]] = ("mesh", "dirichlet", "coefficient", "coefficient_field", "source")

    def __init__(
        self,
        mesh: str,
        dirichlet: dict[str, float],
        coefficient: float = 1.0,
        coefficient_field: str | None = None,
        source: float = 0.0,
        method: str = "auto",
    ) -> None:
        super().__init__()
        self.path, self.dirichlet = Path(mesh), dict(dirichlet)
        self.coefficient, self.coefficient_field = coefficient, coefficient_field
        self.source, self.method = source, method

    def prepare(self, settings: Training, seed: int) -> None:
        """Read the mesh, before the run has a folder."""
        super().prepare(settings, seed)
        self.problem.check_held()

    @cached_property
    def problem(self) -> DiffusionProblem:
        """The problem on the mesh of the file."""
        if not self.path.exists():
            raise InputError(f"the mesh {self.path} does not exist; give one as task.init_args.mesh=PATH.")
        mesh, fields = read_mesh(self.path)
        return DiffusionProblem(mesh, self.dirichlet, self._coefficient(fields), self.source)

    def _coefficient(self, fields: list[Field]) -> float | np.ndarray:
        """Return the coefficient: one number, or the values of a field of the file."""
        if self.coefficient_field is None:
            return self.coefficient
        scalars = {each.name: each for each in fields if each.location == "cells" and not each.components}
        if self.coefficient_field not in scalars:
            raise InputError(
                f"the mesh {self.path} has no scalar field {self.coefficient_field!r} at its cells; it has "
                f"{', '.join(scalars) or 'none'}."
            )
        mesh, values = scalars[self.coefficient_field].on, scalars[self.coefficient_field].values
        inside = [where for name, _, where in mesh.blocks() if SHAPES[name].dim == mesh.topological_dim]
        return np.concatenate([values[where] for where in inside])

    @cached_property
    def values(self) -> np.ndarray:
        """The values of u at the points, (points,), solved for when they are first asked for."""
        return solve_diffusion(self.problem, method=self.method)

    def advance(self, batch: Any) -> dict[str, float]:
        """Solve; return the largest absolute value of u."""
        return {"largest": float(np.abs(self.values).max())}

    def solution(self, folder: Path) -> dict[str, float]:
        """Write ``fields.xdmf`` and, in the plane, a picture; return the flux out of each group, and bounds of u.

        Without a source, u lies between the given values where no edge has a negative weight, ``negative_edges``.
        """
        from sciml.plots import field_snapshots

        problem, u = self.problem, self.values
        write_fields(folder / "fields.xdmf", problem.mesh, {"u": u})
        if problem.mesh.dim == 2:
            self.tell("drawing figures")
            field_snapshots(Field("u", u, problem.mesh), folder / "figures" / "u.png")
        fluxes = {f"outflow_{name}": problem.outflow(u, name) for name in self.dirichlet}
        bounds = {"smallest": float(u.min()), "largest": float(u.max())}
        return fluxes | bounds | {"negative_edges": problem.negative, "points": len(u)}

    def describe(self) -> str:
        """Return the file and the groups with values of u."""
        given = ", ".join(f"{name} {value:g}" for name, value in self.dirichlet.items())
        return f"{self.path.name}, u given on {given}, {self.method} solver"
