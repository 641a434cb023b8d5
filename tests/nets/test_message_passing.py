"""Message passing with attention: its equations written out for one node, and the symmetries of a graph."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data

from sciml.errors import InputError
from sciml.nets.message_passing import AttentionEncoder, AttentionMessagePassing
from sciml.numerics.random import generator, seeded


def random_graph(nodes: int, edges: int, seed: int = 0) -> Data:
    random = generator(seed)
    return Data(
        x=torch.randn(nodes, 5, generator=random, dtype=torch.float64),
        edge_index=torch.randint(nodes, (2, edges), generator=random),
        edge_attr=torch.randn(edges, 3, generator=random, dtype=torch.float64),
    )


def make(**options) -> AttentionEncoder:
    with seeded(1):
        return AttentionEncoder(5, 3, 4, 2, **options).double()


@pytest.mark.parametrize("aggregation", ["sum", "mean"])
def test_a_layer_does_to_each_node_what_its_equations_say(aggregation):
    graph = random_graph(7, 20)
    with seeded(0):
        layer = AttentionMessagePassing((5, 4), (3, 2), aggregation=aggregation).double()
    nodes, edges = layer(graph.x, graph.edge_index, graph.edge_attr)
    for node in range(7):
        incoming = torch.nonzero(graph.edge_index[1] == node).flatten()
        joined = torch.cat(
            [
                graph.edge_attr[incoming],
                graph.x[graph.edge_index[0, incoming]],
                graph.x[node].expand(len(incoming), -1),
            ],
            1,
        )
        messages, weights = layer.edge_net(joined), torch.softmax(layer.attention_net(joined), 0)
        torch.testing.assert_close(edges[incoming], messages)
        received = (weights * messages).sum(0) / (max(len(incoming), 1) if aggregation == "mean" else 1)
        torch.testing.assert_close(nodes[node], layer.node_net(torch.cat([received, graph.x[node]])))


def test_a_node_hears_from_the_sources_of_its_edges_and_from_no_other():
    encoder = make(layers=2)
    path = torch.tensor([[0, 1, 2], [1, 2, 3]])
    x = torch.zeros(4, 5, dtype=torch.float64, requires_grad=True)
    nodes, _ = encoder(x, path, torch.ones(3, 3, dtype=torch.float64))
    heard = torch.stack([torch.autograd.grad(node.sum(), x, retain_graph=True)[0].abs().sum(1) for node in nodes])
    # Two layers carry a value along two edges, and never backwards.
    expected = [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [0, 1, 1, 1]]
    assert torch.equal(heard > 0, torch.tensor(expected, dtype=torch.bool))


def test_renumbering_the_nodes_renumbers_the_result_and_the_order_of_the_edges_does_not_matter():
    encoder, graph = make(layers=3, activation="silu"), random_graph(12, 40)
    order, edges = torch.randperm(12, generator=generator(5)), torch.randperm(40, generator=generator(6))
    number = torch.argsort(order)  # the new number of an old node
    nodes, old = encoder(graph.x, graph.edge_index, graph.edge_attr)
    turned, new = encoder(graph.x[order], number[graph.edge_index[:, edges]], graph.edge_attr[edges])
    torch.testing.assert_close(turned, nodes[order], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(new, old[edges], rtol=1e-12, atol=1e-12)


def test_graphs_of_a_batch_do_not_hear_of_one_another():
    encoder, graphs = make(layers=2), [random_graph(5, 9, 1), random_graph(8, 20, 2)]
    batch = Batch.from_data_list(graphs)
    together, _ = encoder(batch.x, batch.edge_index, batch.edge_attr)
    singly = torch.cat([encoder(graph.x, graph.edge_index, graph.edge_attr)[0] for graph in graphs])
    torch.testing.assert_close(together, singly, rtol=1e-12, atol=1e-12)


def test_the_activation_after_the_last_layer_is_that_of_the_published_code():
    graph = random_graph(30, 90)
    plain, published = make(layers=2), make(layers=2, activates_output=True)
    nodes, _ = plain(graph.x, graph.edge_index, graph.edge_attr)
    activated, _ = published(graph.x, graph.edge_index, graph.edge_attr)
    assert nodes.min().item() < 0
    # LeakyReLU divides what is negative by 100.
    assert activated.min().item() > nodes.min().item() / 10
    assert sum(weight.numel() for weight in published.parameters()) == sum(w.numel() for w in plain.parameters())


def test_the_published_network_for_pore_networks_has_its_number_of_weights():
    encoder = AttentionEncoder(5, 3, 16, 16, activates_output=True)
    decoder = 16 * 64 + 64 + 64 * 32 + 32 + 32 + 1
    assert sum(weight.numel() for weight in encoder.parameters()) + decoder == 8546


@pytest.mark.parametrize("wrong", [{"activation": "tanh"}, {"aggregation": "max"}, {"layers": 0}])
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(InputError, match=str(next(iter(wrong.values())))):
        make(**wrong)


def test_a_graph_without_edges_leaves_each_node_to_itself():
    encoder, x = make(), torch.ones(3, 5, dtype=torch.float64)
    nodes, edges = encoder(x, torch.empty(2, 0, dtype=torch.long), torch.empty(0, 3, dtype=torch.float64))
    assert edges.shape == (0, 2)
    assert np.allclose(nodes.detach(), nodes[:1].detach())
