"""Graph Laplacians: laws of resistor networks, exact derivatives, conservation, and sentences about bad input."""

from __future__ import annotations

import networkx
import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sciml.errors import InputError, SingularSystemError
from sciml.linalg.graph_laplacian import GraphLaplacian
from sciml.linalg.graph_methods import GRAPH_METHODS

METHODS = [name for name in GRAPH_METHODS if name != "multigrid"]  # which is for lattices alone


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
    assert info.error_bound.shape == (1,) and info.error_bound[0] <= 1e-10


def test_methods_agree_with_the_laplacian_of_scipy_on_the_free_nodes():
    graph = random_graph(5)
    w, values, sink, _ = random_arguments(graph, 5)
    couplings = sp.coo_array((w, tuple(graph.edges.T)), shape=(graph.nodes,) * 2)
    matrix = sp.csgraph.laplacian(couplings + couplings.T).toarray() + np.diag(sink)
    free = ~graph.pinned
    expected = np.linalg.solve(matrix[np.ix_(free, free)], -matrix[np.ix_(free, ~free)] @ values.numpy()[~free])
    x, _ = graph.solve(w, values, sink=sink)
    np.testing.assert_allclose(x[torch.from_numpy(free)], expected, atol=1e-12)
    np.testing.assert_array_equal(x[torch.from_numpy(~free)], values[torch.from_numpy(~free)])


@pytest.mark.parametrize("seed", range(3))
def test_the_flow_between_two_nodes_is_the_inverse_of_networkx_s_resistance_distance(seed):
    graph = random_graph(seed, nodes=15)
    w = random_arguments(graph, seed)[0].tolist()
    network = networkx.Graph()
    network.add_weighted_edges_from((int(a), int(b), each) for (a, b), each in zip(graph.edges, w, strict=True))
    resistance = networkx.resistance_distance(network, 0, 14, weight="weight", invert_weight=False)
    assert flow(graph.edges.tolist(), w) == pytest.approx(1 / resistance, rel=1e-10)


# ------------------------------------------------------------------------------------------- laws of M-matrices


def net_flow(graph: GraphLaplacian, w, x) -> tuple[np.ndarray, np.ndarray]:
    """Return the sum of the fluxes out of each node, and the sum of their sizes."""
    i, j = graph.edges.T
    flux = w * (x[i] - x[j])
    out, sizes = np.zeros(graph.nodes), np.zeros(graph.nodes)
    for nodes, sign in ((i, 1.0), (j, -1.0)):
        np.add.at(out, nodes, sign * flux)
        np.add.at(sizes, nodes, np.abs(flux))
    return out, sizes


@pytest.mark.parametrize("seed", range(50))
def test_values_lie_between_the_pinned_ones_and_fluxes_add_up_to_zero(seed):
    graph = random_graph(seed, nodes=40)
    w, values, *_ = random_arguments(graph, seed, decades=4.0)
    values[[0, -1]] = tensor([0.0, 1.0])
    x, _ = graph.solve(w, values)
    ends = values[torch.from_numpy(graph.pinned)]
    assert ends.min() - 1e-10 <= x.min() and x.max() <= ends.max() + 1e-10
    out, sizes = net_flow(graph, w.numpy(), x.numpy())
    through = np.abs(out[graph.pinned]).max()
    assert through > 0 and np.abs(out[~graph.pinned]).max() <= 1e-10 * max(through, sizes.max())
    assert out[graph.pinned].sum() == pytest.approx(0, abs=1e-10 * sizes.max())


@pytest.mark.parametrize("method", METHODS)
def test_the_inverse_is_not_negative_and_symmetric(method):
    graph = random_graph(3, nodes=25)
    w, *_ = random_arguments(graph, 3)
    units = torch.eye(25, dtype=torch.float64)
    inverse, _ = graph.solve(w, torch.zeros(25, dtype=torch.float64), source=units, method=method)
    assert inverse.shape == (25, 25) and float(inverse.min()) >= 0 and inverse[1, 1] > 0
    np.testing.assert_allclose(inverse, inverse.T, atol=1e-10 * float(inverse.max()))


def test_a_solution_is_linear_in_values_and_sources_and_does_not_know_the_scale_of_conductances():
    graph = random_graph(4)
    w, values, sink, source = random_arguments(graph, 4)
    x, _ = graph.solve(w, values, sink=sink, source=source)
    by_values, _ = graph.solve(w, values, sink=sink)
    by_source, _ = graph.solve(w, torch.zeros_like(values), sink=sink, source=source)
    np.testing.assert_allclose(x, by_values + by_source, atol=1e-12)
    for factor in (1e-250, 1e-14, 1e200):
        same, _ = graph.solve(factor * w, values, sink=factor * sink, source=factor * source)
        np.testing.assert_allclose(same, x, atol=1e-11)
    mirrored, _ = graph.solve(w, 1 - values)
    np.testing.assert_allclose(mirrored, 1 - graph.solve(w, values)[0], atol=1e-12)


