"""``sciml solve``: a case of implicit neural spatial representations as a task, one time step an epoch."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import ClassVar

import lightning
import torch
from torch import Tensor, nn

from sciml.domains.output_points import check_inside
from sciml.errors import InputError
from sciml.insr import output as out
from sciml.insr.fitting import Fitting, LeastSquares, Points
from sciml.insr.integrators import Integrator
from sciml.insr.output import Errors, Output
from sciml.insr.problems import Problem
from sciml.insr.solver import State, TimeStepper
from sciml.mesh import read_mesh
from sciml.mesh.files import write_fields
from sciml.training.task import Task

STATES = "states"
AMOUNTS = ("energy", "enstrophy", "mass")  # drawn against time; what else is watched is in result.json


class TimeStepping(Task):
    """Solve a problem in time with networks as the only representation of its fields in space.

    Parameters
    ----------
    problem : what is solved
    networks : one for each field of the problem, by name
    integrator : rule for one step
    time_step : its length
    steps : how many
    fitting : method of the fits; least squares unless given
    points : where residuals are evaluated
    output : where the solution is written

    References
    ----------
    Chen et al., "Implicit neural spatial representations for time-dependent PDEs", ICML 2023.
    """

    precisions: ClassVar[tuple[str, ...]] = ("64-true", "32-true")
    epochs_of: ClassVar[str | None] = "steps"

    def __init__(  # noqa: PLR0913 - the sections of a config
        self,
        problem: Problem,
        networks: dict[str, nn.Module],
        integrator: Integrator,
        time_step: float,
        steps: int,
        fitting: Fitting | None = None,
        points: Points | None = None,
        output: Output | None = None,
    ) -> None:
        super().__init__()
        if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
            raise InputError(f"steps is {steps!r}, expected a whole number of at least 1.")
        self.problem, self.integrator, self.time_step, self.steps = problem, integrator, time_step, steps
        self.fitting, self.points, self.output = fitting or LeastSquares(), points or Points(), output or Output()
        self.networks = nn.ModuleDict(networks)
        self._stepper()  # refuses what does not go together before the run begins
        self._place = self.output.place(problem.domain)
        for name, network in networks.items():
            count = sum(weight.numel() for weight in network.parameters())
            self.register_buffer(f"before_{name}", torch.zeros(count))
        self._errors: Errors | None = None

    def describe(self) -> str:
        """Problem, rule, steps and weights on one line."""
        counts = [f"{flat.count} for {name}" for name, flat in self._stepper().networks.items()]
        rule = getattr(self.integrator, "rule", type(self.integrator).__name__)
        shares = f" ({', '.join(counts)})" if len(counts) > 1 else ""
        return (
            f"{type(self.problem).__name__}{shares}, {rule} with time steps of {self.time_step:g}, fits by "
            f"{type(self.fitting).__name__} on {self.points.count} points"
        )

    def advance(self, batch: int) -> dict[str, Tensor | float]:
        """Make one time step; the first call fits the start before it. What is worth watching comes first."""
        stepper = self._stepper()
        folder = self.run_folder / STATES
        with torch.enable_grad():
            if self.current_epoch == 0:
                state, _ = stepper.initial()
                out.write_states(folder, 0, state.weights)
            else:
                state = self._state(stepper)
            after, report = stepper.advance(state)
        for name, flat in stepper.networks.items():
            flat.assign(after.weights[name])
            getattr(self, f"before_{name}").copy_(after.before[name])
        out.write_states(folder, after.step, after.weights)
        errors = self._measure(stepper, after)
        headline = dict(list(errors.items())[:1])
        numbers = {**headline, "time": after.time, "rms": report.rms, "solves": report.solves, **errors}
        return {**numbers, **report.quantities}

    def solution(self, folder: Path) -> dict[str, float]:
        """Write the fields and pictures; return errors over the run and the memory of the representation."""
        stepper = self._stepper()
        steps = sorted({*range(0, self.steps + 1, self.output.every), self.steps})
        rows = []
        with torch.no_grad():
            for step, weights in enumerate(self._read(folder, range(self.steps + 1))):
                state = State(step, step * self.time_step, weights)
                numbers = self.problem.quantities(stepper.fields(weights), state.time)
                rows.append({"time": state.time, **self._measure(stepper, state), **numbers})
            if self._place is not None:
                written = zip([step * self.time_step for step in steps], self._read(folder, steps), strict=True)
                out.write_series(self.problem, stepper.networks, folder, written, self._place)
                out.draw(self.problem, folder, animation=self.output.animation)
        self._draw_curves(rows, folder)
        return _summary(rows) | {"memory_bytes": float(self._memory())}

    def evaluate(self, data: lightning.LightningDataModule) -> dict[str, float]:
        """Errors and quantities at the end of the run."""
        stepper = self._stepper()
        state = State(self.steps, self.steps * self.time_step, {n: f.vector() for n, f in stepper.networks.items()})
        numbers = self.problem.quantities(stepper.fields(state.weights), state.time)
        return self._measure(stepper, state) | numbers | {"memory_bytes": float(self._memory())}

    def predict_file(self, source: Path, output: Path) -> dict[str, float]:
        """Evaluate the fields at the end of the run at the points of a mesh file, and write them to another one."""
        mesh = read_mesh(source)[0]
        check_inside(mesh, self.problem.domain, source)
        stepper = self._stepper()
        fields = stepper.fields({name: flat.vector() for name, flat in stepper.networks.items()})
        values = out.sample_on(self.problem, fields, mesh, self.steps * self.time_step)
        write_fields(output, mesh, values)
        return {"points": float(mesh.n_points)}

    def _stepper(self) -> TimeStepper:
        return TimeStepper(
            self.problem,
            self.networks,
            self.integrator,
            self.time_step,
            fitting=self.fitting,
            points=self.points,
            seed=self._seed,
        )

    def _state(self, stepper: TimeStepper) -> State:
        step = self.current_epoch
        weights = {name: flat.vector() for name, flat in stepper.networks.items()}
        return State(step, step * self.time_step, weights, {name: getattr(self, f"before_{name}") for name in weights})

    def _read(self, folder: Path, steps: range | list[int]) -> list[dict[str, Tensor]]:
        states = out.read_states(folder / STATES, steps)
        return ({name: vector.to(self.device) for name, vector in state.items()} for state in states)

    def _measure(self, stepper: TimeStepper, state: State) -> dict[str, float]:
        if self._errors is None:
            self._errors = Errors(self.problem)
        return self._errors(stepper.fields(state.weights), state.time)

    def _memory(self) -> int:
        return sum(weight.numel() * weight.element_size() for weight in self.networks.parameters())

    @staticmethod
    def _draw_curves(rows: list[dict[str, float]], folder: Path) -> None:
        from sciml import plots

        errors = [name for name in out.ERRORS[:2] if name in rows[0]]
        watched = [name for name in rows[0] if name not in ("time", *out.ERRORS)]
        amounts = [name for name in watched if name.endswith(AMOUNTS)] or watched
        if errors or amounts:
            (folder / "figures").mkdir(exist_ok=True)
            plots.time_curves(rows, folder / "figures" / "history.png", errors=errors, amounts=amounts)


def _summary(rows: list[dict[str, float]]) -> dict[str, float]:
    """Numbers of a run: the error averaged over the steps, that of the last one, and drifts of what is watched."""
    numbers: dict[str, float] = {}
    if "mean_absolute_error" in rows[0]:
        numbers["time_averaged_mae"] = statistics.fmean(row["mean_absolute_error"] for row in rows[1:])
    first, last = rows[0], rows[-1]
    for name, value in last.items():
        if name in out.ERRORS:
            numbers[name] = value
        elif name != "time":
            numbers[name] = value
            numbers[f"{name}_change"] = value - first[name]
    return numbers
