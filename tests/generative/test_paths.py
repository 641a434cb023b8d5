"""Paths lead from source to data, their rates are derivatives, and noise schedules are the published ones."""

from __future__ import annotations

import math

import pytest
import torch

from sciml.errors import InputError
from sciml.generative import CosinePath, Interpolant, LinearPath, TrigonometricPath, VariancePreservingPath
from sciml.generative.predictions import PREDICTIONS, Pair, data, noise, target, velocity
from sciml.numerics.random import generator

PATHS = [
    LinearPath(),
    TrigonometricPath(),
    VariancePreservingPath(),
    CosinePath(),
    Interpolant(LinearPath(), 0.3),
    Interpolant(CosinePath(), 2.0),
]
INNER = torch.linspace(0.02, 0.98, 25, dtype=torch.float64)


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=generator(seed), dtype=dtype)


def published_products(first=0.00085, last=0.012, levels=1000):
    """The table alphabar of latent diffusion, with the 1 of no noise in front."""
    betas = torch.linspace(first**0.5, last**0.5, levels, dtype=torch.float64) ** 2
    return torch.cat([torch.ones(1, dtype=torch.float64), torch.cumprod(1 - betas, 0)])


@pytest.mark.parametrize("path", PATHS, ids=repr)
def test_a_path_ends_at_the_data_and_starts_at_the_source(path):
    pair = Pair(normal(3, 2), normal(3, 2, seed=1))
    torch.testing.assert_close(path.point(*pair, torch.ones(3).double()), pair.data, rtol=0, atol=1e-12)
    if not isinstance(path, VariancePreservingPath):  # which stops short of it
        torch.testing.assert_close(path.point(*pair, torch.zeros(3).double()), pair.source, rtol=0, atol=1e-7)


@pytest.mark.parametrize("path", PATHS, ids=repr)
def test_rates_are_the_derivatives_of_the_coefficients_with_respect_to_the_clock(path):
    step = 1e-5
    clock = path.clock(INNER + step) - path.clock(INNER - step)
    for value, rate in ((path.alpha, path.alpha_rate), (path.sigma, path.sigma_rate)):
        slopes = (value(INNER + step) - value(INNER - step)) / clock
        torch.testing.assert_close(rate(INNER), slopes, rtol=1e-6, atol=1e-7)


def test_an_informed_source_within_another_is_refused():
    with pytest.raises(InputError, match="an Interpolant itself"):
        Interpolant(Interpolant(LinearPath(), 0.1), 0.5)


@pytest.mark.parametrize("path", PATHS, ids=repr)
def test_steps_are_equal_in_the_clock(path):
    clocks = path.clock(torch.tensor(path.times(7), dtype=torch.float64))
    torch.testing.assert_close(clocks.diff(), (clocks[-1:] - clocks[:1]).expand(7) / 7, rtol=1e-8, atol=0)


@pytest.mark.parametrize("levels", [10, 100, 1000])
def test_the_noise_schedule_is_the_published_product_at_its_levels(levels):
    path = VariancePreservingPath(levels=levels)
    level = torch.arange(levels + 1, dtype=torch.float64)
    torch.testing.assert_close(
        path.alpha(1 - level / levels) ** 2,
        published_products(levels=levels),
        rtol=1e-10 if levels > 10 else 1e-8,
        atol=0,
    )


def test_the_published_schedule_keeps_0_0683_of_the_data():
    assert float(VariancePreservingPath().alpha(torch.zeros(1))) == pytest.approx(0.0683, abs=5e-5)


@pytest.mark.parametrize("path", [VariancePreservingPath(), CosinePath(), TrigonometricPath()], ids=repr)
def test_variance_is_preserved_also_near_the_data_in_single_precision(path):
    times = 1 - torch.logspace(-6, 0, 20)
    torch.testing.assert_close(path.alpha(times) ** 2 + path.sigma(times) ** 2, torch.ones(20))
    exact = path.sigma(times.double())
    torch.testing.assert_close(path.sigma(times).double(), exact, rtol=1e-6, atol=0)


def test_the_cosine_schedule_is_that_of_nichol_and_dhariwal():
    def f(share):
        return torch.cos((share + 0.008) / 1.008 * math.pi / 2) ** 2

    torch.testing.assert_close(CosinePath().alpha(INNER) ** 2, f(1 - INNER) / f(torch.zeros(1).double()))


def test_the_velocity_of_a_variance_preserving_path_is_that_of_salimans_and_ho_with_its_sign_turned():
    path, pair, t = VariancePreservingPath(), Pair(normal(5, 2), normal(5, 2, seed=1)), INNER[:5]
    alpha, sigma = path.alpha(t)[:, None], path.sigma(t)[:, None]
    torch.testing.assert_close(target(path, "velocity", pair, t), -(alpha * pair.source - sigma * pair.data))


@pytest.mark.parametrize("path", PATHS, ids=repr)
@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_predictions_convert_into_one_another(path, prediction, dtype):
    t = torch.linspace(0.1, 0.9, 9, dtype=dtype)
    pair = Pair(normal(9, 2, 3, 4, 5, dtype=dtype), normal(9, 2, 3, 4, 5, seed=1, dtype=dtype))
    x, output = path.point(*pair, t), target(path, prediction, pair, t)
    near = {"rtol": 1e-5, "atol": 1e-5} if dtype is torch.float32 else {"rtol": 1e-11, "atol": 1e-11}
    torch.testing.assert_close(data(path, prediction, output, x, t), pair.data, **near)
    torch.testing.assert_close(noise(path, prediction, output, x, t), pair.source, **near)
    torch.testing.assert_close(velocity(path, prediction, output, x, t), path.motion(*pair, t), **near)


@pytest.mark.parametrize("path", PATHS, ids=repr)
def test_a_velocity_says_data_and_source_at_both_ends(path):
    t, pair = torch.tensor([0.0, 1.0], dtype=torch.float64), Pair(normal(2, 3), normal(2, 3, seed=1))
    x, output = path.point(*pair, t), path.motion(*pair, t)
    torch.testing.assert_close(data(path, "velocity", output, x, t), pair.data, rtol=0, atol=1e-7)
    torch.testing.assert_close(noise(path, "velocity", output, x, t), pair.source, rtol=0, atol=1e-7)


def test_an_informed_source_has_its_mean_and_its_noise():
    mean = torch.tensor([2.0, -1.0]).double().expand(40_000, 2)
    drawn = Interpolant(LinearPath(), 0.3).start(mean, generator(0))
    torch.testing.assert_close(drawn.mean(0), mean[0], rtol=0, atol=3 * 0.3 / 200)
    torch.testing.assert_close(drawn.std(0), torch.full((2,), 0.3).double(), rtol=0, atol=3 * 0.3 / 280)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: VariancePreservingPath(first_beta=0.0), "first variance of the noise schedule is 0.0"),
        (lambda: VariancePreservingPath(last_beta=0.0001), "last variance of the noise schedule is 0.0001"),
        (lambda: VariancePreservingPath(last_beta=float("nan")), "last variance of the noise schedule is nan"),
        (lambda: VariancePreservingPath(levels=1), "number of noise levels is 1"),
        (lambda: CosinePath(offset=-1.0), "offset of the cosine schedule is -1.0"),
        (lambda: Interpolant(LinearPath(), 0.0), "noise of an informed source is 0.0"),
        (lambda: target(LinearPath(), "eps", Pair(normal(1), normal(1)), INNER[:1]), "the prediction is 'eps'"),
    ],
)
def test_parameters_that_make_no_path_are_refused(make, sentence):
    with pytest.raises(InputError, match=sentence):
        make()
