"""Exact networks minimise the objectives, and what they are trained on has the law of the data."""

from __future__ import annotations

import math

import pytest
import torch

from sciml.errors import InputError
from sciml.generative import (
    DDIM,
    DDPM,
    ConsistencyObjective,
    ConsistencySteps,
    CosinePath,
    EnergyScoreObjective,
    Euler,
    ExactGaussian,
    GaussianFlow,
    GaussianSteps,
    Heun,
    Interpolant,
    LinearPath,
    MeanFlowObjective,
    PathObjective,
    TrigonometricPath,
    VariancePreservingPath,
    reflow_pairs,
    sample,
)
from sciml.generative.energy_score import almost_fair_score
from sciml.generative.objectives import RESIDUALS, TIMES
from sciml.numerics.random import generator

MEAN, DEVIATION = 0.7, 0.4
PATHS = [LinearPath(), TrigonometricPath(), VariancePreservingPath(), CosinePath(), Interpolant(LinearPath(), 0.5)]


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def gaussian_data(*shape):
    return MEAN + DEVIATION * normal(*shape, seed=10)


def transported(source, path, mean=MEAN, deviation=DEVIATION):
    """The data to which the exact flow carries a source, a pair for each; no two trajectories cross."""
    return mean + deviation * source / path.noise


def on_the_way(path, x, t):
    """The source from which a transported point came."""
    at = path.coefficients(t)
    alpha, sigma = at.alpha[:, None], at.sigma[:, None]
    return (x - alpha * MEAN) / (alpha * DEVIATION / path.noise + sigma)


