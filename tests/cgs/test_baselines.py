"""Baselines: symmetry of the nodes, directions of edges, and what each of them promises."""

from __future__ import annotations

from inspect import signature

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch_geometric.data import Batch, Data

from sciml.cgs.baselines import (
    AttentionNetwork,
    GraphNetwork,
    ImplicitGraphNetwork,
    StackedNetwork,
    SteadyStateEmbedding,
    TagHistogram,
)
from sciml.cgs.baselines.ignn import project_rows
from sciml.cgs.bellman_model import BellmanGraphSolver, BellmanHead
from sciml.cgs.conductances import ConduitConductances
from sciml.cgs.model import ConvergentGraphSolver
from sciml.errors import DivergenceError, InputError
from sciml.numerics.random import generator, seeded

NETWORKS = (AttentionNetwork, ImplicitGraphNetwork, StackedNetwork, SteadyStateEmbedding)


def draw(seed: int, nodes: int = 9, edges: int = 30) -> Data:
    """Return a random directed graph with 3 features of a node and 2 of an edge."""
    random = generator(seed)
    return Data(
        x=torch.randn(nodes, 3, generator=random, dtype=torch.float64),
        edge_index=torch.randint(nodes, (2, edges), generator=random),
        edge_attr=torch.randn(edges, 2, generator=random, dtype=torch.float64),
    )


def build(network: type[GraphNetwork], **options: object) -> GraphNetwork:
    tight = {"rtol": 1e-13, "most_iterations": 1000} if network is ImplicitGraphNetwork else {}
    with seeded(0):
        return network(3, 2, 2, width=8, **{**tight, **options}).double().eval()


def values(network: GraphNetwork, *graphs: Data) -> Tensor:
    with torch.no_grad():
        return network(Batch.from_data_list(list(graphs))).values


