"""Pairs of records and velocity maps in batches, from folders in the layout of OpenFWI."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from sciml.checks import choice, number, whole_number
from sciml.data.sampling import EpochShuffle
from sciml.errors import ConfigError, InputError
from sciml.numerics.random import generator

if TYPE_CHECKING:
    from sciml.data.formats.openfwi import ShotFolder

Part = Literal["train", "validate", "test", "all"]
MOST_FOR_STATISTICS = 200  # records whose mean and deviation stand for all
CHECKSUM = 32  # bits
ONE_CELL = 1.01  # how far the mirrored sources may lie from sources, in cells: those of OpenFWI at 34 and 35


class ShotMapPairs(LightningDataModule):
    """Records and the velocity maps they belong to, read from memory-mapped files when they are asked for.

    A batch is a dictionary of float32 tensors: ``records`` (batch, shots, steps, receivers), ``map`` (batch, 1, depth,
    width) in m/s, and ``mask`` (batch,), 0 for pairs whose losses may not compare records with maps. The pairs are
    split by a permutation that depends on the seed alone; what is drawn for a pair depends on seed, epoch and pair.

    Parameters
    ----------
    path : folder of pairs, from ``sciml data generate`` or OpenFWI itself
    batch_size : pairs in a batch; a last one that is smaller is kept
    fractions : of the pairs for training and validation, the rest is for tests; training gets at least one
    flip : whether half of the pairs of training are mirrored: the map, the receivers and the order of the shots. Where
        the sources are not symmetric themselves, a mirrored record is that of a source one cell aside: of the five
        shots of OpenFWI, four are exact, and the one at cell 34 should be at 35
    noise : deviation of white noise that is added to the records of training, relative to their root mean square
    dropped_traces : probability with which a trace of training is set to 0
    labelled : fraction of the pairs of training whose mask is 1
    seed : of the split, of the order and of what is drawn
    workers : processes that read ahead; 0 reads in this one
    verify : whether all files are compared with the sums in the manifest before any is used, where there is one

    Attributes
    ----------
    tested : the part that is the test set
    """

    tested: Part = "test"

    def __init__(  # noqa: PLR0913 - every parameter is a line of the config
        self,
        path: str,
        *,
        batch_size: int = 32,
        fractions: tuple[float, float] = (0.9, 0.05),
        flip: bool = True,
        noise: float = 0.0,
        dropped_traces: float = 0.0,
        labelled: float = 1.0,
        seed: int = 0,
        workers: int = 0,
        verify: bool = False,
    ) -> None:
        super().__init__()
        self.batch_size = whole_number("batch_size", batch_size, at_least=1, error=ConfigError)
        self.workers = whole_number("workers", workers, at_least=0, error=ConfigError)
        self.seed = whole_number("seed", seed, at_least=0, error=ConfigError)
        for fraction in fractions:
            number("a number of fractions", fraction, at_least=0, at_most=1, error=ConfigError)
        if len(fractions) != 2 or sum(fractions) > 1 + 1e-9:
            raise ConfigError(f"fractions are those of training and validation, at most 1 together; got {fractions}.")
        number("dropped_traces", dropped_traces, at_least=0, below=1, error=ConfigError)
        number("labelled", labelled, at_least=0, at_most=1, error=ConfigError)
        self.path, self._fractions, self.labelled = path, tuple(fractions), labelled
        self._verifies = verify
        self.disturbance = Disturbance(flip, number("noise", noise, at_least=0, error=ConfigError), dropped_traces)

    @cached_property
    def folder(self) -> ShotFolder:
        """The folder of pairs, opened when it is first needed."""
        from sciml.data.formats.openfwi import ShotFolder

        folder = ShotFolder(self.path)
        if self._verifies:
            folder.verify()
        return folder

    @cached_property
    def parts(self) -> dict[Part, np.ndarray]:
        """Numbers of the pairs for ``train``, ``validate`` and ``test``, and of ``all``."""
        count = self.folder.count
        order = np.random.default_rng([self.seed, count]).permutation(count)
        train = max(1, round(self._fractions[0] * count))
        validate = min(count - train, round(self._fractions[1] * count))
        return {
            "train": np.sort(order[:train]),
            "validate": np.sort(order[train : train + validate]),
            "test": np.sort(order[train + validate :]),
            "all": np.arange(count),
        }

    @cached_property
    def fingerprint(self) -> int:
        """A number that tells the pairs of different folders apart, and whether they begin with the same map.

        Its lower 32 bits are a checksum of the number of pairs and the first map, those above of the first map alone.
        """
        first = np.ascontiguousarray(self.folder.maps([0]), dtype="<f4").tobytes()
        return zlib.crc32(first, self.folder.count) | zlib.crc32(first) >> 1 << CHECKSUM

    def test_on_unseen(self, trained_on: int) -> None:
        """Make all pairs those of the test, unless they are those of a training, whose test split was left out of it.

        Parameters
        ----------
        trained_on : the :attr:`fingerprint` of the pairs of the training

        Raises
        ------
        InputError
            If these pairs are others but begin with the same map, as generated ones of the same seed do.
        """
        differing = self.fingerprint ^ trained_on
        self.tested = "all" if differing % 2**CHECKSUM else "test"
        if self.tested == "all" and not differing >> CHECKSUM:
            raise InputError(
                f"{self.path} begins with the same map as the pairs of the training, as pairs of one seed do whatever "
                "their number: the network has learned them; generate others with another --seed (in Python, another "
                "seed)."
            )

    def training_records(self) -> Iterator[np.ndarray]:
        """Yield records of the training split one by one, at most 200, for the scale of a network."""
        for pair in self.parts["train"][:MOST_FOR_STATISTICS]:
            yield self.folder.records([int(pair)])

    def pairs(self, part: Part) -> Pairs:
        """Return the pairs of a part; those of ``"train"`` are disturbed.

        Parameters
        ----------
        part : ``train``, ``validate``, ``test`` or ``all``
        """
        numbers = self.parts[choice("part", part, tuple(self.parts))]
        if part != "train":
            return Pairs(self.folder, numbers, np.ones(len(numbers), bool), None, self.seed)
        if self.disturbance.flip:
            self.check_symmetric("data.init_args.flip")
        unlabelled = np.random.default_rng([self.seed, len(numbers), 1]).permutation(len(numbers))
        mask = unlabelled < round(self.labelled * len(numbers))
        return Pairs(self.folder, numbers, mask, self.disturbance, self.seed)

    def loader(self, part: Part) -> DataLoader:
        """Return the pairs of a part in batches, those of ``"train"`` in an order that depends on seed and epoch."""
        pairs = self.pairs(part)
        return DataLoader(
            pairs,
            self.batch_size,
            sampler=PairOrder(len(pairs), self.seed, shuffle=part == "train"),
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
        )

    def train_dataloader(self) -> DataLoader:
        """Return the pairs of the training split, in an order that depends on seed and epoch."""
        return self.loader("train")

    def val_dataloader(self) -> DataLoader | list:
        """Return the pairs of the validation split in their order."""
        return self.loader("validate") if len(self.parts["validate"]) else []

    def test_dataloader(self) -> DataLoader | list:
        """Return the pairs of the test set in their order."""
        return self.loader(self.tested) if len(self.parts[self.tested]) else []

    def check_symmetric(self, option: str) -> None:
        """Refuse to mirror pairs whose sources do not lie where the mirrored ones would.

        Parameters
        ----------
        option : which asks for it, as a config names it
        """
        acquisition = self.folder.acquisition
        mirrored = acquisition.flipped()
        aside = max(
            np.abs(getattr(mirrored, name) - getattr(acquisition, name)).max() / acquisition.spacing
            for name in ("sources", "receivers")
        )
        if aside > ONE_CELL:
            raise ConfigError(
                f"{option} is true, but sources or receivers in {self.path} are not symmetric: mirrored ones lie "
                f"{aside:.1f} cells aside; set {option}=false."
            )


class Disturbance:
    """Random changes of the pairs of training: mirroring, noise, traces set to 0.

    Parameters
    ----------
    flip, noise, dropped_traces : as :class:`ShotMapPairs` takes them
    """

    def __init__(self, flip: bool, noise: float, dropped_traces: float) -> None:
        self.flip, self.noise, self.dropped_traces = flip, noise, dropped_traces

    def __call__(self, records: Tensor, velocity: Tensor, draws: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return records (shots, steps, receivers) and a map (1, depth, width) with what is drawn for them."""
        if self.flip and bool(torch.rand((), generator=draws) < 0.5):
            records, velocity = mirrored_records(records), velocity.flip(-1)
        if self.noise:
            noise = torch.randn(records.shape, generator=draws)
            records = records + self.noise * records.square().mean().sqrt() * noise
        if self.dropped_traces:
            kept = torch.rand(records.shape[0], 1, records.shape[2], generator=draws) >= self.dropped_traces
            records = records * kept
        return records, velocity


