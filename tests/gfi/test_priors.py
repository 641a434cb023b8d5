"""Penalties of velocity maps: their values on maps for which these are known, their weights and their subspaces."""

import numpy as np
import pytest
import torch

from sciml.errors import InputError
from sciml.gfi.refinement import FlatRegions, GaussianField, Pull, RisingWithDepth, Rows, TotalVariation
from sciml.gfi.refinement.priors import Scene

ALL = [TotalVariation(), Pull(), Rows(), RisingWithDepth(), FlatRegions(), GaussianField()]


@pytest.fixture
def velocity():
    drawn = np.random.default_rng(0).uniform(1500, 4500, (7, 9))
    return torch.from_numpy(drawn)


@pytest.fixture
def scene(velocity):
    illumination = torch.from_numpy(np.random.default_rng(1).uniform(0.0, 2.0, (7, 9)))
    return Scene(torch.full_like(velocity, 3000.0), illumination)


@pytest.mark.parametrize("prior", ALL, ids=lambda prior: type(prior).__name__)
def test_the_penalty_has_the_derivatives_of_its_differences(prior, velocity, scene):
    assert torch.autograd.gradcheck(lambda v: prior.penalty(v, scene), velocity.requires_grad_(), eps=1e-2)


@pytest.mark.parametrize("prior", ALL, ids=lambda prior: type(prior).__name__)
def test_the_projection_is_orthogonal(prior, velocity):
    one, other = velocity.numpy(), velocity.numpy()[::-1].copy()
    projected = prior.project(one)
    np.testing.assert_allclose(prior.project(projected), projected, rtol=1e-14)
    assert (projected * other).sum() == pytest.approx((one * prior.project(other)).sum())


def test_a_jump_across_the_map_has_its_height_as_variation(scene):
    velocity = torch.full((7, 9), 2000.0, dtype=torch.float64)
    velocity[3:] = 2500.0
    assert float(TotalVariation().penalty(velocity, scene)) == pytest.approx(9 * 500 / 63 / 100, rel=0.01)


def test_a_total_variation_weighs_a_share_of_the_misfit():
    assert TotalVariation(0.3).weight(1e-3, 2.0) * 2.0 == pytest.approx(0.3e-3)
    assert TotalVariation(0.3).weight(1e-3, 0.0) < 10.0  # a constant map may still change


def test_velocities_that_rise_with_depth_cost_nothing_and_falls_cost_their_square(scene):
    rising = torch.linspace(1500, 4500, 7, dtype=torch.float64)[:, None].repeat(1, 9)
    assert float(RisingWithDepth().penalty(rising, scene)) == 0.0
    assert float(RisingWithDepth().penalty(rising.flip(0), scene)) == pytest.approx((500 / 100) ** 2)


def test_the_pull_is_stronger_where_the_data_see_less(velocity):
    start = torch.zeros_like(velocity)
    moved = start + 100.0
    dark, lit = (Scene(start, torch.full_like(start, level)) for level in (0.0, 0.3))
    assert float(Pull(seen=0.3).penalty(moved, dark)) == pytest.approx(1.0)
    assert float(Pull(seen=0.3).penalty(moved, lit)) == pytest.approx(0.5)


def test_a_jump_twice_as_high_costs_flat_regions_less_than_two_jumps(scene):
    def steps(*heights):
        velocity = torch.full((7, 9), 2000.0, dtype=torch.float64)
        for row, height in enumerate(heights, start=2):
            velocity[row:] += height
        return float(FlatRegions(jump=30.0).penalty(velocity, scene))

    assert steps(600.0) < 0.7 * steps(300.0, 300.0)


def test_a_gaussian_field_of_its_own_covariance_costs_one_on_average(scene):
    shape, prior = (12, 10), GaussianField(deviation=400.0, length=3.0)
    modes = [np.pi * np.arange(count) / count for count in shape]
    spectrum = (1 + 9.0 * (modes[0][:, None] ** 2 + modes[1] ** 2)) ** -2.0
    spectrum /= spectrum.ravel()[1:].mean()
    from scipy.fft import idctn

    draws = np.random.default_rng(2).normal(size=(40, *shape)) * 400.0 * np.sqrt(spectrum)
    fields = 3000.0 + idctn(draws, axes=(1, 2), norm="ortho")
    costs = [float(prior.penalty(torch.from_numpy(field), scene)) for field in fields]
    assert np.mean(costs) == pytest.approx(1.0, abs=0.05)
    rough = np.random.default_rng(3).permutation(fields[0].ravel()).reshape(shape)
    assert float(prior.penalty(torch.from_numpy(rough), scene)) > 3.0


def test_rows_are_their_means(velocity):
    np.testing.assert_allclose(Rows().project(velocity.numpy())[:, 3], velocity.numpy().mean(1))


@pytest.mark.parametrize(
    "make", [lambda: TotalVariation(1.5), lambda: Pull(seen=0.0), lambda: GaussianField(length=-1)]
)
def test_settings_out_of_range_are_refused(make):
    with pytest.raises(InputError):
        make()
