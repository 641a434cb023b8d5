"""Implicit derivatives: those of finite differences and of dense autograd, in both modes, in batches, and only once."""

from __future__ import annotations

import gc
import itertools
import weakref

import pytest
import torch
import torch.autograd.forward_ad as forward_ad
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import grad, gradcheck

from sciml.errors import DivergenceError, InputError, SingularSystemError
from sciml.numerics.implicit import (
    GMRES,
    ConjugateGradients,
    Dense,
    Given,
    fixed_point,
    linear_system,
    operator_of,
    root,
)

TIGHT = 1e-13
SOLVERS = [
    pytest.param(Dense(), id="dense"),
    pytest.param(GMRES(rtol=TIGHT), id="gmres"),
    pytest.param(GMRES(rtol=TIGHT, restart=2), id="gmres-restarted"),
]


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    drawn = torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return (drawn - 0.3).requires_grad_()


# A nonlinear condition per item, x + x^3 / 10 + M x - p = 0, whose Jacobian is neither symmetric nor the same anywhere.
def bent(x, m, p):
    return x + 0.1 * x**3 + (m @ x[..., None])[..., 0] - p


def newton(m, p):
    x = torch.zeros_like(p)
    for _ in range(30):
        jacobian = m + torch.diag_embed(1 + 0.3 * x**2)
        x = x - torch.linalg.solve(jacobian, bent(x, m, p)[..., None])[..., 0]
    return x


# A head of a graph network from its list of edges: x_i = gamma / degree_i * sum_j w_ij tanh(x_j) + b_i.
NODES = 7
SOURCES, TARGETS = torch.tensor([[0, 1, 2, 3, 4, 5, 6, 0, 2, 4, 6, 3], [1, 2, 3, 4, 5, 6, 0, 3, 5, 1, 2, 3]])


def message(x, w, b):
    return b + torch.zeros_like(x).index_add(0, TARGETS, 0.3 * w * torch.tanh(x[SOURCES]))


def picard(w, b):
    x = torch.zeros_like(b)
    for _ in range(100):
        x = message(x, w, b)
    return x


# The Laplacian of the same edges, undirected, with a sink of 1 at every node.
def laplacian(x, w):
    flux = w * (x[TARGETS] - x[SOURCES])
    return x.index_add(0, TARGETS, flux).index_add(0, SOURCES, -flux)


def laplacian_matrix(w):
    columns = [laplacian(e, w) for e in torch.eye(NODES, dtype=w.dtype)]
    return torch.stack(columns, 1)


@pytest.mark.parametrize("adjoint", SOLVERS)
def test_the_root_of_a_batch_has_the_derivatives_of_finite_differences(adjoint):
    def solution(m, p):
        return root(bent, newton, m, p, adjoint=adjoint, batch=1)[0]

    assert gradcheck(solution, (draw(3, 4, 4), draw(3, 4, seed=1)), check_forward_ad=True)


@pytest.mark.parametrize("adjoint", SOLVERS)
def test_the_fixed_point_of_messages_has_the_derivatives_of_finite_differences(adjoint):
    def solution(w, b):
        return fixed_point(message, picard, w, b, adjoint=adjoint)[0]

    assert gradcheck(solution, (draw(len(SOURCES)), draw(NODES, seed=1)), check_forward_ad=True)


@pytest.mark.parametrize("adjoint", [*SOLVERS, pytest.param(ConjugateGradients(rtol=TIGHT), id="cg")])
def test_a_graph_laplacian_has_the_derivatives_of_finite_differences(adjoint):
    def solver(b, w):
        return torch.linalg.solve(laplacian_matrix(w), b)

    def solution(b, w):
        return linear_system(laplacian, solver, b, w.exp(), adjoint=adjoint)[0]

    assert gradcheck(solution, (draw(NODES), draw(len(SOURCES), seed=1)), check_forward_ad=True)