@pytest.mark.parametrize("gamma", [0.5, 0.9])
def test_a_contraction_by_gamma_is_a_laplacian_with_a_sink(gamma):
    # x = gamma A x + b with A = w / sum w: the same as a sink (1 / gamma - 1) sum w and a source sum w b / gamma.
    graph = random_graph(6)
    w, _, _, b = random_arguments(graph, 6)
    couplings = sp.coo_array((w, tuple(graph.edges.T)), shape=(graph.nodes,) * 2).toarray()
    couplings = couplings + couplings.T
    total = couplings.sum(1)
    fixed = np.linalg.solve(np.eye(graph.nodes) - gamma * couplings / total[:, None], b.numpy())
    screened = GraphLaplacian(graph.edges, graph.nodes, np.zeros(graph.nodes, bool))
    sink = tensor((1 / gamma - 1) * total)
    x, _ = screened.solve(w, torch.zeros(graph.nodes, dtype=torch.float64), sink=sink, source=tensor(total) * b / gamma)
    np.testing.assert_allclose(x, fixed, atol=1e-12)


def test_a_new_numbering_of_nodes_and_edges_renumbers_the_solution():
    graph = random_graph(7)
    w, values, sink, source = random_arguments(graph, 7)
    x, _ = graph.solve(w, values, sink=sink, source=source)
    rng = np.random.default_rng(7)
    nodes, edges = rng.permutation(graph.nodes), rng.permutation(len(graph.edges))
    place = np.argsort(nodes)
    other = GraphLaplacian(place[graph.edges[edges]][:, ::-1], graph.nodes, graph.pinned[nodes])
    y, _ = other.solve(w[edges], values[nodes], sink=sink[nodes], source=source[nodes])
    np.testing.assert_allclose(y, x[nodes], atol=1e-12)


# ------------------------------------------------------------------------------------------------ batches and heads


@pytest.mark.parametrize("method", METHODS)
def test_several_graphs_at_once_are_solved_as_one_by_one(method):
    graphs = [random_graph(seed, nodes=10 + 7 * seed) for seed in range(4)]
    arguments = [random_arguments(graph, seed) for seed, graph in enumerate(graphs)]
    offsets = np.cumsum([0, *(graph.nodes for graph in graphs)])
    batch = GraphLaplacian(
        np.concatenate([graph.edges + offset for graph, offset in zip(graphs, offsets, strict=False)]),
        int(offsets[-1]),
        np.concatenate([graph.pinned for graph in graphs]),
        torch.from_numpy(np.repeat(np.arange(4), [graph.nodes for graph in graphs])),
    )
    w, values, sink, source = (torch.cat(parts) for parts in zip(*arguments, strict=True))
    x, info = batch.solve(w, values, sink=sink, source=source, method=method)
    assert info.error_bound.shape == info.residual.shape == info.rounding.shape == (4,)
    for k, graph in enumerate(graphs):
        alone, _ = graph.solve(arguments[k][0], arguments[k][1], sink=arguments[k][2], source=arguments[k][3])
        np.testing.assert_allclose(x[offsets[k] : offsets[k + 1]], alone, atol=1e-10)


@pytest.mark.parametrize("method", METHODS)
def test_several_heads_are_solved_as_one_by_one_whichever_argument_has_them(method):
    graph = random_graph(8)
    heads = random_arguments(graph, 8, heads=3)
    single = random_arguments(graph, 9)
    for several in (range(4), [0], [1], [2], [3], [0, 3]):
        chosen = [heads[k] if k in several else single[k] for k in range(4)]
        x, _ = graph.solve(chosen[0], chosen[1], sink=chosen[2], source=chosen[3], method=method)
        assert x.shape == (graph.nodes, 3)
        for h in range(3):
            one = [each[:, h] if each.ndim == 2 else each for each in chosen]
            np.testing.assert_allclose(x[:, h], dense_solution(graph, *one), atol=1e-10)


def test_single_precision_goes_in_and_out_and_double_precision_lies_between():
    graph = random_graph(9)
    w, values, *_ = (each.float() for each in random_arguments(graph, 9))
    x, _ = graph.solve(w.requires_grad_(), values)
    assert x.dtype == torch.float32
    x.sum().backward()
    wide = w.detach().double().requires_grad_()
    exact, _ = graph.solve(wide, values.double())
    exact.sum().backward()
    np.testing.assert_allclose(x.detach(), exact.detach(), atol=1e-7)
    np.testing.assert_allclose(w.grad, wide.grad, rtol=1e-6)


# ------------------------------------------------------------------------------------------------------- lattices


