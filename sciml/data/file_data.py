"""`FileData`, the base of the data modules that read a file: the split of its trajectories, the order of the epochs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sized
from functools import cached_property
from typing import Any

import numpy as np
import torch
from lightning import LightningDataModule
from torch.utils.data import DataLoader

from sciml.checks import choice, whole_number
from sciml.data.formats import Dataset, open_dataset
from sciml.data.sampling import EpochShuffle
from sciml.errors import DataFormatError, InputError


class FileData(LightningDataModule):
    """Samples from the trajectories of a file, which a permutation that depends on the seed alone splits in three.

    Parameters
    ----------
    path : of a data set in any layout that `open_dataset` reads
    batch_size : samples in a batch; a last one that is smaller is kept
    fractions : of the trajectories for training and validation, the rest is for tests; training gets at least one
    seed : of the split and of the order
    workers : processes that read ahead; 0 reads in this one
    precision : of the values: "float32" or "float64"
    """

    def __init__(
        self, path: str, *, batch_size: int, fractions: tuple[float, float], seed: int, workers: int, precision: str
    ) -> None:
        super().__init__()
        whole_number("batch_size", batch_size, at_least=1)
        whole_number("workers", workers, at_least=0)
        whole_number("seed", seed, at_least=0)
        if len(fractions) != 2 or min(fractions) < 0 or sum(fractions) > 1 + 1e-9:
            raise InputError(f"fractions are those of training and validation, at most 1 together; got {fractions}.")
        choice("precision", precision, ("float32", "float64"))
        self.path, self.batch_size, self.seed, self.workers = path, batch_size, seed, workers
        self._fractions, self.dtype = tuple(fractions), getattr(torch, precision)

    @abstractmethod
    def samples(self, part: str) -> Sized:
        """Return the samples of a part of the data set, by number.

        Parameters
        ----------
        part : ``train``, ``validate`` or ``test``
        """

    def collate(self) -> Callable[[list[Any]], Any] | None:
        """Return the function that makes a batch of samples; that of torch by default."""
        return None

    @cached_property
    def dataset(self) -> Dataset:
        """The data set, opened when it is first needed."""
        return open_dataset(self.path)

    @cached_property
    def split(self) -> dict[str, list[int]]:
        """Numbers of the trajectories for ``train``, ``validate`` and ``test``."""
        count = self.dataset.description.trajectories
        if not count:
            raise DataFormatError(f"{self.path} has no trajectories; there is nothing to train on.")
        order = np.random.default_rng([self.seed, count]).permutation(count).tolist()
        train = max(1, round(self._fractions[0] * count))
        validate = min(count - train, round(self._fractions[1] * count))
        return {
            "train": sorted(order[:train]),
            "validate": sorted(order[train : train + validate]),
            "test": sorted(order[train + validate :]),
        }

    def train_dataloader(self) -> DataLoader:
        """Return the samples of the training split, in an order that depends on seed and epoch."""
        return self._loader("train", shuffle=True)

    def val_dataloader(self) -> DataLoader | list:
        """Return the samples of the validation split in their order."""
        return self._loader("validate") if self.split["validate"] else []

    def test_dataloader(self) -> DataLoader | list:
        """Return the samples of the test split in their order."""
        return self._loader("test") if self.split["test"] else []

    def teardown(self, stage: str) -> None:
        """Close the file of the data set.

        Parameters
        ----------
        stage : of the trainer
        """
        self.dataset.close()

    def _loader(self, part: str, *, shuffle: bool = False) -> DataLoader:
        samples = self.samples(part)
        return DataLoader(
            samples,  # type: ignore[arg-type]
            self.batch_size,
            sampler=EpochShuffle(len(samples), self.seed, shuffle=shuffle),
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
            collate_fn=self.collate(),
        )
