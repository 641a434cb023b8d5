"""The time stepper: networks, their parameters now and one step before, and the fits that advance them."""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain

import numpy as np
import torch
from torch import Tensor, nn

from sciml.checks import positive
from sciml.domains import Box
from sciml.errors import DivergenceError, InputError
from sciml.insr.fitting import Fit, FitPoints, Fitted, Fitting, LeastSquaresFit, Sample
from sciml.insr.integrators.base import Integrator, NeuralFields, Step, boundary_residuals
from sciml.insr.problems import Problem
from sciml.nets.ansatz import VanishingOnBox
from sciml.numerics.flat import FlatModule
from sciml.numerics.least_squares import Residuals
from sciml.numerics.random import generator
from sciml.status import Status
from sciml.tables import summary

PERIOD_POINTS = 32
ASKED = 50  # points at which the methods of a problem are tried
SAME_PERIOD = 1e-3  # relative; single precision leaves 1e-5
LARGEST_GROWTH = 10.0  # of the energy, for problems that watch one


@dataclass(frozen=True)
class TimeStepState:
    """The parameters of all fields at a time, and those one step before.

    Attributes
    ----------
    step : number of steps made
    time : in the unit of the problem
    weights : by field
    before : one step before; None at time 0
    """

    step: int
    time: float
    weights: Mapping[str, Tensor]
    before: Mapping[str, Tensor] | None = None


@dataclass(frozen=True, repr=False)
class StepReport:
    """The report of one time step.

    Attributes
    ----------
    step, time : after it
    rms : largest root mean square residual of its fits
    solves : of all its fits together; iterations for Adam
    seconds : CPU time [s]
    quantities : that the problem monitors, such as energy
    status : the worst one of its fits; an energy that no step decreases any further is at its minimum
    """

    step: int
    time: float
    rms: float
    solves: int
    seconds: float
    quantities: Mapping[str, float]
    status: Status = Status.CONVERGED

    def __str__(self) -> str:
        """Return the step on one line."""
        watched = "".join(f", {name} {value:.6g}" for name, value in self.quantities.items())
        return f"step {self.step}, t = {self.time:.6g}: residual {self.rms:.2e} after {self.solves} solves{watched}"

    def __repr__(self) -> str:
        """Return the report as a table."""
        rows = {"time": self.time, "residual norm (rms)": f"{self.rms:.2e}", "solves or updates": self.solves}
        rows["status"] = self.status.value
        return summary(f"Step {self.step}", {**rows, "CPU time [s]": self.seconds, **self.quantities})


