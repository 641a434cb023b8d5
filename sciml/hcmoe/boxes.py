"""The boxes in time and space that experts share out among themselves: index ranges of a grid."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sciml.checks import real_tensor, rising, shape, whole_number, within
from sciml.errors import InputError


@dataclass(frozen=True)
class Boxes:
    """A grid of times and places cut into boxes of equal numbers of points, in the order of rows.

    Parameters
    ----------
    times, places : points of the grid along each axis
    by_time, by_place : boxes along each axis, which divide those

    Raises
    ------
    InputError
        If they do not.
    """

    times: int
    places: int
    by_time: int = 1
    by_place: int = 1

    def __post_init__(self) -> None:
        for axis, size, count in (("time", self.times, self.by_time), ("place", self.places, self.by_place)):
            whole_number(f"the number of experts along the axis of {axis}", count, at_least=1)
            if size % count:
                raise InputError(
                    f"the axis of {axis} has {size} points for {count} experts, expected a multiple of {count}; choose "
                    "another number of experts or of points."
                )

    @property
    def count(self) -> int:
        """The number K of boxes."""
        return self.by_time * self.by_place

    @property
    def points(self) -> int:
        """The number of points of each box."""
        return self.times * self.places // self.count

    def partition(self, fields: Tensor) -> Tensor:
        """Return fields ``(instances, P, times, places, N)`` by boxes, ``(instances * K, P, points, N)``."""
        boxes = fields.unflatten(3, (self.by_place, -1)).unflatten(2, (self.by_time, -1))
        return boxes.permute(0, 2, 4, 1, 3, 5, 6).flatten(4, 5).flatten(0, 2)

    def assemble(self, values: Tensor) -> Tensor:
        """Return values by boxes, ``(instances * K, points)``, on the grid, ``(instances, times, places)``."""
        shape = (-1, self.by_time, self.by_place, self.times // self.by_time, self.places // self.by_place)
        return values.reshape(shape).transpose(2, 3).flatten(3, 4).flatten(1, 2)

    def along_time(self, rows: Tensor) -> Tensor:
        """Return rows at all times, ``(instances, times, ...)``, by boxes, ``(instances, by_time, 1, own, ...)``."""
        return rows.unflatten(1, (self.by_time, -1))[:, :, None]

    def along_place(self, rows: Tensor) -> Tensor:
        """Return rows at all places, ``(instances, places, ...)``, by boxes, ``(instances, 1, by_place, own, ...)``."""
        return rows.unflatten(1, (self.by_place, -1))[:, None]

    def index(self, time: int, place: int) -> int:
        """Return the number of a box among all."""
        return time * self.by_place + place

    def name(self, member: int) -> str:
        """Return instance and place of an expert in words."""
        instance, box = divmod(member, self.count)
        return f"expert {divmod(box, self.by_place)} by (time, place) of instance {instance}"


def widths(coordinates: Tensor, lower: float, upper: float) -> Tensor:
    """Return the lengths of the pieces of an interval that are nearest to each point, whose sum is its length."""
    ends = coordinates.new_tensor([lower]), coordinates.new_tensor([upper])
    return torch.cat([ends[0], (coordinates[1:] + coordinates[:-1]) / 2, ends[1]]).diff()


def axis(name: str, values: Tensor, lower: float, upper: float) -> Tensor:
    """Return the coordinates of a grid along one axis in double precision, of rising points between two others.

    Raises
    ------
    InputError
        If they are no tensor ``(n,)``, fall, or leave the interval.
    """
    rising(name, shape(name, real_tensor(name, values), ("number of points",)))
    return within(name, values, lower, upper, remedy="the problem is stated there").double()


def faces_of(coordinates: Tensor, count: int, lower: float, upper: float) -> Tensor:
    """Return the faces of boxes of equal numbers of points, half-way between points, and the ends, ``(count + 1,)``."""
    each = len(coordinates) // count
    ends = coordinates.new_tensor([lower]), coordinates.new_tensor([upper])
    return torch.cat([ends[0], (coordinates[each - 1 : -1 : each] + coordinates[each::each]) / 2, ends[1]])
