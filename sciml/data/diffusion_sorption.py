"""Generator of solutions of diffusion with sorption: the family of PDEBench, and a wide one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sciml.checks import choice, positive, whole_number
from sciml.data.formats import DataField, Description
from sciml.data.sample_sizes import check_sample_size
from sciml.mesh import Grid

PARAMETERS = ("diffusivity", "coefficient", "exponent", "left")


@dataclass(frozen=True)
class DiffusionSorption:
    """Diffusion with sorption in the unit interval, `sciml.reference.diffusion_sorption`, from random starts.

    Parameters
    ----------
    family : paper, constant starts alone, or wide, starts that are fields, and random coefficients
    size : cells
    steps : number of times
    duration : the last of them in seconds; the first is 0
    scheme : extrapolated (Richardson), consistent (second order) or pdebench (the data of that name)
    """

    family: str = "paper"
    size: int = 1024
    steps: int = 101
    duration: float = 500.0
    scheme: str = "extrapolated"
    summary: ClassVar[str] = "diffusion with nonlinear sorption in one dimension, by extrapolated finite volumes"

    def __post_init__(self) -> None:
        from sciml.reference.diffusion_sorption import SCHEMES
        from sciml.reference.diffusion_sorption_families import FAMILIES

        choice("the family", self.family, FAMILIES)
        whole_number("size", self.size, at_least=3)
        whole_number("steps", self.steps, at_least=2)
        check_sample_size(size=self.size, steps=self.steps)
        positive("duration", self.duration)
        choice("the scheme", self.scheme, ("extrapolated", *SCHEMES))

    def describe(self) -> Description:
        """Return what each sample holds: ``u`` in the cells, whose first step is the start, and the coefficients."""
        return Description(
            "diffusion_sorption",
            Grid((self.size,), centring="cell"),
            self._times,
            (DataField("u", (), "float32", "", "cells"),),
            1,
            boundary={"x-": "dirichlet", "x+": "robin"},
            parameters=dict.fromkeys(PARAMETERS, np.zeros(0)),
        )

    def sample(self, random: np.random.Generator) -> tuple[dict[str, np.ndarray], dict[str, float]]:
        """Return one sample, its fields and parameters.

        Parameters
        ----------
        random : draws the start and the coefficients
        """
        from sciml.reference.diffusion_sorption import extrapolated, finite_volumes
        from sciml.reference.diffusion_sorption_families import FAMILIES

        start, equation = FAMILIES[self.family](random)
        if self.scheme == "extrapolated":
            u = extrapolated(start, self.size, self._times, equation)
        else:
            u = finite_volumes(start, self.size, self._times, equation, scheme=self.scheme)
        return {"u": u}, {name: getattr(equation, name) for name in PARAMETERS}

    @property
    def _times(self) -> np.ndarray:
        return np.linspace(0.0, self.duration, self.steps)
