"""Projections on linear constraints: optimality by the equations of Karush, Kuhn and Tucker, orthogonality, mass."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.sparse
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck

from sciml.errors import DivergenceError, InputError
from sciml.numerics.projection import ImplicitConstraints, LinearConstraints
from sciml.numerics.random import generator

TIMES, CELLS = 7, 12


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=generator(seed, *shape))


def space_time() -> tuple[LinearConstraints, torch.Tensor, dict[str, torch.Tensor]]:
    """Return start, left value and mass at all times on a grid, the weights of its quadrature, and values of them."""
    number = np.arange(TIMES * CELLS).reshape(TIMES, CELLS)
    unit = scipy.sparse.eye_array(TIMES * CELLS, format="csr")
    lengths = np.full(CELLS, 1 / CELLS)
    trapezoid = np.array([0.5, *[1] * (TIMES - 2), 0.5]) / (TIMES - 1)
    mass = scipy.sparse.kron(scipy.sparse.eye_array(TIMES), lengths[None])
    weights = np.outer(trapezoid, lengths).ravel()
    rows = {"start": unit[number[0]], "boundary": unit[number[1:, 0]], "mass": mass}
    start = normal(3, CELLS, seed=1)
    values = {
        "start": start,
        "boundary": torch.ones(TIMES - 1, dtype=torch.float64),
        "mass": start.mean(1, keepdim=True) * torch.linspace(1, 2, TIMES, dtype=torch.float64),
    }
    return LinearConstraints(rows, weights), torch.from_numpy(weights), values


@given(unknowns=st.integers(3, 12), rows=st.integers(1, 3), seed=st.integers(0, 99), spread=st.floats(0, 3))
@settings(max_examples=25, deadline=None)
def test_the_projection_solves_the_optimality_conditions_and_is_idempotent(unknowns, rows, seed, spread):
    matrix, v, d = normal(rows, unknowns, seed=seed), normal(2, unknowns, seed=seed + 1), normal(2, rows, seed=seed + 2)
    weights = 10 ** (spread * normal(unknowns, seed=seed + 3).tanh())
    constraints = LinearConstraints({"rows": matrix}, weights)
    u = constraints.project(v, {"rows": d})
    system = torch.zeros(unknowns + rows, unknowns + rows, dtype=torch.float64)
    system[:unknowns, :unknowns] = torch.diag(weights)
    system[unknowns:, :unknowns] = matrix
    system[:unknowns, unknowns:] = matrix.T
    expected = torch.linalg.solve(system, torch.cat([weights * v, d], 1).T).T[:, :unknowns]
    torch.testing.assert_close(u, expected, rtol=1e-9, atol=1e-9)
    size = float(v.abs().max() + d.abs().max()) * 10**spread
    torch.testing.assert_close(u @ matrix.T, d, rtol=0, atol=1e-13 * size)
    torch.testing.assert_close(constraints.project(u, {"rows": d}), u, rtol=0, atol=1e-13 * size)


def test_start_boundary_and_mass_are_exact_on_any_output():
    constraints, _, values = space_time()
    fields = 5 * normal(3, TIMES * CELLS)
    u = constraints.project(fields.float(), values)  # networks have single precision
    assert u.dtype == torch.float64
    grid = u.reshape(3, TIMES, CELLS)
    assert float((grid[:, 0] - values["start"]).abs().max()) <= 1e-13
    assert float((grid[:, 1:, 0] - 1).abs().max()) <= 1e-13
    assert float((grid.mean(2) - values["mass"]).abs().max()) <= 1e-13
    assert float((u - fields).abs().max()) > 1
    for name, left in constraints.apply(u).items():
        torch.testing.assert_close(left, values[name].expand_as(left), rtol=1e-13, atol=1e-13)


def test_the_correction_is_orthogonal_to_all_differences_of_fields_that_obey():
    constraints, weights, values = space_time()
    one, other = (normal(3, TIMES * CELLS, seed=seed) for seed in (0, 1))
    u, w = (constraints.project(each, values) for each in (one, other))
    assert float((((one - u) * weights) * (w - u)).sum(1).abs().max()) <= 1e-13
    distance, there = (((one - each).square() * weights).sum(1) for each in (u, w))
    torch.testing.assert_close(there, distance + ((u - w).square() * weights).sum(1), rtol=1e-13, atol=1e-13)


def test_rows_that_follow_from_others_are_found_and_their_values_checked():
    constraints, _, values = space_time()
    assert (
        constraints.dependent == {"start": [], "boundary": [], "mass": [0]}
        or sum(map(len, constraints.dependent.values())) == 1
    )  # the mass at the start, or a value there
    wrong = {**values, "mass": values["mass"] + torch.eye(TIMES, dtype=torch.float64)[0] * 0.1}
    with pytest.raises(InputError, match=r"contradict one another: row \d+ of (start|mass) follows .* in item 0, got"):
        constraints.project(normal(3, TIMES * CELLS), wrong)
    corner = LinearConstraints({"start": np.eye(3), "boundary": [[1, 0, 0]]})
    project = corner.project(torch.zeros(3), {"start": torch.tensor([1.0, 2, 3]), "boundary": torch.ones(1)})
    assert project.tolist() == [1, 2, 3]
    with pytest.raises(InputError, match="contradict one another"):
        corner.project(torch.zeros(3), {"start": torch.tensor([1.0, 2, 3]), "boundary": torch.zeros(1)})


@pytest.mark.parametrize("cells", [50, 100, 1000])
def test_a_mass_that_follows_from_all_values_is_found_whatever_the_rounding_of_its_sum(cells):
    rows = {"mass": np.full((1, cells), 1 / cells), "start": scipy.sparse.eye_array(cells)}
    constraints, start = LinearConstraints(rows), torch.linspace(0, 1, cells, dtype=torch.float64)
    assert sum(map(len, constraints.dependent.values())) == 1
    found = constraints.project(normal(2, cells), {"mass": start.mean()[None], "start": start})
    assert float((found - start).abs().max()) <= 1e-13
    with pytest.raises(InputError, match="contradict one another"):
        constraints.project(normal(2, cells), {"mass": start.mean()[None] + 1e-3, "start": start})


def test_a_row_of_zeros_holds_for_zero_only():
    constraints = LinearConstraints({"none": np.zeros((1, 2))})
    assert constraints.project(torch.tensor([1.0, 2.0]), {"none": torch.zeros(1)}).tolist() == [1, 2]
    with pytest.raises(InputError, match="row 0 of none follows from the others, which make it 0, got 1"):
        constraints.project(torch.tensor([1.0, 2.0]), {"none": torch.ones(1)})


def test_derivatives_of_first_and_second_order_are_those_of_finite_differences():
    constraints = LinearConstraints({"one": normal(1, 4), "other": normal(2, 4, seed=1)}, [1, 2, 3, 4])
    fields, one, other = (normal(2, n, seed=n).requires_grad_() for n in (4, 1, 2))

    def image(fields, one, other):
        return constraints.project(fields, {"one": one, "other": other})

    assert gradcheck(image, (fields, one, other))
    assert gradgradcheck(lambda *given: image(*given).sin(), (fields, one, other))


def test_batches_of_any_shape_are_projected_one_by_one():
    constraints, _, values = space_time()
    fields = normal(3, TIMES * CELLS)
    singly = [
        constraints.project(v, {n: d if d.dim() == 1 else d[i] for n, d in values.items()})
        for i, v in enumerate(fields)
    ]
    torch.testing.assert_close(constraints.project(fields, values), torch.stack(singly), rtol=1e-13, atol=1e-13)
    nested = constraints.project(fields[:, None], {n: d if d.dim() == 1 else d[:, None] for n, d in values.items()})
    torch.testing.assert_close(nested[:, 0], torch.stack(singly), rtol=1e-13, atol=1e-13)


def test_rows_may_be_matrices_of_numpy_scipy_and_torch():
    matrix = normal(2, 5)
    given = [
        matrix,
        matrix.tolist(),
        matrix.numpy(),
        scipy.sparse.csc_array(matrix.numpy()),
        matrix.to_sparse(),
    ]
    fields = normal(3, 5)
    images = [LinearConstraints({"rows": rows}).project(fields, {"rows": torch.zeros(2)}) for rows in given]
    assert all(torch.equal(image, images[0]) for image in images)


# Fields on a periodic grid without divergence: the projection of Leray.
def wave_numbers(n: int) -> torch.Tensor:
    k = 2 * math.pi * torch.fft.fftfreq(n, 1 / n, dtype=torch.float64)
    k[n // 2] = 0
    return torch.stack(torch.meshgrid(k, k, indexing="ij"))


def divergence_free(n: int) -> ImplicitConstraints:
    k = wave_numbers(n)
    square = k.square().sum(0)
    inverse = torch.where(square > 0, 1 / square.clamp_min(1), 0)

    def transformed(values, symbol):
        return torch.fft.ifft2(symbol(torch.fft.fft2(values))).real

    def solve(r):
        return torch.from_numpy(np.fft.ifft2(np.fft.fft2(r.numpy()) * inverse.numpy()).real)

    return ImplicitConstraints(
        lambda u: transformed(u, lambda spectrum: (1j * k * spectrum).sum(1)),
        lambda y: transformed(y[:, None], lambda spectrum: -1j * k * spectrum),
        solve,
    )


def test_a_velocity_loses_its_divergence_by_a_solver_that_is_never_differentiated():
    n, constraints = 16, divergence_free(16)
    angle = 2 * math.pi * torch.arange(n, dtype=torch.float64) / n
    x, y = torch.meshgrid(angle, angle, indexing="ij")
    vortex = torch.stack([x.sin() * y.cos(), -x.cos() * y.sin()])[None]
    gradient = torch.stack([(x + 2 * y).cos(), 2 * (x + 2 * y).cos()])[None]
    u = constraints.project(vortex + 3 * gradient, torch.zeros(1))
    torch.testing.assert_close(u, vortex, rtol=0, atol=1e-13)
    rough = normal(2, 2, n, n).requires_grad_()
    cotangent = normal(2, 2, n, n, seed=1)
    image = constraints.project(rough, torch.zeros(1))
    assert float(constraints.apply(image).detach().abs().max()) <= 1e-12
    # A projection is its own adjoint.
    found = torch.autograd.grad(image, rough, cotangent)[0]
    torch.testing.assert_close(found, constraints.project(cotangent, torch.zeros(1)), rtol=0, atol=1e-12)


def test_a_wrong_solver_and_values_that_no_fields_have_are_refused():
    right = divergence_free(8)
    fields = normal(2, 2, 8, 8)
    with pytest.raises(DivergenceError, match="leaves the share 1 of what the constraints miss in 2 of 2 items"):
        ImplicitConstraints(right.apply, right.adjoint, lambda r: -0 * r).project(fields, torch.zeros(1))
    with pytest.raises(DivergenceError, match="or the values, if no fields have them"):
        right.project(fields, torch.ones(8, 8))
    with pytest.raises(InputError, match="1 of 256 values of the fields are not finite"):
        right.project(fields.where(fields < fields.max(), math.nan), torch.zeros(1))


@pytest.mark.parametrize(
    ("rows", "weights", "words"),
    [
        ({"a": np.ones((1, 2)), "b": np.ones((1, 3))}, None, r"the lengths \[2, 3\], expected one length"),
        ({"a": np.ones((0, 2))}, None, "there are 0 constraints, expected 1 to 8192"),
        ({"a": scipy.sparse.eye_array(9000)}, None, "there are 9000 constraints"),
        ({"a": [[math.inf, 1]]}, None, "the constraints a are not finite"),
        ({"a": np.ones((1, 0))}, None, r"the lengths \[0\], expected one length of at least 1"),
        ({"a": scipy.sparse.csr_array([[1j, 1]])}, None, "the constraints a are complex"),
        ({"a": scipy.sparse.coo_array(np.ones(2))}, None, "the shape of the constraints a"),
        ({"a": [[1, 1]]}, [1, 0], "the least of the weights is 0, expected positive"),
        ({"a": [[1, 1]]}, [1, 1, 1], "the weights is"),
    ],
)
def test_wrong_constraints_are_refused(rows, weights, words):
    with pytest.raises(InputError, match=words):
        LinearConstraints(rows, weights)


def test_wrong_fields_and_values_are_refused():
    constraints = LinearConstraints({"mean": [[0.5, 0.5]]})
    for fields, values, words in [
        (torch.zeros(3, 3), {"mean": torch.zeros(1)}, "the shape of the fields"),
        (torch.zeros(3, 2), {}, r"the values of the constraints \['mean'\] are missing"),
        (torch.zeros(3, 2), {"mean": torch.zeros(1), "maen": torch.zeros(1)}, "did you mean 'mean'"),
        (torch.zeros(3, 2), {"mean": torch.zeros(2)}, "the shape of the values of mean"),
        (torch.zeros(3, 2), {"mean": torch.zeros(2, 1)}, "the shape of the values of mean"),
        (torch.zeros(3, 2), {"mean": torch.tensor([math.nan])}, "values of mean are not finite"),
        (
            torch.zeros(3, 2, dtype=torch.complex64),
            {"mean": torch.zeros(1)},
            "the type of the fields is torch.complex64",
        ),
        (np.zeros((3, 2)), {"mean": torch.zeros(1)}, "the type of the fields is numpy.ndarray"),
        (torch.tensor([[0.0, math.inf]]), {"mean": torch.zeros(1)}, "values of the fields are not finite"),
    ]:
        with pytest.raises(InputError, match=words):
            constraints.project(fields, values)
    assert repr(constraints) == "LinearConstraints(mean 1; 0 dependent; 2 unknowns)"