def test_the_factors_of_the_forward_solve_serve_the_derivatives_of_a_matrix_that_is_not_symmetric():
    b, m = draw(5), draw(5, 5, seed=1)
    factors = torch.linalg.lu_factor((m + 3 * torch.eye(5)).detach())

    def solve(right, transposed=False):
        return torch.linalg.lu_solve(*factors, right[:, None], adjoint=transposed)[:, 0]

    given = Given(solve, lambda right: solve(right, transposed=True))
    x, report = linear_system(lambda x, m: m @ x + 3 * x, lambda b, m: solve(b), b, m, adjoint=given)
    exact = torch.linalg.solve(m + 3 * torch.eye(5), b)
    cotangent = draw(5, seed=2).detach()
    for found, expected in zip(grad(x, (b, m), cotangent), grad(exact, (b, m), cotangent), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)
    assert report.residual < 1e-14 and report.adjoint.residual < 1e-14 and report.adjoint.iterations == 0
    with forward_ad.dual_level():
        moved = linear_system(
            lambda x, m: m @ x + 3 * x,
            lambda b, m: solve(b),
            forward_ad.make_dual(b.detach(), cotangent),
            m.detach(),
            adjoint=given,
        )[0]
        torch.testing.assert_close(forward_ad.unpack_dual(moved).tangent, solve(cotangent))


def test_gradients_of_messages_agree_with_dense_autograd_to_1e_10():
    w, b, cotangent = draw(len(SOURCES)), draw(NODES, seed=1), draw(NODES, seed=2).detach()

    def linear(x, w, b):
        return b + torch.zeros_like(x).index_add(0, TARGETS, 0.3 * w * x[SOURCES])

    def solver(w, b):
        x = torch.zeros_like(b)
        for _ in range(200):
            x = linear(x, w, b)
        return x

    matrix = torch.zeros(NODES, NODES, dtype=torch.float64).index_put((TARGETS, SOURCES), 0.3 * w, accumulate=True)
    dense = torch.linalg.solve(torch.eye(NODES) - matrix, b)
    expected = grad(dense, (w, b), cotangent)
    for adjoint in (Dense(), GMRES(rtol=TIGHT)):
        x, report = fixed_point(linear, solver, w, b, adjoint=adjoint)
        for found, exact in zip(grad(x, (w, b), cotangent), expected, strict=True):
            torch.testing.assert_close(found, exact, rtol=1e-10, atol=1e-13)
        assert report.residual < 1e-14 and report.adjoint.residual <= TIGHT * report.adjoint.scale


@settings(max_examples=25, deadline=None)
@given(
    shape=st.lists(st.integers(1, 3), min_size=0, max_size=2),
    n=st.integers(1, 4),
    adjoint=st.sampled_from([Dense(), GMRES(rtol=1e-12), GMRES(rtol=1e-12, restart=1)]),
    seed=st.integers(0, 99),
)
def test_a_batch_has_the_derivatives_of_its_items(shape, n, adjoint, seed):
    m, p, cotangent = draw(*shape, n, n, seed=seed), draw(*shape, n, seed=seed + 1), draw(*shape, n, seed=seed + 2)
    together = root(bent, newton, m, p, adjoint=adjoint, batch=len(shape))
    found = grad(together[0], (m, p), cotangent.detach())
    assert together[1].residual.shape == together[1].adjoint.residual.shape == torch.Size(shape)
    for index in itertools.product(*map(range, shape)):
        one = [each.detach()[index].requires_grad_() for each in (m, p)]
        x, _ = root(bent, newton, *one, adjoint=Dense())
        torch.testing.assert_close(x, together[0][index], rtol=1e-12, atol=1e-14)
        for mine, its in zip(found, grad(x, one, cotangent.detach()[index]), strict=True):
            torch.testing.assert_close(mine[index], its, rtol=1e-9, atol=1e-11)


def test_items_of_a_batch_stop_on_their_own():
    """Identity beside a matrix with as many eigenvalues as unknowns: one iteration beside n."""
    n = 12
    spectra = torch.stack([torch.ones(n), torch.arange(1.0, n + 1)]).double()
    b = torch.ones(2, n, dtype=torch.float64, requires_grad=True)
    for adjoint in (ConjugateGradients(rtol=1e-11), GMRES(rtol=1e-11)):
        x, report = linear_system(lambda x: spectra * x, lambda b: b / spectra, b, adjoint=adjoint, batch=1)
        torch.testing.assert_close(grad(x.sum(), b)[0], 1 / spectra, rtol=1e-9, atol=0)
        assert report.adjoint.iterations.tolist() == [1, n]


def test_a_bilinear_form_stands_for_its_operator():
    w, x, y = draw(len(SOURCES)), draw(NODES, seed=1), draw(NODES, seed=2)
    operator = operator_of(lambda y, x, w: (y * laplacian(x, w)).sum())
    torch.testing.assert_close(operator(x, w), laplacian(x, w))
    found, expected = (grad((y * each).sum(), (x, w)) for each in (operator(x, w), laplacian(x, w)))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


