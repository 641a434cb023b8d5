"""The vorticity equation as a constraint: exact start and mean, exact solutions, symmetries, gradients, sentences."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares
from torch import Tensor

from sciml.errors import InputError
from sciml.hcmoe.periodic import PeriodicConstraint, PeriodicSettings
from sciml.hcmoe.periodic_grid import PeriodicGrid, resampled
from sciml.numerics.batched_least_squares import BatchedSettings
from sciml.numerics.random import generator
from sciml.reference.vorticity import random_vorticity, velocity, vorticity_flow

NU = 1e-2
SMALL = PeriodicGrid((7, 8, 8), duration=1.0)


def random_starts(grid: PeriodicGrid, instances: int = 1, waves: int = 2) -> Tensor:
    """Return smooth vorticities of mean zero."""
    return smooth(grid, instances, waves, seed=3)[:, 0]


def smooth(grid: PeriodicGrid, count: int, waves: int, seed: int = 0) -> Tensor:
    """Return fields with few Fourier modes in space and polynomials of low degree in time."""
    modes = torch.randn(
        count, 3, 2, 2 * waves + 1, 2 * waves + 1, dtype=torch.float64, generator=generator(seed, count)
    )
    numbers = torch.arange(-waves, waves + 1, dtype=torch.float64)
    x, y = (torch.exp(2j * torch.pi * numbers[:, None] * each) for each in (grid.x, grid.y))
    field = torch.einsum("cdkl,kx,ly->cdxy", torch.complex(*modes.unbind(2)), x, y).real
    field = field - field.mean((2, 3), keepdim=True)
    powers = torch.stack([(grid.t / grid.duration) ** degree for degree in range(3)])
    return torch.einsum("cdxy,dt->ctxy", field, powers)


def basis_of(grid: PeriodicGrid, instances: int, functions: int, waves: int = 2, seed: int = 0) -> Tensor:
    return smooth(grid, instances * functions, waves, seed).unflatten(0, (instances, functions)).movedim(1, -1)


def taylor_green(grid: PeriodicGrid) -> Tensor:
    """Return vortices that only decay, with the place along y shifted, ``(times, nx, ny)``."""
    waves = torch.sin(2 * torch.pi * grid.x)[:, None] * torch.cos(2 * torch.pi * (grid.y + 0.1))
    return torch.exp(-8 * math.pi**2 * NU * grid.t)[:, None, None] * waves


def increment(grid: PeriodicGrid, field: Tensor, slope: Tensor) -> Tensor:
    """Return b of ``field = start + (t / T) b``, whose value at time 0 is that of the slope."""
    s = (grid.t / grid.duration)[1:, None, None]
    return torch.cat([grid.duration * slope[None], (field[1:] - field[:1]) / s])


def shifted(field: Tensor, along: int, across: int) -> Tensor:
    return field.roll((along, across), (2, 3))


@pytest.mark.parametrize("shape", [(6, 16, 12), (6, 15, 13)])
def test_terms_of_waves_are_exact_on_even_and_odd_grids(shape: tuple[int, int, int]) -> None:
    grid = PeriodicGrid(shape)
    k, m = 2 * math.pi * 2, 2 * math.pi * 3
    phase = (k * grid.x[:, None] + m * grid.y)[None, None].expand(1, 6, *shape[1:])
    spectrum = grid.spectrum(torch.sin(phase))
    square = k**2 + m**2
    expected = {
        "u": m * torch.cos(phase) / square,  # psi = w / (k^2 + m^2), u = psi_y, v = -psi_x
        "v": -k * torch.cos(phase) / square,
        "x": k * torch.cos(phase),
        "y": m * torch.cos(phase),
        "laplace": -square * torch.sin(phase),
    }
    for name, values in expected.items():
        assert torch.allclose(grid.term(name, spectrum), values, atol=1e-11)


def test_velocities_are_those_of_the_reference() -> None:
    grid = PeriodicGrid((6, 32, 32))
    start = random_vorticity(32, np.random.default_rng(0))
    spectrum = grid.spectrum(torch.from_numpy(start)[None, None].expand(1, 6, -1, -1))
    found = torch.stack([grid.term(name, spectrum)[0, 2] for name in ("u", "v")], -1)
    assert np.allclose(found.numpy(), velocity(start), atol=1e-13)


@pytest.mark.parametrize(("times", "degree"), [("chebyshev", 8), ("uniform", 4)])
def test_time_derivatives_are_exact_on_polynomials_and_weights_sum_to_one(times: str, degree: int) -> None:
    grid = PeriodicGrid((9, 4, 4), duration=3.0, times=times)
    power = (grid.t / 3) ** degree
    slopes = grid.time_derivative(power[None, :, None, None].expand(1, 9, 4, 4))
    assert torch.allclose(slopes[0, :, 1, 2], degree / 3 * (grid.t / 3) ** (degree - 1), atol=1e-12)
    assert float(grid.weights.sum()) == pytest.approx(1, abs=1e-14)
    if times == "chebyshev":
        assert float(grid.weights @ power) == pytest.approx(1 / 9, abs=1e-14)


def test_decaying_vortices_have_no_residual() -> None:
    grid = PeriodicGrid((12, 8, 10), duration=1.0)
    assert grid.residual(taylor_green(grid)[None], NU).abs().max() < 1e-9


@pytest.mark.parametrize(("times", "order"), [("uniform", 3.5), ("chebyshev", 8.0)])
def test_the_residual_of_the_reference_falls_with_the_number_of_times(times: str, order: float) -> None:
    start = random_vorticity(32, np.random.default_rng(1))
    sizes = []
    for count in (9, 18):
        grid = PeriodicGrid((count, 32, 32), duration=1.0, times=times)
        flow = np.concatenate([start[None], vorticity_flow(start, 5e-3, grid.t[1:].numpy(), 0.02)])
        # modes beyond two thirds are in the residual, but not in the reference: compare those below
        modes = torch.fft.rfft2(grid.residual(torch.from_numpy(flow)[None], 5e-3)[0])[:, :8, :8]
        sizes.append(float(modes.abs().square().sum((1, 2)) @ grid.weights) ** 0.5)
    assert math.log2(sizes[0] / sizes[1]) > order


@pytest.mark.parametrize("coupling", ["windows", "independent"])
def test_start_and_mean_hold_exactly_for_any_basis(coupling: str) -> None:
    start = random_starts(SMALL, 2)
    basis = torch.randn(2, *SMALL.shape, 3, generator=generator(5))  # single precision, not smooth, not of mean zero
    output = PeriodicConstraint(SMALL, (2, 2), PeriodicSettings(coupling=coupling))(basis, start, NU)
    assert output.u.dtype == torch.float64
    assert torch.equal(output.u[:, 0], start - start.mean((1, 2), keepdim=True))
    assert output.u.mean((2, 3)).abs().max() < 1e-12


@pytest.mark.parametrize("experts", [(1, 1), (2, 2)])
def test_a_solution_in_the_basis_is_found_with_the_weight_one_in_each_window(experts: tuple[int, int]) -> None:
    grid = PeriodicGrid((12, 12, 12), duration=1.0)
    flow = taylor_green(grid)
    solution = increment(grid, flow, -8 * math.pi**2 * NU * flow[0])[None, ..., None]
    basis = torch.cat([basis_of(grid, 1, 2), solution], -1)
    output = PeriodicConstraint(grid, experts)(basis, flow[None, 0], NU)
    assert torch.allclose(output.u, flow[None], atol=1e-8)
    expected = torch.tensor([0.0, 0, 1], dtype=torch.float64).expand(1, experts[0] * experts[1], 3)
    assert torch.allclose(output.weights, expected, atol=1e-7)


@pytest.mark.parametrize("coupling", ["windows", "independent"])
def test_translated_data_have_translated_solutions(coupling: str) -> None:
    start, basis = random_starts(SMALL), basis_of(SMALL, 1, 3)
    layer = PeriodicConstraint(SMALL, (1, 1), PeriodicSettings(coupling=coupling))
    u = layer(basis, start, NU).u
    moved = layer(shifted(basis, 3, 5), shifted(start[:, None], 3, 5)[:, 0], NU).u
    assert torch.allclose(moved, shifted(u, 3, 5), atol=1e-12)
    assert not torch.allclose(moved, u, atol=1e-3)


@pytest.mark.parametrize("coupling", ["windows", "independent"])
def test_a_translation_by_one_box_exchanges_the_experts(coupling: str) -> None:
    start, basis = random_starts(SMALL), basis_of(SMALL, 1, 2)
    layer = PeriodicConstraint(SMALL, (2, 2), PeriodicSettings(coupling=coupling))
    output = layer(basis, start, NU)
    moved = layer(shifted(basis, 4, 0), shifted(start[:, None], 4, 0)[:, 0], NU)
    assert torch.allclose(moved.u, shifted(output.u, 4, 0), atol=1e-10)
    assert torch.allclose(moved.weights, output.weights[:, [2, 3, 0, 1]], atol=1e-9)


def test_one_expert_finds_the_minimum_of_the_residual_of_the_field_as_scipy_does() -> None:
    start, basis = random_starts(SMALL), basis_of(SMALL, 1, 3)
    output = PeriodicConstraint(SMALL, settings=PeriodicSettings(ridge=0.0))(basis, start, NU)
    centred = (SMALL.t[:, None, None, None] / SMALL.duration) * basis
    centred = centred - centred.mean((2, 3), keepdim=True)
    roots = (SMALL.weights / 64).sqrt()[:, None, None]

    def residual(w: np.ndarray) -> np.ndarray:
        field = start[:, None] + centred @ torch.from_numpy(w)
        return (roots * SMALL.residual(field, NU)).flatten().numpy()

    found = least_squares(residual, np.zeros(3), xtol=1e-15, ftol=1e-15, gtol=1e-15)
    assert found.cost > 1e-3  # a residual is left, so that curvature counts
    assert np.allclose(output.weights[0, 0].numpy(), found.x, atol=1e-6)
    assert float(output.report.minimum.cost[0]) == pytest.approx(found.cost, rel=1e-9)


def test_one_window_and_one_box_are_the_same() -> None:
    start, basis = random_starts(SMALL, 2), basis_of(SMALL, 2, 3)
    outputs = [
        PeriodicConstraint(SMALL, settings=PeriodicSettings(coupling=coupling))(basis, start, NU).u
        for coupling in ("windows", "independent")
    ]
    assert torch.allclose(*outputs, atol=1e-13)


def test_more_windows_leave_less_residual_and_fields_that_do_not_jump() -> None:
    grid = PeriodicGrid((7, 16, 16), duration=1.0)
    start, basis = random_starts(grid), basis_of(grid, 1, 3)
    squares, highest = [], []
    for experts, coupling in (((1, 1), "windows"), ((2, 2), "windows"), ((2, 2), "independent")):
        u = PeriodicConstraint(grid, experts, PeriodicSettings(coupling=coupling))(basis, start, NU).u
        squares.append(float(grid.mean_squares(grid.residual(u, NU))))
        highest.append(float(torch.fft.rfft2(u)[:, :, 5:12, :].abs().max()))
    assert squares[1] < 0.9 * squares[0]
    assert squares[1] < squares[2]
    assert highest[1] < 1e-10 < highest[2]  # a window adds one Fourier mode to the two of the basis


def test_a_batch_is_a_loop_over_instances_and_viscosities() -> None:
    start, basis = random_starts(SMALL, 3), basis_of(SMALL, 3, 2)
    viscosity = torch.tensor([1e-3, 1e-2, 1e-1], dtype=torch.float64)
    layer = PeriodicConstraint(SMALL, (2, 1))
    together = layer(basis, start, viscosity)
    for i in range(3):
        alone = layer(basis[i : i + 1], start[i : i + 1], float(viscosity[i]))
        assert torch.allclose(together.u[i], alone.u[0], atol=1e-11)


@pytest.mark.parametrize("coupling", ["windows", "independent"])
def test_all_times_chosen_are_all_times_and_fewer_come_close(coupling: str) -> None:
    start, basis = random_starts(SMALL), basis_of(SMALL, 1, 2)

    def solved(times: int | None, draws: bool = True) -> Tensor:
        layer = PeriodicConstraint(SMALL, (2, 2), PeriodicSettings(coupling=coupling, times=times))
        return layer(basis, start, NU, generator(1) if draws else None).u

    whole = solved(None)
    for draws in (True, False):
        assert torch.allclose(solved(7, draws), whole, atol=1e-11)
        assert 1e-6 < (solved(4, draws) - whole).norm() / whole.norm() < 0.3
    assert torch.equal(solved(4, draws=False), solved(4, draws=False))


@pytest.mark.parametrize(("coupling", "times"), [("windows", None), ("independent", None), ("windows", 3)])
def test_gradients_are_those_of_differences(coupling: str, times: int | None) -> None:
    grid = PeriodicGrid((6, 4, 4), duration=1.0)
    layer = PeriodicConstraint(grid, (2, 1), PeriodicSettings(coupling=coupling, times=times))

    def solved(basis: Tensor, start: Tensor, viscosity: Tensor) -> Tensor:
        output = layer(basis, start - start.mean((1, 2), keepdim=True), viscosity, generator(2))
        return output.u

    arguments = (
        basis_of(grid, 2, 2, waves=1).requires_grad_(),
        random_starts(grid, 2, waves=1).clone().requires_grad_(),
        torch.tensor([0.01, 0.05], dtype=torch.float64, requires_grad=True),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an indefinite Hessian would make the gradients wrong, and the check fail
        assert torch.autograd.gradcheck(solved, arguments, eps=1e-6, atol=1e-5, rtol=1e-4, fast_mode=True)


def test_the_least_square_as_a_loss_has_the_gradient_that_goes_through_the_field() -> None:
    start, basis = random_starts(SMALL), basis_of(SMALL, 1, 3).requires_grad_()
    layer = PeriodicConstraint(SMALL, (2, 1), PeriodicSettings(ridge=0.0))
    output = layer(basis, start, NU)
    through = SMALL.duration**2 * SMALL.mean_squares(SMALL.residual(output.u, NU))
    squares, weights = layer.squares(basis, start, NU)
    assert torch.allclose(weights, output.weights, atol=1e-6) and not weights.requires_grad
    assert torch.allclose(squares, through, rtol=1e-9)
    gradients = [torch.autograd.grad(each.sum(), basis)[0] for each in (squares, through)]
    assert gradients[1].abs().max() > 1e-4
    assert torch.allclose(*gradients, atol=1e-6)


@pytest.mark.parametrize("coupling", ["windows", "independent"])
def test_an_iteration_that_begins_at_the_minimum_stays_there(coupling: str) -> None:
    start, basis = random_starts(SMALL, 2), basis_of(SMALL, 2, 2)
    settings = PeriodicSettings(coupling=coupling)
    output = PeriodicConstraint(SMALL, (2, 1), settings)(basis, start, NU)
    again = PeriodicConstraint(SMALL, (2, 1), settings)(basis, start, NU, guess=output.weights)
    assert int(again.report.minimum.iterations.max()) <= 2 < int(output.report.minimum.iterations.max())
    assert torch.allclose(again.weights, output.weights, atol=1e-9)


@pytest.mark.parametrize(("times", "error"), [("chebyshev", 1e-9), ("uniform", 1e-3)])
def test_fields_are_read_at_other_times_and_places(times: str, error: float) -> None:
    coarse, fine = PeriodicGrid((14, 12, 12), 1.0, times), PeriodicGrid((9, 18, 18), 1.0, "uniform")
    read = coarse.at(taylor_green(coarse)[None], fine.t, 18)
    assert (read - taylor_green(fine)[None]).abs().max() < error
    assert torch.equal(resampled(read, 9), read[..., ::2, ::2])


@pytest.mark.parametrize(("old", "new"), [(9, 9), (8, 15), (9, 16), (15, 8), (12, 36)])
def test_waves_are_the_same_on_another_number_of_places(old: int, new: int) -> None:
    def waves(places: int) -> Tensor:
        x = 2 * torch.pi * torch.arange(places, dtype=torch.float64) / places
        return 0.3 + torch.cos(3 * x)[:, None] * torch.sin(2 * x + 0.1) - torch.sin(x)[:, None]

    assert (resampled(waves(old), new) - waves(new)).abs().max() < 1e-14


def test_an_iteration_that_is_cut_short_warns_once() -> None:
    iteration = BatchedSettings(max_solves=1)
    layer = PeriodicConstraint(SMALL, settings=PeriodicSettings(iteration=iteration))
    start, basis = random_starts(SMALL), basis_of(SMALL, 1, 3)
    with pytest.warns(UserWarning, match="the constraint has not converged for 1 of 1 items"):
        layer(basis, start, NU)
    layer(basis, start, NU)


def call(**given: object) -> None:
    arguments = {"basis": basis_of(SMALL, 1, 2), "start": random_starts(SMALL), "viscosity": NU} | given
    PeriodicConstraint(SMALL, (2, 2))(**arguments)


def test_wrong_input_is_refused_in_sentences() -> None:
    with pytest.raises(InputError, match=r"the axis of y has 8 places for 3 experts, expected a multiple of 3"):
        PeriodicConstraint(SMALL, (2, 3))
    with pytest.raises(InputError, match="8 times are to be drawn, expected at most the 7 of the grid"):
        PeriodicConstraint(SMALL, (2, 2), PeriodicSettings(times=8))
    with pytest.raises(InputError, match="448 points for 480 unknowns"):
        call(basis=torch.ones(1, *SMALL.shape, 120))
    with pytest.raises(InputError, match="the start of instance 0 has the mean 1"):
        call(start=random_starts(SMALL) + 1)
    with pytest.raises(InputError, match="the viscosity has the shape"):
        call(viscosity=-1.0)
    with pytest.raises(InputError, match="the viscosity has the shape"):
        call(viscosity=torch.tensor([1e-3, 1e-2]))
    with pytest.raises(InputError, match="the basis"):
        call(basis=basis_of(PeriodicGrid((7, 9, 9)), 1, 2))
    with pytest.raises(InputError, match="the number of points of the axis of times is 5"):
        PeriodicGrid((5, 8, 8))
    with pytest.raises(InputError, match="coupling of experts"):
        PeriodicSettings(coupling="faces")


def test_a_start_on_a_grid_with_both_ends_is_refused() -> None:
    with pytest.raises(InputError, match="leave out places that come twice"):
        call(start=torch.cos(2 * torch.pi * torch.linspace(0, 1, 8, dtype=torch.float64)).expand(1, 8, 8))


def test_a_basis_that_is_not_finite_is_refused_and_the_expert_named() -> None:
    start, basis = random_starts(SMALL, 2), basis_of(SMALL, 2, 2)
    basis[1, 2, 6, 3, 0] = math.nan
    with pytest.raises(InputError, match=r"expert \(1, 0\) by \(x, y\) of instance 1; expected finite fields"):
        call(basis=basis, start=start)
