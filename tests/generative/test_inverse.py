"""Data from observations where the posterior is known: independent normal data under linear measurements."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from sciml.errors import InputError
from sciml.generative.exact import ExactGaussian
from sciml.generative.flows import Flow, GaussianFlow
from sciml.generative.inverse import Observation, PosteriorFlow, flair, flow_chef
from sciml.generative.paths import Interpolant, LinearPath, Path, TrigonometricPath
from sciml.generative.predictions import Pair
from sciml.generative.samplers import Euler, sample
from sciml.numerics.random import generator

DOUBLE = {"dtype": torch.float64}
PATHS = [LinearPath(), TrigonometricPath(), Interpolant(LinearPath(), 0.5)]  # which start from the source itself
DEVIATIONS = torch.tensor([2.0, 1.0, 0.7, 0.5, 0.4, 0.3], **DOUBLE)
MEAN = torch.tensor([1.0, -1.0, 0.5, 0.0, 2.0, 0.0], **DOUBLE)
ROWS = torch.randn(2, 6, generator=generator(0), **DOUBLE)
VALUES = ROWS @ MEAN + torch.tensor([2.0, -1.0], **DOUBLE)


@dataclass(frozen=True)
class Unlike(Flow):
    """The exact flow of independent normal entries, each with a mean and a deviation of its own."""

    path: Path

    def velocity(self, x: Tensor, t: Tensor, condition: object = None) -> Tensor:
        return self.path.motion(*self.pair(x, t), t)

    def pair(self, x: Tensor, t: Tensor, condition: object = None) -> Pair:
        at = self.path.coefficients(t).beside(x)
        data, source = at.alpha * DEVIATIONS**2, at.sigma * self.path.noise**2
        left = (x - at.alpha * MEAN) / (at.alpha * data + at.sigma * source)
        return Pair(MEAN + data * left, source * left)


def posterior(noise=0.0):
    """Return mean and covariance of the data given the observations."""
    prior = torch.diag(DEVIATIONS**2)
    gain = prior @ ROWS.T @ torch.linalg.inv(ROWS @ prior @ ROWS.T + noise**2 * torch.eye(2, **DOUBLE))
    return MEAN + gain @ (VALUES - ROWS @ MEAN), prior - gain @ ROWS @ prior


def observation(noise=0.0):
    return Observation(lambda z: z @ ROWS.T, VALUES, noise)


def relative(found, expected):
    return float((found - expected).norm() / (expected - MEAN).norm())


@pytest.mark.parametrize("path", PATHS)
def test_flow_chef_finds_the_mean_of_the_gaussian_posterior_from_the_mean_of_the_source(path):
    found = flow_chef(Unlike(path), observation(), torch.zeros(1, 6, **DOUBLE), 100, deviation=DEVIATIONS)
    assert relative(found[0], posterior()[0]) < 0.05
    assert found[0] @ ROWS.T == pytest.approx(VALUES, abs=0.05)


@pytest.mark.parametrize("path", PATHS)
def test_flow_chef_from_draws_of_the_source_has_the_law_of_the_gaussian_posterior_without_noise(path):
    # Each fit is the nearest to its start in units of the deviations: conditioning of a draw by kriging.
    start = path.start(torch.zeros(20_000, 6, **DOUBLE), generator(8))
    found = flow_chef(Unlike(path), observation(), start, 100, fits=3, deviation=DEVIATIONS)
    mean, covariance = posterior()
    assert found.mean(0) == pytest.approx(mean, abs=0.05)
    apart = found - found.mean(0)
    assert apart.T @ apart / len(found) == pytest.approx(covariance, abs=0.05)


def test_flow_chef_without_deviations_is_right_for_data_of_one_deviation_and_fits_all_others():
    values = torch.tensor([[1.0, 2.0]], **DOUBLE)
    fit = Observation(lambda z: z @ ROWS.T, values)
    found = flow_chef(ExactGaussian(TrigonometricPath()), fit, torch.zeros(1, 6, **DOUBLE), 50)
    expected = values @ torch.linalg.pinv(ROWS).T
    assert float((found - expected).norm() / expected.norm()) < 0.05
    fitted = flow_chef(Unlike(LinearPath()), observation(), torch.zeros(1, 6, **DOUBLE), 50)[0]
    assert fitted @ ROWS.T == pytest.approx(VALUES, abs=0.1)
    assert relative(fitted, posterior()[0]) > 0.05  # so that the deviations matter


@pytest.mark.parametrize("way", [flow_chef, flair])
def test_fits_record_no_derivatives_of_the_network(way):
    network = torch.nn.Linear(6, 6, dtype=torch.float64)
    flow = GaussianFlow(lambda x, t: network(x), LinearPath())
    found = way(flow, observation(), torch.zeros(1, 6, **DOUBLE), 5)
    assert flow.velocity(found, torch.zeros(1, **DOUBLE)).requires_grad and not found.requires_grad


def test_flow_chef_does_not_fit_below_the_noise():
    free = sample(Unlike(LinearPath()), torch.zeros(1, 6, **DOUBLE), 50, Euler())
    large = float((free @ ROWS.T - VALUES).square().mean().sqrt())
    untouched = flow_chef(Unlike(LinearPath()), observation(100 * large), torch.zeros(1, 6, **DOUBLE), 50)
    assert untouched == pytest.approx(free, abs=1e-12)
    found = flow_chef(Unlike(LinearPath()), observation(0.2 * large), torch.zeros(1, 6, **DOUBLE), 50)
    assert float((found @ ROWS.T - VALUES).square().mean().sqrt()) == pytest.approx(0.2 * large, rel=0.02)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_one_step_down_one_misfit_ends_on_the_noise_and_leaves_alone_what_fits_already(dtype):
    fit = Observation(lambda z: 2 * z, torch.tensor([6.0]), noise=3.0)
    data = torch.tensor([[9.0], [-4.0], [3.0], [2.0], [4.5]], dtype=dtype)  # which miss 12, -14, 0, -2 and 3
    expected = torch.tensor([[4.5], [1.5], [3.0], [2.0], [4.5]], dtype=dtype)
    torch.testing.assert_close(fit.fitted(data), expected)
    exact = Observation(lambda z: 2 * z, torch.tensor([6.0])).fitted(data)
    torch.testing.assert_close(exact, torch.full_like(data, 3.0))


def test_a_step_down_misfits_that_cannot_vanish_ends_where_they_are_least_and_never_beyond_the_noise():
    rows = torch.randn(5, 2, generator=generator(5), **DOUBLE)
    values = torch.randn(5, generator=generator(6), **DOUBLE)
    data, metric = torch.randn(40, 2, generator=generator(7), **DOUBLE), torch.tensor([2.0, 0.5], **DOUBLE)
    fit = Observation(lambda z: z @ rows.T, values)
    found = fit.fitted(data, metric=metric)
    missed, direction = fit.missed(data), metric * (fit.missed(data) @ rows)
    assert (
        float(((found - data) * direction).sum(1).max()) < 0 and not ((found - data) / direction).var(1).max() > 1e-20
    )
    along = direction @ rows.T  # on the line, the derivative of the square vanishes
    assert (fit.missed(found) * along).sum(1) == pytest.approx(torch.zeros(40, **DOUBLE), abs=1e-10)
    noise = float((missed.square().mean(1).sqrt().median() + fit.missed(found).square().mean(1).sqrt().median()) / 2)
    noisy = Observation(lambda z: z @ rows.T, values, noise)
    sizes = [noisy.missed(z).square().mean(1).sqrt() for z in (data, found, noisy.fitted(data, metric=metric))]
    expected = torch.where(sizes[0] < noise, sizes[0], torch.where(sizes[1] > noise, sizes[1], noise))
    assert sizes[2] == pytest.approx(expected, rel=1e-9)
    assert all(bool(((sizes[0] < noise) == kind).any()) for kind in (True, False))


def test_steps_of_flair_down_the_misfit_end_on_the_noise():
    # A trust near 0 leaves the estimate where the steps bring it.
    fit = Observation(lambda z: z[:, :1], torch.tensor([5.0], **DOUBLE), noise=1.0)
    found = flair(ExactGaussian(LinearPath()), fit, torch.zeros(1, 2, **DOUBLE), 20, fits=3, trust=1e-6)
    assert float(found[0, 0]) == pytest.approx(4.0, abs=1e-4)


@pytest.mark.parametrize("path", PATHS)
def test_flair_fits_the_observations_and_is_nearer_to_the_posterior_mean_than_the_free_flow(path):
    start = torch.zeros(1, 6, **DOUBLE)
    found = flair(Unlike(path), observation(), start, 20, deviation=DEVIATIONS)
    assert found[0] @ ROWS.T == pytest.approx(VALUES, abs=0.02)
    assert relative(found[0], posterior()[0]) < 0.2
    free = sample(Unlike(path), start, 20, Euler())
    assert relative(free[0], posterior()[0]) > 0.8


@pytest.mark.parametrize("path", PATHS)
def test_the_posterior_flow_samples_the_gaussian_posterior(path):
    mean, covariance = posterior(noise=0.3)
    flow = PosteriorFlow(Unlike(path), ROWS, VALUES, 0.3, DEVIATIONS)
    start = path.start(torch.zeros(20_000, 6, **DOUBLE), generator(1))
    found = sample(flow, start, 250, Euler())
    assert found.mean(0) == pytest.approx(mean, abs=0.06)
    apart = found - found.mean(0)
    assert apart.T @ apart / len(found) == pytest.approx(covariance, abs=0.05)


def test_many_values_count_as_few_precise_ones():
    x, t = torch.randn(3, 6, generator=generator(3), **DOUBLE), torch.full((3,), 0.4, **DOUBLE)
    few = PosteriorFlow(Unlike(LinearPath()), ROWS, VALUES, 0.1, DEVIATIONS)
    many = PosteriorFlow(Unlike(LinearPath()), ROWS.repeat(9, 1), VALUES.repeat(9), 0.3, DEVIATIONS)
    assert few.data(x, t) == pytest.approx(many.data(x, t), rel=1e-10)


def test_fields_of_many_entries_with_few_values_need_no_matrix_of_the_entries():
    # 100 000 entries squared would be 80 GB.
    rows = torch.zeros(1, 100_000, **DOUBLE)
    rows[0, 0] = 1.0
    known = PosteriorFlow(ExactGaussian(LinearPath()), rows, torch.tensor([2.0], **DOUBLE), 1.0)
    found = known.data(torch.zeros(1, 100_000, **DOUBLE), torch.zeros(1, **DOUBLE))  # the posterior mean, at the source
    assert float(found[0, 0]) == pytest.approx(1.0) and not found[0, 1:].any()


def test_values_of_each_item_and_precise_observations_are_taken():
    values = torch.stack([VALUES, VALUES + 1.0])
    flow = PosteriorFlow(Unlike(LinearPath()), ROWS, values, torch.tensor([1e-4, 1e-4], **DOUBLE), DEVIATIONS)
    found = sample(flow, torch.randn(2, 6, generator=generator(2), **DOUBLE), 20, Euler())
    assert found @ ROWS.T == pytest.approx(values, abs=1e-3)


WAYS = {
    "flow_chef": lambda start, deviation, values: flow_chef(
        ExactGaussian(LinearPath()), Observation(lambda z: z[:, :2], values), start, 3, deviation=deviation
    ),
    "flair": lambda start, deviation, values: flair(
        ExactGaussian(LinearPath()), Observation(lambda z: z[:, :2], values), start, 3, deviation=deviation
    ),
    "posterior": lambda start, deviation, values: sample(
        PosteriorFlow(ExactGaussian(LinearPath()), torch.eye(2, 6), values, 0.1, deviation), start, 3, Euler()
    ),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("deviation", "words"),
    [
        (0.0, "the least of the deviations of the data is 0, expected positive ones"),
        (torch.tensor([1.0, 1.0, -1.0, 1.0, 1.0, 1.0]), "is -1, expected positive ones"),
        (float("nan"), "not finite"),
        (torch.ones(5), r"the shape of the deviations of the data is \(5,\), expected \(6,\)"),
    ],
)
def test_deviations_of_no_item_are_refused(way, deviation, words):
    with pytest.raises(InputError, match=words):
        WAYS[way](torch.zeros(3, 6), deviation, torch.ones(2))


@pytest.mark.parametrize("way", WAYS)
def test_values_of_another_number_of_items_are_refused_and_not_broadcast(way):
    for values in (torch.ones(2, 2), torch.ones(1, 2), torch.ones(3, 3, 2)):
        with pytest.raises(InputError, match="the observed values"):
            WAYS[way](torch.zeros(3, 6), 1.0, values)


@pytest.mark.parametrize("way", WAYS)
def test_points_keep_their_type_whatever_that_of_the_deviations_is(way):
    start = torch.randn(3, 6, generator=generator(4))
    found = [WAYS[way](start, DEVIATIONS.to(dtype), torch.ones(2)) for dtype in (torch.float32, torch.float64)]
    assert found[0].dtype == found[1].dtype == torch.float32
    torch.testing.assert_close(*found)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Observation(lambda z: z, torch.tensor([float("nan")])), "not finite"),
        (lambda: Observation(lambda z: z, torch.ones(2), noise=-1.0), "at least 0"),
        (lambda: flow_chef(Unlike(LinearPath()), observation(), torch.zeros(1, 6, **DOUBLE), 0), "at least 1"),
        (lambda: flair(Unlike(LinearPath()), observation(), torch.zeros(1, 6, **DOUBLE), 2, trust=0.0), "trust"),
        (lambda: PosteriorFlow(Unlike(LinearPath()), ROWS, VALUES, 0.0), "not positive"),
        (lambda: PosteriorFlow(Unlike(LinearPath()), ROWS, VALUES, -0.1), "not positive"),
        (lambda: PosteriorFlow(Unlike(LinearPath()), ROWS * float("nan"), VALUES, 0.1), "rows .* not finite"),
        (lambda: PosteriorFlow(Unlike(LinearPath()), ROWS, VALUES[:1], 1.0), "expected"),
    ],
)
def test_what_cannot_be_observed_is_refused(make, words):
    with pytest.raises(InputError, match=words):
        make()
