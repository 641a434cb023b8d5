"""Cross-validation of a classifier of graphs, by protocols whose numbers must not be mixed up.

==============  ========================================================================================================
``nested``      each fold stops at the epoch before which graphs kept for validation were classified best, as a mean
                over ten epochs because they are few, the last of several; the test has no part in it
``gin``         one epoch for all folds, the best of the mean over the tests (Xu et al., ICLR 2019): optimistic
``last``        the last epoch of each fold
``test_best``   each fold stops at the epoch that is best in its own test: a maximum over noise, for comparison with
                papers that report it
==============  ========================================================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.utils import clip_grad_norm_

from sciml.cgs.classification import GraphClassification
from sciml.cgs.labelled_graph_data import LabelledGraphData
from sciml.checks import instance
from sciml.errors import ConfigError
from sciml.numerics.optimizers import make_optimizer
from sciml.numerics.random import seeded

if TYPE_CHECKING:
    from torch.utils.data import DataLoader

    from sciml.training.config import Config
    from sciml.training.settings import Training

SMOOTHED = 10  # epochs, over which the accuracy in validation is averaged


@dataclass(frozen=True, eq=False)
class Curves:
    """Shares of the graphs with the right class, and the loss in validation, after each epoch: ``(folds, epochs)``.

    Attributes
    ----------
    test, validation : shares
    validation_loss : cross-entropy
    """

    test: np.ndarray
    validation: np.ndarray
    validation_loss: np.ndarray

    def protocols(self) -> dict[str, float]:
        """Return the mean accuracy of each protocol over the folds, and the deviation of ``nested`` between them."""
        smooth = _running_means(self.validation, SMOOTHED)
        last_best = smooth.shape[1] - 1 - smooth[:, ::-1].argmax(1)
        chosen = self.test[np.arange(len(self.test)), last_best]
        return {
            "nested": float(chosen.mean()),
            "nested_deviation": float(chosen.std()),
            "gin": float(self.test.mean(0).max()),
            "last": float(self.test[:, -1].mean()),
            "test_best": float(self.test.max(1).mean()),
        }


def cross_validate(config: Config, folds: Sequence[int] | None = None) -> Curves:
    """Train the task of a config on each fold, with its optimiser, schedule, clipping and average of the weights.

    Parameters
    ----------
    config : of a :class:`GraphClassification` on :class:`LabelledGraphData`, with one phase
    folds : numbers of those to train on; all by default
    """
    data = instance("data", config.build_data(), LabelledGraphData, "LabelledGraphData", error=ConfigError)
    if len(config.training.phases) != 1:
        raise ConfigError(f"training has {len(config.training.phases)} phases, expected one for a cross-validation.")
    curves = []
    for fold in range(len(data.all_folds)) if folds is None else folds:
        task = instance("task", config.build_task(), GraphClassification, "GraphClassification", error=ConfigError)
        with seeded(config.seed):  # of dropout
            curves.append(_train(task, data.of_fold(fold), config.training))
    return Curves(*np.array(curves).transpose(2, 0, 1))


def _train(task: GraphClassification, data: LabelledGraphData, training: Training) -> list[tuple[float, float, float]]:
    """Train on one fold; return accuracy in test and validation and loss in validation after each epoch."""
    phase, batches = training.phases[0], data.train_dataloader()
    weights = list(task.parameters())
    optimizer = make_optimizer(phase.optimizer, weights, phase.learning_rate, phase.weight_decay, phase.options)
    averaged: list[torch.Tensor] = []
    curve, update = [], 0
    for epoch in range(phase.epochs):
        batches.sampler.set_epoch(epoch)
        task.train()
        for batch in batches:
            for group in optimizer.param_groups:
                group["lr"] = phase.rate(update, len(batches))
            optimizer.zero_grad()
            task.loss(batch)["cross_entropy"].backward()
            if training.gradient_clip is not None:
                clip_grad_norm_(weights, training.gradient_clip)
            optimizer.step()
            update += 1
            latest = [each.detach() for each in weights]
            averaged = averaged or [each.clone() for each in latest]
            torch._foreach_lerp_(averaged, latest, 1.0 - training.averaging_decay(max(1, update - 1)))
        curve.append(_evaluate(task, averaged, data))
    return curve


def _evaluate(
    task: GraphClassification, weights: Sequence[torch.Tensor], data: LabelledGraphData
) -> tuple[float, float, float]:
    """Return accuracy in test and validation and loss in validation, with given weights."""
    task.eval()
    own = [each.detach().clone() for each in task.parameters()]
    with torch.no_grad():
        for target, source in zip(task.parameters(), weights, strict=True):
            target.copy_(source)
        test = _mean(task, data.test_dataloader())
        validation = _mean(task, data.val_dataloader())
        for target, source in zip(task.parameters(), own, strict=True):
            target.copy_(source)
    return 1.0 - test["error_rate"], 1.0 - validation["error_rate"], validation["cross_entropy"]


def _running_means(values: np.ndarray, window: int) -> np.ndarray:
    """Return the means over each epoch and those before it, at most so many: ``(folds, epochs)``."""
    sums = np.cumsum(np.pad(values, ((0, 0), (1, 0))), axis=1)
    last = np.arange(1, values.shape[1] + 1)
    first = np.maximum(last - window, 0)
    return np.round((sums[:, last] - sums[:, first]) / (last - first), 12)  # equal ones stay equal


def _mean(task: GraphClassification, batches: DataLoader) -> dict[str, float]:
    """Return the means of the errors over all graphs."""
    found = [(task.validate(batch), batch.num_graphs) for batch in batches]
    total = sum(count for _, count in found)
    return {name: sum(float(each[name]) * count for each, count in found) / total for name in found[0][0]}
