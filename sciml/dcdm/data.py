"""Random right-hand sides that directions are learned from, drawn again for every update."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from sciml.checks import number, whole_number
from sciml.data.modules import Draws
from sciml.data.sampling import EpochShuffle
from sciml.dcdm.ritz import BoxDraws, RitzDraws
from sciml.dcdm.stencil import StencilOperator
from sciml.errors import ConfigError
from sciml.linalg import VoxelPoisson
from sciml.numerics.random import generator
from sciml.reference.poisson_cases import CASES, RIGHT_HAND_SIDES, poisson_case

# Random geometries of training have the seeds 0, 1, ...; those of validation and test start here.
VALIDATION_SEED, TEST_SEED = 50, 100
VALIDATION, TRAINING = 0, 1


SystemKind = Literal["trained", "unseen", "resized"]


class DirectionBatch(NamedTuple):
    """A batch of unit right-hand sides of one problem.

    Attributes
    ----------
    operator : A, float32
    residuals : float32, shape (batch, 1, *cells), each of norm 1
    """

    operator: StencilOperator
    residuals: Tensor


class HeldOutSystem(NamedTuple):
    """A system on which iterations are counted: its right-hand side, or its whole geometry, is new to the network.

    Attributes
    ----------
    name : case, size and right-hand side, such as ``"box_64_white"``
    kind : ``"trained"``: a case and size of training; ``"unseen"``: another case; ``"resized"``: another size
    problem, b : the system
    """

    name: str
    kind: SystemKind
    problem: VoxelPoisson
    b: np.ndarray


class _Source(NamedTuple):
    operator: StencilOperator
    draws: BoxDraws | RitzDraws


class RitzDirections(Draws):
    """Ritz-like right-hand sides of Poisson problems (:mod:`sciml.dcdm.ritz`).

    A batch of training is a counter: the task draws the problem and the right-hand sides as a function of (seed,
    update, rank), and nothing is stored. With ``samples``, training sees so many right-hand sides again and again, each
    of them a function of its number, as the published method does with its files.

    Parameters
    ----------
    sizes : cells per axis of the training problems
    cases : number of geometries per case of :data:`sciml.reference.poisson_cases.CASES`; on a plain box the
        eigenvectors are exact, elsewhere Lanczos makes ``vectors`` Ritz vectors
    dimension : 2 or 3
    vectors : Ritz vectors per problem that is not a plain box
    low_share : lower part of the spectrum with 9 times larger coefficients; 0.55 in the published code
    batch_size : right-hand sides per batch
    batches_per_epoch : batches in an epoch of training, unless ``samples`` decides
    validation_batches : of held-out right-hand sides, per epoch
    samples : size of the training set; None for an endless one
    test_cases : cases that training does not know, to count iterations on
    test_sizes : sizes that training does not know, likewise
    """

    def __init__(  # noqa: PLR0913 - the keys of a config
        self,
        sizes: list[int],
        cases: dict[str, int],
        dimension: int = 2,
        vectors: int = 200,
        low_share: float = 0.5,
        batch_size: int = 16,
        batches_per_epoch: int = 100,
        validation_batches: int = 4,
        samples: int | None = None,
        test_cases: list[str] | None = None,
        test_sizes: list[int] | None = None,
    ) -> None:
        self.sizes, self.cases, self.dimension = list(sizes), dict(cases), dimension
        self.test_cases, self.test_sizes = list(test_cases or ()), list(test_sizes or ())
        self.vectors, self.low_share, self.batch_size, self.samples = vectors, low_share, batch_size, samples
        self._check()
        super().__init__(batches_per_epoch if samples is None else samples // batch_size, validation_batches)
        self._sources: list[_Source] | None = None

    def _check(self) -> None:
        for name in (*self.cases, *self.test_cases):
            if name not in CASES:
                raise ConfigError(f"there is no Poisson case {name!r}, expected one of {', '.join(CASES)}.")
        counts = {"a number of geometries": min(self.cases.values(), default=0), "batch_size": self.batch_size}
        counts |= {"a size": min(self.sizes, default=0)}
        if self.samples is not None:
            counts["samples // batch_size"] = self.samples // max(self.batch_size, 1)
        for name, value in counts.items():
            whole_number(name, value, at_least=1, remedy="give at least one case and one size", error=ConfigError)
        number("low_share", self.low_share, above=0, below=1, error=ConfigError)

    def train_dataloader(self) -> DataLoader:
        """Return counters, or with ``samples`` the numbers of the right-hand sides of each batch."""
        if self.samples is None:
            return super().train_dataloader()
        order = EpochShuffle(self.samples)
        return DataLoader(range(self.samples), self.batch_size, sampler=order, drop_last=True)  # type: ignore[arg-type]

    def val_dataloader(self) -> DataLoader | list:
        """Return held-out batches, the same each time."""
        if not self.validation_batches:
            return []
        batches = _HeldOut(self.make_sources(VALIDATION_SEED), self.validation_batches, self.batch_size)
        order = EpochShuffle(len(batches), shuffle=False, rank=0, world=1)
        return DataLoader(batches, batch_size=None, sampler=order)

    def draw(self, batch: int | Tensor, random: torch.Generator) -> DirectionBatch:
        """Return the right-hand sides of a training batch.

        Parameters
        ----------
        batch : a counter, or the numbers of the right-hand sides where ``samples`` is set
        random : of the update; it decides the device, too
        """
        if self._sources is None:
            self._sources = self.make_sources(0)
        if isinstance(batch, Tensor):
            number = int(batch[0]) % len(self._sources)
            operator, draws = self._sources[number]
            each = [draws.draw(1, generator(TRAINING, number, int(i), device=random.device)) for i in batch]
            return DirectionBatch(operator.to(random.device), torch.cat(each))
        number = int(torch.randint(len(self._sources), (), generator=random, device=random.device))
        operator, draws = self._sources[number]
        return DirectionBatch(operator.to(random.device), draws.draw(self.batch_size, random))

    def make_sources(self, seed: int) -> list[_Source]:
        """Return the problems of every size and case, with samplers of their right-hand sides.

        Parameters
        ----------
        seed : from which on the geometries have their seeds
        """
        sources = []
        for size in self.sizes:
            for name, count in self.cases.items():
                for geometry in range(seed, seed + count):
                    problem = make_problem(name, size, geometry, self.dimension)
                    draws = make_draws(problem, self.vectors, self.low_share, seed=geometry)
                    sources.append(_Source(StencilOperator(problem, torch.float32), draws))
        return sources

    def held_out_systems(self) -> list[HeldOutSystem]:
        """Return systems to count iterations on: white, smooth and Ritz-like right-hand sides, unseen geometries.

        The cases of training and ``test_cases`` have the largest size of training; the former come in ``test_sizes``,
        too.
        """
        size = max(self.sizes)
        systems = [system for name in self.cases for system in self._systems_of(name, size, "trained")]
        systems += [system for name in self.test_cases for system in self._systems_of(name, size, "unseen")]
        for larger in self.test_sizes:
            systems += [system for name in self.cases for system in self._systems_of(name, larger, "resized")]
        return systems

    def _systems_of(self, name: str, size: int, kind: SystemKind) -> list[HeldOutSystem]:
        case = poisson_case(name, size, TEST_SEED, self.dimension)
        problem = VoxelPoisson.from_cells(case.cells, coefficient=case.coefficient, outside=case.outside)
        sides = {side: case.right_hand_side(side, seed=TEST_SEED) for side in RIGHT_HAND_SIDES}
        if kind == "trained":
            draws = make_draws(problem, self.vectors, self.low_share, seed=TEST_SEED)
            ritz = draws.draw(1, generator(TEST_SEED))[0, 0].double().numpy()
            sides["ritz"] = case.compatible(ritz)
        return [HeldOutSystem(f"{name}_{size}_{side}", kind, problem, b) for side, b in sides.items()]


class _HeldOut(Dataset):
    """A data set of batches of right-hand sides, each a function of its number."""

    def __init__(self, sources: Sequence[_Source], count: int, batch_size: int) -> None:
        self.sources, self.count, self.batch_size = sources, count, batch_size

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> DirectionBatch:
        operator, draws = self.sources[index % len(self.sources)]
        return DirectionBatch(operator, draws.draw(self.batch_size, generator(VALIDATION, index)))


def make_problem(name: str, size: int, seed: int, dimension: int) -> VoxelPoisson:
    """Return the problem of a case of :mod:`sciml.reference.poisson_cases`."""
    case = poisson_case(name, size, seed, dimension)
    return VoxelPoisson.from_cells(case.cells, coefficient=case.coefficient, outside=case.outside)


def make_draws(
    problem: VoxelPoisson, vectors: int = 200, low_share: float = 0.5, seed: int = 0
) -> BoxDraws | RitzDraws:
    """Return a sampler of Ritz-like right-hand sides of a problem: exact on a plain box, by Lanczos elsewhere."""
    if problem.constant and problem.outside is not None and problem.fluid.all():
        return BoxDraws(problem, low_share)
    return RitzDraws(problem, vectors, low_share, seed)