def mirrored_records(records: Tensor) -> Tensor:
    """Return the records of the mirrored map: shots and receivers in the opposite order, ``(..., shots, steps, n)``."""
    return records.flip(-1, -3)


class Pairs(Dataset[dict[str, Tensor]]):
    """Pairs by (epoch, number), read from the files when they are asked for.

    Parameters
    ----------
    folder : of the files
    numbers : of the pairs in the folder
    mask : whether each may be learned from as a pair
    disturbance : for training
    seed : of what is drawn
    """

    def __init__(
        self,
        folder: ShotFolder,
        numbers: Sequence[int] | np.ndarray,
        mask: np.ndarray,
        disturbance: Disturbance | None,
        seed: int,
    ) -> None:
        self._folder, self._numbers, self._mask = folder, numbers, mask
        self._disturbance, self._seed = disturbance, seed

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, place: tuple[int, int]) -> dict[str, Tensor]:
        epoch, index = place
        number = int(self._numbers[index])
        records, velocity = (torch.from_numpy(read([number])[0]) for read in (self._folder.records, self._folder.maps))
        if self._disturbance is not None:
            records, velocity = self._disturbance(records, velocity, generator(self._seed, epoch, number))
        return {"records": records, "map": velocity, "mask": torch.tensor(float(self._mask[index]))}


class PairOrder(EpochShuffle):
    """An order of pairs that tells each one the epoch, so that workers know what to draw."""

    def __iter__(self) -> Iterator[tuple[int, int]]:
        for index in super().__iter__():
            yield self.epoch, index
