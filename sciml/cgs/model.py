"""Convergent graph solvers as networks: the model of the paper, and one with an anchored head."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch import Tensor, cat, nn

from sciml.cgs.conductances import Conductances, Sinks
from sciml.cgs.features import model_input
from sciml.cgs.fixed_points import FixedPointSolver
from sciml.cgs.heads import AnchoredHead, ContractiveHead, Squash
from sciml.checks import choice, number, whole_number
from sciml.errors import DivergenceError
from sciml.nets.coordinate import check_counts
from sciml.nets.message_passing import Activation, Aggregation, AttentionEncoder, perceptron

if TYPE_CHECKING:
    from torch_geometric.data import Batch

Readout = Literal["nodes", "sum", "mean"]
READOUTS: tuple[Readout, ...] = get_args(Readout)


@dataclass(frozen=True)
class SolveReport:
    """A report on the solution of the system of a graph, or of a batch of them.

    Attributes
    ----------
    method : name of the solver
    iterations : the largest number; of a direct solver those of its refinement
    error_bound : a bound on the error of what the solver finds, relative to the largest value, of all graphs and heads;
        of a decoded model these are the fixed points in front of the decoder
    converged : whether it is below the tolerance
    """

    method: str
    iterations: int
    error_bound: float
    converged: bool = True

    def check(self) -> None:
        """Raise if the solver has not converged.

        Raises
        ------
        DivergenceError
            With the number of iterations and the error that was reached.
        """
        if not self.converged:
            raise DivergenceError(
                f"the system of a graph is solved to a relative error of {self.error_bound:.2g} only by the solver "
                f"{self.method} (iterations: {self.iterations}); allow more iterations, or choose a larger rtol or "
                "another solver."
            )


@dataclass(frozen=True, eq=False)
class GraphAnswer:
    """The output of a model on a graph or a batch of graphs.

    Attributes
    ----------
    values : ``(N,)`` of the nodes, ``(N, outputs)`` of several, or of whole graphs
    report : of the solver
    conductance : ``(m,)`` of the throats but for a unit, if the model has any
    correction : of the power laws in them, of any shape; zero without any
    sink : ``(N,)`` of the nodes, if the model has any
    """

    values: Tensor
    report: SolveReport
    conductance: Tensor | None = None
    correction: Tensor = field(default_factory=lambda: torch.zeros(1))
    sink: Tensor | None = None

    @property
    def has_permeability(self) -> bool:
        """True if what flows in flows out: there are conductances, and no sinks that take from the flow."""
        return self.conductance is not None and self.sink is None


class GraphModel(nn.Module, ABC):
    """Base of the models that the tasks of this package train, each with a report of its solver."""

    @abstractmethod
    def forward(self, graph: Batch) -> GraphAnswer:
        """Return values and the report of the solver.

        Parameters
        ----------
        graph : with the features that the model needs
        """

    def answer(self, graph: Batch) -> GraphAnswer:
        """Return the output on a graph; in evaluation mode its solver must have converged.

        In training an error that the next updates outgrow need not end the run; whoever trains may count such solves.

        Raises
        ------
        DivergenceError
            If the solver has not converged, or the weights have diverged.
        """
        found = self(graph)
        if not self.training:
            found.report.check()
        return found


class DecodedGraphModel(GraphModel):
    """Base of the models that decode features of the nodes, each by itself or pooled over its graph.

    A subclass sets ``decoder`` where it draws its weights.

    Parameters
    ----------
    sizes : features of a node, ``x``, and of a directed edge, ``edge_attr``, where None takes any number; outputs
    readout : ``"nodes"``, or ``"sum"`` or ``"mean"`` over the nodes of each graph in front of the decoder
    dropout : share of what the decoder sees that is set to zero while training
    """

    decoder: nn.Sequential

    def __init__(self, sizes: tuple[int, int | None, int], readout: Readout, dropout: float) -> None:
        super().__init__()
        named = dict(zip(("node_dim", "edge_dim", "outputs"), sizes, strict=True))
        check_counts(**{name: size for name, size in named.items() if size is not None})
        self.node_dim, self.edge_dim, self.outputs = sizes
        self.readout = choice("readout", readout, READOUTS)
        self.dropout = nn.Dropout(number("dropout", dropout, at_least=0, below=1))

    def features_of(self, graph: Batch) -> tuple[Tensor, Tensor]:
        """Return the features of nodes and edges of a graph, if it has those that the model takes."""
        dtype = self.decoder[0].weight.dtype
        nodes = model_input(graph, "x", "node_dim", self.node_dim)
        return nodes.to(dtype), model_input(graph, "edge_attr", "edge_dim", self.edge_dim).to(dtype)

    def decoded(self, features: Tensor, graph: Batch) -> Tensor:
        """Return the values of the nodes or of the graphs; without the last axis if there is one output.

        Parameters
        ----------
        features : ``(N, d)`` of the nodes, as many as the decoder takes
        """
        if self.readout != "nodes":
            from torch_geometric.utils import scatter  # 2 s to import

            features = scatter(features, graph.batch, 0, dim_size=graph.num_graphs, reduce=self.readout)
        values = self.decoder(self.dropout(features))
        return values[:, 0] if values.shape[1] == 1 else values


class ConvergentGraphSolver(DecodedGraphModel):
    """The model of the paper: encoder, contractive heads whose maps it proposes, fixed points, decoder.

    An encoder of attention layers gives each node the biases and each edge the weights of ``heads`` maps
    x -> gamma A x + b; a perceptron decodes the fixed points of all heads of a node, or of their sum over a graph.

    Parameters
    ----------
    node_dim, edge_dim : features of a node, ``x``, and of a directed edge, ``edge_attr``
    outputs : values of each node, or of each graph
    heads : number of the maps
    gamma, squash : of the :class:`~sciml.cgs.ContractiveHead`
    layers, width : of the encoder, and features between its layers
    hidden : units of the hidden layers of its perceptrons
    decoder : units of the hidden layers of the decoder
    activation, aggregation, activates_output : of the encoder
    readout : ``"nodes"``, or ``"sum"`` or ``"mean"`` over the nodes of each graph before the decoder
    solver : of the fixed points
    residual : whether the decoder sees the biases beside the fixed points
    dropout : share of what the decoder sees that is set to zero while training

    References
    ----------
    Park, Choo and Park, "Convergent graph solvers", ICLR 2022.
    """

    def __init__(  # noqa: PLR0913 - the keys of a config
        self,
        node_dim: int,
        edge_dim: int,
        outputs: int = 1,
        *,
        heads: int = 16,
        gamma: float = 0.5,
        squash: Squash = "sigmoid",
        layers: int = 1,
        width: int = 32,
        hidden: Sequence[int] = (64,),
        decoder: Sequence[int] = (64, 32),
        activation: Activation = "leaky_relu",
        aggregation: Aggregation = "sum",
        activates_output: bool = False,
        readout: Readout = "nodes",
        solver: FixedPointSolver | None = None,
        residual: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__((node_dim, edge_dim, outputs), readout, dropout)
        whole_number("heads", heads, at_least=1)
        self.residual = residual
        self.encoder = AttentionEncoder(
            node_dim,
            edge_dim,
            heads,
            heads,
            width=width,
            layers=layers,
            hidden=hidden,
            activation=activation,
            aggregation=aggregation,
            activates_output=activates_output,
        )
        self.head = ContractiveHead(gamma, squash, solver)
        self.decoder = perceptron([2 * heads if residual else heads, *decoder, outputs], activation)

    def forward(self, graph: Batch) -> GraphAnswer:
        """Return the values of the nodes or of the graphs; without the last axis if there is one output."""
        nodes, edges = self.features_of(graph)
        bias, logits = self.encoder(nodes, graph.edge_index, edges)
        fixed, report = self.head(graph.edge_index, logits, bias, graph.batch)
        values = self.decoded(cat([fixed, bias], 1) if self.residual else fixed, graph)
        error = float(report.error.max()) if report.error.numel() else 0.0
        found = SolveReport(report.method, report.iterations, error, report.converged)
        return GraphAnswer(values, found)


class AnchoredGraphSolver(GraphModel):
    """A model with one anchored head: the network gives conductances, the solver the values of the nodes.

    Parameters
    ----------
    conductances : of the throats
    sinks : of the nodes; none by default
    rtol : bound of the error of the values
    """

    def __init__(self, conductances: Conductances, sinks: Sinks | None = None, rtol: float = 1e-8) -> None:
        super().__init__()
        self.head = AnchoredHead(conductances, sinks, rtol)

    def forward(self, graph: Batch) -> GraphAnswer:
        """Return the values of the nodes and the conductances, in float64."""
        found = self.head(graph)
        info = found.report
        report = SolveReport(info.method, info.iterations, float(info.error_bound.max()))
        return GraphAnswer(found.values, report, found.conductance, found.correction, found.sink)