def square_root(p):
    return root(lambda x, p: x**2 - p, torch.sqrt, p)[0]


def test_function_transforms_of_torch_have_the_derivatives_of_the_closed_form():
    p = draw(3).detach() + 1
    exact = 0.5 / p.sqrt()
    torch.testing.assert_close(torch.func.grad(lambda p: square_root(p).sum())(p), exact)
    torch.testing.assert_close(torch.func.vjp(square_root, p)[1](torch.ones_like(p))[0], exact)
    torch.testing.assert_close(torch.func.jvp(square_root, (p,), (torch.ones_like(p),))[1], exact)


def test_jacobians_by_rows_and_by_columns_are_those_of_the_closed_form():
    m, p = draw(4, 4).detach(), draw(4, seed=1).detach()

    def solution(m, p):
        return root(bent, newton, m, p)[0]

    inverse = torch.linalg.inv(m + torch.diag(1 + 0.3 * newton(m, p) ** 2))
    for jacobian in (torch.func.jacrev, torch.func.jacfwd):
        by_m, by_p = jacobian(solution, argnums=(0, 1))(m, p)
        torch.testing.assert_close(by_p, inverse)
        torch.testing.assert_close(by_m, -inverse[:, :, None] * newton(m, p))
    both = torch.stack([p, 2 * p])
    torch.testing.assert_close(torch.func.vmap(solution, (None, 0))(m, both), newton(m, both))


def test_nothing_outlives_the_solution_and_its_report():
    """Reference counts alone free them: a cycle would keep tensors until the next garbage collection."""
    gc.disable()
    try:
        p = (draw(3).detach() + 1).requires_grad_()
        x, report = root(lambda x, p: x**2 - p, torch.sqrt, p)
        x.sum().backward()
        report.gradient_bound()
        kept = [weakref.ref(each) for each in (x, report, x.grad_fn)]
        del x, report
        assert [each() for each in kept] == [None] * 3
    finally:
        gc.enable()


def reverse_twice(p):
    return grad(grad(square_root(p).sum(), p, create_graph=True)[0].sum(), p)


def forward_over_reverse(p):
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(p, torch.ones_like(p))
        return forward_ad.unpack_dual(grad(square_root(dual).sum(), dual)[0])


def reverse_over_forward(p):
    with forward_ad.dual_level():
        tangent = forward_ad.unpack_dual(square_root(forward_ad.make_dual(p, torch.ones_like(p)))).tangent
        return grad(tangent.sum(), p)


def forward_twice(p):
    def once(p):
        return torch.func.jvp(square_root, (p,), (torch.ones_like(p),))[1]

    return torch.func.jvp(once, (p.detach(),), (torch.ones_like(p),))


@pytest.mark.parametrize("second", [reverse_twice, forward_over_reverse, reverse_over_forward, forward_twice])
def test_second_derivatives_are_refused_in_every_order_of_the_modes(second):
    with pytest.raises(InputError, match="second derivative of an implicit solution"):
        second((draw(3).detach() + 1).requires_grad_())


def test_types_of_the_arguments_are_kept():
    for dtype in (torch.float32, torch.float64):
        p = torch.tensor([4.0, 9.0], dtype=dtype, requires_grad=True)
        (found,) = grad(square_root(p).sum(), p)
        assert found.dtype == dtype
        torch.testing.assert_close(found, torch.tensor([1 / 4, 1 / 6], dtype=dtype))
    p = torch.tensor([4.0, 9.0], requires_grad=True)  # the problem is solved in double precision
    x, _ = root(lambda x, p: x**2 - p, lambda p: p.double().sqrt(), p)
    assert x.dtype == torch.float64 and grad(x.sum(), p)[0].dtype == torch.float32


def test_a_singular_jacobian_is_named_with_its_item():
    p = torch.tensor([[1.0], [0.0], [4.0]], dtype=torch.float64, requires_grad=True)
    x, _ = root(lambda x, p: x**2 - p, torch.sqrt, p, batch=1)
    with pytest.raises(SingularSystemError, match="item 1 of 3"):
        x.sum().backward()
    b = draw(2)
    x, _ = linear_system(lambda x: x.sum() + 0 * x, lambda b: b, b, adjoint=Dense())
    with pytest.raises(SingularSystemError, match="item 0 of 1"):
        x.sum().backward()