@pytest.mark.parametrize("network", NETWORKS)
def test_renumbering_the_nodes_renumbers_the_outputs_and_leaves_those_of_the_graph(network: type[GraphNetwork]) -> None:
    graph = draw(1)
    order = torch.randperm(9)
    renumbered = Data(
        x=graph.x[torch.argsort(order)], edge_index=order[graph.edge_index], edge_attr=graph.edge_attr, num_nodes=9
    )
    at_nodes, of_graph = build(network), build(network, readout="sum")
    torch.testing.assert_close(values(at_nodes, renumbered)[order], values(at_nodes, graph), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(values(of_graph, renumbered), values(of_graph, graph), rtol=1e-9, atol=1e-12)
    assert values(at_nodes, graph).std(0).min() > 1e-8  # the nodes do differ


@pytest.mark.parametrize("network", NETWORKS)
def test_a_batch_has_the_outputs_of_its_graphs(network: type[GraphNetwork]) -> None:
    graphs = [draw(2), draw(3, 4, 6)]
    built = build(network, readout="mean")
    singly = torch.cat([values(built, graph) for graph in graphs])
    torch.testing.assert_close(values(built, *graphs), singly, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("network", NETWORKS)
def test_what_a_node_knows_comes_along_the_edges(network: type[GraphNetwork]) -> None:
    path = Data(
        x=torch.randn(4, 3, dtype=torch.float64),
        edge_index=torch.tensor([[0, 1, 2], [1, 2, 3]]),
        edge_attr=torch.randn(3, 2, dtype=torch.float64),
    )
    changed = path.clone()
    changed.x[2] += 1.0
    built = build(network)
    difference = (values(built, changed) - values(built, path)).abs().amax(1)
    assert difference[:2].max() < 1e-12 and difference[2:].min() > 1e-7


def test_stacked_layers_see_as_far_as_there_are_layers_and_no_further() -> None:
    nodes = 6
    path = Data(
        x=torch.randn(nodes, 3, dtype=torch.float64),
        edge_index=torch.stack([torch.arange(nodes - 1), torch.arange(1, nodes)]),
        edge_attr=torch.randn(nodes - 1, 2, dtype=torch.float64),
    )
    changed = path.clone()
    changed.x[0] += 1.0
    for network in (StackedNetwork, AttentionNetwork):
        built = build(network, layers=3)
        difference = (values(built, changed) - values(built, path)).abs().amax(1)
        assert difference[3] > 1e-9 and difference[4:].max() == 0.0


@given(st.integers(0, 10_000), st.floats(0.1, 3.0))
def test_the_projection_keeps_the_bound_and_is_the_nearest_such_matrix(seed: int, bound: float) -> None:
    random = generator(seed)
    matrix = torch.randn(5, 7, generator=random, dtype=torch.float64)
    nearest = project_rows(matrix, bound)
    assert float(nearest.abs().sum(1).max()) <= bound * (1 + 1e-12)
    torch.testing.assert_close(project_rows(nearest, bound), nearest, rtol=1e-12, atol=1e-12)
    inside = matrix.abs().sum(1) <= bound
    torch.testing.assert_close(nearest[inside], matrix[inside], rtol=0, atol=0)
    # The nearest point p of a convex set: (m - p) . (q - p) <= 0 for each q of the set.
    others = torch.randn(50, 5, 7, generator=random, dtype=torch.float64)
    others = bound * others / others.abs().sum(2, keepdim=True)
    products = ((matrix - nearest) * (others - nearest)).sum(2)
    assert float(products.max()) <= 1e-9


def test_the_implicit_layer_contracts_whatever_its_weights_and_finds_its_fixed_point() -> None:
    network = build(ImplicitGraphNetwork, kappa=0.9, rtol=1e-12)
    with torch.no_grad():
        network.matrix.mul_(100.0)  # as after a long step of the optimiser
    graph = draw(4, 20, 60)
    features = network.embed(graph.x, graph.edge_index, graph.edge_attr)
    assert float(network.matrix.detach().abs().sum(1).max()) <= 0.9 * (1 + 1e-12)
    source, destination = graph.edge_index
    degree = torch.bincount(destination, minlength=20).clamp_min(1)[:, None]
    mean = torch.zeros_like(features).index_add(0, destination, features[source]) / degree
    bias = network.inputs(graph.x, graph.edge_index, graph.edge_attr)[0]
    torch.testing.assert_close(features, torch.relu(mean @ network.matrix.T + bias), rtol=1e-9, atol=1e-10)


def test_the_gradient_of_the_implicit_layer_is_that_of_the_unrolled_iteration() -> None:
    network = build(ImplicitGraphNetwork, kappa=0.7, rtol=1e-13)
    graph = draw(5)
    source, destination = graph.edge_index
    degree = torch.bincount(destination, minlength=9).clamp_min(1)[:, None]
    network.embed(graph.x, graph.edge_index, graph.edge_attr).square().sum().backward()
    implicit = [network.matrix.grad.clone(), network.inputs.edge_net[0].weight.grad.clone()]
    network.zero_grad()
    bias = network.inputs(graph.x, graph.edge_index, graph.edge_attr)[0]
    features = torch.relu(bias)
    for _ in range(120):
        mean = torch.zeros_like(features).index_add(0, destination, features[source]) / degree
        features = torch.relu(mean @ network.matrix.T + bias)
    features.square().sum().backward()
    torch.testing.assert_close(implicit[0], network.matrix.grad, rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(implicit[1], network.inputs.edge_net[0].weight.grad, rtol=1e-9, atol=1e-11)


def test_an_implicit_layer_without_enough_iterations_says_so() -> None:
    network = build(ImplicitGraphNetwork, kappa=0.99, rtol=1e-12, most_iterations=2)
    with pytest.raises(DivergenceError, match="after 2 iterations"):
        values(network, draw(6))


def test_a_steady_state_is_approached_where_the_map_contracts() -> None:
    few, many, more = (build(SteadyStateEmbedding, steps=steps, trained_steps=1) for steps in (2, 60, 61))
    graph = draw(7)
    settled = (values(more, graph) - values(many, graph)).abs().max()
    assert settled < 1e-8 < (values(few, graph) - values(many, graph)).abs().max()


def test_a_histogram_sees_tags_and_no_edges() -> None:
    with seeded(0):
        network = TagHistogram(3, 2).double().eval()
    one, other = draw(8), draw(9)
    other.x = one.x[torch.randperm(9)]
    torch.testing.assert_close(values(network, one), values(network, other))
    other.x[0] += 1.0
    assert (values(network, one) - values(network, other)).abs().max() > 1e-4


@pytest.mark.parametrize("model", [*NETWORKS, ConvergentGraphSolver, TagHistogram, BellmanGraphSolver])
@pytest.mark.parametrize("size", [0, -2, 1.5])
def test_every_model_refuses_sizes_that_are_not_positive_whole_numbers(model, size) -> None:
    takes = [name for name in ("node_dim", "edge_dim", "outputs") if name in signature(model).parameters]
    assert takes
    for name in takes:
        with pytest.raises(InputError, match=f"{name}.* is {size}, expected a whole number"):
            model(**(dict.fromkeys(takes, 2) | {name: size}))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ImplicitGraphNetwork(3, 2, 1, kappa=1.0), "kappa is 1.0"),
        (lambda: SteadyStateEmbedding(3, 2, 1, steps=3, trained_steps=4), "trained_steps is 4"),
        (lambda: StackedNetwork(3, 2, 1, layers=0), "layers"),
        (lambda: AttentionNetwork(3, 2, 1, readout="max"), "readout is 'max'"),
        (lambda: TagHistogram(3, 1, dropout=1.0), "dropout is 1.0"),
        (lambda: BellmanHead(0), "heads is 0"),
        (lambda: ConduitConductances(2, -1), "end_dim is -1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make, words: str) -> None:
    with pytest.raises(InputError, match=words):
        make()
