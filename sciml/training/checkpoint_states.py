"""The state of a run in a checkpoint, checked before a run goes on from it.

Lightning takes over whatever the loops of a checkpoint say: a number of epochs beyond the end would finish a run
without an update, a negative one would start it anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from sciml.checks import choice, instance, number, shown, whole_number
from sciml.errors import CheckpointError, InputError
from sciml.training.settings import Training

_CONNECTOR = "checkpoint_connector"  # the module of Lightning that restores a checkpoint
_LARGEST_COUNT = 1 << 62
_ORDER = ("completed", "processed", "started", "ready")  # counts of epochs, from the smallest


def check_state(checkpoint: Mapping[str, Any], path: Path, training: Training) -> None:
    """Refuse a checkpoint that no run with these settings writes.

    Parameters
    ----------
    checkpoint : read from ``path``
    training : phases and epochs of the run

    Raises
    ------
    CheckpointError
        If a count is none, or the run is beyond its end.
    """
    try:
        for name, kind in (("loops", dict), ("callbacks", dict), ("optimizer_states", list), ("lr_schedulers", list)):
            instance(name, checkpoint.get(name), kind, "the state of a run")
        _check_counts(checkpoint, training.epochs)
        optimizers = 0 if training.is_own else len(training.phases)
        choice("the number of optimizers", len(checkpoint["optimizer_states"]), [optimizers])
        _check_batches(checkpoint["loops"]["fit_loop"])
        _check_callbacks(checkpoint["callbacks"])
    except InputError as error:
        reason = str(error).rstrip(".")
        raise CheckpointError(
            f"{path} is not the state of a run of {training.epochs} epochs: {reason}; use another checkpoint."
        ) from error


def restoring_failed(error: Exception, path: Path) -> CheckpointError | None:
    """Return the error of a checkpoint that Lightning could not restore, None if something else has failed."""
    if not any(name.endswith(_CONNECTOR) for name in _modules(error.__traceback__)):
        return None
    reason = str(error).strip().splitlines() or [type(error).__name__]
    return CheckpointError(f"{path} does not fit the run: {reason[0].rstrip('.')}; use another checkpoint.")


def _check_counts(checkpoint: Mapping[str, Any], epochs: int) -> None:
    whole_number("global_step", checkpoint.get("global_step"), at_least=0)
    counts: Any = checkpoint["loops"]
    for name in ("fit_loop", "epoch_progress", "current"):
        counts = instance(name, counts.get(name), dict, "the state of a run")
    least = 0
    for name in _ORDER:
        least = whole_number(f"the number of {name} epochs", counts.get(name), at_least=least, at_most=epochs)
    done = counts["processed"]
    whole_number("epoch", checkpoint.get("epoch"), at_least=max(done - 1, 0), at_most=done)


def _check_batches(loop: Mapping[str, Any]) -> None:
    """Check the counts of batches; what else a loop keeps, such as the state of a data loader, is its own affair."""
    progress = instance("the number of batches", loop.get("epoch_loop.batch_progress", {}), dict, "the state of a run")
    state = instance("the number of steps", loop.get("epoch_loop.state_dict", {}), dict, "the state of a run")
    whole_number("the number of steps", state.get("_batches_that_stepped", 0), at_least=0, at_most=_LARGEST_COUNT)
    for part in ("total", "current"):
        for name, count in instance(part, progress.get(part, {}), dict, "numbers of batches").items():
            whole_number(f"the number of {shown(name)} batches", count, at_least=0, at_most=_LARGEST_COUNT)


def _check_callbacks(callbacks: Mapping[str, Any]) -> None:
    for name, state in callbacks.items():
        instance(f"the state of {shown(name)}", state, dict, "names and values")
    if (rows := callbacks.get("Rows")) is not None:
        number("seconds", rows.get("seconds"), at_least=0)
    if (best := callbacks.get("EpochCheckpoints")) is not None:
        instance("name", best.get("name"), str | None, "the name of an error")
        instance("best", best.get("best"), float, "an error")


def _modules(traceback: TracebackType | None) -> Iterator[str]:
    while traceback is not None:
        yield traceback.tb_frame.f_globals.get("__name__", "")
        traceback = traceback.tb_next
