"""Data modules of the training: batches of draws without data, and of windows and samples from a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, Literal

import numpy as np
from lightning import LightningDataModule
from torch.utils.data import DataLoader

from sciml.checks import choice, whole_number
from sciml.data.file_data import FileData
from sciml.data.formats import VaryingTimes
from sciml.data.sample_batches import Pack, Pad
from sciml.data.samples import Sample, Samples
from sciml.data.sampling import EpochShuffle
from sciml.data.windows import Window, Windows, check_window, whole_trajectories
from sciml.errors import InputError


class Draws(LightningDataModule):
    """Batches for tasks that draw their own points: the whole numbers 0, 1, 2, ... in each epoch.

    Every rank sees every number: the task draws from (seed, update, rank).

    Parameters
    ----------
    batches_per_epoch : numbers in a training epoch
    validation_batches : numbers in a validation and in a test; 0 for none

    Examples
    --------
    >>> list(Draws(3).train_dataloader())
    [0, 1, 2]
    """

    def __init__(self, batches_per_epoch: int, validation_batches: int = 1) -> None:
        super().__init__()
        whole_number("batches_per_epoch", batches_per_epoch, at_least=1)
        whole_number("validation_batches", validation_batches, at_least=0)
        self.batches_per_epoch, self.validation_batches = batches_per_epoch, validation_batches

    def train_dataloader(self) -> DataLoader:
        """Return the counters of one epoch."""
        return _counters(self.batches_per_epoch)

    def val_dataloader(self) -> DataLoader | list:
        """Return the counters of one validation."""
        return _counters(self.validation_batches) if self.validation_batches else []

    def test_dataloader(self) -> DataLoader | list:
        """Return the counters of one test."""
        return self.val_dataloader()


class FieldData(FileData):
    """Windows of the trajectories in a file: some steps given, the next ones wanted.

    The trajectories, not the windows, are split into training, validation and test, by a permutation that depends on
    the seed alone. A batch is a dictionary of tensors with a leading batch axis, channels last:

    ==============  ======================================================  ===================================
    ``history``     ``(batch, history, *places, channels of the inputs)``   the steps given
    ``target``      ``(batch, horizon, *places, channels of the targets)``  the steps wanted, in physical units
    ``parameters``  ``(batch, n)``                                          numbers of the trajectory
    ``trajectory``  ``(batch,)``                                            its number in the file
    ``start``       ``(batch,)``                                            first step of the window
    ==============  ======================================================  ===================================

    Parameters
    ----------
    path : of a data set in any layout that `open_dataset` reads
    history : steps given
    horizon : steps wanted; 0 wants the targets at the last step given, as for maps from coefficient to solution
    inputs : names of fields; all by default
    targets : names of fields; by default all that vary in time
    batch_size : samples in a batch; a last one that is smaller is kept
    fractions : of the trajectories for training and validation, the rest is for tests; training gets at least one
    seed : of the split and of the order
    workers : processes that read ahead; 0 reads in this one
    precision : of the values: "float32" or "float64"
    """

    def __init__(  # noqa: PLR0913 - every parameter is a line of the config
        self,
        path: str,
        *,
        history: int = 1,
        horizon: int = 1,
        inputs: list[str] | None = None,
        targets: list[str] | None = None,
        batch_size: int = 16,
        fractions: tuple[float, float] = (0.8, 0.1),
        seed: int = 0,
        workers: int = 0,
        precision: Literal["float32", "float64"] = "float32",
    ) -> None:
        super().__init__(
            path, batch_size=batch_size, fractions=fractions, seed=seed, workers=workers, precision=precision
        )
        self._lengths, self._names = (history, horizon), (inputs, targets)

    @cached_property
    def window(self) -> Window:
        """Lengths and fields of a window."""
        about = self.dataset.description
        inputs, targets = self._names
        varying = tuple(entry.name for entry in about.fields if entry.time_varying)
        every = tuple(entry.name for entry in about.fields)
        window = Window(
            *self._lengths,
            every if inputs is None else tuple(inputs),
            (varying or every) if targets is None else tuple(targets),
        )
        check_window(about, window, self.path)
        return window

    def channels(self, which: Literal["inputs", "targets"]) -> list[str]:
        """Return a name for each channel, such as ``velocity.0``.

        Parameters
        ----------
        which : those of ``history`` or those of ``target``
        """
        about, names = self.dataset.description, []
        for name in getattr(self.window, which):
            components = about[name].components
            size = int(np.prod(components))
            names += [f"{name}.{k}" for k in range(size)] if components else [name]
        return names

    def training_values(self, which: Literal["inputs", "targets"]) -> Iterator[np.ndarray]:
        """Yield the values of the training split alone, ``(steps, *places, channels)``, for `Normaliser.fit`.

        Parameters
        ----------
        which : the channels of ``history`` or those of ``target``
        """
        yield from whole_trajectories(self.dataset, getattr(self.window, which), self.split["train"])

    def samples(self, part: str) -> Windows:
        """Return the windows of a part of the data set, by number.

        Parameters
        ----------
        part : ``train``, ``validate`` or ``test``
        """
        return Windows(self.dataset, self.split[part], self.window, self.dtype)


class SampleData(FileData):
    """Samples that each have their own mesh, graph or grids, in batches that are packed or padded.

    The trajectories are split as those of `FieldData`. A batch is a `sciml.data.sample_batches.SampleBatch`; a subclass
    overrides :meth:`collate` to make another one of the list of its `Sample` objects, such as a batch of PyTorch
    Geometric.

    Parameters
    ----------
    path : of a data set in any layout that `open_dataset` reads
    fields : names of those that are read; all by default
    steps : of a window in time; by default a sample is a whole trajectory
    batch : "packed" puts the values of all samples one after the other, "padded" brings them to one shape
    batch_size : samples in a batch; a last one that is smaller is kept
    fractions : of the trajectories for training and validation, the rest is for tests; training gets at least one
    seed : of the split and of the order
    workers : processes that read ahead; 0 reads in this one
    precision : of the values: "float32" or "float64"
    """

    def __init__(  # noqa: PLR0913 - every parameter is a line of the config
        self,
        path: str,
        *,
        fields: list[str] | None = None,
        steps: int | None = None,
        batch: Literal["packed", "padded"] = "packed",
        batch_size: int = 16,
        fractions: tuple[float, float] = (0.8, 0.1),
        seed: int = 0,
        workers: int = 0,
        precision: Literal["float32", "float64"] = "float32",
    ) -> None:
        super().__init__(
            path, batch_size=batch_size, fractions=fractions, seed=seed, workers=workers, precision=precision
        )
        self._form = choice("batch", batch, ("packed", "padded"))
        self._steps, self._fields = steps, fields

    def samples(self, part: str) -> Samples:
        """Return the samples of a part of the data set, by number, with their places.

        Parameters
        ----------
        part : ``train``, ``validate`` or ``test``
        """
        samples, about = Samples(self.dataset, self.split[part], self._steps, self._fields), self.dataset.description
        varying = [name for name in samples.names if about[name].time_varying]
        if varying and isinstance(about.times, VaryingTimes) and self._steps is None and self.batch_size > 1:
            raise InputError(
                f"{self.path} has trajectories of different numbers of steps, which batches do not hold; choose the "
                "steps of a window, or batch_size=1."
            )
        return samples

    def collate(self) -> Callable[[list[Sample]], Any]:
        """Return the function that makes a batch of samples."""
        return (Pack if self._form == "packed" else Pad)(self.dataset.description, self.dtype)

    def training_values(self, name: str) -> Iterator[np.ndarray]:
        """Yield the values of a field in the training split alone, ``(values, channels)``, for `Normaliser.fit`.

        Parameters
        ----------
        name : of the field
        """
        channels = int(np.prod(self.dataset.description[name].components))
        for trajectory in self.split["train"]:
            yield self.dataset.read(name, trajectory).reshape(-1, channels)


def _counters(count: int) -> DataLoader:
    # one rank of one: a sampler of its own keeps Lightning from sharing the numbers out among the ranks
    order = EpochShuffle(count, shuffle=False, rank=0, world=1)
    return DataLoader(range(count), batch_size=None, sampler=order)  # type: ignore[arg-type]
