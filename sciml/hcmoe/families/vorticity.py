"""Incompressible flows in a periodic square from random starts, the second problem of the paper, for an operator."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from sciml.checks import positive, whole_number
from sciml.errors import InputError
from sciml.hcmoe.periodic import PeriodicConstraint, PeriodicSettings
from sciml.hcmoe.periodic_grid import PeriodicGrid, Times
from sciml.reference.vorticity import LEAST_POINTS, random_vorticity, velocity, vorticity_flow

COURANT = 0.5  # of the reference solutions
SEEDS = 2**31


class Vorticity:
    r"""Flows :math:`w_t + u w_x + v w_y = \nu \Delta w` from Gaussian random vorticities, on a grid in time and space.

    The start holds by construction, so that the residual is the only term of the loss.

    Parameters
    ----------
    shape : numbers of times and of places along x and y, the latter equal and at least 15
    duration : T
    viscosity : :math:`\nu`
    length : of the kernel of the random starts, see :func:`sciml.reference.vorticity.random_vorticity`
    times : of the grid, see :class:`~sciml.hcmoe.periodic_grid.PeriodicGrid`
    resolution : values per axis of reference solutions, a multiple of the places; 128 have an error of 1e-5 at the
        viscosity 1e-4

    References
    ----------
    Chalapathi, Du, Krishnapriyan, "Scaling physics-informed hard constraints with mixture-of-experts", ICLR 2024,
    sections 4.2 and C.2: 64 values per axis, with a kernel and an amplitude that are not published.
    """

    channels = 3

    def __init__(
        self,
        shape: list[int],
        duration: float = 5.0,
        viscosity: float = 1e-4,
        length: float = 0.8,
        times: Times = "chebyshev",
        resolution: int = 128,
    ) -> None:
        self.grid = PeriodicGrid(tuple(shape), duration, times)
        self.shape, self.viscosity, self.length = self.grid.shape, positive("the viscosity", viscosity), length
        places = self.shape[1]
        if places != self.shape[2] or places < LEAST_POINTS:
            raise InputError(
                f"there are {places} and {self.shape[2]} places along x and y, expected equal numbers of at least "
                f"{LEAST_POINTS}, which resolve the random starts."
            )
        if whole_number("the resolution of the reference", resolution, at_least=places) % places:
            raise InputError(f"the resolution of the reference is {resolution}, expected a multiple of {places}.")
        self.resolution = resolution

    def sample(self, count: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Return random starts, ``(count, nx, ny)``; no solution is among them.

        Parameters
        ----------
        count : instances
        generator : of their seeds
        """
        return {"start": torch.from_numpy(self._starts(self.shape[1], count, generator))}

    def inputs(self, instances: Mapping[str, Tensor]) -> Tensor:
        r"""Return what a network sees: time, start, and :math:`w_t` at the start, ``(instances, *shape, 3)``.

        There are no coordinates among them: an operator that commutes with translations translates the flow with its
        start, as the equation does.
        """
        start = instances["start"].double()[:, None]
        spectrum = self.grid.spectrum(start)
        u, v, x, y, laplace = (self.grid.term(name, spectrum) for name in ("u", "v", "x", "y", "laplace"))
        t = (self.grid.t / self.grid.duration).to(start)[None, :, None, None]
        channels = t, start, self.viscosity * laplace - u * x - v * y
        return torch.stack([each.expand(len(start), *self.shape) for each in channels], -1)

    def unconstrained(self, outputs: Tensor, instances: Mapping[str, Tensor]) -> Tensor:
        """Return the field of which the outputs of a network are parts: the start, and the sum of all, which rises.

        Parameters
        ----------
        outputs : ``(instances, *shape, N)``
        instances : their starts
        """
        start = instances["start"].double()
        weights = start.new_ones(len(start), 1, outputs.shape[-1])
        return PeriodicConstraint(self.grid).assembled(outputs.double(), start, weights)

    def constrained(
        self,
        outputs: Tensor,
        instances: Mapping[str, Tensor],
        experts: tuple[int, int] = (1, 1),
        settings: PeriodicSettings | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Return the combination of the outputs that satisfies the equation best, ``(instances, *shape)`` in float64.

        Parameters
        ----------
        outputs : a basis, ``(instances, *shape, N)``
        instances : their starts
        experts : windows along x and y
        settings : of the constraint
        generator : of points that are drawn
        """
        layer = PeriodicConstraint(self.grid, experts, settings)
        return layer(outputs, instances["start"], self.viscosity, generator).u

    def terms(self, u: Tensor, instances: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the mean square of the residual times the duration, by the name ``"residual"``.

        Parameters
        ----------
        u : vorticities, ``(instances, *shape)``
        instances : those that they belong to
        """
        residual = self.grid.residual(u.double(), self.viscosity)
        return {"residual": self.grid.mean_square(self.grid.duration * residual)}

    def cases(self, count: int, generator: torch.Generator) -> tuple[dict[str, Tensor], Tensor]:
        """Return random instances and their solutions by Fourier series, for validation and tests only.

        Parameters
        ----------
        count : instances
        generator : of their seeds

        Returns
        -------
        instances, solutions
            ``(count, *shape)``.
        """
        fine = self._starts(self.resolution, count, generator)
        longest = COURANT / (self.resolution * float(np.abs(velocity(fine)).max()))
        flow = vorticity_flow(fine, self.viscosity, self.grid.t[1:].tolist(), longest)
        flow = np.moveaxis(np.concatenate([fine[None], flow]), 0, 1)
        every = self.resolution // self.shape[1]
        u = torch.from_numpy(np.ascontiguousarray(flow[:, :, ::every, ::every]))
        return {"start": u[:, 0]}, u

    def _starts(self, points: int, count: int, generator: torch.Generator) -> np.ndarray:
        seeds = torch.randint(SEEDS, (count,), generator=generator, device=generator.device).tolist()
        return np.stack([random_vorticity(points, np.random.default_rng(seed), self.length) for seed in seeds])
