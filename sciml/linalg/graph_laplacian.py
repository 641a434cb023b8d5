r"""`GraphLaplacian`: flow on graphs with given conductances, solved and differentiated, many graphs at a time.

At every node i that is not pinned

.. math:: \Bigl(\sum_j w_{ij} + s_i\Bigr) x_i - \sum_j w_{ij} x_j = f_i,

and :math:`x_i` is given at the pinned nodes. With conductances w > 0, sinks s >= 0, and a pinned node or a sink in
every connected component, the matrix is a nonsingular M-matrix: the solution is unique, lies between the pinned values
where s = 0 and f = 0, and the fluxes :math:`w_{ij} (x_i - x_j)` of every such node add up to zero.

>>> import torch
>>> series = GraphLaplacian([[0, 1], [1, 2]], nodes=3, pinned=[True, False, True])
>>> x, info = series.solve(torch.tensor([1.0, 3.0]), torch.tensor([0.0, 0.0, 1.0]))
>>> x
tensor([0.0000, 0.7500, 1.0000])
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from sciml.checks import positive, whole_array, whole_number
from sciml.errors import InputError, SingularSystemError
from sciml.linalg.graph_methods import GraphEquations, GraphSolveInfo, as_graph_method

Nodes = np.ndarray | Tensor | Sequence


class GraphLaplacian:
    """The structure of one graph, or of several as one block diagonal system; conductances come with each solve.

    Parameters
    ----------
    edges : integers, shape (m, 2); each pair of nodes once, in either direction
    nodes : number n of nodes
    pinned : booleans, shape (n,); where x is given
    graph : integers, shape (n,), the graph that each node belongs to, as ``batch`` of PyTorch Geometric; None for one

    Raises
    ------
    InputError
        An edge leads out of the nodes, to itself or to another graph, or is there twice.
    """

    def __init__(self, edges: Nodes, nodes: int, pinned: Nodes, graph: Nodes | None = None) -> None:
        self.nodes = whole_number("the number of nodes", nodes, at_least=1)
        self.edges = _checked_edges(edges, self.nodes)
        self.pinned = _checked_mask(pinned, self.nodes)
        self.graph = _checked_graph(graph, self.nodes)
        self.graphs = int(self.graph.max()) + 1
        across = self.graph[self.edges[:, 0]] != self.graph[self.edges[:, 1]]
        if across.any():
            edge = int(np.argmax(across))
            first, second = self.edges[edge]
            raise InputError(
                f"edge {edge} joins node {first} of graph {self.graph[first]} and node {second} of graph "
                f"{self.graph[second]}, expected both in one graph; correct graph or the edges."
            )

    @cached_property
    def components(self) -> tuple[int, np.ndarray]:
        """The number of connected components, and the component of each node, shape (n,)."""
        ones = np.ones(len(self.edges), bool)
        adjacency = sp.coo_array((ones, tuple(self.edges.T)), shape=(self.nodes,) * 2)
        count, labels = sp.csgraph.connected_components(adjacency, directed=False)
        return int(count), labels

    def solve(
        self,
        conductance: Tensor,
        values: Tensor,
        *,
        sink: Tensor | None = None,
        source: Tensor | None = None,
        rtol: float = 1e-10,
        method: str = "auto",
    ) -> tuple[Tensor, GraphSolveInfo]:
        """Return x and how it was found; x is differentiable, once, in all four tensors, in both modes.

        The gradient takes one solve with the same matrix, whose factors or hierarchy are kept:
        with A y = x_bar off the pinned nodes, w_bar_ij = -(y_i - y_j) (x_i - x_j), s_bar = -y x, f_bar = y, and at the
        pinned nodes g_bar_i = x_bar_i + sum_j w_ij y_j.

        Parameters
        ----------
        conductance : w > 0 of each edge, shape (m,) or (m, H) for H heads: systems of the same structure
        values : x at the pinned nodes, shape (n,) or (n, H); ignored elsewhere
        sink, source : s >= 0 and f, shape (n,) or (n, H); 0 where None, ignored at the pinned nodes
        rtol : bound on the estimated error, the largest of a graph relative to the largest \\|x\\| there
        method : ``"auto"`` or one of :data:`~sciml.linalg.graph_methods.GRAPH_METHODS`

        Returns
        -------
        x : shape (n,), or (n, H) if any argument has heads; dtype and device of the arguments; solved in float64
        info : method, iterations, and residual and estimated error of each graph

        Raises
        ------
        InputError
            A conductance is not positive or a sink negative, or a shape does not fit.
        SingularSystemError
            A connected component has neither a pinned node nor a sink.
        DivergenceError
            The estimated error misses ``rtol``; the message says what rounding allows. The adjoint solve raises it,
            too.
        """
        rtol = positive("rtol", rtol)
        given = {"conductance": conductance, "values": values, "sink": sink, "source": source}
        for name, tensor in given.items():
            _check_tensor(name, tensor, len(self.edges) if name == "conductance" else self.nodes)
        _check_conductance(conductance, self.edges)
        if sink is not None:
            _check_sink(sink, self.pinned)
        self._check_fixed(sink)
        present = [tensor for tensor in given.values() if tensor is not None]
        flat = all(tensor.ndim == 1 for tensor in present)
        heads = _heads(given)
        w, g, s, f = (
            torch.zeros(self.nodes, 1, dtype=torch.float64, device=conductance.device)
            if tensor is None
            else (tensor if tensor.ndim == 2 else tensor[:, None]).double()
            for tensor in given.values()
        )
        equations = GraphEquations(self, w.detach(), s.detach(), rtol)
        equations.set_up(as_graph_method(method))
        w, g, s, f = (tensor.expand(-1, heads) for tensor in (w, g, s, f))
        x = _Solution.apply(equations, w, g, s, f)
        dtype = present[0].dtype
        for tensor in present[1:]:
            dtype = torch.promote_types(dtype, tensor.dtype)
        return (x[:, 0] if flat else x).to(dtype), equations.info

    def _check_fixed(self, sink: Tensor | None) -> None:
        """Refuse components in which nothing fixes the level of x."""
        count, labels = self.components
        held = np.zeros((count, 1 if sink is None or sink.ndim == 1 else sink.shape[1]), bool)
        held[labels[self.pinned]] = True
        if not held.all() and sink is not None:
            sinks = (sink.detach().cpu().numpy() > 0).reshape(self.nodes, -1)
            np.logical_or.at(held, labels, sinks)
        if held.all():
            return
        loose = int(np.argmax(~held.all(axis=1)))
        members = np.flatnonzero(labels == loose)
        where = f" of graph {self.graph[members[0]]}" if self.graphs > 1 else ""
        more = int((~held.all(axis=1)).sum()) - 1
        others = f", and {more} more such component{'s' * (more > 1)}," if more else ""
        raise SingularSystemError(
            f"the component{where} that contains node {members[0]} (size {members.size}){others} has neither a pinned "
            "node nor a sink, expected one of them in every component, without which x is determined only up to a "
            "constant; pin a node, give a sink, or remove the component."
        )


class _Solution(torch.autograd.Function):
    """x as a function of (w, g, s, f), each with all heads; derivatives by one more solve."""

    @staticmethod
    def forward(equations: GraphEquations, w: Tensor, g: Tensor, s: Tensor, f: Tensor) -> Tensor:
        return equations.solve(g, f)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        ctx.equations = inputs[0]
        ctx.save_for_backward(output)
        ctx.save_for_forward(output)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (x,) = ctx.saved_tensors
        equations = ctx.equations
        y = equations.solve(torch.zeros_like(gradient), gradient)
        by_edge = -equations.differences(y) * equations.differences(x)
        # On pinned nodes y is 0, and what flows there from their neighbours is their share.
        at_pinned = torch.where(equations.pinned, gradient + equations.inflow(y), 0.0)
        return None, by_edge, at_pinned, -y * x, y

    @staticmethod
    def jvp(ctx: Any, _: None, w: Tensor, g: Tensor, s: Tensor, f: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        equations = ctx.equations
        w, g, s, f = (torch.zeros((), dtype=x.dtype, device=x.device) if t is None else t for t in (w, g, s, f))
        right = f - s * x + equations.inflow_of(w * equations.differences(x))
        return equations.solve((g + torch.zeros_like(x)), right)


def _checked_edges(edges: Nodes, nodes: int) -> np.ndarray:
    edges = _to_numpy(edges)
    edges = np.zeros((0, 2), np.int64) if np.size(edges) == 0 else whole_array("edges", edges, at_least=0, below=nodes)
    if edges.ndim != 2 or edges.shape[1] != 2:
        raise InputError(f"edges has shape {edges.shape}, expected (number of edges, 2): two nodes for each.")
    edges = edges.astype(np.int64)
    loops = edges[:, 0] == edges[:, 1]
    if loops.any():
        edge = int(np.argmax(loops))
        raise InputError(f"edge {edge} joins node {edges[edge, 0]} to itself, expected two nodes; remove it.")
    pairs = np.sort(edges, axis=1)
    order = np.argsort(pairs[:, 0] * nodes + pairs[:, 1], kind="stable")
    double = (pairs[order[1:]] == pairs[order[:-1]]).all(axis=1)
    if double.any():
        first, second = sorted(order[int(np.argmax(double)) + np.arange(2)].tolist())
        raise InputError(
            f"edges {first} and {second} both join the nodes {pairs[first, 0]} and {pairs[first, 1]}, expected each "
            "pair once, in either direction; add up the conductances of parallel edges."
        )
    return edges


def _checked_mask(pinned: Nodes, nodes: int) -> np.ndarray:
    mask = np.asarray(_to_numpy(pinned))
    if mask.dtype != bool or mask.shape != (nodes,):
        raise InputError(f"pinned has shape {mask.shape} and dtype {mask.dtype}, expected ({nodes},) booleans.")
    return mask


def _checked_graph(graph: Nodes | None, nodes: int) -> np.ndarray:
    if graph is None:
        return np.zeros(nodes, np.int64)
    numbers = whole_array("graph", _to_numpy(graph), at_least=0).astype(np.int64)
    if numbers.shape != (nodes,):
        raise InputError(f"graph has shape {numbers.shape}, expected ({nodes},): the graph of each node.")
    return numbers


def _to_numpy(values: Nodes) -> np.ndarray | Sequence:
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else values


def _check_tensor(name: str, tensor: Tensor | None, rows: int) -> None:
    if tensor is None:
        return
    if not (isinstance(tensor, Tensor) and tensor.is_floating_point()):
        kind = tensor.dtype if isinstance(tensor, Tensor) else type(tensor).__name__
        raise InputError(f"{name} must be a floating-point torch.Tensor, got {kind}.")
    if tensor.ndim not in (1, 2) or tensor.shape[0] != rows:
        raise InputError(f"{name} has shape {tuple(tensor.shape)}, expected ({rows},) or ({rows}, heads).")


def _heads(given: dict[str, Tensor | None]) -> int:
    """Return the number of heads that the arguments with two axes share, 1 without any."""
    counts = {name: t.shape[1] for name, t in given.items() if t is not None and t.ndim == 2 and t.shape[1] != 1}
    if len(set(counts.values())) > 1 or 0 in counts.values():
        listed = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise InputError(f"the numbers of heads differ or are 0: {listed}; expected one number of at least 1.")
    return next(iter(counts.values()), 1)


def _check_conductance(conductance: Tensor, edges: np.ndarray) -> None:
    wrong = ~((conductance.detach() > 0) & torch.isfinite(conductance.detach()))
    if bool(wrong.any()):
        place = tuple(wrong.nonzero()[0].tolist())
        first, second = edges[place[0]]
        head = f", head {place[1]}" if len(place) == 2 else ""
        raise InputError(
            f"conductance is {conductance.detach()[place].item():g} on edge {place[0]} between the nodes {first} and "
            f"{second}{head}, expected a finite number > 0; remove edges that let nothing through."
        )


def _check_sink(sink: Tensor, pinned: np.ndarray) -> None:
    wrong = ~((sink.detach() >= 0) & torch.isfinite(sink.detach()))
    if bool(wrong.any()):
        place = tuple(wrong.nonzero()[0].tolist())
        head = f", head {place[1]}" if len(place) == 2 else ""
        raise InputError(
            f"sink is {sink.detach()[place].item():g} at node {place[0]}{head}, expected a finite number >= 0."
        )
