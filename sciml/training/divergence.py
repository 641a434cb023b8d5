"""Checks that losses and weights are finite; the update at which they were not is named."""

from __future__ import annotations

import math
from functools import reduce
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from sciml.errors import DivergenceError, InputError

if TYPE_CHECKING:
    from lightning import LightningModule

ADVICE = {"loss": "lower the learning rate, or set training.gradient_clip", "step": "take smaller steps"}


@torch.no_grad()
def check_finite(
    task: LightningModule,
    history: list[dict[str, Tensor]],
    start: int,
    earlier: dict[str, Tensor],
    source: Literal["loss", "step"] = "loss",
) -> None:
    """Raise if a term of the loss or a weight is not finite; waits for the device once.

    Parameters
    ----------
    task : its trainable weights are looked at as they are now
    history : the terms of the loss at each update of this batch
    start : number of the first of these updates
    earlier : terms of an update before, of which all are finite; empty if there was none
    source : where the terms come from: ``Task.loss``, or ``Task.advance``, which makes a step of its own

    Raises
    ------
    InputError
        If the names of the terms change.
    DivergenceError
        Naming the term, the epoch, the update and the last finite value.
    """
    names = list(history[0])
    if different := next((terms for terms in [*history, earlier or history[0]] if list(terms) != names), None):
        raise InputError(
            f"the {source} of {type(task).__name__} has the terms {', '.join(different)} at one update and "
            f"{', '.join(names)} at another, expected the same terms in the same order at every update."
        )
    weights = [weight for weight in task.parameters() if weight.requires_grad]
    norm = torch.nn.utils.get_total_norm(weights)
    dtype = reduce(torch.promote_types, (term.dtype for term in history[0].values()), norm.dtype)
    values = torch.stack([term.to(dtype) for terms in history for term in terms.values()])
    finite = bool(torch.isfinite(values).all() & torch.isfinite(norm))
    # Every rank has to stop: the others would wait for this one for ever.
    if task.trainer.strategy.reduce_boolean_decision(finite):
        return
    run, place = {"loss": "training", "step": "the run"}[source], f"in epoch {task.current_epoch}"
    if finite:
        updates = f"updates {start} to {start + len(history) - 1}"
        raise DivergenceError(f"{run} diverged {place} on another rank, in the {updates}; its message names the term.")
    table = values.view(len(history), len(names)).tolist()
    before = [float(earlier[name]) for name in names] if earlier else None
    for update, row in enumerate(table, start):
        for index, name in enumerate(names):
            if not math.isfinite(row[index]):
                known = f"its last finite value was {before[index]:.6g}" if before else "it was never finite"
                raise DivergenceError(
                    f"{run} diverged {place}: the term {name} of the {source} is {row[index]} at update {update} "
                    f"(epochs and updates count from 0), {known}; {ADVICE[source]}."
                )
        before = row
    last = ", ".join(f"{name} = {value:.6g}" for name, value in zip(names, before, strict=True))
    what = _worst_weight(task)
    raise DivergenceError(
        f"{run} diverged {place}: {what} after update {start + len(history) - 1} (epochs and updates count from 0), "
        f"where the terms of the {source} were still finite: {last}; {ADVICE[source]}."
    )


def _worst_weight(task: LightningModule) -> str:
    for name, weight in task.named_parameters():
        if weight.grad is not None and not torch.isfinite(weight.grad).all():
            return f"the gradient of {name} is not finite"
        if not torch.isfinite(weight).all():
            return f"the weights {name} are not finite"
    return "the norm of the weights is not finite"
