r"""Hyperelastic materials for classical solvers: energy, stress and tangent at many deformation gradients at once.

Gradients F = d phi / d x are arrays (..., d, d), d = 2 (plane strain) or 3. The first Piola-Kirchhoff stress is
P = dW / dF, (..., d, d), the tangent dP / dF, (..., d, d, d, d).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import Protocol

import numpy as np

from sciml.checks import number, positive


class Material(Protocol):
    """A hyperelastic energy with its first two derivatives."""

    def density(self, gradients: np.ndarray) -> np.ndarray:
        """Return the energy W(F) per undeformed volume, (...)."""

    def stress(self, gradients: np.ndarray) -> np.ndarray:
        """Return the first Piola-Kirchhoff stress dW / dF."""

    def tangent(self, gradients: np.ndarray) -> np.ndarray:
        """Return the tangent d^2 W / dF^2."""


@dataclass(frozen=True)
class ArapVolumeMaterial:
    r"""W = k_a |F - R|^2 + k_v (det F - 1)^2, R the rotation nearest to F.

    Parameters
    ----------
    stiffness : k_a > 0
    volume_stiffness : k_v >= 0

    References
    ----------
    Smith, de Goes, Kim, Analytic eigensystems for isotropic distortion energies, ACM Trans. Graph. 38 (2019): the
    derivative of R is 2 / (sigma_i + sigma_j) along the rotation of the principal axes i and j.
    """

    stiffness: float = 1.0
    volume_stiffness: float = 1e3

    def __post_init__(self) -> None:
        _check_moduli(stiffness=self.stiffness, volume_stiffness=self.volume_stiffness)

    def density(self, gradients: np.ndarray) -> np.ndarray:
        """Return the energy density W(F)."""
        distance = ((gradients - nearest_rotation(gradients)) ** 2).sum((-2, -1))
        return self.stiffness * distance + self.volume_stiffness * (np.linalg.det(gradients) - 1) ** 2

    def stress(self, gradients: np.ndarray) -> np.ndarray:
        """Return 2 k_a (F - R) + 2 k_v (J - 1) cof F."""
        change = (np.linalg.det(gradients) - 1)[..., None, None]
        volume = 2 * self.volume_stiffness * change * cofactor(gradients)
        return 2 * self.stiffness * (gradients - nearest_rotation(gradients)) + volume

    def tangent(self, gradients: np.ndarray) -> np.ndarray:
        """Return 2 k_a (1 - dR) + 2 k_v (cof F cof F + (J - 1) d cof F)."""
        result = np.zeros((*gradients.shape, *gradients.shape[-2:])) + _identity(gradients.shape[-1])
        for twist, sum_of_stretches in _twists(gradients):
            rate = 1 / np.maximum(sum_of_stretches, 1e-9)
            result -= rate[..., None, None, None, None] * _outer(twist, twist)
        return 2 * self.stiffness * result + _volume_tangent(gradients, 2 * self.volume_stiffness, 1.0)


@dataclass(frozen=True)
class NeoHookeanMaterial:
    r"""W = mu / 2 (|F|^2 - d) - mu (J - 1) + (lambda + mu) / 2 (J - 1)^2, stable at rest and under inversion.

    Parameters
    ----------
    shear_modulus : mu > 0
    lame_parameter : lambda >= 0; mu and lambda are those of linear elasticity at small strains

    References
    ----------
    Smith, de Goes, Kim, Stable neo-Hookean flesh simulation, ACM Trans. Graph. 37 (2018), section 3.
    """

    shear_modulus: float = 1.0
    lame_parameter: float = 10.0

    def __post_init__(self) -> None:
        _check_moduli(shear_modulus=self.shear_modulus, lame_parameter=self.lame_parameter)

    @property
    def _bulk(self) -> float:
        return self.lame_parameter + self.shear_modulus

    @property
    def _rest(self) -> float:
        return 1 + self.shear_modulus / self._bulk

    def density(self, gradients: np.ndarray) -> np.ndarray:
        """Return the energy density W(F)."""
        change = np.linalg.det(gradients) - 1
        stretch = (gradients**2).sum((-2, -1)) - gradients.shape[-1] - 2 * change
        return self.shear_modulus / 2 * stretch + self._bulk / 2 * change**2

    def stress(self, gradients: np.ndarray) -> np.ndarray:
        """Return mu F + lambda' (J - J_0) cof F with lambda' = lambda + mu, J_0 = 1 + mu / lambda'."""
        change = (np.linalg.det(gradients) - self._rest)[..., None, None]
        return self.shear_modulus * gradients + self._bulk * change * cofactor(gradients)

    def tangent(self, gradients: np.ndarray) -> np.ndarray:
        """Return mu 1 + lambda' (cof F cof F + (J - J_0) d cof F)."""
        identity = self.shear_modulus * _identity(gradients.shape[-1])
        return identity + _volume_tangent(gradients, self._bulk, self._rest)


