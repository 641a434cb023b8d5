"""Projections of the output of a network: start, ends and mass to rounding, orthogonality, refusals."""

from __future__ import annotations

import pytest
import torch

from sciml.errors import InputError
from sciml.hcmoe import DiffusionSorption, Heat, VariedSorption
from sciml.hcmoe.projection import Projection
from sciml.nets.fno import FourierNeuralOperator
from sciml.numerics.random import generator, seeded
from sciml.reference.diffusion_sorption import cell_centres

STARTS = [0.05, 0.1, 0.2]
TIMES, CELLS = 7, 12


def sorption(**options) -> tuple[Projection, torch.Tensor]:
    """Return the projection of a sorption problem of three starts, and the output of a network for it."""
    times, x = torch.linspace(0, 500, TIMES).double(), torch.from_numpy(cell_centres(CELLS))
    with seeded(0):
        network = FourierNeuralOperator(1, 1, [2, 2], [4, 4], 4)
        output = network(torch.rand(3, TIMES, CELLS, 1))[..., 0]
    return Projection(DiffusionSorption(STARTS), times, x, **options), output


def test_start_ends_and_mass_of_the_output_of_a_network_are_exact():
    projection, output = sorption(mass=True)
    mass = torch.tensor(STARTS, dtype=torch.float64)[:, None] * torch.linspace(1, 3, TIMES).double()
    u = projection(output.detach(), mass=mass)
    spacing = 1 / CELLS
    assert output.dtype == torch.float32 and u.dtype == torch.float64
    assert float((u[:, 0] - torch.tensor(STARTS, dtype=torch.float64)[:, None]).abs().max()) <= 1e-13
    lower = 1.5 * u[:, 1:, 0] - 0.5 * u[:, 1:, 1]
    assert float((lower - 1).abs().max()) <= 1e-13
    upper = 1.5 * u[:, 1:, -1] - 0.5 * u[:, 1:, -2] + 5e-4 * (u[:, 1:, -1] - u[:, 1:, -2]) / spacing
    assert float(upper.abs().max()) <= 1e-13
    assert float((u.mean(2) - mass).abs().max()) <= 1e-13
    torch.testing.assert_close(projection(u, mass=mass), u, rtol=0, atol=1e-13)


def test_the_correction_is_orthogonal_to_differences_of_fields_that_obey():
    projection, output = sorption()
    other = torch.rand(3, TIMES, CELLS, generator=generator(1)).double()
    u, w = projection(output), projection(other)
    trapezoid = torch.ones(TIMES).double()
    trapezoid[[0, -1]] = 0.5
    product = ((output - u) * (w - u) * trapezoid[:, None]).sum((1, 2))
    assert float(product.detach().abs().max()) <= 1e-12 < float((output - u).detach().abs().max())


def test_starts_may_be_given_with_each_call_and_have_a_gradient():
    projection, output = sorption()
    start = torch.tensor([0.3, 0.4, 0.5], dtype=torch.float64, requires_grad=True)
    u = projection(output, {"start": start})
    torch.testing.assert_close(u[:, 0], start[:, None].expand(3, CELLS), rtol=0, atol=1e-13)
    gradient = torch.autograd.grad(u[:, 0].sum(), start)[0]
    torch.testing.assert_close(gradient, torch.full((3,), float(CELLS)).double(), rtol=1e-12, atol=0)


def test_what_cannot_hold_is_refused():
    projection, output = sorption(mass=True)
    with pytest.raises(InputError, match=r"contradict one another: row \d+ of (start|mass) follows"):
        projection(output, mass=torch.full((TIMES,), 0.7).double())
    with pytest.raises(InputError, match=r"\['mass'\] are missing"):
        projection(output)
    plain, output = sorption()
    with pytest.raises(InputError, match="mass"):
        plain(output, mass=torch.zeros(TIMES))
    with pytest.raises(InputError, match="the shape of the fields"):
        plain(output[:, 1:])
    times, x = torch.linspace(0, 1, 3).double(), torch.linspace(0, 1, 4).double()
    for grid, words in [
        ((times + 0.1, x), "begins at time 0.1"),
        ((times, x + 0.5), "lies between 0.5 and 1.5"),
        ((times[:1], x), "the times of the projection are 1, expected two or more"),
    ]:
        with pytest.raises(InputError, match=words):
            Projection(Heat(), *grid)


def test_conditions_of_each_instance_hold_with_factors_of_their_own():
    problem = VariedSorption([0.1, 0.1, 0.2], diffusivity=[2e-4, 1e-3, 2e-4], left=[0.5, 0.7, 1.0])
    times, x = torch.linspace(0, 500, TIMES).double(), torch.from_numpy(cell_centres(CELLS))
    output = sorption()[1].detach()
    projection = Projection(problem, times, x)
    u = projection(output)
    other = torch.tensor([9e-4, 3e-4, 5e-4], dtype=torch.float64)
    v = projection(output, {**problem.coefficients, "diffusivity": other})
    for found, diffusivity in ((u, problem.coefficients["diffusivity"]), (v, other)):
        lower = 1.5 * found[:, 1:, 0] - 0.5 * found[:, 1:, 1]
        assert float((lower - problem.coefficients["left"][:, None]).abs().max()) <= 1e-13
        slope = (found[:, 1:, -1] - found[:, 1:, -2]) * CELLS
        upper = 1.5 * found[:, 1:, -1] - 0.5 * found[:, 1:, -2] + diffusivity[:, None] * slope
        assert float(upper.abs().max()) <= 1e-13
    alone = Projection(VariedSorption(0.1, diffusivity=1e-3, left=0.7), times, x)(output[1:2])
    torch.testing.assert_close(u[1:2], alone, rtol=0, atol=1e-14)
    assert float((u - v).abs().max()) > 1e-6


def test_factors_of_conditions_that_require_gradients_are_refused():
    times, x = torch.linspace(0, 1, 3).double(), torch.linspace(0, 1, 4).double()
    problem = VariedSorption(diffusivity=[2e-4, 1e-3], duration=1.0)
    given = {**problem.coefficients, "diffusivity": problem.coefficients["diffusivity"].clone().requires_grad_()}
    with pytest.raises(InputError, match="require gradients, which a projection has in its targets alone"):
        Projection(problem, times, x)(torch.rand(2, 3, 4), given)
