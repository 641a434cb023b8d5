"""Samplers carry a source to Gaussian data, of which flow and law are known, with their order."""

from __future__ import annotations

import math

import pytest
import torch

from sciml.errors import DivergenceError, InputError
from sciml.generative import (
    CosinePath,
    Counted,
    Euler,
    ExactGaussian,
    GaussianFlow,
    Interpolant,
    LinearPath,
    TrigonometricPath,
    VariancePreservingPath,
    sample,
)

MEAN, DEVIATION = 0.7, 0.4
FLOWS = [
    ExactGaussian(LinearPath(), MEAN, DEVIATION),
    ExactGaussian(TrigonometricPath(), MEAN, DEVIATION),
    ExactGaussian(VariancePreservingPath(), MEAN, DEVIATION),
    ExactGaussian(CosinePath(), MEAN, DEVIATION),
    ExactGaussian(Interpolant(LinearPath(), 0.5), MEAN, DEVIATION, source_mean=0.3),
]


def affine_errors(flow, sampler, steps):
    """The errors of mean and deviation of the samples: a sampler is affine in the source of Gaussian data."""
    zero = torch.zeros(1, dtype=torch.float64)
    centre, spread = flow.moments(zero)  # a source that lies on the path, also where it starts with some data
    ends = sample(flow, torch.cat([centre - spread, centre + spread])[:, None], steps, sampler)
    return abs(float(ends.mean()) - flow.mean), abs(float(ends.diff(dim=0)) / 2 - flow.deviation)


def slope(flow, sampler, steps=(32, 64)):
    coarse, fine = (max(affine_errors(flow, sampler, count)) for count in steps)
    return math.log2(coarse / fine)


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: type(flow.path).__name__)
def test_euler_has_order_one(flow):
    assert 0.9 < slope(flow, Euler()) < 1.1


def test_a_constant_velocity_is_followed_exactly():
    flow = ExactGaussian(LinearPath(), mean=2.0, deviation=1.0)
    shifted = GaussianFlow(lambda x, t: torch.full_like(x, flow.mean), LinearPath())
    start = torch.linspace(-1, 1, 5, dtype=torch.float64)[:, None]
    torch.testing.assert_close(sample(shifted, start, 3, Euler()), start + 2)


def test_calls_are_counted_and_conditions_arrive_by_name():
    seen = []

    def network(x, t, buoyancy):
        seen.append(t)
        return buoyancy[:, None] * torch.ones_like(x)

    counted = Counted(GaussianFlow(network, LinearPath()))
    ends = sample(counted, torch.zeros(2, 3), 5, Euler(), {"buoyancy": torch.tensor([1.0, 2.0])})
    assert counted.calls == 5 == len(seen) and seen[1].tolist() == [pytest.approx(0.2)] * 2
    torch.testing.assert_close(ends, torch.tensor([[1.0], [2.0]]).expand(2, 3))


@pytest.mark.parametrize("prediction", ["noise", "data", "velocity"])
def test_all_predictions_of_one_flow_give_the_same_samples(prediction):
    exact = ExactGaussian(VariancePreservingPath(), MEAN, DEVIATION)

    def network(x, t):
        return {"noise": exact.noise, "data": exact.data, "velocity": exact.velocity}[prediction](x, t)

    start = torch.linspace(-2, 2, 5, dtype=torch.float64)[:, None]
    flow = GaussianFlow(network, exact.path, prediction)
    torch.testing.assert_close(sample(flow, start, 6, Euler()), sample(exact, start, 6, Euler()))


@pytest.mark.parametrize("path", [LinearPath(), TrigonometricPath(), CosinePath(), Interpolant(LinearPath())], ids=repr)
def test_noise_is_not_predicted_where_it_leaves_the_data_unknown(path):
    with pytest.raises(InputError, match=r"the prediction is 'noise' on .* expected 'velocity' or 'data'"):
        GaussianFlow(lambda x, t: x, path, "noise")


@pytest.mark.parametrize("steps", [0, -1, 2.5, True])
def test_numbers_of_steps_that_mean_nothing_are_refused(steps):
    with pytest.raises(InputError, match="the number of steps is"):
        sample(FLOWS[0], torch.zeros(1, 1), steps, Euler())


def test_samples_that_are_not_finite_are_refused():
    flow = GaussianFlow(lambda x, t: x / 0, LinearPath())
    with pytest.raises(DivergenceError, match="the samples are not finite after 2 steps of Euler"):
        sample(flow, torch.ones(1, 1), 2, Euler())
