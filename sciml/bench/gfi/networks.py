"""The measurements of ``sciml bench gfi`` on networks: trained on generated maps, tested on genuine ones.

Data for training are made in a folder of the job that goes with it; their CPU time is reported, and is not that of the
training. Tests are the 500 maps of ``vmodel10.npy`` of CurveVel-A, with records by OpenFWI's own scheme; settings were
chosen on other maps.
"""

from __future__ import annotations

import dataclasses
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sciml import weights
from sciml.bench.gfi.genuine import genuine_maps
from sciml.bench.measure import cpu_timed
from sciml.bench.outcome import outcome
from sciml.bench.worker import Job
from sciml.data import generate
from sciml.data.formats.openfwi import ShotFolder
from sciml.gfi.task import SeismicTask, map_errors, record_errors
from sciml.reference.waves import Acquisition, WaveSolver

TESTED = "vmodel10"
SHIPPED = "gfi/curvevel_a_cpu"
EVERY_STEP = 8  # of the records by which maps are compared: 8 ms
BLOCK = 50  # maps at once


@dataclasses.dataclass(frozen=True)
class TrainingPairs:
    """Generated maps with their records.

    Attributes
    ----------
    folder : of the pairs, which goes with this object
    seconds : CPU time of making them
    """

    folder: tempfile.TemporaryDirectory[str]
    seconds: float

    @property
    def path(self) -> Path:
        """The folder of the pairs."""
        return Path(self.folder.name, "maps")

    @property
    def shots(self) -> ShotFolder:
        """The pairs, mapped into memory."""
        return ShotFolder(self.path)


def network(job: Job) -> dict[str, Any]:
    """Train a config with ``changes`` on ``pairs`` generated CurveVel-A maps; test it on ``tests`` genuine ones.

    Returns
    -------
    dict
        ``mae`` in m/s, ``ssim``, the number of ``weights``, CPU ``generation`` of the data and ``milliseconds`` a map;
        ``seconds`` of the training.
    """

    def measure() -> dict[str, float]:
        task, seconds, generation = trained(job)
        return {**_tested(task, job), "seconds": seconds, "generation": generation}

    return outcome(measure)


def shipped(job: Job) -> dict[str, Any]:
    """Test the weights that come with the package; as for :func:`network`, without what is of the training."""
    return outcome(lambda: _tested(shipped_task(), job))


def mean_map(job: Job) -> dict[str, Any]:
    """Take the mean of ``pairs`` generated maps for every test."""

    def measure() -> dict[str, float]:
        pairs = training_pairs(job["pairs"], job["seed"])
        truth, _ = tests(job["tests"])
        mean, seconds = cpu_timed(lambda: torch.from_numpy(pairs.shots.maps(range(job["pairs"])).mean(0)))
        return {**_errors(mean.expand_as(truth), truth), "seconds": seconds, "generation": pairs.seconds}

    return outcome(measure)


def nearest_map(job: Job) -> dict[str, Any]:
    """Take for every test the map, of ``pairs`` generated ones, whose records are nearest."""

    def measure() -> dict[str, float]:
        pairs = training_pairs(job["pairs"], job["seed"])
        truth, records = tests(job["tests"])
        found, seconds = cpu_timed(lambda: nearest(pairs.shots, records))
        took = 1e3 * seconds / len(truth)
        return {**_errors(found, truth), "seconds": seconds, "generation": pairs.seconds, "milliseconds": took}

    return outcome(measure)


def modelling(job: Job) -> dict[str, Any]:
    """Train a config from maps to records, and test it; as for :func:`network`.

    Returns
    -------
    dict
        ``records``, the mean relative L2 error; ``milliseconds`` a map, and ``solver``, those of the numba engine;
        ``solver_error``, its relative L2 error; ``weights``, ``generation``, and ``seconds`` of the training.
    """

    def measure() -> dict[str, float]:
        task, seconds, generation = trained(job)
        velocity, wanted = tests(job["tests"])
        with torch.no_grad():
            found, took = cpu_timed(lambda: in_blocks(task.network.forward_map, velocity))
            solver = WaveSolver(Acquisition.openfwi())
            solver(velocity[:1, 0])  # compiles
            solved, own = cpu_timed(lambda: solver(velocity[:, 0]))
        scale = task.network.scales.deviation
        error, solver_error = (float(record_errors(each, wanted, scale)["records_l2"]) for each in (found, solved))
        count = len(velocity)
        return {"records": error, "milliseconds": 1e3 * took / count, "solver": 1e3 * own / count,
                "solver_error": solver_error, "weights": _weights(task), "seconds": seconds,
                "generation": generation}  # fmt: skip

    return outcome(measure)


