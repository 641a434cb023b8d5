"""Batches of solutions, with which operators are compared in validation and tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from torch import Tensor
from torch.utils.data import DataLoader

from sciml.data.sampling import EpochShuffle
from sciml.errors import ConfigError

Batch = dict[str, Tensor]
SHARED = ("times", "x")  # by all solutions of a batch


def each_case(batch: Batch) -> Iterator[Batch]:
    """Yield the solutions of a batch one by one, each a batch of one."""
    for number in range(len(batch["u"])):
        yield {name: each if name in SHARED else each[number : number + 1] for name, each in batch.items()}


def relative_error(u: Tensor, case: Batch) -> float | None:
    """Return the relative L2 error of a field against the one solution of a batch; None for a start alone.

    Parameters
    ----------
    u : at the times and places of the solution
    case : a batch of one
    """
    if len(case["times"]) < 2:
        return None
    return float((u - case["u"]).norm() / case["u"].norm())


def about_errors(errors: Sequence[float | None]) -> dict[str, float]:
    """Return the mean of relative errors as ``relative_l2``, unless they are of starts alone, and their number."""
    known = [error for error in errors if error is not None]
    mean = {"relative_l2": float(np.mean(known))} if known else {}
    return {**mean, "samples": float(len(errors))}


def same(name: str, found: float | str, wanted: float | str, whose: str) -> None:
    """Refuse data with another number or name of the problem than a family.

    Parameters
    ----------
    name : of it, in the sentence
    found, wanted : in the data and in the family
    whose : words for the latter
    """
    if found != wanted:
        raise ConfigError(f"{name} is {found}, expected {wanted}, {whose}; set both to the same.")


def until(name: str, found: float, last: float) -> None:
    """Refuse data that go on for longer than a family."""
    if found > last:
        raise ConfigError(f"{name} is {found:g} s, expected at most {last:g} s, that of the family; shorten it.")


def loader(batches: Sequence[Batch]) -> DataLoader:
    """Return a loader of batches that are there, in their order."""
    return DataLoader(batches, None, sampler=EpochShuffle(len(batches), shuffle=False))
