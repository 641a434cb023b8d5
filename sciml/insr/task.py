"""``sciml solve`` by implicit neural spatial representations: a task whose epochs are time steps."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from sciml.checks import whole_number
from sciml.insr.dense_output import InterpolatedFields, nearest_steps, shares
from sciml.insr.fitting import FitPoints, Fitting, LeastSquaresFit
from sciml.insr.integrators import Integrator, NeuralFields
from sciml.insr.problems import Problem
from sciml.insr.solver import TimeStepper, TimeStepState
from sciml.run_records import METRICS, read_rows
from sciml.training import fit_outcomes
from sciml.training.output import Output
from sciml.training.point_errors import ERRORS
from sciml.training.settings import Training
from sciml.training.solve_task import SAME_TIME, Fields, FieldsInTime, SolveTask

AMOUNTS = ("energy", "enstrophy", "mass")  # drawn against time; the other quantities are in result.json


class TimeStepping(SolveTask):
    """Solve a problem in time with networks as the only representation of its fields in space.

    Parameters
    ----------
    problem : to be solved
    networks : one for each field of the problem, by name
    integrator : time-stepping scheme
    time_step : its length
    steps : number of time steps
    fitting : algorithm of the fits; least squares by default
    points : at which residuals are evaluated
    output : where and when the solution is written

    References
    ----------
    Chen et al., "Implicit neural spatial representations for time-dependent PDEs", ICML 2023.
    """

    precisions: ClassVar[tuple[str, ...]] = ("64-true", "32-true")
    epochs_of: ClassVar[str | None] = "steps"
    states_problem: ClassVar[tuple[str, ...]] = ("problem", "time_step", "steps")
    interpolates: ClassVar[bool] = True

    def __init__(  # noqa: PLR0913 - the sections of a config
        self,
        problem: Problem,
        networks: dict[str, nn.Module],
        integrator: Integrator,
        time_step: float,
        steps: int,
        fitting: Fitting | None = None,
        points: FitPoints | None = None,
        output: Output | None = None,
    ) -> None:
        super().__init__(problem, output)
        whole_number("steps", steps, at_least=1)
        self.integrator, self.time_step, self.steps = integrator, time_step, steps
        self.fitting, self.points = fitting or LeastSquaresFit(), points or FitPoints()
        self.networks = nn.ModuleDict(networks)
        self.stepper = TimeStepper(
            problem, self.networks, integrator, time_step, fitting=self.fitting, points=self.points
        )
        for name, network in networks.items():
            count = sum(weight.numel() for weight in network.parameters())
            self.register_buffer(f"before_{name}", torch.zeros(count))

    def describe(self) -> str:
        """Return problem, integrator, steps and parameters on one line."""
        counts = [f"{flat.count} for {name}" for name, flat in self.stepper.networks.items()]
        scheme = getattr(self.integrator, "rule", type(self.integrator).__name__)
        shares = f" ({', '.join(counts)})" if len(counts) > 1 else ""
        return (
            f"{type(self.problem).__name__}{shares}, {scheme} with time steps of {self.time_step:g}, fits by "
            f"{type(self.fitting).__name__} on {self.points.count} points"
        )

    def prepare(self, settings: Training, seed: int) -> None:
        """Set how to train, and the seed of all points."""
        super().prepare(settings, seed)
        self.stepper.seed = seed

    def advance(self, batch: int) -> dict[str, Tensor | float]:
        """Make one time step; the first call fits the initial condition before it. The error comes first."""
        with torch.enable_grad():
            if self.current_epoch == 0:
                state, _ = self.stepper.initial()
                self.write_state(0, state.weights)
            else:
                state = self._state()
            after, report = self.stepper.advance(state)
        for name, flat in self.stepper.networks.items():
            flat.assign(after.weights[name])
            getattr(self, f"before_{name}").copy_(after.before[name])
        self.write_state(after.step, after.weights)
        errors = self.errors_of(self.stepper.fields(after.weights), after.time)
        headline = dict(list(errors.items())[:1])
        numbers = {**headline, "time": after.time, "rms": report.rms, "solves": report.solves, **errors}
        return {**numbers, **report.quantities, **fit_outcomes.columns(report.status)}

    @property
    def step_times(self) -> list[float]:
        """The times of all steps and of the initial condition."""
        return [step * self.time_step for step in range(self.steps + 1)]

    @property
    def duration(self) -> float:
        """The time after the last step."""
        return self.steps * self.time_step

    @property
    def headline(self) -> str:
        """The presented field whose exact solution the problem may know."""
        return self.problem.headline

    @property
    def pictures(self) -> Sequence[str]:
        """The presented fields that the problem wants drawn."""
        return self.problem.pictures

    @property
    def displacement(self) -> str | None:
        """The displacement of a body."""
        return "displacement" if "displacement" in self.problem.fields else None

    @property
    def obstacle(self) -> Any:
        """The first obstacle of a body."""
        return self.problem.obstacle

    def exact(self, points: Tensor, time: float) -> Tensor | None:
        """Return the exact headline field where the problem knows it."""
        return self.problem.exact_field(self.problem.headline, points, time)

    @property
    def known_times(self) -> tuple[float, float]:
        """The times of the first and the last step whose parameters there are: published weights hold the last one."""
        last = self._done * self.time_step
        return (0.0 if self._has_states else last), last

    @property
    def in_time(self) -> str:
        """The states, and the polynomials between them."""
        degree = self.integrator.order
        return (
            f"states every {self.time_step:g}; polynomials of degree {degree} between them, in which values are exact "
            f"to O(dt^{degree + 1}) and time derivatives to O(dt^{degree})"
        )

    def fields_at(self, time: float) -> Fields:
        """Return the fields at the time of a step, or between two steps by :mod:`sciml.insr.dense_output`."""
        position = time / self.time_step
        step = round(position)
        if abs(position - step) <= SAME_TIME:
            fields = self._stored(step)
            return lambda points: self.problem.present(fields, points, time)
        evaluate = self.fields_in_time(time)
        return lambda points: evaluate(points, points.new_full((len(points), 1), time))

    def fields_in_time(self, time: float) -> FieldsInTime:
        """Return the fields around a time as polynomials in time; problems present them as those at that time."""
        steps = nearest_steps(time / self.time_step, self._done, self.integrator.order if self._has_states else 0)
        states = [self._stored(step) for step in steps]

        def evaluate(points: Tensor, times: Tensor) -> dict[str, Tensor]:
            fields = InterpolatedFields(states, shares(times / self.time_step, steps))
            return dict(self.problem.present(fields, points, time))

        return evaluate

    def metrics(self) -> dict[str, float]:
        """Return errors and quantities after the last step."""
        return self._measured(self._stored(self._done), self._done * self.time_step)

    def history(self, folder: Path) -> list[dict[str, float]]:
        """Return errors and quantities at all times, the initial condition first."""
        rows = []
        for step, time in enumerate(self.step_times):
            self.tell("measuring errors", step / (self.steps + 1))
            rows.append({"time": time, **self._measured(self.stepper.fields(self.read_state(step)), time)})
        return rows

    def run_metrics(self, history: list[dict[str, float]]) -> dict[str, float]:
        """Return the error averaged over the steps, those of the last step, and the drifts of the quantities."""
        numbers: dict[str, float] = {}
        first, last = history[0], history[-1]
        if "mean_absolute_error" in first:
            numbers["time_averaged_mae"] = statistics.fmean(row["mean_absolute_error"] for row in history[1:])
        for name, value in last.items():
            if name != "time":
                numbers[name] = value
                if name not in ERRORS:
                    numbers[f"{name}_change"] = value - first[name]
        return numbers

    def solution(self, folder: Path) -> dict[str, float]:
        """Write fields and pictures; return the metrics of the run, and how the fits of its steps ended."""
        numbers = super().solution(folder)
        return {**numbers, **fit_outcomes.summed(read_rows(folder / METRICS), "step", "rms")}

    @classmethod
    def remarks(cls, metrics: Mapping[str, float]) -> list[str]:
        """Return a sentence if fits stopped before they met their tolerance."""
        return fit_outcomes.remarks(
            metrics, "step", "allow more solves (max_solves), take more points, or a larger network"
        )

    def draw_history(self, history: list[dict[str, float]], path: Path) -> None:
        """Draw errors and conserved quantities against time, or where there are neither, the residuals of the steps."""
        from sciml import plots

        errors = [name for name in ERRORS[:2] if name in history[0]]
        watched = [name for name in history[0] if name not in ("time", *ERRORS)]
        amounts = [name for name in watched if name.endswith(AMOUNTS)] or watched
        if errors or amounts:
            plots.time_curves(history, path, errors=errors, amounts=amounts)
        else:
            rows = read_rows(path.parent.parent / METRICS)
            plots.training_history(rows, path, ["loss/rms"], unit="time step", title="Residual of the time steps")

    def errors_of(self, fields: NeuralFields, time: float) -> dict[str, float]:
        """Return the errors of fields at a time, none where no exact solution is known."""
        return self.errors(lambda points: self.problem.present(fields, points, time), time)

    @property
    def _done(self) -> int:
        """The number of steps that have been made, as far as is known."""
        return self.steps if self.completed_epochs is None else min(self.completed_epochs, self.steps)

    @property
    def _has_states(self) -> bool:
        """Whether there is a folder with the parameters of all steps."""
        return self._trainer is not None or self.loaded_from is not None

    def _stored(self, step: int) -> NeuralFields:
        """Return the fields after a step; the last ones are in the checkpoint."""
        return self.stepper.fields(self.read_state(step) if step != self._done else self._state().weights)

    def _measured(self, fields: NeuralFields, time: float) -> dict[str, float]:
        return self.errors_of(fields, time) | self.problem.quantities(fields, time)

    def _state(self) -> TimeStepState:
        step = self.current_epoch
        weights = {name: flat.vector() for name, flat in self.stepper.networks.items()}
        return TimeStepState(
            step, step * self.time_step, weights, {name: getattr(self, f"before_{name}") for name in weights}
        )