def lattice(shape, seed=0) -> tuple[GraphLaplacian, torch.Tensor, torch.Tensor]:
    """A grid of nodes with random conductances, pinned at both ends of the first axis."""
    number = np.arange(np.prod(shape)).reshape(shape)
    pairs = [
        np.stack([np.take(number, range(n - 1), axis).ravel(), np.take(number, range(1, n), axis).ravel()], 1)
        for axis, n in enumerate(shape)
    ]
    rng = np.random.default_rng(seed)
    edges = rng.permutation(np.concatenate(pairs))
    along = np.broadcast_to(np.arange(shape[0]).reshape(-1, *[1] * (len(shape) - 1)), shape).ravel()
    pinned = (along == 0) | (along == shape[0] - 1)
    w = tensor(np.exp(rng.standard_normal(len(edges))))
    return GraphLaplacian(edges, along.size, pinned), w, tensor(np.where(along == 0, 1.0, 0.0))


@pytest.mark.parametrize("shape", [(9, 7), (7, 5, 6)])
def test_geometric_multigrid_solves_lattices_with_sinks_and_sources(shape):
    graph, w, values = lattice(shape)
    assert graph.lattice == shape
    _, _, sink, source = random_arguments(graph, 1)
    x, info = graph.solve(w, values, sink=sink, source=source, method="multigrid")
    np.testing.assert_allclose(x, dense_solution(graph, w, values, sink, source), atol=1e-10)
    assert info.method == "multigrid" and info.iterations > 0


def test_graphs_that_are_no_lattice_are_recognised():
    graph, *_ = lattice((6, 5))
    pinned = graph.pinned
    wrapped = np.concatenate([graph.edges, [[4, 5]]])  # the end of a row and the start of the next one
    diagonal = np.concatenate([graph.edges, [[0, 6]]])
    for edges in (wrapped, diagonal, [[0, 1], [1, 2]], np.zeros((0, 2), int)):
        other = GraphLaplacian(edges, 30, pinned)
        assert other.lattice is None
    with pytest.raises(InputError, match="method='multigrid' needs one graph whose nodes are those of a grid"):
        random_graph(0).solve(*random_arguments(random_graph(0), 0)[:2], method="multigrid")


def test_the_automatic_choice_goes_by_size_and_structure():
    large, w, values = lattice((16, 30, 30))
    _, info = large.solve(w, values, rtol=1e-6)
    assert len(large.edges) > 40_000 and info.method == "multigrid" and info.iterations < 40
    extra = GraphLaplacian(np.concatenate([large.edges, [[0, 14_399]]]), large.nodes, large.pinned)
    x, info = extra.solve(torch.cat([w, w[:1]]), values, rtol=1e-6)
    assert info.method == "amg" and info.iterations < 40
    reference, _ = large.solve(w, values, rtol=1e-9, method="amg")
    np.testing.assert_allclose(x, reference, atol=2e-6)  # the extra edge joins two pinned nodes
    _, info = random_graph(0).solve(*random_arguments(random_graph(0), 0)[:2])
    assert info.method == "direct"


# ------------------------------------------------------------------------------------------------------ derivatives


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("heads", [None, 2])
def test_derivatives_in_all_arguments_are_exact_in_both_modes(method, heads):
    graph = random_graph(0, nodes=5, density=0.3)
    arguments = [each.requires_grad_() for each in random_arguments(graph, 1, heads)]

    def solution(w, values, sink, source):
        return graph.solve(w, values, sink=sink, source=source, method=method, rtol=1e-11)[0]

    assert torch.autograd.gradcheck(solution, arguments, check_forward_ad=True)


def test_second_derivatives_are_refused():
    graph = random_graph(0, nodes=8)
    w, values, *_ = random_arguments(graph, 1)
    x, _ = graph.solve(w.requires_grad_(), values)
    (gradient,) = torch.autograd.grad((x**2).sum(), w, create_graph=True)
    with pytest.raises(InputError, match="second derivative"):
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
        (
            [[0, 1], [1, 2]],
            [10**9] * 3,
            r"no node belongs to graph 0, though one belongs to graph 1000000000, expected",
        ),
        ([[0, 1]], [0, 0, 2], r"no node belongs to graph 1, though one belongs to graph 2, expected numbers without a"),
        ([[0, 1], [1, 2]], [0, 0], r"graph has shape \(2,\), expected \(3,\)"),
    ],
)
def test_structures_that_are_no_graph_are_refused_in_a_sentence(edges, graph, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        GraphLaplacian(edges, 3, [True, False, False], graph)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy])
def test_a_structure_does_not_change_with_the_arrays_it_was_made_of(kind):
    edges, pinned, graph = np.array([[0, 1], [1, 2]]), np.array([True, False, True]), np.zeros(3, int)
    system = GraphLaplacian(kind(edges), 3, kind(pinned), kind(graph))
    edges[1], pinned[1], graph[2] = (0, 2), True, 5
    w = tensor([1.0, 3.0]).requires_grad_()
    x, _ = system.solve(w, tensor([0.0, 0.0, 1.0]))
    np.testing.assert_allclose(x.detach(), [0.0, 0.75, 1.0])
    np.testing.assert_allclose(torch.autograd.grad(x[1], w)[0], [-3 / 16, 1 / 16])


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