@given(st.integers(0, 99), st.lists(st.integers(-60, 60), min_size=8, max_size=8))
@settings(max_examples=25, deadline=None)
def test_equations_and_unknowns_in_any_units_are_regular(seed, powers):
    """A change of units changes the gradients by these units, and no matrix becomes a singular one."""
    rows, columns = (10.0 ** torch.tensor(powers, dtype=torch.float64)).split(4)
    m, b = draw(4, 4, seed=seed).detach() + 2 * torch.eye(4), torch.ones(4, dtype=torch.float64, requires_grad=True)
    x, _ = linear_system(
        lambda x: rows * (m @ (columns * x)), lambda b: torch.linalg.solve(m, b / rows) / columns, b, adjoint=Dense()
    )
    expected = torch.linalg.solve(m.mT, torch.ones(4, dtype=torch.float64)) / rows
    torch.testing.assert_close(grad((columns * x).sum(), b)[0], expected, rtol=1e-10, atol=0)


def test_an_adjoint_solve_that_does_not_converge_is_an_error():
    b = torch.ones(40, dtype=torch.float64, requires_grad=True)
    spectrum = torch.linspace(1, 1e6, 40, dtype=torch.float64)
    for adjoint in (ConjugateGradients(maxiter=5), GMRES(maxiter=5), GMRES(restart=2, maxiter=50)):
        x, _ = linear_system(lambda x: spectrum * x, lambda b: b / spectrum, b, adjoint=adjoint)
        with pytest.raises(DivergenceError, match="raise rtol or maxiter"):
            x.sum().backward()


def test_an_indefinite_or_singular_system_never_yields_a_wrong_number():
    """A rotation stops conjugate gradients at once; a projection has no solution for this cotangent."""
    for operator, adjoint in (
        (lambda x: torch.stack([x[1], -x[0]]), ConjugateGradients(maxiter=50)),
        (lambda x: torch.stack([x[0], 0 * x[1]]), GMRES(maxiter=50)),
        (lambda x: torch.stack([x[0], 0 * x[1]]), ConjugateGradients(maxiter=50)),
    ):
        b = draw(2)
        x, _ = linear_system(operator, lambda b: b, b, adjoint=adjoint)
        with pytest.raises(DivergenceError):
            x.sum().backward()


def test_bad_input_is_refused_with_a_sentence():
    p, captured = draw(3), draw(3, seed=1)
    with pytest.raises(InputError, match="none of the arguments"):
        root(lambda x, p: x - p * captured, lambda p: p, p)
    with pytest.raises(InputError, match="no tensor is given"):
        root(lambda x: x, lambda: p)
    with pytest.raises(InputError, match=r"argument 1 is of type torch\.int64"):
        root(lambda x, p, i: x - p, lambda p, i: p, p, torch.arange(3))
    with pytest.raises(InputError, match=r"returns shape \(2,\).*shape \(3,\)"):
        root(lambda x, p: (x - p)[:2], lambda p: p, p)
    with pytest.raises(InputError, match="2 leading axes"):
        root(lambda x, p: x - p, lambda p: p, p, batch=2)
    with pytest.raises(InputError, match="batch is -1"):
        root(lambda x, p: x - p, lambda p: p, p, batch=-1)
    with pytest.raises(DivergenceError, match="not finite"):
        root(lambda x, p: x - p, lambda p: p / 0, p)
    with pytest.raises(DivergenceError, match="cotangent"):
        x, _ = root(lambda x, p: x - p, lambda p: p, p)
        x.backward(torch.full_like(p, torch.nan))
    with pytest.raises(InputError, match="without a graph"):
        x, _ = root(lambda x, p: (x - p).detach(), lambda p: p, p)
        x.sum().backward()
    with pytest.raises(InputError, match="no solve with the Jacobian itself"):
        given = Given(None, lambda right: right)
        torch.func.jvp(lambda p: root(lambda x, p: x - p, lambda p: p, p, adjoint=given)[0], (p,), (p,))
    with pytest.raises(InputError, match="rtol is 0"):
        GMRES(rtol=0)


def test_what_the_solver_says_is_in_the_report():
    x, report = root(lambda x, p: x**2 - p, lambda p: (p.sqrt(), "by the built-in function"), draw(2).detach() + 1)
    assert report.info == "by the built-in function" and report.adjoint is None and not x.requires_grad
