"""What callers hand over to implicit differentiation: wrong functions and wrong results are refused in a sentence."""

from __future__ import annotations

import pytest
import torch
from torch.autograd import grad

from sciml.errors import DivergenceError, InputError
from sciml.numerics.implicit import GMRES, ConjugateGradients, Dense, Given, linear_system, root

X = torch.tensor([2.0, 3.0], dtype=torch.float64)


def square(x, p):
    return x**2 - p


def inverse(right):
    return right / (2 * X)


def argument() -> torch.Tensor:
    return (X**2).requires_grad_()


def gradient(condition=square, solver=torch.sqrt, **options) -> torch.Tensor:
    """The gradient of the sum of the square roots of 4 and 9: 1/4 and 1/6."""
    p = argument()
    x, _ = root(condition, solver, p, **options)
    return grad(x.sum(), p)[0]


WRONG = {
    "none": lambda x: None,
    "empty": lambda x: (),
    "triple": lambda x: (x, 1, 2),
    "list": lambda x: [x],
    "array": lambda x: x.detach().numpy(),
    "number": lambda x: 1.0,
    "shorter": lambda x: x[:1],
    "column": lambda x: x[:, None],
    "scalar": lambda x: x.sum(),
    "whole": lambda x: x.long(),
    "complex": lambda x: x + 0j,
    "half": lambda x: x.half(),
    "meta": lambda x: x.to("meta"),
    "sparse": lambda x: x.to_sparse(),
}


def refused(call) -> str:
    with pytest.raises(InputError) as caught:
        call()
    message = str(caught.value)
    assert message.endswith(".") and "expected" in message and "\n" not in message
    return message


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("batch", [0, 1])
def test_a_solver_that_returns_no_solution_is_refused(wrong, batch):
    refused(lambda: gradient(solver=lambda p: wrong(p.sqrt()), batch=batch))


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_condition_that_returns_no_residual_is_refused(wrong):
    assert "condition returns" in refused(lambda: gradient(lambda x, p: wrong(square(x, p))))


@pytest.mark.parametrize("rtol", [1e-3, None])
@pytest.mark.parametrize("name", [name for name in WRONG if name != "half"])
def test_a_given_solve_that_returns_no_solution_is_refused_in_both_modes(name, rtol):
    adjoint = Given(lambda right: WRONG[name](inverse(right)), rtol=rtol)
    assert "given for the transposed Jacobian" in refused(lambda: gradient(adjoint=adjoint))
    message = refused(lambda: torch.func.jvp(lambda p: root(square, torch.sqrt, p, adjoint=adjoint)[0], (X,), (X,)))
    assert "given for the Jacobian" in message


def test_a_given_solve_of_lower_precision_or_that_works_in_place_is_right():
    exact = torch.tensor([1 / 4, 1 / 6], dtype=torch.float64)
    cotangent = torch.ones(2, dtype=torch.float64)
    for solve in (lambda right: inverse(right).float(), lambda right: right.div_(2 * X)):
        torch.testing.assert_close(gradient(adjoint=Given(solve)), exact, rtol=1e-6, atol=0)
        x, report = root(square, torch.sqrt, p := argument(), adjoint=Given(solve))
        torch.testing.assert_close(grad(x, p, cotangent)[0], exact, rtol=1e-6, atol=0)
        assert cotangent.tolist() == [1.0, 1.0] and (report.adjoint.residual <= 1e-6).all()


class Bare:
    """A solver of linear systems that returns the tensor alone."""

    def solve(self, jacobian, right, *, transposed):
        return inverse(right)


@pytest.mark.parametrize(
    ("adjoint", "words"),
    [
        (None, "adjoint is None, expected an object that solves"),
        ("gmres", "adjoint is 'gmres', expected"),
        (GMRES, "adjoint is <class"),
        (inverse, "adjoint is <function"),
        (Bare(), r"Bare\.solve returns shape \(2,\).*, expected a LinearSolution"),
    ],
)
def test_what_is_no_solver_of_linear_systems_is_refused(adjoint, words):
    with pytest.raises(InputError, match=words):
        gradient(adjoint=adjoint)


def test_parts_that_cannot_be_called_are_refused():
    assert "condition" in refused(lambda: gradient(None))
    assert "solver" in refused(lambda: gradient(solver=5))
    assert "solve given is 5" in refused(lambda: Given(5))
    assert "transposed" in refused(lambda: Given(inverse, "inverse"))


def test_arguments_without_values_are_refused():
    assert "on meta" in refused(lambda: root(square, torch.sqrt, X.to("meta")))


def test_functions_that_change_their_arguments_in_place_are_refused():
    for message, name, options in (
        ("solver changes argument 0", "p", {"solver": torch.Tensor.sqrt_}),
        ("condition changes the solution", "x", {"condition": lambda x, p: x.mul_(x) - p}),
        ("condition changes argument 0", "p", {"condition": lambda x, p: x**2 - p.add_(0)}),
    ):
        assert message in refused(lambda options=options: gradient(**options)), name


