"""Priors of velocity maps, known of them besides their records: penalties and subspaces, with one interface.

A penalty is weighted by a share of the misfit, so that it falls with it. The terms of the total variation and of flat
regions are that share, whatever the map; the others are that share for changes of a stated size. A subspace, such as
that of maps whose rows are constant, is imposed exactly: gradients are projected onto it, and so is the start.

==================  ===================================================================================================
prior               velocities
==================  ===================================================================================================
TotalVariation      few and sharp changes
Pull                near the start where the data see little
Rows                the same along each row
RisingWithDepth     faster the deeper
FlatRegions         constant between jumps, whose size costs nothing
GaussianField       a smooth random field
==================  ===================================================================================================
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from math import pi

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sciml.checks import number, positive

SCALE = 100.0  # m/s, by which penalties are made plain numbers
ROUNDING = 1.0  # m/s, below which the total variation is quadratic, so that it has derivatives
LEAST = 0.1  # a penalty in its weight, as that of a constant map is zero


@dataclass(frozen=True)
class Scene:
    """The start and the illumination, to which penalties may refer besides the map.

    Attributes
    ----------
    start : the map at which the refinement began, (nz, nx)
    illumination : how much the records change with each cell, relative to the median cell, (nz, nx)
    """

    start: Tensor
    illumination: Tensor


class Prior(ABC):
    """The base class of what is known of a velocity map.

    Attributes
    ----------
    share : of the misfit, by which the penalty is weighted
    """

    share: float

    @abstractmethod
    def penalty(self, velocity: Tensor, scene: Scene) -> Tensor:
        """Return a penalty, a plain number, differentiable in the map (nz, nx)."""

    def weight(self, misfit: float, penalty: float) -> float:
        """Return the weight of the penalty in the sum that is minimised, at the present misfit and penalty."""
        return self.share * misfit

    def project(self, values: np.ndarray) -> np.ndarray:
        """Return the nearest field (nz, nx) of the subspace; any field is in it by default."""
        return values


@dataclass(frozen=True)
class TotalVariation(Prior):
    r"""Few and sharp changes: the mean of |\nabla v|.

    Its weight is such that the term is ``share`` times the misfit, and never above it.

    Parameters
    ----------
    share : of the misfit, 0 to 1
    """

    share: float = 1.0

    def __post_init__(self) -> None:
        number("the share of the total variation", self.share, at_least=0.0, at_most=1.0)

    def penalty(self, velocity: Tensor, scene: Scene) -> Tensor:
        """Return the mean length of the gradient, over 100 m/s."""
        return ((_squared_jumps(velocity) + ROUNDING**2).sqrt().mean() - ROUNDING) / SCALE

    def weight(self, misfit: float, penalty: float) -> float:
        """Return the weight with which the term is the share of the misfit, or less for nearly constant maps."""
        return self.share * misfit / max(penalty, LEAST)


@dataclass(frozen=True)
class Pull(Prior):
    """Near the start, where the data see little.

    Parameters
    ----------
    share : of the misfit, which is the term for changes of 100 m/s in cells that the data do not see
    seen : illumination, relative to that of the median cell, at which the pull is half as strong
    """

    share: float = 0.1
    seen: float = 0.3

    def __post_init__(self) -> None:
        number("the share of the pull towards the start", self.share, at_least=0.0)
        positive("the illumination of cells that are seen", self.seen)

    def penalty(self, velocity: Tensor, scene: Scene) -> Tensor:
        """Return the weighted mean square of the change, over (100 m/s)^2."""
        unseen = 1.0 / (1.0 + (scene.illumination / self.seen) ** 2)
        return (unseen * (velocity - scene.start).square()).mean() / SCALE**2


@dataclass(frozen=True)
class Rows(Prior):
    """The same velocity along each row, as in flat layers: imposed exactly."""

    share: float = field(default=0.0, init=False)

    def penalty(self, velocity: Tensor, scene: Scene) -> Tensor:
        """Return zero: all maps in the subspace are as good."""
        return 0.0 * velocity.sum()

    def project(self, values: np.ndarray) -> np.ndarray:
        """Return the means of the rows."""
        return np.broadcast_to(values.mean(1, keepdims=True), values.shape).copy()


@dataclass(frozen=True)
class RisingWithDepth(Prior):
    """Faster the deeper: the mean square of what the velocity falls by from a cell to that below.

    Parameters
    ----------
    share : of the misfit, which is the term for a fall of 100 m/s everywhere
    """

    share: float = 10.0

    def __post_init__(self) -> None:
        number("the share of velocities that fall with depth", self.share, at_least=0.0)

    def penalty(self, velocity: Tensor, scene: Scene) -> Tensor:
        """Return the mean square of the falls, over (100 m/s)^2."""
        return functional.relu(velocity[:-1] - velocity[1:]).square().mean() / SCALE**2


@dataclass(frozen=True)
class FlatRegions(Prior):
    r"""Constant between jumps: the mean of log(1 + |\nabla v|^2 / jump^2), in which large jumps cost little more.

    Parameters
    ----------
    share : of the misfit
    jump : between neighbouring cells, in m/s, above which a change counts as a boundary

    References
    ----------
    Perona, Malik, IEEE Transactions on Pattern Analysis and Machine Intelligence 12 (1990) 629 (its potential).
    """

    share: float = 0.3
    jump: float = 30.0

    def __post_init__(self) -> None:
        number("the share of flat regions", self.share, at_least=0.0, at_most=1.0)
        positive("the jump between flat regions", self.jump)

    def penalty(self, velocity: Tensor, scene: Scene) -> Tensor:
        """Return the mean of the potential."""
        return torch.log1p(_squared_jumps(velocity) / self.jump**2).mean()

    def weight(self, misfit: float, penalty: float) -> float:
        """Return the weight with which the term is the share of the misfit, or less for nearly constant maps."""
        return self.share * misfit / max(penalty, LEAST)


@dataclass(frozen=True)
class GaussianField(Prior):
    r"""A smooth random field about its own mean: its squared norm under the inverse of a Matern covariance.

    .. math:: \frac{1}{n} \sum_k \frac{|\hat v_k|^2}{\sigma^2 c_k}, \qquad c_k \propto (1 + \ell^2 |k|^2)^{-2}

    over the modes of a cosine transform other than the mean, with c_k of mean 1 over them.

    Parameters
    ----------
    share : of the misfit, which is the term for a field of the stated deviation
    deviation : in m/s
    length : in cells, over which velocities are correlated
    """

    share: float = 0.1
    deviation: float = 600.0
    length: float = 8.0

    def __post_init__(self) -> None:
        number("the share of a Gaussian field", self.share, at_least=0.0)
        positive("the deviation of a Gaussian field", self.deviation)
        positive("the length of a Gaussian field", self.length)

    def penalty(self, velocity: Tensor, scene: Scene) -> Tensor:
        """Return the mean over the modes."""
        rows, columns = (_cosines(count).to(velocity) for count in velocity.shape)
        modes = rows @ velocity @ columns.T
        squares = sum(
            (pi * torch.arange(count).to(velocity) / count).square().reshape(shape)
            for count, shape in zip(velocity.shape, ((-1, 1), (1, -1)), strict=True)
        )
        spectrum = (1.0 + self.length**2 * squares) ** -2.0
        spectrum = spectrum / spectrum.flatten()[1:].mean()
        return (modes.square() / spectrum).flatten()[1:].mean() / self.deviation**2


def _squared_jumps(velocity: Tensor) -> Tensor:
    """Return the squared differences to the cells below and to the right, (nz, nx), zero beyond the map."""
    down = functional.pad(velocity[1:] - velocity[:-1], (0, 0, 0, 1))
    right = functional.pad(velocity[:, 1:] - velocity[:, :-1], (0, 1))
    return down.square() + right.square()


def _cosines(count: int) -> Tensor:
    """Return the orthogonal cosine transform of so many cells, a row a mode."""
    cells = torch.arange(count, dtype=torch.float64)
    table = torch.cos(pi / count * cells[:, None] * (cells + 0.5)) * (2.0 / count) ** 0.5
    table[0] /= 2.0**0.5
    return table
