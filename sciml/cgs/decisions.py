"""Value iteration: random graphs of decisions, and a task that learns their values from rewards."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import lightning
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from sciml.cgs.bellman import Decisions
from sciml.cgs.evaluation import errors_by_set
from sciml.cgs.features import check_answer
from sciml.cgs.model import GraphModel
from sciml.checks import instance, number, whole_number
from sciml.data.modules import Draws
from sciml.data.sampling import EpochShuffle
from sciml.errors import ConfigError
from sciml.numerics.random import generator
from sciml.reference.value_iteration import DecisionGraph, join, random_decision_graph
from sciml.training.task import Task

if TYPE_CHECKING:
    from torch_geometric.data import Batch

VALIDATION, TEST, EXAMPLE = 1, 2, 3  # streams of the draws that training never sees
BATCH = 16  # graphs at a time in validation and test


@dataclass(frozen=True)
class DecisionSet:
    """A set of graphs to test on.

    Parameters
    ----------
    states : of each graph
    actions : edges that enter each state
    graphs : how many
    """

    states: int
    actions: int
    graphs: int = 32


class DecisionGraphs(Draws):
    """Random graphs of decisions with their values (:mod:`sciml.reference.value_iteration`), as published.

    A batch of training is a counter: the task draws its graphs as a function of (seed, update). Those for validation
    and test are drawn once, from other streams. A node has the feature 1, an edge its reward.

    Parameters
    ----------
    states, actions : of a graph of training and validation, from the first number to one less than the second
    graphs : in a batch of training
    batches_per_epoch : of training
    validation_graphs : how many
    tests : test sets by name, the headline first
    discount : of the rewards, which a model does not see
    seed : of the graphs for validation and test
    """

    def __init__(  # noqa: PLR0913 - the keys of a config
        self,
        states: tuple[int, int] = (20, 50),
        actions: tuple[int, int] = (5, 10),
        graphs: int = 16,
        batches_per_epoch: int = 100,
        validation_graphs: int = 16,
        tests: dict[str, DecisionSet] | None = None,
        discount: float = 0.9,
        seed: int = 0,
    ) -> None:
        super().__init__(batches_per_epoch, 1)
        least = whole_number("the smallest number of actions", actions[0], at_least=1, error=ConfigError)
        whole_number("the number of actions", actions[1], at_least=least + 1, error=ConfigError)
        least = whole_number("the smallest number of states", states[0], at_least=actions[1], error=ConfigError)
        whole_number("the number of states", states[1], at_least=least + 1, error=ConfigError)
        self.states, self.actions = tuple(states), tuple(actions)
        self.graphs = whole_number("graphs", graphs, at_least=1, error=ConfigError)
        self.validation_graphs = whole_number("validation_graphs", validation_graphs, at_least=1, error=ConfigError)
        self.tests = {"100x10": DecisionSet(100, 10), "200x20": DecisionSet(200, 20)} if tests is None else dict(tests)
        for name, test in self.tests.items():
            whole_number(f"actions of {name}", test.actions, at_least=1, error=ConfigError)
            whole_number(f"states of {name}", test.states, at_least=test.actions + 1, error=ConfigError)
            whole_number(f"graphs of {name}", test.graphs, at_least=1, error=ConfigError)
        self.discount = number("the discount", discount, at_least=0, below=1, error=ConfigError)
        self.seed = whole_number("seed", seed, at_least=0, error=ConfigError)

    def draw(self, random: torch.Generator) -> Batch:
        """Return a batch of training.

        Parameters
        ----------
        random : of the update
        """
        return self._batch(random, self.graphs)

    def example(self) -> Batch:
        """Return one graph like those of training, always the same one."""
        return self._batch(generator(self.seed, EXAMPLE), 1)

    def val_dataloader(self) -> DataLoader | list:
        """Return the validation set in batches."""
        draws = [(generator(self.seed, VALIDATION, first), count) for first, count in _batches(self.validation_graphs)]
        return _loader([self._batch(*draw) for draw in draws])

    def test_dataloader(self) -> DataLoader | list:
        """Return the batches of all test sets."""
        return _loader([batch for batches in self.test_sets().values() for batch in batches])

    def test_sets(self) -> dict[str, list[Batch]]:
        """Return the batches of each test set by its name."""
        return {
            name: [
                self._batch(generator(self.seed, TEST, which, first), count, test)
                for first, count in _batches(test.graphs)
            ]
            for which, (name, test) in enumerate(self.tests.items())
        }

    def _batch(self, random: torch.Generator, count: int, test: DecisionSet | None = None) -> Batch:
        numbers = np.random.default_rng(int(torch.randint(2**62, (), generator=random, device=random.device)))
        states = [int(numbers.integers(*self.states)) if test is None else test.states for _ in range(count)]
        actions = [int(numbers.integers(*self.actions)) if test is None else test.actions for _ in range(count)]
        return decision_batch(
            [random_decision_graph(*sizes, numbers, self.discount) for sizes in zip(states, actions, strict=True)]
        )


def decision_batch(graphs: Sequence[DecisionGraph]) -> Batch:
    """Return graphs of decisions as one graph batch, in float64.

    ``x`` (N, 1) ones; ``edge_index`` (2, E); ``edge_attr`` (E, 1) rewards; ``discount`` (graphs,); ``y`` (N,) values.

    Parameters
    ----------
    graphs : of one discount
    """
    from torch_geometric.data import Batch, Data

    values = np.split(join(graphs).optimum().values, np.cumsum([graph.states for graph in graphs])[:-1])
    return Batch.from_data_list(
        [
            Data(
                x=torch.ones(graph.states, 1, dtype=torch.float64),
                edge_index=torch.tensor(graph.edges),
                edge_attr=torch.tensor(graph.rewards[:, None]),
                discount=torch.tensor([graph.discount], dtype=torch.float64),
                y=torch.tensor(exact),
            )
            for graph, exact in zip(graphs, values, strict=True)
        ]
    )


class ValueIteration(Task):
    """Learn the values of states from the rewards of edges.

    The loss is the mean square error over the states of a batch.

    Parameters
    ----------
    model : gives the values of the nodes
    """

    units: ClassVar[Mapping[str, str]] = {"mse": "value²"}
    sample_name: ClassVar[str] = "graph"

    def __init__(self, model: GraphModel) -> None:
        super().__init__()
        self._shown: Batch | None = None
        self.model = model

    @torch.no_grad()
    def check_data(self, data: lightning.LightningDataModule) -> None:
        """Refuse data without graphs of decisions, and a model that does not suit their features."""
        graph = instance("data", data, DecisionGraphs, "DecisionGraphs", error=ConfigError).example()
        check_answer(copy.deepcopy(self.model).eval()(graph).values, graph.y)

    def sample(self, batch: int) -> Batch:
        """Return graphs that are drawn as a function of seed and update."""
        data = instance("data", self.trainer.datamodule, DecisionGraphs, "DecisionGraphs", error=ConfigError)
        return data.draw(self.generator()).to(self.device)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Return the mean square error of the values."""
        return {"values": (self.model.answer(batch).values - batch.y).square().mean()}

    def validate(self, batch: Batch) -> dict[str, Tensor]:
        """Return the errors of a batch by name, means over its graphs.

        ``policy_error`` is the share of states whose best edge is not that under the exact values, ``relative_error``
        that of a value relative to the exact one (MAPE / 100), and ``mse`` the square error.
        """
        predicted = self.model.answer(batch).values.to(batch.y)
        found = {
            "policy_error": (best_edges(batch, predicted) != best_edges(batch, batch.y)).double(),
            "relative_error": ((predicted - batch.y) / batch.y).abs(),
            "mse": (predicted - batch.y).square(),
        }
        sizes = torch.bincount(batch.batch, minlength=batch.num_graphs)
        weights = 1.0 / (sizes * batch.num_graphs)[batch.batch]
        return {name: (weights * values).sum() for name, values in found.items()}

    def validation_step(self, batch: Batch, index: int) -> None:
        """Log the means of :meth:`validate`, and remember graphs for the figure."""
        super().validation_step(batch, index)
        self._shown = batch

    def figures(self, folder: Path) -> None:
        """Draw ``decisions.png``, a graph of the validation, if there was one since the run went on.

        Its states stand at their values, with the best decisions and those that the predicted values take instead.
        """
        if self._shown is None:
            return
        from torch_geometric.data import Batch

        from sciml.plots import DecisionPicture, decisions_picture

        graph = Batch.from_data_list(self._shown.to_data_list()[:1]).to(self.device)
        with torch.no_grad():
            predicted = self.model(graph).values.to(graph.y)
        terminal = torch.bincount(graph.edge_index[1], minlength=graph.num_nodes) == 0
        best, chosen = (best_edges(graph, values).masked_fill(terminal, -1) for values in (graph.y, predicted))
        shown = (each.cpu().numpy() for each in (graph.edge_index, graph.y, predicted, best, chosen))
        title = "A graph of the validation: values of the states, and an arrow along the decision of each"
        decisions_picture(DecisionPicture(*shown), folder / "decisions.png", title=title)

    def evaluate(self, data: lightning.LightningDataModule) -> dict[str, float]:
        """Return the metrics of :meth:`validate` for each test set, with the name of the set behind each."""
        instance("data", data, DecisionGraphs, "DecisionGraphs", error=ConfigError)
        return errors_by_set(self, data.test_sets())


def best_edges(graph: Batch, values: Tensor) -> Tensor:
    """Return the edge that is best for each node under given values, ``(N,)``, by the exact rewards and discounts.

    Parameters
    ----------
    values : (N,)
    """
    source = graph.edge_index[0]
    edge_values = graph.edge_attr[:, 0] + graph.discount[graph.batch[source]] * values[source]
    return Decisions(graph.edge_index, graph.num_nodes).best(edge_values[:, None])[:, 0]


def _loader(batches: Sequence[Batch]) -> DataLoader:
    return DataLoader(batches, batch_size=None, sampler=EpochShuffle(len(batches), shuffle=False))  # type: ignore[arg-type]


def _batches(graphs: int) -> Iterator[tuple[int, int]]:
    """Yield the first graph of each batch and how many it has."""
    for first in range(0, graphs, BATCH):
        yield first, min(BATCH, graphs - first)