class TimeStepper:
    """Solve a problem in time with networks as the only representation of its fields in space.

    Parameters
    ----------
    problem : to be solved
    networks : by field; the fit of the initial condition begins from their parameters
    integrator : time-stepping scheme
    time_step : its length, a positive number
    fitting : algorithm of all fits
    points : at which residuals are evaluated
    seed : of the points

    Raises
    ------
    InputError
        If fields and networks do not match, or the integrator is not for the problem.

    Examples
    --------
    >>> from sciml.insr import Advection, Pade22
    >>> from sciml.nets.coordinate import FourierNetwork
    >>> network = FourierNetwork(1, box=[[-2], [2]]).double()
    >>> stepper = TimeStepper(Advection(), {"u": network}, Pade22(), time_step=0.05)
    >>> for state, report in stepper.run(240): ...                                       # doctest: +SKIP
    """

    def __init__(
        self,
        problem: Problem,
        networks: Mapping[str, nn.Module],
        integrator: Integrator,
        time_step: float,
        *,
        fitting: Fitting | None = None,
        points: FitPoints | None = None,
        seed: int = 0,
    ) -> None:
        positive("the time step", time_step)
        if set(networks) != set(problem.fields):
            raise InputError(
                f"there are networks for {', '.join(networks) or 'nothing'}, expected one for each field of "
                f"{type(problem).__name__}: {', '.join(problem.fields)}."
            )
        _check_networks(problem, networks)
        integrator.check(problem)
        for name, network in networks.items():
            _check_period(problem, name, network)
            _check_faces(problem, name, network)
        self.problem, self.integrator, self.time_step = problem, integrator, time_step
        self.networks = {name: FlatModule(networks[name]) for name in problem.fields}
        self.fitting, self.points = fitting or LeastSquaresFit(), points or FitPoints()
        self.seed = seed
        self._asked = False  # whether the equations of the problem have been checked
        points = problem.domain.interior(ASKED, generator(0), kind="uniform")
        for answer in problem.data_answers(points, 0.0):
            answer.check()
        if isinstance(self.fitting, LeastSquaresFit):
            self._check_count()

    def initial(self) -> tuple[TimeStepState, StepReport]:
        """Fit the initial condition; return the state at time 0.

        Raises
        ------
        DivergenceError
            If a network does not reach ``fitting.initial_tolerance``.
        """
        self._check_equations({name: network.vector() for name, network in self.networks.items()}, 0.0)
        begin, weights, fits = clock.process_time(), {}, []
        for number, name in enumerate(self.networks):
            fitted = self._fit(self._initial_fit(name), 0, number, initial=True)
            self._check_initial(name, fitted)
            weights[name] = fitted.parameters
            fits.append(fitted)
        state = TimeStepState(0, 0.0, weights)
        return state, self._report(state, fits, begin)

    def advance(self, state: TimeStepState) -> tuple[TimeStepState, StepReport]:
        """Advance the state by one time step.

        Raises
        ------
        DivergenceError
            If residuals are not finite, or an energy has grown by a factor of ten in the step; ``state`` is the last
            good one.
        """
        self._check_equations(state.weights, state.time)
        begin, fits = clock.process_time(), []
        before = None if state.before is None else self.fields(state.before)
        step = Step(self.problem, self.fields(state.weights), before, state.time, self.time_step)
        stages = self.integrator.advance(step)
        try:
            fit = next(stages)
            while True:
                fits.append(self._fit(fit, state.step + 1, len(fits)))
                fit = stages.send(fits[-1].parameters)
        except StopIteration as end:
            weights = end.value
        after = TimeStepState(state.step + 1, (state.step + 1) * self.time_step, weights, state.weights)
        report = self._report(after, fits, begin)
        self._check(report, state)
        return after, report

    def run(self, steps: int, state: TimeStepState | None = None) -> Iterator[tuple[TimeStepState, StepReport]]:
        """Yield the state at time 0, unless a state is given, and the state after each of ``steps`` steps."""
        if state is None:
            state, report = self.initial()
            yield state, report
        for _ in range(steps):
            state, report = self.advance(state)
            yield state, report

    def __repr__(self) -> str:
        """Return the problem, the networks and the settings as a table."""
        networks = [
            f"{name}: {type(net.module).__name__}, {net.count} parameters" for name, net in self.networks.items()
        ]
        rows = {"problem": self.problem, "networks": "\n".join(networks), "integrator": self.integrator}
        rows |= {"time step": float(self.time_step), "fits": type(self.fitting).__name__, "points": self.points}
        return summary(type(self).__name__, rows)

    def fields(self, weights: Mapping[str, Tensor]) -> NeuralFields:
        """Return the fields with given parameters, to be evaluated."""
        return NeuralFields(self.networks, weights)

    def _initial_fit(self, name: str) -> Fit:
        problem, network = self.problem, self.networks[name]

        def left(weights: Tensor, points: Tensor, target: Tensor) -> Tensor:
            return problem.observe(name, network(weights, points, problem.observed_order(name))) - target

        def residuals(sample: Sample) -> list[Residuals]:
            target = problem.initial_field(name, sample.interior)
            boundary = boundary_residuals(problem, network, name, sample, 0.0)
            return [Residuals("initial condition", left, (sample.interior, target)), *boundary]

        return Fit(name, network.vector(), residuals)

    def _fit(self, fit: Fit, step: int, number: int, *, initial: bool = False) -> Fitted:
        device, dtype = fit.start.device, fit.start.dtype
        network = self.networks[fit.field]
        proposals = [partial(self.problem.propose, fit.field)] if initial else []
        if hasattr(network.module, "propose") and isinstance(box := self.problem.domain, Box):
            corners = [torch.tensor(corner, dtype=torch.float64, device=device) for corner in (box.lower, box.upper)]
            proposals.append(partial(network.module.propose, lower=corners[0], upper=corners[1]))

        def draw(count: int, weights: Tensor) -> Sample:
            draws = generator(self.seed, step, number, count, device=device)
            if not self.points.adaptive:
                return self.points.sample(self.problem.domain, draws).to(dtype)
            held, guide = network.vector(), replace(fit, start=weights)
            network.assign(weights)  # for its own proposals
            sample = self.points.sample(self.problem.domain, draws, guide, proposals).to(dtype)
            network.assign(held)
            return sample

        method: Callable[..., Fitted] = self.fitting.fit_initial if initial else self.fitting.fit
        try:
            fitted = method(fit, draw, generator(self.seed, step, number, device=device))
            if not fitted.rms < float("inf"):
                raise DivergenceError(
                    f"the fit of {fit.field!r} in step {step} is not finite any more; take a smaller time step, a "
                    "smaller learning rate or more points."
                )
        except DivergenceError as error:
            draws = generator(self.seed, step, number, 0, device=device)
            sample = self.points.sample(self.problem.domain, draws).to(dtype)
            if (cause := self._not_finite(fit, sample, step)) is not None:
                raise DivergenceError(f"{cause}; {error}") from error
            raise
        if fit.integral and fitted.status == Status.STALLED:
            return replace(fitted, status=Status.CONVERGED)
        return fitted

    def _check_equations(self, weights: Mapping[str, Tensor], time: float) -> None:
        """Check once what the methods of the problem return for fields with these parameters."""
        if self._asked:
            return
        like = next(iter(weights.values()))
        draws = generator(0, device=like.device)
        sample = FitPoints(ASKED, "uniform").sample(self.problem.domain, draws).to(like.dtype)
        with torch.no_grad():
            for answer in self.problem.equation_answers(self.fields(weights), sample.interior, sample.boundary, time):
                answer.check()
        self._asked = True

    def _not_finite(self, fit: Fit, sample: Sample, step: int) -> str | None:
        """Return which method of the problem is not finite where a fit is not, and where; None if all are."""
        weights = {name: network.vector() for name, network in self.networks.items()} | {fit.field: fit.start}
        for time in dict.fromkeys([max(step - 1, 0) * self.time_step, step * self.time_step]):
            with torch.no_grad():
                answers = [self.problem.data_answers(sample.interior, time)] if not step else []
                answers.append(
                    self.problem.equation_answers(self.fields(weights), sample.interior, sample.boundary, time)
                )
                for answer in chain(*answers):
                    if (found := answer.not_finite(time)) is not None:
                        return found
        return None

    def _check_initial(self, name: str, fitted: Fitted) -> None:
        network = self.networks[name]
        draws = generator(self.seed, 0, device=fitted.parameters.device)
        points = self.problem.domain.wrap(self.problem.propose(name, 2048, draws)).to(fitted.parameters)
        target = self.problem.initial_field(name, points)
        size = float(target.square().sum(1).mean()) ** 0.5
        limit = self.fitting.initial_tolerance
        # At these points, not at those of the fit, which may have missed the support of the initial condition.
        found = NeuralFields(self.networks, {name: fitted.parameters}).observe(self.problem, name, points)
        rest = float((found - target).square().sum(1).mean()) ** 0.5
        if size and not rest <= limit * size:
            raise DivergenceError(
                f"the network of {name!r} with {network.count} parameters fits the initial condition with a relative "
                f"error of {rest / size:.1e}, expected at most {limit:g}; make it wider, or change its frequency or "
                "modes."
            )

    def _check_count(self) -> None:
        """Refuse fewer residuals than least squares needs."""
        point = self.problem.domain.interior(1, generator(0), kind="uniform")
        for name, flat in self.networks.items():
            channels = self.problem.initial_field(name, point).shape[1]
            if 2 * self.points.count * channels < flat.count:
                raise InputError(
                    f"there are {self.points.count} points for the {flat.count} parameters of {name!r}; least squares "
                    f"needs at least {-(-flat.count // (2 * channels))}, better {2 * flat.count // channels}."
                )

    def _report(self, state: TimeStepState, fits: list[Fitted], begin: float) -> StepReport:
        quantities = self.problem.quantities(self.fields(state.weights), state.time)
        return StepReport(
            state.step,
            state.time,
            max(fit.rms for fit in fits),
            sum(fit.solves for fit in fits),
            clock.process_time() - begin,
            quantities,
            Status.worst(fit.status for fit in fits),
        )

    def _check(self, report: StepReport, last: TimeStepState) -> None:
        if "energy" not in report.quantities:
            return
        now = report.quantities["energy"]
        before = self.problem.quantities(self.fields(last.weights), last.time)["energy"]
        if not now <= LARGEST_GROWTH * abs(before) + 1e-9:
            raise DivergenceError(
                f"the energy grew from {before:.3g} to {now:.3g} in step {report.step}; take a smaller time step."
            )


