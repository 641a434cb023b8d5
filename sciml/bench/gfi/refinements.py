"""The measurements of ``sciml bench gfi`` on refinements: genuine and generated maps, found again from their records.

Records are made by OpenFWI's own scheme and inverted by another one. A job takes every third of the 16 maps
0, 31, ..., 465 of ``vmodel10.npy``, which its seed chooses; settings were chosen on maps of other files.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr, t

from sciml.bench.gfi.genuine import ARCHIVES, genuine_maps
from sciml.bench.gfi.networks import TESTED, nearest, shipped_task, training_pairs
from sciml.bench.measure import cpu_timed
from sciml.bench.outcome import outcome
from sciml.bench.worker import Job
from sciml.gfi.preparing import prepared
from sciml.gfi.refinement import Pull, Refined, Refinement, RisingWithDepth, Stage, TotalVariation, refine
from sciml.numerics.random import generator
from sciml.reference.layered_maps import layered_maps
from sciml.reference.waves import Acquisition, WaveSolver

OTHERS = "vmodel1"  # whose mean profile is a start
EVERY, SHARES = 31, 3  # maps
GENERATED = 7  # seed of maps that no file has; a network is trained on those of 0
BLUR = 10.0  # cells, of the smoothed truth
CLASSICAL = ("profile", "gradient", "nearest")  # starts without a network
ROUGHNESS, LENGTH = 150.0, 8.0  # deviation in m/s and correlation in cells, of what starts of an ensemble differ by
COVERED = 0.9  # probability of the intervals about the mean of an ensemble
PLAIN = Refinement(stages=[Stage()], priors=[TotalVariation(0.3)], lowest=None, balance=0.0, lift=0.0)
SETTINGS = (
    "start",
    "seed",
    "solves",
    "family",
    "maps",
    "pairs",
    "plain",
    "prior",
    "noise",
    "missing",
    "unknown_wavelet",
)
PRIORS = {"rising": RisingWithDepth(), "pull": Pull()}


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """One map to be found again.

    Attributes
    ----------
    truth : (nz, nx) in m/s
    records : (shots, steps, receivers), with the noise of the job, missing traces zero
    acquisition : as far as it is known
    settings : of the refinement
    """

    truth: np.ndarray
    records: torch.Tensor
    acquisition: Acquisition
    settings: Refinement

    def refined(self, start: np.ndarray) -> Refined:
        """Return the refinement from a start, or several."""
        return refine(start, self.records.numpy(), self.acquisition, self.settings)

    def prepared(self) -> torch.Tensor:
        """Return the records as ``sciml predict`` gives them to a network."""
        made = self.acquisition
        return torch.from_numpy(prepared(self.records.numpy(), made.receivers, made.mask, self.settings.noise).records)

    def error(self, velocity: np.ndarray) -> float:
        """Return the mean absolute error of a map, in m/s."""
        return float(np.abs(velocity - self.truth).mean())


@dataclasses.dataclass(frozen=True, eq=False)
class Found:
    """The refinements of the maps of a job.

    Attributes
    ----------
    before, after : mean absolute errors of the maps, (maps,)
    results : of each
    seconds : CPU time of all
    """

    before: np.ndarray
    after: np.ndarray
    results: list[Refined]
    seconds: float


Starts = Callable[[Job, Sequence[Case]], list[np.ndarray]]
"""Returns a start (nz, nx) for each map of a job."""


def refined(job: Job) -> dict[str, Any]:
    """Refine ``job["start"]``, a name of :data:`STARTS`, by ``job["solves"]`` solves.

    ``job["family"]`` is that of the maps, CurveVel-A by default; ``job["plain"]`` takes the full band alone with a
    weaker total variation; ``job["prior"]`` adds one of :data:`PRIORS`; ``job["noise"]`` adds white noise of that share
    of the records, which the refinement knows; ``job["missing"]`` leaves out that share of the traces;
    ``job["unknown_wavelet"]`` shifts and halves the wavelet that it begins with.

    Returns
    -------
    dict
        ``start`` and ``error``, mean absolute errors in m/s before and after; ``change``, the relative one of their
        means; ``lower``, the share of maps with a lower error; ``worst``, the largest error after over before;
        ``misfit``, the median of that after over before; ``solves`` of a map and ``seconds`` for all.
    """

    def measure() -> dict[str, float]:
        found = _found(job)
        return {
            **_compared(found.before, found.after),
            "misfit": np.median([each.misfit / each.start_misfit for each in found.results]),
            "solves": np.mean([each.solves for each in found.results]),
            "seconds": found.seconds,
        }

    return outcome(measure)


def classical(job: Job) -> dict[str, Any]:
    """Refine the starts :data:`CLASSICAL` and the network's map with the same stages and solves, map by map.

    Returns
    -------
    dict
        ``error``, the mean over maps of the least error of the classical starts, and ``start``, of the unrefined ones
        that led to them; ``change``, ``lower`` and ``worst`` as for :func:`refined`; ``network``, the mean error from
        the network's map; ``won``, the share of maps on which that is lower; ``seconds`` of the classical ones.
    """

    def measure() -> dict[str, float]:
        network = _found({**job, "start": "network"})  # first, as it may not be there
        tried = [_found({**job, "start": name}) for name in CLASSICAL]
        before, after = (np.stack([getattr(each, name) for each in tried]) for name in ("before", "after"))
        best = after.argmin(0), np.arange(after.shape[1])
        found = {"network": network.after.mean(), "won": (network.after < after[best]).mean()}
        return {**_compared(before[best], after[best]), **found, "seconds": sum(each.seconds for each in tried)}

    return outcome(measure)


def spread(job: Job) -> dict[str, Any]:
    """Refine ``job["starts"]`` starts of each map: the network's, changed by smooth random fields.

    Returns
    -------
    dict
        ``error`` of the mean of the refined maps, and ``start``, of the network's; ``rank``, the mean over maps of the
        rank correlation of the spread of a cell with the error of its mean; ``covered``, the share of cells whose true
        velocity lies in the interval of 90 %, by Student's distribution about that mean.
    """

    def measure() -> dict[str, float]:
        count, rows = job["starts"], []
        width = t.ppf(0.5 + COVERED / 2, count - 1) * np.sqrt(1.0 + 1.0 / count)
        cases = _cases(job)
        for number, (case, own) in enumerate(zip(cases, STARTS["network"](job, cases), strict=True)):
            result = case.refined(own + _smooth_fields(count, own.shape, generator(job["seed"], number, 1)))
            mean, deviation = result.maps.mean(0), result.spread
            errors = np.abs(mean - case.truth)
            rank = spearmanr(deviation.ravel(), errors.ravel()).statistic
            rows.append([case.error(own), errors.mean(), rank, (errors <= width * deviation).mean()])
        return dict(zip(("start", "error", "rank", "covered"), np.mean(rows, axis=0), strict=True))

    return outcome(measure)


def tested_maps(job: Job) -> np.ndarray:
    """Return the maps of a job, (maps, 70, 70): genuine ones where there are, else generated ones."""
    chosen = list(range(0, 500, EVERY)[:16][job["seed"] % SHARES :: SHARES])[: job.get("maps")]
    family = job.get("family", "curvevel-a")
    if family in ARCHIVES:
        return genuine_maps(family, TESTED)[chosen]
    return layered_maps(family, chosen, GENERATED).astype(np.float64)


def _compared(before: np.ndarray, after: np.ndarray) -> dict[str, float]:
    """Return what errors before and after come to."""
    return {
        "start": before.mean(),
        "error": after.mean(),
        "change": after.mean() / before.mean() - 1.0,
        "lower": (after < before).mean(),
        "worst": (after / before).max(),
    }


def _found(job: Job) -> Found:
    """Return the refinements of a job; those of the last one are kept, as the next row may compare with them."""
    return _refined_once(
        tuple((name, job[name]) for name in SETTINGS if name in job and (name != "pairs" or job["start"] == "nearest"))
    )


@lru_cache(maxsize=1)
def _refined_once(settings: tuple[tuple[str, Any], ...]) -> Found:
    job = dict(settings)
    cases = _cases(job)
    starts = STARTS[job["start"]](job, cases)
    results, seconds = cpu_timed(lambda: [case.refined(start) for case, start in zip(cases, starts, strict=True)])
    before = [case.error(start) for case, start in zip(cases, starts, strict=True)]
    after = [case.error(each.map) for case, each in zip(cases, results, strict=True)]
    return Found(np.array(before), np.array(after), results, seconds)


def _cases(job: Job) -> list[Case]:
    """Return the maps of a job with their records."""
    return [_case(job, number, truth) for number, truth in enumerate(tested_maps(job))]


def _case(job: Job, number: int, truth: np.ndarray) -> Case:
    acquisition = Acquisition.openfwi()
    with torch.no_grad():
        records = WaveSolver(acquisition, "host")(torch.from_numpy(truth)[None])[0].float()
    draws = generator(job["seed"], number)
    settings = _settings(job)
    if job.get("noise"):
        records = records + job["noise"] * records.std() * torch.randn(records.shape, generator=draws)
        settings = dataclasses.replace(settings, noise=job["noise"] / np.sqrt(1.0 + job["noise"] ** 2))
    changes: dict[str, Any] = {}
    if job.get("missing"):
        kept = torch.rand((acquisition.shots, acquisition.receiver_count), generator=draws) >= job["missing"]
        changes["mask"], records = kept.numpy(), records * kept[:, None]
    if settings.unknown_wavelet:
        changes["wavelet"] = 0.5 * np.roll(acquisition.wavelet, 5)
    return Case(truth, records, dataclasses.replace(acquisition, **changes), settings)


def _settings(job: Job) -> Refinement:
    settings = PLAIN if job.get("plain") else Refinement()
    priors = [TotalVariation(), PRIORS[job["prior"]]] if job.get("prior") else settings.priors
    changes = {"solves": job["solves"], "unknown_wavelet": job.get("unknown_wavelet", False), "priors": priors}
    return dataclasses.replace(settings, **changes)


def _smoothed(job: Job, cases: Sequence[Case]) -> list[np.ndarray]:
    return [gaussian_filter(case.truth, BLUR) for case in cases]


def _profile(job: Job, cases: Sequence[Case]) -> list[np.ndarray]:
    profile = genuine_maps("curvevel-a", OTHERS).mean((0, 2))
    return [np.repeat(profile[:, None], case.truth.shape[1], 1) for case in cases]


def _gradient(job: Job, cases: Sequence[Case]) -> list[np.ndarray]:
    depth, width = cases[0].truth.shape
    return [np.repeat(np.linspace(1800.0, 3600.0, depth)[:, None], width, 1)] * len(cases)


def _nearest(job: Job, cases: Sequence[Case]) -> list[np.ndarray]:
    records = torch.stack([case.records for case in cases])
    return list(nearest(training_pairs(job["pairs"], job["seed"]).shots, records)[:, 0].double().numpy())


def _network(job: Job, cases: Sequence[Case]) -> list[np.ndarray]:
    task = shipped_task()
    with torch.no_grad():
        return [task(case.prepared()[None])[0, 0].double().numpy() for case in cases]


STARTS: dict[str, Starts] = {
    "smoothed": _smoothed,
    "profile": _profile,
    "gradient": _gradient,
    "nearest": _nearest,
    "network": _network,
}


def _smooth_fields(count: int, shape: tuple[int, int], draws: torch.Generator) -> np.ndarray:
    """Return fields (count, nz, nx), the first one zero, the others Gaussian with the stated deviation and length."""
    white = torch.randn((count, *shape), generator=draws, dtype=torch.float64).numpy()
    fields = gaussian_filter(white, (0.0, LENGTH, LENGTH), mode="wrap")
    fields *= ROUGHNESS / fields.std((1, 2), keepdims=True)
    fields[0] = 0.0
    return fields
