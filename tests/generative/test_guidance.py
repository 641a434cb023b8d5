"""Guidance on flows that are known exactly: what it costs, what it leaves alone, and where its samples go."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from sciml.errors import InputError
from sciml.generative.constraints import Constrained
from sciml.generative.exact import ExactGaussian
from sciml.generative.flows import Counted, GaussianFlow
from sciml.generative.guidance import Adaptive, ClassifierFree, ResidualGuidance, descended
from sciml.generative.mean_flow import MeanFlow
from sciml.generative.paths import LinearPath, TrigonometricPath
from sciml.generative.samplers import DDIM, AdamsBashforth2, Euler, StochasticEuler, sample
from sciml.numerics.projection import ImplicitConstraints, LinearConstraints
from sciml.numerics.random import generator

DOUBLE = {"dtype": torch.float64}
NULL = {"c": torch.zeros(1, 3, **DOUBLE)}
PATHS = [LinearPath(), TrigonometricPath()]


def network(x: Tensor, t: Tensor, c: Tensor) -> Tensor:
    """Turn about an axis that the condition says, by a speed of its own for each item."""
    return torch.tanh(x + c) * (1 + t[:, None]) - 0.3 * c


def points(batch=5, seed=0):
    return torch.randn(batch, 3, generator=generator(seed), **DOUBLE)


def times(batch=5, t=0.4):
    return torch.full((batch,), t, **DOUBLE)


def of_two_times(x: Tensor, t: Tensor, until: Tensor, c: Tensor) -> Tensor:
    """A network of mean velocities, which depend on the later time."""
    return network(x, t, c) * (1 + (until - t)[:, None])


@pytest.mark.parametrize("ask", ["velocity", "pair", "mean_velocity"])
@pytest.mark.parametrize("plain", [GaussianFlow(network, LinearPath()), MeanFlow(of_two_times, LinearPath())])
def test_scale_one_is_the_conditional_flow_bit_for_bit_in_one_call_and_scale_zero_the_unconditional(plain, ask):
    x, t, c = points(), times(), {"c": points(seed=1)}
    at = (t, times(t=0.9)) if ask == "mean_velocity" else (t,)
    for scale, condition in ((1.0, c), (0.0, {"c": torch.zeros(5, 3, **DOUBLE)})):
        counted = Counted(plain)
        found = getattr(ClassifierFree(counted, scale, NULL), ask)(x, *at, c)
        expected = getattr(plain, ask)(x, *at, condition)
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
        assert counted.calls == 1


def test_guidance_extrapolates_beyond_the_conditional_flow_in_two_calls():
    plain, x, t, c = GaussianFlow(network, LinearPath()), points(), times(), {"c": points(seed=1)}
    counted = Counted(plain)
    guided = ClassifierFree(counted, 2.5, NULL)
    apart = plain.velocity(x, t, c) - plain.velocity(x, t, {"c": torch.zeros(5, 3, **DOUBLE)})
    assert guided.velocity(x, t, c) == pytest.approx(plain.velocity(x, t, c) + 1.5 * apart)
    assert counted.calls == 2
    pair, expected = guided.pair(x, t, c), super(ClassifierFree, guided).pair(x, t, c)
    assert pair.data == pytest.approx(expected.data) and pair.source == pytest.approx(expected.source)


@pytest.mark.parametrize("guide", [ClassifierFree, Adaptive])
def test_guidance_changes_the_mean_velocity_where_there_is_one(guide):
    plain, x, c = MeanFlow(of_two_times, LinearPath()), points(), {"c": points(seed=1)}
    time, until = times(), times(t=0.9)
    asked, free = (plain.mean_velocity(x, time, until, each) for each in (c, {"c": torch.zeros(5, 3, **DOUBLE)}))
    guided = guide(Counted(plain), 2.5, NULL)
    assert guided.mean_velocity(x, time, until, c) == pytest.approx(asked + 1.5 * (asked - free))
    one_call = x + of_two_times(x, times(t=0.0), times(t=1.0), c["c"])
    assert torch.equal(sample(guide(plain, 1.0, None), x, 1, Euler(), c), one_call)


def test_flows_of_changed_data_are_not_asked_for_mean_velocities_that_they_cannot_change():
    guided = ResidualGuidance(Counted(MeanFlow(of_two_times, LinearPath())), lambda z: z)
    with pytest.raises(InputError, match="mean velocities between two times, which ResidualGuidance cannot change"):
        sample(guided, points(), 2, Euler(), {"c": points(seed=1)})
    sample(guided, points(), 2, AdamsBashforth2(), {"c": points(seed=1)})


def test_guidance_of_a_network_trained_without_dropped_conditions_is_refused():
    plain = GaussianFlow(network, LinearPath())
    with pytest.raises(InputError, match="trained without dropped conditions"):
        ClassifierFree(plain, 2.0, None)
    ClassifierFree(plain, 1.0, None).velocity(points(), times(), {"c": points(seed=1)})
    with pytest.raises(InputError, match="at least 0"):
        Adaptive(plain, -1.0, NULL)


def test_adaptive_guidance_that_never_stops_is_plain_guidance_and_counts_two_calls_a_step():
    plain, x, c = GaussianFlow(network, LinearPath()), points(), {"c": points(seed=1)}
    adaptive = Adaptive(plain, 2.0, NULL, threshold=1.1)
    found = sample(adaptive, x, 6, Euler(), c)
    assert torch.equal(found, sample(ClassifierFree(plain, 2.0, NULL), x, 6, Euler(), c))
    assert adaptive.calls.tolist() == [12] * 5


def test_adaptive_guidance_stops_for_each_item_on_its_own_and_begins_again_with_each_run():
    # Small conditions change the direction little: those items are done after their first unconditional call.
    c = points(seed=1)
    c[:2] *= 1e-3
    plain, x = GaussianFlow(network, LinearPath()), points()
    adaptive = Adaptive(plain, 2.0, NULL, threshold=0.9999)
    first = sample(adaptive, x, 4, Euler(), {"c": c})
    calls = adaptive.calls.tolist()
    assert calls[:2] == [5, 5] and max(calls[2:]) > 5
    assert torch.equal(sample(adaptive, x, 4, Euler(), {"c": c}), first)
    assert adaptive.calls.tolist() == calls
    alone = sample(adaptive, x[3:4], 4, Euler(), {"c": c[3:4]})
    assert alone == pytest.approx(first[3:4], rel=1e-12)


@pytest.mark.parametrize("within", [Counted, lambda flow: ResidualGuidance(flow, lambda z: 1e-9 * z)])
@pytest.mark.parametrize("sampler", [DDIM("leading"), StochasticEuler(20.0), Euler()])
def test_what_adaptive_guidance_remembers_ends_with_the_run_whatever_its_times_are(sampler, within):
    # Of the first run, all items are done when the second begins, at a later time; the third goes back to time 0.
    x, c, calls, ends = points(), {"c": 1e-3 * points(seed=1)}, [], []
    adaptive = Adaptive(GaussianFlow(network, TrigonometricPath()), 2.0, NULL, threshold=0.99)
    for guided in (adaptive, Adaptive(adaptive.flow, 2.0, NULL, threshold=0.99)):
        if guided is adaptive:
            sample(within(guided), x, 4, Euler(), c)
        ends.append(sample(within(guided), x, 4, sampler, c, generator(7)))
        calls.append(guided.calls.tolist())
    assert torch.equal(*ends)
    assert calls[0] == calls[1] == [5] * 5


def test_adaptive_guidance_of_scale_zero_is_the_unconditional_flow_in_one_call_a_step():
    plain, x, c = GaussianFlow(network, LinearPath()), points(), {"c": 1e-3 * points(seed=1)}
    adaptive = Adaptive(plain, 0.0, NULL)
    found = sample(adaptive, x, 4, Euler(), c)
    assert torch.equal(found, sample(ClassifierFree(plain, 0.0, NULL), x, 4, Euler(), c))
    assert adaptive.calls.tolist() == [4] * 5


def test_the_step_down_a_linear_residual_is_the_nearest_solution_of_one_equation_and_always_gets_nearer():
    data = points(7)
    normal = torch.tensor([1.0, -2.0, 0.5], **DOUBLE)
    found = descended(data, lambda z: (z @ normal - 3.0)[:, None])
    assert found @ normal == pytest.approx(torch.full((7,), 3.0, **DOUBLE))
    assert torch.linalg.cross(found - data, normal.expand(7, 3)) == pytest.approx(
        torch.zeros(7, 3, **DOUBLE), abs=1e-12
    )
    matrix, solution = torch.randn(2, 3, generator=generator(3), **DOUBLE), points(7, seed=4)
    for strength in (0.5, 1.0, 1.9):
        nearer = descended(data, lambda z: (z - solution) @ matrix.T, strength)
        assert bool(((nearer - solution).norm(dim=1) < (data - solution).norm(dim=1)).all())
    assert torch.equal(descended(solution, lambda z: (z - solution) @ matrix.T), solution)


@pytest.mark.parametrize(
    ("residual", "words"),
    [
        (lambda z: z.detach() - 1.0, "has no derivative with respect to the data"),
        (lambda z: torch.from_numpy(z.detach().numpy() - 1.0), "has no derivative with respect to the data"),
        (lambda z: z.sum(1), r"the shape of the residual is \(3,\), expected \(3, ...\)"),
        (lambda z: z.sum(0, keepdim=True), r"the shape of the residual is \(1, 2\), expected \(3, ...\)"),
        (lambda z: z / 0.0, "not finite"),
    ],
)
def test_residuals_down_which_there_is_no_step_for_each_item_are_refused(residual, words):
    with pytest.raises(InputError, match=words):
        descended(torch.ones(3, 2), residual)


@pytest.mark.parametrize("path", PATHS)
def test_residual_guidance_ends_on_the_solutions_of_an_equation(path):
    flow = ResidualGuidance(ExactGaussian(path), lambda z: (z.square().sum(1) - 4.0)[:, None])
    free = sample(ExactGaussian(path), points(50), 20, Euler())
    found = sample(flow, points(50), 20, Euler())
    missed = [(z.norm(dim=1) - 2.0).abs().mean() for z in (free, found)]
    assert missed[1] < 0.06 * missed[0]
    with pytest.raises(InputError, match="not finite"):
        sample(ResidualGuidance(flow, lambda z: z / 0.0), points(), 2, Euler())


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_residual_guidance_finds_its_gradients_where_none_are_recorded(mode):
    flow = ResidualGuidance(ExactGaussian(LinearPath()), lambda z: z.sum(1, keepdim=True))
    with mode():
        found = sample(flow, points(), 3, Euler())
    assert not found.requires_grad
    assert found.sum(1) == pytest.approx(torch.zeros(5, **DOUBLE), abs=1e-12)


@pytest.mark.parametrize("path", PATHS)
def test_constrained_samples_of_normal_data_have_the_conditional_law(path):
    # z ~ N(0, I) given that its entries sum to 2: mean 2/3 each, covariance I - 1/3.
    constraints = LinearConstraints({"sum": [[1.0, 1.0, 1.0]]})
    flow = Constrained(ExactGaussian(path), constraints, {"sum": torch.tensor([2.0], **DOUBLE)})
    start = points(20_000, seed=5)
    ended = sample(flow, start, 200, Euler())
    if isinstance(path, LinearPath):  # where a last step of Euler's method ends on the estimate of the data
        assert ended.sum(1) == pytest.approx(torch.full((20_000,), 2.0, **DOUBLE), abs=1e-10)
    found = flow.finish(ended)
    assert float((found - ended).abs().max()) < 1e-4
    assert found.sum(1) == pytest.approx(torch.full((20_000,), 2.0, **DOUBLE), abs=1e-10)
    assert found.mean(0) == pytest.approx(torch.full((3,), 2 / 3, **DOUBLE), abs=0.03)
    apart = found - found.mean(0)
    expected = torch.eye(3, **DOUBLE) - 1 / 3
    assert apart.T @ apart / 20_000 == pytest.approx(expected, abs=0.03)


def test_constraints_hold_to_the_rounding_of_single_precision_and_exactly_once_finished():
    zero_mean = ImplicitConstraints(lambda u: u.mean(-1, keepdim=True), lambda y: y.expand(-1, 3) / 3, lambda r: 3 * r)
    flow = Constrained(ExactGaussian(LinearPath(), mean=2.0), zero_mean, torch.zeros(1, 1))
    found = sample(flow, points().float(), 8, Euler())
    assert found.dtype == torch.float32
    assert found.mean(1).abs().max() < 1e-6
    assert flow.finish(found).mean(1).abs().max() < 1e-15
    assert math.isclose(float(found.std()), float(flow.finish(found).std()), rel_tol=1e-5)
