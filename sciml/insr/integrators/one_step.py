"""One-step methods for problems with a rate: Runge-Kutta methods and the Padé approximation of the exponential."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from sciml.errors import InputError
from sciml.insr.fitting import Fit, Sample
from sciml.insr.integrators.base import Fits, Integrator, NeuralFields, Step
from sciml.insr.problems.base import EvolutionProblem, Problem
from sciml.numerics.derivatives import Jet
from sciml.numerics.least_squares import Residuals


@dataclass(frozen=True)
class _Tableau:
    """The coefficients of a stiffly accurate diagonally implicit Runge-Kutta method."""

    matrix: tuple[tuple[float, ...], ...]
    order: int

    @property
    def nodes(self) -> tuple[float, ...]:
        return tuple(sum(row) for row in self.matrix)


_ALPHA = 0.435866521508459  # root of x^3 - 3 x^2 + 3/2 x - 1/6
_SDIRK3_LAST = (-(6 * _ALPHA**2 - 16 * _ALPHA + 1) / 4, (6 * _ALPHA**2 - 20 * _ALPHA + 5) / 4)
_TABLEAUS = {
    "explicit_euler": _Tableau(((0.0,), (1.0, 0.0)), 1),
    "implicit_euler": _Tableau(((1.0,),), 1),
    "midpoint": _Tableau(((0.0,), (0.5, 0.5)), 2),
    "sdirk3": _Tableau(((_ALPHA,), ((1 - _ALPHA) / 2, _ALPHA), (*_SDIRK3_LAST, _ALPHA)), 3),
    "rk4": _Tableau(((0.0,), (0.5, 0.0), (0.0, 0.5, 0.0), (0.0, 0.0, 1.0, 0.0), (1 / 6, 1 / 3, 1 / 3, 1 / 6, 0.0)), 4),
}
"""By the names of the paper, whose "midpoint" is the Crank-Nicolson method."""


@dataclass(frozen=True)
class RungeKutta(Integrator):
    """An explicit or diagonally implicit Runge-Kutta method with one fit per stage.

    Stage ``i`` fits ``U_i - dt a_ii F(U_i) = u + dt sum_{j < i} a_ij F(U_j)``; the last one is the new field.

    Parameters
    ----------
    rule : ``"explicit_euler"``, ``"implicit_euler"``, ``"midpoint"`` (Crank-Nicolson by its name in the paper),
        ``"sdirk3"`` (third order, L-stable) or ``"rk4"``

    References
    ----------
    Alexander, "Diagonally implicit Runge-Kutta methods for stiff O.D.E.'s", SIAM J. Numer. Anal. 14, 1977: sdirk3.
    """

    rule: str = "midpoint"

    def __post_init__(self) -> None:
        if self.rule not in _TABLEAUS:
            raise InputError(f"there is no Runge-Kutta method {self.rule!r}, expected one of {', '.join(_TABLEAUS)}.")

    @property
    def order(self) -> int:
        """The order of accuracy in time."""
        return _TABLEAUS[self.rule].order

    def check(self, problem: Problem) -> None:
        """Refuse problems that are not given by a rate."""
        _need_rate(problem, f"the Runge-Kutta method {self.rule}")

    def advance(self, step: Step) -> Fits:
        """Yield one fit for each stage that differs from the present field."""
        tableau = _TABLEAUS[self.rule]
        stages: list[NeuralFields] = []
        for row, node in zip(tableau.matrix, tableau.nodes, strict=True):
            if not any(row):
                stages.append(step.now)
                continue
            known = tuple(zip(row[:-1], tableau.nodes, stages, strict=False))
            weights = yield self._stage(step, stages[-1] if stages else step.now, known, row[-1], node)
            stages.append(NeuralFields(step.networks, {"u": weights}))
        return dict(stages[-1].weights)

    def _stage(
        self,
        step: Step,
        guess: NeuralFields,
        known: tuple[tuple[float, float, NeuralFields], ...],
        implicit: float,
        node: float,
    ) -> Fit:
        problem, network, dt = step.problem, step.networks["u"], step.length
        time = step.time + node * dt

        def left(weights: Tensor, points: Tensor, target: Tensor) -> Tensor:
            if not implicit:
                return network(weights, points) - target
            u = network(weights, points, problem.order, problem.directions(points))
            return u.value - dt * implicit * problem.rate(points, u, time) - target

        def residuals(sample: Sample) -> list[Residuals]:
            points = sample.interior
            target = step.now("u", points)
            for factor, at, stage in known:
                if factor:
                    u = stage("u", points, problem.order, problem.directions(points))
                    target = target + dt * factor * problem.rate(points, u, step.time + at * dt)
            return [Residuals("equation", left, (points, target)), *step.boundary("u", sample, time)]

        return Fit("u", guess.weights["u"], residuals)


@dataclass(frozen=True)
class Pade22(Integrator):
    """The Padé(2,2) approximation of the exponential for linear problems: fourth order with one fit per step.

    ``(1 - z/2 + z^2/12) u_{n+1} = (1 + z/2 + z^2/12) u_n`` with ``z = dt F``.

    Symmetric and A-stable; equal to the two-stage Gauss-Legendre method.

    References
    ----------
    Hairer, Wanner, "Solving ordinary differential equations II", section IV.3.
    """

    order: int = field(default=4, init=False)

    def check(self, problem: Problem) -> None:
        """Refuse problems that are not linear or do not define ``rate_of_rate``."""
        _need_rate(problem, "pade22")
        if not problem.linear or type(problem).rate_of_rate is EvolutionProblem.rate_of_rate:
            raise InputError(
                f"pade22 needs a linear problem that gives its rate_of_rate, which {type(problem).__name__} is not; "
                "use RungeKutta with sdirk3 or rk4."
            )

    def advance(self, step: Step) -> Fits:
        """Yield the one fit of the step."""
        problem, network, dt = step.problem, step.networks["u"], step.length

        def combine(points: Tensor, u: Jet, sign: float) -> Tensor:
            twice = problem.rate_of_rate(points, u)
            return u.value + sign * dt / 2 * problem.rate(points, u, 0.0) + dt**2 / 12 * twice

        def left(weights: Tensor, points: Tensor, target: Tensor) -> Tensor:
            return combine(points, network(weights, points, 2, problem.directions(points)), -1) - target

        def residuals(sample: Sample) -> list[Residuals]:
            points = sample.interior
            target = combine(points, step.now("u", points, 2, problem.directions(points)), 1)
            boundary = step.boundary("u", sample, step.time + dt)
            return [Residuals("equation", left, (points, target)), *boundary]

        weights = yield Fit("u", step.now.weights["u"], residuals)
        return {"u": weights}


def _need_rate(problem: Problem, scheme: str) -> None:
    if not isinstance(problem, EvolutionProblem):
        raise InputError(
            f"{scheme} needs a problem with a rate, du/dt = rate(u), which {type(problem).__name__} is not; use the "
            "integrator that the problem names."
        )
