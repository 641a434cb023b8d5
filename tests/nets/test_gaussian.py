"""Sums of Gaussian bumps: their formula, and where they want points."""

from __future__ import annotations

import math

import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.func import hessian, jacfwd, vmap

from sciml.errors import InputError
from sciml.nets.gaussian import GaussianNetwork
from sciml.numerics.random import generator, seeded

LOWER, UPPER = (torch.tensor(corner, dtype=torch.float64) for corner in ([-1.0, 0.0], [1.0, 3.0]))


def bumps(inputs: int, outputs: int, units: int, seed: int = 0) -> GaussianNetwork:
    with seeded(seed):
        net = GaussianNetwork(inputs, outputs, units).double()
        with torch.no_grad():
            net.sharpness.mul_(0.5 + torch.rand(units, inputs))
        return net


def one_bump(centre: list[float], width: list[float]) -> GaussianNetwork:
    net = bumps(len(centre), 1, 1)
    with torch.no_grad():
        net.centres.copy_(torch.tensor([centre], dtype=torch.float64))
        net.sharpness.copy_(1 / torch.tensor([width], dtype=torch.float64))
    return net


def formula(net: GaussianNetwork, x: Tensor) -> Tensor:
    exponents = (net.sharpness**2 * (x - net.centres) ** 2).sum(1) / 2
    return net.heights @ torch.exp(-exponents)


