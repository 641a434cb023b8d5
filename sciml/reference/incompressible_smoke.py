r"""Smoke that rises in a closed box: random starts, frames of its flow, and flows that start again from a frame.

The flow is incompressible with slip walls, in the square [0, L]^2, driven by the buoyancy of the smoke s:

    du/dt + (u . grad) u = nu \Delta u - grad p + b s e_y,    div u = 0,    ds/dt + u . grad s = 0.

It is computed by `sciml.reference.incompressible_stable_fluids` with linear interpolation, which keeps the smoke
between its least and its largest initial value, at time steps of several cells. The numbers are those of the
conditioned Navier-Stokes data of PDEArena, and there are two cases:

``conservative``
    paths by Runge-Kutta steps of order 4, and a sum of the smoke that stays the same;
``paper``
    as PDEArena makes them, but for the order of the parts of a step: paths of one straight line, which lose 5 to 18 %
    of the smoke in 32 frames of 64^2 cells, and starts with the spectrum of PhiFlow's noise, whose power falls with
    the 24th power of the wave number, so that little more than four Fourier modes are left.

Reference: Gupta and Brandstetter, Towards multi-spatiotemporal-scale generalized PDE modeling, TMLR 2023, appendix B.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.fft import dst

from sciml.checks import choice, positive, real_array, whole_number
from sciml.errors import InputError
from sciml.reference.incompressible_stable_fluids import GridFlow, StableFluids
from sciml.reference.periodic_fourier import random_field

FIELDS = ("velocity_x", "velocity_y", "smoke")
SIDE = 32.0
SCALE = 11.0  # of the fluctuations of the first smoke
MODES = 6  # Fourier modes of the first smoke along each axis: the next has 1e-5 of the amplitude of the first
DAMPING = 1e-6  # of the waves that means over two faces hide; see `RisingSmoke.restart`
Frames = Mapping[str, np.ndarray]


def _smooth(waves: Sequence[np.ndarray]) -> np.ndarray:
    return (1.0 + (2.0 * np.pi * SCALE / SIDE) ** 2 * sum(k**2 for k in waves)) ** 3


def _phiflow(waves: Sequence[np.ndarray]) -> np.ndarray:
    squares = sum(k**2 for k in waves).astype(float)
    squares[squares == 0.0] = np.inf
    return squares**6


CASES = {"conservative": _smooth, "paper": _phiflow}


def random_smoke(cells: int, random: np.random.Generator, case: str = "conservative") -> np.ndarray:
    """Return the absolute value of a Gaussian random field of unit variance at the centres of cells, (cells, cells).

    Its amplitude at wave vector k is that of white noise times (1 + (11 |k|)^2)^-3; for the paper's case |k|^-12. One
    seed gives one function for all numbers of cells.

    Parameters
    ----------
    cells : along each axis
    random : draws the field
    case : conservative or paper
    """
    divisors = CASES[choice("the case", case, CASES)]
    whole_number("the number of cells along each axis", cells, at_least=MODES + 1)
    return np.abs(random_field((2 * cells,) * 2, random, MODES, divisors)[1::2, 1::2])  # every other point is a centre


@dataclass(frozen=True)
class RisingSmoke:
    """The method for this problem on a grid.

    Parameters
    ----------
    cells : along each axis
    time_step : between two frames
    viscosity : nu
    case : conservative or paper
    substeps : steps of the solver from frame to frame

    Examples
    --------
    >>> problem = RisingSmoke(cells=32)
    >>> start = problem.still(random_smoke(32, np.random.default_rng(0)))
    >>> frames = problem.frames(start, buoyancy=0.3, count=5)
    >>> frames["smoke"].shape, bool(np.ptp(frames["smoke"].mean((1, 2))) < 1e-12)
    ((5, 32, 32), True)
    """

    cells: int = 64
    time_step: float = 1.5
    viscosity: float = 0.01
    case: str = "conservative"
    substeps: int = 1

    def __post_init__(self) -> None:
        choice("the case", self.case, CASES)
        positive("the time step", self.time_step)
        whole_number("the number of substeps", self.substeps, at_least=1)
        self.method(0.0)  # refuses cells and viscosity

    def method(self, buoyancy: float) -> StableFluids:
        """Return the solver of the problem with a buoyancy.

        Parameters
        ----------
        buoyancy : b
        """
        own = self.case == "conservative"
        return StableFluids(
            self.cells,
            back_trace="rk4" if own else "euler",
            viscosity=self.viscosity,
            buoyancy=buoyancy,
            box=((0.0, SIDE), (0.0, SIDE)),
            conserve=own,
        )

    def still(self, smoke: np.ndarray) -> GridFlow:
        """Return the flow at rest with a smoke, (cells, cells)."""
        n = self.cells
        return GridFlow(np.zeros((n + 1, n)), np.zeros((n, n + 1)), real_array("the smoke", smoke, shape=(n, n)))

    def advanced(self, flow: GridFlow, buoyancy: float, count: int) -> GridFlow:
        """Return a flow some frames later.

        Parameters
        ----------
        flow : to start from
        buoyancy : b
        count : frames
        """
        return self.method(buoyancy).run(flow, self.time_step / self.substeps, count * self.substeps)

    def frames(self, flow: GridFlow, buoyancy: float, count: int) -> dict[str, np.ndarray]:
        """Return a flow and what it becomes in ``count - 1`` time steps.

        Parameters
        ----------
        flow : to start from, the first frame
        buoyancy : b
        count : frames

        Returns
        -------
        dict
            ``velocity_x``, ``velocity_y`` and ``smoke``, each (count, cells, cells), at the centres of the cells: a
            component of the velocity there is the mean of the two faces it is normal to.
        """
        flows = [flow]
        for _ in range(whole_number("the number of frames", count, at_least=1) - 1):
            flows.append(self.advanced(flows[-1], buoyancy, 1))
        along, across, smoke = (np.stack(fields) for fields in zip(*flows, strict=True))
        means = (along[:, 1:] + along[:, :-1]) / 2, (across[:, :, 1:] + across[:, :, :-1]) / 2
        return dict(zip(FIELDS, (*means, smoke), strict=True))

    def restart(self, frame: Frames) -> GridFlow:
        """Return the flow of one frame, such as one that a network has made, with a velocity free of divergence.

        The velocity on the faces is the one whose means are that at the centres, by sines: wave k lost the factor c =
        cos(pi k / 2n) in the mean and is multiplied by c / (c^2 + 1e-6), since of the shortest waves next to nothing
        but rounding is left. Projection then takes away what divergence it has.

        Parameters
        ----------
        frame : ``velocity_x``, ``velocity_y``, ``smoke``, each (cells, cells)
        """
        n = self.cells
        given = {name: real_array(name, frame[name], shape=(n, n)) for name in FIELDS}
        along, across = _on_faces(given["velocity_x"], 0), _on_faces(given["velocity_y"], 1)
        return self.method(0.0).project(GridFlow(along, across, given["smoke"]))

    def resolved(self, frames: Frames, buoyancy: float, first: int = 0) -> dict[str, np.ndarray]:
        """Return the solution from one frame of a trajectory on, as `frames` does.

        Parameters
        ----------
        frames : ``velocity_x``, ``velocity_y``, ``smoke``, each (count, cells, cells), a time step apart
        buoyancy : b
        first : the frame that it starts from
        """
        count = len(frames["smoke"])
        whole_number("the number of frames", count, at_least=2)
        whole_number("the frame to start from", first, at_least=0, at_most=count - 2)
        start = self.restart({name: frames[name][first] for name in FIELDS})
        return self.frames(start, buoyancy, count - first)

    def resolve_errors(self, frames: Frames, buoyancy: float, first: int = 0) -> dict[str, np.ndarray]:
        """Return how far a trajectory is from the solution that starts from one of its frames: the re-solve error.

        It needs no reference: a trajectory that obeys the equations has none, whatever its start. That of the solver's
        own frames in single precision is about 1e-6 of the smoke and 3e-6 of the velocity in 32 frames.

        Parameters
        ----------
        frames : ``velocity_x``, ``velocity_y``, ``smoke``, each (count, cells, cells), a time step apart
        buoyancy : b
        first : the frame that the solution starts from

        Returns
        -------
        dict
            ``velocity`` and ``smoke``, each (count - first - 1,): for every later frame, the L2 norm of the difference
            relative to that of the solution.

        References
        ----------
        Zhou et al., Text2PDE, ICLR 2025, evaluate trajectories generated from text in this way.
        """
        shape = ("frames", self.cells, self.cells)
        given = {name: real_array(name, frames[name], shape=shape) for name in FIELDS}
        if len({len(values) for values in given.values()}) > 1:
            counts = ", ".join(f"{len(values)} of {name}" for name, values in given.items())
            raise InputError(f"a trajectory has {counts}, expected as many frames of each.")
        solution = self.resolved(given, buoyancy, first)
        errors = {}
        for quantity, names in {"velocity": FIELDS[:2], "smoke": FIELDS[2:]}.items():
            exact = np.stack([solution[name][1:] for name in names], axis=1)
            found = np.stack([given[name][first + 1 :] for name in names], axis=1)
            size = np.sqrt(np.square(exact).sum((1, 2, 3)))
            if not size.all():
                raise InputError(
                    f"the {quantity} of the solution is zero everywhere; relative errors need another start."
                )
            errors[quantity] = np.sqrt(np.square(found - exact).sum((1, 2, 3))) / size
        return errors


def _on_faces(centres: np.ndarray, axis: int) -> np.ndarray:
    """Return a component of a velocity on the faces that it is normal to, zero on the walls, from means (n, n)."""
    values = np.moveaxis(centres, axis, 0)
    n = len(values)
    factors = np.cos(np.pi * np.arange(1, n) / (2 * n))[:, None]
    waves = dst(values, 2, axis=0)[:-1] / n * factors / (factors**2 + DAMPING)
    return np.moveaxis(np.pad(dst(waves, 1, axis=0) / 2, ((1, 1), (0, 0))), 0, axis)
