"""Derivatives of the solution of a Poisson problem against finite differences and against dense linear algebra."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sciml.errors import DivergenceError, IncompatibleRightHandSideError, InputError
from sciml.linalg import VoxelPoisson
from sciml.linalg.differentiable import poisson_solve

DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")],
    ),
]
SPACING = (1.0, 0.7, 1.3)
RTOL = 1e-13


def box(n):
    return np.zeros((n, n, n), np.uint8)


def obstacles(n):
    cells = np.random.default_rng(0).choice(np.array([0, 0, 0, 0, 1, 2], np.uint8), size=(n, n, n))
    cells[0, 0, :2] = 0  # open to the ghost cells of the side x-
    return cells


def two_rooms(n):
    """A closed room, a wall, and a room with one Dirichlet cell in a corner."""
    cells = box(n)
    cells[n // 2] = 2
    cells[-1, -1, -1] = 1
    return cells


# Cells, whether the coefficient varies, sides.
CASES = [
    pytest.param(box, False, {"x-": "dirichlet"}, id="constant"),
    pytest.param(box, True, {"x-": "dirichlet", "z+": "dirichlet"}, id="variable"),
    pytest.param(obstacles, False, {"x-": "dirichlet"}, id="air-and-solids"),
    pytest.param(obstacles, True, {"x-": "dirichlet", "y+": "dirichlet"}, id="air-solids-variable"),
    pytest.param(two_rooms, True, "neumann", id="closed-room"),
    pytest.param(box, True, "neumann", id="closed-box"),
]


def tensors(shape, *, variable, device="cpu", seed=0):
    """Right-hand side and coefficient that ask for gradients; the coefficient is None where it does not vary."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=shape), np.exp(rng.normal(size=shape))
    b, k = (torch.tensor(v, device=device, requires_grad=True) for v in values)
    return (b, k) if variable else (b, None)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("cells", "variable", "outside"), CASES)
def test_gradients_agree_with_central_differences(cells, variable, outside, device):
    cells = cells(6)
    b, k = tensors(cells.shape, variable=variable, device=device)

    def x(*inputs):
        return poisson_solve(cells, *inputs, spacing=SPACING, outside=outside, rtol=RTOL, project=True)

    # Steps of 1e-4, because a difference of two solves of relative accuracy 1e-13 / lambda_min has to keep its digits.
    inputs = (b, k) if variable else (b,)
    assert torch.autograd.gradcheck(x, inputs, eps=1e-4, atol=1e-5, rtol=1e-5, fast_mode=True)


@pytest.mark.parametrize(("cells", "variable", "outside"), CASES)
def test_forward_mode_is_adjoint_to_reverse_mode(cells, variable, outside):
    """<c, dx> of a tangent equals <gradient of <c, x>, tangent>."""
    cells = cells(6)
    inputs = [each for each in tensors(cells.shape, variable=variable) if each is not None]
    moves = [each.detach() for each in tensors(cells.shape, variable=variable, seed=1) if each is not None]
    cotangent = tensors(cells.shape, variable=False, seed=2)[0].detach()

    def x(*inputs):
        return poisson_solve(cells, *inputs, spacing=SPACING, outside=outside, rtol=RTOL, project=True)

    gradients = torch.autograd.grad(x(*inputs), inputs, cotangent)
    with torch.autograd.forward_ad.dual_level():
        duals = [torch.autograd.forward_ad.make_dual(*pair) for pair in zip(inputs, moves, strict=True)]
        tangent = torch.autograd.forward_ad.unpack_dual(x(*duals)).tangent
    expected = sum((one * other).sum() for one, other in zip(gradients, moves, strict=True))
    torch.testing.assert_close((cotangent * tangent).sum(), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("cells", "variable", "outside"), CASES)
def test_solution_and_gradients_agree_with_dense_algebra(cells, variable, outside):
    """The oracle: x = A^+ b, b_bar = A^+ x_bar, k_bar_i = -b_bar . dA/dk_i x, with differences of matrices."""
    cells = cells(4)
    b, k = tensors(cells.shape, variable=variable)
    cotangent = torch.from_numpy(np.random.default_rng(5).normal(size=cells.shape))
    x = poisson_solve(cells, b, k, spacing=SPACING, outside=outside, rtol=RTOL, project=True)
    (x * cotangent).sum().backward()

    def matrix(coefficient):
        problem = VoxelPoisson.from_cells(cells, coefficient=coefficient, spacing=SPACING, outside=outside)
        return problem.to_csr().toarray()

    fluid = cells == 0
    coefficient = None if k is None else k.detach().numpy()
    inverse = np.linalg.pinv(matrix(coefficient), hermitian=True)
    solution, adjoint = inverse @ b.detach().numpy()[fluid], inverse @ cotangent.numpy()[fluid]
    np.testing.assert_allclose(x.detach().numpy()[fluid], solution, rtol=0, atol=1e-9)
    np.testing.assert_allclose(b.grad.numpy()[fluid], adjoint, rtol=0, atol=1e-9)
    assert not x.detach().numpy()[~fluid].any() and not b.grad.numpy()[~fluid].any()
    if k is None:
        return
    expected = np.zeros(cells.size)
    for i in range(cells.size):
        step = 1e-5 * coefficient.flat[i]
        up, down = coefficient.copy(), coefficient.copy()
        up.flat[i] += step
        down.flat[i] -= step
        expected[i] = -adjoint @ ((matrix(up) - matrix(down)) / (2 * step)) @ solution
    np.testing.assert_allclose(k.grad.numpy().ravel(), expected, rtol=1e-6, atol=1e-8)
    assert not k.grad.numpy()[cells == 2].any()


