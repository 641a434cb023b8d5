"""The scores of an ensemble in ``sciml bench generative``, and the smoke simulations on which they are taken.

Smoke rises in a closed box: 32 x 32 cells averaged to 16 x 16, eight frames, velocity and smoke. A trajectory is 160
coefficients of proper orthogonal modes of the training set, divided by one number; what the modes miss counts as error,
unless members are completed.
Conditions: ``"caption"``, four numbers (mass and centre of the smoke in the first frame, and buoyancy), which many
trajectories share; ``"first"``, the first frame and the buoyancy; ``"sensors"``, a twentieth of the values at random
places and times; ``"none"``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool3d

from sciml.bench.generative.simulations import BUOYANCY, simulations
from sciml.bench.worker import Job
from sciml.generative.classical import Analogs, LinearGaussian
from sciml.metrics import coverage, energy_score, relative_l2, spectrum_bands, spread_skill
from sciml.numerics.principal_modes import PrincipalModes, principal_modes
from sciml.numerics.random import generator

MEMBERS = 8
FRAME_MODES = 96
SENSORS = 0.05  # of all values
PLACES = 5  # stream of their places
STILL = 0.05  # of the deviation of all values, below which a place hardly varies and has no coverage


@dataclass(frozen=True)
class Smoke:
    """Simulations in latents, those of the training before those of the tests.

    Attributes
    ----------
    fields : ``(n, 3, frames, x, y)``
    train : number of those of the training
    shift, scale : mean and deviation of the components in the training, by which fields are normalised
    modes : of normalised fields
    size : of the latents, by which coefficients are divided
    latents : ``(n, count)``
    persisted : latents of the first frame at all times
    conditions : ``(n, width)`` by name
    sensors : numbers of the entries of a normalised field that ``"sensors"`` are the values of
    means : of linear-Gaussian laws, by condition, once they are asked for
    """

    fields: Tensor
    train: int
    shift: Tensor
    scale: Tensor
    modes: PrincipalModes
    size: float
    latents: Tensor
    persisted: Tensor
    conditions: dict[str, Tensor]
    sensors: Tensor
    means: dict[str, Tensor] = field(default_factory=dict)

    @property
    def tests(self) -> int:
        """The number of simulations of the tests."""
        return len(self.fields) - self.train

    def truth(self) -> Tensor:
        """Return the fields of the tests."""
        return self.fields[self.train :]

    def decode(self, latents: Tensor) -> Tensor:
        """Return the fields of latents ``(..., count)``."""
        return self.modes.decode(latents * self.size) * self.scale + self.shift

    def normal(self) -> Tensor:
        """Return the fields with mean 0 and deviation 1 of each component."""
        return (self.fields - self.shift) / self.scale

    def linear_mean(self, condition: str) -> Tensor:
        """Return latents ``(n, count)``: means of a linear-Gaussian law, for the training left one out."""
        if condition not in self.means:
            known, asked = self.conditions[condition].split([self.train, self.tests])
            law = LinearGaussian(known, self.latents[: self.train])
            self.means[condition] = torch.cat([law.left_one_out, law.mean(asked)])
        return self.means[condition]

    def completed(self, fields: Tensor, condition: str) -> Tensor:
        """Return members ``(m, tests, ...)`` with what the modes miss of the simulations of the nearest conditions."""
        asked = self.conditions[condition]
        missed = self.fields[: self.train] - self.decode(self.latents[: self.train])
        law = Analogs(asked[: self.train], missed)
        return fields + law.sample(asked[self.train :], len(fields), generator(0))

    def scores(self, fields: Tensor) -> dict[str, float]:
        """Return the scores of members ``(m, tests, 3, frames, x, y)``, relative to the norm of the truth of each test.

        Returns
        -------
        dict
            ``sample`` and ``mean``, relative L2 errors of the first member and of the mean; ``energy``, the energy
            score; ``fine``, the energy of the shortest waves over that of the truth; and of ensembles, ``ratio`` of
            spread to skill, and ``coverage`` by their range.
        """
        x, y = fields.double().numpy(), self.truth().double().numpy()
        norms = np.linalg.norm(y.reshape(len(y), -1), axis=1)
        found = {
            "sample": _mean_error(x[0], y),
            "mean": _mean_error(x.mean(axis=0), y),
            "energy": float(np.mean(energy_score(x, y, fair=len(x) > 1) / norms)),
            "fine": float(np.divide(*(spectrum_bands(each, periodic=False).energy[..., -1].mean() for each in (x, y)))),
        }
        if len(x) > 1:
            varies = y.std(axis=0) > STILL * y.std()
            found["ratio"] = spread_skill(x, y)
            found["coverage"] = coverage(x[:, :, varies], y[:, varies]).share
        return found


def smoke(job: Job) -> Smoke:
    """Return the simulations of a job: ``job["train"]`` and ``job["tests"]`` of them, in ``job["modes"]`` modes."""
    return _smoke(job["seed"], job["train"], job["tests"], job["modes"])


@lru_cache(maxsize=1)  # rows of a group share a process
def _smoke(seed: int, train: int, tests: int, modes: int) -> Smoke:
    fine, buoyancy = simulations(seed, train + tests)
    fields = avg_pool3d(fine, (1, 2, 2))
    over = (0, 2, 3, 4)
    shift = fields[:train].mean(over, keepdim=True)[0]
    scale = fields[:train].std(over, keepdim=True)[0]
    normal = (fields - shift) / scale
    basis = principal_modes(normal[:train], modes)
    coefficients = basis.encode(normal)
    size = float(coefficients[:train].std())
    first = principal_modes(normal[:train, :, 0], min(FRAME_MODES, modes)).encode(normal[:, :, 0])
    entries = normal[0].numel()
    sensors = torch.randperm(entries, generator=generator(seed, PLACES))[: round(SENSORS * entries)]
    low, high = BUOYANCY
    pushed = ((buoyancy - (low + high) / 2) / ((high - low) / 12**0.5))[:, None]
    conditions = {
        "none": torch.zeros(len(fields), 1),
        "caption": torch.cat([caption(fields, float(fields[:train, 2, 0].mean())), pushed], 1),
        "first": torch.cat([first / first[:train].std(), pushed], 1),
        "sensors": normal.flatten(1)[:, sensors],
    }
    persisted = basis.encode(normal[:, :, :1].expand_as(normal)) / size
    return Smoke(fields, train, shift, scale, basis, size, coefficients / size, persisted, conditions, sensors)


def caption(fields: Tensor, mean: float) -> Tensor:
    """Return mass and centre of the smoke in the first frames of fields, ``(n, 3)``, of the order of 1."""
    first = fields[:, 2, 0]
    places = torch.linspace(-1, 1, first.shape[-1])
    mass = first.mean((1, 2))
    centre = [(first.mean(axis) * places).mean(1) / mass * 4 for axis in (2, 1)]
    return torch.stack([mass / mean, *centre], 1)


def _mean_error(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.mean([relative_l2(*pair) for pair in zip(found, expected, strict=True)]))
