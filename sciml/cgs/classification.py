"""Classification of graphs by the tags of their nodes and by their edges."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import lightning
import torch
from torch import Tensor
from torch.nn import functional

from sciml.cgs.labelled_graph_data import LabelledGraphData
from sciml.cgs.model import GraphModel
from sciml.checks import instance, number, whole_number
from sciml.errors import ConfigError, InputError
from sciml.training.task import Task

if TYPE_CHECKING:
    from torch_geometric.data import Batch


DRAWN = 8  # graphs in the figure


class GraphClassification(Task):
    """Learn the class of a graph from the tags of its nodes.

    The feature of a node is its tag in one-hot form, that of an edge is zero, as published. The loss is the
    cross-entropy.

    Parameters
    ----------
    model : with ``tags`` features of a node, one of an edge, and ``classes`` outputs for each graph
    tags : number of tags
    classes : number of classes
    label_smoothing : share of the target that is spread over all classes, at least 0 and less than 1
    """

    units: ClassVar[Mapping[str, str]] = {"cross_entropy": "nats"}
    sample_name: ClassVar[str] = "graph"

    def __init__(self, model: GraphModel, tags: int, classes: int = 2, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self._shown: Batch | None = None
        self.tags = whole_number("tags", tags, at_least=1, error=ConfigError)
        self.classes = whole_number("classes", classes, at_least=2, error=ConfigError)
        self.label_smoothing = number("label_smoothing", label_smoothing, at_least=0, below=1, error=ConfigError)
        self.model = model
        self._check_model()

    def check_data(self, data: lightning.LightningDataModule) -> None:
        """Refuse data without labelled graphs, with more tags or classes than the task has, or with too few graphs."""
        labelled = instance("data", data, LabelledGraphData, "LabelledGraphData", error=ConfigError)
        for number_of, graph in enumerate(labelled.graphs):
            try:
                _check_numbers("tags", graph.tag, self.tags)
                _check_numbers("classes", graph.y, self.classes)
            except InputError as error:
                raise InputError(f"{labelled.path}, graph {number_of}: {error}") from error
        _ = labelled.parts  # which a file with too few graphs does not have

    def evaluate(self, data: lightning.LightningDataModule) -> dict[str, float]:
        """Return the means of :meth:`validate` over the graphs of the test."""
        instance("data", data, LabelledGraphData, "LabelledGraphData", error=ConfigError)
        return super().evaluate(data)

    def logits(self, batch: Batch) -> Tensor:
        """Return the logarithms of the probabilities of the classes but for a constant, ``(graphs, classes)``.

        Parameters
        ----------
        batch : with ``tag`` (N,) and ``edge_index``
        """
        _check_numbers("tags", batch.tag, self.tags)
        return self.model.answer(self._featured(batch)).values

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the cross-entropy of the classes over the graphs of a batch."""
        _check_numbers("classes", batch.y, self.classes)
        logits = self.logits(batch)
        return {"cross_entropy": functional.cross_entropy(logits, batch.y, label_smoothing=self.label_smoothing)}

    def validate(self, batch: Batch) -> dict[str, Tensor]:
        """Return the share of graphs with a wrong class, and the cross-entropy, both as means over the graphs."""
        logits = self.logits(batch)
        return {
            "error_rate": (logits.argmax(1) != batch.y).to(logits).mean(),
            "cross_entropy": functional.cross_entropy(logits, batch.y),
        }

    def _featured(self, batch: Batch) -> Batch:
        """Return a shallow copy with the features of nodes and edges."""
        featured = copy.copy(batch)
        weight = next(self.model.parameters())
        featured.x = functional.one_hot(batch.tag, self.tags).to(weight.dtype)
        featured.edge_attr = weight.new_zeros(batch.edge_index.shape[1], 1)
        return featured

    def validation_step(self, batch: Batch, index: int) -> None:
        """Log the means of :meth:`validate`, and remember graphs for the figure."""
        super().validation_step(batch, index)
        self._shown = batch

    def figures(self, folder: Path) -> None:
        """Draw ``classes.png``, graphs of the validation with their true and predicted classes, if there were any."""
        if self._shown is None:
            return
        from sciml.plots import ClassifiedGraph, classified_graphs

        batch = self._shown.to(self.device)
        with torch.no_grad():
            predicted = self.logits(batch).argmax(1).tolist()
        drawn = [
            ClassifiedGraph(graph.edge_index.cpu().numpy(), graph.tag.cpu().numpy(), int(graph.y), guess)
            for graph, guess in list(zip(batch.to_data_list(), predicted, strict=True))[:DRAWN]
        ]
        wrong = sum(guess != true for guess, true in zip(predicted, batch.y.tolist(), strict=True))
        title = f"Graphs of the validation, nodes by tag; {wrong} of {len(predicted)} classes are wrong"
        classified_graphs(drawn, folder / "classes.png", title=title)

    def _check_model(self) -> None:
        """Apply the model to one graph of two nodes, so that numbers of features that do not fit are found at once."""
        from torch_geometric.data import Batch, Data

        pair = Data(tag=torch.zeros(2, dtype=torch.long), edge_index=torch.tensor([[0, 1], [1, 0]]), num_nodes=2)
        wanted = (1, self.classes)
        was_training = self.model.training
        try:
            with torch.no_grad():
                self.model.eval()
                found = tuple(self.model(self._featured(Batch.from_data_list([pair]))).values.shape)
        except (InputError, RuntimeError):
            raise ConfigError(
                f"the model does not take graphs with {self.tags} features of a node and 1 of an edge; set its "
                f"node_dim to {self.tags} and its edge_dim to 1."
            ) from None
        finally:
            self.model.train(was_training)
        if found != wanted:
            raise ConfigError(
                f"the model returns values of shape {found} for one graph, expected {wanted}; set its outputs to "
                f"{self.classes} and its readout to sum or mean."
            )


def _check_numbers(name: str, numbers: Tensor, count: int) -> None:
    """Refuse numbers of tags or classes that are not below how many the task has."""
    if int(numbers.max()) >= count:
        raise InputError(f"the graphs have {int(numbers.max()) + 1} {name} or more, expected {count}; set {name}.")
