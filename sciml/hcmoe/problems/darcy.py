r"""Darcy flow through a medium: ``-div(k grad p) = f`` on a rectangle, with the pressure given on its boundary."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sciml.checks import number, real_array, whole_number
from sciml.domains import Box
from sciml.errors import DataFormatError, InputError
from sciml.npy_files import read_npy
from sciml.reference.darcy import random_medium, solve_darcy

if TYPE_CHECKING:
    from scipy.interpolate import RectBivariateSpline

REFERENCE_DEGREE = 56


class Medium(NamedTuple):
    """The logarithm of the permeability at points, and its gradient there."""

    logarithm: Tensor
    gradient: Tensor


class DarcyProblem(ABC):
    r"""Steady flow ``-div(k grad p) = f`` on a rectangle, ``p = g`` on its boundary; the flux is ``-k grad p``.

    k is positive and has a continuous gradient. Points are ``(n, 2)``, in float64.

    Attributes
    ----------
    domain : a rectangle, ``Box([x0, y0], [x1, y1])``
    """

    domain: Box = Box([0.0, 0.0], [1.0, 1.0])

    @abstractmethod
    def permeability(self, points: Tensor) -> Tensor:
        """Return k, ``(n,)``; a torch function of the points, unless :meth:`medium` is overridden."""

    def source(self, points: Tensor) -> Tensor:
        """Return f, ``(n,)``; 1 by default."""
        return torch.ones_like(points[:, 0])

    def boundary(self, points: Tensor) -> Tensor:
        """Return g, ``(n,)``, a torch function of the points; 0 by default."""
        return 0.0 * points[:, 0]

    def exact(self, points: Tensor, time: float = 0.0) -> Tensor | None:
        """Return the exact p, ``(n, 1)``; None where it is not known."""
        return None

    def reference(self) -> Callable[[np.ndarray], np.ndarray] | None:
        """Return a computed p, a function of points ``(n, 2)``, for errors where none is exact; None by default."""
        return None

    def medium(self, points: Tensor) -> Medium:
        """Return log k, ``(n,)``, and its gradient, ``(n, 2)``, by default from the permeability.

        Raises
        ------
        InputError
            If the permeability is not one positive number for each point.
        """
        with torch.enable_grad():
            points = points.detach().requires_grad_()
            k = self.permeability(points)
            self._check_positive(k, points)
            logarithm = k.log()
            gradient = torch.zeros_like(points)
            if logarithm.requires_grad:
                (gradient,) = torch.autograd.grad(logarithm.sum(), points)
        return Medium(logarithm.detach(), gradient)

    def check(self) -> None:
        """Check that the domain is a rectangle.

        Raises
        ------
        InputError
            If it is no rectangle.
        """
        if self.domain.dim != 2 or any(self.domain.periodic):
            raise InputError(
                f"the domain of {type(self).__name__} is {self.domain}, expected a rectangle that is not periodic."
            )

    def sources(self, points: Tensor) -> Tensor:
        """Return f after a check that it is one finite number for each point.

        Raises
        ------
        InputError
            If it is not one finite number for each point.
        """
        source = self.source(points)
        if source.shape != points.shape[:1] or not bool(source.isfinite().all()):
            raise InputError(
                f"{type(self).__name__}.source returned the shape {tuple(source.shape)}, expected one finite number a "
                f"point, ({len(points)},)."
            )
        return source

    def _check_positive(self, k: Tensor, points: Tensor) -> None:
        name = f"{type(self).__name__}.permeability"
        if k.shape != points.shape[:1]:
            raise InputError(
                f"{name} returned the shape {tuple(k.shape)}, expected one number a point, ({len(points)},)."
            )
        if not bool(((k > 0) & k.isfinite()).all()):
            raise InputError(
                f"the least value of {name} is {float(k.detach().min()):.6g}, expected finite positive numbers."
            )


class RandomDarcy(DarcyProblem):
    """Flow that a uniform source drives through a log-normal medium, ``p = 0`` on the boundary of the unit square.

    The media are those of ``sciml data generate darcy``, see :func:`sciml.reference.darcy.random_medium`.

    Parameters
    ----------
    seed : of the medium
    waves : largest wave number along each axis
    deviation : of log k
    """

    def __init__(self, seed: int = 0, waves: int = 4, deviation: float = 1.0) -> None:
        whole_number("the seed of a medium", seed, at_least=0)
        self._medium = random_medium(np.random.default_rng(seed), waves, deviation)

    def permeability(self, points: Tensor) -> Tensor:
        """Return k of the medium."""
        return self._medium(points)

    def reference(self) -> Callable[[np.ndarray], np.ndarray]:
        """Return the pressure by Galerkin's method with one polynomial on the whole square."""
        return solve_darcy(self._medium, 1.0, REFERENCE_DEGREE)


class GridDarcy(DarcyProblem):
    """Flow that a uniform source drives through a medium of which values are given, ``p = 0`` on the boundary.

    Between the values, log k is a bicubic spline.

    Parameters
    ----------
    file : ``.npy`` with k at the nodes of an even grid on the unit square, its sides among them, ``(nx, ny)``, at least
        4 x 4
    source : f
    """

    def __init__(self, file: str, source: float = 1.0) -> None:
        self.file, self._source = Path(file), number("the source", source)

    def permeability(self, points: Tensor) -> Tensor:
        """Return k of the spline; its derivatives are in :meth:`medium`."""
        return self.medium(points).logarithm.exp()

    def source(self, points: Tensor) -> Tensor:
        """Return the uniform source at the points."""
        return torch.full_like(points[:, 0], self._source)

    def medium(self, points: Tensor) -> Medium:
        """Return the spline and its gradient.

        Raises
        ------
        DataFormatError
            If the file does not exist, or holds no such values.
        """
        x, y = points.detach().cpu().double().numpy().T
        values = [self._spline(x, y, dx=dx, dy=dy, grid=False) for dx, dy in ((0, 0), (1, 0), (0, 1))]
        logarithm, *slopes = (torch.from_numpy(each).to(points) for each in values)
        return Medium(logarithm, torch.stack(slopes, 1))

    @cached_property
    def _spline(self) -> RectBivariateSpline:
        """The spline of log k."""
        from scipy.interpolate import RectBivariateSpline

        what = f"the permeability in {self.file}"
        try:
            k = real_array(what, read_npy(self.file), shape=("nx", "ny"), error=DataFormatError)
        except FileNotFoundError:
            raise DataFormatError(f"{self.file} does not exist; check the name.") from None
        except DataFormatError:
            raise
        except Exception as error:  # NumPy raises whatever its parser stumbles over
            raise DataFormatError(f"{self.file} cannot be read as an .npy file with an array of numbers.") from error
        if min(k.shape) < 4 or not k.min() > 0:
            raise DataFormatError(
                f"{what} has the shape {k.shape} and the least value {k.min():.6g}, expected at least 4 x 4 positive "
                "numbers."
            )
        return RectBivariateSpline(*(np.linspace(0.0, 1.0, count) for count in k.shape), np.log(k))
