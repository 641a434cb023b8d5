import numpy as np
import pytest
import torch
import torch.nn.functional as F

from sciml.dcdm import DirectionNet
from sciml.dcdm.data import make_problem
from sciml.dcdm.stencil import StencilOperator
from sciml.errors import InputError
from sciml.linalg import VoxelPoisson
from sciml.numerics.random import generator, seeded


def count(network):
    return sum(weights.numel() for weights in network.parameters())


@pytest.mark.parametrize(("pairs", "parameters"), [((2, 3, 2), 97_457), ((3, 5, 3), 152_881)])
def test_number_of_parameters_is_that_of_the_published_networks(pairs, parameters):
    assert count(DirectionNet(3, pairs=pairs)) == parameters


def test_further_levels_add_their_convolutions_only():
    one, three = DirectionNet(2, pooling_levels=1), DirectionNet(2, pooling_levels=3)
    assert count(three) - count(one) == 2 * 6 * (16 * 16 * 9 + 16)


def test_forward_is_the_published_composition():
    """Layer by layer as in the paper's code: which convolutions have a residual sum around them, and which not."""
    with seeded(1):
        net = DirectionNet(2, pairs=(3, 2, 1))
    x = torch.randn(2, 1, 8, 12, generator=generator(0))
    a, c, z = net.before, net.coarse[0], net.after
    la = F.relu(a[0](net.first(x)))
    lb = F.relu(a[1](la))
    la = F.relu(a[2](lb)) + la
    lb = F.relu(a[3](la))
    la = F.relu(a[4](lb)) + la
    lb = F.relu(a[5](la))
    y = F.avg_pool2d(lb, 2)
    for into, out in ((c[0], c[1]), (c[2], c[3])):
        y = F.relu(out(F.relu(into(y)))) + y
    u = y.repeat_interleave(2, -1).repeat_interleave(2, -2) + lb
    u = F.relu(z[1](F.relu(z[0](u)))) + u
    assert torch.allclose(net(x), net.last(u), atol=1e-6)


@pytest.mark.parametrize(("dimension", "cells"), [(2, (13, 22)), (3, (7, 8, 9))])
@pytest.mark.parametrize("levels", [1, 3])
def test_extents_that_are_no_multiple_are_continued_by_zero(dimension, cells, levels):
    with seeded(2):
        net = DirectionNet(dimension, filters=4, pooling_levels=levels)
    x = torch.randn(1, 1, *cells, generator=generator(0))
    whole = torch.zeros(1, 1, *(-(-n // 2**levels) * 2**levels for n in cells))
    inside = (..., *map(slice, cells))
    whole[inside] = x
    assert net(x).shape == x.shape
    assert torch.allclose(net(x), net(whole)[inside], atol=1e-6)


@pytest.mark.parametrize("cells", [(8, 8, 8), (12, 9, 10)])
def test_image_in_space_is_the_same_with_and_without_gradients(cells):
    """Two code paths of the convolution."""
    with seeded(4):
        net = DirectionNet(3, filters=4)
    x = torch.randn(1, 1, *cells, generator=generator(0))
    with torch.no_grad():
        fast = net(x)
    assert torch.allclose(fast, net(x).detach(), atol=1e-6)


@pytest.mark.parametrize("cells", [(16, 12), (13, 10), (9, 8, 11)])
@pytest.mark.parametrize("factor", [2, 4])
def test_coarse_directions(cells, factor):
    """On a constant residual the means are constant too; and nothing appears off the unknowns."""
    solid = np.zeros(cells, np.uint8)
    solid[:3, :3] = 2
    problem = VoxelPoisson.from_cells(solid, outside="dirichlet")
    operator = StencilOperator(problem, torch.float32)
    with seeded(5):
        net = DirectionNet(len(cells), filters=4)
    unit = operator.mask(torch.randn(1, 1, *cells, generator=generator(1)))
    q = net.coarse_directions(unit, operator, factor)
    assert q.shape == unit.shape
    assert (q[:, :, ~operator.fluid] == 0).all()
    # adding what has zero mean in every coarse cell changes nothing
    ripple = torch.zeros_like(unit)
    ripple[(0, 0, *(slice(4, 8) for _ in cells))] = 1.0
    ripple[(0, 0, slice(4, 8, 2), *(slice(4, 8) for _ in cells[1:]))] = -1.0
    assert torch.allclose(net.coarse_directions(unit + ripple, operator, factor), q, atol=1e-5)
    zero = net.coarse_directions(0 * unit, operator, factor)
    assert torch.isfinite(zero).all()


@pytest.mark.parametrize("name", ["mixed", "spheres"])
def test_directions_live_on_the_unknowns(name):
    operator = StencilOperator(make_problem(name, 20, 1, 2), torch.float32)
    with seeded(3):
        net = DirectionNet(2)
    unit = torch.randn(3, 1, 20, 20, generator=generator(0))
    q = net.directions(unit, operator)
    assert (q[:, :, ~operator.fluid] == 0).all()
    assert (q[:, :, operator.fluid] != 0).all()


def test_scaling_multiplies_the_unit_residual_by_the_root_of_the_unknowns():
    problem = make_problem("mixed", 16, 0, 2)
    operator = StencilOperator(problem, torch.float32)
    with seeded(3):
        scaled = DirectionNet(2)
    plain = DirectionNet(2, scaled=False)
    plain.load_state_dict(scaled.state_dict())
    unit = torch.randn(1, 1, 16, 16, generator=generator(0))
    expected = plain.directions(unit * np.sqrt(problem.unknowns), operator)
    assert torch.allclose(scaled.directions(unit, operator), expected)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"dimension": 1}, "dimension"),
        ({"pairs": (2, 3)}, "pairs"),
        ({"pairs": (2, 0, 2)}, "pairs"),
        ({"filters": 0}, "filters"),
        ({"pooling_levels": 0}, "pooling_levels"),
    ],
)
def test_wrong_arguments(arguments, word):
    with pytest.raises(InputError, match=word):
        DirectionNet(**arguments)
