"""``sciml solve``: a transport problem as a task, one round of one slab of time an epoch."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, ClassVar

import lightning
import torch
from torch import Tensor, nn

from sciml.domains.output_points import check_inside
from sciml.errors import InputError
from sciml.lpinn import output as out
from sciml.lpinn.cautions import cautions
from sciml.lpinn.characteristics import Characteristics
from sciml.lpinn.fitting import Fitting
from sciml.lpinn.frames import Ale, Frame, Lagrangian
from sciml.lpinn.least_action import EntropyField, field_of
from sciml.lpinn.networks import start_at_zero
from sciml.lpinn.output import LabelErrors, Output
from sciml.lpinn.problems import TransportProblem
from sciml.lpinn.readout import Field
from sciml.lpinn.solver import Points, SpaceTimeSolver, State
from sciml.mesh import read_mesh
from sciml.mesh.files import write_fields
from sciml.numerics.flat import FlatModule
from sciml.training.callbacks import read_rows
from sciml.training.settings import Training
from sciml.training.task import Task

WATCHED = 4  # times of a slab at which the error is watched


class SpaceTimeFitting(Task):
    """Solve a transport problem by networks of characteristics.

    Parameters
    ----------
    problem : what is solved
    network : of ``(label, time in its slab scaled to [0, 1])``; every slab has its own weights
    frame : how labels move; unless given Ale for a velocity that depends on u with viscosity, else Lagrangian
    slabs : of time, of equal length
    rounds : of each slab
    fitting : method of a round; least squares unless given
    points : where residuals are evaluated
    output : where the solution is written
    zero_start : whether the last layer starts at 0, so that labels move straight with the drift and carry the start

    References
    ----------
    Mojgani, Balajewicz, Hassanzadeh, "Kolmogorov n-width and Lagrangian physics-informed neural networks: a
    causality-conforming manifold for convection-dominated PDEs", CMAME 404, 2023.
    """

    precisions: ClassVar[tuple[str, ...]] = ("64-true",)
    epochs_of: ClassVar[str | tuple[str, ...] | None] = ("rounds", "slabs")

    def __init__(  # noqa: PLR0913 - the sections of a config
        self,
        problem: TransportProblem,
        network: nn.Module,
        frame: Frame | None = None,
        slabs: int = 1,
        rounds: int = 10,
        fitting: Fitting | None = None,
        points: Points | None = None,
        output: Output | None = None,
        zero_start: bool = True,
    ) -> None:
        super().__init__()
        if frame is None:
            frame = Ale() if problem.viscosity and not problem.passive else Lagrangian()
        if zero_start:
            if not hasattr(getattr(network, "state", network), "layers"):
                raise InputError(
                    f"{type(network).__name__} has no layers of which the last one could be 0; set zero_start to false."
                )
            start_at_zero(network)
        self.network, self.output = network.double(), output or Output()
        self._made = Characteristics(problem, frame, FlatModule(network), slabs)
        with warnings.catch_warnings():  # describe() says the same, once a run
            warnings.simplefilter("ignore", UserWarning)
            self.solver = SpaceTimeSolver(self._made, rounds, fitting, points)
        self._place = self.output.place(problem.domain)
        start = self.solver.initial()
        self.register_buffer("weights", start.weights)
        self.register_buffer("damping", torch.tensor(start.damping, dtype=torch.float64))
        self.register_buffer("rms", torch.tensor(start.rms, dtype=torch.float64))
        self._errors: LabelErrors | None = None

    def describe(self) -> str:
        """Problem, frame, weights and fits on one line, and what is known to go wrong."""
        made, solver = self._made, self.solver
        slabs = f"{made.slabs} slabs of time" if made.slabs > 1 else "one slab of time"
        return (
            f"{type(made.problem).__name__} in the {type(made.frame).__name__} frame, {slabs} with "
            f"{made.network.count} weights, {solver.rounds} rounds by {type(solver.fitting).__name__} on "
            f"{solver.points.count} points{self._cautions()}"
        )

    def prepare(self, settings: Training, seed: int) -> None:
        """Say how to train, and with which random numbers."""
        super().prepare(settings, seed)
        self.solver.seed = seed

    def advance(self, batch: int) -> dict[str, Tensor | float]:
        """Make one round of one slab."""
        with torch.enable_grad():
            after, report = self.solver.advance(self._state())
        self.weights.copy_(after.weights)
        self.damping.fill_(after.damping)
        self.rms.copy_(torch.tensor(after.rms, dtype=torch.float64))
        self._made.network.assign(after.weights[report.slab])
        field, length = self._field(), self._made.length
        if self._errors is None:
            self._errors = LabelErrors(self._made.problem)
        times = [length * (report.slab + (number + 1) / WATCHED) for number in range(WATCHED)]
        # A time is in the slab that begins there: the end of this one would be in the next, which is not fitted yet.
        times = [min(time, length * (report.slab + 1) * (1 - 1e-9)) for time in times]
        # What labels carry past a shock, where they are overtaken, is no error of u.
        known = self._errors.known and not isinstance(field, EntropyField)
        numbers = {"error": self._errors(field, times)} if known else {}
        stretch = min(float(field.stretch(time)) for time in times)
        return {
            **numbers,
            "residual": report.rms,
            "smallest_stretch": stretch,
            "solves": report.solves,
            "slab": report.slab,
        }

    def solution(self, folder: Path) -> dict[str, float]:
        """Write u and pictures; return errors over the run, and the memory of the representation."""
        field = self._field()
        with torch.no_grad():
            numbers = self._numbers(field)
            out.write_series(field, folder, self._place, self.output.moments(self._made.problem))
            out.draw(field, folder, animation=self.output.animation)
        out.draw_history(read_rows(folder / "metrics.csv"), folder)
        if self.output.diagnostics:
            self.diagnose(folder)
        return numbers

    def diagnose(self, folder: Path) -> dict[str, Any]:
        """Write ``diagnostics.json``, ``figures/spectrum.png`` and ``figures/landscape.png`` into a run's folder.

        Of a finished run: ``load_task(folder).diagnose(folder)``.

        Returns
        -------
        dict
            What is in the file: ``frame``, ``modes`` and bandwidths by history, ``spectrum``, ``landscape``.
        """
        with torch.no_grad():
            return out.diagnose(self._field(), self.solver, self._state(), Path(folder))

    def evaluate(self, data: lightning.LightningDataModule) -> dict[str, float]:
        """Errors over the run."""
        with torch.no_grad():
            return self._numbers(self._field())

    def predict_file(self, source: Path, output: Path) -> dict[str, float]:
        """Evaluate u at the end of the run at the points of a mesh file, and write it to another one."""
        mesh = read_mesh(source)[0]
        problem = self._made.problem
        check_inside(mesh, problem.domain, source)
        with torch.no_grad():
            write_fields(output, mesh, out.sample_on(self._field(), mesh, problem.duration))
        return {"points": float(mesh.n_points)}

    def _cautions(self) -> str:
        made = self._made
        if isinstance(self._field(), EntropyField):  # labels may cross
            return ""
        return "".join(f". Note: {sentence}" for sentence in cautions(made.problem, made.frame))

    def _state(self) -> State:
        return State(self.current_epoch, self.weights, float(self.damping), tuple(self.rms.tolist()))

    def _field(self) -> Field:
        return field_of(self._made, self.weights)

    def _numbers(self, field: Field) -> dict[str, float]:
        memory = self.weights.numel() * self.weights.element_size()
        return {**out.errors(field), "residual": float(self.rms.max()), "memory_bytes": float(memory)}
