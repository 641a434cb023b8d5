"""Generators of data sets, in which each sample is a function of its random numbers alone.

A generator is a frozen dataclass whose fields are its options. :data:`GENERATORS` is the list of them; ``sciml data
generate`` and :func:`sciml.data.generate` take any. Those of `sciml.data.shots` draw from (seed, number), and
their data sets are folders.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Protocol

import numpy as np

from sciml.checks import choice, positive, whole_number
from sciml.data.darcy import Darcy
from sciml.data.diffusion_sorption import DiffusionSorption
from sciml.data.formats import DataField, Description
from sciml.data.pore_networks import PoreNetworks
from sciml.data.sample_sizes import check_sample_size
from sciml.data.shots import SHOT_GENERATORS
from sciml.data.smoke import Smoke
from sciml.data.vorticity import Vorticity
from sciml.errors import InputError
from sciml.mesh import Grid, Mesh

# fields and parameters of one trajectory, and the places of its own if it has any
Sample = (
    tuple[dict[str, np.ndarray], dict[str, float]] | tuple[dict[str, np.ndarray], dict[str, float], dict[str, Mesh]]
)


class Generator(Protocol):
    """The interface of a generator of the samples of a data set."""

    summary: ClassVar[str]

    def describe(self) -> Description:
        """Return what each sample holds; of the parameters the names count, the number of trajectories does not."""
        ...

    def sample(self, random: np.random.Generator) -> Sample:
        """Return one sample, its fields and parameters, and its grids and meshes if those differ among the samples.

        Parameters
        ----------
        random : the only source of randomness
        """
        ...


@dataclass(frozen=True)
class Heat:
    """Heat equation on a periodic box, exact: du/dt = D times the Laplacian of u, from a smooth random field.

    Parameters
    ----------
    size : values per axis
    dimension : 1 to 3
    steps : number of times
    duration : the last of them; the first is 0
    diffusivity : D
    """

    size: int = 64
    dimension: int = 2
    steps: int = 21
    duration: float = 1.0
    diffusivity: float = 0.01
    summary: ClassVar[str] = "heat equation on a periodic box, exact by Fourier series"

    def __post_init__(self) -> None:
        _check_box(self, size=9, dimension=3)
        positive("diffusivity", self.diffusivity)

    def describe(self) -> Description:
        """Return what each sample holds: ``u``."""
        return _periodic(self, "heat")

    def sample(self, random: np.random.Generator) -> Sample:
        """Return one sample, its fields and parameters.

        Parameters
        ----------
        random : draws the initial field
        """
        from sciml.reference.periodic_fourier import heat, random_field

        start = random_field((self.size,) * self.dimension, random)
        return {"u": heat(start, self.diffusivity, _times(self))}, {}


@dataclass(frozen=True)
class Advection:
    """Advection on a periodic box, exact: u(x, t) = u(x - c t, 0), from a smooth random field.

    Parameters
    ----------
    size : values per axis
    dimension : 1 to 3
    steps : number of times
    duration : the last of them; the first is 0
    speed : of every component of c, which has a random sign
    """

    size: int = 64
    dimension: int = 2
    steps: int = 21
    duration: float = 1.0
    speed: float = 1.0
    summary: ClassVar[str] = "advection on a periodic box, exact by Fourier series"

    def __post_init__(self) -> None:
        _check_box(self, size=9, dimension=3)
        positive("speed", self.speed)

    def describe(self) -> Description:
        """Return what each sample holds: ``u``, and the velocity as parameters."""
        return _periodic(self, "advection", *(f"velocity_{axis}" for axis in "xyz"[: self.dimension]))

    def sample(self, random: np.random.Generator) -> Sample:
        """Return one sample, its fields and parameters.

        Parameters
        ----------
        random : draws the direction and the initial field
        """
        from sciml.reference.periodic_fourier import advection, random_field

        velocity = self.speed * random.choice([-1.0, 1.0], self.dimension)
        start = random_field((self.size,) * self.dimension, random)
        names = (f"velocity_{axis}" for axis in "xyz")
        return {"u": advection(start, velocity, _times(self))}, dict(zip(names, velocity.tolist(), strict=False))


@dataclass(frozen=True)
class Burgers:
    """Burgers' equation on a periodic interval, du/dt + u du/dx = nu d^2u/dx^2, from a smooth random field.

    Parameters
    ----------
    size : values along x; the Fourier modes up to size / 3 must resolve fronts of thickness nu
    steps : number of times
    duration : the last of them; the first is 0
    viscosity : nu
    """

    size: int = 256
    steps: int = 51
    duration: float = 1.0
    viscosity: float = 0.02
    summary: ClassVar[str] = "Burgers' equation on a periodic interval, by Fourier series"

    def __post_init__(self) -> None:
        _check_box(self, size=13, dimension=3)
        positive("viscosity", self.viscosity)

    def describe(self) -> Description:
        """Return what each sample holds: ``u``."""
        return _periodic(self, "burgers")

    def sample(self, random: np.random.Generator) -> Sample:
        """Return one sample, its fields and parameters.

        Parameters
        ----------
        random : draws the initial field
        """
        from sciml.reference.periodic_fourier import burgers, random_field

        start = random_field((self.size,), random)
        longest = 0.5 / self.size / max(1.0, float(np.abs(start).max()))
        return {"u": burgers(start, self.viscosity, _times(self), longest)}, {}


@dataclass(frozen=True)
class Poisson:
    """Pressure systems on voxels of the unit box, of every case of `reference.poisson_cases`, and their solution.

    Parameters
    ----------
    case : box, smoke, mixed, walls, jumps or closed; mixed, jumps and closed have a new geometry in each sample
    size : cells per axis, at least 12
    dimension : 2 or 3
    right_hand_side : white (noise) or smooth (a plume)
    tolerance : of the relative residual
    """

    case: str = "mixed"
    size: int = 64
    dimension: int = 2
    right_hand_side: str = "white"
    tolerance: float = 1e-10
    summary: ClassVar[str] = "pressure systems on voxels with obstacles and free surfaces, and their solution"

    def __post_init__(self) -> None:
        from sciml.reference.poisson_cases import RIGHT_HAND_SIDES, poisson_case

        positive("tolerance", self.tolerance)
        choice("right_hand_side", self.right_hand_side, RIGHT_HAND_SIDES)
        poisson_case(self.case, max(self.size, 0) and min(self.size, 16), 0, self.dimension)  # refuses what is wrong

    def describe(self) -> Description:
        """Return what each sample holds: ``cells`` (0 fluid, 1 Dirichlet, 2 solid), ``b``, ``p``; for jumps ``k``."""
        from sciml.reference.poisson_cases import poisson_case

        grid = Grid((self.size,) * self.dimension, centring="cell")
        outside = poisson_case(self.case, 16, 0, self.dimension).outside
        names = {"cells": "uint8", **({"k": "float64"} if self.case == "jumps" else {}), "b": "float64", "p": "float64"}
        entries = tuple(DataField(name, (), kind, "", "cells", False) for name, kind in names.items())
        sides = {axis + end: "neumann" for axis in "xyz"[: self.dimension] for end in "-+"} | outside
        return Description("poisson", grid, np.zeros(1), entries, 1, boundary=sides)

    def sample(self, random: np.random.Generator) -> Sample:
        """Return one sample, its fields and parameters.

        Parameters
        ----------
        random : draws the geometry and the right-hand side
        """
        from sciml.linalg import VoxelPoisson, solve
        from sciml.reference.poisson_cases import poisson_case

        geometry, noise = (int(seed) for seed in random.integers(2**31, size=2))
        case = poisson_case(self.case, self.size, geometry, self.dimension)
        system = VoxelPoisson.from_cells(
            case.cells, coefficient=case.coefficient, spacing=1.0 / self.size, outside=case.outside
        )
        b = case.right_hand_side(self.right_hand_side, noise)
        with _one_thread():
            result = solve(system, b, rtol=self.tolerance)
        if result.true_residual > 10 * self.tolerance:
            raise InputError(
                f"a sample was solved to {result.true_residual:.1e} only; choose a tolerance above {self.tolerance:g}."
            )
        values = {"cells": case.cells, "b": b, "p": result.x}
        return (values if case.coefficient is None else {**values, "k": case.coefficient}), {}


GENERATORS: dict[str, type[Any]] = {
    "poisson": Poisson,
    "heat": Heat,
    "advection": Advection,
    "burgers": Burgers,
    "darcy": Darcy,
    "diffusion_sorption": DiffusionSorption,
    "vorticity": Vorticity,
    "smoke": Smoke,
    "pore_networks": PoreNetworks,
    **SHOT_GENERATORS,
}


def generator_of(name: str, options: Mapping[str, str] | None = None) -> Any:
    """Return a generator of :data:`GENERATORS` with options given as text.

    Parameters
    ----------
    name : key of :data:`GENERATORS`
    options : text by name of the option, ``{"size": "128"}``
    """
    choice("the generator", name, GENERATORS)
    kinds: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "str": str}
    known = {entry.name: str(entry.type) for entry in fields(GENERATORS[name])}
    values = {}
    for key, value in (options or {}).items():
        choice(f"the option of {name}", key, known)
        try:
            values[key] = kinds[known[key]](value)
        except ValueError:
            raise InputError(f"the option {key} of {name} must be of type {known[key]}, got {value!r}.") from None
    return GENERATORS[name](**values)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums over several threads depend on their number in the last digits: samples must not."""
    from threadpoolctl import threadpool_limits

    from sciml.linalg.kernels.guarded_numba import numba

    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        numba.set_num_threads(before)


def _times(generator: Any) -> np.ndarray:
    return np.linspace(0.0, generator.duration, generator.steps)


def _periodic(generator: Any, name: str, *parameters: str) -> Description:
    dimension = getattr(generator, "dimension", 1)
    return Description(
        name,
        Grid((generator.size,) * dimension, periodic=True),
        _times(generator),
        (DataField("u", (), "float32"),),
        1,
        boundary=dict.fromkeys("xyz"[:dimension], "periodic"),
        parameters=dict.fromkeys(parameters, np.zeros(0)),
    )


def _check_box(generator: Any, size: int, dimension: int) -> None:
    whole_number("size", generator.size, at_least=size)
    whole_number("dimension", getattr(generator, "dimension", 1), at_least=1, at_most=dimension)
    whole_number("steps", generator.steps, at_least=2)
    check_sample_size(size=generator.size ** getattr(generator, "dimension", 1), steps=generator.steps)
    positive("duration", generator.duration)
