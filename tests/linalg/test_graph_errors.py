"""Errors of solutions on graphs stay below their bounds at any contrast, or the solve is refused."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sciml.errors import DivergenceError
from sciml.linalg.graph_laplacian import GraphLaplacian
from tests.linalg.test_graph_laplacian import METHODS, random_arguments, random_graph, tensor


def random_tree(seed: int, nodes: int, decades: float) -> tuple[np.ndarray, np.ndarray]:
    """Edges of a chain with branches, and conductances over some decades."""
    rng = np.random.default_rng(seed)
    edges = np.array([(i, int(rng.integers(max(0, i - 3), i))) for i in range(1, nodes)])
    return edges, 10.0 ** rng.uniform(-decades, 0, nodes - 1)


def pinned_at_ends(edges: np.ndarray, nodes: int) -> GraphLaplacian:
    return GraphLaplacian(edges, nodes, np.isin(np.arange(nodes), [0, nodes - 1]))


def at_last(nodes: int) -> torch.Tensor:
    return tensor(np.eye(nodes)[-1])


def exact_solution(graph: GraphLaplacian, w, values, source) -> list[Fraction]:
    """The solution in rational numbers, by elimination."""
    n = graph.nodes
    rows = [[Fraction(0)] * (n + 1) for _ in range(n)]
    for (a, b), each in zip(graph.edges.tolist(), map(Fraction, w), strict=True):
        for i, j in ((a, b), (b, a)):
            rows[i][i] += each
            rows[i][j] -= each
    for i in range(n):
        rows[i][n] = Fraction(source[i])
        if graph.pinned[i]:
            rows[i] = [Fraction(int(j == i)) for j in range(n)] + [Fraction(values[i])]
    for k in range(n):
        rows[k] = [entry / rows[k][k] for entry in rows[k]]
        for i in range(n):
            if i != k and rows[i][k]:
                factor = rows[i][k]
                rows[i] = [mine - factor * other for mine, other in zip(rows[i], rows[k], strict=True)]
    return [row[n] for row in rows]


def relative_error(found: torch.Tensor, exact: list[Fraction]) -> float:
    largest = max(abs(each) for each in exact)
    return float(max(abs(Fraction(a) - b) for a, b in zip(found.tolist(), exact, strict=True)) / largest)


@given(
    seed=st.integers(0, 2**32 - 1),
    nodes=st.integers(3, 24),
    decades=st.sampled_from([0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 15.0]),
    rtol=st.sampled_from([1e-2, 1e-4, 1e-8, 1e-10]),
    method=st.sampled_from(METHODS),
)
@settings(max_examples=60, deadline=None)
def test_solutions_and_adjoints_on_trees_are_right_to_rtol_in_rational_arithmetic_or_refused(
    seed, nodes, decades, rtol, method
):
    edges, w = random_tree(seed, nodes, decades)
    graph = pinned_at_ends(edges, nodes)
    values, zero = at_last(nodes), [0.0] * nodes
    source = torch.zeros(nodes, dtype=torch.float64, requires_grad=True)
    weights = np.random.default_rng(seed).standard_normal(nodes)
    try:
        x, info = graph.solve(tensor(w), values, source=source, rtol=rtol, method=method)
        (x * tensor(weights)).sum().backward()
    except DivergenceError:
        assert decades > 4 and (method in {"cg", "amg"} or decades > 6)
        return
    exact = exact_solution(graph, w.tolist(), values.tolist(), zero)
    assert relative_error(x.detach(), exact) <= 1.01 * info.error_bound[0] <= 1.01 * rtol
    if nodes > 3:
        adjoint = exact_solution(graph, w.tolist(), zero, weights.tolist())
        assert relative_error(source.grad, adjoint) <= 1.01 * rtol


@pytest.mark.parametrize(("method", "seed", "nodes"), [("amg", 2, 2500), ("cg", 0, 150), ("cg", 1, 150)])
def test_a_plateau_of_conjugate_gradients_is_no_solution(method, seed, nodes):
    edges, w = random_tree(seed, nodes, 8.0)
    graph = pinned_at_ends(edges, nodes)
    exact, _ = graph.solve(tensor(w), at_last(nodes), method="direct", rtol=1e-9)
    try:
        x, info = graph.solve(tensor(w), at_last(nodes), method=method, rtol=1e-4)
    except DivergenceError as refused:
        assert "no bound on the errors could be proven" in str(refused)  # noqa: PT017
        return
    assert float((x - exact).abs().max()) <= info.error_bound[0] <= 1e-4


@pytest.mark.parametrize("seed", range(10))
def test_heads_that_have_converged_neither_iterate_on_nor_are_refused(seed):
    rng = np.random.default_rng(seed)
    graph = GraphLaplacian([(1, 0), (2, 0), (3, 2)], 4, [True, False, False, True])
    w, values = tensor(rng.uniform(0.1, 2, (3, 3))), tensor(rng.random(4))
    x, info = graph.solve(w, values, method="cg")
    assert info.iterations <= 6
    np.testing.assert_allclose(x, graph.solve(w, values, method="dense")[0], atol=1e-10)


@pytest.mark.parametrize("method", METHODS)
def test_graphs_and_heads_of_any_scales_stand_side_by_side(method):
    graph = GraphLaplacian([[0, 1], [1, 2], [3, 4], [4, 5]], 6, [True, False, True] * 2, np.repeat([0, 1], 3))
    values = tensor([0.0, 0.0, 1.0] * 2)
    w = tensor([[1e200, 1e-200], [1e200, 3e-200], [1e-200, 1e100], [3e-200, 1e100]])
    x, _ = graph.solve(w.requires_grad_(), values, method=method)
    np.testing.assert_allclose(x.detach()[[1, 4]], [[0.5, 0.75], [0.75, 0.5]], atol=1e-10)
    (gradient,) = torch.autograd.grad(x[1, 0] + x[4, 0], w)  # of w2 / (w1 + w2): w1 / (w1 + w2)^2 in w2
    np.testing.assert_allclose(gradient[:, 0] * w.detach()[:, 0], [-0.25, 0.25, -3 / 16, 3 / 16], atol=1e-9)
    large, _ = graph.solve(tensor([1.0] * 4), values, source=tensor([0, 1e200, 0, 0, 1e-200, 0]), method=method)
    assert large[1] == pytest.approx(5e199) and large[4] == pytest.approx(0.5)


@pytest.mark.parametrize("decades", [20, 40])
@pytest.mark.parametrize("method", METHODS)
def test_contrasts_beyond_double_precision_are_solved_or_refused_in_a_sentence(method, decades):
    for seed in range(3):
        edges, w = random_tree(seed, 40, decades)
        graph = pinned_at_ends(edges, 40)
        try:
            x, _ = graph.solve(tensor(w), at_last(40), method=method, rtol=1e-3)
        except DivergenceError as refused:
            assert str(refused).endswith(".") and "singular at" not in str(refused)  # noqa: PT017
        else:
            exact = exact_solution(graph, w.tolist(), at_last(40).tolist(), [0.0] * 40)
            assert relative_error(x, exact) <= 1e-3


def chain_of_clusters(contrast: float) -> tuple[GraphLaplacian, torch.Tensor, np.ndarray]:
    """Pairs of nodes joined by strong edges, one after the other along weak ones; the exact solution is linear."""
    n = 40
    edges = np.stack([np.arange(n - 1), np.arange(1, n)], 1)
    w = np.where(np.arange(n - 1) % 2 == 1, contrast, 1.0)
    level = np.concatenate([[0.0], np.cumsum(1 / w)])
    return GraphLaplacian(edges, n, np.isin(np.arange(n), [0, n - 1])), tensor(w), level / level[-1]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("contrast", [1e8, 1e12, 1e15])
def test_the_bound_holds_at_any_contrast_or_the_solve_is_refused(method, contrast):
    graph, w, exact = chain_of_clusters(contrast)
    values = tensor(np.where(np.arange(graph.nodes) == graph.nodes - 1, 1.0, 0.0))
    try:
        x, info = graph.solve(w, values, method=method, rtol=1e-9)
    except DivergenceError:
        return
    error = np.abs(x.numpy() - exact).max()
    assert error <= info.error_bound[0] <= 1e-9 and info.rounding[0] <= 1e-11


@pytest.mark.parametrize("method", ["amg", "cg", "direct", "dense"])
@pytest.mark.parametrize("rtol", [1e-3, 1e-6, 1e-10])
def test_the_error_stays_below_the_tolerance_where_the_residual_would_not_tell(method, rtol):
    graph = random_graph(10, nodes=200, density=0.01)
    w, values, *_ = random_arguments(graph, 10, decades=8.0)
    exact, _ = graph.solve(w, values, method="direct", rtol=1e-12)
    x, info = graph.solve(w, values, method=method, rtol=rtol)
    assert float((x - exact).abs().max()) <= info.error_bound[0] + 1e-12 and info.error_bound[0] <= rtol


def test_a_tolerance_below_rounding_is_refused_with_what_rounding_allows():
    graph = random_graph(0)
    w, values, *_ = random_arguments(graph, 0)
    with pytest.raises(DivergenceError, match=r"with these conductances rounding alone makes \S+; raise rtol above it"):
        graph.solve(w, values, rtol=1e-17)
