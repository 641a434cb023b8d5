"""The measurements of ``sciml bench hcmoe`` on solutions: Burgers' equation and diffusion with sorption.

All methods for a problem are measured at the same places and times. CPU times are those of the solver alone, without
imports, reference and pictures.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sciml.bench.measure import cpu_timed
from sciml.bench.outcome import outcome
from sciml.bench.worker import Job
from sciml.hcmoe.bases import Basis, ChebyshevBasis, NetworkBasis
from sciml.hcmoe.coupled import CoupledExperts, SlabState
from sciml.hcmoe.layer import ConstraintSettings, HardConstraintLayer
from sciml.hcmoe.problems import Burgers, DiffusionSorption
from sciml.hcmoe.problems.base import Points, SpaceTimeProblem
from sciml.hcmoe.problems.sorption import REFERENCE_TIMES
from sciml.metrics import relative_l2
from sciml.nets.coordinate import CoordinateNetwork, Siren, TanhNetwork
from sciml.numerics.random import seeded
from sciml.reference.conservation_laws_entropy import BURGERS
from sciml.reference.conservation_laws_fourier import conservation, nodes
from sciml.reference.diffusion_sorption import Sorption, cell_centres, extrapolated, finite_volumes

PLACES, TIMES = 257, 80  # of Burgers' equation
CELLS = 1024  # of sorption, at whose centres it is measured
FINER = 3  # of the reference, whose cells have a centre wherever those have one
BUDGET = 5.0  # CPU seconds of a single domain
RIDGE = 1e-9  # of single domains, small enough for their errors to come from the basis alone


class Truth(NamedTuple):
    """The exact solution, or a reference, ``(times, places)``, at places and times."""

    x: Tensor
    times: list[float]
    u: Tensor

    def error(self, found: Tensor) -> float:
        """Return the relative L2 error over all places and times."""
        return relative_l2(found.numpy(), self.u.numpy())


def coupled(job: Job) -> dict[str, Any]:
    """Solve the config ``job["config"]`` with ``job["changes"]`` by coupled experts.

    Returns
    -------
    dict
        ``error``; ``jump`` of u across faces between experts, over the largest u, and ``slope_jump``, likewise;
        ``start`` and ``ends``, what is missing of the start and of the conditions at the ends, over the largest u;
        ``unknowns``.
    """
    from sciml.training.config import load_config

    def measure() -> dict[str, float]:
        experts = load_config(job["config"], list(job.get("changes", ()))).build_task().experts
        states, seconds = cpu_timed(lambda: [state for state, _ in experts.run()])
        truth = truth_of(experts.problem)
        found = [experts.values(states[experts.slab_at(time) - 1], truth.x, time)[0] for time in truth.times]
        return {
            "error": truth.error(torch.stack(found)),
            **_exactness(experts, states),
            "unknowns": experts.unknowns,
            "seconds": seconds,
        }

    return outcome(measure)


def fourier(job: Job) -> dict[str, Any]:
    """Solve Burgers' equation by Fourier collocation with ``job["number"]`` points, which hold the places."""

    def measure() -> dict[str, float]:
        problem, count = Burgers(), job["number"]
        truth = truth_of(problem)
        start = -np.sin(np.pi * (nodes(2.0, count) - 1.0))
        viscosity = float(problem.coefficients["viscosity"][0])
        found, seconds = cpu_timed(lambda: conservation(start, 2.0, BURGERS, np.array(truth.times), viscosity))
        at_places = found[:, :: count // (PLACES - 1)]
        return {"error": truth.error(torch.from_numpy(np.c_[at_places, at_places[:, :1]])), "seconds": seconds}

    return outcome(measure)


def lagrangian(job: Job) -> dict[str, Any]:
    """Solve the config ``job["config"]`` of LPINN, of the same problem, by networks for its characteristics."""

    def measure() -> dict[str, float]:
        from sciml.bench.lpinn.jobs import build
        from sciml.lpinn.readout.least_action import field_of

        truth, solver = truth_of(Burgers()), build(job["config"], job["seed"], job.get("changes", ())).solver
        states, seconds = cpu_timed(lambda: [state for state, _ in solver.run()])
        field = field_of(solver.characteristics, states[-1].weights)
        with torch.no_grad():
            found = [field(truth.x[:, None], time)[:, 0] for time in truth.times]
        return {"error": truth.error(torch.stack(found)), "unknowns": states[-1].weights.numel(), "seconds": seconds}

    return outcome(measure)


def volumes(job: Job) -> dict[str, Any]:
    """Solve diffusion with sorption by finite volumes of ``job["number"]`` cells, or extrapolated from these."""

    def measure() -> dict[str, float]:
        truth, cells = truth_of(DiffusionSorption()), job["number"]
        solve: Callable[..., np.ndarray] = extrapolated if job["extrapolated"] else finite_volumes
        found, seconds = cpu_timed(lambda: solve(0.1, cells, np.array(truth.times), Sorption()))
        return {"error": truth.error(torch.from_numpy(found)), "seconds": seconds}

    return outcome(measure)


def single_domain(job: Job) -> dict[str, Any]:
    """Solve Burgers' equation by one expert on the whole domain, for each of ``job["sizes"]`` of ``job["basis"]``.

    A size is the degrees of Chebyshev polynomials in time and space, or how many random features there are.

    Returns
    -------
    dict
        ``error_1`` and so on for each size; ``error``, the least of those within 5 CPU seconds, and ``seconds``, the
        time of that one; ``unknowns``, how many it has.
    """

    def measure() -> dict[str, float]:
        truth, found = truth_of(Burgers()), []
        for size in job["sizes"]:
            basis, count = BASES[job["basis"]](size, job["seed"])
            found.append((*_fitted(basis, count, truth), count))
        errors = {f"error_{number}": error for number, (error, _, _) in enumerate(found, start=1)}
        error, seconds, count = min((each for each in found if each[1] <= BUDGET), default=(math.inf, math.inf, 0))
        return {**errors, "error": error, "seconds": seconds, "unknowns": count}

    return outcome(measure)


@cache
def _burgers_truth(viscosity: float) -> Truth:
    problem = Burgers(viscosity)
    x = torch.linspace(problem.domain.lower[0], problem.domain.upper[0], PLACES, dtype=torch.float64)
    times = [problem.duration * number / TIMES for number in range(1, TIMES + 1)]
    return Truth(x, times, torch.stack([problem.exact(x[:, None], time)[:, 0] for time in times]))


@cache
def _sorption_truth(start: float) -> Truth:
    problem = DiffusionSorption(start)
    times = [share * problem.duration for share in REFERENCE_TIMES]
    u = extrapolated(start, FINER * CELLS, np.array(times), problem.equation)[:, FINER // 2 :: FINER]
    return Truth(torch.from_numpy(cell_centres(CELLS)), times, torch.from_numpy(np.ascontiguousarray(u)))


def truth_of(problem: SpaceTimeProblem) -> Truth:
    """Return what the solution of a problem is held against."""
    coefficients = problem.coefficients
    if "viscosity" in coefficients:
        return _burgers_truth(float(coefficients["viscosity"][0]))
    return _sorption_truth(float(coefficients["start"][0]))


def _exactness(experts: CoupledExperts, states: list[SlabState]) -> dict[str, float]:
    """Return what is missing of continuity, and what the ends of the slabs miss of start and conditions."""
    basis, problem = experts.basis, experts.problem
    ends = torch.cat([states[0].start, *(state.end for state in states)])  # (times, K, size)
    tables = basis.tables(torch.tensor([-1.0, 1.0], dtype=torch.float64), 1)  # (order, K, side, size)
    faces = torch.einsum("oksn,tkn->otks", tables, ends)
    jumps = (faces[:, :, 1:, 0] - faces[:, :, :-1, 1]).abs().amax((1, 2)) / faces.abs().amax((1, 2, 3))
    size = float(faces[0].abs().max())
    return {
        "jump": float(jumps[0]),
        "slope_jump": float(jumps[1]),
        "ends": _missed_at_ends(problem, faces[:, 1:], experts.times[1:]) / size,
        "start": _missed_at_start(experts, states[0]) / size,
    }


def _missed_at_ends(problem: SpaceTimeProblem, faces: Tensor, times: list[float]) -> float:
    """Return the largest of what is missing of both conditions at some times."""
    at = Points(faces.new_zeros(1), faces.new_tensor(times), problem.chosen(slice(None), 1))
    missed = []
    for side, condition in zip(((0, 0), (-1, 1)), problem.ends(at), strict=True):
        u, u_x = faces[0, :, side[0], side[1]], faces[1, :, side[0], side[1]]
        missed.append(float((condition.value * u + condition.slope * u_x - condition.target).abs().max()))
    return max(missed)


def _missed_at_start(experts: CoupledExperts, state: SlabState) -> float:
    """Return the largest difference from the start, which is large where a condition contradicts it."""
    problem, (begin, end) = experts.problem, experts.basis.face_points[[1, -1]].tolist()
    x = torch.linspace(begin, end, PLACES, dtype=torch.float64)
    start = problem.initial(Points(x, x.new_zeros(1), problem.chosen(slice(None), 1)))
    return float((experts.values(state, x, 0.0) - start).abs().max())


def _fitted(basis: Basis, count: int, truth: Truth) -> tuple[float, float]:
    """Return error and CPU seconds of the layer of one domain, at about four points for each of the unknowns."""
    problem = Burgers()
    along_time = max(8, round(math.sqrt(count)))
    times, x = _chebyshev_points(along_time, 0.0, 1.0), _chebyshev_points(-(-4 * count // along_time), -1.0, 1.0)
    layer = HardConstraintLayer(problem, times, x, ConstraintSettings(ridge=RIDGE))
    output, seconds = cpu_timed(lambda: layer(basis))
    fields = basis.derivatives([(0, 0)], torch.tensor(truth.times, dtype=torch.float64), truth.x)[0, 0]
    return truth.error((fields @ output.weights[0, 0]).detach()), seconds


def _chebyshev_points(count: int, lower: float, upper: float) -> Tensor:
    angles = torch.pi * (torch.arange(count, dtype=torch.float64) + 0.5) / count
    return lower + (upper - lower) * (1 - torch.cos(angles)) / 2


def _polynomials(degrees: list[int], seed: int) -> tuple[Basis, int]:
    in_time, in_space = degrees
    return ChebyshevBasis(Burgers().domain, 1.0, in_time, in_space), (in_time + 1) * (in_space + 1)


def _tanh_features(count: int, seed: int) -> tuple[Basis, int]:
    with seeded(seed):
        network = TanhNetwork(2, count, count, layers=1, box=[[0.0, -1.0], [1.0, 1.0]], spread=8.0)
    return _features(network, count)


def _sine_features(count: int, seed: int) -> tuple[Basis, int]:
    with seeded(seed):
        network = Siren(2, count, count, hidden_layers=0, frequency=15.0)
    return _features(network, count)


def _features(network: CoordinateNetwork, count: int) -> tuple[Basis, int]:
    """Return the hidden units of a network with one hidden layer as a basis."""
    network = network.double()
    with torch.no_grad():
        network.layers[-1].weight.copy_(torch.eye(count))
        network.layers[-1].bias.zero_()
    return NetworkBasis(network.requires_grad_(False)), count


BASES: dict[str, Callable[[Any, int], tuple[Basis, int]]] = {
    "chebyshev": _polynomials,
    "tanh": _tanh_features,
    "sine": _sine_features,
}
