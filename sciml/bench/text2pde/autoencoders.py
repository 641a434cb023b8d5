"""The measurements of ``sciml bench text2pde`` on autoencoders: a trained one beside linear ones of as many latents."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sciml.bench.measure import cpu_timed
from sciml.bench.outcome import outcome
from sciml.bench.text2pde.simulations import BLOCK, Simulations, simulations
from sciml.bench.worker import Job
from sciml.numerics.random import seeded
from sciml.text2pde import AutoencoderTask
from sciml.text2pde.trajectories import from_frames, to_frames

PASSES, MORE = 4, 10  # of the randomised decomposition over the data; directions beside those wanted


@dataclass(frozen=True)
class FirstStage:
    """A trained autoencoder: its run in a folder that goes with this object, and the CPU seconds of its training."""

    folder: tempfile.TemporaryDirectory[str]
    seconds: float

    @property
    def path(self) -> Path:
        """The folder of the run."""
        return Path(self.folder.name, "run")

    @property
    def task(self) -> AutoencoderTask:
        """The task with its trained weights."""
        from sciml.training import run

        return run.load_task(self.path)


def trained(job: Job) -> dict[str, Any]:
    """Train a config with ``changes`` on the simulations of a job, and measure it on the tests.

    Returns
    -------
    dict
        ``error``, the mean relative L2 error; ``latents`` of a simulation; the number of ``weights``; CPU ``seconds``
        of the training.
    """

    def measure() -> dict[str, float]:
        stage = first_stage(job)
        network = stage.task.autoencoder
        error = _error(simulations(job), lambda fields: network.decode(network.encode(fields)))
        return {**_sizes(stage.task), "error": error, "seconds": stage.seconds}

    return outcome(measure)


def patch_components(job: Job) -> dict[str, Any]:
    """Take the principal components of patches that the config starts from, and measure them on the tests."""

    def measure() -> dict[str, float]:
        task = _config(job, simulations(job).training.path).build_task()
        network, fields = task.autoencoder, simulations(job).training.fields
        _, seconds = cpu_timed(lambda: network.fit(lambda: fields.split(BLOCK)))
        found = _error(simulations(job), network.decode_linearly)
        return {"latents": _sizes(task)["latents"], "error": found, "seconds": seconds}

    return outcome(measure)


def modes_of_frames(job: Job) -> dict[str, Any]:
    """Take proper orthogonal modes of single frames, ``job["modes"]`` of them, and measure them on the tests."""
    frames = simulations(job).training.fields.shape[2]
    return outcome(lambda: {**_modes(job, to_frames, from_frames), "latents": job["modes"] * frames})


def modes_of_simulations(job: Job) -> dict[str, Any]:
    """Take proper orthogonal modes of whole simulations, ``job["modes"]`` of them, and measure them on the tests."""
    return outcome(lambda: {**_modes(job, lambda fields: fields, lambda rows, _: rows), "latents": job["modes"]})


def first_stage(job: Job) -> FirstStage:
    """Return the trained autoencoder of a job: its ``autoencoder``, a config, with ``autoencoder_changes``."""
    path = simulations(job).training.path
    return _first_stage(job["autoencoder"], tuple(job["autoencoder_changes"]), job["seed"], path)


@lru_cache(maxsize=1)
def _first_stage(name: str, changes: tuple[str, ...], seed: int, path: Path) -> FirstStage:
    from sciml.training import run
    from sciml.training.config import load_config

    config = load_config(name, [f"seed={seed}", f"data.init_args.path={path}", *changes])
    folder = tempfile.TemporaryDirectory(prefix="sciml-bench-")
    _, seconds = cpu_timed(lambda: run.train(config, Path(folder.name, "run")))
    return FirstStage(folder, seconds)


def principal(rows: Tensor, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return the mean of rows ``(n, width)`` and their first principal directions, ``(width, count)``.

    They are those of a randomised decomposition with several passes over the data.

    References
    ----------
    Halko, Martinsson and Tropp, "Finding structure with randomness", SIAM Review 53, 2011.
    """
    with seeded(seed):
        more = min(count + MORE, *rows.shape)
        return rows.mean(0), torch.pca_lowrank(rows, more, center=True, niter=PASSES)[2][:, :count]


def _config(job: Job, path: Path) -> Any:
    from sciml.training.config import load_config

    return load_config(job["autoencoder"], [f"data.init_args.path={path}", *job["autoencoder_changes"]])


def _modes(job: Job, apart: Callable[[Tensor], Tensor], together: Callable[[Tensor, int], Tensor]) -> dict[str, float]:
    """Return the error of proper orthogonal modes, in units of the deviations of the fields.

    Parameters
    ----------
    job : with the number of modes
    apart, together : simulations to the items that modes are taken of, and items to so many simulations
    """
    case = simulations(job)
    units = case.units
    items = apart(case.training.fields / units).flatten(1)
    (mean, modes), seconds = cpu_timed(lambda: principal(items, job["modes"], job["seed"]))

    def through(fields: Tensor) -> Tensor:
        given = apart(fields / units)
        found = (given.flatten(1) - mean) @ modes @ modes.T + mean
        return together(found.reshape(given.shape), len(fields)) * units

    return {"error": _error(case, through), "seconds": seconds}


@torch.no_grad()
def _error(case: Simulations, through: Callable[[Tensor], Tensor]) -> float:
    """Return the mean relative L2 error of what comes out of an autoencoder, each field in units of its deviation."""
    units, errors = case.units, []
    for block in case.tests.fields.split(BLOCK):
        missed, norms = ((each / units).flatten(1).norm(dim=1) for each in (through(block) - block, block))
        errors.append(missed / norms)
    return float(torch.cat(errors).mean())


def _sizes(task: AutoencoderTask) -> dict[str, float]:
    network = task.autoencoder
    latents = network.latent_channels * int(torch.tensor(network.latent_shape).prod())
    return {"latents": latents, "weights": float(sum(each.numel() for each in network.parameters()))}
