"""Batches of any type: how many samples they have, and their precision."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, NamedTuple

import lightning
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from trainers import quiet_trainer

from sciml.training.batches import count_samples, to_float64
from sciml.training.settings import Phase, Training
from sciml.training.task import Task


class Graphs:
    """Stands in for a batch of PyTorch Geometric: nodes of several graphs, one after the other."""

    def __init__(self, x: Tensor, edges: Tensor, count: int) -> None:
        self.x, self.edges, self.num_graphs = x, edges, count

    def apply(self, function):
        self.x, self.edges = function(self.x), function(self.edges)
        return self

    def to(self, device):
        return self.apply(lambda tensor: tensor.to(device))


class Pair(NamedTuple):
    operator: object
    values: Tensor


@dataclass
class Flow:
    name: str
    time: Tensor
    fields: list[Tensor]


@dataclass(frozen=True)
class Nested:
    flow: Flow
    weights: Tensor


def graphs() -> Graphs:
    return Graphs(torch.ones(9, 2), torch.zeros(2, 12, dtype=torch.int64), 3)


def flow(count: int = 5) -> Flow:
    return Flow("channel", torch.tensor(0.5), [torch.zeros(count, 2), torch.zeros(7)])


@pytest.mark.parametrize(
    ("batch", "count"),
    [
        (torch.zeros(6, 2), 6),
        (torch.tensor(1.0), 1),
        ([torch.zeros(4, 1), torch.zeros(8)], 4),
        ((torch.tensor(0.1), torch.zeros(4)), 4),
        ({"a": {"b": torch.zeros(3)}, "c": torch.zeros(9)}, 3),
        (OrderedDict(a="text", b=torch.zeros(2)), 2),
        (Pair(object(), torch.zeros(7, 1)), 7),
        (flow(), 5),
        (Nested(flow(11), torch.zeros(2)), 11),
        (graphs(), 3),
        ({"mesh": graphs(), "y": torch.zeros(9)}, 3),
        (0, 1),
        (["a", "b"], 1),
        ([], 1),
    ],
)
def test_the_samples_of_a_batch_of_any_type_are_counted(batch, count):
    assert count_samples(batch) == count


def floating(batch: Any) -> set[torch.dtype]:
    """The types of all tensors of numbers with a fraction in a batch."""
    if isinstance(batch, Tensor):
        return {batch.dtype} if batch.is_floating_point() else set()
    parts = (
        batch.values()
        if isinstance(batch, dict)
        else batch
        if isinstance(batch, list | tuple)
        else vars(batch).values()
    )
    return set().union(
        *(floating(part) for part in parts if isinstance(part, Tensor | dict | list | tuple | Flow | Graphs))
    )


@pytest.mark.parametrize(
    "batch",
    [
        torch.ones(2),
        [torch.ones(2), {"a": torch.ones(3)}],
        Pair("A", torch.ones(3)),
        flow(),
        Nested(flow(), torch.ones(2)),
        graphs(),
        {"mesh": graphs(), "flow": (flow(), torch.ones(1))},
    ],
)
def test_every_tensor_of_a_nested_batch_becomes_float64_in_a_copy(batch):
    converted = to_float64(batch)
    assert type(converted) is type(batch)
    assert floating(converted) == {torch.float64}
    assert floating(batch) == {torch.float32}, "what the data set holds stays as it is"


def test_other_things_pass_through():
    edges = torch.arange(3)
    assert to_float64(edges) is edges
    assert to_float64("text") == "text"
    assert to_float64(Pair("A", edges)).operator == "A"
    assert to_float64(graphs()).edges.dtype == torch.int64


class OnGraphs(Task):
    """The mean over graphs whose numbers differ from batch to batch."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(()))

    def loss(self, batch: Graphs) -> dict[str, Tensor]:
        assert batch.x.dtype == self.scale.dtype
        return {"square": (self.scale * batch.x).square().mean()}


class SomeGraphs(lightning.LightningDataModule):
    """Two batches: one graph with the value 1, three with the value 2."""

    def train_dataloader(self) -> DataLoader:
        batches = [
            Graphs(torch.full((count, 1), float(value)), torch.zeros(2, 1), count) for value, count in ((1, 1), (2, 3))
        ]
        return DataLoader(batches, batch_size=None)

    val_dataloader = train_dataloader


@pytest.mark.parametrize("precision", ["32-true", "64-true"])
def test_training_and_evaluation_weigh_graph_batches_by_their_graphs_in_either_precision(tmp_path, precision):
    task = OnGraphs()
    task = task.double() if precision == "64-true" else task
    task.prepare(Training([Phase(1, learning_rate=1e-12)]), 0)
    trainer = quiet_trainer(1, precision=precision, default_root_dir=tmp_path, num_sanity_val_steps=0)
    trainer.fit(task, datamodule=SomeGraphs())
    mean = (1 * 1 + 3 * 4) / 4
    assert float(trainer.callback_metrics["val/square"]) == pytest.approx(mean)
    task.trainer = None
    assert task.evaluate(SomeGraphs())["square"] == pytest.approx(mean)
