"""Standard deviations of the entries of the data: numbers, or tensors in a shape that expands to one item."""

from __future__ import annotations

import torch
from torch import Tensor

from sciml.checks import finite, real_tensor
from sciml.errors import InputError

Deviation = Tensor | float
"""One for all entries, or a tensor in a shape that expands to one item."""


def check_deviation(deviation: Deviation, *, is_positive: bool = False) -> Tensor:
    """Return deviations as a tensor.

    Parameters
    ----------
    deviation : of the data
    is_positive : whether 0 is refused, too

    Raises
    ------
    InputError
        One is not finite, or below 0.
    """
    name = "the deviations of the data"
    found = finite(name, real_tensor(name, torch.as_tensor(deviation, dtype=_type_of(deviation))))
    if bool((found <= 0 if is_positive else found < 0).any()):
        expected = "positive ones" if is_positive else "none below 0; take those of conditional_deviation"
        raise InputError(f"the least of {name} is {float(found.min()):g}, expected {expected}.")
    return found


def check_items(deviation: Tensor, x: Tensor) -> None:
    """Refuse deviations that are not those of one item of a batch, whose shape they must expand to.

    Parameters
    ----------
    deviation : from :func:`check_deviation`
    x : ``(batch, ...)``
    """
    given, item = deviation.shape, x.shape[1:]
    if len(given) > len(item) or any(g not in (1, n) for g, n in zip(reversed(given), reversed(item), strict=False)):
        raise InputError(
            f"the shape of the deviations of the data is {tuple(given)}, expected {tuple(item)}, that of one item, or "
            "one that expands to it."
        )


def positive_beside(deviation: Deviation, x: Tensor) -> Tensor:
    """Return positive deviations of one item of a batch ``(batch, ...)``, in its type and place."""
    found = check_deviation(deviation, is_positive=True)
    check_items(found, x)
    return found.to(x)


def _type_of(deviation: Deviation) -> torch.dtype | None:
    """Return the type of a tensor, which stays as it is; a number has double precision."""
    return deviation.dtype if isinstance(deviation, Tensor) else torch.float64
