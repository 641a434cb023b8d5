"""Graph Laplacians: laws of resistor networks, exact derivatives, conservation, and honest errors at any contrast."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sciml.errors import InputError, SingularSystemError
from sciml.linalg.graph_laplacian import GraphLaplacian
from sciml.linalg.graph_methods import GRAPH_METHODS

METHODS = sorted(set(GRAPH_METHODS))


def tensor(values) -> torch.Tensor:
    return torch.as_tensor(values, dtype=torch.float64)


def random_graph(seed: int, nodes: int = 30, density: float = 0.1) -> GraphLaplacian:
    """A connected random graph whose nodes 0 and n - 1 are pinned."""
    rng = np.random.default_rng(seed)
    adjacent = np.triu(rng.random((nodes, nodes)) < density, 1)
    adjacent[np.arange(nodes - 1), np.arange(1, nodes)] = True
    pinned = np.zeros(nodes, bool)
    pinned[[0, -1]] = True
    return GraphLaplacian(np.argwhere(adjacent), nodes, pinned)


def random_arguments(graph: GraphLaplacian, seed: int, heads: int | None = None, decades: float = 2.0):
    """Conductances over some decades, values, sinks and sources."""
    rng = np.random.default_rng(seed)
    last = () if heads is None else (heads,)
    nodes = (graph.nodes, *last)
    w = 10.0 ** rng.uniform(-decades / 2, decades / 2, (len(graph.edges), *last))
    return tensor(w), tensor(rng.random(nodes)), tensor(rng.random(nodes)), tensor(rng.standard_normal(nodes))


def dense_solution(graph: GraphLaplacian, w, values, sink, source) -> torch.Tensor:
    """The solution by `torch.linalg.solve` of the matrix with unit rows at the pinned nodes, differentiable."""
    i, j = torch.from_numpy(graph.edges).unbind(1)
    pinned = torch.from_numpy(graph.pinned)
    n = graph.nodes
    couplings = torch.zeros(n, n, dtype=torch.float64).index_put((i, j), w).index_put((j, i), w)
    matrix = torch.diag(couplings.sum(1) + sink) - couplings
    matrix = torch.where(pinned[:, None], torch.eye(n, dtype=torch.float64), matrix)
    return torch.linalg.solve(matrix, torch.where(pinned, values, source))


def flow(edges, conductance, nodes=None, ends=(0, -1), method="auto") -> float:
    """Return the flow from the first end, at 1, to the second, at 0."""
    nodes = int(np.max(edges)) + 1 if nodes is None else nodes
    pinned, values = np.zeros(nodes, bool), torch.zeros(nodes, dtype=torch.float64)
    pinned[list(ends)] = True
    values[ends[0]] = 1.0
    graph = GraphLaplacian(edges, nodes, pinned)
    x, _ = graph.solve(tensor(conductance), values, method=method)
    start = ends[0] % nodes
    out = [
        w * (x[start] - x[b if a == start else a])
        for (a, b), w in zip(edges, conductance, strict=True)
        if start in (a, b)
    ]
    return float(sum(out))


# ------------------------------------------------------------------------------------------------ laws of resistors


@pytest.mark.parametrize("method", METHODS)
def test_conductances_in_series_add_up_as_resistances(method):
    w = [1.0, 2.0, 5.0]
    assert flow([[0, 1], [1, 2], [2, 3]], w, method=method) == pytest.approx(1 / sum(1 / each for each in w), rel=1e-13)


@pytest.mark.parametrize("method", METHODS)
def test_conductances_in_parallel_add_up(method):
    # Two paths of two edges each from 0 to 3, and one edge.
    w = [1.0, 2.0, 3.0, 6.0, 4.0]
    expected = 2 / 3 + 18 / 9 + 4.0
    assert flow([[0, 1], [1, 3], [0, 2], [2, 3], [0, 3]], w, method=method) == pytest.approx(expected, rel=1e-13)


def test_the_bridge_of_a_balanced_wheatstone_network_carries_nothing():
    edges, pinned = [[0, 1], [0, 2], [1, 3], [2, 3], [1, 2]], [True, False, False, True]
    w = tensor([1.0, 2.0, 3.0, 6.0, 7.0])
    x, _ = GraphLaplacian(edges, 4, pinned).solve(w, tensor([1.0, 0.0, 0.0, 0.0]))
    assert abs(x[1] - x[2]) < 1e-15 and x[1] == pytest.approx(0.25)
    x, _ = GraphLaplacian(edges, 4, pinned).solve(tensor([1.0, 2.0, 3.0, 1.0, 7.0]), tensor([1.0, 0.0, 0.0, 0.0]))
    assert abs(x[1] - x[2]) > 1e-3


@pytest.mark.parametrize("method", METHODS)
def test_a_path_of_equal_conductances_has_a_linear_solution(method):
    n = 50
    edges = np.stack([np.arange(n - 1), np.arange(1, n)], 1)
    pinned = np.isin(np.arange(n), [0, n - 1])
    values = tensor(np.where(np.arange(n) == n - 1, 1.0, 0.0))
    x, _ = GraphLaplacian(edges, n, pinned).solve(torch.full((n - 1,), 3.0, dtype=torch.float64), values, method=method)
    np.testing.assert_allclose(x, np.linspace(0, 1, n), atol=1e-13)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(4))
def test_every_method_agrees_with_a_dense_solve(method, seed):
    graph = random_graph(seed)
    arguments = random_arguments(graph, seed)
    w, values, sink, source = arguments
    x, info = graph.solve(w, values, sink=sink, source=source, method=method)
    np.testing.assert_allclose(x, dense_solution(graph, *arguments), atol=1e-10)
    assert info.error_estimate.shape == (1,) and info.error_estimate[0] <= 1e-10


# ------------------------------------------------------------------------------------------------------ derivatives


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("heads", [None, 2])
def test_derivatives_in_all_arguments_are_exact_in_both_modes(method, heads):
    graph = random_graph(0, nodes=5, density=0.3)
    arguments = [each.requires_grad_() for each in random_arguments(graph, 1, heads)]

    def solution(w, values, sink, source):
        return graph.solve(w, values, sink=sink, source=source, method=method, rtol=1e-12)[0]

    assert torch.autograd.gradcheck(solution, arguments, check_forward_ad=True)


def test_second_derivatives_are_refused():
    graph = random_graph(0, nodes=8)
    w, values, *_ = random_arguments(graph, 1)
    x, _ = graph.solve(w.requires_grad_(), values)
    (gradient,) = torch.autograd.grad((x**2).sum(), w, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


# ---------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("edges", "graph", "sentence"),
    [
        ([[0, 1], [1, 2], [1, 0]], None, r"edges 0 and 2 both join the nodes 0 and 1, expected each pair once"),
        ([[0, 1], [2, 2]], None, r"edge 1 joins node 2 to itself, expected two nodes; remove it\."),
        ([[0, 1], [1, 3]], None, r"edges"),
        ([[0, 1], [1, 2]], [0, 0, 1], r"edge 1 joins node 1 of graph 0 and node 2 of graph 1, expected both in one"),
        ([[0, 1, 2]], None, r"edges has shape \(1, 3\), expected \(number of edges, 2\)"),
        ([[0, 1], [1, 2]], [0, 0], r"graph has shape \(2,\), expected \(3,\)"),
    ],
)
def test_structures_that_are_no_graph_are_refused_in_a_sentence(edges, graph, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        GraphLaplacian(edges, 3, [True, False, False], graph)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("wrong", [0.0, -1.0, float("nan"), float("inf")])
def test_a_conductance_that_is_not_positive_is_named_with_its_edge(wrong):
    graph = GraphLaplacian([[0, 1], [1, 2]], 3, [True, False, False])
    with pytest.raises(InputError, match=rf"conductance is {wrong:g} on edge 1 between the nodes 1 and 2, expected"):
        graph.solve(tensor([1.0, wrong]), torch.zeros(3, dtype=torch.float64))


def test_a_component_that_nothing_holds_is_named_with_its_size():
    graph = GraphLaplacian([[0, 1], [2, 3], [3, 4]], 6, [True, False, False, False, False, True])
    w, values = torch.ones(3, dtype=torch.float64), torch.zeros(6, dtype=torch.float64)
    with pytest.raises(
        SingularSystemError, match=r"the component that contains node 2 \(size 3\) has neither a pinned"
    ):
        graph.solve(w, values)
    sink = tensor([0.0, 0.0, 0.0, 0.5, 0.0, 0.0])
    x, _ = graph.solve(w, values, sink=sink, source=torch.ones(6, dtype=torch.float64))
    assert x[3] == pytest.approx(3 / 0.5)  # all that flows in leaves through the one sink
