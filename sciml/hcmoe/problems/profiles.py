"""Coefficients that differ over the interval, such as a start that is a field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from sciml.checks import finite, real_tensor, shape
from sciml.errors import InputError
from sciml.numerics.cubic_splines import check_places, cubic_spline


@dataclass(frozen=True, eq=False, repr=False)
class Profile:
    """A coefficient of a problem that is a field over the interval, by its values on places.

    Between places it is a cubic spline (:mod:`sciml.numerics.cubic_splines`), which is extrapolated by at most one
    spacing: that takes the centres of cells to the ends of the interval.

    Parameters
    ----------
    values : of each instance, ``(instances, places)``; they may require gradients
    x : the places, rising, ``(places,)``

    Raises
    ------
    InputError
        If a shape differs, or a number is not finite.

    Examples
    --------
    >>> import torch
    >>> x = torch.linspace(0, 1, 9, dtype=torch.float64)
    >>> start = Profile((x * (1 - x))[None], x)
    >>> round(float(start(torch.tensor([0.3], dtype=torch.float64))), 12)
    0.21
    """

    values: Tensor
    x: Tensor

    def __post_init__(self) -> None:
        check_places("the places of a profile", real_tensor("the places of a profile", self.x))
        real_tensor("the values of a profile", self.values)
        finite("a profile", shape("the values of a profile", self.values, ("instances", len(self.x))))

    def __call__(self, x: Tensor) -> Tensor:
        r"""Return the values at other places, ``(instances, \*x.shape)``, in double precision."""
        return cubic_spline(self.values, self.x, x.double())

    def __len__(self) -> int:
        """Return the number of instances."""
        return len(self.values)

    def __getitem__(self, items: Tensor | slice) -> Profile:
        """Return the profiles of some instances."""
        return Profile(self.values[items], self.x)

    def expand(self, instances: int) -> Profile:
        """Return a single profile for so many instances, or as many as there are."""
        return Profile(self.values.expand(instances, -1), self.x)

    @property
    def requires_grad(self) -> bool:
        """True where the values require gradients."""
        return self.values.requires_grad

    def require_covers(self, name: str, lower: float, upper: float) -> None:
        """Check that the places reach both ends of an interval to within one spacing.

        Raises
        ------
        InputError
            If they do not.
        """
        below, above = float(self.x[0] - lower), float(upper - self.x[-1])
        if below > 1.001 * float(self.x[1] - self.x[0]) or above > 1.001 * float(self.x[-1] - self.x[-2]):
            raise InputError(
                f"{name} is known from {float(self.x[0]):g} to {float(self.x[-1]):g}, expected places that reach "
                f"{lower:g} and {upper:g} to within one spacing."
            )

    def __str__(self) -> str:
        """Return the number of places and the range of the values in words."""
        low, high = self.values.aminmax()
        return f"fields on {len(self.x)} places, from {float(low):g} to {float(high):g}"


Coefficient = Tensor | Profile
Coefficients = Mapping[str, Coefficient]


def numbers_of(coefficient: Coefficient) -> Tensor:
    """Return all numbers of a coefficient, ``(instances,)``, or ``(instances, places)`` of a profile."""
    return coefficient.values if isinstance(coefficient, Profile) else coefficient


def spread(coefficients: Coefficients, axes: int) -> dict[str, Coefficient]:
    """Return coefficients for points of so many axes: numbers with as many axes of length 1 behind the instances."""
    return {
        name: each if isinstance(each, Profile) else each.reshape(-1, *[1] * axes)
        for name, each in coefficients.items()
    }
