"""Stochastic samplers keep the law of the flow at every time, whatever their noise."""

from __future__ import annotations

import math

import pytest
import torch

from sciml.errors import InputError
from sciml.generative import (
    Euler,
    ExactGaussian,
    Heun,
    Interpolant,
    LinearPath,
    Run,
    StochasticEuler,
    StochasticGaussian,
    StochasticHeun,
    TrigonometricPath,
    VariancePreservingPath,
    sample,
)
from sciml.generative.samplers.stochastic import earlier_times, go_back
from sciml.numerics.random import generator

FLOWS = [
    ExactGaussian(LinearPath(), 0.7, 0.4),
    ExactGaussian(TrigonometricPath(), -0.7, 1.6),
    ExactGaussian(VariancePreservingPath(), 0.7, 0.4),
    ExactGaussian(Interpolant(LinearPath(), 0.5), 0.7, 0.4, source_mean=0.3),
]
NUMBER = 4000


def start_on(flow, seeded):
    mean, deviation = flow.moments(torch.zeros(1, dtype=torch.float64))
    return mean + deviation * torch.randn(NUMBER, 1, generator=seeded, dtype=torch.float64)


def standard_errors(flow, time, x):
    """By how many standard errors mean and deviation of points differ from the law of the flow at a time."""
    mean, deviation = flow.moments(torch.tensor(time, dtype=torch.float64))
    yield abs(float((x.mean() - mean) / deviation)) * math.sqrt(NUMBER)
    yield abs(float(x.std() / deviation) - 1) * math.sqrt(2 * NUMBER)


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: type(flow.path).__name__)
@pytest.mark.parametrize(
    ("sampler", "steps"),
    [
        (StochasticEuler(0.3), 256),
        (StochasticEuler(1.0), 512),
        (StochasticHeun(0.3), 64),
        (StochasticHeun(1.0), 128),
        (StochasticHeun(4.0), 256),
    ],
    ids=repr,
)
def test_samples_have_the_law_of_the_flow_on_the_way_and_at_the_end(flow, sampler, steps):
    seeded = generator(2)
    start = start_on(flow, seeded)
    run = Run(flow, None, seeded, torch.full_like(start, flow.source_mean))
    states = list(sampler.states(start, steps, run))
    for state in states[len(states) // 4 - 1 :: len(states) // 4]:  # at four times, the last at the data
        assert max(standard_errors(flow, *state)) < 3


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: type(flow.path).__name__)
@pytest.mark.parametrize("noise", [0.5, 5.0, 1000.0])
def test_the_way_back_keeps_the_law_exactly_however_long_it_is(flow, noise):
    seeded = generator(3)
    mean, deviation = flow.moments(torch.tensor(0.6, dtype=torch.float64))
    x = mean + deviation * torch.randn(NUMBER, 1, generator=seeded, dtype=torch.float64)
    run = Run(flow, None, seeded, torch.full_like(x, flow.source_mean))
    (earlier,) = earlier_times([0.6, 0.8], noise, run)
    back = run.length(earlier, 0.6)
    assert back == pytest.approx(min(noise * run.length(0.6, 0.8) * float(run.at(0.6).alpha), run.length(0.0, 0.6)))
    assert earlier < 0.6 and (noise < 1000 or earlier == pytest.approx(0, abs=1e-12))
    assert max(standard_errors(flow, earlier, go_back(x, 0.6, earlier, run))) < 3


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: type(flow.path).__name__)
@pytest.mark.parametrize("steps", [1, 2, 5, 16])
@pytest.mark.parametrize("noise", [0.0, 1.0, 20.0])
def test_gaussian_steps_keep_the_law_for_any_noise_and_any_number_of_steps(flow, steps, noise):
    seeded = generator(6)
    start = start_on(flow, seeded)
    run = Run(flow, None, seeded, torch.full_like(start, flow.source_mean))
    for state in StochasticGaussian(flow.deviation, noise).states(start, steps, run):
        assert max(standard_errors(flow, *state)) < 3.5  # in the worst of 48 cases and all of their steps


def test_the_noise_makes_samples_forget_their_start():
    flow, kept = FLOWS[0], []
    for noise in (0.0, 0.5, 4.0):
        seeded = generator(4)
        start = start_on(flow, seeded)
        ends = sample(flow, start, 128, StochasticHeun(noise), generator=seeded)
        kept.append(float(torch.corrcoef(torch.cat([start, ends], 1).T)[0, 1]))
    assert kept[0] == pytest.approx(1) and 0.3 < kept[1] < 0.95 and kept[2] < 0.2


@pytest.mark.parametrize(("noisy", "plain"), [(StochasticEuler(0.0), Euler()), (StochasticHeun(0.0), Heun())])
def test_without_noise_they_are_the_integrators_themselves(noisy, plain):
    start = torch.linspace(-1, 1, 7, dtype=torch.float64)[:, None]
    assert torch.equal(sample(FLOWS[1], start, 6, noisy), sample(FLOWS[1], start, 6, plain))


def test_small_steps_back_are_the_published_stochastic_differential_equation():
    """The variance added by a short way back is 2 w h with the w of the equation."""
    flow, time, length, noise = FLOWS[0], 0.6, 1e-4, 0.7
    run = Run(flow, None, generator(5))
    x = torch.zeros(200_000, 1, dtype=torch.float64)
    (before,) = earlier_times([time, time + length], noise, run)
    earlier = go_back(x, time, before, run)
    w = noise * (1 - time) * 1.0  # kappa s^2 sigma (sigma alpha' - alpha sigma') on the linear path
    assert float(earlier.var()) == pytest.approx(2 * w * length, rel=0.01)


@pytest.mark.parametrize("sampler", [StochasticEuler, StochasticHeun, lambda noise: StochasticGaussian(1.0, noise)])
def test_negative_noise_is_refused(sampler):
    with pytest.raises(InputError, match=r"the noise of the sampler is -0\.1"):
        sampler(-0.1)


def test_negative_deviations_are_refused():
    with pytest.raises(InputError, match="the least of the deviations of the data is -1"):
        StochasticGaussian(-1.0)
