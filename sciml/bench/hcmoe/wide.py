"""Untrained rows of ``sciml bench hcmoe`` on the wide family of sorption: fixed bases in the layer of the operators.

The cases are the tests of :class:`~sciml.hcmoe.families.sorption_cases.SorptionCases` with the seed ``job["tests"]``.
Errors are relative, of one case over all places and times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sciml.bench.measure import cpu_timed
from sciml.bench.outcome import outcome
from sciml.bench.worker import Job
from sciml.hcmoe.bases import ChebyshevBasis, proper_orthogonal_modes
from sciml.hcmoe.constraint_settings import ConstraintSettings
from sciml.hcmoe.families.sorption import SorptionFamily
from sciml.hcmoe.families.sorption_cases import SorptionCases
from sciml.hcmoe.families.sorption_data import NAMES
from sciml.hcmoe.families.sorption_instances import drawn
from sciml.hcmoe.problems.profiles import Profile
from sciml.metrics import relative_l2
from sciml.numerics.batched_least_squares import BatchedSettings
from sciml.numerics.local_interpolation import interpolate
from sciml.numerics.random import generator
from sciml.reference.diffusion_sorption import Sorption, Start, cell_centres, extrapolated, finite_volumes

SNAPSHOTS = 7  # stream of the draws of snapshots
FINER = 3  # cells of the snapshots over those of the grid, with a centre wherever its cells have one
TOLERANCE = 1e-8  # of the snapshots, relative
ITERATION = BatchedSettings(max_solves=100)


def modes(job: Job) -> dict[str, Any]:
    """Combine ``job["functions"]`` modes of the changes since the start of ``job["snapshots"]`` other solutions.

    Returns
    -------
    dict
        ``error``, the mean over the cases, and ``error_most``; ``floor``, the mean error of the
        nearest combinations on the whole domain; ``setup``, CPU seconds of the snapshots; ``seconds``, of all.
    """

    def measure() -> dict[str, float]:
        family, case = _family(job), _cases(job)
        (basis, mean), setup = cpu_timed(lambda: _modes(family, job))
        found = _combined(family, basis, case, mean)
        floor = _errors(_nearest(family, basis, case), case)["error"]
        return {**found, "floor": floor, "setup": setup, "seconds": setup + found["seconds"]}

    return outcome(measure)


def polynomials(job: Job) -> dict[str, Any]:
    """Combine products of Chebyshev polynomials of the degrees ``job["degrees"]`` in the root of time and in space."""

    def measure() -> dict[str, float]:
        family = _family(job)
        basis = ChebyshevBasis(family.problem.domain, 1.0, *job["degrees"])
        fields = basis.derivatives([(0, 0)], family.s, family.y)[0, 0]
        return _combined(family, fields, _cases(job), fields.new_zeros(fields.shape[-1]))

    return outcome(measure)


def volumes(job: Job) -> dict[str, Any]:
    """Solve for one case after the other by finite volumes with ``job["number"]`` cells."""

    def measure() -> dict[str, float]:
        case = _cases(job)
        times, centres = case["times"].numpy(), torch.from_numpy(cell_centres(job["number"]))
        found, seconds = cpu_timed(
            lambda: np.stack([finite_volumes(start, job["number"], times, each) for start, each in stated(case)])
        )
        return {**_errors(interpolate(torch.from_numpy(found), centres, case["x"], axis=2), case), "seconds": seconds}

    return outcome(measure)


def _family(job: Job) -> SorptionFamily:
    settings = ConstraintSettings(start="grid", coupling=job["coupling"], iteration=ITERATION)
    return SorptionFamily("wide", experts=(1, job["experts"]), constraint=settings)


def _cases(job: Job) -> dict[str, Tensor]:
    """Return the cases of tests as one batch, which are twice as many as those of validation."""
    return next(iter(SorptionCases(family="wide", cases=job["cases"], seed=job["tests"]).test_dataloader()))


def stated(case: dict[str, Tensor]) -> Iterator[tuple[Start, Sorption]]:
    """Yield start and equation of each case, whose starts are profiles over its places x."""
    for k in range(len(case["u"])):
        start = Profile(case["start"][k : k + 1], case["x"])
        yield _numpy(start), Sorption(**{name: float(case[name][k]) for name in NAMES})


def _numpy(start: Profile) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: start(torch.from_numpy(x))[0].numpy()


def _modes(family: SorptionFamily, job: Job) -> tuple[Tensor, Tensor]:
    """Return modes of the changes of solutions since their starts on the grid, and the weights of the mean change.

    The modes are ``(times, places, N)``.
    """
    cells, times = FINER * family.shape[1], family.problem.seconds * family.s.numpy() ** 2
    pairs = drawn("wide", job["snapshots"], generator(job["seed"], SNAPSHOTS))
    solved = [extrapolated(start, cells, times, each, tolerance=TOLERANCE) for start, each in pairs]
    u = torch.from_numpy(np.stack(solved)[..., FINER // 2 :: FINER].copy())
    basis = proper_orthogonal_modes(u - u[:, :1], job["functions"], family.s, family.y)
    fields = basis.derivatives([(0, 0)], family.s, family.y)[0, 0]
    return fields, torch.einsum("txn,txa->n", fields, (u - u[:, :1]).mean(0)[..., None]) / fields[..., 0].numel()


def _combined(family: SorptionFamily, basis: Tensor, case: dict[str, Tensor], first: Tensor) -> dict[str, float]:
    """Return the errors of the constrained combinations of fields, and CPU seconds.

    Parameters
    ----------
    family : on whose grid the fields are
    basis : ``(times, places, N)``
    case : solutions
    first : weights from which the iteration begins, ``(N,)``
    """
    constraint, instances = family.objective(experts=True), family.instances(case)
    experts, beside = constraint.fields
    guess = torch.cat([first, first.new_ones(beside)]).expand(1, experts, -1)
    outputs = basis.expand(len(case["u"]), -1, -1, -1)
    u, seconds = cpu_timed(lambda: constraint(outputs, instances, generator(0), guess).u)
    return {**_errors(family.compared(u, case), case), "seconds": seconds}


def _nearest(family: SorptionFamily, basis: Tensor, case: dict[str, Tensor]) -> Tensor:
    """Return the combinations nearest to the changes since the starts, at the points of the cases."""
    fields = family.compared(basis.movedim(-1, 0), case).flatten(1).T
    change = (case["u"] - case["start"][:, None]).flatten(1).T
    return (fields @ torch.linalg.lstsq(fields, change).solution).T.view_as(case["u"]) + case["start"][:, None]


def _errors(u: Tensor, case: dict[str, Tensor]) -> dict[str, float]:
    """Return the mean and the largest of the relative errors of the cases."""
    errors = [relative_l2(*(each.numpy() for each in pair)) for pair in zip(u, case["u"], strict=True)]
    return {"error": float(np.mean(errors)), "error_most": float(np.max(errors))}
