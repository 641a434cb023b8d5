"""Generator of incompressible flows in a periodic square, by their vorticity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sciml.checks import number, positive, whole_number
from sciml.data.formats import DataField, Description
from sciml.data.sample_sizes import check_sample_size
from sciml.errors import InputError
from sciml.mesh import Grid

UNRESOLVED = 1e-5  # largest share of the enstrophy in the last quarter of the wave numbers: an error of about 1e-4
COURANT = 0.5


@dataclass(frozen=True)
class Vorticity:
    """Vorticity of a flow in a periodic square, `sciml.reference.vorticity`, from a Gaussian random field.

    Parameters
    ----------
    size : values per axis
    steps : number of times
    duration : the last of them; the first is 0
    viscosity : nu
    length : of the kernel of the random field
    resolution : values per axis of the computation, a multiple of ``size``; 128 have an error of 1e-5 at viscosity 1e-4
    """

    size: int = 64
    steps: int = 64
    duration: float = 5.0
    viscosity: float = 1e-4
    length: float = 0.8
    resolution: int = 128
    summary: ClassVar[str] = "incompressible flow in a periodic square, vorticity by Fourier series"

    def __post_init__(self) -> None:
        from sciml.reference.vorticity import LEAST_POINTS

        whole_number("size", self.size, at_least=1)
        whole_number("steps", self.steps, at_least=2)
        positive("duration", self.duration)
        positive("viscosity", self.viscosity)
        number("length", self.length, at_least=0.3, at_most=10)
        whole_number("resolution", self.resolution, at_least=LEAST_POINTS)
        check_sample_size(resolution=self.resolution**2, steps=self.steps)
        if self.resolution % self.size:
            raise InputError(
                f"resolution is {self.resolution} and size {self.size}, expected a multiple of it; choose "
                f"resolution={self.size * -(-self.resolution // self.size)}."
            )

    def describe(self) -> Description:
        """Return what each sample holds: ``vorticity``, and its viscosity as a parameter."""
        return Description(
            "vorticity",
            Grid((self.size, self.size), periodic=True),
            self._times,
            (DataField("vorticity", (), "float32"),),
            1,
            boundary=dict.fromkeys("xy", "periodic"),
            parameters={"viscosity": np.zeros(0)},
        )

    def sample(self, random: np.random.Generator) -> tuple[dict[str, np.ndarray], dict[str, float]]:
        """Return one sample, its fields and parameters.

        Parameters
        ----------
        random : draws the initial vorticity
        """
        from sciml.reference.vorticity import random_vorticity, unresolved_share, velocity, vorticity_flow

        initial = random_vorticity(self.resolution, random, self.length)
        longest = COURANT / (self.resolution * float(np.abs(velocity(initial)).max()))
        flow = vorticity_flow(initial, self.viscosity, self._times, longest)
        share = float(unresolved_share(flow).max())
        if share > UNRESOLVED:
            raise InputError(
                f"a sample has {share:.0e} of its enstrophy in the smallest scales, expected at most {UNRESOLVED:g}; "
                f"choose resolution={2 * self.resolution} or a larger viscosity."
            )
        every = self.resolution // self.size
        return {"vorticity": flow[:, ::every, ::every]}, {"viscosity": self.viscosity}

    @property
    def _times(self) -> np.ndarray:
        return np.linspace(0.0, self.duration, self.steps)
