"""Generator of smoke that rises in a closed box."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from sciml.checks import number, positive, whole_number
from sciml.data.formats import DataField, Description
from sciml.data.sample_sizes import check_sample_size
from sciml.mesh import Grid

if TYPE_CHECKING:
    from sciml.reference.incompressible_smoke import RisingSmoke


@dataclass(frozen=True)
class Smoke:
    """Smoke rising in a closed box of side 32, `sciml.reference.incompressible_smoke`, from a Gaussian random field.

    Velocity and smoke at the centres of the cells; the defaults are the conditioned data of PDEArena at half the
    resolution, and ``case=paper cells=128 steps=56`` is their size, and their scheme.

    Parameters
    ----------
    cells : along each axis
    steps : number of frames
    time_step : between them
    substeps : steps of the solver from frame to frame
    warm_up : frames from rest to the first one
    viscosity : nu
    least_buoyancy, largest_buoyancy : bounds of the buoyancy, which is uniform between them and a parameter
    case : conservative, or paper, which loses 5 to 18 % of the smoke and has simpler starts
    """

    cells: int = 64
    steps: int = 32
    time_step: float = 1.5
    substeps: int = 1
    warm_up: int = 8
    viscosity: float = 0.01
    least_buoyancy: float = 0.2
    largest_buoyancy: float = 0.5
    case: str = "conservative"
    summary: ClassVar[str] = "smoke rising in a closed box, velocity and smoke by stable fluids"

    def __post_init__(self) -> None:
        from sciml.reference.incompressible_smoke import MODES

        whole_number("cells", self.cells, at_least=MODES + 1)
        whole_number("steps", self.steps, at_least=2)
        positive("time_step", self.time_step)
        whole_number("warm_up", self.warm_up, at_least=0, at_most=10**6)
        number("viscosity", self.viscosity, at_least=0)
        number("least_buoyancy", self.least_buoyancy)
        number("largest_buoyancy", self.largest_buoyancy, at_least=self.least_buoyancy)
        check_sample_size(cells=self.cells**2, steps=self.steps)
        whole_number("substeps", self.substeps, at_least=1, at_most=10**6)
        self._problem.method(self.least_buoyancy)  # refuses the case

    def describe(self) -> Description:
        """Return what each sample holds: ``velocity_x``, ``velocity_y`` and ``smoke``; its buoyancy as a parameter."""
        from sciml.reference.incompressible_smoke import FIELDS, SIDE

        return Description(
            "smoke",
            Grid((self.cells, self.cells), (0.0, 0.0), (SIDE, SIDE), centring="cell"),
            self.time_step * np.arange(self.warm_up, self.warm_up + self.steps),
            tuple(DataField(name, (), "float32", location="cells") for name in FIELDS),
            1,
            boundary=dict.fromkeys("xy", "wall"),
            parameters={"buoyancy": np.zeros(0)},
        )

    def sample(self, random: np.random.Generator) -> tuple[dict[str, np.ndarray], dict[str, float]]:
        """Return one sample, its fields and parameters.

        Parameters
        ----------
        random : draws the buoyancy and the first smoke
        """
        from sciml.reference.incompressible_smoke import random_smoke

        problem = self._problem
        buoyancy = random.uniform(self.least_buoyancy, self.largest_buoyancy)
        start = problem.still(random_smoke(self.cells, random, self.case))
        flow = problem.advanced(start, buoyancy, self.warm_up)
        return dict(problem.frames(flow, buoyancy, self.steps)), {"buoyancy": buoyancy}

    @property
    def _problem(self) -> RisingSmoke:
        from sciml.reference.incompressible_smoke import RisingSmoke

        return RisingSmoke(self.cells, self.time_step, self.viscosity, self.case, self.substeps)