def cofactor(gradients: np.ndarray) -> np.ndarray:
    """Return the cofactor d det F / dF, (..., d, d), also of singular F."""
    symbol = _levi_civita(gradients.shape[-1])
    if gradients.shape[-1] == 2:
        return np.einsum("ik,jl,...kl->...ij", symbol, symbol, gradients)
    return np.einsum("ikm,jln,...kl,...mn->...ij", symbol, symbol, gradients, gradients, optimize=True) / 2


def nearest_rotation(gradients: np.ndarray) -> np.ndarray:
    """Return R of the polar decomposition F = R S, (..., d, d), with determinant 1 also where F inverts."""
    if gradients.shape[-1] == 2:
        p, q = gradients[..., 0, 0] + gradients[..., 1, 1], gradients[..., 1, 0] - gradients[..., 0, 1]
        length = np.maximum(np.hypot(p, q), 1e-300)
        return (np.stack([p, -q, q, p], -1) / length[..., None]).reshape(gradients.shape)
    u, _, v = _signed_svd(gradients)
    return u @ np.swapaxes(v, -1, -2)


def _twists(gradients: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the rotations of each pair of principal axes, of length sqrt(2), with the sums of the stretches."""
    if gradients.shape[-1] == 2:
        rotation = nearest_rotation(gradients)
        return [(rotation @ np.array([[0.0, -1.0], [1.0, 0.0]]), (rotation * gradients).sum((-2, -1)))]
    u, sigma, v = _signed_svd(gradients)
    result = []
    for a, b in ((1, 0), (2, 0), (2, 1)):
        twist = u[..., :, a, None] * v[..., None, :, b] - u[..., :, b, None] * v[..., None, :, a]
        result.append((twist, sigma[..., a] + sigma[..., b]))
    return result


def _volume_tangent(gradients: np.ndarray, stiffness: float, rest: float) -> np.ndarray:
    """Return the second derivative of stiffness / 2 (J - rest)^2."""
    dim, symbol = gradients.shape[-1], _levi_civita(gradients.shape[-1])
    if dim == 2:
        second = np.einsum("ik,jl->ijkl", symbol, symbol)
    else:
        second = np.einsum("ikm,jln,...mn->...ijkl", symbol, symbol, gradients, optimize=True)
    first = cofactor(gradients)
    change = (np.linalg.det(gradients) - rest)[..., None, None, None, None]
    return stiffness * (_outer(first, first) + change * second)


def _outer(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[..., :, :, None, None] * b[..., None, None, :, :]


def _identity(dim: int) -> np.ndarray:
    return np.einsum("ik,jl->ijkl", np.eye(dim), np.eye(dim))


def _levi_civita(dim: int) -> np.ndarray:
    symbol = np.zeros((dim,) * dim)
    for order in permutations(range(dim)):
        symbol[order] = np.linalg.det(np.eye(dim)[list(order)])
    return symbol


def _signed_svd(gradients: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return F = U diag(sigma) V^T with det(U V^T) = 1, where the smallest sigma has the sign of det F."""
    u, sigma, vt = np.linalg.svd(gradients)
    sign = np.sign(np.linalg.det(u) * np.linalg.det(vt))
    u[..., :, -1] *= sign[..., None]
    sigma[..., -1] *= sign
    return u, sigma, np.swapaxes(vt, -1, -2)


def _check_moduli(**moduli: float) -> None:
    for place, (name, value) in enumerate(moduli.items()):
        number(name, value, at_least=0) if place else positive(name, value)
