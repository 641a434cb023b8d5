"""The order of the samples: a function of (seed, epoch, rank), equal for every number of ranks."""

from __future__ import annotations

import pytest
from torch.utils.data import DataLoader

from sciml.data.sampling import EpochShuffle
from sciml.errors import InputError


def order(length: int, epoch: int = 0, **options) -> list[int]:
    sampler = EpochShuffle(length, **options)
    sampler.set_epoch(epoch)
    assert len(sampler) == len(list(sampler))
    return list(sampler)


def test_each_epoch_is_another_permutation_of_all_samples() -> None:
    epochs = [order(20, epoch, seed=3) for epoch in range(5)]
    assert all(sorted(epoch) == list(range(20)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 5


def test_the_order_depends_on_seed_and_epoch_alone_and_not_on_what_was_drawn_before() -> None:
    sampler = EpochShuffle(20, seed=3)
    first = list(sampler)
    assert list(sampler) == first  # an epoch that is run again
    sampler.set_epoch(4)
    assert list(sampler) == order(20, 4, seed=3)  # a resumed run starts with a new sampler
    assert order(20, 4, seed=3) != order(20, 4, seed=2)


@pytest.mark.parametrize("world", [1, 2, 3, 4])
def test_the_batches_of_all_ranks_together_are_those_of_one_process(world: int) -> None:
    whole = order(24, 2, seed=1)
    alone = [whole[k : k + 2 * world] for k in range(0, 24, 2 * world)]
    ranks = [order(24, 2, seed=1, rank=rank, world=world) for rank in range(world)]
    together = [sorted(number for rank in ranks for number in rank[k : k + 2]) for k in range(0, len(ranks[0]), 2)]
    assert together == [sorted(batch) for batch in alone]


@pytest.mark.parametrize(("length", "world"), [(1, 3), (5, 2), (2, 5), (0, 2)])
def test_ranks_get_equally_many_samples_and_miss_none(length: int, world: int) -> None:
    ranks = [order(length, rank=rank, world=world) for rank in range(world)]
    assert len({len(rank) for rank in ranks}) == 1
    assert {number for rank in ranks for number in rank} == set(range(length))


def test_without_shuffling_the_order_is_that_of_the_data() -> None:
    assert order(5, 7, seed=1, shuffle=False) == [0, 1, 2, 3, 4]


def test_a_loader_takes_batches_larger_than_the_data_and_no_data_at_all() -> None:
    assert [batch.tolist() for batch in DataLoader(range(2), 8, sampler=EpochShuffle(2, shuffle=False))] == [[0, 1]]
    assert list(DataLoader(range(0), 8, sampler=EpochShuffle(0))) == []


@pytest.mark.parametrize("wrong", [{"length": -1}, {"length": 3, "rank": 1}, {"length": 3, "rank": 2, "world": 2}])
def test_what_makes_no_sense_is_refused(wrong: dict) -> None:
    with pytest.raises(InputError):
        EpochShuffle(**wrong)
