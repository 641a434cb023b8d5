"""The weights of a module as one vector."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from sciml.errors import InputError
from sciml.numerics.flat import FlatModule
from sciml.numerics.random import generator


class Tied(nn.Module):
    """A layer that is used twice and has a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Linear(3, 3)
        self.same = self.one
        self.register_buffer("offset", torch.full((3,), 2.0))

    def forward(self, x: Tensor, factor: float = 1.0) -> Tensor:
        return factor * self.same(self.one(x)) + self.offset


def chain(*sizes: int) -> nn.Sequential:
    return nn.Sequential(*(nn.Linear(a, b) for a, b in pairwise(sizes))).double()


@given(sizes=st.lists(st.integers(1, 5), min_size=2, max_size=4), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_what_is_assigned_comes_back_and_gives_the_same_function(sizes: list[int], seed: int) -> None:
    module = chain(*sizes)
    flat = FlatModule(module)
    assert flat.count == sum(weight.numel() for weight in module.parameters())
    vector = torch.randn(flat.count, dtype=torch.float64, generator=generator(seed))
    points = torch.randn(7, sizes[0], dtype=torch.float64, generator=generator(seed, 1))
    expected = flat(vector, points)
    flat.assign(vector)
    assert torch.equal(flat.vector(), vector)
    assert torch.equal(module(points), expected)
    assert torch.equal(flat.at(vector)(points), expected)


def test_calls_leave_the_module_alone_and_its_vector_is_a_copy() -> None:
    module = chain(2, 3, 1)
    flat = FlatModule(module)
    before = flat.vector()
    flat(before + 1, torch.zeros(1, 2).double())
    flat.vector().fill_(7)
    assert torch.equal(flat.vector(), before)
    assert not before.requires_grad


def test_pieces_are_views_of_the_vector_with_the_names_and_shapes_of_the_weights() -> None:
    module = chain(2, 3, 1)
    flat = FlatModule(module)
    vector = flat.vector()
    views = flat.views(vector)
    assert {name: piece.shape for name, piece in views.items()} == {
        name: weight.shape for name, weight in module.named_parameters()
    }
    vector.fill_(3)
    assert all(bool((piece == 3).all()) for piece in views.values())


def test_weights_used_twice_count_once_and_buffers_not_at_all() -> None:
    module = Tied()
    flat = FlatModule(module)
    assert flat.count == 12
    vector = torch.cat([2 * torch.eye(3).flatten(), torch.zeros(3)])
    assert torch.equal(flat(vector, torch.ones(1, 3), factor=0.5), torch.full((1, 3), 4.0))
    assert torch.equal(flat.at(vector)(torch.ones(1, 3)), torch.full((1, 3), 6.0))


def test_gradients_with_respect_to_the_vector_are_those_of_the_weights() -> None:
    module = chain(2, 3, 1)
    flat = FlatModule(module)
    points = torch.randn(4, 2, dtype=torch.float64, generator=generator(0))
    slope = torch.func.grad(lambda vector: flat(vector, points).square().sum())(flat.vector())
    module(points).square().sum().backward()
    torch.testing.assert_close(slope, torch.cat([weight.grad.flatten() for weight in module.parameters()]))


def test_frozen_weights_are_part_of_the_vector() -> None:
    module = chain(2, 1).requires_grad_(False)
    assert FlatModule(module).count == 3


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_precision_and_device_are_kept(dtype: torch.dtype) -> None:
    flat = FlatModule(nn.Linear(2, 1).to(dtype))
    assert flat.vector().dtype == dtype
    flat.assign(torch.ones(3, dtype=torch.float64))
    assert next(flat.module.parameters()).dtype == dtype
    assert FlatModule(nn.Linear(2, 1, device="meta")).vector().device.type == "meta"


def test_vectors_of_other_lengths_and_modules_without_weights_are_refused() -> None:
    flat = FlatModule(nn.Linear(2, 1))
    for wrong in (torch.zeros(4), torch.zeros(3, 1)):
        with pytest.raises(InputError, match=r"the shape of the vector of parameters is \(.*\), expected \(3,\)"):
            flat(wrong, torch.zeros(1, 2))
        with pytest.raises(InputError, match="the vector of parameters"):
            flat.assign(wrong)
    with pytest.raises(InputError, match="Tanh has no parameters, expected a network with some"):
        FlatModule(nn.Tanh())
