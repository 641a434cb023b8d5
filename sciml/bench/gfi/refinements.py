"""The measurements of ``sciml bench gfi`` on refinements: genuine CurveVel-A maps, found again from their records.

Records are made by OpenFWI's own scheme and inverted by another one. A job takes every third of the 16 maps
0, 31, ..., 465 of ``vmodel10.npy``, which its seed chooses; settings were chosen on maps of other files.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from sciml.bench.measure import cpu_timed
from sciml.bench.outcome import outcome
from sciml.bench.reference_data import reference_file
from sciml.bench.worker import Job
from sciml.gfi.refinement import Pull, Refined, Refinement, RisingWithDepth, Stage, TotalVariation, refine
from sciml.npy_files import read_npz
from sciml.numerics.random import generator
from sciml.reference.waves import Acquisition, WaveSolver

ARCHIVE, TESTED, OTHERS = "CurveVelA_train.zip", "vmodel10", "vmodel1"
EVERY, SHARES = 31, 3  # maps
BLUR = 10.0  # cells, of the smoothed truth
PLAIN = Refinement(stages=[Stage()], priors=[TotalVariation(0.3)], lowest=None, balance=0.0)
PRIORS = {"rising": RisingWithDepth(), "pull": Pull()}


def refined(job: Job) -> dict[str, Any]:
    """Refine ``job["start"]`` (``smoothed`` truth, mean ``profile``, ``gradient``) by ``job["solves"]`` solves.

    ``job["plain"]`` takes the full band alone with a weaker total variation; ``job["prior"]`` adds one of
    :data:`PRIORS`; ``job["noise"]`` adds white noise of that share of the records, which the refinement knows;
    ``job["missing"]`` leaves out that share of the traces; ``job["unknown_wavelet"]`` shifts and halves the
    wavelet that it begins with.

    Returns
    -------
    dict
        ``start`` and ``error``, mean absolute errors in m/s before and after; ``change``, the relative one of their
        means; ``lower``, the share of maps with a lower error; ``worst``, the largest error after over before;
        ``misfit``, the median of that after over before; ``solves`` of a map and ``seconds`` for all.
    """

    def measure() -> dict[str, float]:
        maps = tested_maps(job)
        found, seconds = cpu_timed(lambda: [_one(job, number, velocity) for number, velocity in enumerate(maps)])
        before, after, ratios, solves = np.array(found).T
        return {
            "start": before.mean(),
            "error": after.mean(),
            "change": after.mean() / before.mean() - 1.0,
            "lower": (after < before).mean(),
            "worst": (after / before).max(),
            "misfit": np.median(ratios),
            "solves": solves.mean(),
            "seconds": seconds,
        }

    return outcome(measure)


def tested_maps(job: Job) -> np.ndarray:
    """Return the maps of a job, (maps, 70, 70)."""
    chosen = range(0, 500, EVERY)[:16][job["seed"] % SHARES :: SHARES]
    return _file(TESTED)[list(chosen)][: job.get("maps")]


def _one(job: Job, number: int, truth: np.ndarray) -> tuple[float, float, float, float]:
    """Return error before and after, misfit after over before, and solves."""
    acquisition = Acquisition.openfwi()
    with torch.no_grad():
        records = WaveSolver(acquisition, "host")(torch.from_numpy(truth)[None])[0]
    draws = generator(job["seed"], number)
    settings = _settings(job)
    if job.get("noise"):
        records = records + job["noise"] * records.std() * torch.randn(records.shape, generator=draws)
        settings = dataclasses.replace(settings, noise=job["noise"] / np.sqrt(1.0 + job["noise"] ** 2))
    changes: dict[str, Any] = {}
    if job.get("missing"):
        shape = acquisition.shots, acquisition.receiver_count
        changes["mask"] = (torch.rand(shape, generator=draws) >= job["missing"]).numpy()
    if settings.unknown_wavelet:
        changes["wavelet"] = 0.5 * np.roll(acquisition.wavelet, 5)
    known = dataclasses.replace(acquisition, **changes)
    start = _start(job["start"], truth)
    result: Refined = refine(start, records.numpy(), known, settings)
    before, after = (float(np.abs(each - truth).mean()) for each in (start, result.map))
    return before, after, result.misfit / result.start_misfit, result.solves


def _settings(job: Job) -> Refinement:
    settings = PLAIN if job.get("plain") else Refinement()
    priors = [TotalVariation(), PRIORS[job["prior"]]] if job.get("prior") else settings.priors
    changes = {"solves": job["solves"], "unknown_wavelet": job.get("unknown_wavelet", False), "priors": priors}
    return dataclasses.replace(settings, **changes)


def _start(kind: str, truth: np.ndarray) -> np.ndarray:
    """Return the start for a map."""
    if kind == "smoothed":
        return gaussian_filter(truth, BLUR)
    profile = _file(OTHERS).mean((0, 2)) if kind == "profile" else np.linspace(1800.0, 3600.0, len(truth))
    return np.repeat(profile[:, None], truth.shape[1], 1)


def _file(name: str) -> np.ndarray:
    """Return the maps of one file, (500, 70, 70)."""
    path = reference_file("openfwi", ARCHIVE, kind="genuine maps of OpenFWI's CurveVel-A")
    return read_npz(path, [name])[name][:, 0].astype(np.float64)
