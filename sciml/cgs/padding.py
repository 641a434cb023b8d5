"""Graphs of a batch as dense matrices of one size: padded by nodes that are in no graph."""

from __future__ import annotations

import torch
from torch import Tensor


class Padding:
    """The places of the nodes of several graphs in a batch of matrices of the largest graph's size.

    Parameters
    ----------
    graph : ``(N,)`` number of the graph of each node
    """

    def __init__(self, graph: Tensor) -> None:
        self.graph = graph
        counts = torch.bincount(graph)
        self.graphs, self.largest = len(counts), int(counts.max()) if len(counts) else 0
        order = torch.argsort(graph, stable=True)
        first = torch.cumsum(counts, 0) - counts
        self.place = torch.empty_like(graph)
        self.place[order] = torch.arange(len(graph), device=graph.device) - first[graph[order]]

    def pad(self, values: Tensor) -> Tensor:
        """Return values ``(N, H)`` as columns ``(graphs, H, largest, 1)``, zero outside the graphs."""
        padded = values.new_zeros(self.graphs, self.largest, values.shape[1])
        return padded.index_put((self.graph, self.place), values).movedim(1, 2)[..., None]

    def unpad(self, padded: Tensor) -> Tensor:
        """Return the values ``(N, H)`` of columns ``(graphs, H, largest, 1)``."""
        return padded[..., 0].movedim(2, 1)[self.graph, self.place]

    def matrix(self, rows: Tensor, columns: Tensor, entries: Tensor) -> Tensor:
        """Return matrices ``(graphs, H, largest, largest)`` of entries ``(E, H)``; those of one place add up.

        Parameters
        ----------
        rows, columns : ``(E,)`` numbers of nodes, both of the same graph
        """
        matrix = entries.new_zeros(self.graphs, self.largest, self.largest, entries.shape[1])
        index = (self.graph[rows], self.place[rows], self.place[columns])
        return matrix.index_put(index, entries, accumulate=True).permute(0, 3, 1, 2)

    def identity(self, like: Tensor) -> Tensor:
        """Return the identity matrix ``(largest, largest)`` in type and place of a tensor."""
        return torch.eye(self.largest, dtype=like.dtype, device=like.device)
