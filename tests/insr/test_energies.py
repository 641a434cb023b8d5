"""Hyperelastic energies: rest, rotations, small strains, exact gradients, and the curvature that Gauss-Newton sees."""

from __future__ import annotations

import math

import pytest
import torch
from torch.func import hessian, jacrev, jvp, vmap

from sciml.errors import InputError
from sciml.insr.problems.energies import ArapVolume, StableNeoHookean
from sciml.numerics.random import generator
from sciml.reference.hyperelasticity_materials import ArapVolumeMaterial, NeoHookeanMaterial

ENERGIES = [ArapVolume(1.3, 7.0), StableNeoHookean(1.3, 4.0)]
each_energy = pytest.mark.parametrize("energy", ENERGIES, ids=lambda energy: type(energy).__name__)
each_dim = pytest.mark.parametrize("dim", [2, 3])


def matrices(dim: int, count: int, scale: float, seed: int = 0) -> torch.Tensor:
    """Gradients near the identity; scale 1 gives inverted ones, too."""
    noise = torch.randn(count, dim, dim, dtype=torch.float64, generator=generator(seed, dim))
    return torch.eye(dim, dtype=torch.float64) + scale * noise


def rotations(dim: int, count: int, seed: int = 1) -> torch.Tensor:
    q = torch.linalg.qr(matrices(dim, count, 1.0, seed)).Q
    q[:, :, 0] *= torch.linalg.det(q)[:, None]
    return q


@each_energy
@each_dim
def test_rotations_have_no_energy_and_no_stress(energy, dim: int) -> None:
    f = torch.cat([torch.eye(dim, dtype=torch.float64)[None], rotations(dim, 20)]).requires_grad_()
    density = energy.energy_density(f)
    stress = torch.autograd.grad(density.sum(), f)[0]
    assert density.abs().max() < 1e-13
    assert stress.abs().max() < 1e-12


@each_energy
@each_dim
def test_the_energy_does_not_feel_a_rotation_before_or_after(energy, dim: int) -> None:
    f, q = matrices(dim, 30, 0.7), rotations(dim, 30)
    density = energy.energy_density(f)
    assert torch.allclose(energy.energy_density(q @ f), density, rtol=1e-12, atol=1e-12)
    assert torch.allclose(energy.energy_density(f @ q), density, rtol=1e-12, atol=1e-12)


@each_energy
@each_dim
def test_the_sum_of_squares_is_the_energy(energy, dim: int) -> None:
    f = matrices(dim, 50, 1.0)
    squares = energy.residuals(f).square().sum(-1)
    assert torch.allclose(squares, energy.energy_density(f), rtol=1e-12, atol=1e-12)
    assert (energy.energy_density(f) >= 0).all()


@each_dim
def test_the_energies_are_their_formulas_in_singular_values(dim: int) -> None:
    f = matrices(dim, 50, 1.0)
    determinant, sigma = torch.linalg.det(f), torch.linalg.svdvals(f)
    sigma[:, -1] *= determinant.sign()
    arap, hooke = ENERGIES
    expected = 1.3 * (sigma - 1).square().sum(-1) + 7.0 * (determinant - 1) ** 2
    assert torch.allclose(arap.energy_density(f), expected, rtol=1e-12)
    stretch = f.square().sum((1, 2)) - dim
    expected = 1.3 / 2 * stretch - 1.3 * (determinant - 1) + 5.3 / 2 * (determinant - 1) ** 2
    assert torch.allclose(hooke.energy_density(f), expected, rtol=1e-12)


@each_dim
def test_finite_elements_have_the_same_materials(dim: int) -> None:
    f = matrices(dim, 50, 1.0)
    for material, energy in zip([ArapVolumeMaterial(1.3, 7.0), NeoHookeanMaterial(1.3, 4.0)], ENERGIES, strict=True):
        assert torch.allclose(torch.from_numpy(material.density(f.numpy())), energy.energy_density(f), rtol=1e-12)


