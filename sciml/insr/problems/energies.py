r"""Hyperelastic energies as sums of squares, so that Gauss-Newton methods apply to elasticity.

An energy turns deformation gradients F = d phi / d x, shape (..., d, d) with d = 2 or 3, into rows r(F) such that the
energy per volume of the undeformed body is ``sum(r^2)``: no factor 1/2, the stiffnesses are those of the densities
written in each class. The rows vanish at rest, so that the Gauss-Newton matrix there is that of linear elasticity.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from sciml.checks import number, positive
from sciml.errors import InputError

if TYPE_CHECKING:
    from sciml.reference.hyperelasticity_materials import Material

_TINY = 1e-24  # under the root of a squared length: its derivative stays finite at zero


class Energy(Protocol):
    """The interface of a hyperelastic material."""

    def residuals(self, gradients: Tensor) -> Tensor:
        """Return rows (..., m) whose sum of squares is the energy density."""

    def energy_density(self, gradients: Tensor) -> Tensor:
        """Return the energy per undeformed volume (...), zero at rest."""

    def lame(self) -> tuple[float, float]:
        """Return the shear modulus and the first Lame parameter in the limit of small strains."""

    def material(self) -> Material:
        """Return the finite-element material with the same energy; only reference solutions need it."""


class ArapVolume:
    r"""As-rigid-as-possible energy with a penalty on the change of volume, the material of the INSR paper's code.

    .. math:: W(F) = k_a \, |F - R|^2 + k_v \, (\det F - 1)^2,
        \qquad |F - R|^2 = \textstyle\sum_i (\sigma_i - 1)^2

    R is the rotation nearest to F, so that the singular values carry the sign of det F. The rows sum to W exactly.
    In the plane they need no decomposition: with p = F11 + F22 and q = F21 - F12, |F - R|^2 is half of
    (sqrt(p^2 + q^2) - 2)^2 + (F11 - F22)^2 + (F12 + F21)^2. In space R comes from a singular value decomposition whose
    factors are held fixed; dR = U (d(A - A^T) / (sigma_i + sigma_j)) V^T with A = U^T F V is then exact and, other
    than the derivative of U and V, finite where singular values meet. Small strains: shear modulus k_a, first Lame
    parameter 2 k_v.

    Parameters
    ----------
    stiffness : k_a > 0, energy per volume
    volume_stiffness : k_v >= 0, energy per volume

    References
    ----------
    Chen et al., Implicit neural spatial representations for time-dependent PDEs, ICML 2023, section 5 (their code).
    Smith, de Goes, Kim, Analytic eigensystems for isotropic distortion energies, ACM Trans. Graph. 38 (2019).
    """

    def __init__(self, stiffness: float = 1.0, volume_stiffness: float = 1e3) -> None:
        self.stiffness = positive("the stiffness of a material", stiffness)
        self.volume_stiffness = number("the volume stiffness of a material", volume_stiffness, at_least=0)

    def residuals(self, gradients: Tensor) -> Tensor:
        """Return the rows of the energy, (..., 4) in the plane and (..., 10) in space."""
        dim = _dimension(gradients)
        volume = math.sqrt(self.volume_stiffness) * (determinant(gradients) - 1)
        if dim == 2:
            twice = _plane_stretch(gradients) - 2
            rows = math.sqrt(self.stiffness / 2) * torch.stack([twice, *_anticonformal(gradients)], -1)
        else:
            u, sigma, v = _signed_svd(gradients)
            sums = (sigma[..., :, None] + sigma[..., None, :]).clamp(min=1e-6)
            aligned = u.mT @ gradients @ v
            turn = (aligned - aligned.mT) / sums + torch.eye(3, dtype=sums.dtype, device=sums.device)
            rows = math.sqrt(self.stiffness) * (gradients - u @ turn @ v.mT).flatten(-2)
        return torch.cat([rows, volume[..., None]], -1)

    def energy_density(self, gradients: Tensor) -> Tensor:
        """Return the energy density W(F), (...)."""
        return self.residuals(gradients).square().sum(-1)

    def lame(self) -> tuple[float, float]:
        """Return the two parameters of linear elasticity, (k_a, 2 k_v)."""
        return self.stiffness, 2 * self.volume_stiffness

    def material(self) -> Material:
        """Return the finite-element material with the same energy."""
        from sciml.reference.hyperelasticity_materials import ArapVolumeMaterial

        return ArapVolumeMaterial(self.stiffness, self.volume_stiffness)

    def __repr__(self) -> str:
        return f"ArapVolume(stiffness={self.stiffness:g}, volume_stiffness={self.volume_stiffness:g})"


class StableNeoHookean:
    r"""Neo-Hookean energy that is stable at rest and finite under inversion.

    .. math:: W(F) = \tfrac\mu2 (|F|^2 - d) - \mu (J - 1) + \tfrac{\lambda + \mu}2 (J - 1)^2, \qquad J = \det F

    Smith et al. write it mu/2 (|F|^2 - d) + lambda'/2 (J - 1 - mu / lambda')^2, the same up to a constant, without the
    logarithm that they add; lambda' = lambda + mu makes mu and lambda the parameters of linear elasticity at small
    strains. Stress-free and least, W = 0, at rotations.

    That form would make poor rows: they do not vanish at rest, where their Gauss-Newton matrix resists rotations and
    has half of the shear stiffness. In the plane |F|^2 - 2 J = (F11 - F22)^2 + (F12 + F21)^2 gives rows that vanish. In
    space we take those of the energy V = mu/4 |F - cof F|^2 + (lambda/2 + mu/4) (J - 1)^2, which also vanishes at
    rotations and has the same small strains, times sqrt(W / V). Their derivative is continuous, their sum of squares
    is W to 1e-12 mu, and no decomposition of F is needed.

    Parameters
    ----------
    shear_modulus : mu > 0, energy per volume
    lame_parameter : lambda >= 0, the first Lame parameter, energy per volume

    References
    ----------
    Smith, de Goes, Kim, Stable neo-Hookean flesh simulation, ACM Trans. Graph. 37 (2018), section 3.
    """

    def __init__(self, shear_modulus: float = 1.0, lame_parameter: float = 10.0) -> None:
        self.shear_modulus = positive("the shear modulus of a material", shear_modulus)
        self.lame_parameter = number("the first Lame parameter of a material", lame_parameter, at_least=0)
        self._volume = self.lame_parameter + self.shear_modulus  # lambda' of Smith et al.

    def residuals(self, gradients: Tensor) -> Tensor:
        """Return the rows of the energy, (..., 3) in the plane and (..., 10) in space."""
        if _dimension(gradients) == 2:
            rows = math.sqrt(self.shear_modulus / 2) * torch.stack(_anticonformal(gradients), -1)
            change = determinant(gradients) - 1
            return torch.cat([rows, math.sqrt(self._volume / 2) * change[..., None]], -1)
        cofactor = _cofactor(gradients)
        change = determinant(gradients) - 1
        rows = math.sqrt(self.shear_modulus / 4) * (gradients - cofactor).flatten(-2)
        volume = math.sqrt(self.lame_parameter / 2 + self.shear_modulus / 4) * change
        rows = torch.cat([rows, volume[..., None]], -1)
        tiny = 1e-12 * self.shear_modulus
        ratio = (self.energy_density(gradients) + tiny) / (rows.square().sum(-1) + tiny)
        return ratio.clamp(min=1e-12).sqrt()[..., None] * rows

    def energy_density(self, gradients: Tensor) -> Tensor:
        """Return the energy density W(F), computed from F - I to avoid cancellation at small strains."""
        dim = _dimension(gradients)
        strain = gradients - torch.eye(dim, dtype=gradients.dtype, device=gradients.device)
        trace = strain.diagonal(dim1=-2, dim2=-1).sum(-1)
        second = (trace**2 - (strain * strain.mT).sum((-2, -1))) / 2
        third = determinant(strain) if dim == 3 else torch.zeros_like(trace)
        change = trace + second + third
        stretch = strain.square().sum((-2, -1)) - 2 * second - 2 * third
        return self.shear_modulus / 2 * stretch + self._volume / 2 * change**2

    def lame(self) -> tuple[float, float]:
        """Return the two parameters of linear elasticity, (mu, lambda)."""
        return self.shear_modulus, self.lame_parameter

    def material(self) -> Material:
        """Return the finite-element material with the same energy."""
        from sciml.reference.hyperelasticity_materials import NeoHookeanMaterial

        return NeoHookeanMaterial(self.shear_modulus, self.lame_parameter)

    def __repr__(self) -> str:
        return f"StableNeoHookean(shear_modulus={self.shear_modulus:g}, lame_parameter={self.lame_parameter:g})"


def determinant(matrices: Tensor) -> Tensor:
    """Return the determinant of (..., 2, 2) or (..., 3, 3), with exact derivatives at singular matrices too."""
    if _dimension(matrices) == 2:
        return matrices[..., 0, 0] * matrices[..., 1, 1] - matrices[..., 0, 1] * matrices[..., 1, 0]
    first, second, third = matrices.unbind(-2)
    return (first * torch.linalg.cross(second, third)).sum(-1)


def _dimension(gradients: Tensor) -> int:
    if gradients.ndim < 2 or gradients.shape[-2:] not in ((2, 2), (3, 3)):
        raise InputError(f"deformation gradients have the shape (..., d, d), d = 2 or 3; got {tuple(gradients.shape)}.")
    return gradients.shape[-1]


def _plane_stretch(gradients: Tensor) -> Tensor:
    """Return sigma_1 + sigma_2 of (..., 2, 2), the second with the sign of the determinant."""
    p = gradients[..., 0, 0] + gradients[..., 1, 1]
    q = gradients[..., 1, 0] - gradients[..., 0, 1]
    return torch.sqrt(p**2 + q**2 + _TINY)


def _anticonformal(gradients: Tensor) -> list[Tensor]:
    """Return the anticonformal part of (..., 2, 2), whose length is sigma_1 - sigma_2."""
    return [gradients[..., 0, 0] - gradients[..., 1, 1], gradients[..., 0, 1] + gradients[..., 1, 0]]


def _cofactor(gradients: Tensor) -> Tensor:
    """Return the derivative of the determinant of (..., 3, 3): its rows are cross products of the rows of F."""
    first, second, third = gradients.unbind(-2)
    pairs = ((second, third), (third, first), (first, second))
    return torch.stack([torch.linalg.cross(a, b) for a, b in pairs], -2)


def _signed_svd(gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return U, sigma, V of F = U diag(sigma) V^T, det(U V^T) = 1, detached; the last sigma has the sign of det F."""
    u, sigma, vt = torch.linalg.svd(gradients.detach())
    sign = torch.linalg.det(u @ vt).sign()[..., None]
    last = torch.ones_like(sigma).cumsum(-1) > sigma.shape[-1] - 0.5
    flips = torch.where(last, sign, torch.ones_like(sigma))
    return u * flips[..., None, :], sigma * flips, vt.mT
