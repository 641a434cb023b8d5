"""The measurements of learned upscaling: errors on larger and other fields, and the time of many sources."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sciml.bench.measure import cpu_timed
from sciml.bench.outcome import outcome
from sciml.bench.worker import Job

SIZES, FACTOR = (64, 128), 8
OTHER_LENGTHS, OTHER_DEVIATIONS = (1.5, 3.0, 6.0), (0.5, 1.5, 2.5)
LEAST = 0.01  # below this, errors on other fields need not be below those of local upscaling


def errors(task: Any, job: Job) -> dict[str, float]:
    """Return the errors of a trained :class:`~sciml.cgs.upscaling.UpscalingTask` on fields unlike those of its test.

    ``NAME_64`` and ``NAME_128`` are those on fields of 64 x 64 and 128 x 128 cells. ``rate_LENGTH_DEVIATION`` and
    ``pressure_LENGTH_DEVIATION`` are those of other correlation lengths and deviations, ``..._local`` those of local
    upscaling there, and ``others`` is the largest ratio of ours to the larger of the latter and 1 %. ``rate_ratio``,
    ``pair_rate_ratio`` and ``pressure_ratio`` are the errors over those of extended local upscaling, the larger of the
    two sizes.

    Parameters
    ----------
    task : trained
    job : ``job["seed"]`` of the fields, ``job["fields"]`` per case
    """
    from sciml.cgs.upscaling import LognormalFlows

    factor = task.network.factor
    found: dict[str, float] = {}
    ratios: dict[str, float] = {}
    for size in SIZES:
        data = LognormalFlows([size, size], factor, test_fields=job["fields"], seed=job["seed"])
        means = task.evaluate(data)
        found |= {f"{name}_{size}": value for name, value in means.items()}
        for name in ("rate", "pair_rate", "pressure"):
            ratio = means[name] / means[f"{name}_extended"]
            ratios[f"{name}_ratio"] = max(ratios.get(f"{name}_ratio", 0.0), ratio)
    others = []
    for length in OTHER_LENGTHS:
        for deviation in OTHER_DEVIATIONS:
            data = LognormalFlows([64, 64], factor, test_fields=job["fields"], pairs=0, seed=job["seed"],
                                  test_length=length, test_deviation=deviation)  # fmt: skip
            means = task.evaluate(data)
            for name in ("rate", "pressure"):
                found[f"{name}_{length:g}_{deviation:g}"] = means[name]
                found[f"{name}_{length:g}_{deviation:g}_local"] = means[f"{name}_local"]
                others.append(means[name] / max(means[f"{name}_local"], LEAST))
    return found | ratios | {"others": max(others)}


def classical(job: Job) -> dict[str, Any]:
    """Measure ``job["upscaling"]``, the name of a classical method, on the fields that :func:`errors` measures ours on.

    Its CPU time is that of its transmissibilities, over all fields.
    """
    return outcome(lambda: _classical(job))


def _classical(job: Job) -> dict[str, float]:
    from sciml.cgs.upscaling import LognormalFlows
    from sciml.cgs.upscaling.model import BASES

    upscale = BASES[job["upscaling"]]
    found: dict[str, float] = {"seconds": 0.0}
    for size in SIZES:
        flows = LognormalFlows([size, size], FACTOR, test_fields=job["fields"], seed=job["seed"]).test_flows()
        upscale(flows[0].blocks.coefficient, FACTOR)  # compiles kernels
        sums: dict[str, float] = {}
        for each in flows:
            coarse, seconds = cpu_timed(lambda each=each: upscale(each.blocks.coefficient, FACTOR))
            found["seconds"] += seconds
            for name, value in each.errors(coarse).items():
                sums[name] = sums.get(name, 0.0) + value / len(flows)
        found |= {f"{name}_{size}": value for name, value in sums.items()}
    return found


def many_sources(job: Job) -> dict[str, Any]:
    """Measure the time of many pairs of sources and sinks on a large grid, set-ups included, by ours or by a rival.

    ``job["solver"]`` is ``"learned"`` (published weights), ``"extended"``, ``"factors"`` (fine, kept sparse factors) or
    ``"multigrid"`` (fine, one set-up); ``job["size"]`` cells per axis, ``job["pairs"]`` of wells. The errors
    ``pair_rate`` and ``pair_pressure`` are against the factors, on ``job["checked"]`` of the pairs.
    """
    return outcome(lambda: _many_sources(job))


def _many_sources(job: Job) -> dict[str, float]:
    from sciml.reference.upscaling import Blocks
    from sciml.reference.upscaling_fields import lognormal_field
    from sciml.reference.upscaling_flows import pair_sources, random_wells

    random = np.random.default_rng([job["seed"], 7])
    k = lognormal_field((job["size"],) * 2, random)
    blocks = Blocks(k, 8)
    wells = random_wells(blocks.shape, job["pairs"], random)
    sources = pair_sources(blocks.shape, wells)
    solver = _SOLVERS[job["solver"]]
    small = Blocks(k[:64, :64], 8)
    solver(small, pair_sources(small.shape, random_wells(small.shape, 2, random)))  # compiles kernels, loads weights
    pressures, seconds = cpu_timed(lambda: solver(blocks, sources))
    found = {"seconds": seconds}
    checked = slice(job["checked"])
    if job["checked"] and job["solver"] != "factors":
        fine = _SOLVERS["factors"](blocks, sources[checked])
        ours, ends = pressures[checked], sources[checked]
        drops = [(each * ends).sum(axis=(1, 2)) for each in (ours, fine)]
        off = np.sqrt(((ours - fine) ** 2).sum(axis=(1, 2)) / (fine**2).sum(axis=(1, 2)))
        found |= {"pair_rate": float(np.abs(drops[1] / drops[0] - 1).mean()), "pair_pressure": float(off.mean())}
    return found


def _learned(blocks: Any, sources: np.ndarray) -> np.ndarray:
    from sciml.cgs.upscaling import learned_transmissibilities

    return _coarse(blocks, learned_transmissibilities(blocks.coefficient), sources)


def _extended(blocks: Any, sources: np.ndarray) -> np.ndarray:
    from sciml.reference.upscaling_local import extended_local_transmissibilities

    return _coarse(blocks, extended_local_transmissibilities(blocks.coefficient, blocks.factor), sources)


def _coarse(blocks: Any, coarse: Any, sources: np.ndarray) -> np.ndarray:
    from sciml.reference.upscaling_sources import corrected_pressures

    return corrected_pressures(blocks.coefficient, coarse, coarse.solve({}, sources), sources)


def _factors(blocks: Any, sources: np.ndarray) -> np.ndarray:
    from sciml.reference.upscaling import fine_transmissibilities

    return blocks.means(fine_transmissibilities(blocks.coefficient).solve({}, _fine(blocks, sources)))


def _multigrid(blocks: Any, sources: np.ndarray) -> np.ndarray:
    from sciml.linalg import solve
    from sciml.reference.upscaling import fine_transmissibilities

    problem = fine_transmissibilities(blocks.coefficient).problem({})
    return blocks.means(solve(problem, _fine(blocks, sources), method="multigrid", rtol=1e-6, project=True).x)


def _fine(blocks: Any, sources: np.ndarray) -> np.ndarray:
    return np.repeat(np.repeat(sources, blocks.factor, axis=1), blocks.factor, axis=2) / blocks.factor**2


_SOLVERS: dict[str, Callable[[Any, np.ndarray], np.ndarray]] = {
    "learned": _learned,
    "extended": _extended,
    "factors": _factors,
    "multigrid": _multigrid,
}
