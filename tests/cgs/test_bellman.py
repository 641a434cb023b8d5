"""Bellman's equation as a layer: Banach's bound, exact values, exact derivatives, directions of edges."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sciml.cgs.bellman import Decisions, bellman_values
from sciml.errors import DivergenceError, InputError
from sciml.numerics.random import generator
from sciml.reference.value_iteration import join, random_decision_graph


def draw(seed: int, heads: int = 2) -> tuple[Tensor, Tensor, Tensor, int]:
    """Return edges, rewards, discounts and the number of nodes of a small graph with loops and parallel edges."""
    random = generator(seed)
    nodes, edges = (int(torch.randint(1, n, (), generator=random)) for n in (9, 25))
    edge_index = torch.randint(nodes, (2, edges), generator=random)
    rewards = torch.randn(edges, heads, generator=random, dtype=torch.float64)
    return edge_index, rewards, 0.95 * torch.rand(edges, heads, generator=random, dtype=torch.float64), nodes


@given(st.integers(0, 10_000))
def test_value_iteration_approaches_the_values_as_banach_says(seed: int) -> None:
    edge_index, rewards, discounts, nodes = draw(seed)
    exact, report = bellman_values(edge_index, rewards, discounts, nodes)
    decisions = Decisions(edge_index, nodes)
    values = torch.zeros_like(exact)
    factor, first = float(discounts.max()), None
    for k in range(1, 40):
        values, before = decisions.update(values, rewards, discounts), values
        first = float((values - before).abs().max()) if first is None else first
        assert float((values - exact).abs().max()) <= factor**k / (1 - factor) * first + 1e-12
    assert report.residual <= 1e-12 and report.error_bound <= 1e-11


@given(st.integers(0, 10_000))
def test_two_sets_of_values_come_nearer_by_the_largest_discount_at_least(seed: int) -> None:
    edge_index, rewards, discounts, nodes = draw(seed)
    decisions = Decisions(edge_index, nodes)
    one, other = torch.randn(2, nodes, 2, dtype=torch.float64)
    change = decisions.update(one, rewards, discounts) - decisions.update(other, rewards, discounts)
    assert float(change.abs().max()) <= float(discounts.max()) * float((one - other).abs().max()) + 1e-14


def test_true_rewards_and_discount_give_the_values_of_policy_iteration() -> None:
    random = np.random.default_rng(0)
    graph = join([random_decision_graph(n, 7, random) for n in (20, 35, 200)])
    rewards = torch.tensor(graph.rewards[:, None])
    values, _ = bellman_values(
        torch.tensor(graph.edges), rewards, torch.tensor([0.9], dtype=torch.float64), graph.states
    )
    np.testing.assert_allclose(values[:, 0], graph.optimum().values, rtol=1e-12, atol=1e-12)
    single, _ = bellman_values(torch.tensor(graph.edges), rewards.float(), torch.tensor([0.9]), graph.states)
    assert single.dtype == torch.float32
    np.testing.assert_allclose(single[:, 0], graph.optimum().values, rtol=2e-6)


@pytest.mark.parametrize("seed", range(6))
def test_derivatives_agree_with_differences_in_both_modes(seed: int) -> None:
    edge_index, rewards, discounts, nodes = draw(seed)
    arguments = (rewards.requires_grad_(), discounts.requires_grad_())
    values = lambda *given: bellman_values(edge_index, *given, nodes)[0]  # noqa: E731
    assert torch.autograd.gradcheck(values, arguments, check_forward_ad=True)


def test_the_derivative_in_a_reward_is_how_often_its_edge_is_used_discounted() -> None:
    edge_index = torch.tensor([[0, 0, 1], [0, 1, 2]])  # a loop at 0, then 0 -> 1 -> 2
    rewards = torch.tensor([[1.0], [0.0], [5.0]], dtype=torch.float64, requires_grad=True)
    values, _ = bellman_values(edge_index, rewards, torch.tensor([0.5], dtype=torch.float64), 3)
    torch.testing.assert_close(values.detach()[:, 0], torch.tensor([2.0, 1.0, 5.5], dtype=torch.float64))
    (gradient,) = torch.autograd.grad(values[2, 0], rewards)
    torch.testing.assert_close(gradient[:, 0], torch.tensor([0.5, 0.5, 1.0], dtype=torch.float64))


def test_gradients_go_along_the_edges_of_the_best_policy_alone() -> None:
    random = np.random.default_rng(1)
    graph = random_decision_graph(30, 5, random)
    rewards = torch.tensor(graph.rewards[:, None], requires_grad=True)
    values, _ = bellman_values(torch.tensor(graph.edges), rewards, torch.tensor([0.9], dtype=torch.float64), 30)
    values.sum().backward()
    used = torch.nonzero(rewards.grad[:, 0]).flatten().tolist()
    assert used == sorted(graph.optimum().policy.tolist())
    assert float(rewards.grad.sum()) == pytest.approx(30 / 0.1)  # each path earns 1 + 0.9 + 0.81 + ...


def test_renumbering_the_nodes_and_edges_renumbers_the_values() -> None:
    edge_index, rewards, discounts, nodes = draw(11)
    order, edges = torch.randperm(nodes), torch.randperm(len(rewards))
    values, _ = bellman_values(edge_index, rewards, discounts, nodes)
    renumbered, _ = bellman_values(order[edge_index][:, edges], rewards[edges], discounts[edges], nodes)
    torch.testing.assert_close(renumbered[order], values, rtol=1e-12, atol=1e-12)


def test_a_graph_without_edges_has_the_values_zero() -> None:
    values, report = bellman_values(torch.zeros(2, 0, dtype=torch.long), torch.zeros(0, 3), torch.zeros(3), 4)
    assert values.shape == (4, 3) and not values.any() and report.residual == 0.0


@pytest.mark.parametrize("discount", [1.0, -0.1, float("nan")])
def test_a_discount_that_does_not_contract_is_refused(discount: float) -> None:
    with pytest.raises(InputError, match=r"a discount is .*, expected at least 0 and less than 1"):
        bellman_values(torch.tensor([[0], [0]]), torch.ones(1, 1), torch.tensor([discount]), 1)


@pytest.mark.parametrize("edge", [(-1, 0), (0, -1), (0, 2)])
def test_an_edge_that_leads_out_of_the_graph_is_refused(edge: tuple[int, int]) -> None:
    with pytest.raises(InputError, match=f"edge 0 leads from node {edge[0]} to node {edge[1]}, expected .* 0 to 1"):
        bellman_values(torch.tensor(edge)[:, None], torch.ones(1, 1), torch.tensor([0.5]), 2)


def test_a_reward_that_is_not_finite_ends_as_divergence() -> None:
    with pytest.raises(DivergenceError, match="a reward is not finite"):
        bellman_values(torch.tensor([[0], [0]]), torch.full((1, 1), float("nan")), torch.tensor([0.5]), 1)
