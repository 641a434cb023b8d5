"""Gaussian steps are exact for normal data, contain DDIM, and need fewer calls where data are nearly normal."""

from __future__ import annotations

import math

import pytest
import torch

from sciml.errors import InputError
from sciml.generative import (
    DDIM,
    AdamsBashforth2,
    CosinePath,
    Euler,
    ExactGaussian,
    Flow,
    GaussianSteps,
    Heun,
    Interpolant,
    LinearPath,
    Run,
    StochasticGaussian,
    TrigonometricPath,
    VariancePreservingPath,
    conditional_deviation,
    sample,
)
from sciml.generative.predictions import Pair
from sciml.numerics.random import generator

PATHS = [LinearPath(), TrigonometricPath(), VariancePreservingPath(), CosinePath(), Interpolant(LinearPath(), 0.5)]
DEVIATIONS = torch.tensor([1.5, 0.4, 0.01], dtype=torch.float64)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


class NormalMixture(Flow):
    """The exact flow of data from two normal laws in several entries, of which each has its own deviation."""

    def __init__(self, path, means, deviations):
        self.path, self.means, self.deviations = path, means, deviations

    def pair(self, x, t, condition=None):
        at = self.path.coefficients(t)
        alpha, sigma = at.alpha[:, None, None], at.sigma[:, None, None]
        variance = (alpha * self.deviations) ** 2 + (sigma * self.path.noise) ** 2
        left = (x[:, None] - alpha * self.means) / variance
        likely = -(left.square() * variance + variance.log()).sum(-1) / 2
        share = likely.softmax(1)[..., None]
        data = (share * (self.means + alpha * self.deviations**2 * left)).sum(1)
        return Pair(data, (share * sigma * self.path.noise**2 * left).sum(1))

    def velocity(self, x, t, condition=None):
        return self.path.motion(*self.pair(x, t), t)


def mixture(path):
    deviations = 0.3 * torch.arange(1, 9, dtype=torch.float64) ** -0.8
    return NormalMixture(path, torch.stack([normal(8, seed=s) * 2 * deviations for s in (1, 2)]), deviations)


