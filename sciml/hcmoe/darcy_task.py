"""``sciml solve`` of a steady flow by experts on rectangles: one linear least-squares problem."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from sciml.domains.output_points import array_on, points_of
from sciml.errors import DivergenceError
from sciml.hcmoe.elements import Elements
from sciml.hcmoe.plane import Flow, PlaneExperts
from sciml.hcmoe.problems.darcy import DarcyProblem
from sciml.mesh import Field
from sciml.mesh.series import Series
from sciml.metrics import relative_l2
from sciml.reference.darcy_finite_volumes import finite_volumes
from sciml.tables import counted
from sciml.training.output import Output
from sciml.training.settings import Training
from sciml.training.solve_task import Fields, SolveTask

CELLS = 256  # of finite volumes along each axis, which take about as long
UNRESOLVED = 0.1  # residual, relative to the source, above which there is a remark
EVERY = 4  # of their cells along each axis are points at which both are measured where p is not known exactly


class DarcyExperts(SolveTask):
    """Solve a steady Darcy flow by coupled polynomial experts on rectangles.

    Parameters
    ----------
    problem : to be solved
    elements : of each axis
    output : where the solution is written

    References
    ----------
    Chalapathi, Du, Krishnapriyan, "Scaling physics-informed hard constraints with mixture-of-experts", ICLR 2024, for
    experts on subdomains; here they are coupled, and their basis is not learned.
    """

    precisions: ClassVar[tuple[str, ...]] = ("64-true",)
    epochs_of: ClassVar[tuple[str, ...]] = ()  # one: the problem is linear

    def __init__(self, problem: DarcyProblem, elements: Elements | None = None, output: Output | None = None) -> None:
        super().__init__(problem, output)
        self.experts = PlaneExperts(problem, elements)
        count, size = self.experts.elements.count, self.experts.elements.degree + 1
        self.register_buffer("coefficients", torch.zeros(count, count, size, size, dtype=torch.float64))
        self.register_buffer("relative_residual", torch.tensor(0.0, dtype=torch.float64))

    def describe(self) -> str:
        """Return the problem, the experts and the unknowns on one line."""
        elements = self.experts.elements
        return (
            f"{type(self.problem).__name__}, {elements.count} x {elements.count} coupled experts of degree "
            f"{elements.degree}, {counted(self.experts.unknowns, 'unknown')}"
        )

    def prepare(self, settings: Training, seed: int) -> None:
        """Ask the problem for its medium at one point, so that a file that is missing leaves no folder."""
        super().prepare(settings, seed)
        self.problem.medium(torch.tensor([self.problem.domain.lower], dtype=torch.float64))

    def advance(self, batch: int) -> dict[str, Tensor | float]:
        """Solve the problem; return the residual."""
        flow = self.experts.solve()
        if not math.isfinite(flow.residual):
            raise DivergenceError(
                f"the residual of the flow is {flow.residual}; the permeability varies by too many orders of magnitude."
            )
        self.coefficients.copy_(flow.coefficients)
        self.relative_residual.fill_(flow.residual)
        return {"residual": flow.residual}

    @property
    def headline(self) -> str:
        """The name of the field whose errors are measured."""
        return "pressure"

    @property
    def pictures(self) -> tuple[str, ...]:
        """The pressure and the medium, both with arrows of the flux."""
        return ("pressure", "log_permeability")

    def fields_at(self, time: float) -> Fields:
        """Return pressure, flux (``velocity``) and the logarithm of the permeability."""

        def fields(points: Tensor) -> dict[str, Tensor]:
            return {
                "pressure": self.experts.pressure(self._flow, points)[:, None],
                "velocity": self.experts.flux(self._flow, points),
                "log_permeability": self.problem.medium(points).logarithm[:, None],
            }

        return fields

    def metrics(self) -> dict[str, float]:
        """Return the errors of experts and of finite volumes, against the exact pressure or a reference, if any."""
        found = {**super().metrics(), **self._beside_finite_volumes()}
        return {**found, "residual": float(self.relative_residual), "unknowns": float(self.experts.unknowns)}

    @classmethod
    def remarks(cls, metrics: Mapping[str, float]) -> list[str]:
        """Return a sentence about a medium that the experts do not resolve."""
        residual = metrics.get("residual", 0.0)
        if residual <= UNRESOLVED:
            return []
        told = f"the residual is {residual:.2g} of the source, expected at most {UNRESOLVED:g}: take more elements or a"
        return [f"{told} higher degree; where the permeability jumps, finite volumes are the method of choice."]

    def memory_bytes(self) -> int:
        """Return the bytes of the coefficients."""
        return self.coefficients.numel() * self.coefficients.element_size()

    def draw_more(self, series: Series, figures: Path) -> None:
        """Draw the pressure with the experts, beside the residual over the root mean square of the source."""
        from sciml import plots

        points = points_of(self.place).to(self.coefficients)
        residual = self.experts.residual(self._flow, points).abs()
        scale = float(self.problem.sources(points).square().mean().sqrt()) or 1.0
        pressure, velocity = (Field(name, series[name].values[0], self.place) for name in ("pressure", "velocity"))
        missed = Field("residual", array_on(self.place, (residual / scale)[:, None]), self.place)
        faces = [axis.face_points.numpy() for axis in self.experts.axes]
        plots.plane_experts_picture(pressure, missed, faces, figures / "experts.png", velocity=velocity)

    @property
    def _flow(self) -> Flow:
        return Flow(self.coefficients, float(self.relative_residual))

    def _beside_finite_volumes(self) -> dict[str, float]:
        """Return relative L2 errors at centres of cells; without the experts' own where they are measured elsewhere."""

        def numeric(function: Fields) -> Fields:
            return lambda points: function(torch.from_numpy(np.ascontiguousarray(points))).detach().numpy()

        problem = self.problem
        is_exact = problem.exact(torch.tensor([problem.domain.lower], dtype=torch.float64)) is not None
        truth = numeric(lambda points: problem.exact(points)[:, 0]) if is_exact else problem.reference()
        if truth is None:
            return {}
        given = (numeric(each) for each in (problem.permeability, problem.sources, problem.boundary))
        centres, volumes = finite_volumes(*given, problem.domain.lower, problem.domain.upper, CELLS)
        centres, volumes = centres[::EVERY, ::EVERY].reshape(-1, 2), volumes[::EVERY, ::EVERY].ravel()
        true = truth(centres)
        errors = {"finite_volumes_relative_l2": relative_l2(volumes, true)}
        if is_exact:
            return errors
        found = self.experts.pressure(self._flow, torch.from_numpy(centres).to(self.coefficients)).cpu().numpy()
        return {"relative_l2": relative_l2(found, true), **errors}
