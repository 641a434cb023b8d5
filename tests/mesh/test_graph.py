"""Graphs of meshes: both directions for messages, every edge once for conductances, and batches that keep them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch

from sciml.errors import InputError
from sciml.mesh import Grid, make_mesh
from sciml.mesh.graph import graph_of_edges, to_graph


def test_the_graph_of_a_mesh_has_each_of_its_edges_in_both_directions():
    mesh = make_mesh("disk", 2)
    features = np.random.default_rng(0).random((len(mesh.edges()), 2))
    graph = to_graph(mesh, features)
    assert torch.equal(graph.throat_index.T, torch.tensor(mesh.edges()))
    assert graph.is_undirected()
    assert not graph.has_self_loops()
    assert graph.num_nodes == mesh.n_points
    m = len(features)
    assert torch.equal(graph.edge_index[:, m:], graph.edge_index[:, :m].flip(0))
    assert torch.equal(graph.edge_attr[m:], graph.edge_attr[:m])
    # Euler's formula for a triangulated disc: V - E + F = 1.
    assert mesh.n_points - m + mesh.n_cells == 1


def test_a_batch_keeps_the_edges_of_its_graphs_apart():
    graphs = [to_graph(Grid(shape).to_mesh()) for shape in ((2, 3), (3, 3))]
    batch = Batch.from_data_list(graphs)
    first, second = graphs
    expected = torch.cat([first.throat_index, second.throat_index + first.num_nodes], 1)
    assert torch.equal(batch.throat_index, expected)
    assert torch.equal(batch.edge_index[:, first.num_edges :], second.edge_index + first.num_nodes)


@pytest.mark.parametrize(
    ("edges", "words"),
    [
        ([[0, 1], [1, 1]], "edge 1 joins node 1 to itself"),
        ([[0, 1], [1, 2], [1, 0]], "edges 0 and 2 both join the nodes 0 and 1"),
        ([[0, 3]], "3"),
        ([[-1, 0]], "-1"),
        ([[0, 1, 2]], "shape"),
    ],
)
def test_edges_that_are_no_simple_graph_are_refused(edges, words):
    with pytest.raises(InputError, match=words):
        graph_of_edges(np.array(edges), 3)


def test_features_of_another_number_of_edges_are_refused():
    with pytest.raises(InputError, match="features of the edges"):
        graph_of_edges(np.array([[0, 1]]), 2, np.zeros((2, 3)))
