"""Edges, such as the lines of a network: the check that they make a simple graph, and its connected components."""

from __future__ import annotations

import numpy as np

from sciml.errors import InputError


def components(edges: np.ndarray, nodes: int) -> np.ndarray:
    """Return the number of the connected component that each node belongs to, counted from 0, ``(nodes,)`` int32.

    Equivalent to ``scipy.sparse.csgraph.connected_components`` of the adjacency matrix.

    Parameters
    ----------
    edges : ``(m, 2)`` numbers of nodes, in either direction
    nodes : their number; a node without edges is a component of its own
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    adjacency = coo_array((np.ones(len(edges), np.int8), (edges[:, 0], edges[:, 1])), shape=(nodes, nodes))
    labels: np.ndarray = connected_components(adjacency, directed=False)[1]
    return labels


def check_single(edges: np.ndarray, edge: str = "edge", node: str = "node") -> None:
    """Refuse an edge that joins a node to itself or occurs twice, in whichever direction.

    Parameters
    ----------
    edges : ``(m, 2)`` numbers of nodes
    edge, node : what they are, for the sentence
    """
    loops = np.flatnonzero(edges[:, 0] == edges[:, 1])
    if len(loops):
        raise InputError(
            f"{edge} {loops[0]} joins {node} {edges[loops[0], 0]} to itself, expected two {node}s; remove it."
        )
    pairs = np.sort(edges, axis=1)
    order = np.lexsort(pairs.T)  # of equal pairs, the first stays in front
    twice = np.flatnonzero((np.diff(pairs[order], axis=0) == 0).all(axis=1))
    if len(twice):
        first, second = order[twice[0] : twice[0] + 2]
        one, other = pairs[first]
        raise InputError(
            f"{edge}s {first} and {second} both join the {node}s {one} and {other}, expected each pair once, in either "
            f"direction; merge {edge}s in parallel into one, with the sum of their conductances."
        )
