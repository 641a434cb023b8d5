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
from functools import cached_property, reduce
from itertools import pairwise

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from sciml.checks import boolean_array, positive, whole_array, whole_number
from sciml.errors import InputError, SingularSystemError
from sciml.linalg.graph_equations import GraphEquations, binary_scale
from sciml.linalg.graph_methods import as_graph_method
from sciml.linalg.graph_solutions import GraphSolveInfo, solve_prepared
from sciml.linalg.tensors import KeptSolves, check_holds, check_real
from sciml.mesh.edges import check_single, components
from sciml.numerics.implicit import root

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
        self.pinned = boolean_array("pinned", pinned, shape=(self.nodes,)).copy()
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

    def __repr__(self) -> str:
        rows = {"nodes": self.nodes, "pinned nodes": int(self.pinned.sum()), "edges": len(self.edges)}
        rows["graphs"] = self.graphs
        return "\n".join(["GraphLaplacian", *(f"  {name:<16s}{count:>12,}" for name, count in rows.items())])

    @cached_property
    def components(self) -> tuple[int, np.ndarray]:
        """The number of connected components, and the component of each node, shape (n,)."""
        labels = components(self.edges, self.nodes)
        return int(labels.max()) + 1, labels

    @cached_property
    def free(self) -> np.ndarray:
        """The nodes that are not pinned."""
        return np.flatnonzero(~self.pinned)

    @cached_property
    def pattern(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The pattern (indptr, indices) of the matrix over the free nodes, and what each entry is.

        The third array holds i for the diagonal entry of node i, and n + e for that of edge e.
        """
        number = np.cumsum(~self.pinned) - 1
        inner = np.flatnonzero(self.inner)
        i, j = number[self.edges[inner]].T
        own, size = number[self.free], self.free.size
        entry = np.concatenate([self.free, self.nodes + inner, self.nodes + inner])
        places = (np.concatenate([own, i, j]), np.concatenate([own, j, i]))
        matrix = sp.coo_array((entry, places), shape=(size, size)).tocsr()
        return matrix.indptr, matrix.indices, matrix.data

    @cached_property
    def lattice(self) -> tuple[int, ...] | None:
        """The shape of the grid whose nodes, in C order, are joined along its axes; None where they are not."""
        lower, upper = self.ends
        if self.graphs > 1 or not len(self.edges):
            return None
        sizes = [self.nodes]
        step, left = upper - lower, lower
        while step.size and len(sizes) < 4:  # from the slowest axis to the fastest one
            stride = int(step.max())
            along = step == stride
            if sizes[-1] % stride or (left[along] % sizes[-1] >= sizes[-1] - stride).any():
                return None
            sizes.append(stride)
            step, left = step[~along], left[~along]
        if step.size or sizes[-1] != 1 or len(sizes) < 3:
            return None
        return tuple(larger // smaller for larger, smaller in pairwise(sizes))

    @cached_property
    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """The lower and the upper node of each edge."""
        return np.minimum(*self.edges.T), np.maximum(*self.edges.T)

    @cached_property
    def inner(self) -> np.ndarray:
        """True for the edges both nodes of which are free, shape (m,)."""
        return ~(self.pinned[self.edges[:, 0]] | self.pinned[self.edges[:, 1]])

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

        The transforms of ``torch.func`` apply; under ``vmap`` entries are solved one by one, and the report is that of
        the last one. For many systems of one structure, heads are faster.

        A derivative takes one solve with the same matrix, whose factors or hierarchy are kept: with A y = x_bar at the
        free nodes and y = 0 at the pinned ones, w_bar_ij = -(y_i - y_j) (x_i - x_j), s_bar = -y x, f_bar = y, and
        g_bar_i = x_bar_i + sum_j w_ij y_j.

        Parameters
        ----------
        conductance : w > 0 of each edge, shape (m,) or (m, H) for H heads: systems of the same structure
        values : x at the pinned nodes, shape (n,) or (n, H); ignored elsewhere
        sink, source : s >= 0 and f, shape (n,) or (n, H); 0 where None, ignored at the pinned nodes
        rtol : bound on the error, rounding included: the largest of a graph relative to the largest \\|x\\| there
        method : ``"auto"`` or one of :data:`~sciml.linalg.graph_methods.GRAPH_METHODS`

        Returns
        -------
        x : shape (n,), or (n, H) if any argument has heads; dtype and device of the arguments; solved in float64, to
            which the bound on the error refers, and rounded, as gradients are
        info : method, iterations, and residual and a proven bound on the error of each graph

        Raises
        ------
        InputError
            A conductance is not positive or a sink negative, a shape does not fit, or x exceeds the dtype.
        SingularSystemError
            A connected component has neither a pinned node nor a sink.
        DivergenceError
            The error could not be proven to be below ``rtol``; the message says what rounding allows. The adjoint
            solve raises it, too.
        """
        rtol, chosen = positive("rtol", rtol), as_graph_method(method)
        given = {"conductance": conductance, "values": values, "sink": sink, "source": source}
        present = {name: each for name, each in given.items() if each is not None or name in ("conductance", "values")}
        for name, tensor in present.items():
            _check_shape(name, check_real(name, tensor), len(self.edges) if name == "conductance" else self.nodes)
        heads = _heads(present)
        dtype = reduce(torch.promote_types, [tensor.dtype for tensor in present.values()])
        zero = torch.zeros(self.nodes, 1, dtype=torch.float64, device=conductance.device)
        w, g, s, f = (
            zero if tensor is None else (tensor if tensor.ndim == 2 else tensor[:, None]).double()
            for tensor in given.values()
        )
        pinned = torch.from_numpy(self.pinned)[:, None].to(w.device)
        g, s, f = torch.where(pinned, g, 0.0), torch.where(pinned, 0.0, s), torch.where(pinned, 0.0, f)
        passes: list[GraphEquations] = []  # one in a plain call, those of all entries under torch.func.vmap
        kept = KeptSolves(lambda arguments: self._scaled(arguments[0], *arguments[2:])[:2])

        def condition(x: Tensor, w: Tensor, g: Tensor, s: Tensor, f: Tensor) -> Tensor:
            # With x = g put in, the derivative in x is A at the free nodes and the identity at the others.
            w, s, f = self._scaled(w, s, f)
            return torch.where(pinned, x - g, passes[-1].product(torch.where(pinned, g, x), w, s) - f)

        def solver(w: Tensor, g: Tensor, s: Tensor, f: Tensor) -> tuple[Tensor, GraphSolveInfo]:
            self._check(w, g, s, f)
            w, s, f = self._scaled(w, s, f)
            equations = GraphEquations(self, w, s)
            name, prepared = chosen.prepare(equations)

            def derivative(right: Tensor) -> Tensor:
                found, _ = solve_prepared(name, prepared, torch.zeros_like(right), right, rtol)
                return torch.where(pinned, right, found)

            passes.append(equations)
            kept.keep((w, s), derivative)
            x, info = solve_prepared(name, prepared, g.expand(-1, heads), f.expand(-1, heads), rtol)
            check_holds("the solution", x, dtype, equations.largest)
            return x, info

        x, report = root(condition, solver, w, g, s, f, adjoint=kept)
        flat = all(tensor.ndim == 1 for tensor in present.values())
        return (x[:, 0] if flat else x).to(dtype), report.info

    def _scaled(self, w: Tensor, s: Tensor, f: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return conductances and sinks of size 1 in every graph and head, so that no square over- or underflows."""
        of_graph = torch.from_numpy(self.graph).to(w.device)
        of_edge = of_graph[torch.from_numpy(self.edges[:, 0]).to(w.device)]
        largest = w.new_zeros(self.graphs, max(w.shape[1], s.shape[1]))
        for index, values in ((of_edge, w), (of_graph, s)):
            values = values.detach().expand(-1, largest.shape[1])
            largest = largest.scatter_reduce(0, index[:, None].expand_as(values), values, "amax")
        scale = binary_scale(largest)
        return w / scale[of_edge], s / scale[of_graph], f / scale[of_graph]

    def _check(self, conductance: Tensor, values: Tensor, sink: Tensor, source: Tensor) -> None:
        """Refuse arguments of a solve with wrong values, (n, H) or (m, H), and components that nothing fixes."""
        _check_conductance(conductance, self.edges)
        _check_nodes("values", values, self.pinned)
        _check_nodes("source", source, ~self.pinned)
        _check_nodes("sink", sink, ~self.pinned, least=0.0)
        self._check_fixed(sink)

    def _check_fixed(self, sink: Tensor) -> None:
        """Refuse components in which nothing fixes the level of x."""
        count, labels = self.components
        held = np.zeros((count, sink.shape[1]), bool)
        held[labels[self.pinned]] = True
        if not held.all():
            np.logical_or.at(held, labels, sink.cpu().numpy() > 0)
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


def _checked_edges(edges: Nodes, nodes: int) -> np.ndarray:
    numbers = whole_array("edges", edges, at_least=0, below=nodes)
    if numbers.size == 0:
        return np.zeros((0, 2), np.int64)
    if numbers.ndim != 2 or numbers.shape[1] != 2:
        raise InputError(f"edges has shape {numbers.shape}, expected (number of edges, 2): two nodes for each.")
    check_single(numbers)
    return numbers.copy()  # as of pinned and graph: what the caller changes later is not ours


def _checked_graph(graph: Nodes | None, nodes: int) -> np.ndarray:
    if graph is None:
        return np.zeros(nodes, np.int64)
    numbers = whole_array("graph", graph, at_least=0).copy()
    if numbers.shape != (nodes,):
        raise InputError(f"graph has shape {numbers.shape}, expected ({nodes},): the graph of each node.")
    present = np.unique(numbers)
    gaps = present != np.arange(present.size)
    if gaps.any():
        missing = int(np.argmax(gaps))
        raise InputError(
            f"no node belongs to graph {missing}, though one belongs to graph {present[-1]}, expected numbers without "
            "a gap from 0 on; renumber the graphs."
        )
    return numbers


def _check_shape(name: str, tensor: Tensor, rows: int) -> None:
    if tensor.ndim not in (1, 2) or tensor.shape[0] != rows:
        raise InputError(f"{name} has shape {tuple(tensor.shape)}, expected ({rows},) or ({rows}, heads).")


def _heads(given: dict[str, Tensor]) -> int:
    """Return the number of heads that the arguments with two axes share, 1 without any."""
    counts = {name: t.shape[1] for name, t in given.items() if t.ndim == 2 and t.shape[1] != 1}
    if len(set(counts.values())) > 1 or 0 in counts.values():
        listed = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise InputError(f"the numbers of heads differ or are 0: {listed}; expected one number of at least 1.")
    return next(iter(counts.values()), 1)


def _check_conductance(conductance: Tensor, edges: np.ndarray) -> None:
    wrong = ~((conductance > 0) & torch.isfinite(conductance))
    if bool(wrong.any()):
        edge, head = wrong.nonzero()[0].tolist()
        first, second = edges[edge]
        raise InputError(
            f"conductance is {conductance[edge, head].item():g} on edge {edge} between the nodes {first} and {second}"
            f"{_of_head(head, conductance)}, expected a finite number > 0; remove edges that let nothing through."
        )


def _check_nodes(name: str, tensor: Tensor, where: np.ndarray, least: float = -np.inf) -> None:
    """Refuse values that are not finite, or too small, at the nodes where they count."""
    counts = torch.from_numpy(where).to(tensor.device)[:, None]
    wrong = counts & ~((tensor >= least) & torch.isfinite(tensor))
    if bool(wrong.any()):
        node, head = wrong.nonzero()[0].tolist()
        bound = " >= 0" if least == 0 else ""
        raise InputError(
            f"{name} is {tensor[node, head].item():g} at node {node}{_of_head(head, tensor)}, expected a finite "
            f"number{bound}."
        )


def _of_head(head: int, tensor: Tensor) -> str:
    return f", head {head}" if tensor.shape[1] > 1 else ""
