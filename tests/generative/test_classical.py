"""Classical ensembles on laws that they contain, and against brute force."""

from __future__ import annotations

import math

import pytest
import torch

from sciml.errors import InputError
from sciml.generative.classical import Analogs, GappyPOD, LinearGaussian
from sciml.metrics import coverage, spread_skill
from sciml.numerics.random import generator

DOUBLE = {"dtype": torch.float64}
SLOPES = torch.tensor([[1.0, -2.0, 0.5], [0.0, 1.0, 3.0]], **DOUBLE)
ROOT = torch.tensor([[1.0, 0.0, 0.0], [0.8, 0.6, 0.0], [0.0, -0.5, 0.3]], **DOUBLE)


def linear_pairs(n, seed):
    draws = generator(seed)
    condition = torch.randn(n, 2, generator=draws, **DOUBLE)
    return condition, 4.0 + condition @ SLOPES + torch.randn(n, 3, generator=draws, **DOUBLE) @ ROOT.T


def test_a_linear_gaussian_law_is_found_with_mean_covariance_and_calibration():
    law = LinearGaussian(*linear_pairs(4000, 0))
    condition, truth = linear_pairs(3000, 1)
    assert law.mean(condition) == pytest.approx(4.0 + condition @ SLOPES, abs=0.15)
    members = law.sample(condition, 8, generator(2))
    assert members.shape == (8, 3000, 3)
    apart = (members - law.mean(condition)).flatten(0, 1)
    assert apart.T @ apart / len(apart) == pytest.approx(ROOT @ ROOT.T, abs=0.08)
    assert spread_skill(members, truth) == pytest.approx(1.0, abs=0.04)
    assert coverage(members, truth).share == pytest.approx(7 / 9, abs=0.02)
    assert law.shrinkage <= 0.01  # the entries are correlated, and there are enough of them


def test_leave_one_out_residuals_keep_the_spread_honest_where_pairs_are_few():
    # 12 useless features of 40 pairs: residuals of the fit itself would be too small by sqrt(1 - 13 / 40).
    draws = generator(3)
    condition, data = torch.randn(40, 12, generator=draws, **DOUBLE), torch.randn(40, 5, generator=draws, **DOUBLE)
    law = LinearGaussian(condition, data)
    fresh = torch.randn(400, 12, generator=draws, **DOUBLE)
    found = spread_skill(law.sample(fresh, 8, draws), torch.randn(400, 5, generator=draws, **DOUBLE))
    assert 0.85 < found < 1.15
    assert law.ridge > 0.05 and law.shrinkage >= 0.2


def test_leave_one_out_has_the_closed_form_of_refitting_without_the_item():
    condition, data = linear_pairs(20, 4)
    law = LinearGaussian(condition, data)
    residuals = law._regress(condition - condition.mean(0), data - data.mean(0))
    strength = law.ridge * float(torch.linalg.svdvals(condition - condition.mean(0))[0]) ** 2
    for item in (0, 7):
        kept = torch.arange(20) != item
        features, targets = condition[kept], data[kept]
        centred = features - features.mean(0)
        slopes = torch.linalg.solve(
            centred.T @ centred + strength * torch.eye(2, **DOUBLE), centred.T @ (targets - targets.mean(0))
        )
        guess = targets.mean(0) + (condition[item] - features.mean(0)) @ slopes
        assert residuals[item] == pytest.approx(data[item] - guess, rel=1e-4, abs=1e-6)


def test_products_of_the_condition_make_a_quadratic_mean_exact():
    condition = torch.randn(200, 2, generator=generator(5), **DOUBLE)
    data = torch.stack([condition[:, 0] * condition[:, 1], condition[:, 0].square()], 1)
    noisy = data + 1e-3 * torch.randn(data.shape, generator=generator(6), **DOUBLE)
    assert LinearGaussian(condition, noisy, degree=2).mean(condition) == pytest.approx(data, abs=1e-3)
    assert float((LinearGaussian(condition, noisy).mean(condition) - data).abs().max()) > 0.5


