"""Random log-normal fields with the fine flows through them: the data of upscaling."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import torch
from lightning import LightningDataModule
from scipy.ndimage import maximum_filter
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from sciml.cgs.upscaling.model import BASES, BaseName
from sciml.checks import choice, number, positive, whole_number
from sciml.data.sampling import EpochShuffle
from sciml.errors import ConfigError
from sciml.reference.upscaling_fields import lognormal_field
from sciml.reference.upscaling_flows import FineFlows, fine_flows, random_wells

TRAINING, VALIDATION, TEST = 0, 1, 2  # streams of the seeds


class LognormalFlows(LightningDataModule):
    """Fields of random correlation length and deviation, each with its flows along the axes and between pairs of wells.

    Field number n is a function of (``seed``, n) alone. The fields are made when they are first needed: one of 64 x 64
    cells takes about 0.03 s. A batch is a dictionary of tensors with a leading batch axis:

    ==================  =====================================================================================
    ``log_k``           ``(batch, *cells)`` float32, of zero mean
    ``base_0``, ...     ``(batch, *faces)`` float64, classical transmissibilities along each axis
    ``pressures``       ``(batch, d + pairs, *blocks)`` float64, of the flows along the d axes and of the pairs
    ``rates``           (batch, d) float64, of the flows along the axes
    ``sources``         ``(batch, pairs, *blocks)`` float64, 1 and -1 in the two blocks of each pair
    ``counted``         ``(batch, pairs, *blocks)`` float64, 0 in these blocks and around them, 1 elsewhere
    ==================  =====================================================================================

    Parameters
    ----------
    cells : of a field, along each axis; the factor divides them
    factor : cells of a block along each axis
    base : the classical transmissibilities, those that the network corrects
    fields, validation_fields, test_fields : numbers of fields
    lengths : smallest and largest correlation length in cells, log-uniform between them
    deviations : smallest and largest standard deviation of log k, uniform between them
    pairs : of wells per field
    test_length, test_deviation : of the fields of the test
    batch_size : fields per update
    seed : of the fields and of their order
    """

    def __init__(  # noqa: PLR0913 - the keys of a config
        self,
        cells: list[int],
        factor: int = 8,
        base: BaseName = "local",
        fields: int = 800,
        validation_fields: int = 24,
        test_fields: int = 48,
        lengths: tuple[float, float] = (1.5, 6.0),
        deviations: tuple[float, float] = (0.5, 2.5),
        pairs: int = 4,
        test_length: float = 3.0,
        test_deviation: float = 1.5,
        batch_size: int = 8,
        seed: int = 0,
    ) -> None:
        super().__init__()
        choice("the base", base, tuple(BASES), error=ConfigError)
        counts = {"factor": factor, "fields": fields, "batch_size": batch_size}
        for name, value in counts.items():
            whole_number(name, value, at_least=1, error=ConfigError)
        others = {"validation_fields": validation_fields, "test_fields": test_fields, "pairs": pairs, "seed": seed}
        for name, value in others.items():
            whole_number(name, value, at_least=0, error=ConfigError)
        if len(cells) not in (2, 3) or any(n < 4 * factor or n % factor for n in cells):
            raise ConfigError(
                f"cells is {list(cells)}, expected 2 or 3 numbers that the factor {factor} divides, with at least "
                "four blocks along each axis."
            )
        positive("the smaller of lengths", lengths[0], error=ConfigError)
        number("the smaller of deviations", deviations[0], at_least=0, error=ConfigError)
        for name, (low, high) in (("lengths", lengths), ("deviations", deviations)):
            number(f"the larger of {name}", high, at_least=low, error=ConfigError)
        positive("test_length", test_length, error=ConfigError)
        number("test_deviation", test_deviation, at_least=0, error=ConfigError)
        self.cells, self.factor, self.base, self.seed, self.batch_size = list(cells), factor, base, seed, batch_size
        self.lengths, self.deviations, self.pairs = tuple(lengths), tuple(deviations), pairs
        self.test_length, self.test_deviation = test_length, test_deviation
        self._counts = {TRAINING: fields, VALIDATION: validation_fields, TEST: test_fields}

    def train_dataloader(self) -> DataLoader:
        """Return the batches of an epoch, in an order that depends on seed and epoch."""
        return DataLoader(
            self._training, self.batch_size, sampler=EpochShuffle(self._counts[TRAINING], self.seed), drop_last=True
        )

    def val_dataloader(self) -> DataLoader | list:
        """Return further fields like those of training."""
        if not self._counts[VALIDATION]:
            return []
        order = EpochShuffle(self._counts[VALIDATION], shuffle=False)
        return DataLoader(self._validation, self.batch_size, sampler=order)

    def test_flows(self) -> list[FineFlows]:
        """Return the flows of the test, in fields of ``test_length`` and ``test_deviation``."""
        return [self.flows(TEST, index, self.test_length, self.test_deviation) for index in range(self._counts[TEST])]

    def flows(self, stream: int, index: int, length: float | None = None, deviation: float | None = None) -> FineFlows:
        """Return the flows through field number ``index`` of a stream, of random length and deviation by default."""
        random = np.random.default_rng([self.seed, stream, index])
        shortest, longest = self.lengths
        drawn = (shortest * (longest / shortest) ** random.uniform(), random.uniform(*self.deviations))
        k = lognormal_field(
            self.cells,
            random,
            length=drawn[0] if length is None else length,
            deviation=drawn[1] if deviation is None else deviation,
        )
        return fine_flows(k, self.factor, random_wells([n // self.factor for n in self.cells], self.pairs, random))

    @cached_property
    def _training(self) -> _Fields:
        return _Fields(self, TRAINING, self._counts[TRAINING])

    @cached_property
    def _validation(self) -> _Fields:
        return _Fields(self, VALIDATION, self._counts[VALIDATION])


class _Fields(Dataset):
    """The samples of a stream, made at once."""

    def __init__(self, data: LognormalFlows, stream: int, count: int) -> None:
        self.samples = [_sample(data.flows(stream, index), data.base) for index in range(count)]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return self.samples[index]


def _sample(flows: FineFlows, base: BaseName) -> dict[str, Tensor]:
    blocks = flows.blocks
    log_k = np.log(blocks.coefficient)
    sample: dict[str, Any] = {"log_k": torch.from_numpy((log_k - log_k.mean()).astype(np.float32))}
    faces = BASES[base](blocks.coefficient, blocks.factor, blocks.spacing).faces
    sample |= {f"base_{axis}": torch.from_numpy(values) for axis, values in enumerate(faces)}
    sample["pressures"] = torch.from_numpy(flows.pressures)
    sample["rates"] = torch.from_numpy(flows.rates[: blocks.dimension])
    sources = flows.sources
    near = maximum_filter(np.abs(sources), (1, *(3,) * blocks.dimension))
    return sample | {"sources": torch.from_numpy(sources), "counted": torch.from_numpy(1.0 - near)}
