"""Means of a task's errors over the samples of a data set."""

from __future__ import annotations

from collections.abc import Sized
from typing import TYPE_CHECKING

import lightning
import torch
from lightning.pytorch.utilities import move_data_to_device
from lightning.pytorch.utilities.model_helpers import is_overridden

from sciml.errors import InputError
from sciml.training.batches import count_samples, to_float64

if TYPE_CHECKING:
    from sciml.training.task import Task


def mean_errors(task: Task, data: lightning.LightningDataModule) -> tuple[dict[str, float], int]:
    """Return the means of :meth:`~sciml.training.task.Task.validate` by name, and the number of samples.

    Parameters
    ----------
    task : in evaluation mode meanwhile
    data : of which the test set is taken, the validation set if it has no test set

    Raises
    ------
    InputError
        If it has neither, or the set is empty.
    """
    data.prepare_data()
    if is_overridden("test_dataloader", data):
        data.setup("test")
        batches = data.test_dataloader()
    elif is_overridden("val_dataloader", data):
        data.setup("validate")
        batches = data.val_dataloader()
    else:
        raise InputError(f"{type(data).__name__} has neither a test set nor a validation set to evaluate on.")
    was_training = task.training
    task.eval()
    sums: dict[str, float] = {}
    samples = 0
    with torch.no_grad():
        for number, batch in enumerate(batches):
            task.tell("evaluating", number / len(batches) if isinstance(batches, Sized) else None)
            count = count_samples(batch)
            batch = move_data_to_device(batch, task.device)
            if task.dtype == torch.float64:
                batch = to_float64(batch)  # as in training
            for name, value in task.validate(batch).items():
                sums[name] = sums.get(name, 0.0) + float(value) * count
            samples += count
    task.train(was_training)
    if not samples:
        raise InputError(f"the set of {type(data).__name__} to evaluate on is empty.")
    return {name: value / samples for name, value in sums.items()}, samples
