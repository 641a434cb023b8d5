"""Limits of allocation: what is too large is refused before it exists, what fits is built as without a limit."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sciml.errors import CheckpointError
from sciml.nets import TanhNetwork
from sciml.numerics.allocation import MOST_OPERATIONS, limited_allocation
from sciml.numerics.random import seeded

HUGE = {
    "empty": lambda: torch.empty(10**9, 10**9),
    "zeros": lambda: torch.zeros([10**12]),
    "ones of a shape": lambda: torch.ones((2, 10**11)),
    "arange": lambda: torch.arange(10**12),
    "arange in small steps": lambda: torch.arange(0, 1, 1e-9),
    "arange between two numbers": lambda: torch.arange(-(10**12), 1),
    "an identity": lambda: torch.eye(10**5),
    "a rectangular identity": lambda: torch.eye(2, 10**10),
    "indices of a triangle": lambda: torch.tril_indices(10**5, 10**5),
    "a permutation": lambda: torch.randperm(10**10),
    "linspace": lambda: torch.linspace(0, 1, 10**12),
    "a normal sample": lambda: torch.randn(10**12),
    "an expansion": lambda: torch.zeros(1).expand(10**12).clone(),
    "an outer product": lambda: torch.zeros(10**5, 1) * torch.zeros(1, 10**5),
    "a linear layer": lambda: nn.Linear(10**6, 10**6),
    "a repetition": lambda: torch.zeros(10**5).repeat(10**3),
    "a stack": lambda: torch.stack([torch.zeros(10**5)] * 20),
    "many small ones": lambda: [torch.zeros(1000) for _ in range(2000)],
}


@pytest.mark.parametrize("make", HUGE.values(), ids=HUGE)
def test_what_is_too_large_is_refused_before_it_is_allocated(make):
    with (
        pytest.raises(CheckpointError, match="more numbers would be allocated than the 1000000 that"),
        limited_allocation(10**6),
    ):
        make()


def test_operations_without_end_are_refused():
    with pytest.raises(CheckpointError, match=f"more than {MOST_OPERATIONS} operations"), limited_allocation(10**12):
        while True:
            torch.zeros(())


def test_what_fits_has_the_same_bits_and_nothing_is_limited_afterwards():
    def made() -> list[torch.Tensor]:
        with seeded(3):
            return list(TanhNetwork(2, width=16, layers=2).parameters())

    free = made()
    with limited_allocation(10_000):
        limited = made()
    assert all(torch.equal(*pair) for pair in zip(free, limited, strict=True))
    assert torch.zeros(20_000).numel() == 20_000
