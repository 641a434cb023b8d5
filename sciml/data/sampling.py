"""The order in which samples are seen: a function of (seed, epoch, rank), so that a resumed run sees the same order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch.distributed as dist
from torch.utils.data import DistributedSampler

from sciml.checks import whole_number
from sciml.errors import InputError


class EpochShuffle(DistributedSampler[int]):
    """A permutation of ``range(length)`` that depends on the seed and the epoch alone, shared out among the ranks.

    Rank r of w sees the entries r, r + w, r + 2w, ... of the permutation, so that batches of size b on w ranks together
    are the batches of size b w of one process. Where w does not divide the length, the first entries are seen twice.
    Lightning calls :meth:`set_epoch` and leaves the sampler in place, as it is a ``DistributedSampler``.

    Parameters
    ----------
    length : number of samples
    seed : of the permutations
    shuffle : False keeps the order 0, 1, 2, ...
    rank, world : number of this process and of all; by default those of ``torch.distributed``, (0, 1) without it

    Examples
    --------
    >>> order = EpochShuffle(5, seed=0)
    >>> order.set_epoch(3)
    >>> sorted(order)
    [0, 1, 2, 3, 4]
    """

    def __init__(
        self, length: int, seed: int = 0, *, shuffle: bool = True, rank: int | None = None, world: int | None = None
    ) -> None:
        whole_number("the length of a sampler", length, at_least=0)
        if (rank is None) != (world is None):
            raise InputError(f"rank and world belong together, got rank={rank} and world={world}; give both or none.")
        if rank is None or world is None:
            together = dist.is_available() and dist.is_initialized()
            rank, world = (dist.get_rank(), dist.get_world_size()) if together else (0, 1)
        whole_number("rank", rank, at_least=0, at_most=world - 1)
        # the constructor of DistributedSampler wants a data set and a process group, and we need neither
        self.length, self.seed, self.shuffle, self.rank, self.num_replicas = length, seed, shuffle, rank, world
        self.num_samples, self.total_size, self.drop_last = -(-length // world), -(-length // world) * world, False
        self.epoch = 0

    def __iter__(self) -> Iterator[int]:
        order = np.arange(self.length)
        if self.shuffle:
            order = np.random.default_rng([self.seed, self.epoch]).permutation(self.length)
        return iter(np.resize(order, self.total_size)[self.rank :: self.num_replicas].tolist())

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Choose the permutation of this epoch, counted from 0."""
        self.epoch = epoch
