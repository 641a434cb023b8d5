"""The measurements of ``sciml bench gfi`` on the wave solver: accuracy, exact identities, and speed in turns."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from sciml.bench.measure import medians_of_turns
from sciml.bench.outcome import outcome
from sciml.bench.worker import Job
from sciml.numerics.random import generator
from sciml.reference.layered_maps import layered_maps
from sciml.reference.waves import Acquisition, WaveSolver
from sciml.reference.waves.exact import homogeneous_records

FAMILY = "curvevel-a"
SPEED = 2000.0  # m/s, of the homogeneous medium
SECONDS_PER_HOUR = 3600.0
MARGIN = 60  # cells by which a domain is wider, from where a wave at 4500 m/s is back after 0.27 s, much weaker


def records(job: Job) -> dict[str, Any]:
    """Measure the records of ``job["engine"]`` for ``job["maps"]`` generated maps against OpenFWI's own scheme.

    Returns
    -------
    dict
        ``error`` and ``largest``, median and maximum over the maps of the relative L2 difference; ``shifted``, the
        least one after a shift by a sample; ``wide``, the median of the difference from records in a domain so wide
        that hardly a wave comes back from its sides; ``pairs``, maps with records per core-hour; ``seconds``, CPU time
        of the records of one map.
    """

    def measure() -> dict[str, float]:
        acquisition, maps = Acquisition.openfwi(), _maps(job)
        solver = WaveSolver(acquisition, job["engine"])
        solver(maps[:1])  # compiles
        found, expected, wide = solver(maps), WaveSolver(acquisition, "host")(maps), _wide(acquisition, maps)
        errors = [_apart(*pair) for pair in zip(found, expected, strict=True)]
        seconds = medians_of_turns({"records": lambda: solver(maps)}, job["turns"])["records"] / len(maps)
        return {
            "error": median(errors),
            "largest": max(errors),
            "wide": median(_apart(*pair) for pair in zip(found, wide, strict=True)),
            "shifted": min(_apart(a[:, 1:], b[:, :-1]) for a, b in zip(found, expected, strict=True)),
            "pairs": SECONDS_PER_HOUR / seconds,
            "seconds": seconds,
        }

    return outcome(measure)


def identities(job: Job) -> dict[str, Any]:
    """Measure what the numba engine shares with the wave equation and with its linearisation.

    Returns
    -------
    dict
        ``green``, the error against the exact wave in a homogeneous medium, and ``surface``, below a free surface;
        ``slope``, the order of the remainder of the linearised misfit; ``adjoint``, the error of the gradient along a
        random direction, in single precision; ``reciprocity``, ``mirror`` and ``scaled``, differences of records that
        should be equal.
    """
    return outcome(lambda: {**_exactness(), **_linearisation(job), **_symmetries(job)})


def beside(job: Job) -> dict[str, Any]:
    """Measure the CPU time of ``job["engine"]`` and of the numba engine in turns in one process, for one map.

    Returns
    -------
    dict
        ``forward`` and ``gradient``, CPU seconds of the records alone and with the gradient; ``forward_ratio`` and
        ``gradient_ratio``, those of the other engine ``job["other"]`` over these; ``error``, of the records against
        OpenFWI's own scheme.
    """

    def measure() -> dict[str, float]:
        acquisition, maps = Acquisition.openfwi(), _maps(job)[:1]
        observed = WaveSolver(acquisition, "host")(maps)
        engines = (job["engine"], job["other"])
        solvers = {engine: WaveSolver(acquisition, engine) for engine in engines}
        for solver in solvers.values():  # compiles
            _gradient(solver, maps, observed)
        runs: dict[str, Callable[[], Any]] = {}
        for engine, solver in solvers.items():
            runs[f"forward {engine}"] = lambda solver=solver: solver(maps)
            runs[f"gradient {engine}"] = lambda solver=solver: _gradient(solver, maps, observed)
        took = medians_of_turns(runs, job["turns"])
        (forward, other_forward), (gradient, other_gradient) = (
            [took[f"{what} {engine}"] for engine in engines] for what in ("forward", "gradient")
        )
        return {
            "error": _apart(solvers[job["engine"]](maps), observed),
            "forward": forward,
            "gradient": gradient,
            "forward_ratio": other_forward / forward,
            "gradient_ratio": other_gradient / gradient,
            "seconds": gradient,
        }

    return outcome(measure)


def require_peer(peer: str) -> None:
    """Raise an error in one sentence if deepwave, the only optional peer, is not installed."""
    WaveSolver(Acquisition.openfwi(), peer)


def _wide(acquisition: Acquisition, maps: Tensor) -> Tensor:
    """Return the records in a domain that is wider by :data:`MARGIN` cells on each side."""
    values, shift = acquisition.as_dict(), MARGIN * acquisition.spacing
    values["shape"] = [cells + 2 * MARGIN for cells in acquisition.shape]
    for name in ("sources", "receivers"):
        values[name] = getattr(acquisition, name) + shift
    return WaveSolver(Acquisition.from_dict(values))(pad(maps, (MARGIN,) * 4, mode="replicate"))


def _exactness() -> dict[str, float]:
    """Return the errors against exact waves."""
    receivers = [(120.0, 200.0), (120.0, 220.0), (170.0, 150.0), (200.0, 190.0), (60.0, 100.0), (40.0, 150.0)]
    receivers += [(123.0, 87.0), (188.0, 64.0)]  # between cells
    errors = {}
    for name, free in (("green", False), ("surface", True)):
        acquisition = Acquisition(
            (24, 30), 10.0, 5e-4, 500, [(90.0, 150.0)], receivers, frequency=15.0, free_surface=free
        )
        found = WaveSolver(acquisition)(torch.full((1, 24, 30), SPEED))[0]
        errors[name] = _apart(found, torch.from_numpy(homogeneous_records(acquisition, SPEED)))
    return errors


def _linearisation(job: Job) -> dict[str, float]:
    """Return the order of the remainder in double precision, and the error of the gradient in single precision."""
    acquisition = Acquisition.openfwi()
    maps = _maps(job)[:1].double()
    random = generator(job["seed"])
    change = 10.0 * torch.randn(maps.shape, generator=random, dtype=torch.float64)
    exact = WaveSolver(acquisition, precision="double", gradient_interval=1)
    with torch.no_grad():
        observed = exact(maps.mean((1, 2), keepdim=True).expand_as(maps))

    def misfit(solver: WaveSolver, size: float) -> Tensor:
        return ((solver(maps + size * change).double() - observed) ** 2).sum()

    gradients = []
    for solver in (exact, WaveSolver(acquisition)):
        trial = maps.clone().requires_grad_()
        value = ((solver(trial).double() - observed) ** 2).sum()
        gradients.append(torch.autograd.grad(value, trial)[0])
    slope = (gradients[0] * change).sum()
    with torch.no_grad():
        start = misfit(exact, 0.0)
        coarse, fine = (float(misfit(exact, size) - start - size * slope) for size in (0.2, 0.1))
    return {"slope": math.log2(coarse / fine), "adjoint": _apart(gradients[1], gradients[0])}


def _symmetries(job: Job) -> dict[str, float]:
    """Return the differences of records that should be equal."""
    acquisition, maps = Acquisition.openfwi(), _maps(job)[:1]
    plain = WaveSolver(acquisition)(maps)
    mirrored = WaveSolver(acquisition.flipped())(maps.flip(-1)).flip(1, 3)
    places = np.array([(10.0, 40.0), (333.0, 515.0)])
    one_way, back = (
        WaveSolver(Acquisition((70, 70), 10.0, 1e-3, 1000, places[k : k + 1], places[1 - k : 2 - k], 15.0))(maps)
        for k in (0, 1)
    )
    return {
        "mirror": _apart(mirrored, plain),
        "scaled": _apart(WaveSolver(acquisition.scaled(2.5))(maps), plain),
        "reciprocity": _apart(one_way, back),
    }


def _maps(job: Job) -> Tensor:
    """Return the generated maps of the job's seed."""
    return torch.from_numpy(layered_maps(FAMILY, range(job["maps"]), seed=job["seed"]))


def _gradient(solver: WaveSolver, maps: Tensor, observed: Tensor) -> Tensor:
    trial = maps.clone().requires_grad_()
    return torch.autograd.grad(((solver(trial) - observed) ** 2).sum(), trial)[0]


def _apart(found: Tensor, expected: Tensor) -> float:
    return float((found.double() - expected.double()).norm() / expected.double().norm())
