"""Optimal values on graphs, against value iteration, exhaustion of all policies, and dense linear algebra."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sciml.errors import InputError
from sciml.reference.value_iteration import DecisionGraph, join, random_decision_graph


def any_graph(seed: int, discount: float = 0.9) -> DecisionGraph:
    """Return a small graph with loops, parallel edges and terminal states."""
    random = np.random.default_rng(seed)
    states, edges = int(random.integers(1, 6)), int(random.integers(0, 9))
    return DecisionGraph(states, random.integers(0, states, (2, edges)), random.uniform(-1, 1, edges), discount)


def policies(graph: DecisionGraph):
    """Yield every policy of a graph."""
    choices = [np.flatnonzero(graph.edges[1] == state) for state in range(graph.states)]
    yield from map(np.array, itertools.product(*(each if len(each) else [-1] for each in choices)))


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.3, 0.9, 0.999]))
def test_the_optimum_is_the_best_of_all_policies(seed: int, discount: float) -> None:
    graph = any_graph(seed, discount)
    best = np.max([graph.policy_values(policy) for policy in policies(graph)], axis=0)
    found = graph.optimum()
    np.testing.assert_allclose(found.values, best, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(graph.policy_values(found.policy), best, rtol=1e-12, atol=1e-12)
    assert found.residual <= 1e-12 * max(1.0, np.abs(best).max())


@given(st.integers(0, 10_000))
def test_the_values_of_a_policy_solve_its_linear_system(seed: int) -> None:
    graph = any_graph(seed, 0.97)
    policy = next(policies(graph))
    matrix, rewards = np.eye(graph.states), np.zeros(graph.states)
    for state, edge in enumerate(policy):
        if edge >= 0:
            matrix[state, graph.edges[0, edge]] -= 0.97
            rewards[state] = graph.rewards[edge]
    np.testing.assert_allclose(graph.policy_values(policy), np.linalg.solve(matrix, rewards), rtol=1e-11, atol=1e-12)


def test_policy_iteration_agrees_with_value_iteration_on_large_graphs() -> None:
    graph = random_decision_graph(300, 12, np.random.default_rng(0))
    values = np.zeros(300)
    for _ in range(400):  # 0.9^400 = 5e-19
        values = graph.best(graph.edge_values(values))[0]
    found = graph.optimum()
    np.testing.assert_allclose(found.values, values, atol=1e-12)
    assert graph.residual(found.values) <= 1e-12
    assert found.rounds <= 12


def test_the_error_is_at_most_the_residual_over_one_minus_the_discount() -> None:
    random = np.random.default_rng(3)
    graph = random_decision_graph(40, 5, random)
    exact = graph.optimum().values
    for size in (1e-6, 1e-2, 1.0):
        near = exact + size * random.uniform(-1, 1, 40)
        assert np.abs(near - exact).max() <= graph.residual(near) / 0.1 * (1 + 1e-9)


def test_values_flow_along_the_edges_and_not_against_them() -> None:
    graph = DecisionGraph(3, [[0, 0, 1], [0, 1, 2]], [1.0, 0.0, 0.0], 0.5)  # 0 -> 0 -> 1 -> 2
    np.testing.assert_allclose(graph.optimum().values, [2.0, 1.0, 0.5])
    backwards = DecisionGraph(3, [[0, 1, 2], [0, 0, 1]], [1.0, 0.0, 0.0], 0.5)
    np.testing.assert_allclose(backwards.optimum().values, [2.0, 0.0, 0.0])  # 2 is terminal


def test_a_constant_added_to_all_rewards_shifts_all_values() -> None:
    graph = random_decision_graph(30, 4, np.random.default_rng(1))
    shifted = DecisionGraph(30, graph.edges, graph.rewards + 3.0, graph.discount)
    np.testing.assert_allclose(shifted.optimum().values, graph.optimum().values + 3.0 / 0.1, rtol=1e-12)
    np.testing.assert_array_equal(shifted.optimum().policy, graph.optimum().policy)


def test_a_union_has_the_values_of_its_parts() -> None:
    random = np.random.default_rng(2)
    graphs = [random_decision_graph(int(n), 3, random) for n in (5, 9, 40)]
    together = join(graphs).optimum().values
    np.testing.assert_array_equal(together, np.concatenate([graph.optimum().values for graph in graphs]))


def test_numbering_the_states_differently_renumbers_the_values() -> None:
    random = np.random.default_rng(4)
    graph = random_decision_graph(25, 4, random)
    order = random.permutation(25)
    renumbered = DecisionGraph(25, order[graph.edges], graph.rewards, graph.discount)
    np.testing.assert_allclose(renumbered.optimum().values[order], graph.optimum().values, rtol=1e-13)


def test_neighbours_are_distinct_others_and_all_sets_are_equally_likely() -> None:
    random = np.random.default_rng(5)
    counts: dict[tuple[int, ...], int] = {}
    for _ in range(2000):
        graph = random_decision_graph(5, 2, random)
        neighbours = graph.edges[0].reshape(5, 2)
        np.testing.assert_array_equal(graph.edges[1].reshape(5, 2)[:, 0], np.arange(5))
        assert (neighbours != np.arange(5)[:, None]).all() and (neighbours[:, 0] != neighbours[:, 1]).all()
        key = tuple(sorted(neighbours[2].tolist()))
        counts[key] = counts.get(key, 0) + 1
    assert sorted(counts) == [(0, 1), (0, 3), (0, 4), (1, 3), (1, 4), (3, 4)]
    assert max(abs(count - 2000 / 6) for count in counts.values()) < 4 * np.sqrt(2000 / 6)


def test_accuracy_of_a_policy_counts_states_that_choose_the_same_edge() -> None:
    graph = DecisionGraph(3, [[0, 1, 0, 1, 0], [0, 0, 1, 1, 2]], [0.0, 0.0, 0.0, 0.0, 0.0])
    assert graph.policy_accuracy(np.array([1.0, 0.0, 0.0]), np.array([2.0, 1.0, 5.0])) == 1.0
    assert graph.policy_accuracy(np.array([0.0, 1.0, 0.0]), np.array([2.0, 1.0, 5.0])) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: DecisionGraph(2, [[0], [2]], [1.0]), "a value of the edges is 2"),
        (lambda: DecisionGraph(2, [[0], [1]], [1.0, 2.0]), "the shape of the rewards"),
        (lambda: DecisionGraph(2, [[0], [1]], [1.0], 1.0), "the discount is 1.0"),
        (lambda: DecisionGraph(2, [[0], [1]], [float("nan")]), "not finite"),
        (lambda: random_decision_graph(5, 5, np.random.default_rng(0)), "the number of states is 5"),
        (lambda: join([any_graph(0, 0.5), any_graph(0, 0.6)]), "the discounts of the graphs"),
    ],
)
def test_what_is_no_decision_graph_is_refused_in_one_sentence(make, words: str) -> None:
    with pytest.raises(InputError, match=words):
        make()
