"""Solutions of diffusion with sorption for validation and tests of operators; training has counters alone."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch.utils.data import DataLoader

from sciml.checks import choice, positive, whole_number
from sciml.data.formats import open_dataset
from sciml.data.modules import Draws
from sciml.errors import DataFormatError
from sciml.hcmoe.families.cases import Batch, loader
from sciml.hcmoe.families.sorption_data import NAMES, sorption_cases
from sciml.hcmoe.families.sorption_instances import drawn, instances_of
from sciml.numerics.random import generator
from sciml.reference.diffusion_sorption import cell_centres, extrapolated
from sciml.reference.diffusion_sorption_families import FAMILIES

VALIDATION, TEST = 1, 2  # streams of the draws
TOLERANCE = 1e-8  # of the solutions, relative


class SorptionCases(Draws):
    """Diffusion with sorption for an operator: no solution is in a batch of training.

    A batch of training is a counter, by which the task draws instances. All solutions of validation or test are one
    batch: ``u``, ``(cases, times, places)``, at ``times`` in seconds and at ``x``, of a ``start`` at these places, and
    the four numbers of each equation by name.

    Parameters
    ----------
    batches_per_epoch : of training
    family : ``"paper"`` or ``"wide"``, see :class:`~sciml.hcmoe.families.sorption.SorptionFamily`
    cases : solutions by extrapolated finite volumes for validation, and twice as many others for tests
    path : of a data set of ``sciml data generate diffusion_sorption``, whose solutions are those of the tests instead
    times, cells : of the solutions
    duration : of the solutions in seconds
    seed : of the instances of validation and tests
    """

    def __init__(  # noqa: PLR0913 - the keys of a config
        self,
        batches_per_epoch: int = 50,
        family: Literal["paper", "wide"] = "paper",
        cases: int = 6,
        path: str | None = None,
        times: int = 26,
        cells: int = 64,
        duration: float = 500.0,
        seed: int = 0,
    ) -> None:
        super().__init__(batches_per_epoch)
        self.family, self.path = choice("the family", family, tuple(FAMILIES)), path
        self.cases = whole_number("the number of cases", cases, at_least=1)
        self.times, self.cells = whole_number("times", times, at_least=2), whole_number("cells", cells, at_least=8)
        self.duration = positive("the duration", duration)
        self.seed = whole_number("the seed", seed, at_least=0)

    def prepare_data(self) -> None:
        """Open the data set of the tests, so that a missing or damaged one is reported before the training."""
        if self.path is not None:
            open_dataset(self.path).close()

    def val_dataloader(self) -> DataLoader:
        """Return the solutions of validation, one batch."""
        return loader([self._solved(VALIDATION, self.cases)])

    def test_dataloader(self) -> DataLoader:
        """Return the solutions of the tests, one batch."""
        return loader([self._solved(TEST, 2 * self.cases) if self.path is None else read_cases(self.path)])

    def _solved(self, stream: int, count: int) -> Batch:
        pairs = drawn(self.family, count, generator(self.seed, stream))
        times, x = np.linspace(0.0, self.duration, self.times), torch.from_numpy(cell_centres(self.cells))
        fields = [extrapolated(start, self.cells, times, each, tolerance=TOLERANCE) for start, each in pairs]
        u = torch.from_numpy(np.stack(fields))
        return {**instances_of(pairs, x), "times": torch.from_numpy(times), "x": x, "u": u}


def read_cases(path: str, least_times: int = 2) -> Batch:
    """Return the solutions of a data set of ``sciml data generate diffusion_sorption`` as one batch.

    Parameters
    ----------
    path : of the data set
    least_times : of each solution; 1 where starts alone will do

    Raises
    ------
    DataFormatError
        If it is no such data set, it is empty, or its trajectories differ in their times.
    """
    with open_dataset(path) as data:
        cases = list(sorption_cases(data, least_times))
    if not cases:
        raise DataFormatError(f"{path} has no trajectories, expected at least one; generate diffusion_sorption.")
    for case in cases[1:]:
        if not torch.equal(case.times, cases[0].times):
            raise DataFormatError(f"{case.name} has other times than {cases[0].name}, expected the same.")
    numbers = {name: torch.tensor([case.numbers[name] for case in cases], dtype=torch.float64) for name in NAMES}
    u = torch.stack([case.u for case in cases])
    return {"start": u[:, 0], **numbers, "times": cases[0].times, "x": cases[0].x, "u": u}