@pytest.mark.parametrize("path", PATHS, ids=repr)
@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("order", [1, 2])
def test_normal_data_are_reached_exactly_in_any_number_of_calls(path, steps, order):
    """Each entry has a deviation of its own, and the law that the flow leads to from the law at its start."""
    flows = [ExactGaussian(path, 0.7, float(d), source_mean=0.3) for d in DEVIATIONS]

    class Entries(Flow):
        def __init__(self):
            self.path = path

        def pair(self, x, t, condition=None):
            pairs = [flow.pair(x[:, [i]], t) for i, flow in enumerate(flows)]
            return Pair(*(torch.cat(each, 1) for each in zip(*pairs, strict=True)))

        def velocity(self, x, t, condition=None):
            return path.motion(*self.pair(x, t), t)

    moments = [flow.moments(torch.zeros((), dtype=torch.float64)) for flow in flows]
    means, deviations = (torch.stack(each) for each in zip(*moments, strict=True))
    standard = normal(5, 3)
    start, mean = means + deviations * standard, torch.full((5, 3), 0.3, dtype=torch.float64)
    found = sample(Entries(), start, steps, GaussianSteps(DEVIATIONS, order), mean=mean)
    torch.testing.assert_close(found, 0.7 + DEVIATIONS * standard, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("path", [TrigonometricPath(), VariancePreservingPath()], ids=repr)
def test_without_deviations_the_steps_are_those_of_ddim(path):
    flow, start = ExactGaussian(path, 0.7, 0.4), normal(4, 2)
    steps = GaussianSteps(0.0, order=1)

    class SameTimes(DDIM):
        def times(self, count):
            return steps.times(count, Run(flow))

    torch.testing.assert_close(sample(flow, start, 5, steps), sample(flow, start, 5, SameTimes()))


@pytest.mark.parametrize("path", PATHS[:3], ids=repr)
@pytest.mark.parametrize("order", [1, 2])
def test_with_wrong_deviations_the_error_has_the_order(path, order):
    exact, errors = ExactGaussian(path, 0.7, 0.4), []
    centre, spread = exact.moments(torch.zeros(1, dtype=torch.float64))
    start = torch.cat([centre - spread, centre + spread])[:, None]
    for steps in (64, 128):
        ends = sample(exact, start, steps, GaussianSteps(0.8, order))
        errors.append(float((ends[:, 0] - torch.tensor([0.3, 1.1]).double()).abs().max()))
    assert abs(math.log2(errors[0] / errors[1]) - order) < 0.2


@pytest.mark.parametrize("path", [LinearPath(), TrigonometricPath()], ids=repr)
def test_few_calls_come_nearer_to_the_flow_than_other_methods_and_keep_the_spread(path):
    """Data of two normal laws, as a condition may leave them: not what the steps are exact for."""
    flow, start = mixture(path), normal(2000, 8)
    exact = sample(flow, start, 400, Heun())
    deviation = exact.std(0)
    for steps, spread in ((1, 0.05), (2, 0.2), (4, 0.1), (8, 0.05)):
        found = {
            each: sample(flow, start, steps, each) for each in (Euler(), AdamsBashforth2(), GaussianSteps(deviation))
        }
        missed = [float((ends - exact).norm() / exact.norm()) for ends in found.values()]
        assert missed[2] < 0.8 * min(missed[:2])
        ratios = [float((ends.std(0) / deviation).mean()) for ends in found.values()]
        assert abs(ratios[2] - 1) < spread
        assert path != LinearPath() or max(ratios[:2]) < 1 - spread  # the others are too narrow


@pytest.mark.parametrize("slope", [0.0, 0.08, -0.3])
@pytest.mark.parametrize("path", [LinearPath(), Interpolant(TrigonometricPath(), 0.5)], ids=repr)
def test_with_measured_deviations_one_call_has_the_law_under_the_condition(path, slope):
    """Data are twice their condition and noise of two sizes; the network errs by a multiple of the noise it sees."""
    condition, sizes = normal(4000, 1, seed=1), torch.tensor([0.5, 0.1], dtype=torch.float64)
    data, mean = 2 * condition + sizes * normal(4000, 2, seed=2), condition.expand(-1, 2)

    class Regression(Flow):
        def __init__(self):
            self.path = path

        def pair(self, x, t, condition=None):
            return Pair(2 * condition["c"] + slope * (x - condition["c"]) / path.noise, x)

        def velocity(self, x, t, condition=None):
            return path.motion(*self.pair(x, t, condition), t)

    found = conditional_deviation(Regression(), data, generator(3), {"c": condition}, mean)
    start = path.start(mean, generator(4))
    ends = sample(Regression(), start, 1, GaussianSteps(found), {"c": condition}, mean=mean)
    torch.testing.assert_close((ends - 2 * condition).std(0), sizes, rtol=0.04, atol=0)
    assert slope or found == pytest.approx(sizes, rel=0.03)


@pytest.mark.parametrize("deviation", [1.0, 0.3])
def test_with_measured_deviations_one_call_has_the_spread_where_the_path_starts_with_a_trace_of_the_data(deviation):
    flow = ExactGaussian(VariancePreservingPath(), 0.7, deviation)
    found = conditional_deviation(flow, 0.7 + deviation * normal(4000, 2, seed=2), generator(3))
    ends = sample(flow, normal(4000, 2, seed=4), 1, GaussianSteps(found))
    assert ends.std(0) == pytest.approx(torch.full((2,), deviation).double(), rel=0.03)
    assert deviation != 1.0 or found == pytest.approx(torch.ones(2).double(), rel=0.03)  # where the law at 0 is noise


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: GaussianSteps(-0.1), r"the least of the deviations of the data is -0\.1"),
        (lambda: GaussianSteps(float("nan")), "values of the deviations of the data are not finite"),
        (lambda: GaussianSteps(1.0, order=3), "the order of Gaussian steps is 3"),
        *(
            (
                lambda method=method: sample(mixture(LinearPath()), normal(4, 8), 2, method),
                r"deviations of the data is \(4, 8\)",
            )
            for method in (GaussianSteps(torch.ones(4, 8)), StochasticGaussian(torch.ones(4, 8)))
        ),
        (
            lambda: sample(mixture(LinearPath()), normal(4, 8), 2, GaussianSteps(1.0), mean=normal(8)),
            r"shape of the mean of the source is \(8,\), expected \(4, 8\)",
        ),
        (
            lambda: conditional_deviation(mixture(LinearPath()), normal(4, 8), generator(0), mean=normal(8)),
            r"shape of the mean of the source is \(8,\), expected \(4, 8\)",
        ),
        (
            lambda: conditional_deviation(
                ExactGaussian(VariancePreservingPath()), 100 * normal(40, 2), generator(0), sources=2
            ),
            "no single step of VariancePreservingPath has",
        ),
    ],
)
def test_parameters_that_make_no_steps_are_refused(make, sentence):
    with pytest.raises(InputError, match=sentence):
        make()