def test_analogs_are_the_data_of_the_nearest_conditions():
    condition = torch.tensor([[float(k)] for k in range(12)])
    data = torch.arange(24.0).reshape(12, 2)
    found = Analogs(condition, data).sample(torch.tensor([[3.2], [11.0]]), 2, generator(0))
    assert found.tolist() == [[[6.0, 7.0], [22.0, 23.0]], [[8.0, 9.0], [20.0, 21.0]]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_analogs_are_the_nearest_also_far_from_zero(dtype):
    near = torch.round(4096 * torch.randn(300, 2, generator=generator(12), **DOUBLE)) / 4096
    far = (near + 1000).to(dtype)  # which loses no digit of them
    data = torch.arange(300.0)
    expected = (near[:40, None] - near).norm(dim=2).argsort(dim=1)[:, :3].T
    assert torch.equal(Analogs(far, data).sample(far[:40], 3, generator(0)), data[expected])


def test_many_analogs_of_a_smooth_law_are_calibrated():
    draws = generator(7)
    condition, fresh = torch.rand(20_000, 1, generator=draws), torch.rand(500, 1, generator=draws)
    noise = [torch.randn(len(c), 1, generator=draws) for c in (condition, fresh)]
    law = Analogs(condition, torch.sin(condition) + 0.3 * noise[0])
    members = law.sample(fresh, 8, draws)
    assert spread_skill(members, torch.sin(fresh) + 0.3 * noise[1]) == pytest.approx(1.0, abs=0.1)


def test_gappy_modes_are_the_conditional_gaussian_law():
    # Independent of the implementation: the covariance form (kriging) instead of the precision form.
    data = torch.randn(300, 6, generator=generator(8), **DOUBLE).cumsum(1)
    sensors = torch.tensor([1, 4])
    law = GappyPOD(data, sensors, 6, noise=0.2)
    mean, centred = data.mean(0), data - data.mean(0)
    prior = centred.T @ centred / 300
    gain = prior[:, sensors] @ torch.linalg.inv(prior[sensors][:, sensors] + 0.04 * torch.eye(2, **DOUBLE))
    observed = torch.tensor([[0.5, -1.0], [2.0, 0.0]], **DOUBLE)
    assert law.mean(observed) == pytest.approx(mean + (observed - mean[sensors]) @ gain.T, abs=1e-7)
    members = law.sample(observed, 20_000, generator(9))
    posterior = prior - gain @ prior[sensors]
    apart = (members - law.mean(observed)).flatten(0, 1)
    assert apart.T @ apart / len(apart) == pytest.approx(posterior, abs=0.02 * float(prior.trace()))


def test_gappy_modes_recover_a_field_of_their_span_from_as_many_precise_sensors():
    shapes = torch.stack([torch.sin(k * torch.linspace(0.1, 3.0, 40, **DOUBLE)) for k in (1, 2, 3)])
    data = (torch.randn(50, 3, generator=generator(10), **DOUBLE) @ shapes).reshape(50, 8, 5)
    law = GappyPOD(data[:40], torch.tensor([3, 17, 31]), 3)
    found = law.mean(data[40:].flatten(1)[:, [3, 17, 31]])
    assert found.shape == (10, 8, 5)
    assert found == pytest.approx(data[40:], abs=1e-5)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Analogs(torch.zeros(5, 2), torch.zeros(5, 1)), "expected at least 10"),
        (lambda: LinearGaussian(torch.zeros(12, 2), torch.full((12, 1), math.nan)), "not finite"),
        (lambda: LinearGaussian(torch.rand(12, 2), torch.zeros(12, 1)), "leave out constant data"),
        (lambda: LinearGaussian(torch.rand(12, 2), torch.rand(12, 1), degree=3), "one of 1, 2"),
        (lambda: LinearGaussian(torch.rand(12, 2), torch.rand(12, 9000)), "is 9000, .* expected at most 8192"),
        (lambda: GappyPOD(torch.rand(12, 4), torch.tensor([4]), 2), "from 0 to 3"),
        (lambda: GappyPOD(torch.rand(12, 4), torch.tensor([3]), 2, noise=-0.1), "noise of the sensors"),
        (lambda: Analogs(torch.rand(12, 2), torch.rand(12, 1)).sample(torch.rand(1, 3), 2, None), "expected"),
    ],
)
def test_what_cannot_be_fitted_is_refused(make, words):
    with pytest.raises(InputError, match=words):
        make()