def _check_networks(problem: Problem, networks: Mapping[str, nn.Module]) -> None:
    for name, network in networks.items():
        shape = (getattr(network, "inputs", None), getattr(network, "outputs", None))
        expected = (problem.domain.dim, problem.fields[name])
        if shape != expected:
            raise InputError(
                f"the network of {name!r} has {shape[0]} inputs and {shape[1]} outputs, expected {expected[0]} and "
                f"{expected[1]}."
            )


def _check_period(problem: Problem, name: str, network: nn.Module) -> None:
    """Refuse a network that is not periodic where the box is, as no condition joins opposite faces."""
    domain = problem.domain
    if not isinstance(domain, Box) or not any(domain.periodic):
        return
    weight = next(network.parameters())
    points = domain.interior(PERIOD_POINTS, torch.Generator().manual_seed(0), kind="uniform")
    with torch.no_grad():
        values = network(points.to(weight))
        for axis in (axis for axis, wraps in enumerate(domain.periodic) if wraps):
            period = domain.upper[axis] - domain.lower[axis]
            moved = points.clone()
            moved[:, axis] += period
            if float((network(moved.to(weight)) - values).norm()) > SAME_PERIOD * float(values.norm()):
                raise InputError(
                    f"the box is periodic along axis {axis} with period {period:g}, but the network of {name!r}, a "
                    f"{type(network).__name__}, has other values a period away; take a FourierNetwork with that "
                    "box, or a problem that is not periodic."
                )


def _check_faces(problem: Problem, name: str, network: nn.Module) -> None:
    """Refuse a network that vanishes on the faces of another box than that of the problem."""
    if not isinstance(network, VanishingOnBox):
        return
    corners, domain = [network.lower.tolist(), network.upper.tolist()], problem.domain
    same = isinstance(domain, Box) and np.allclose(corners, [domain.lower, domain.upper], rtol=1e-6)
    if not same or any(domain.periodic):
        box = f"the box {domain.lower} to {domain.upper}" if isinstance(domain, Box) else "a mesh"
        box += ", periodic" if any(getattr(domain, "periodic", ())) else ""
        raise InputError(
            f"the network of {name!r} vanishes on the faces of the box {corners[0]} to {corners[1]}, but the domain of "
            f"{type(problem).__name__} is {box}; give it that box, or use a penalty."
        )
