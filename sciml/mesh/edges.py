"""The check that edges, such as the lines of a network, make a simple graph."""

from __future__ import annotations

import numpy as np

from sciml.errors import InputError


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