@given(inputs=st.integers(1, 5), outputs=st.integers(1, 3), units=st.integers(1, 6), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_values_and_derivatives_are_those_of_the_formula(inputs: int, outputs: int, units: int, seed: int) -> None:
    net = bumps(inputs, outputs, units, seed)
    assert sum(weight.numel() for weight in net.parameters()) == units * (2 * inputs + outputs)
    points = torch.randn(7, inputs, dtype=torch.float64, generator=generator(seed))
    jet = net(points, 2)
    torch.testing.assert_close(net(points), vmap(lambda x: formula(net, x))(points), rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(jet.value, net(points), rtol=1e-13, atol=1e-15)
    first = vmap(jacfwd(lambda x: formula(net, x)))(points)
    torch.testing.assert_close(jet.first, first.permute(2, 0, 1), rtol=1e-11, atol=1e-12)
    second = vmap(hessian(lambda x: formula(net, x)))(points).diagonal(dim1=-2, dim2=-1)
    torch.testing.assert_close(jet.second, second.permute(2, 0, 1), rtol=1e-10, atol=1e-11)


def test_a_bump_vanishes_far_away_with_all_derivatives_and_without_a_nan() -> None:
    jet = one_bump([0.0, 0.0], [0.01, 0.01])(torch.full((1, 2), 100.0, dtype=torch.float64), 2)
    assert not jet.rows.any()


def test_centres_begin_in_the_box() -> None:
    net = GaussianNetwork(2, units=200, box=[[3, -2], [4, 5]])
    for axis, (low, high) in enumerate([(3, 4), (-2, 5)]):
        assert low <= float(net.centres.detach()[:, axis].min()) < low + 0.1 * (high - low)
        assert high - 0.1 * (high - low) < float(net.centres.detach()[:, axis].max()) <= high
    assert bool((net.sharpness == 2).all())  # width 1/2


@pytest.mark.parametrize(
    ("centre", "width"),
    [([0.2, 1.0], [0.3, 0.5]), ([-1.4, 4.0], [0.4, 0.5]), ([9.0, -6.0], [1.0, 1.5]), ([0.0, 1.0], [50.0, 1.0])],
    ids=["inside", "outside", "eight deviations away", "wider than the box"],
)
def test_points_are_normal_cut_off_at_the_faces(centre: list[float], width: list[float]) -> None:
    points = one_bump(centre, width).propose(4000, generator(0), LOWER, UPPER)
    for axis in range(2):
        low, high = ((float(corner[axis]) - centre[axis]) / width[axis] for corner in (LOWER, UPPER))
        law = scipy.stats.truncnorm(low, high, loc=centre[axis], scale=width[axis])
        assert scipy.stats.kstest(points[:, axis].numpy(), law.cdf).pvalue > 1e-3
    assert abs(float(torch.corrcoef(points.T)[0, 1])) < 0.08


@given(
    centre=st.floats(-1e20, 1e20) | st.floats(-50, 50),
    power=st.floats(-14, 14),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_points_of_any_bump_lie_in_the_box(centre: float, power: float, seed: int) -> None:
    points = one_bump([centre, 1.0], [10.0**power, 0.1]).propose(50, generator(seed), LOWER, UPPER)
    assert bool(points.isfinite().all())
    assert bool((points >= LOWER).all()) and bool((points <= UPPER).all())


@pytest.mark.parametrize("away", [40.0, 1e3, 1e9, 1e300])
def test_a_bump_far_outside_sends_points_to_its_own_face(away: float) -> None:
    below, above = (
        one_bump([side * away, 1.0], [1.0, 0.1]).propose(500, generator(0), LOWER, UPPER)[:, 0] for side in (-1, 1)
    )
    for distance in (below - LOWER[0], UPPER[0] - above):
        # The tail of a normal distribution at a distance d from its centre falls by a factor of e within 1 / d.
        assert float(distance.min()) >= 0
        assert float(distance.mean()) == pytest.approx(1 / (away - 1), rel=0.2, abs=1e-15)


def test_half_of_the_points_go_where_the_field_is_and_no_bump_goes_without() -> None:
    net = bumps(1, 1, 4)
    with torch.no_grad():
        net.centres.copy_(torch.tensor([[-0.9], [-0.3], [0.3], [0.9]]))
        net.sharpness.fill_(100.0)
        net.heights.copy_(torch.tensor([[1.0, 0.0, 1e-9, 3.0]]))
    points = net.propose(8000, generator(1), torch.tensor([-1.0]).double(), torch.tensor([1.0]).double())
    counts = torch.tensor([float((abs(points - centre) < 0.1).sum()) for centre in net.centres]) / len(points)
    assert counts.tolist() == pytest.approx([0.125 + 0.05, 0.125, 0.125, 0.125 + 0.45], abs=0.02)
    with torch.no_grad():
        net.heights.zero_()
    points = net.propose(400, generator(1), torch.tensor([-1.0]).double(), torch.tensor([1.0]).double())
    assert bool(points.isfinite().all())


def test_points_are_reproducible_in_forty_dimensions_of_very_wide_bumps() -> None:
    net = bumps(40, 1, 3)
    with torch.no_grad():
        net.sharpness.fill_(1e-11)  # the product of the widths is beyond all floating-point numbers
    ones = torch.ones(40, dtype=torch.float64)
    first, again = (net.propose(20, generator(5), -ones, ones) for _ in range(2))
    assert bool(first.isfinite().all()) and torch.equal(first, again)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(InputError, match="units of a network is 0, expected a whole number of at least 1"):
        GaussianNetwork(2, units=0)
    for width in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(InputError, match=r"the width of the bumps is .+, expected a positive number"):
            GaussianNetwork(2, width=width)
    with pytest.raises(InputError, match="expected every lower bound below its upper one"):
        GaussianNetwork(2, box=[[0, 0], [1, 0]])
    for shape in [(5, 3), (5,), (5, 1)]:
        with pytest.raises(InputError, match=r"the shape of the points is \(.*\), expected \(number of points, 2\)"):
            bumps(2, 1, 3)(torch.zeros(shape))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_points_are_proposed_on_the_device_of_the_bumps() -> None:
    net = bumps(2, 1, 3).cuda()
    points = net.propose(50, generator(0, device="cuda"), LOWER.cuda(), UPPER.cuda())
    assert points.device.type == "cuda"
    assert bool((points >= LOWER.cuda()).all()) and bool((points <= UPPER.cuda()).all())
    assert net(points, 2).rows.device.type == "cuda"
