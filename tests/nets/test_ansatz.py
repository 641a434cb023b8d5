"""Networks that fulfil a boundary condition by their form."""

from __future__ import annotations

import pytest
import torch
from torch.func import hessian, jacrev, vmap

from sciml.domains import Box
from sciml.errors import InputError
from sciml.nets.ansatz import VanishingOnBox
from sciml.nets.coordinate import Siren, TanhNetwork
from sciml.numerics.random import generator, seeded

LOWER, UPPER = (-1.0, 0.5, 0.0), (2.0, 1.0, 4.0)


def network(dim: int, outputs: int = 1) -> VanishingOnBox:
    with seeded(3):
        return VanishingOnBox(Siren(dim, outputs, width=9, frequency=2.0), [LOWER[:dim], UPPER[:dim]]).double()


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_the_field_is_zero_on_every_face_and_the_network_itself_in_the_centre(dim: int) -> None:
    net, box = network(dim, outputs=2), Box(LOWER[:dim], UPPER[:dim])
    faces = box.boundary(50, generator(0)).points
    centre = (torch.tensor(LOWER[:dim]) + torch.tensor(UPPER[:dim]))[None].double() / 2
    assert net(faces).abs().max() < 1e-15
    assert net(box.interior(50, generator(0))).abs().min() > 0
    assert torch.allclose(net(centre), net.network(centre), atol=1e-15, rtol=0)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_derivatives_are_those_of_automatic_differentiation(dim: int) -> None:
    net = network(dim)
    points = Box(LOWER[:dim], UPPER[:dim]).interior(20, generator(1), kind="uniform")
    jet = net(points, 2)

    def at(point: torch.Tensor) -> torch.Tensor:
        return net(point[None])[0, 0]

    scale = vmap(hessian(at))(points).diagonal(dim1=1, dim2=2)
    assert torch.allclose(jet.first[..., 0].T, vmap(jacrev(at))(points), atol=1e-11, rtol=1e-11)
    assert torch.allclose(jet.second[..., 0].T, scale, atol=1e-10, rtol=1e-10)


def test_directions_combine_the_derivatives_along_the_axes() -> None:
    net, points = network(2), Box(LOWER[:2], UPPER[:2]).interior(16, generator(2))
    slant = net(points, 1, torch.tensor([[3.0, -2.0]], dtype=torch.float64))
    axes = net(points, 1).first
    assert torch.allclose(slant.first[0], 3 * axes[0] - 2 * axes[1], atol=1e-12)


def test_a_box_that_does_not_suit_is_refused_in_a_sentence() -> None:
    with pytest.raises(InputError, match="a lower and an upper corner of 2 numbers"):
        VanishingOnBox(TanhNetwork(2), [[0.0], [1.0]])
    with pytest.raises(InputError, match="below its upper"):
        VanishingOnBox(TanhNetwork(1), [[1.0], [1.0]])
