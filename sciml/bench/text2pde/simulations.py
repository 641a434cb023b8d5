"""The simulations of ``sciml bench text2pde``, and the scores of ensembles on those of the tests.

Smoke rises in a closed box: 32 frames of 64 x 64 cells, velocity and smoke, as ``sciml data generate smoke`` makes
them. Tests are drawn from other seeds than the training. Scores are those of ``sciml evaluate``: each field counts in
units of its deviation in the training, and the given first frame counts nowhere.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sciml.bench.measure import cpu_timed
from sciml.bench.worker import Job
from sciml.data import generate
from sciml.data.formats import open_dataset
from sciml.reference.incompressible_smoke import FIELDS
from sciml.text2pde.scores import EnsembleScores

MEMBERS = 8
BLOCK = 16  # tests at once
OTHERS = 10_000  # added to the seed of the training for that of the tests
OF_ENSEMBLES = ("spread_skill", "coverage")
NAMES = {"energy_score": "energy", "relative_l2": "sample", "mean_l2": "mean", "spread_skill": "ratio",
         "coverage": "coverage"}  # fmt: skip


@dataclass(frozen=True)
class Trajectories:
    """Simulations, their buoyancies, and the file that they come from.

    Attributes
    ----------
    path : a data set
    fields : ``(n, 3, frames, x, y)``
    buoyancy : ``(n, 1)``
    """

    path: Path
    fields: Tensor
    buoyancy: Tensor

    @property
    def first(self) -> Tensor:
        """The first frames, ``(n, 3, x, y)``."""
        return self.fields[:, :, 0]


@dataclass(frozen=True)
class Simulations:
    """The simulations of the training and those of the tests.

    Attributes
    ----------
    folder : of the data sets, which goes with this object
    training, tests : none of which is in both
    seconds : CPU time of making the training
    """

    folder: tempfile.TemporaryDirectory[str]
    training: Trajectories
    tests: Trajectories
    seconds: float

    @cached_property
    def deviations(self) -> dict[str, float]:
        """The deviation of each field in the training by its name."""
        over = (0, 2, 3, 4)
        return dict(zip(FIELDS, torch.var(self.training.fields, over, correction=0).sqrt().tolist(), strict=True))

    @property
    def units(self) -> Tensor:
        """The deviations beside axes of time and space, ``(3, 1, 1, 1)``."""
        return torch.tensor(list(self.deviations.values()))[:, None, None, None]

    def scores(self, ensemble: Callable[[slice], Tensor]) -> dict[str, float]:
        """Return the scores of an ensemble for all tests.

        Parameters
        ----------
        ensemble : maps the numbers of some tests to members ``(m, tests, 3, frames, x, y)``

        Returns
        -------
        dict
            ``energy``, ``sample`` and ``mean``, energy score and relative L2 errors of a member and of the mean; of
            two or more members ``ratio`` of spread to skill and ``coverage``; ``draw``, CPU milliseconds of a member.
        """
        scores = EnsembleScores(self.deviations)
        took, members = 0.0, 1
        for first in range(0, len(self.tests.fields), BLOCK):
            block = slice(first, first + BLOCK)
            found, seconds = cpu_timed(lambda: ensemble(block))  # noqa: B023
            took, members = took + seconds, len(found)
            truth = self.tests.fields[block].double().numpy()
            # The score of a single prediction is its error, which two equal members have.
            scored = found if members > 1 else found.expand(2, *found.shape[1:])
            scores.add(scored.double().numpy(), truth, list(range(first, first + len(truth))))
        left_out = () if members > 1 else OF_ENSEMBLES
        means = {short: value for name, value in scores.means().items()
                 if name not in left_out and (short := NAMES.get(name))}  # fmt: skip
        return {**means, "draw": 1e3 * took / (members * len(self.tests.fields))}


def simulations(job: Job) -> Simulations:
    """Return the simulations of a job: ``job["train"]`` and ``job["tests"]`` of them, drawn by its seed."""
    return _simulations(job["seed"], job["train"], job["tests"])


def tests(job: Job) -> Trajectories:
    """Return the simulations of the tests of a job alone."""
    return _tests(job["seed"], job["tests"])[1]


@lru_cache(maxsize=1)  # rows of a group share a process
def _simulations(seed: int, train: int, count: int) -> Simulations:
    folder = tempfile.TemporaryDirectory(prefix="sciml-bench-")
    path = Path(folder.name, "smoke.h5")
    _, seconds = cpu_timed(lambda: generate("smoke", train, path, seed=seed))
    return Simulations(folder, _read(path), _tests(seed, count)[1], seconds)


@lru_cache(maxsize=1)
def _tests(seed: int, count: int) -> tuple[tempfile.TemporaryDirectory[str], Trajectories]:
    folder = tempfile.TemporaryDirectory(prefix="sciml-bench-")
    path = Path(folder.name, "tests.h5")
    generate("smoke", count, path, seed=OTHERS + seed)
    return folder, _read(path)


def _read(path: Path) -> Trajectories:
    with open_dataset(path) as data:
        count = data.description.trajectories
        fields = np.stack(
            [np.stack([data.read(name, number) for name in FIELDS]) for number in range(count)], dtype=np.float32
        )
        return Trajectories(
            path,
            torch.from_numpy(fields),
            torch.from_numpy(np.array(data.description.parameters["buoyancy"], np.float32))[:, None],
        )