@pytest.mark.parametrize("path", PATHS, ids=repr)
@pytest.mark.parametrize("prediction", ["data", "velocity"])
def test_the_exact_mean_has_the_least_squared_loss(path, prediction):
    """The loss at the exact mean is the variance of the target, and rises by the square of any change."""
    exact, objective = ExactGaussian(path, MEAN, DEVIATION), PathObjective(path, prediction)
    right = {"data": exact.data, "velocity": exact.velocity}[prediction]
    data, source = gaussian_data(20_000, 1), path.start(torch.zeros(20_000, 1).double(), generator(1))

    def loss(change):
        return objective.loss(lambda x, t: right(x, t) + change * torch.cos(x), data, source, None, generator(2)).mean()

    change = torch.zeros((), dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(loss(change), change)
    curvature = float(loss(1.0) + loss(-1.0) - 2 * loss(0.0)) / 2
    assert curvature > 0.1 and abs(float(slope)) < 0.05 * curvature


@pytest.mark.parametrize("prediction", ["noise", "data", "velocity"])
@pytest.mark.parametrize("residual", RESIDUALS)
@pytest.mark.parametrize("times", TIMES)
def test_a_network_that_knows_the_pairs_has_no_loss(prediction, residual, times):
    path = VariancePreservingPath()
    source = normal(6, 3, 2)
    data = transported(source, path)

    def network(x, t):
        return {"noise": source, "data": data, "velocity": path.motion(data, source, t)}[prediction]

    losses = PathObjective(path, prediction, residual, times).loss(network, data, source, None, generator(0))
    assert losses.shape == (6,) and float(losses.abs().max()) < 1e-20


@pytest.mark.parametrize("residual", RESIDUALS)
def test_residuals_are_squares_where_they_are_small(residual):
    small = torch.tensor([1e-4, -2e-4], dtype=torch.float64)
    torch.testing.assert_close(RESIDUALS[residual](small, 0.5), small.square(), rtol=1e-6, atol=0)


def test_robust_residuals_grow_linearly_and_logarithmically():
    large = torch.tensor([1e4, 2e4], dtype=torch.float64)
    growth = {name: RESIDUALS[name](large, 1.0).diff().item() for name in RESIDUALS}
    assert growth["huber"] == pytest.approx(2e4) and growth["cauchy"] == pytest.approx(2 * math.log(2), rel=1e-6)
    assert growth["squared"] == pytest.approx(3e8)


def test_squared_residuals_have_the_mean_and_robust_ones_forgive_an_outlier():
    values = torch.cat([torch.zeros(99), torch.tensor([50.0])]).double()
    centres = torch.linspace(-0.5, 1.0, 301, dtype=torch.float64)
    best = {
        name: centres[rho(values - centres[:, None], 0.1).sum(1).argmin()].item() for name, rho in RESIDUALS.items()
    }
    assert best["squared"] == pytest.approx(0.5) and abs(best["huber"]) < 0.01 and abs(best["cauchy"]) < 0.01


def test_logit_normal_times_prefer_the_middle_and_have_their_law():
    t = TIMES["logit_normal"](torch.zeros(40_000).double(), generator(0))
    logits = torch.logit(t)
    assert abs(float(logits.mean())) < 3 / 200 and abs(float(logits.std()) - 1) < 3 / 280
    uniform = TIMES["uniform"](torch.zeros(40_000).double(), generator(0))
    assert float(uniform.std()) == pytest.approx(12**-0.5, rel=0.02)


def test_draws_are_a_function_of_the_generator():
    objective = PathObjective(LinearPath())
    losses = [objective.loss(lambda x, t: x, gaussian_data(5, 2), None, None, generator(4, 1)) for _ in range(2)]
    assert torch.equal(*losses)


# The energy score.


def expected_score(fairness, narrowed):
    """Its exact mean over Gaussian data and two members with a narrowed deviation, by E|N(0, s^2)| = s sqrt(2 / pi)."""
    epsilon = (1 - fairness) / 2
    missed = DEVIATION * math.sqrt(1 + narrowed**2) * math.sqrt(2 / math.pi)
    apart = DEVIATION * math.sqrt(2) * narrowed * math.sqrt(2 / math.pi)
    return missed - (1 - epsilon) * apart / 2


@pytest.mark.parametrize("distance", ["joint", "marginal"])
def test_the_score_is_that_of_the_formula(distance):
    objective = EnergyScoreObjective(LinearPath(), fairness=0.9, distance=distance)
    data = gaussian_data(200_000, 1)

    def network(x, t):
        return MEAN + 0.8 * DEVIATION * x

    score = objective.loss(network, data, None, None, generator(0))
    assert float(score.mean()) == pytest.approx(expected_score(0.9, 0.8), rel=0.01)


def test_the_fair_energy_score_is_least_at_the_true_law():
    objective = EnergyScoreObjective(LinearPath(), members=3, fairness=1.0)
    mixing = torch.tensor([[1.0, 0.6, 0.0], [0.0, 0.8, 0.3], [0.0, 0.0, 1.0]], dtype=torch.float64)
    data = MEAN + normal(40_000, 3, seed=3) @ mixing
    shifted, turned, identity = torch.zeros(3).double(), torch.eye(3).double(), torch.eye(3).double()
    parameters = [shifted.requires_grad_(), turned.requires_grad_()]

    def loss(shift, turn):
        return objective.loss(lambda x, t: MEAN + shift + x @ mixing @ turn, data, None, None, generator(5)).mean()

    slopes = torch.autograd.grad(loss(*parameters), parameters)
    assert max(float(slope.abs().max()) for slope in slopes) < 0.01
    least = float(loss(*parameters).detach())
    for shift, turn in ((0.3, identity), (0.0, 0.7 * identity), (0.0, 1.4 * identity), (0.0, mixing)):
        assert float(loss(shift, turn).detach()) > least + 0.003


def test_marginal_scores_do_not_see_how_entries_hang_together_and_joint_ones_do():
    data = normal(40_000, 1).expand(-1, 2)  # both entries are one
    apart = [normal(40_000, 2, seed=seed) for seed in (1, 2)]
    together = [normal(40_000, 1, seed=seed).expand(-1, 2) for seed in (1, 2)]
    scores = {
        d: [float(almost_fair_score(m, data, 1.0, d).mean()) for m in (together, apart)] for d in ("joint", "marginal")
    }
    assert scores["marginal"][0] == pytest.approx(scores["marginal"][1], abs=0.01)
    assert scores["joint"][0] < scores["joint"][1] - 0.02


@pytest.mark.parametrize("fairness", [0.95, 0.99, 1.0])
def test_almost_fair_scores_narrow_members_by_the_stated_factor(fairness):
    kept = 1 - (1 - fairness) / 2
    stated = kept / math.sqrt(2 - kept**2)
    assert expected_score(fairness, stated) < min(expected_score(fairness, stated + d) for d in (-0.005, 0.005))
    assert stated == pytest.approx({0.95: 0.952, 0.99: 0.990, 1.0: 1.0}[fairness], abs=5e-4)


def test_members_that_agree_have_finite_gradients():
    made = [torch.ones(2, 3, requires_grad=True) for _ in range(2)]
    almost_fair_score(made, torch.ones(2, 3), 0.99, "joint").sum().backward()
    assert all(torch.isfinite(each.grad).all() for each in made)


def test_the_network_itself_is_the_sample_in_one_call():
    objective = EnergyScoreObjective(Interpolant(TrigonometricPath(), 0.5))
    flow = objective.flow(lambda x, t: torch.sin(x))
    start = normal(4, 3)
    torch.testing.assert_close(sample(flow, start, 1, DDIM()), torch.sin(start))


@pytest.mark.parametrize("objective", [EnergyScoreObjective(TrigonometricPath()), ConsistencyObjective(LinearPath())])
@pytest.mark.parametrize(
    ("sampler", "steps"), [(Euler(), 1), (DDIM(), 4), (DDIM("leading"), 1), (GaussianSteps(0.3), 1), (DDPM(), 2)]
)
def test_networks_without_a_velocity_are_not_asked_for_one(objective, sampler, steps):
    with pytest.raises(InputError, match=rf"the sampler is .* with {steps} calls .*DDIM\(\)"):
        objective.check_sampler(sampler, steps)
    for one_call in (DDIM(), ConsistencySteps()):
        objective.check_sampler(one_call, 1)
    PathObjective(LinearPath()).check_sampler(sampler, steps)


def test_several_consistency_steps_are_for_consistency_models_alone():
    ConsistencyObjective(LinearPath()).check_sampler(ConsistencySteps(), 4)
    with pytest.raises(InputError, match="at time 0 alone"):
        EnergyScoreObjective(LinearPath()).check_sampler(ConsistencySteps(), 4)


def test_each_member_has_a_source_of_its_own_about_the_mean():
    objective = EnergyScoreObjective(Interpolant(LinearPath(), 0.1), members=3)
    drawn = objective.draw(torch.full((5, 2), 4.0), generator(0))
    assert drawn.shape == (3, 5, 2) and float((drawn - 4).abs().max()) < 0.5
    assert float((drawn[0] - drawn[1]).abs().min()) > 0
    seen = []
    objective.loss(lambda x, t: seen.append((x, t)) or x, torch.zeros(5, 2), drawn, None, generator(1))
    assert torch.equal(torch.stack([x for x, _ in seen]), drawn) and not torch.cat([t for _, t in seen]).any()


# MeanFlow.


def exact_mean_velocity(path):
    """The mean velocity along transported pairs, of which no two cross: the way divided by the time it takes."""

    def network(x, t, until):
        source = on_the_way(path, x, t)
        later = path.point(transported(source, path), source, until)
        # Over no time, the velocity; both branches are finite, and so is their derivative in t.
        span = (until - t)[:, None]
        same = span.abs() < 1e-9
        way = (later - x) / torch.where(same, torch.ones_like(span), span)
        return torch.where(same, path.motion(transported(source, path), source, t), way)

    return network


@pytest.mark.parametrize("path", [LinearPath(), TrigonometricPath(), Interpolant(TrigonometricPath(), 0.5)], ids=repr)
def test_the_exact_mean_velocity_has_no_loss(path):
    source = path.start(torch.zeros(300, 2).double(), generator(0))
    objective, network = MeanFlowObjective(path, share=1.0), exact_mean_velocity(path)
    losses = objective.loss(network, transported(source, path), source, None, generator(1))
    assert float(losses.max()) < 1e-18
    wrong = objective.loss(lambda x, t, until: network(x, t, t), transported(source, path), source, None, generator(1))
    assert isinstance(path, LinearPath) or float(wrong.mean()) > 0.01  # straight ones are right with the velocity alone


def test_the_exact_mean_velocity_of_independent_pairs_misses_the_identity_by_nothing_on_average():
    """Without paired sources the residual has mean zero given the point, so that no direction lowers the loss."""
    path = TrigonometricPath()
    data, source = gaussian_data(60_000, 1), normal(60_000, 1, seed=1)
    t = torch.rand(60_000, generator=generator(2), dtype=torch.float64) * 0.8 + 0.1
    until = t + (1 - t) * torch.rand(60_000, generator=generator(3), dtype=torch.float64)

    def network(x, t, until):  # along the flow of Gaussian data
        here, there = (ExactGaussian(path, MEAN, DEVIATION).moments(each) for each in (t, until))
        later = there[0][:, None] + (there[1] / here[1])[:, None] * (x - here[0][:, None])
        return (later - x) / (until - t)[:, None]

    residual = MeanFlowObjective(path).residual(network, data, source, (t, until))
    x = path.point(data, source, t)
    for direction in (torch.ones_like(x), x, torch.sin(3 * x), t[:, None] * x, until[:, None]):
        product = (residual * direction)[:, 0]
        assert abs(float(product.mean())) < 3 * float(product.std()) / 60_000**0.5
    assert float(residual.std()) > 0.3


def test_euler_follows_a_mean_flow_exactly_in_any_number_of_steps():
    path, start = TrigonometricPath(), normal(5, 2)
    flow = MeanFlowObjective(path).flow(exact_mean_velocity(path))
    for steps in (1, 3):
        torch.testing.assert_close(sample(flow, start, steps, Euler()), transported(start, path))


def test_the_loss_of_mean_flow_trains_a_network_with_attention():
    """The target is held fixed: the gradient is that of the output alone, also through attention in forward mode."""
    weights = torch.nn.Parameter(torch.eye(2, dtype=torch.float64) * 0.3)

    def network(x, t, until):
        tokens = (x @ weights)[:, None]
        mixed = torch.nn.functional.scaled_dot_product_attention(tokens, tokens, tokens)
        return mixed.flatten(1)[:, : x.shape[1]] + t[:, None] * until[:, None]

    data, source, times = (
        gaussian_data(8, 2),
        normal(8, 2),
        (torch.full((8,), 0.2).double(), torch.full((8,), 0.9).double()),
    )
    residual = MeanFlowObjective(LinearPath()).residual(network, data, source, times)
    residual.square().sum().backward()
    x = LinearPath().point(data, source, times[0])
    torch.testing.assert_close(weights.grad, 2 * x.T @ residual.detach())


def test_most_items_learn_the_velocity_and_the_share_both_times_in_order():
    t, until = MeanFlowObjective(LinearPath(), share=0.25)._times(torch.zeros(8000), generator(0))
    assert (until >= t).all() and float((until > t).double().mean()) == pytest.approx(0.25, abs=0.02)


# Consistency and reflow.


def exact_function(path):
    """The velocity whose estimate of the data is the end of the trajectory of transported pairs."""

    def network(x, t):
        source = on_the_way(path, x, t)
        return path.motion(transported(source, path), source, t)

    return network


@pytest.mark.parametrize("path", PATHS, ids=repr)
def test_the_exact_consistency_function_has_no_loss(path):
    source = path.start(torch.zeros(200, 2).double(), generator(0))
    objective = ConsistencyObjective(path, levels=10)
    losses = objective.loss(exact_function(path), transported(source, path), source, None, generator(1))
    assert float(losses.max()) < 1e-20
    wrong = objective.loss(lambda x, t: 0 * x, transported(source, path), source, None, generator(1))
    assert float(wrong.mean()) > 0.01


def test_distillation_leaves_the_error_of_steps_and_training_the_variance_of_pairs():
    """The estimates jump by the error of a step, of order h^3, and the loss is its square."""
    path, found = TrigonometricPath(), []
    exact = ExactGaussian(path, MEAN, DEVIATION)

    def network(x, t):  # whose estimate of the data is the end of the flow
        mean, deviation = exact.moments(t)
        end = MEAN + DEVIATION * (x - mean[:, None]) / deviation[:, None]
        at = path.coefficients(t).beside(x)
        source = (x - at.alpha * end) / torch.where(at.sigma > 1e-9, at.sigma, 1.0)
        return at.alpha_rate * end + at.sigma_rate * source

    for levels, teacher in ((10, exact), (20, exact), (10, None), (20, None)):
        objective = ConsistencyObjective(path, levels, teacher)
        losses = objective.loss(network, gaussian_data(4000, 1), normal(4000, 1, seed=1), None, generator(1))
        found.append(float(2 * torch.expm1(losses).mean()) * objective.scale**2)  # the mean square of a jump
    assert 4.5 < math.log2(found[0] / found[1]) < 7.5
    # Without a teacher it is the variance of pairs, in jumps that shrink as the scale: (change / N)^2.
    assert math.log2(found[2] / found[3]) == pytest.approx(2, abs=0.3) and 0.03 < 400 * found[3] < 3


def test_teachers_of_data_end_their_last_step_with_eulers_method():
    path = LinearPath()
    exact = ExactGaussian(path, MEAN, DEVIATION)
    objective = ConsistencyObjective(path, 2, teacher=GaussianFlow(exact.data, path, "data"))
    assert torch.isfinite(objective.loss(lambda x, t: x, gaussian_data(50, 1), None, None, generator(0))).all()


def test_reflow_makes_straight_pairs_on_which_one_call_is_exact():
    path, start = LinearPath(), normal(50, 2)
    pair = reflow_pairs(ExactGaussian(TrigonometricPath(), MEAN, DEVIATION), start, 200, Heun())
    torch.testing.assert_close(pair.data, transported(start, path), rtol=0, atol=1e-3)
    straight = transported(start, path)
    losses = PathObjective(path).loss(exact_function(path), straight, start, None, generator(0))
    assert float(losses.max()) < 1e-20
    flow = PathObjective(path).flow(exact_function(path))
    torch.testing.assert_close(sample(flow, start, 1, Euler()), straight)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: PathObjective(LinearPath(), "eps"), "the prediction is 'eps'"),
        (lambda: PathObjective(LinearPath(), residual="mse"), "the residual is 'mse'"),
        (lambda: PathObjective(LinearPath(), times="beta"), "the law of the times is 'beta'"),
        (lambda: PathObjective(LinearPath(), scale=0.0), r"the scale of the residual is 0\.0"),
        (lambda: PathObjective(CosinePath(), "noise"), "the prediction is 'noise' on CosinePath"),
        (lambda: EnergyScoreObjective(LinearPath(), members=1), "the number of members is 1"),
        (lambda: EnergyScoreObjective(LinearPath(), fairness=1.1), r"the fairness of the score is 1\.1"),
        (lambda: EnergyScoreObjective(LinearPath(), distance="l2"), "the distance is 'l2'"),
        (lambda: MeanFlowObjective(CosinePath()), "the path of mean velocities is CosinePath, whose clock is an angle"),
        (lambda: MeanFlowObjective(LinearPath(), share=2.0), r"the share of items with two times is 2\.0"),
        (lambda: ConsistencyObjective(LinearPath(), levels=1), "the number of levels is 1"),
        (
            lambda: ConsistencyObjective(LinearPath(), teacher=ExactGaussian(TrigonometricPath())),
            r"the path of the teacher is TrigonometricPath\(\), expected LinearPath\(\)",
        ),
        (
            lambda: PathObjective(LinearPath()).loss(lambda x, t: x, normal(2, 3), normal(2, 4), None, generator(0)),
            r"the shape of the source is \(2, 4\), expected \(2, 3\)",
        ),
        (
            lambda: EnergyScoreObjective(LinearPath()).loss(
                lambda x, t: x, normal(2, 3), normal(2, 3), None, generator(0)
            ),
            r"the shape of the source is \(2, 3\), expected \(2, 2, 3\)",
        ),
    ],
)
def test_arguments_that_make_no_objective_are_refused(make, sentence):
    with pytest.raises(InputError, match=sentence):
        make()


def objectives(path):
    return PathObjective(path), EnergyScoreObjective(path), MeanFlowObjective(path), ConsistencyObjective(path)


@pytest.mark.parametrize("objective", objectives(Interpolant(LinearPath(), 0.5)), ids=repr)
def test_noise_does_not_stand_for_guesses_of_the_data(objective):
    def network(x, t, until=None):
        return x

    data = normal(4, 3)
    objective.loss(network, data, objective.draw(torch.zeros_like(data), generator(0)), None, generator(1))
    with pytest.raises(InputError, match="source is None on Interpolant, which starts from guesses of the data"):
        objective.loss(network, data, None, None, generator(1))


@pytest.mark.parametrize("objective", objectives(LinearPath()), ids=repr)
def test_outputs_of_networks_are_not_broadcast_in_losses_and_samples(objective):
    def network(x, t, until=None):
        return x[:, 0]  # (4,) beside (4, 1) would be (4, 4)

    data = normal(4, 1)
    with pytest.raises(InputError, match=r"the shape of the output of the network is \(4,\), expected \(4, 1\)"):
        objective.loss(network, data, None, None, generator(0))
    with pytest.raises(InputError, match="the shape of the output of the network"):
        sample(objective.flow(network), data, 1, Euler())
