"""Limits on what torch allocates while objects are built: from a file that somebody else wrote, and from one's own.

A card that asks for a network of 10^9 layers, or of 10^9 units, must end in a sentence and not in a full memory. The
limit is checked *before* each operation, from the sizes it is asked for, so nothing of that size ever exists.

>>> with limited_allocation(1000):
...     torch.empty(10**9, 10**9)
Traceback (most recent call last):
sciml.errors.CheckpointError: more numbers would be allocated than the 1000 that the weights account for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.utils._python_dispatch import TorchDispatchMode

from sciml.errors import CheckpointError
from sciml.memory import check_memory

COPIES = 4  # of the weights that a training on the CPU keeps: themselves, their gradients, and two moments
MOST_OPERATIONS = 20_000  # a network is built with some hundred
_aten = torch.ops.aten
_ROWS_AND_COLUMNS = (_aten.eye, _aten.tril_indices, _aten.triu_indices)  # the second number is the first by default
_COUNTED = (*_ROWS_AND_COLUMNS, _aten.arange, _aten.linspace, _aten.logspace, _aten.randperm)  # sizes are numbers


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


@contextmanager
def fitting_parameters() -> Iterator[None]:
    """Refuse modules whose parameters would not fit into the memory of the machine when they are trained.

    Each layer is asked before its parameters get values: until then the system has only promised their memory.

    Raises
    ------
    InputError
        If they would need more.
    """
    copies = 1 if torch.cuda.is_available() else COPIES
    total = 0

    def count(module: torch.nn.Module, name: str, parameter: torch.nn.Parameter | None) -> None:
        nonlocal total
        if parameter is not None:
            total += copies * parameter.numel() * parameter.element_size()
            remedy = "choose a smaller network"
            check_memory("the weights of the network and what the training keeps beside them take over", total, remedy)

    handle = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        handle.remove()


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
    largest, shapes = 0, []
    if function in _COUNTED:
        largest = _counted(function, [value for value in arguments if isinstance(value, int | float)])
    for value in arguments:
        if isinstance(value, torch.Tensor):
            shapes.append(value.shape)
        elif isinstance(value, list | tuple) and value and isinstance(value[0], torch.Tensor):
            largest = max(largest, sum(part.numel() for part in value))  # of stack and cat
        elif isinstance(value, list | tuple) and value and all(isinstance(size, int) for size in value):
            times = math.prod(shapes[0]) if shapes and function is _aten.repeat else 1
            largest = max(largest, times * abs(math.prod(value)))  # the sizes of empty, ones, expand ...
    try:
        return max(largest, math.prod(torch.broadcast_shapes(*shapes)))  # of a[:, None] * b
    except RuntimeError:  # the factors of a product of matrices, or what is concatenated
        return max(largest, sum(math.prod(shape) for shape in shapes))


def _counted(function: Any, numbers: Sequence[float]) -> int:
    """Return how many elements a result has whose size is given by numbers; torch itself refuses those not finite."""
    if not numbers or not all(map(math.isfinite, numbers)):
        return 0
    if function in _ROWS_AND_COLUMNS:
        return abs(int(numbers[0] * numbers[min(1, len(numbers) - 1)]))
    if function is _aten.arange:
        start, end, step = {1: (0, *numbers, 1), 2: (*numbers, 1)}.get(len(numbers), tuple(numbers[:3]))
        return math.ceil(abs((end - start) / step)) if step else 0
    return max(abs(int(number)) for number in numbers)  # the steps of linspace, the length of a permutation