@each_energy
@each_dim
def test_small_strains_obey_linear_elasticity(energy, dim: int) -> None:
    mu, lame = energy.lame()
    h = matrices(dim, 20, 1.0) - torch.eye(dim, dtype=torch.float64)
    strain = (h + h.mT) / 2
    linear = mu * strain.square().sum((1, 2)) + lame / 2 * strain.diagonal(dim1=1, dim2=2).sum(-1) ** 2
    remainders = [
        (energy.energy_density(torch.eye(dim, dtype=torch.float64) + size * h) / size**2 - linear).abs().max()
        for size in (1e-3, 5e-4)
    ]
    assert remainders[0] < 5e-2 * linear.max()
    assert abs(remainders[0] / remainders[1] - 2) < 0.1  # what is left is of third order in the strain


@each_energy
@each_dim
def test_the_gradient_of_the_sum_of_squares_is_that_of_the_energy(energy, dim: int) -> None:
    """By central differences of the energy, also for inverted gradients and where singular values meet."""
    f = torch.cat([matrices(dim, 30, 1.0), matrices(dim, 5, 1e-5), 1.5 * rotations(dim, 3)])
    rows, jacobian = energy.residuals(f), vmap(jacrev(energy.residuals))(f)
    gradient = 2 * torch.einsum("nr,nrij->nij", rows, jacobian)
    step, differences = 1e-6, torch.empty_like(f)
    for i in range(dim):
        for j in range(dim):
            shift = torch.zeros(dim, dim, dtype=torch.float64)
            shift[i, j] = step
            change = energy.energy_density(f + shift) - energy.energy_density(f - shift)
            differences[:, i, j] = change / (2 * step)
    assert torch.allclose(gradient, differences, rtol=1e-6, atol=1e-6)


@each_energy
@each_dim
def test_forward_and_reverse_derivatives_of_the_rows_agree(energy, dim: int) -> None:
    f, direction = matrices(dim, 6, 0.5), matrices(dim, 6, 1.0, seed=3)
    reverse = torch.einsum("nrij,nij->nr", vmap(jacrev(energy.residuals))(f), direction)
    assert torch.allclose(jvp(energy.residuals, (f,), (direction,))[1], reverse, rtol=1e-12, atol=1e-12)


@each_energy
@each_dim
def test_at_rest_gauss_newton_has_the_curvature_of_linear_elasticity_and_none_for_rotations(energy, dim: int) -> None:
    identity = torch.eye(dim, dtype=torch.float64)
    jacobian = jacrev(energy.residuals)(identity).flatten(1)
    mu, lame = energy.lame()

    def linear(h: torch.Tensor) -> torch.Tensor:
        strain = (h + h.mT) / 2
        return mu * strain.square().sum() + lame / 2 * torch.trace(strain) ** 2

    expected = hessian(linear)(torch.zeros_like(identity)).reshape(dim**2, dim**2)
    assert torch.allclose(2 * jacobian.T @ jacobian, expected, atol=1e-10)


@each_dim
def test_the_nearest_rotation_has_its_exact_derivative(dim: int) -> None:
    """As F turns, F - R turns with it."""
    f, energy = matrices(dim, 10, 0.3), ArapVolume(1.0, 0.0)
    skew = matrices(dim, 10, 1.0, seed=5)
    skew = skew - skew.mT
    velocity = skew @ f
    change = jvp(lambda g: energy.residuals(g)[..., :-1], (f,), (velocity,))[1]
    if dim == 2:  # F11 - F22 and F12 + F21 turn, sigma_1 + sigma_2 stays
        assert change[:, 0].abs().max() < 1e-12
    else:
        turned = (skew @ energy.residuals(f)[..., :-1].unflatten(-1, (3, 3))).flatten(1)
        assert torch.allclose(change, turned, atol=1e-12)


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf, "1"])
def test_a_stiffness_that_is_none_is_refused(value) -> None:
    with pytest.raises(InputError, match="expected a positive number"):
        ArapVolume(value)
    with pytest.raises(InputError, match="shear modulus of a material is"):
        StableNeoHookean(value)


@each_energy
def test_what_is_no_deformation_gradient_is_refused(energy) -> None:
    with pytest.raises(InputError, match=r"shape \(\.\.\., d, d\)"):
        energy.residuals(torch.zeros(4, 3))
