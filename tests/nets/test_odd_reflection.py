"""A network that is odd about the faces of a box."""

from __future__ import annotations

import pytest
import torch
from torch.func import hessian, jacrev, vmap

from sciml.domains import Box
from sciml.errors import InputError
from sciml.nets import OddReflectionNetwork
from sciml.numerics.derivatives import laplacian
from sciml.numerics.random import generator, seeded

LOWER, UPPER = (-1.0, 0.5, 0.0), (2.0, 1.0, 4.0)


def network(dim: int, outputs: int = 1) -> OddReflectionNetwork:
    with seeded(3):
        return OddReflectionNetwork(dim, outputs, width=9, box=[LOWER[:dim], UPPER[:dim]], modes=4).double()


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_field_and_laplacian_are_zero_on_every_face(dim: int) -> None:
    net, box = network(dim, outputs=2), Box(LOWER[:dim], UPPER[:dim])
    jet = net(box.boundary(50, generator(0)).points, 2)
    inside = net(box.interior(50, generator(0)), 2)
    assert jet.value.abs().max() < 1e-12 * inside.value.abs().max()
    assert laplacian(jet).abs().max() < 1e-11 * laplacian(inside).abs().max()
    assert inside.value.abs().min() > 0


@pytest.mark.parametrize("face", [LOWER, UPPER])
def test_mirror_images_continue_it_with_the_other_sign(face: tuple[float, ...]) -> None:
    net, points = network(2), Box(LOWER[:2], UPPER[:2]).interior(50, generator(1))
    mirrored = points.clone()
    mirrored[:, 1] = 2 * face[1] - points[:, 1]
    assert torch.allclose(net(mirrored), -net(points), atol=1e-12)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_derivatives_are_those_of_automatic_differentiation(dim: int) -> None:
    net = network(dim)
    points = Box(LOWER[:dim], UPPER[:dim]).interior(20, generator(1), kind="uniform")
    jet = net(points, 2)

    def at(point: torch.Tensor) -> torch.Tensor:
        return net(point[None])[0, 0]

    curvatures = vmap(hessian(at))(points).diagonal(dim1=1, dim2=2)
    assert torch.allclose(jet.first[..., 0].T, vmap(jacrev(at))(points), atol=1e-11, rtol=1e-10)
    assert torch.allclose(jet.second[..., 0].T, curvatures, atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(jet.value, net(points), rtol=0, atol=1e-13)  # longer products round differently


def test_settings_that_make_no_network_are_refused_in_a_sentence() -> None:
    with pytest.raises(InputError, match="modes of a network is 0"):
        OddReflectionNetwork(2, modes=0)
    with pytest.raises(InputError, match="decay of a network's modes is 0"):
        OddReflectionNetwork(2, decay=0)
    with pytest.raises(InputError, match="a lower and an upper corner of 2 numbers"):
        OddReflectionNetwork(2, box=[[0.0], [1.0]])
