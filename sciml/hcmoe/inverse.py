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

import torch
from torch import Tensor

from sciml.checks import instance, real_tensor, shape
from sciml.errors import DivergenceError, InputError
from sciml.hcmoe.coupled import CoupledExperts
from sciml.hcmoe.readings import Readings
from sciml.numerics.batched_least_squares import BatchedSettings, minimise
from sciml.numerics.batched_steps import DenseLinearisation
from sciml.numerics.pointwise_hessian import require_full_rank
from sciml.status import Status

# Short steps at first, because far from the readings the misfit is not nearly quadratic.
CAREFUL = BatchedSettings(max_solves=40, damping=0.1, decrease=3.0, increase=5.0, stationarity=1e-3)

ADJOINTS = 128  # solved at a time, so that memory does not grow with the number of readings


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
        If there are fewer readings than coefficients, or the experts do not depend on the coefficients.
    SingularSystemError
        If the readings do not determine the coefficients.
    """
    instance("the readings", readings, Readings, "Readings")
    shape("the start of the search", real_tensor("the start of the search", start), ("m",))
    check_enough(readings, len(start))
    misfits = Misfits(experts_of, readings)
    report = minimise(misfits, start[None], settings=settings or CAREFUL)
    deviations, misfit = misfits.assess(report.w[0])
    return Identified(report.w[0], deviations, report.status[0], int(report.iterations[0]), misfit)


def check_enough(readings: Readings, unknowns: int) -> None:
    """Refuse fewer readings than coefficients.

    Raises
    ------
    InputError
        With both numbers.
    """
    if len(readings.x) < unknowns:
        raise InputError(
            f"there are {len(readings.x)} readings for {unknowns} coefficients, expected at least as many; take more "
            "readings, or determine fewer coefficients."
        )


@dataclass(frozen=True, eq=False)
class Misfits:
    """The misfits over the deviation of the noise, as a batch of one problem.

    Parameters
    ----------
    experts_of, readings : as of :func:`identify`
    """

    experts_of: Callable[[Tensor], CoupledExperts]
    readings: Readings

    def linearise(self, w: Tensor, items: Tensor) -> DenseLinearisation:
        """Return the misfits at some coefficients; the solution is kept until its Jacobian is asked for.

        Where there is no solution, as far from the readings there may be none, they are infinite.
        """
        with torch.enable_grad():
            coefficients = w[0].detach().requires_grad_()
            try:
                experts = self.experts_of(coefficients)
                instance("what experts_of returns", experts, CoupledExperts, "CoupledExperts")
                values = experts.values_at(self.readings.x, self.readings.t)
            except DivergenceError:
                values = torch.full_like(self.readings.u, torch.inf)
            else:
                _require_dependent(values)
            misfit = (values - self.readings.u) / self.readings.deviation

        def jacobian() -> Tensor:
            def adjoint(unit: Tensor) -> Tensor:
                return torch.autograd.grad(misfit, coefficients, unit, retain_graph=True)[0]

            units = torch.eye(len(misfit), dtype=misfit.dtype)
            return torch.func.vmap(adjoint, chunk_size=ADJOINTS)(units)[None]

        return DenseLinearisation(misfit.detach()[None], jacobian)

    def assess(self, w: Tensor) -> tuple[Tensor, float]:
        """Return the deviations of Cramér and Rao at coefficients, ``(m,)``, and the misfits' root mean square.

        Raises
        ------
        SingularSystemError
            If the misfits do not determine the coefficients.
        """
        linearisation = self.linearise(w[None], torch.zeros(1, dtype=torch.long))
        triangle = linearisation.triangle[0, : len(w)]
        require_full_rank(
            triangle[None],
            "the readings do not determine {}",
            lambda _: "the coefficients",
            "take readings elsewhere, or determine fewer coefficients",
        )
        misfit = float((2 * linearisation.cost[0] / len(self.readings.x)).sqrt())
        return torch.linalg.inv(triangle).norm(dim=1), misfit


def _require_dependent(values: Tensor) -> None:
    if not values.requires_grad:
        raise InputError(
            "the solution does not depend on the coefficients by torch operations, expected experts whose problem has "
            "them as its coefficients; make them without detach and without conversion to numbers."
        )
