"""Anchored heads: laws of resistors, maximum principle, conservation, and how contractive heads are a special case."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data

from sciml.cgs.conductances import Conductances, ConduitConductances, Sinks, ThroatConductances
from sciml.cgs.data import network_graph
from sciml.cgs.features import ConduitFeatures, ThroatFeatures
from sciml.cgs.fixed_points import Dense
from sciml.cgs.heads import AnchoredHead, ContractiveHead
from sciml.errors import DivergenceError, InputError, SingularSystemError
from sciml.linalg.graph_laplacian import GraphLaplacian
from sciml.mesh.graph import graph_of_edges
from sciml.numerics.random import generator, seeded
from sciml.reference.pore_network_laws import CONDUITS
from sciml.reference.pore_networks import random_network


class Given(Conductances):
    """Conductances that are given with the graph."""

    def logarithms(self, graph):
        return graph.throat_given.log(), graph.throat_given.new_zeros(())


def circuit(edges, conductances, pinned: dict[int, float], nodes: int) -> Batch:
    values = torch.zeros(nodes, dtype=torch.float64)
    mask = torch.zeros(nodes, dtype=torch.bool)
    for node, value in pinned.items():
        mask[node], values[node] = True, value
    graph = graph_of_edges(np.array(edges), nodes, pinned=mask, pinned_values=values)
    graph.throat_given = torch.tensor(conductances, dtype=torch.float64)
    return Batch.from_data_list([graph])


def untrained(module: torch.nn.Module, seed: int) -> torch.nn.Module:
    """Return a module with all weights drawn, those that start from zero too."""
    random = generator(seed)
    for weight in module.parameters():
        torch.nn.init.normal_(weight, std=0.5, generator=random)
    return module.double()


def random_graph(seed: int, tessellation: str = "delaunay") -> Batch:
    network = random_network(tessellation, 12 + seed % 20, np.random.default_rng(seed), CONDUITS)
    return Batch.from_data_list([network_graph(network)])


def inflow(graph: Batch, conductance: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    first, second = graph.throat_index
    flow = conductance * (values[first] - values[second])
    return torch.zeros_like(values).index_add(0, first, -flow).index_add(0, second, flow)


def test_on_a_path_of_equal_conductances_the_values_are_linear():
    edges = [[i, i + 1] for i in range(20)]
    values = AnchoredHead(Given(), rtol=1e-12)(circuit(edges, [3.0] * 20, {0: 0.0, 20: 1.0}, 21)).values
    torch.testing.assert_close(values, torch.linspace(0, 1, 21, dtype=torch.float64), rtol=0, atol=1e-12)


def test_resistors_in_series_in_parallel_and_in_a_bridge():
    head = AnchoredHead(Given(), rtol=1e-12)
    # In series: the drop is as the resistances 1 and 1/3.
    assert head(circuit([[0, 1], [1, 2]], [1.0, 3.0], {0: 1.0, 2: 0.0}, 3)).values[1] == pytest.approx(0.25, abs=1e-14)
    # In parallel over two paths, each of two resistors: all conductances of the second path are ten times larger.
    graph = circuit([[0, 1], [1, 3], [0, 2], [2, 3]], [1.0, 1.0, 10.0, 10.0], {0: 1.0, 3: 0.0}, 4)
    found = head(graph)
    assert inflow(graph, found.conductance, found.values)[3] == pytest.approx(0.5 + 5.0, abs=1e-12)
    # Wheatstone's bridge in balance carries nothing across.
    bridge = circuit([[0, 1], [1, 3], [0, 2], [2, 3], [1, 2]], [1.0, 2.0, 3.0, 6.0, 7.0], {0: 1.0, 3: 0.0}, 4)
    values = head(bridge).values
    assert values[1] == pytest.approx(float(values[2]), abs=1e-14)


@pytest.mark.parametrize("kind", ["throats", "conduits"])
def test_an_untrained_head_keeps_the_maximum_principle_and_conserves_on_fifty_networks(kind):
    for seed in range(50):
        graph = random_graph(seed, ("delaunay", "voronoi")[seed % 2])
        if kind == "throats":
            features, law = ThroatFeatures(pores=["diameter"]), ThroatConductances(4)
        else:
            features, law = ConduitFeatures(), ConduitConductances(2, 2)
        features.fit([graph])
        head = AnchoredHead(untrained(law, seed), rtol=1e-11)
        with torch.no_grad():
            found = head(features(graph))
        assert found.values.min() >= -1e-10
        assert found.values.max() <= 1 + 1e-10
        assert (found.conductance > 0).all()
        net = inflow(graph, found.conductance, found.values)
        through = net[graph.pinned].abs().sum()
        assert through > 0
        assert net[~graph.pinned].abs().max() <= 1e-10 * through
        assert net[graph.pinned].sum().abs() <= 1e-10 * through
        # Turned around, the pressures are the rest to 1.
        graph.pinned_values = 1.0 - graph.pinned_values
        with torch.no_grad():
            back = head(features(graph)).values
        torch.testing.assert_close(back, 1 - found.values, rtol=0, atol=1e-10)


def test_the_inverse_of_the_matrix_of_an_anchored_head_has_no_negative_entry():
    graph = random_graph(3)
    features = ConduitFeatures()
    features.fit([graph])
    conductance, _ = untrained(ConduitConductances(2, 2), 1)(features(graph))
    first, second = graph.throat_index
    matrix = torch.zeros(graph.num_nodes, graph.num_nodes, dtype=torch.float64)
    matrix[first, second] = matrix[second, first] = -conductance.detach()
    matrix -= torch.diag(matrix.sum(1))
    free = ~graph.pinned
    inverse = torch.linalg.inv(matrix[free][:, free])
    assert inverse.min() >= -1e-14 * inverse.abs().max()


def test_a_contractive_head_is_an_anchored_one_with_sinks_and_without_pinned_nodes():
    graph, gamma, random = random_graph(5), 0.5, generator(0)
    conductance = torch.rand(graph.throat_index.shape[1], generator=random, dtype=torch.float64) + 0.1
    bias = torch.randn(graph.num_nodes, 1, generator=random, dtype=torch.float64)
    first, second = graph.throat_index
    total = torch.zeros(graph.num_nodes, dtype=torch.float64).index_add(0, first, conductance)
    total = total.index_add(0, second, conductance)
    destination = graph.edge_index[1]
    degree = torch.bincount(destination, minlength=graph.num_nodes)
    share = torch.cat([conductance, conductance])[:, None] / total[destination, None]
    head = ContractiveHead(gamma, squash="clip", solver=Dense())
    edge_map = head.edge_map(graph.edge_index, share, bias)
    # The head divides by the degree; undo it to have row sums of exactly gamma.
    edge_map = type(edge_map)(graph.edge_index, edge_map.weights * degree[destination, None], bias)
    contractive, _ = Dense().solve(edge_map)
    sink = (1 / gamma - 1) * total
    nothing = torch.zeros(graph.num_nodes, dtype=torch.bool)
    anchored, _ = GraphLaplacian(graph.throat_index.T, graph.num_nodes, nothing).solve(
        conductance, torch.zeros_like(total), sink=sink, source=sink * bias[:, 0] / (1 - gamma)
    )
    torch.testing.assert_close(anchored, contractive[:, 0], rtol=1e-12, atol=1e-12)


def test_sinks_pull_the_values_towards_zero_and_need_no_pinned_node():
    graph = random_graph(2)
    features = ThroatFeatures()
    features.fit([graph])
    law = untrained(ThroatConductances(2), 0)
    graph.x = graph.pos / graph.length
    with torch.no_grad():
        plain = AnchoredHead(law)(features(graph)).values
        screened = AnchoredHead(law, untrained(Sinks(3), 1))(features(graph)).values
    free = ~graph.pinned
    assert (screened[free] < plain[free]).all()
    assert screened.min() >= 0
    graph.pinned = torch.zeros_like(graph.pinned)
    with pytest.raises(SingularSystemError):
        AnchoredHead(law)(features(graph))
    assert torch.equal(AnchoredHead(law, Sinks(3).double())(features(graph)).values, torch.zeros_like(plain))


def test_gradients_of_values_in_the_weights_are_right_in_both_modes():
    graph = random_graph(0)
    features = ConduitFeatures()
    features.fit([graph])
    graph = features(graph)
    head = AnchoredHead(untrained(ConduitConductances(2, 2, hidden=[3]), 0))
    names, weights = zip(*head.named_parameters(), strict=True)

    def values(*weights):
        return torch.func.functional_call(head, dict(zip(names, weights, strict=True)), (graph,)).values

    assert torch.autograd.gradcheck(values, weights, check_forward_ad=True, fast_mode=True)


@pytest.mark.parametrize("which", [0, 1])
def test_a_batch_is_solved_as_each_network_alone_whatever_the_numbers_of_its_pores(which):
    graphs = [random_graph(seed).to_data_list()[0] for seed in (0, 1)]
    features = ConduitFeatures()
    features.fit([Batch.from_data_list(graphs)])
    head = AnchoredHead(untrained(ConduitConductances(2, 2), 0), rtol=1e-11)
    with torch.no_grad():
        together = head(features(Batch.from_data_list(graphs))).values.split([g.num_nodes for g in graphs])[which]
        alone = head(features(Batch.from_data_list([graphs[which]]))).values
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-10)


def test_the_ends_of_a_throat_may_be_swapped():
    network = random_network("delaunay", 15, np.random.default_rng(0), CONDUITS)
    turned = type(network)(
        network.points,
        network.throats[:, ::-1],
        network.inlet,
        network.outlet,
        network.length,
        network.area,
        network.viscosity,
        network.pores,
        {
            **network.columns,
            "pore1_length": network.columns["pore2_length"],
            "pore2_length": network.columns["pore1_length"],
        },
    )
    for features, law in (
        (ConduitFeatures(), ConduitConductances(2, 2)),
        (ThroatFeatures(pores=["diameter"]), ThroatConductances(4)),
    ):
        graphs = [Batch.from_data_list([network_graph(each)]) for each in (network, turned)]
        features.fit(graphs[:1])
        law = untrained(law, 0)
        found = [law(features(graph))[0] for graph in graphs]
        torch.testing.assert_close(*found, rtol=1e-13, atol=0)


def test_corrections_are_bounded_so_that_a_power_law_remains_far_away():
    with seeded(0):
        law = untrained(ThroatConductances(2, bound=0.5), 0).law
    far = torch.tensor([[1e3, -2e3]], dtype=torch.float64)
    logarithm, correction = law(far)
    assert correction.abs().max() <= 0.5
    torch.testing.assert_close(logarithm - correction, law.linear(far)[:, 0])


@pytest.mark.parametrize(("module", "feature"), [(ThroatConductances(2), "throat_attr"), (Sinks(2), "x")])
@pytest.mark.parametrize("size", [1e4, -1e4])
def test_numbers_that_double_precision_does_not_hold_end_as_divergence(module, feature, size):
    graph = Batch.from_data_list([Data(**{feature: torch.full((3, 2), size)})])
    with torch.no_grad():
        module.law.linear.weight.fill_(1.0)
    with pytest.raises(DivergenceError, match="beyond the range of double precision"):
        module(graph)


def test_features_of_another_number_than_the_law_has_are_refused():
    graph = random_graph(0)
    features = ThroatFeatures()
    features.fit([graph])
    with pytest.raises(InputError, match="the number of features throat_attr"):
        ThroatConductances(3)(features(graph))
