"""``sciml solve`` of a transport problem: a task whose epochs are the rounds of its time slabs."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from sciml.errors import InputError
from sciml.lpinn.characteristics import Characteristics
from sciml.lpinn.fitting import Fitting
from sciml.lpinn.frames import Frame, default_frame
from sciml.lpinn.networks import start_at_zero
from sciml.lpinn.output import VALUES_PER_AXIS, WATCHED, SpaceTimeOutput, draw_characteristics
from sciml.lpinn.problems import TransportProblem
from sciml.lpinn.readout import LabelErrors, SpaceTimeField, errors, field_of
from sciml.lpinn.solver import CollocationPoints, SpaceTimeSolver, SpaceTimeState
from sciml.mesh.series import Series
from sciml.numerics.flat import FlatModule
from sciml.run_records import METRICS, read_rows
from sciml.tables import counted
from sciml.training import fit_outcomes
from sciml.training.settings import Training
from sciml.training.solve_task import Fields, FieldsInTime, SolveTask

MONITORED = 4  # times of a slab at which the error is monitored


class SpaceTimeFitting(SolveTask):
    """Solve a transport problem by networks for its characteristics.

    Parameters
    ----------
    problem : to be solved; it is never replaced by another one
    network : of ``(label, time in its slab scaled to [0, 1])``; every slab has its own weights
    frame : how labels move; by default Ale for a velocity that depends on u with viscosity, otherwise Lagrangian
    slabs : number of time slabs of equal length
    rounds : number for each slab
    fitting : method of a round; least squares by default
    points : where residuals are evaluated
    output : where and when the solution is written
    zero_start : whether the last layer is zero initially, so that labels drift and keep their initial values

    References
    ----------
    Mojgani, Balajewicz, Hassanzadeh, "Kolmogorov n-width and Lagrangian physics-informed neural networks: a
    causality-conforming manifold for convection-dominated PDEs", CMAME 404, 2023.
    """

    precisions: ClassVar[tuple[str, ...]] = ("64-true",)
    values_per_axis: ClassVar[Mapping[int, int]] = VALUES_PER_AXIS
    watched: ClassVar[tuple[str, ...]] = WATCHED
    epoch_name: ClassVar[str] = "round"
    epochs_of: ClassVar[str | tuple[str, ...] | None] = ("rounds", "slabs")

    def __init__(  # noqa: PLR0913 - the sections of a config
        self,
        problem: TransportProblem,
        network: nn.Module,
        frame: Frame | None = None,
        slabs: int = 1,
        rounds: int = 10,
        fitting: Fitting | None = None,
        points: CollocationPoints | None = None,
        output: SpaceTimeOutput | None = None,
        zero_start: bool = True,
    ) -> None:
        super().__init__(problem, output or SpaceTimeOutput())
        if zero_start:
            if not hasattr(getattr(network, "state", network), "layers"):
                raise InputError(
                    f"{type(network).__name__} has no layers, expected a last one that can be set to zero; "
                    "set zero_start to false."
                )
            start_at_zero(network)
        self.network = network.double()
        characteristics = Characteristics(problem, frame or default_frame(problem), FlatModule(network), slabs)
        with warnings.catch_warnings():  # describe() says the same, once a run
            warnings.simplefilter("ignore", UserWarning)
            self.solver = SpaceTimeSolver(characteristics, rounds, fitting, points)
        initial = self.solver.initial()
        self.register_buffer("weights", initial.weights)
        self.register_buffer("damping", torch.tensor(initial.damping, dtype=torch.float64))
        self.register_buffer("rms", torch.tensor(initial.rms, dtype=torch.float64))

    def describe(self) -> str:
        """Return problem, frame, parameters and fits on one line, with what is known to go wrong."""
        solver, characteristics = self.solver, self.solver.characteristics
        slabs = f"{characteristics.slabs} time slabs" if characteristics.slabs > 1 else "one time slab"
        cautions = characteristics.frame.cautions(characteristics.problem)
        notes = "" if self._field().labels_may_cross else "".join(f". Note: {caution}" for caution in cautions)
        return (
            f"{characteristics.shown_problem} in the {type(characteristics.frame).__name__} frame, {slabs} with "
            f"{counted(characteristics.network.count, 'parameter')}, {counted(solver.rounds, 'round')} by "
            f"{type(solver.fitting).__name__} on {counted(solver.points.count, 'point')}{notes}"
        )

    def prepare(self, settings: Training, seed: int) -> None:
        """Set how to train, and the seed of all points."""
        super().prepare(settings, seed)
        self.solver.seed = seed

    def advance(self, batch: int) -> dict[str, Tensor | float]:
        """Make one round of one slab."""
        with torch.enable_grad():
            after, report = self.solver.advance(self._state())
        self.weights.copy_(after.weights)
        self.damping.fill_(after.damping)
        self.rms.copy_(torch.tensor(after.rms, dtype=torch.float64))
        characteristics = self.solver.characteristics
        characteristics.network.assign(after.weights[report.slab])
        field, length = self._field(), characteristics.length
        times = [length * (report.slab + (number + 1) / MONITORED) for number in range(MONITORED)]
        # A time is in the slab that begins there: the end of this one would be in the next, which is not fitted yet.
        times = [min(time, length * (report.slab + 1) * (1 - 1e-9)) for time in times]
        # The state of labels that a shock has overtaken is not an error of u.
        known = self._label_errors.known and not field.labels_may_cross
        numbers = {"error": self._label_errors(field, times)} if known else {}
        stretch = min(float(field.stretch(time)) for time in times)
        return {
            **numbers,
            "residual": report.rms,
            "smallest_stretch": stretch,
            "solves": report.solves,
            "slab": report.slab,
            **fit_outcomes.columns(report.status),
        }

    @property
    def known_times(self) -> tuple[float, float]:
        """Time 0, and the end of the last slab of which a round has been made."""
        if self.completed_epochs is None:
            return 0.0, self.duration
        begun = -(-self.completed_epochs // self.solver.rounds)
        slabs = self.solver.characteristics.slabs
        return 0.0, self.duration * min(begun, slabs) / slabs

    @property
    def in_time(self) -> str:
        """The networks of all time slabs."""
        slabs = counted(self.solver.characteristics.slabs, "time slab")
        return f"networks of space and time in {slabs}; derivatives through the characteristics are exact"

    def fields_at(self, time: float) -> Fields:
        """Return u at a time."""
        field = self._field()
        return lambda points: {"u": field(points, time)}

    def fields_in_time(self, time: float) -> FieldsInTime:
        """Return u around a time."""
        field = self._field()
        return lambda points, times: {"u": field(points, times)}

    def metrics(self) -> dict[str, float]:
        """Return errors over the run, and the largest residual of the slabs."""
        with torch.no_grad():
            found = errors(self._field(), lambda done: self.tell("measuring errors", done))
            return {**found, "residual": float(self.rms.max())}

    def memory_bytes(self) -> int:
        """Return the bytes of the weights of all slabs."""
        return self.weights.numel() * self.weights.element_size()

    def draw_more(self, series: Series, figures: Path) -> None:
        """Draw the characteristics over u(x, t) in one dimension."""
        draw_characteristics(self._field(), series, figures)

    def solution(self, folder: Path) -> dict[str, float]:
        """Write fields, pictures and, if asked for, diagnostics; return the metrics of the run and of its fits."""
        numbers, rounds = super().solution(folder), read_rows(folder / METRICS)
        if self.output.diagnostics:
            self.diagnose(folder)
        last = list({row["loss/slab"]: row for row in rounds}.values())
        return {**numbers, **fit_outcomes.summed(rounds, "slab", "residual", last)}

    @classmethod
    def remarks(cls, metrics: Mapping[str, float]) -> list[str]:
        """Return a sentence if the last rounds of slabs stopped before they met their tolerance."""
        return fit_outcomes.remarks(
            metrics, "slab", "allow more rounds or solves, take more points, or a larger network"
        )

    def diagnose(self, folder: Path) -> dict[str, Any]:
        """Write ``diagnostics.json``, ``figures/spectrum.png`` and ``figures/landscape.png`` into a run's folder.

        Of a finished run: ``load_task(folder).diagnose(folder)``.

        Returns
        -------
        dict
            The contents of the file: ``frame``, ``modes`` and bandwidths by history, ``spectrum``, ``landscape``.
        """
        from sciml.lpinn.diagnostics.report import diagnose

        with torch.no_grad():
            return diagnose(self._field(), self.solver, self._state(), Path(folder))

    @cached_property
    def _label_errors(self) -> LabelErrors:
        return LabelErrors(self.problem, self.solver.labelled_problem.labels)

    def _state(self) -> SpaceTimeState:
        return SpaceTimeState(self.current_epoch, self.weights, float(self.damping), tuple(self.rms.tolist()))

    def _field(self) -> SpaceTimeField:
        return field_of(self.solver.characteristics, self.weights)
