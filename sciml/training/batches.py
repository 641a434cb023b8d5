"""Batches of any type: a tensor, a graph batch, and mappings, sequences and dataclasses of them.

A graph batch is an object with ``num_graphs`` and ``apply``, such as those of PyTorch Geometric, which is not imported.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class GraphBatch(Protocol):
    """A batch of several graphs that are stored as one."""

    @property
    def num_graphs(self) -> int:
        """Number of graphs in the batch."""

    def apply(self, function: Callable[[Tensor], Tensor]) -> GraphBatch:
        """Replace each tensor by the value of a function of it, and return the batch."""


def count_samples(batch: Any) -> int:
    """Return the number of samples in a batch: of its first graph batch, or the length of its first tensor with axes.

    Objects of unknown type and scalars are passed over; the number is 1 if nothing else is there.

    Examples
    --------
    >>> import torch
    >>> count_samples({"time": torch.tensor(0.5), "fields": [torch.zeros(4, 2), torch.zeros(8)]})
    4
    """
    found = _samples(batch)
    return 1 if found is None else found


def to_float64(batch: Any) -> Any:
    """Return a batch whose floating-point tensors are float64; what it holds beside tensors is passed on as it is."""
    if isinstance(batch, Tensor):
        return batch.double() if batch.is_floating_point() else batch
    if isinstance(batch, GraphBatch):
        return copy.copy(batch).apply(to_float64)  # apply() replaces tensors in place, those of the data set too
    if isinstance(batch, Mapping):
        return {name: to_float64(part) for name, part in batch.items()}
    if isinstance(batch, list | tuple):
        parts = [to_float64(part) for part in batch]
        return (
            type(batch)(*parts) if hasattr(batch, "_fields") else type(batch)(parts)
        )  # a named tuple takes them singly
    if is_dataclass(batch) and not isinstance(batch, type):
        return replace(batch, **{name: to_float64(part) for name, part in _parts(batch).items()})
    return batch


def _samples(batch: Any) -> int | None:
    if isinstance(batch, Tensor):
        return len(batch) if batch.ndim else None
    if isinstance(batch, GraphBatch):
        return int(batch.num_graphs)
    if is_dataclass(batch) and not isinstance(batch, type):
        batch = _parts(batch)
    parts = batch.values() if isinstance(batch, Mapping) else batch if isinstance(batch, list | tuple) else ()
    return next((count for part in parts if (count := _samples(part)) is not None), None)


def _parts(batch: Any) -> dict[str, Any]:
    """Return the fields of a dataclass that its constructor takes."""
    return {entry.name: getattr(batch, entry.name) for entry in fields(batch) if entry.init}
