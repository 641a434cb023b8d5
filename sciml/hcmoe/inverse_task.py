"""``sciml solve`` of an inverse problem: coefficients from readings, an iteration of the search an epoch."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from sciml.atomic import write_text
from sciml.checks import instance, whole_number
from sciml.errors import DivergenceError, InputError
from sciml.hcmoe.coupled import CoupledExperts, SlabState
from sciml.hcmoe.elements import Elements, Slabs
from sciml.hcmoe.inverse import CAREFUL, Misfits, check_enough
from sciml.hcmoe.problems import SpaceTimeProblem
from sciml.hcmoe.readings import Readings, ReadingsSource
from sciml.hcmoe.unknowns import Kind, Unknowns
from sciml.mesh.series import Series
from sciml.numerics.batched_least_squares import minimise
from sciml.status import Status
from sciml.tables import counted
from sciml.training import fit_outcomes
from sciml.training.output import Output
from sciml.training.settings import Training
from sciml.training.solve_task import Fields, FieldsInTime, SolveTask

ONE_STEP = dataclasses.replace(CAREFUL, max_solves=1)
OUTCOMES = (Status.LIMIT, Status.CONVERGED, Status.STALLED, Status.DIVERGED)
TABLE = "diagnostics.csv"


class InverseExperts(SolveTask):
    """Find unknown coefficients of a problem from readings of its solution, which coupled experts compute.

    Parameters
    ----------
    problem : the equation; its unknown coefficients are where the search begins
    unknown : the unknown coefficients by name, ``positive`` or ``real``
    readings : where they come from
    iterations : of Levenberg and Marquardt, at most
    elements : where the experts live
    slabs : of time
    output : where and when the solution with the coefficients found is written

    References
    ----------
    Seber, Wild, "Nonlinear Regression", 1989, section 2.1, for the deviations.
    """

    precisions: ClassVar[tuple[str, ...]] = ("64-true",)
    epochs_of: ClassVar[str | None] = "iterations"
    epoch_name: ClassVar[str] = "iteration"
    watched: ClassVar[tuple[str, ...]] = ("loss/misfit",)
    states_problem: ClassVar[tuple[str, ...]] = ("problem", "unknown", "readings")

    def __init__(
        self,
        problem: SpaceTimeProblem,
        unknown: dict[str, Kind],
        readings: ReadingsSource,
        iterations: int = 20,
        elements: Elements | None = None,
        slabs: Slabs | None = None,
        output: Output | None = None,
    ) -> None:
        super().__init__(problem, output)
        self.unknowns, self.source = Unknowns(problem, unknown), readings
        self.iterations = whole_number("the number of iterations", iterations, at_least=1)
        self.experts_of = self.unknowns.experts(elements or Elements(), slabs or Slabs())
        self.truth = None if readings.truth is None else self.unknowns.values(self.unknowns.vector(readings.truth))
        start = self.unknowns.start
        self.experts_of(start)  # refuses what does not suit the problem
        self.register_buffer("vector", start.clone())
        self.register_buffer("damping", start.new_tensor([CAREFUL.damping]))
        self.register_buffer("deviations", torch.full_like(start, torch.inf))
        self.register_buffer("misfit", start.new_tensor(torch.inf))
        self.register_buffer("steps", torch.tensor(0))
        self.register_buffer("outcome", torch.tensor(OUTCOMES.index(Status.LIMIT)))
        self._readings: Readings | None = None
        self._solution: tuple[Tensor, CoupledExperts, list[SlabState]] | None = None

    def describe(self) -> str:
        """Return the problem, its unknowns and the experts on one line."""
        experts = self.experts_of(self.unknowns.start)
        return (
            f"{type(self.problem).__name__}, {counted(len(self.vector), 'unknown coefficient')}, "
            f"{counted(experts.elements.count, 'coupled expert')} of degree {experts.elements.degree} in space and "
            f"{experts.slabs.degree} in time, {counted(experts.slabs.count, 'time slab')}"
        )

    def prepare(self, settings: Training, seed: int) -> None:
        """Set the seed of what is drawn, and take the readings."""
        super().prepare(settings, seed)
        name = f"what {type(self.source).__name__}.read returns"
        readings = instance(name, self.source.read(seed), Readings, "Readings")
        readings.check_inside(self.problem)
        check_enough(readings, len(self.vector))
        self._readings = readings

    def advance(self, batch: int) -> dict[str, Tensor | float]:
        """Make one iteration, none where the search has ended. The misfit comes first, then the coefficients."""
        self._keep_readings()
        if self._status == Status.LIMIT:
            self._improve()
        coefficients = dict(zip(self.unknowns.kinds, self._values, strict=True))
        numbers = {"misfit": self.misfit.clone(), "solves": float(self.steps)}
        # the misfit first, and no coefficient in its place that has its name
        return {**numbers, **coefficients, **numbers, **fit_outcomes.columns(self._status)}

    @property
    def in_time(self) -> str:
        """The polynomials of the experts, in all time slabs."""
        return "polynomials in time slabs, with the coefficients found; continuous in time and smooth in space"

    def fields_at(self, time: float) -> Fields:
        """Return u at a time for the coefficients found."""
        experts, state = self._solved_at(time)
        return lambda points: {"u": experts.values(state, points[:, 0], time)[0][:, None]}

    def fields_in_time(self, time: float) -> FieldsInTime:
        """Return u around a time for the coefficients found."""
        experts, state = self._solved_at(time)
        return lambda points, times: {"u": experts.values(state, points[:, 0], times[:, 0])[0][:, None]}

    def exact(self, points: Tensor, time: float) -> Tensor | None:
        """Return the solution that was read, where it is known exactly."""
        return None if self.source.truth is None else self.source.truth.exact(points, time)

    def history(self, folder: Path) -> list[dict[str, Any]]:
        """Return the rows of the iterations that were made."""
        return super().history(folder)[: max(int(self.steps), 1)]

    def metrics(self) -> dict[str, float]:
        """Return the coefficients found with their deviations, and how far they are from the true ones if known."""
        values, deviations = self._values, self._deviations
        found = {"misfit": float(self.misfit)}
        errors = None if self.truth is None else (values - self.truth) / deviations
        assessed = bool(deviations.isfinite().all())
        if errors is not None and assessed:
            found = {"error_over_deviation": float(errors.square().mean().sqrt()), **found}
        for number, name in enumerate(self.unknowns.kinds):
            found[name] = float(values[number])
            if assessed:
                found[f"{name}_deviation"] = float(deviations[number])
            if errors is not None and assessed:
                found[f"{name}_error_over_deviation"] = float(errors[number])
        at_end = super().metrics()
        ends = {"iterations": float(self.steps), **fit_outcomes.columns(self._status)}
        return {**found, **{f"{name}_at_end": value for name, value in at_end.items()}, **ends}

    @classmethod
    def remarks(cls, metrics: Mapping[str, float]) -> list[str]:
        """Return sentences about a search that did not converge, and about readings that the problem does not fit."""
        told = []
        if metrics.get(fit_outcomes.AT_LIMIT):
            told.append("the search was at its last iteration before it converged; allow more iterations.")
        if metrics.get(fit_outcomes.STALLED):
            told.append("the search found no step that fits the readings better, but has not converged.")
        if metrics.get("misfit", 0.0) > 2:
            told.append(
                f"the readings are missed by {metrics['misfit']:.1f} deviations of their noise, expected about 1: the "
                "equation, the deviation or where the search began may be wrong, or the experts too few."
            )
        return told

    def memory_bytes(self) -> int:
        """Return the bytes of the coefficients of all slabs."""
        return sum(state.change.numel() * state.change.element_size() for state in self._solved()[1])

    def solution(self, folder: Path) -> dict[str, float]:
        """Write fields, pictures, and a table of the readings beside the solution; return the metrics."""
        numbers = super().solution(folder)
        readings, found = self._readings, self._at_readings()
        columns = (readings.t, readings.x, readings.u, found, (readings.u - found) / readings.deviation)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        lines = ["t,x,u,found,misfit_over_deviation", *(",".join(map(repr, row)) for row in rows)]
        write_text(folder / TABLE, "\n".join(lines) + "\n")
        return numbers

    def draw_more(self, series: Series, figures: Path) -> None:
        """Draw the readings in the solution, and the coefficients with their deviations."""
        from sciml import plots

        readings = self._readings
        misfits = (readings.u - self._at_readings()) / readings.deviation
        (field,) = (field for field in series.fields if field.name == self.headline)
        points = torch.stack([readings.x, readings.t, readings.u], 1)
        plots.readings_picture(field, points.numpy(), misfits.numpy(), figures / "readings.png")
        if bool(self._deviations.isfinite().all()):
            values = self._values.numpy()
            true = None if self.truth is None else self.truth.numpy()
            path = figures / "coefficients.png"
            plots.estimates_picture(list(self.unknowns.kinds), values, self._deviations.numpy(), path, truth=true)

    def _improve(self) -> None:
        """Make one iteration; assess the coefficients after the last one."""
        misfits = Misfits(self.experts_of, self._readings)
        report = minimise(misfits, self.vector[None].cpu(), settings=ONE_STEP, damping=self.damping.cpu())
        if report.worst == Status.DIVERGED:
            raise DivergenceError(
                "the derivatives of the readings are not finite any more; begin the search elsewhere."
            )
        self.vector.copy_(report.w[0])
        self.damping.copy_(report.damping)
        self.misfit.copy_((2 * report.cost[0] / len(self._readings.x)).sqrt())
        self.steps += int(report.iterations[0])
        self.outcome.fill_(OUTCOMES.index(report.status[0]))
        if self._status != Status.LIMIT or self.current_epoch + 1 == self.iterations:
            self.deviations.copy_(misfits.assess(report.w[0])[0])

    def _keep_readings(self) -> None:
        """Write the readings at the start, and refuse others later on."""
        named = {name: getattr(self._readings, name) for name in ("x", "t", "u")}
        if self.current_epoch == 0:
            self.write_state(0, named)
        kept = self.read_state(0)
        if any(not torch.equal(kept[name].cpu(), values) for name, values in named.items()):
            raise InputError("the readings have changed since the run began; start it anew.")

    def _at_readings(self) -> Tensor:
        """Return u for the coefficients found at the readings."""
        found = [
            self.fields_at(float(time))(x[None, None])["u"][0, 0]
            for x, time in zip(self._readings.x, self._readings.t, strict=True)
        ]
        return torch.stack(found)

    @property
    def _values(self) -> Tensor:
        """The coefficients found, on the CPU, where experts solve."""
        return self.unknowns.values(self.vector.cpu())

    @property
    def _deviations(self) -> Tensor:
        """The deviations of the coefficients, infinite as long as the search goes on."""
        return self.unknowns.deviations(self.vector.cpu(), self.deviations.cpu())

    @property
    def _status(self) -> Status:
        return OUTCOMES[int(self.outcome)]

    def _solved_at(self, time: float) -> tuple[CoupledExperts, SlabState]:
        experts, states = self._solved()
        return experts, states[experts.slab_at(time) - 1]

    def _solved(self) -> tuple[CoupledExperts, list[SlabState]]:
        """Return the experts and all slabs for the present coefficients, solved once."""
        if self._solution is None or not torch.equal(self._solution[0], self.vector):
            with torch.no_grad():
                experts = self.experts_of(self.vector.cpu())
                self._solution = (self.vector.clone(), experts, [state for state, _ in experts.run()])
        return self._solution[1:]