def test_gradient_is_linear_in_the_cotangent():
    cells = obstacles(8)
    b, k = tensors(cells.shape, variable=True)
    x = poisson_solve(cells, b, k, outside="dirichlet", rtol=1e-12)
    u, v = torch.randn((2, *cells.shape), generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def gradients(cotangent):
        return torch.autograd.grad(x, (b, k), cotangent, retain_graph=True)

    for both, one, other in zip(gradients(2.0 * u - 3.0 * v), gradients(u), gradients(v), strict=True):
        torch.testing.assert_close(both, 2.0 * one - 3.0 * other, rtol=1e-9, atol=1e-9)


def test_scaling_the_coefficient_scales_the_solution_inversely():
    """From k -> c k follows x -> x / c, so sum of k dL/dk = -sum of x dL/dx (Euler), also for k = 1."""
    cells = box(8)
    for k in (torch.ones(cells.shape, dtype=torch.float64), tensors(cells.shape, variable=True)[1].detach()):
        k = k.requires_grad_()
        b = tensors(cells.shape, variable=False)[0]
        x = poisson_solve(cells, b, k, outside="dirichlet", rtol=1e-12)
        (x**2).sum().backward()
        torch.testing.assert_close((k.detach() * k.grad).sum(), -2.0 * (x.detach() ** 2).sum(), rtol=1e-9, atol=0.0)


def test_batches_add_their_gradients_and_two_dimensions_work():
    cells = np.zeros((9, 7), np.uint8)
    cells[3:5, 2:4] = 2
    k = tensors(cells.shape, variable=True)[1]
    b = tensors((3, *cells.shape), variable=False)[0]

    def loss(right):
        return (poisson_solve(cells, right, k, outside={"y+": "dirichlet"}, rtol=1e-12) ** 2).sum()

    together = torch.autograd.grad(loss(b), (b, k))
    apart = [torch.autograd.grad(loss(each), (each, k)) for each in b]
    torch.testing.assert_close(together[0], torch.stack([each[0] for each in apart]), rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(together[1], sum(each[1] for each in apart), rtol=1e-9, atol=1e-10)


def test_a_uniform_cotangent_on_a_closed_room_has_no_gradient():
    """There x has zero mean whatever b is: projection leaves rounding errors, which must not be solved for."""
    cells = two_rooms(6)
    b, k = tensors(cells.shape, variable=True)
    poisson_solve(cells, b, k, project=True)[:3].sum().backward()
    assert b.grad.abs().max() < 1e-12 and k.grad.abs().max() < 1e-12


def test_single_precision_tensors_keep_their_type():
    cells = obstacles(6)
    b, k = tensors(cells.shape, variable=True)
    short = [t.detach().float().requires_grad_() for t in (b, k)]
    for inputs in ((b, k), short):
        x = poisson_solve(cells, *inputs, outside="dirichlet")
        assert x.dtype == inputs[0].dtype
        x.sum().backward()
    torch.testing.assert_close(short[0].grad.double(), b.grad, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(short[1].grad.double(), k.grad, rtol=1e-4, atol=1e-5)


def test_unsolvable_and_wrong_input_is_refused_with_a_sentence():
    cells = box(4)
    ones = torch.ones(cells.shape, dtype=torch.float64)
    with pytest.raises(IncompatibleRightHandSideError, match="closed component"):
        poisson_solve(cells, ones)
    with pytest.raises(InputError, match=r"b must be a dense floating-point torch\.Tensor, got ndarray"):
        poisson_solve(cells, ones.numpy(), outside="dirichlet")
    with pytest.raises(InputError, match="coefficient must be a dense floating-point"):
        poisson_solve(cells, ones, ones.long(), outside="dirichlet")
    k = 10.0 ** torch.from_numpy(np.random.default_rng(0).uniform(-7, 7, (12, 12, 12)))
    with pytest.raises(DivergenceError, match="raise rtol"):
        poisson_solve(box(12), torch.ones(12, 12, 12), k, outside={"x-": "dirichlet"}, rtol=1e-15)