def test_solutions_exist_in_inference_mode_and_their_bounds_are_refused():
    with torch.inference_mode():
        x, report = root(square, torch.sqrt, X**2)
        assert x.tolist() == X.tolist() and report.residual <= 1e-15
        assert "inference mode" in refused(report.solution_bound)
        made = X**2
    p = torch.ones(2, dtype=torch.float64, requires_grad=True)
    x, _ = root(lambda x, p, q: x**2 - p * q, lambda p, q: (p * q).sqrt(), p, made)
    torch.testing.assert_close(grad(x.sum(), p)[0], X / 2)
    with torch.no_grad():
        _, report = root(square, torch.sqrt, X**2)
    assert report.solution_bound() <= 1e-14


# ------------------------------------------------------------------------------------------- singular Jacobians


@pytest.mark.parametrize("adjoint", [GMRES(), GMRES(restart=2), ConjugateGradients(maxiter=300)])
@pytest.mark.parametrize(
    ("matrix", "cotangent"),
    [
        ([[0.0, 0.0], [0.0, 0.0]], [1.0, 2.0]),
        ([[0.0, 1.0], [0.0, 0.0]], [1.0, 0.0]),
        ([[1.0, 0.0], [0.0, 0.0]], [1.0, 1.0]),
        ([[1.0, -1.0], [-1.0, 1.0]], [1.0, 0.0]),
        ([[1.0, -1.0, 0.0], [-1.0, 2.0, -1.0], [0.0, -1.0, 1.0]], [1.0, 0.0, 0.0]),
    ],
)
def test_matrix_free_solves_end_in_a_sentence_where_a_singular_jacobian_has_no_solution(adjoint, matrix, cotangent):
    m, products = torch.tensor(matrix, dtype=torch.float64), []
    b = torch.ones(len(m), dtype=torch.float64, requires_grad=True)

    def operator(x):
        products.append(1)
        return m @ x

    x, _ = linear_system(operator, lambda b: torch.linalg.pinv(m) @ b, b, adjoint=adjoint)
    with pytest.raises(DivergenceError, match="tells whether the Jacobian is singular"):
        grad(x, b, torch.tensor(cotangent, dtype=torch.float64))


def test_gmres_that_stagnates_stops_after_the_cycle_that_brought_nothing():
    """A cyclic shift: no iteration but the last of n brings the residual down, and a restart before it repeats."""
    for items in (1, 3):
        b = torch.zeros(items, 8, dtype=torch.float64)
        b[:, 0] = 1.0
        counted = []

        def shift(x, counted=counted):
            counted.append(1)
            return x.roll(1, -1)

        for restart, solved in ((8, True), (5, False)):
            x, report = linear_system(
                shift,
                lambda b: b.roll(-1, -1),
                b.clone().requires_grad_(),
                adjoint=GMRES(restart=restart, maxiter=10**9),
                batch=1,
            )
            if solved:
                x.backward(b)
                assert (report.adjoint.residual <= 1e-14).all() and report.adjoint.iterations.tolist() == [8] * items
            else:
                with pytest.raises(DivergenceError, match="after 5 iterations"):
                    x.backward(b)


@pytest.mark.parametrize("adjoint", [GMRES(), ConjugateGradients()])
def test_a_consistent_singular_system_has_the_gradient_for_changes_that_keep_it_solvable(adjoint):
    """The Laplacian of a closed path: sources that add up to zero, and a measurement that no constant changes."""
    laplacian = torch.tensor([[1.0, -1.0, 0.0], [-1.0, 2.0, -1.0], [0.0, -1.0, 1.0]], dtype=torch.float64)
    b = torch.tensor([1.0, -3.0, 2.0], dtype=torch.float64, requires_grad=True)
    x, _ = linear_system(lambda x: laplacian @ x, lambda b: torch.linalg.pinv(laplacian) @ b, b, adjoint=adjoint)
    (found,) = grad(x[0] - x[2], b)
    change = torch.tensor([2.0, -1.0, -1.0], dtype=torch.float64)
    moved = torch.linalg.pinv(laplacian) @ change
    torch.testing.assert_close(found @ change, moved[0] - moved[2])
    with pytest.raises(DivergenceError):
        grad(linear_system(lambda x: laplacian @ x, torch.zeros_like, b, adjoint=adjoint)[0].sum(), b)


# ---------------------------------------------------------------------------------- changes between the two passes


def test_changes_in_place_between_the_passes_are_refused_by_torch():
    for change in (lambda p, x: p.mul_(2), lambda p, x: x.mul_(2)):
        p = argument()
        q = p * 1
        x, _ = root(square, torch.sqrt, q, adjoint=Dense())
        with torch.no_grad():
            change(q, x)
        with pytest.raises(RuntimeError, match="inplace operation"):
            grad(x.sum(), p)
