"""A limit on what torch allocates while objects are built from a file that somebody else wrote.

A card that asks for a network of 10^9 layers, or of 10^9 units, must end in a sentence and not in a full memory. The
limit is checked *before* each operation, from the sizes it is asked for, so nothing of that size ever exists.

>>> with limited_allocation(1000):
...     torch.empty(10**9, 10**9)
Traceback (most recent call last):
sciml.errors.CheckpointError: more numbers would be allocated than the 1000 that the weights account for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from sciml.errors import CheckpointError

MOST_OPERATIONS = 20_000  # a network is built with some hundred
_COUNTED = (torch.ops.aten.arange, torch.ops.aten.linspace, torch.ops.aten.logspace)  # these take a number for a size


@contextmanager
def limited_allocation(elements: int) -> Iterator[None]:
    """Refuse torch operations whose results would together have more elements, or that are too many for a network.

    Parameters
    ----------
    elements : of all results of operations inside of the block, views counted too

    Raises
    ------
    CheckpointError
        If there would be more.
    """
    with _Limit(elements):
        yield


class _Limit(TorchDispatchMode):
    """Counts operations and the elements of their results, and refuses an operation before it is too many."""

    def __init__(self, elements: int) -> None:
        super().__init__()
        self.elements, self.left, self.operations = elements, elements, MOST_OPERATIONS

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        self.operations -= 1
        self.left -= _elements(func.overloadpacket, args)
        if self.operations < 0:
            raise CheckpointError(f"what is described needs more than {MOST_OPERATIONS} operations to be built.")
        if self.left < 0:
            raise CheckpointError(
                f"more numbers would be allocated than the {self.elements} that the weights account for."
            )
        return func(*args, **(kwargs or {}))


def _elements(function: Any, arguments: Iterable[Any]) -> int:
    """Return about how many elements the result of an operation has: from sizes, counts and tensors it is given."""
    largest = 0
    shapes = []
    for value in arguments:
        if isinstance(value, torch.Tensor):
            shapes.append(value.shape)
        elif isinstance(value, list | tuple) and value and isinstance(value[0], torch.Tensor):
            largest = max(largest, sum(part.numel() for part in value))  # of stack and cat
        elif isinstance(value, list | tuple) and value and all(isinstance(size, int) for size in value):
            times = math.prod(shapes[0]) if shapes and function is torch.ops.aten.repeat else 1
            largest = max(largest, times * abs(math.prod(value)))  # the sizes of empty, ones, expand ...
        elif isinstance(value, int | float) and function in _COUNTED and math.isfinite(value):
            largest = max(largest, abs(int(value)))  # the end of arange, the steps of linspace
    try:
        return max(largest, math.prod(torch.broadcast_shapes(*shapes)))  # of a[:, None] * b
    except RuntimeError:  # the factors of a product of matrices, or what is concatenated
        return max(largest, sum(math.prod(shape) for shape in shapes))