def test_values_that_do_not_count_may_be_anything_and_have_no_derivative():
    graph = GraphLaplacian([[0, 1], [1, 2]], 3, [True, False, True])
    nan = float("nan")
    w, values = tensor([1.0, 3.0]).requires_grad_(), tensor([0.0, nan, 1.0]).requires_grad_()
    sink, source = tensor([nan, 0.0, -1.0]).requires_grad_(), tensor([nan, 0.0, nan]).requires_grad_()
    x, _ = graph.solve(w, values, sink=sink, source=source)
    np.testing.assert_allclose(x.detach(), [0.0, 0.75, 1.0])
    x[1].backward()
    np.testing.assert_allclose(values.grad, [0.25, 0.0, 0.75])
    assert sink.grad[0] == sink.grad[2] == source.grad[0] == 0 and bool(torch.isfinite(w.grad).all())
    for name, wrong, sentence in (
        ("values", [nan, 0.0, 1.0], r"values is nan at node 0, expected a finite number\."),
        ("source", [0.0, nan, 0.0], r"source is nan at node 1, expected a finite number\."),
        ("sink", [0.0, -1.0, 0.0], r"sink is -1 at node 1, expected a finite number >= 0\."),
    ):
        arguments = {"values": torch.zeros(3, dtype=torch.float64)} | {name: tensor(wrong)}
        with pytest.raises(InputError, match=sentence):
            graph.solve(w, **arguments)


def test_shapes_and_types_of_arguments_are_checked():
    graph = GraphLaplacian([[0, 1], [1, 2]], 3, [True, False, True])
    w, values = torch.ones(2), torch.zeros(3)
    for arguments, sentence in (
        ({"conductance": torch.ones(3)}, r"conductance has shape \(3,\), expected \(2,\) or \(2, heads\)\."),
        ({"values": torch.zeros(3, 2), "sink": torch.ones(3, 4)}, r"the numbers of heads differ .*values 2, sink 4"),
        ({"values": np.zeros(3)}, r"values must be a dense floating-point torch\.Tensor, got ndarray\."),
        ({"values": torch.zeros(3, dtype=torch.long)}, r"got shape \(3,\), torch\.int64, on cpu\."),
        ({"rtol": 0.0}, r"rtol is 0"),
        ({"method": "amgg"}, r"did you mean 'amg'\?"),
    ):
        with pytest.raises(InputError, match=sentence):
            graph.solve(**({"conductance": w, "values": values} | arguments))


@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_any_graph_is_solved_or_refused_in_a_sentence(data):
    nodes = data.draw(st.integers(1, 12))
    edges = data.draw(st.lists(st.tuples(*2 * [st.integers(0, nodes - 1)]), max_size=20))
    pinned = np.array(data.draw(st.lists(st.booleans(), min_size=nodes, max_size=nodes)))
    w = data.draw(st.lists(st.floats(1e-6, 1e6), min_size=len(edges), max_size=len(edges)))
    sink = tensor(data.draw(st.lists(st.sampled_from([0.0, 0.0, 1e-3, 1.0]), min_size=nodes, max_size=nodes)))
    method = data.draw(st.sampled_from(METHODS))
    values = tensor(np.linspace(-1, 1, nodes))
    try:
        graph = GraphLaplacian(np.array(edges).reshape(-1, 2), nodes, pinned)
        x, _ = graph.solve(tensor(w), values, sink=sink, source=values, method=method)
    except SingularSystemError:
        return
    except InputError:
        assert any(a == b for a, b in edges) or len({frozenset(edge) for edge in edges}) < len(edges)
        return
    expected = dense_solution(graph, tensor(w), values, sink, values)
    np.testing.assert_allclose(x, expected, atol=1e-8 * max(1.0, float(expected.abs().max())))


def test_a_system_and_its_report_print_as_tables():
    system = GraphLaplacian([[0, 1], [1, 2]], nodes=3, pinned=[True, False, True])
    _, info = system.solve(torch.tensor([1.0, 3.0]), torch.tensor([0.0, 0.0, 1.0]))
    for each, rows in ((system, {"nodes": "3", "edges": "2"}), (info, {"method": "direct", "graphs": "1"})):
        table = dict(line.rsplit(maxsplit=1) for line in repr(each).splitlines()[1:])
        assert rows.items() <= {name.strip(): value for name, value in table.items()}.items()