def trained(job: Job) -> tuple[SeismicTask, float, float]:
    """Return a trained task, the CPU seconds of its training, and those of its data."""
    from sciml.training import run
    from sciml.training.config import load_config

    pairs = training_pairs(job["pairs"], job["seed"])
    changes = [f"seed={job['seed']}", f"data.init_args.path={pairs.path}", *job.get("changes", ())]
    config = load_config(job["config"], changes)
    with tempfile.TemporaryDirectory(prefix="sciml-bench-") as folder:
        _, seconds = cpu_timed(lambda: run.train(config, Path(folder) / "run"))
        return run.load_task(Path(folder) / "run"), seconds, pairs.seconds


@lru_cache(maxsize=1)
def shipped_task() -> SeismicTask:
    """Return the task with the weights that come with the package.

    Raises
    ------
    InputError
        If this version comes without them.
    """
    from sciml.training import run

    return run.load_task(weights.find(SHIPPED))


@lru_cache(maxsize=1)
def training_pairs(count: int, seed: int) -> TrainingPairs:
    """Return generated CurveVel-A maps with records; those of the last call are kept for the next job."""
    folder = tempfile.TemporaryDirectory(prefix="sciml-bench-")
    _, seconds = cpu_timed(lambda: generate("openfwi-curvevel-a", count, Path(folder.name, "maps"), seed=seed))
    return TrainingPairs(folder, seconds)


@lru_cache(maxsize=1)
def tests(count: int) -> tuple[Tensor, Tensor]:
    """Return genuine maps (n, 1, 70, 70), and their records (n, 5, 1000, 70) by OpenFWI's own scheme."""
    maps = torch.from_numpy(genuine_maps("curvevel-a", TESTED)[:count].astype(np.float32))
    with torch.no_grad():
        return maps[:, None], WaveSolver(Acquisition.openfwi(), "host")(maps)


def nearest(folder: ShotFolder, records: Tensor) -> Tensor:
    """Return for each of some records (n, ...) the map of a folder whose records are nearest, (n, 1, nz, nx).

    Distances are L2, of sign(p) log(1 + |p|) of records p over their deviation, so that the direct wave does not hide
    what comes from below.
    """
    scale = float(records.std())
    wanted = _compared(records, scale)
    best, number = torch.full((len(wanted),), torch.inf), torch.zeros(len(wanted), dtype=torch.int64)
    for first in range(0, folder.count, BLOCK):
        block = range(first, min(first + BLOCK, folder.count))
        distances = torch.cdist(wanted, _compared(torch.from_numpy(folder.records(block)), scale))
        least, place = distances.min(1)
        number = torch.where(least < best, first + place, number)
        best = torch.minimum(best, least)
    return torch.from_numpy(folder.maps(number.tolist()))


@torch.no_grad()
def in_blocks(function: Any, given: Tensor) -> Tensor:
    """Return a function of tensors (n, ...), of a few at once."""
    return torch.cat([function(block) for block in given.split(BLOCK)])


def _tested(task: SeismicTask, job: Job) -> dict[str, float]:
    truth, records = tests(job["tests"])
    predicted, took = cpu_timed(lambda: in_blocks(task, records))
    return {**_errors(predicted, truth), "weights": _weights(task), "milliseconds": 1e3 * took / len(truth)}


def _weights(task: SeismicTask) -> float:
    return float(sum(each.numel() for each in task.network.parameters()))


def _compared(records: Tensor, scale: float) -> Tensor:
    kept = records[..., ::EVERY_STEP, :] / scale
    return (kept.sign() * kept.abs().log1p()).flatten(1)


def _errors(predicted: Tensor, truth: Tensor) -> dict[str, float]:
    found = map_errors(predicted, truth)
    return {name: float(found[name]) for name in ("mae", "ssim")}
