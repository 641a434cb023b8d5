"""A check of what the methods of a problem return: kind, shape and precision, and where it is not finite.

A problem is a class that a user may write, and the classic mistake is a method that returns ``(n,)`` instead of
``(n, 1)``: broadcasting would turn ``n`` residuals into ``n * n`` of them.

>>> class Decay:
...     def initial(self, points):
...         return points[:, 0]
>>> points = torch.zeros(3, 1)
>>> Answer(Decay(), "initial", Decay().initial(points), points, (3, 1)).check()  # doctest: +ELLIPSIS
Traceback (most recent call last):
sciml.errors.InputError: initial returned values of shape (3,) at 3 points, expected (3, 1); keep the last axis, ...
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sciml.errors import InputError
from sciml.user_modules import place


@dataclass(frozen=True)
class Answer:
    """The values that a method of a problem returned.

    Parameters
    ----------
    problem : whose method returned them
    method : its name
    values : what it returned
    points : ``(n, dim)``, at which it was asked
    shape : expected; a word stands for any length of at least 1
    """

    problem: object
    method: str
    values: Any
    points: Tensor
    shape: Sequence[int | str]

    @property
    def name(self) -> str:
        """The name of the method, with its file and line where it is a user's own."""
        found = place(inspect.unwrap(getattr(self.problem, self.method)))
        return self.method + (f" ({found})" if found else "")

    def check(self) -> Any:
        """Return the values that the method returned, if they are usable.

        Raises
        ------
        InputError
            If they are not a tensor of real floating-point numbers with the shape, at least as precise as the points.
        """
        words = f"({', '.join(map(str, self.shape))})"
        if not isinstance(self.values, Tensor):
            raise InputError(f"{self.name} returned {self._kind()}, expected a tensor of shape {words}.")
        found, count = tuple(self.values.shape), len(self.points)
        if len(found) != len(self.shape) or any(
            have < 1 if isinstance(want, str) else have != want for have, want in zip(found, self.shape, strict=True)
        ):
            remedy = "; keep the last axis, as x[:, :1] and keepdim=True do" if len(found) == 1 else ""
            raise InputError(
                f"{self.name} returned values of shape {found} at {count} points, expected {words}{remedy}."
            )
        expected = self.points.dtype
        if not self.values.is_floating_point() or torch.finfo(self.values.dtype).bits < torch.finfo(expected).bits:
            raise InputError(
                f"{self.name} returned {self.values.dtype} at points of {expected}, expected that; make tensors with "
                "dtype=x.dtype, or by x.new_zeros for example, x being the points."
            )
        return self.values

    def not_finite(self, time: float) -> str | None:
        """Return a sentence that says where some of the values are not finite, None if all are.

        Parameters
        ----------
        time : at which the method was asked
        """
        if not isinstance(self.values, Tensor) or len(self.values) != len(self.points):
            return None
        bad = ~self.values.isfinite().flatten(1).all(1)
        if not bool(bad.any()):
            return None
        at = self.points[int(bad.nonzero()[0])].tolist()
        return (
            f"{self.name} is not finite at {int(bad.sum())} of {len(bad)} points, the first of them "
            f"({', '.join(f'{value:.6g}' for value in at)}), at time {time:.6g}"
        )

    def _kind(self) -> str:
        kind = type(self.values).__name__
        return "None" if self.values is None else f"a value of type {kind}"


def presented(problem: object, values: Mapping[str, Any], points: Tensor) -> list[Answer]:
    """Return the answers of the method ``present``: fields by name, ``(n, channels)`` each."""
    return [Answer(problem, "present", field, points, (len(points), "channels")) for field in values.values()]
