"""Coupled experts: polynomials on elements that satisfy an equation in least squares, one time slab after the other."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from sciml.checks import instance, number, real_tensor, shape, whole_number, within
from sciml.errors import DivergenceError, InputError
from sciml.hcmoe.elements import ElementBasis, Elements, Slabs, slab_basis
from sciml.hcmoe.end_conditions import oversampled, start_error, start_of
from sciml.hcmoe.problems.base import SpaceTimeProblem
from sciml.hcmoe.slab import Slab
from sciml.numerics.batched_least_squares import BatchedReport, BatchedSettings, minimise
from sciml.status import Status
from sciml.tables import counted, summary

# Gauss-Newton steps, undamped unless one fails to descend. At a cosine of 1e-3 what is left to gain is far below
# what the basis cannot represent.
ITERATION = BatchedSettings(
    tolerance=1e-12,
    max_solves=40,
    damping=1e-32,
    smallest_damping=1e-32,
    decrease=1e4,
    increase=1e4,
    patience=2,
    stationarity=1e-3,
)

START_TOLD = 1e-3  # of the size of u in the mean: a larger error of the start is told
LARGEST = 2**33  # bytes of the Jacobian of a slab, of which three copies are at work at a time
ROUNDING = 1e-12  # relative, of the duration


@dataclass(frozen=True, eq=False)
class SlabState:
    """The solution in a time slab.

    Attributes
    ----------
    number : of slabs that are solved, this one among them
    start : coefficients of u at the beginning of the slab, ``(instances, K, size)``
    change : those of the change since then, ``(instances, K, size, degree)``
    end : those of u at its end, ``(instances, K, size)``
    """

    number: int
    start: Tensor
    change: Tensor
    end: Tensor


@dataclass(frozen=True, repr=False)
class SlabReport:
    """The report of one slab.

    Attributes
    ----------
    number : of slabs that are solved
    time : at the end of the slab
    residual : root mean square of the residual times the length of the slab: by so much it may have changed u
    solves : linearisations, at most of all instances
    status : the worst one of the instances
    """

    number: int
    time: float
    residual: float
    solves: int
    status: Status

    def __repr__(self) -> str:
        """Return the report as a table."""
        rows = {"time": self.time, "residual": f"{self.residual:.2e}", "solves": self.solves}
        return summary(f"Slab {self.number}", {**rows, "status": self.status.value})


def about_start(error: float) -> list[str]:
    """Return a sentence if a start is far from the initial condition, by :attr:`CoupledExperts.start_error`."""
    if error <= START_TOLD:
        return []
    sentence = (
        f"the start differs from the initial condition by {error:.1e} of its size in the mean, and so does the "
        "solution: it contradicts a condition at an end, or is too steep for the elements. Grade the elements there "
        "(towards, smallest)."
    )
    return [sentence]


class CoupledExperts:
    """Solve a problem by one polynomial expert on each element of the interval, one time slab after the other.

    Initial values, boundary conditions, and values and slopes at faces hold exactly; each slab is a least-squares
    problem for the residual of the equation. There is no training.

    Parameters
    ----------
    problem : to be solved, one instance or many
    elements : where the experts live
    slabs : of time
    iteration : dampings and ends of the iterations of each slab

    Raises
    ------
    InputError
        If the problem is not well stated, or elements and slabs do not suit it.

    Examples
    --------
    >>> from sciml.hcmoe import CoupledExperts, Elements, Heat, Slabs
    >>> experts = CoupledExperts(Heat(diffusivity=[0.05, 0.1]), Elements(4, degree=10), Slabs(4, degree=8))
    >>> for state, report in experts.run(): pass
    >>> u = experts.values(state, torch.tensor([0.5], dtype=torch.float64), 1.0)  # (instances, points)
    >>> [f"{value:.6f}" for value in u[:, 0].tolist()]
    ['0.598781', '0.372568']
    """

    def __init__(
        self,
        problem: SpaceTimeProblem,
        elements: Elements | None = None,
        slabs: Slabs | None = None,
        iteration: BatchedSettings | None = None,
    ) -> None:
        instance("the problem", problem, SpaceTimeProblem, "a SpaceTimeProblem").check()
        if not problem.well_posed:
            raise InputError(
                f"{type(problem).__name__} is not well posed as it is stated, and experts that resolve all scales "
                "would follow what grows fastest; expected a well-posed problem, or ExpertConstraint on a given grid."
            )
        self.problem = problem
        self.elements = instance("elements", elements or Elements(), Elements, "Elements, such as Elements(16)")
        self.slabs = instance("slabs", slabs or Slabs(), Slabs, "Slabs, such as Slabs(20)")
        self.iteration = instance("iteration", iteration or ITERATION, BatchedSettings, "BatchedSettings")
        self._check_size()
        lower, upper = problem.domain.lower[0], problem.domain.upper[0]
        self.basis = ElementBasis(self.elements.faces(lower, upper), self.elements.degree)
        self.cuts = self.slabs.cuts(problem.duration, problem.time_power)

    @cached_property
    def start(self) -> Tensor:
        """The coefficients of the initial condition, ``(instances, K, size)``."""
        return start_of(self.problem, self.basis)

    @cached_property
    def start_error(self) -> float:
        """The mean difference between :attr:`start` and the initial condition, over the largest u of both.

        It is not small where the initial condition contradicts a condition at an end of large elements.
        """
        start = self.start  # with its gradients, before they are switched off
        with torch.no_grad():
            return start_error(self.problem, self.basis, start)

    @cached_property
    def times(self) -> list[float]:
        """The ends of the slabs, from 0 on."""
        return [*(self.cuts[:-1] ** self.problem.time_power).tolist(), float(self.problem.duration)]

    @property
    def unknowns(self) -> int:
        """The number of unknowns of one instance in all slabs together."""
        return self.slabs.count * self._slab(0, self.start).unknowns.count

    def advance(self, number: int, start: Tensor) -> tuple[SlabState, SlabReport]:
        """Solve the next slab from the state at its start; return its solution.

        Parameters
        ----------
        number : of slabs that are solved already
        start : coefficients of u at the end of the last of them, ``(instances, K, size)``

        Raises
        ------
        InputError
            If there is no slab after so many, or the start has another shape or type.
        DivergenceError
            If residuals are not finite.
        """
        whole_number("the number of slabs that are solved", number, at_least=0, at_most=self.slabs.count - 1)
        expected = (self.problem.instances, len(self.basis), self.basis.size)
        shape("the start of a slab", real_tensor("the start of a slab", start), expected)
        slab = self._slab(number, start)
        report = minimise(slab, start.new_zeros(len(start), slab.unknowns.count), settings=self.iteration)
        differentiated = torch.is_grad_enabled() and any(
            values.requires_grad for values in (start, *self.problem.coefficients.values())
        )
        change = slab.coefficients(slab.attached(report.w) if differentiated else report.w)
        state = SlabState(number + 1, start, change, slab.end_state(change))
        found = self._report(number + 1, report)
        if found.status == Status.DIVERGED:
            raise DivergenceError(f"the solution of slab {number + 1} is not finite any more; take shorter slabs.")
        return state, found

    def run(self) -> Iterator[tuple[SlabState, SlabReport]]:
        """Yield the solution of each slab; warn of a start that is far from the initial condition."""
        for sentence in about_start(self.start_error):
            warnings.warn(sentence, UserWarning, stacklevel=2)
        start = self.start
        for solved in range(self.slabs.count):
            state, report = self.advance(solved, start)
            yield state, report
            start = state.end

    def values(self, state: SlabState, x: Tensor, time: float | Tensor) -> Tensor:
        """Return u in a slab, differentiable by points and time; the transforms of ``torch.func`` apply.

        Parameters
        ----------
        state : of the slab that the time is in
        x : points of the interval, ``(n,)``
        time : one for all points, or ``(n,)``

        Returns
        -------
        Tensor
            ``(instances, n)``.

        Raises
        ------
        InputError
            If a point is outside of the interval, or a time outside of the slab.
        """
        faces, (first, last) = self.basis.face_points, self._times_of(state)
        shape("the points", within("the points", x, float(faces[0]), float(faces[-1])), ("n",))
        if not isinstance(time, Tensor):
            time = torch.tensor(number("the time", time), dtype=x.dtype, device=x.device)
        within("the times", time, first, last, remedy=f"slab {state.number} covers these")
        if time.numel() > 1:
            shape("the times", time, (len(x),))
        element, in_space = self.basis.at(x)
        begin, end = (self.cuts[state.number - 1 + k].to(x) for k in (0, 1))
        tau = time.to(x).clamp(min=0) ** (1 / self.problem.time_power)  # 0 but for rounding
        in_time = slab_basis(tau.reshape(-1), begin, end, self.slabs.degree)[0]
        if len(in_time) == 1:
            now = state.start.to(x) + state.change.to(x) @ in_time[0]
            return (in_space * now[:, element]).sum(2)
        change = torch.einsum("xn,ixnt,xt->ix", in_space, state.change.to(x)[:, element], in_time)
        return (in_space * state.start.to(x)[:, element]).sum(2) + change

    def values_at(self, x: Tensor, t: Tensor) -> Tensor:
        """Solve up to the latest of some times; return u of the first instance at points and times.

        Parameters
        ----------
        x, t : ``(n,)``

        Returns
        -------
        Tensor
            ``(n,)``, differentiable by the coefficients of the problem.
        """
        slabs = torch.tensor([self.slab_at(float(time)) for time in t])
        found = torch.zeros_like(x)
        for state, _ in itertools.islice(self.run(), int(slabs.max())):
            here = (slabs == state.number).nonzero()[:, 0]
            if len(here):
                found = found.index_put((here,), self.values(state, x[here], t[here])[0])
        return found

    def on_grid(self, states: Sequence[SlabState], times: Tensor, x: Tensor) -> Tensor:
        """Return u at all pairs of times and places, ``(instances, times, places)``.

        Parameters
        ----------
        states : of all slabs from the first one on
        times, x : within these slabs and within the interval, ``(n,)`` each

        Raises
        ------
        InputError
            If some are outside.
        """
        numbers = [min(self.slab_at(time), len(states)) for time in times.tolist()]
        found = [self.values(states[k - 1], x, time) for k, time in zip(numbers, times, strict=True)]
        return torch.stack(found, 1)

    def residuals(self, state: SlabState) -> Tensor:
        """Return the residual of each expert in a slab, ``(instances, K)``, of which the report has the mean square."""
        return self._slab(state.number - 1, state.start).residuals(state.change)

    def slab_at(self, time: float) -> int:
        """Return the number of the slab that a time is in, counted from 1."""
        duration = self.problem.duration
        number("the time", time, at_least=0, at_most=duration * (1 + ROUNDING))
        tau = torch.tensor(time, dtype=torch.float64) ** (1 / self.problem.time_power)
        return 1 + int(torch.bucketize(tau, self.cuts[1:-1]))

    def __repr__(self) -> str:
        """Return the problem, the bases and the number of unknowns as a table."""
        counts = {"experts": self.elements.count, "degree in space": self.elements.degree}
        slabs = {"time slabs": self.slabs.count, "degree in time": self.slabs.degree}
        rows = {"problem": self.problem, **counts, **slabs, "unknowns": counted(self.unknowns, "number")}
        return summary(type(self).__name__, rows)

    def _check_size(self) -> None:
        """Refuse slabs that take more memory than a computer is likely to have."""
        size, degree = self.elements.degree + 1, self.slabs.degree
        numbers = self.problem.instances * self.elements.count * oversampled(size) * oversampled(degree) * size * degree
        if 8 * numbers > LARGEST:
            raise InputError(
                f"the Jacobian of one time slab takes {8 * numbers / 2**30:,.0f} GiB, expected at most "
                f"{LARGEST / 2**30:.0f}; take fewer elements or instances, or smaller degrees."
            )

    def _times_of(self, state: SlabState) -> tuple[float, float]:
        """Return the first and the last time of a slab."""
        instance("the state", state, SlabState, "a SlabState, which advance returns")
        whole_number("the number of a slab", state.number, at_least=1, at_most=self.slabs.count)
        shape("the change in a slab", state.change, ("instances", len(self.basis), self.basis.size, self.slabs.degree))
        first, last = self.times[state.number - 1 : state.number + 1]
        return first, last

    def _slab(self, number: int, start: Tensor) -> Slab:
        begin, end = self.cuts[number : number + 2].tolist()
        return Slab(self.problem, self.basis, self.slabs.degree, begin, end, start)

    def _report(self, number: int, report: BatchedReport) -> SlabReport:
        rms = float((2 * report.cost.max()).sqrt())
        return SlabReport(number, self.times[number], rms, int(report.iterations.max()), report.worst)
