"""Hyperelastic materials: rest, rotations, small strains, and derivatives against differences."""

from __future__ import annotations

import numpy as np
import pytest

from sciml.errors import InputError
from sciml.reference.hyperelasticity_materials import ArapVolumeMaterial, NeoHookeanMaterial, cofactor, nearest_rotation

MATERIALS = [ArapVolumeMaterial(1.3, 7.0), NeoHookeanMaterial(1.3, 4.0)]
LAME = {ArapVolumeMaterial: (1.3, 14.0), NeoHookeanMaterial: (1.3, 4.0)}
each_material = pytest.mark.parametrize("material", MATERIALS, ids=lambda material: type(material).__name__)
each_dim = pytest.mark.parametrize("dim", [2, 3])


def matrices(dim: int, count: int = 40, scale: float = 1.0) -> np.ndarray:
    """Gradients of deformation; scale 1 gives inverted ones, too."""
    return np.eye(dim) + scale * np.random.default_rng(dim).standard_normal((count, dim, dim))


@each_material
@each_dim
def test_rotations_have_no_energy_and_no_stress(material, dim: int) -> None:
    rotations = nearest_rotation(matrices(dim))
    assert np.allclose(np.linalg.det(rotations), 1)
    assert np.abs(material.density(rotations)).max() < 1e-13
    assert np.abs(material.stress(rotations)).max() < 1e-12


@each_material
@each_dim
def test_the_stress_is_the_derivative_of_the_energy_and_the_tangent_that_of_the_stress(material, dim: int) -> None:
    f, step = matrices(dim), 1e-6
    stress, tangent = np.empty_like(f), np.empty((*f.shape, dim, dim))
    for k, m in np.ndindex(dim, dim):
        shift = np.zeros((dim, dim))
        shift[k, m] = step
        stress[:, k, m] = (material.density(f + shift) - material.density(f - shift)) / (2 * step)
        tangent[..., k, m] = (material.stress(f + shift) - material.stress(f - shift)) / (2 * step)
    assert np.allclose(material.stress(f), stress, rtol=1e-6, atol=1e-6)
    sane = np.linalg.svd(f)[1].min(axis=1) > 0.05  # where R changes slowly enough for differences
    assert sane.sum() > 20
    assert np.allclose(material.tangent(f)[sane], tangent[sane], rtol=1e-5, atol=1e-5)


@each_material
@each_dim
def test_the_tangent_at_rest_is_that_of_linear_elasticity(material, dim: int) -> None:
    mu, lame = LAME[type(material)]
    one = np.eye(dim)
    shear = np.einsum("ik,jl->ijkl", one, one) + np.einsum("il,jk->ijkl", one, one)
    expected = mu * shear + lame * np.einsum("ij,kl->ijkl", one, one)
    assert np.allclose(material.tangent(one[None])[0], expected, atol=1e-12)


@each_dim
def test_the_cofactor_is_that_of_the_inverse_and_finite_without_one(dim: int) -> None:
    f = matrices(dim)
    inverse = np.swapaxes(np.linalg.inv(f), -1, -2)
    assert np.allclose(cofactor(f), np.linalg.det(f)[:, None, None] * inverse)
    singular = np.zeros((1, dim, dim))
    singular[0, 0, 0] = 2.0
    assert cofactor(singular)[0, 1, 1] == (2.0 if dim == 2 else 0.0)


def test_moduli_that_are_none_are_refused() -> None:
    with pytest.raises(InputError, match="stiffness is 0, expected a positive number"):
        ArapVolumeMaterial(0)
    with pytest.raises(InputError, match="lame_parameter is -1, expected a number of at least 0"):
        NeoHookeanMaterial(1.0, -1)
