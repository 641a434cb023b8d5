"""Integrators carry a source to Gaussian data, of which flow and law are known, with their order."""

from __future__ import annotations

import math

import pytest
import torch

from sciml.errors import DivergenceError, InputError
from sciml.generative import (
    AdamsBashforth2,
    CosinePath,
    Counted,
    Euler,
    ExactGaussian,
    GaussianFlow,
    HeavyBall,
    Heun,
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


def slope(flow, sampler):
    coarse, fine = (max(affine_errors(flow, sampler, steps)) for steps in (64, 128))
    return math.log2(coarse / fine)


def name(flow):
    return type(flow.path).__name__


@pytest.mark.parametrize("flow", FLOWS, ids=name)
@pytest.mark.parametrize("sampler", [Euler(), HeavyBall(1, 1.0), HeavyBall(1, 0.8)], ids=repr)
def test_euler_and_its_average_have_order_one(flow, sampler):
    assert 0.9 < slope(flow, sampler) < 1.1


@pytest.mark.parametrize("flow", FLOWS, ids=name)
@pytest.mark.parametrize("sampler", [Heun(), AdamsBashforth2(), HeavyBall(2, 0.8), HeavyBall(2, 0.5)], ids=repr)
def test_methods_of_order_two_have_it(flow, sampler):
    assert 1.8 < slope(flow, sampler) < 2.2


@pytest.mark.parametrize("flow", FLOWS, ids=name)
@pytest.mark.parametrize(
    "sampler", [Heun(), AdamsBashforth2(), HeavyBall(2, 0.8), HeavyBall(3), HeavyBall(4)], ids=repr
)
def test_moments_after_64_calls_are_right_to_a_thousandth(flow, sampler):
    assert max(affine_errors(flow, sampler, 64)) < 1e-3


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_without_momentum_the_weights_are_those_of_adams_and_bashforth(order):
    tables = {1: [1], 2: [3 / 2, -1 / 2], 3: [23 / 12, -16 / 12, 5 / 12], 4: [55 / 24, -59 / 24, 37 / 24, -9 / 24]}
    assert HeavyBall(order, 1.0).weights(order) == pytest.approx(tables[order], abs=1e-14)


@pytest.mark.parametrize("beta", [0.3, 0.8])
def test_with_momentum_the_weights_are_the_published_ones(beta):
    table = {
        2: [(2 + beta) / 2, -(2 - beta) / 2],
        3: [(18 + 5 * beta) / 12, -(24 - 8 * beta) / 12, (6 - beta) / 12],
        4: [(46 + 9 * beta) / 24, -(78 - 19 * beta) / 24, (42 - 5 * beta) / 24, -(10 - beta) / 24],
    }
    for order, weights in table.items():
        assert HeavyBall(order, beta).weights(order) == pytest.approx([w / beta for w in weights], rel=1e-12)


@pytest.mark.parametrize(("order", "beta"), [(2, 0.4), (3, 0.7), (4, 0.9)])
def test_with_a_settled_average_polynomials_of_the_orders_degree_are_integrated_exactly(order, beta):
    method, length, average, x = HeavyBall(order, beta), 0.1, 0.0, None
    averages = []
    for n in range(-400, 10):  # from long ago, so that the average has forgotten how it started
        average = (1 - beta) * average + beta * order * (n * length) ** (order - 1)
        averages = [average, *averages][:order]
        if n == 0:
            x = 0.0
        if x is not None:
            x += length * sum(w * m for w, m in zip(method.weights(order), averages, strict=True))
    assert x == pytest.approx((10 * length) ** order, rel=1e-10)


def test_adams_and_bashforths_method_is_the_textbook_recursion():
    flow, length = FLOWS[1], 1 / 6
    x = start = torch.linspace(-2, 2, 5, dtype=torch.float64)[:, None]
    before = None
    for i in range(6):
        v = flow.velocity(x, torch.full((5,), i * length, dtype=torch.float64))
        x = x + length * (v if before is None else 1.5 * v - 0.5 * before)
        before = v
    torch.testing.assert_close(sample(flow, start, 6, AdamsBashforth2()), x)


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


def test_an_odd_number_of_calls_is_refused_by_heun():
    with pytest.raises(InputError, match="number of steps is 5, expected an even number"):
        sample(FLOWS[0], torch.zeros(1, 1), 5, Heun())


def test_heun_calls_the_flow_as_often_as_told():
    counted = Counted(FLOWS[0])
    sample(counted, torch.zeros(1, 1), 6, Heun())
    assert counted.calls == 6 == Heun().calls(6)


def test_predicted_data_have_no_velocity_where_heun_ends():
    flow = GaussianFlow(FLOWS[0].data, FLOWS[0].path, "data")
    with pytest.raises(DivergenceError, match="predicts data has no velocity at t = 1"):
        sample(flow, torch.ones(1, 1), 2, Heun())


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: HeavyBall(order=5), "order of the heavy-ball method is 5"),
        (lambda: HeavyBall(beta=0.0), "share of the present velocity is 0.0"),
        (lambda: HeavyBall(beta=1.5), "share of the present velocity is 1.5"),
    ],
)
def test_parameters_that_make_no_method_are_refused(make, sentence):
    with pytest.raises(InputError, match=sentence):
        make()


@pytest.mark.parametrize("steps", [0, -1, 2.5, True])
def test_numbers_of_steps_that_mean_nothing_are_refused(steps):
    with pytest.raises(InputError, match="the number of steps is"):
        sample(FLOWS[0], torch.zeros(1, 1), steps, Euler())


def test_samples_that_are_not_finite_are_refused():
    flow = GaussianFlow(lambda x, t: x / 0, LinearPath())
    with pytest.raises(DivergenceError, match="the samples are not finite after 2 steps of Euler"):
        sample(flow, torch.ones(1, 1), 2, Euler())
