"""Ensembles for first frames, and their scores on the test set of a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from lightning.pytorch.utilities import move_data_to_device
from torch import Generator, Tensor
from torch.utils.data import DataLoader

from sciml.numerics.random import generator
from sciml.text2pde.scores import EnsembleScores
from sciml.text2pde.trajectories import trajectories
from sciml.training.batches import to_float64

if TYPE_CHECKING:
    from sciml.text2pde.first_frame_task import FirstFrameTask

EVALUATION = 2  # counter of draws out of the training


def ensemble(
    task: FirstFrameTask, frames: Tensor, parameters: Tensor | None, draws: Generator, steps: int | None = None
) -> np.ndarray:
    r"""Return trajectories that satisfy the constraints of a task, ``(members, batch, channels, time, \*space)``.

    Parameters
    ----------
    task : trained
    frames, parameters, draws, steps : as :meth:`FirstFrameTask.draw
        <sciml.text2pde.first_frame_task.FirstFrameTask.draw>` takes them
    """
    drawn = (task.draw(frames, parameters, draws, steps) for _ in range(task.members))
    return np.stack([task.constraints(each, frames, task.place.grid) for each in drawn])


def ensemble_scores(task: FirstFrameTask, batches: DataLoader[Any], seed: int) -> EnsembleScores:
    """Return the scores of ensembles for trajectories, added up.

    Parameters
    ----------
    task : trained
    batches : of trajectories
    seed : of the draws, which are others in each batch
    """
    scores, was_training = EnsembleScores(task.deviations), task.training
    task.eval()
    for index, batch in enumerate(batches):
        task.tell("evaluating", index / len(batches))
        moved = move_data_to_device(batch, task.device)
        moved = to_float64(moved) if task.dtype == torch.float64 else moved
        truth = trajectories(moved)
        draws = generator(seed, EVALUATION, index, device=task.device)
        members = ensemble(task, truth[:, :, 0], moved["parameters"], draws)
        scores.add(members, truth.cpu().double().numpy(), batch["trajectory"].tolist())
    task.train(was_training)
    return scores
