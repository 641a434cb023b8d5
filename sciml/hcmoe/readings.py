"""Readings of a solution at points in space and time: from a table, or drawn with noise where the solution is known.

>>> from sciml.hcmoe import Heat, SyntheticReadings
>>> SyntheticReadings(Heat(diffusivity=0.1), count=3).read(seed=0).u.shape
torch.Size([3])
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from sciml.checks import instance, positive, real_array, whole_number
from sciml.errors import DataFormatError, InputError
from sciml.hcmoe.coupled import CoupledExperts
from sciml.hcmoe.elements import Elements, Slabs
from sciml.hcmoe.problems.base import SpaceTimeProblem
from sciml.numerics.random import generator
from sciml.regular_files import read_text
from sciml.tables import counted

COLUMNS = ("t", "x", "u")
LARGEST_TABLE = 1 << 24  # bytes
MOST_READINGS = 10**6


@dataclass(frozen=True, eq=False)
class Readings:
    """Noisy readings of a solution.

    Parameters
    ----------
    x, t : where and when, ``(n,)``; tensors, arrays of NumPy or lists, which become tensors in float64
    u : what was read, ``(n,)``
    deviation : standard deviation of the noise, positive

    Raises
    ------
    InputError
        If lengths differ, or a number is not finite.
    """

    x: Tensor
    t: Tensor
    u: Tensor
    deviation: float

    def __post_init__(self) -> None:
        positive("the deviation of the readings", self.deviation)
        count: str | int = "number of readings"
        for name in ("x", "t", "u"):
            values = real_array(f"{name} of the readings", getattr(self, name), shape=(count,))
            object.__setattr__(self, name, torch.tensor(values))
            count = len(values)

    def check_inside(self, problem: SpaceTimeProblem) -> None:
        """Refuse readings outside of the interval and of the times of a problem.

        Raises
        ------
        InputError
            With the first of them.
        """
        (lower,), (upper,) = problem.domain.lower, problem.domain.upper
        outside = (self.x < lower) | (self.x > upper) | (self.t < 0) | (self.t > problem.duration)
        if bool(outside.any()):
            first = int(outside.nonzero()[0])
            raise InputError(
                f"reading {first + 1} is at x = {float(self.x[first]):g} and t = {float(self.t[first]):g}, expected x "
                f"from {lower:g} to {upper:g} and t from 0 to {problem.duration:g}, the interval and times of the "
                "problem."
            )


class ReadingsSource(ABC):
    """The base class of what readings come from, a table or a draw."""

    @property
    def truth(self) -> SpaceTimeProblem | None:
        """The problem whose solution was read; None where it is not known, as always but in a test."""
        return None

    @abstractmethod
    def read(self, seed: int) -> Readings:
        """Return the readings; the seed is for those that are drawn."""


@dataclass(frozen=True)
class ReadingsTable(ReadingsSource):
    """Readings from a table: rows of numbers with commas between them, below a row with the names t, x and u.

    Parameters
    ----------
    file : its name; empty lines and what follows ``#`` are left out
    deviation : standard deviation of the noise of u, in the unit of u
    """

    file: str
    deviation: float

    def __post_init__(self) -> None:
        positive("the deviation of the readings", self.deviation)

    def read(self, seed: int) -> Readings:
        """Return the readings of the file.

        Raises
        ------
        DataFormatError
            If it does not exist, or is no such table.
        """
        columns = _read_table(Path(self.file))
        return Readings(columns["x"], columns["t"], columns["u"], self.deviation)


@dataclass(frozen=True, eq=False)
class SyntheticReadings(ReadingsSource):
    """Readings of a solution that is known, or solved for, at uniformly drawn points, with Gaussian noise.

    Parameters
    ----------
    problem : whose solution is read, with the true coefficients
    count : of readings
    noise : standard deviation, as a share of the root mean square of what is read
    """

    problem: SpaceTimeProblem
    count: int = 64
    noise: float = 0.01

    def __post_init__(self) -> None:
        instance("the problem that is read", self.problem, SpaceTimeProblem, "a SpaceTimeProblem")
        whole_number("the number of readings", self.count, at_least=1, at_most=MOST_READINGS)
        positive("the noise of the readings", self.noise)

    @property
    def truth(self) -> SpaceTimeProblem:
        """The problem whose solution is read."""
        return self.problem

    def read(self, seed: int) -> Readings:
        """Return readings at points that are drawn with the noise, a function of the seed alone."""
        (lower,), (upper,) = self.problem.domain.lower, self.problem.domain.upper
        draws = generator(seed)
        x, t = torch.rand(2, self.count, generator=draws, dtype=torch.float64)
        x, t = lower + (upper - lower) * x, self.problem.duration * t
        u = self._solution(x, t)
        deviation = self.noise * float(u.square().mean().sqrt())
        return Readings(x, t, u + deviation * torch.randn(self.count, generator=draws, dtype=torch.float64), deviation)

    def _solution(self, x: Tensor, t: Tensor) -> Tensor:
        exact = [self.problem.exact(place[None, None], float(time)) for place, time in zip(x, t, strict=True)]
        if any(value is None for value in exact):
            return CoupledExperts(self.problem, Elements(), Slabs()).values_at(x, t)
        return torch.cat(exact)[:, 0]


def _read_table(file: Path) -> dict[str, Tensor]:
    """Return the columns of a table by name."""
    try:
        text = read_text(file, LARGEST_TABLE, DataFormatError).removeprefix("\ufeff")
    except FileNotFoundError:
        raise DataFormatError(f"{file} does not exist; check the name.") from None
    except UnicodeDecodeError:
        raise DataFormatError(f"{file} is no text in UTF-8, expected a table of readings.") from None
    lines = [(number, line.partition("#")[0].strip()) for number, line in enumerate(text.split("\n"), start=1)]
    rows = [(number, [cell.strip() for cell in line.split(",")]) for number, line in lines if line]
    names = rows[0][1] if rows else []
    if sorted(names) != sorted(COLUMNS):
        raise DataFormatError(
            f"the first row of {file} is {', '.join(names)[:80] or 'missing'}, expected the names {', '.join(COLUMNS)} "
            "of its columns, in any order."
        )
    values = [_numbers(cells, f"line {number} of {file}") for number, cells in rows[1:]]
    if not values:
        raise DataFormatError(f"{file} has no readings below the names of its columns, expected at least one.")
    table = torch.tensor(values, dtype=torch.float64)
    return {name: table[:, column].contiguous() for column, name in enumerate(names)}


def _numbers(cells: Iterable[str], where: str) -> list[float]:
    """Return the numbers of a row of the table."""
    cells = list(cells)
    if len(cells) != len(COLUMNS):
        raise DataFormatError(f"{where} has {counted(len(cells), 'cell')}, expected {len(COLUMNS)}.")
    found = [_number(cell) for cell in cells]
    for cell, value in zip(cells, found, strict=True):
        if value is None:
            raise DataFormatError(f"{where} has {cell[:40]!r} where a finite number is expected.")
    return found


def _number(cell: str) -> float | None:
    """Return the finite number that a cell is, in plain digits; None if it is none."""
    if not cell.isascii() or "_" in cell:
        return None
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
