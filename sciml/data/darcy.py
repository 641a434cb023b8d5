"""Generator of Darcy flows through smooth random media on the unit square."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sciml.checks import number, whole_number
from sciml.data.formats import DataField, Description
from sciml.data.sample_sizes import check_sample_size
from sciml.errors import InputError
from sciml.mesh import Grid

UNRESOLVED = 4e-4  # largest share of the squared coefficients in the last quarter of the degrees: errors of about 1e-4


@dataclass(frozen=True)
class Darcy:
    """Darcy flow, `sciml.reference.darcy`, from a source of one and pressure zero on the sides, through random media.

    Parameters
    ----------
    size : values per axis, on both ends too
    waves : largest wave number of the logarithm of the permeability along each axis
    deviation : of that logarithm
    degree : of the polynomials that the pressure is computed with
    """

    size: int = 64
    waves: int = 4
    deviation: float = 1.0
    degree: int = 48
    summary: ClassVar[str] = "Darcy flow through smooth random media on the unit square, by Legendre polynomials"

    def __post_init__(self) -> None:
        from sciml.reference.darcy import LARGEST_DEGREE, LARGEST_DEVIATION

        whole_number("size", self.size, at_least=2)
        check_sample_size(size=self.size**2)
        whole_number("waves", self.waves, at_least=1, at_most=LARGEST_DEGREE)
        number("deviation", self.deviation, at_least=0, at_most=LARGEST_DEVIATION)
        whole_number("degree", self.degree, at_least=2, at_most=LARGEST_DEGREE)

    def describe(self) -> Description:
        """Return what each sample holds: the permeability ``k`` and the pressure ``u``."""
        entries = tuple(DataField(name, (), "float64", time_varying=False) for name in ("k", "u"))
        sides = dict.fromkeys(("x-", "x+", "y-", "y+"), "dirichlet")
        return Description("darcy", Grid((self.size, self.size)), np.zeros(1), entries, 1, boundary=sides)

    def sample(self, random: np.random.Generator) -> tuple[dict[str, np.ndarray], dict[str, float]]:
        """Return one sample, its fields and parameters.

        Parameters
        ----------
        random : draws the permeability
        """
        from threadpoolctl import threadpool_limits

        from sciml.reference.darcy import random_medium, solve_darcy

        axis = np.linspace(0.0, 1.0, self.size)
        points = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1)
        with threadpool_limits(1):  # sums over several threads depend on their number in the last digits
            medium = random_medium(random, self.waves, self.deviation)
            pressure = solve_darcy(medium, 1.0, self.degree)
            share = pressure.unresolved_share
            if share > UNRESOLVED:
                raise InputError(
                    f"the highest degrees have the share {share:.0e} of the squared coefficients of a sample, expected "
                    f"at most {UNRESOLVED:g}; choose a degree above {self.degree}, fewer waves or a smaller deviation."
                )
            return {"k": medium(points), "u": pressure(points)}, {}
