"""Networks of held bodies: exact at the ends, free elsewhere, with exact derivatives."""

from __future__ import annotations

import pytest
import torch
from torch.func import hessian, jacfwd, vmap

from sciml.errors import InputError
from sciml.nets.coordinate import TanhNetwork
from sciml.nets.dirichlet_ends import DirichletEnds
from sciml.numerics.random import generator

BOX = [[-1.0, 0.0, 2.0], [2.0, 1.0, 4.0]]
CASES = [([1.0, 2.0], [0.5, -1.0]), ([1.0, 2.0], None), (None, [0.5, -1.0])]
each_case = pytest.mark.parametrize(("lower", "upper"), CASES, ids=["both", "lower", "upper"])


def held(lower, upper) -> DirichletEnds:
    return DirichletEnds(TanhNetwork(3, 2, 7), lower, upper, axis=2, box=BOX).double()


def inside(count: int = 20) -> torch.Tensor:
    corners = torch.tensor(BOX, dtype=torch.float64)
    return corners[0] + (corners[1] - corners[0]) * torch.rand(count, 3, dtype=torch.float64, generator=generator(0))


@each_case
def test_the_held_ends_have_their_values_and_the_others_do_not(lower, upper) -> None:
    net = held(lower, upper)
    for values, at in ((lower, 2.0), (upper, 4.0)):
        points = inside()
        points[:, 2] = at
        given = torch.tensor(values or [0.0, 0.0], dtype=torch.float64)
        distance = (net(points) - given).abs().max()
        assert distance < 1e-14 if values is not None else distance > 1e-6
    side = inside()
    side[:, 0] = -1.0
    assert net(side).var(0).min() > 1e-12


@each_case
def test_its_jets_are_its_derivatives(lower, upper) -> None:
    net, points = held(lower, upper), inside()

    def at(point: torch.Tensor) -> torch.Tensor:
        return net(point[None])[0]

    jet = net(points, 2)
    assert torch.allclose(jet.value, net(points), atol=1e-14)
    assert torch.allclose(jet.first, vmap(jacfwd(at))(points).permute(2, 0, 1), atol=1e-12)
    second = vmap(hessian(at))(points).diagonal(dim1=2, dim2=3)
    assert torch.allclose(jet.second, second.permute(2, 0, 1), atol=1e-11)


def test_a_network_that_is_zero_leaves_the_straight_line_between_the_ends() -> None:
    net, points = held([1.0, 2.0], [0.5, -1.0]), inside()
    with torch.no_grad():
        for weight in net.parameters():
            weight.zero_()
    share = (points[:, 2:] - 2.0) / 2.0
    line = torch.tensor([1.0, 2.0]) + share * torch.tensor([-0.5, -3.0])
    assert torch.allclose(net(points), line.double(), atol=1e-14)


def test_ends_that_do_not_suit_the_network_are_refused() -> None:
    with pytest.raises(InputError, match="neither end has values"):
        DirichletEnds(TanhNetwork(2, 2))
    with pytest.raises(InputError, match="expected 2 finite numbers"):
        DirichletEnds(TanhNetwork(2, 2), lower=[0.0])
    with pytest.raises(InputError, match="axis is 2, expected a whole number from 0 to 1"):
        DirichletEnds(TanhNetwork(2, 2), lower=[0.0, 0.0], axis=2)
    with pytest.raises(InputError, match="expected every lower bound below its upper one"):
        DirichletEnds(TanhNetwork(2, 2), lower=[0.0, 0.0], box=[[1, 0], [0, 1]])
