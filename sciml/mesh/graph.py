"""Graphs of PyTorch Geometric: the points of a mesh are the nodes, its edges the undirected edges.

An undirected edge appears twice in ``edge_index``, in both directions, as message passing wants it, and once in
``throat_index``, as conductances want it. A batch shifts both by the numbers of the nodes before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from sciml.checks import shape, whole_array, whole_number
from sciml.errors import InputError
from sciml.mesh.edges import check_single
from sciml.mesh.mesh import Mesh

if TYPE_CHECKING:
    from torch_geometric.data import Data


def to_graph(mesh: Mesh, edge_features: np.ndarray | Tensor | None = None, **tensors: Tensor) -> Data:
    """Return the graph of a mesh, whose undirected edges are those of :meth:`Mesh.edges` in their order.

    Parameters
    ----------
    mesh : of cells of any types
    edge_features : ``(edges, d)``, the same in both directions
    tensors : what the graph has besides, by name, such as ``x``, ``y`` and ``pinned``

    Examples
    --------
    >>> from sciml.mesh import Grid
    >>> to_graph(Grid((2, 2)).to_mesh())
    Data(edge_index=[2, 8], num_nodes=4, throat_index=[2, 4], pos=[4, 2])
    """
    return graph_of_edges(mesh.edges(), mesh.n_points, edge_features, pos=torch.tensor(mesh.points), **tensors)


def graph_of_edges(
    edges: np.ndarray, nodes: int, edge_features: np.ndarray | Tensor | None = None, **tensors: Tensor
) -> Data:
    """Return the graph of undirected edges.

    ``edge_index`` ``(2, 2m)`` has the m edges from their first to their second node and then in the other direction,
    ``edge_attr`` the features of both; ``throat_index`` ``(2, m)`` has every edge once, ``throat_attr`` its features.

    Parameters
    ----------
    edges : ``(m, 2)`` numbers of nodes; every edge once, in either direction
    nodes : how many
    edge_features : ``(m, d)``, the same in both directions
    tensors : what the graph has besides, by name, such as ``x``, ``y`` and ``pinned``

    Raises
    ------
    InputError
        If a number of a node is out of range, an edge joins a node to itself or occurs twice, or the features are not
        as many as the edges.
    """
    from torch_geometric.data import Data  # 2 s to import

    whole_number("the number of nodes", nodes, at_least=0)
    edges = whole_array("the edges", edges, shape=("edges", 2), at_least=0, below=nodes)
    check_single(edges)
    once = torch.from_numpy(np.ascontiguousarray(edges.T))
    graph = Data(edge_index=torch.cat([once, once.flip(0)], 1), num_nodes=nodes, throat_index=once)
    if edge_features is not None:
        shape("the features of the edges", edge_features, (len(edges), "features"))
        features = torch.as_tensor(edge_features)
        graph.edge_attr, graph.throat_attr = torch.cat([features, features]), features
    for name, tensor in tensors.items():
        graph[name] = tensor
    return graph


def check_edge_index(edge_index: Tensor, nodes: int) -> None:
    """Refuse directed edges whose ends are not numbers of nodes; torch counts negative ones from the end.

    Parameters
    ----------
    edge_index : ``(2, E)`` sources and destinations
    nodes : how many

    Raises
    ------
    InputError
        If the shape or the type is another, or an end is out of range; the sentence names the edge.
    """
    shape("edge_index", edge_index, (2, "edges"))
    if edge_index.dtype != torch.long:
        raise InputError(f"edge_index has the type {edge_index.dtype}, expected torch.int64, numbers of nodes.")
    outside = ((edge_index < 0) | (edge_index >= nodes)).any(0)
    if bool(outside.any()):
        edge = int(outside.nonzero()[0])
        raise InputError(
            f"edge {edge} leads from node {int(edge_index[0, edge])} to node {int(edge_index[1, edge])}, expected "
            f"numbers from 0 to {nodes - 1}."
        )
