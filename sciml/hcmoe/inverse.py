r"""Inverse problems: coefficients of an equation from readings of its solution, and how far noise leaves them open.

Readings y_i = u(x_i, t_i; c) + noise determine coefficients c by least squares, whose Jacobian the adjoint solves of
the coupled experts give. The deviations of Cramér and Rao, square roots of the diagonal of \sigma^2 (J^T J)^{-1}, are
what no unbiased estimate can fall below; least squares reach them where the noise is small.

References
----------
Seber, Wild, Nonlinear Regression, 1989, section 2.1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from sciml.checks import positive, real_array
from sciml.errors import InputError
from sciml.hcmoe.coupled import CoupledExperts
from sciml.numerics.batched_least_squares import BatchedSettings, minimise
from sciml.numerics.batched_steps import DenseLinearisation
from sciml.status import Status

# Short steps at first, because far from the readings the misfit is not nearly quadratic.
CAREFUL = BatchedSettings(max_solves=40, damping=0.1, decrease=3.0, increase=5.0, stationarity=1e-3)


@dataclass(frozen=True, eq=False)
class Readings:
    """Noisy readings of a solution.

    Parameters
    ----------
    x, t : where and when, ``(n,)``, in float64
    u : what was read, ``(n,)``
    deviation : standard deviation of the noise, positive

    Raises
    ------
    InputError
        If lengths differ, or a number is not finite.
    """

    x: Tensor
    t: Tensor
    u: Tensor
    deviation: float

    def __post_init__(self) -> None:
        positive("the deviation of the readings", self.deviation)
        for name in ("x", "t", "u"):
            values = getattr(self, name)
            real_array(f"{name} of the readings", values.detach().numpy())
            if values.ndim != 1 or len(values) != len(self.x) or not bool(values.isfinite().all()):
                raise InputError(
                    f"{name} of the readings has the shape {tuple(values.shape)}, expected finite numbers of the shape "
                    f"of x, {tuple(self.x.shape)}."
                )


@dataclass(frozen=True, eq=False)
class Identified:
    """The coefficients that fit readings best.

    Attributes
    ----------
    value : ``(m,)``
    deviations : of Cramér and Rao, at the value, ``(m,)``
    status : how the fit ended
    solves : solutions with gradients that it took
    misfit : root mean square of the misfit over the deviation of the noise; about 1 if the model holds
    """

    value: Tensor
    deviations: Tensor
    status: Status
    solves: int
    misfit: float


def identify(
    experts_of: Callable[[Tensor], CoupledExperts],
    readings: Readings,
    start: Tensor,
    settings: BatchedSettings | None = None,
) -> Identified:
    """Find the coefficients whose solution fits readings best, by Levenberg-Marquardt steps.

    Parameters
    ----------
    experts_of : makes the experts for coefficients ``(m,)``, of which those of its problem are torch functions
    readings : at least as many as coefficients
    start : where the iteration begins, ``(m,)``, in float64
    settings : of the iteration

    Raises
    ------
    InputError
        If there are fewer readings than coefficients.
    """
    if len(readings.x) < len(start):
        raise InputError(
            f"there are {len(readings.x)} readings for {len(start)} coefficients, expected at least as many; take more "
            "readings, or determine fewer coefficients."
        )
    misfits = _Misfits(experts_of, readings)
    report = minimise(misfits, start[None], settings=settings or CAREFUL)
    found = report.w[0]
    triangle = misfits.linearise(found[None], torch.zeros(1, dtype=torch.long)).triangle[0, : len(start)]
    inverse = torch.linalg.inv(triangle)
    misfit = float((2 * report.cost[0] / len(readings.x)).sqrt())
    return Identified(found, inverse.norm(dim=1), report.status[0], int(report.iterations[0]), misfit)


@dataclass(frozen=True, eq=False)
class _Misfits:
    """The misfits over the deviation of the noise, a batch of one problem."""

    experts_of: Callable[[Tensor], CoupledExperts]
    readings: Readings

    def linearise(self, w: Tensor, items: Tensor) -> DenseLinearisation:
        """Return the misfits at some coefficients; the solution is kept until its Jacobian is asked for."""
        with torch.enable_grad():
            coefficients = w[0].detach().requires_grad_()
            misfit = (self._values(coefficients) - self.readings.u) / self.readings.deviation

        def jacobian() -> Tensor:
            units = torch.eye(len(misfit), dtype=misfit.dtype)
            rows = [torch.autograd.grad(misfit, coefficients, unit, retain_graph=True)[0] for unit in units]
            return torch.stack(rows)[None]

        return DenseLinearisation(misfit.detach()[None], jacobian)

    def _values(self, coefficients: Tensor) -> Tensor:
        """Return the solution at the readings, ``(n,)``."""
        experts = self.experts_of(coefficients)
        slabs = torch.tensor([experts.slab_at(float(time)) for time in self._times])
        found = torch.zeros_like(self.readings.u)
        for state, _ in experts.run():
            here = (slabs == state.number).nonzero()[:, 0]
            if len(here):
                values = experts.values(state, self.readings.x[here], self.readings.t[here])[0]
                found = found.index_put((here,), values)
            if state.number == int(slabs.max()):
                break
        return found

    @cached_property
    def _times(self) -> list[float]:
        return self.readings.t.tolist()
