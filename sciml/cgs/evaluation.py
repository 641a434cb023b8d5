"""Errors of a task on several test sets of graphs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch

from sciml.training.task import Task

if TYPE_CHECKING:
    from torch_geometric.data import Batch


def errors_by_set(task: Task, sets: Mapping[str, Sequence[Batch]]) -> dict[str, float]:
    """Return the errors of :meth:`~sciml.training.task.Task.validate` on each test set, means over its graphs.

    Parameters
    ----------
    task : put into evaluation mode
    sets : batches of graphs by the name of their set, which follows that of the error, as in ``mse_1300``

    Raises
    ------
    DivergenceError
        If a solver does not converge on a graph.
    """
    task.eval()
    found: dict[str, float] = {}
    task.evaluated = 0
    for done, (name, batches) in enumerate(sets.items()):
        task.tell("evaluating", done / len(sets))
        with torch.no_grad():
            errors = [(task.validate(batch.to(task.device)), batch.num_graphs) for batch in batches]
        total = sum(count for _, count in errors)
        task.evaluated += total
        for key in errors[0][0]:
            found[f"{key}_{name}"] = sum(float(each[key]) * count for each, count in errors) / total
    return found
