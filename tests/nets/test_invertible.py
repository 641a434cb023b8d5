"""Invertible networks with weights far from their first ones: inverses, volumes, norms, gradients, published sizes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from sciml.errors import InputError
from sciml.nets.invertible import AdditiveCoupling, ChannelMixing, InvertibleUNet, OrthogonalHalving, cayley
from sciml.numerics.random import generator, seeded


def perturbed(module: nn.Module, size: float = 0.3) -> nn.Module:
    """Return a module in float64, moved away from the identity, at which an inverse proves nothing."""
    module = module.double()
    with torch.no_grad():
        for number, weight in enumerate(module.parameters()):
            weight += size * torch.randn(weight.shape, dtype=weight.dtype, generator=generator(1, number))
    return module


def images(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=generator(0))


def made(kind: type[nn.Module], *arguments: object) -> nn.Module:
    with seeded(0):
        return perturbed(kind(*arguments))


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [(AdditiveCoupling, (6,)), (ChannelMixing, (6,)), (OrthogonalHalving, (6,)), (InvertibleUNet, (6, (2, 3, 1)))],
)
def test_the_inverse_gives_back_what_came_in_both_ways(kind: type[nn.Module], arguments: tuple) -> None:
    module, given = made(kind, *arguments), images(2, 6, 8, 12)
    found = module(given)
    assert not torch.allclose(found.reshape(given.shape), given, atol=0.1)
    assert torch.allclose(module.inverse(found), given, atol=1e-10)
    assert torch.allclose(module(module.inverse(found)), found, atol=1e-10)


def test_the_matrices_of_cayley_are_rotations_and_the_first_one_is_haars() -> None:
    rotations = cayley(images(5, 4, 4))
    assert torch.allclose(rotations @ rotations.mT, torch.eye(4, dtype=torch.float64).expand(5, 4, 4), atol=1e-12)
    assert torch.allclose(torch.linalg.det(rotations), torch.ones(5, dtype=torch.float64))
    found = OrthogonalHalving(1).double()(torch.ones(1, 1, 2, 2, dtype=torch.float64)).flatten()
    assert sorted(found.abs().tolist()) == pytest.approx([0, 0, 0, 2])  # a constant has one coefficient, of its norm


def test_mixing_and_halving_keep_the_norm() -> None:
    given = images(1, 6, 8, 12)
    for kind in (ChannelMixing, OrthogonalHalving):
        assert float(made(kind, 6)(given).detach().norm()) == pytest.approx(float(given.norm()))


def test_the_network_keeps_volumes_and_is_the_identity_at_first() -> None:
    with seeded(0):
        fresh = InvertibleUNet(2, (1, 2)).double()
    given = images(1, 2, 4, 2)
    assert torch.allclose(fresh(given), given, atol=1e-12)
    network = perturbed(fresh)
    jacobian = torch.func.jacrev(lambda x: network(x.reshape(given.shape)).flatten())(given.flatten())
    assert float(torch.linalg.det(jacobian).detach().abs()) == pytest.approx(1.0)


def test_gradients_of_both_ways_are_those_of_finite_differences() -> None:
    network, given = made(InvertibleUNet, 2, (1, 1)), images(1, 2, 4, 4).requires_grad_()
    assert torch.autograd.gradcheck(network, given)
    assert torch.autograd.gradcheck(network.inverse, given)
    network.inverse(given).square().sum().backward()
    assert all(weight.grad is not None and bool(weight.grad.abs().sum() > 0) for weight in network.parameters())


def test_the_size_is_that_of_the_published_network() -> None:
    with torch.device("meta"):
        count = sum(weight.numel() for weight in InvertibleUNet(128).parameters())
    assert round(count / 1e6, 2) == 25.79


def test_sides_that_leave_a_rest_are_refused() -> None:
    with pytest.raises(InputError, match="multiples of 4"):
        InvertibleUNet(2, (1, 1, 1))(torch.zeros(1, 2, 8, 70))
    with pytest.raises(InputError, match="even number"):
        InvertibleUNet(3)
