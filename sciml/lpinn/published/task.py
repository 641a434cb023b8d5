"""The task of the published method, with its read-out by interpolation and its error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from sciml.checks import choice
from sciml.domains import Box
from sciml.errors import CharacteristicCrossingError, InputError, PoorFitError, SciMLError
from sciml.lpinn.frames import Lagrangian
from sciml.lpinn.output import VALUES_PER_AXIS, SpaceTimeOutput, draw_characteristics
from sciml.lpinn.problems import TransportProblem
from sciml.lpinn.published.form import PublishedNetwork, SoftCharacteristics
from sciml.lpinn.readout import LabelErrors, errors
from sciml.lpinn.readout.folds import GOOD
from sciml.mesh.series import Series
from sciml.training.solve_task import Fields, SolveTask

CUT = 2  # points at either end that the published error leaves out
MONITORED = 4  # times at which the error is monitored during the run
WRAP = (
    "the position is the output of a network that is periodic in the label, while the position grows by the length of "
    "the interval: it is wrong by half of that at both ends at time 0, which no training removes. Set adds_label to "
    "true for results."
)


@dataclass(frozen=True)
class InterpolatedField:
    """The solution u of the published form, interpolated between characteristics that are wrapped into the interval.

    Parameters
    ----------
    form : problem and number of labels
    network : of angle and time
    readout : ``"linear"`` as published, or ``"spline"``, cubic and periodic
    """

    form: SoftCharacteristics
    network: nn.Module
    readout: Literal["linear", "spline"] = "linear"

    @property
    def problem(self) -> TransportProblem:
        """The problem that was solved."""
        return self.form.problem

    @property
    def label_box(self) -> Box:
        """The box of the labels."""
        return self.problem.labels

    @property
    def labels_are_particles(self) -> bool:
        """True: the published form is Lagrangian."""
        return True

    @property
    def device(self) -> torch.device:
        """The device of the network."""
        return next(self.network.parameters(), torch.zeros(())).device

    def home(self, points: Tensor) -> Tensor:
        """Return points moved by whole periods into the interval."""
        return self.problem.domain.wrap(points)

    def follow(self, labels: Tensor, time: float) -> tuple[Tensor, Tensor]:
        """Return position, not wrapped, and state of labels at a time, ``(n, 1)`` each, in float64."""
        motion = self._motion(labels, time, 0)
        return motion.position.value.to(labels), motion.state.value.to(labels)

    def stretch(self, time: float) -> Tensor:
        """Return the smallest J of the labels at a time."""
        return self._motion(self._labels(), time, 1).position.first[0].min().double()

    def crossed(self, time: float) -> float:
        """Return the share of neighbouring labels that are out of order at a time."""
        return float((self._gaps(self.follow(self._labels(), time)[0][:, 0].cpu().numpy()) <= 0).mean())

    def __call__(self, points: Tensor, time: float) -> Tensor:
        """Return u at points ``(n, 1)`` and a time: ``(n, 1)``, in float64.

        As published, positions without the label are sorted where they are out of order, as they are at the wrap.

        Raises
        ------
        CharacteristicCrossingError
            If labels have met, unless they are sorted.
        PoorFitError
            If they have, but the residual is too large for that to say anything about the flow.
        """
        position, state = (found[:, 0].cpu().numpy() for found in self.follow(self._labels(), time))
        wanted, length = points[:, 0].detach().double().cpu().numpy(), self.form.length
        gaps = self._gaps(position)
        if (gaps <= 0).any() and (self.form.adds_label or self.readout == "spline"):
            raise self._out_of_order(float(self._labels()[int(gaps.argmin())]), time)
        if self.readout == "linear":
            found = np.interp(wanted, position, state, period=length)
        else:
            from scipy.interpolate import CubicSpline

            ends = (np.append(position, position[0] + length), np.append(state, state[0]))
            found = CubicSpline(*ends, bc_type="periodic")(position[0] + (wanted - position[0]) % length)
        return torch.from_numpy(found).to(points.device)[:, None]

    def _out_of_order(self, label: float, time: float) -> SciMLError:
        """Return the error of neighbouring labels that have changed places: by the flow, or by a poor fit."""
        residual, remedy = self.residual(), "add viscosity, or use SpaceTimeFitting in the frame Ale or Eulerian"
        if not residual <= GOOD:
            return PoorFitError(
                f"labels are out of order at t = {time:.4g} near the label {label:.4g}, but the fit is too poor to "
                f"tell whether characteristics cross: the residual of the position is {residual:.2g}, expected at "
                f"most {GOOD:g}; train longer, {remedy}."
            )
        return CharacteristicCrossingError(
            f"characteristics have crossed before t = {time:.4g} near the label {label:.4g} (the residual of the "
            f"position is {residual:.2g}), and nothing is interpolated across; {remedy}."
        )

    def residual(self) -> float:
        """Return the root mean square residual of the position on the lattice, relative to the largest speed."""
        with torch.no_grad():
            points = self.form.lattice().to(self.device, next(self.network.parameters(), torch.zeros(())).dtype)
            motion = self.form.motion(self.network, points, 2 if self.problem.viscosity else 1)
            speed = self.problem.velocity(motion.position.value, motion.time, motion.state.value).abs().max()
            return float(self.form.residuals(motion)[0].square().mean().sqrt() / (speed or 1.0))

    def _labels(self) -> Tensor:
        """Return the labels of the lattice; both ends are the same point of the periodic interval."""
        return self.form.lattice()[: self.form.labels - 1, :1].to(self.device, torch.float64)

    def _gaps(self, position: np.ndarray) -> np.ndarray:
        return np.diff(position, append=position[0] + self.form.length)

    def _motion(self, labels: Tensor, time: float, order: int) -> Any:
        weight = next(self.network.parameters(), labels)
        points = torch.cat([labels, torch.full_like(labels, time)], 1).to(weight.dtype)
        with torch.no_grad():
            return self.form.motion(self.network, points, order)


def spectral_error(field: InterpolatedField, cut: int = CUT) -> float:
    """Return ``|u - exact| / |exact - mean|`` in the spectral norm of the matrix of points and times, as published.

    The points are those of the labels, without some at either end. The largest singular value is at most the
    Frobenius norm, so that the ratio may be more or less than the relative L2 error.

    Parameters
    ----------
    field : of a problem whose exact solution is known
    cut : number of points at either end that are left out
    """
    form, problem = field.form, field.problem
    points = form.lattice()[cut : form.labels - cut, :1]
    times = np.linspace(0.0, problem.duration, form.times)
    exact = torch.cat([problem.exact(points, float(time)) for time in times], 1)
    found = torch.cat([field(points, float(time)) for time in times], 1)
    mean = float(problem.initial(problem.probes()).mean())
    return float(torch.linalg.matrix_norm(found - exact, 2) / torch.linalg.matrix_norm(exact - mean, 2))


class PublishedLagrangian(SolveTask):
    """Solve a transport problem on a periodic interval as published: soft conditions, norms, a full lattice.

    The terms of the loss are ``position``, ``state`` and ``start``; as published, ``training.weights`` has 10, 1 and
    1000 for them.

    Parameters
    ----------
    problem : on a periodic interval
    network : of angle and time; by default the shared trunk of the official code
    diffusion : ``"label"`` as published, or ``"physical"``
    adds_label : whether X is the label plus the output of the network
    labels, times : numbers of the lattice
    readout : ``"linear"`` as published, or ``"spline"``
    output : where and when the solution is written

    References
    ----------
    Mojgani, Balajewicz, Hassanzadeh, "Kolmogorov n-width and Lagrangian physics-informed neural networks: a
    causality-conforming manifold for convection-dominated PDEs", CMAME 404, 2023, and its code.
    """

    values_per_axis: ClassVar[Mapping[int, int]] = VALUES_PER_AXIS

    def __init__(  # noqa: PLR0913 - the choices of the published method
        self,
        problem: TransportProblem,
        network: PublishedNetwork | None = None,
        diffusion: Literal["label", "physical"] = "label",
        adds_label: bool = False,
        labels: int = 256,
        times: int = 100,
        readout: Literal["linear", "spline"] = "linear",
        output: SpaceTimeOutput | None = None,
    ) -> None:
        super().__init__(problem, output or SpaceTimeOutput())
        choice("the read-out", readout, ("linear", "spline"))
        if self.output.diagnostics:
            raise InputError(
                "the published form has no diagnostics, which only SpaceTimeFitting provides; leave them out."
            )
        self.form = SoftCharacteristics(problem, diffusion, adds_label, labels, times)
        self.network, self.readout = network or PublishedNetwork(), readout
        self.register_buffer("lattice", self.form.lattice(), persistent=False)
        self._label_errors = LabelErrors(problem, problem.labels)

    def describe(self) -> str:
        """Return problem and lattice on one line, with what is known to go wrong."""
        form = self.form
        notes = Lagrangian(diffusion=form.diffusion).cautions(form.problem) + ([] if form.adds_label else [WRAP])
        return f"{type(form.problem).__name__} as published, {form.labels} labels at {form.times} times" + "".join(
            f". Note: {sentence}" for sentence in notes
        )

    def loss(self, batch: Any) -> dict[str, Tensor]:
        """Return norms, not squared, of the residuals of position, state and initial conditions."""
        return self.form.terms(self.network, self.lattice.to(next(self.network.parameters()).dtype))

    def validate(self, batch: Any) -> dict[str, Tensor]:
        """Return the error of the states on labels, or the loss if the exact solution is not known."""
        if not self._label_errors.known:
            return super().validate(batch)
        duration = self.form.problem.duration
        times = [duration * (number + 1) / MONITORED for number in range(MONITORED)]
        error = self._label_errors(self._field(), times)
        return {"error": self.lattice.new_tensor(error)}

    def fields_at(self, time: float) -> Fields:
        """Return u at a time."""
        field = self._field()
        return lambda points: {"u": field(points, time)}

    def metrics(self) -> dict[str, float]:
        """Return errors over the run, the published one among them, and the share of labels that have crossed."""
        field = self._field()
        numbers = errors(field, lambda done: self.tell("measuring errors", done))
        if self._label_errors.known:
            numbers["relative_spectral"] = spectral_error(field)
        times = np.linspace(0.0, self.problem.duration, self.form.times)
        return {**numbers, "largest_share_crossed": max(field.crossed(float(time)) for time in times)}

    def draw_more(self, series: Series, figures: Path) -> None:
        """Draw the characteristics over u(x, t)."""
        draw_characteristics(self._field(), series, figures)

    def _field(self) -> InterpolatedField:
        return InterpolatedField(self.form, self.network, self.readout)
