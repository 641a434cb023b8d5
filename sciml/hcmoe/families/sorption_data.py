"""Solutions of diffusion with sorption from a data set, with the instances that they belong to.

>>> with open_dataset("ds.h5") as data:                                                             # doctest: +SKIP
...     cases = list(sorption_cases(data))
>>> layer(basis, coefficients_of(cases)).u - fields_of(cases)                                       # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sciml.checks import number
from sciml.data.formats import Dataset
from sciml.errors import DataFormatError, InputError
from sciml.hcmoe.problems.profiles import Coefficient, Profile
from sciml.hcmoe.problems.sorption import VariedSorption
from sciml.mesh import Grid
from sciml.tables import counted

NAMES = ("diffusivity", "coefficient", "exponent", "left")  # of the numbers of an instance


@dataclass(frozen=True, eq=False)
class SorptionCase:
    """One solution of diffusion with sorption.

    Attributes
    ----------
    name : of the trajectory and its file, for sentences
    numbers : the diffusivity, the coefficient and the exponent of sorption, and the left value
    times : from 0 on, ``(times,)``, float64
    x : centres of the cells, ``(places,)``, float64
    u : the solution, whose first row is the start, ``(times, places)``, float64
    """

    name: str
    numbers: dict[str, float]
    times: Tensor
    x: Tensor
    u: Tensor

    @property
    def start(self) -> Profile:
        """The start as a field."""
        return Profile(self.u[:1], self.x)

    @property
    def problem(self) -> VariedSorption:
        """The instance, whose duration is the last time."""
        return VariedSorption(self.start, **self.numbers, duration=float(self.times[-1]))


def sorption_cases(data: Dataset, least_times: int = 2) -> Iterator[SorptionCase]:
    """Yield the solutions of a data set of ``sciml data generate diffusion_sorption``, of any family.

    Parameters
    ----------
    data : the data set
    least_times : of each solution; 1 where starts alone will do

    Raises
    ------
    DataFormatError
        If the data set holds something else, a number is missing or out of its range, a value is not finite, or the
        times do not begin at 0.
    """
    about = data.description
    place = about.places.get(about["u"].place) if "u" in {entry.name for entry in about.fields} else None
    if (
        not isinstance(place, Grid)
        or (place.dim, place.centring, place.lower, place.upper) != (1, "cell", (0.0,), (1.0,))
        or place.size < 2
        or about["u"].components
        or not about["u"].time_varying
    ):
        raise DataFormatError(
            f"{data.path} has no field u in time on cells of the unit interval; generate diffusion_sorption."
        )
    x = torch.from_numpy(place.axes()[0])
    for trajectory in range(about.trajectories):
        name = f"trajectory {trajectory} of {data.path}"
        numbers = {key: _number(about.parameters, key, trajectory, name) for key in NAMES}
        times = torch.from_numpy(np.array(data.times(trajectory), np.float64))
        if len(times) < least_times or float(times[0]) != 0.0:
            raise DataFormatError(
                f"{name} has {counted(len(times), 'time')} from {float(times[0]) if len(times) else 0:g} on, expected "
                f"{least_times} or more from 0 on."
            )
        u = torch.from_numpy(data.read("u", trajectory).astype(np.float64))
        if not bool(u.isfinite().all()):
            raise DataFormatError(f"u of {name} has values that are not finite, expected finite numbers.")
        if len(times) > 1 and not bool(u.any()):
            raise DataFormatError(f"u of {name} is 0 everywhere, expected a solution, which errors are relative to.")
        _within("start", float(u[0].min()), name)
        yield SorptionCase(name, numbers, times, x, u)


def coefficients_of(cases: Sequence[SorptionCase]) -> dict[str, Coefficient]:
    """Return the coefficients of :class:`~sciml.hcmoe.problems.sorption.VariedSorption`, an instance of each case.

    Parameters
    ----------
    cases : on the same places
    """
    _same_grid(cases)
    numbers = {name: torch.tensor([case.numbers[name] for case in cases], dtype=torch.float64) for name in NAMES}
    return {"start": Profile(torch.stack([case.u[0] for case in cases]), cases[0].x), **numbers}


def fields_of(cases: Sequence[SorptionCase]) -> Tensor:
    """Return the solutions of cases on the same grid, ``(cases, times, places)``."""
    _same_grid(cases)
    return torch.stack([case.u for case in cases])


def _same_grid(cases: Sequence[SorptionCase]) -> None:
    if not cases:
        raise InputError("there are no cases, expected at least one.")
    for case in cases[1:]:
        if case.u.shape != cases[0].u.shape or not torch.equal(case.times, cases[0].times):
            raise InputError(f"{case.name} has other times or places than {cases[0].name}, expected those of one grid.")


def _number(parameters: dict[str, np.ndarray], key: str, trajectory: int, name: str) -> float:
    values = parameters.get(key)
    if values is None or values.ndim != 1 or len(values) <= trajectory:
        raise DataFormatError(
            f"{name} has no number {key!r}, expected {', '.join(NAMES)}; generate diffusion_sorption."
        )
    return _within(key, float(values[trajectory]), name)


def _within(key: str, value: float, name: str) -> float:
    return number(f"the {key} of {name}", value, error=DataFormatError, **VariedSorption.ranges[key])
