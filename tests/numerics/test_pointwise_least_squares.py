"""Pointwise least squares: gradients beside differences and unrolled iterations, linear problems beside lstsq."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.func import jacrev

from sciml.errors import DivergenceError, InputError, SingularSystemError
from sciml.numerics.batched_least_squares import BatchedSettings
from sciml.numerics.least_squares import LevenbergMarquardt, Residuals
from sciml.numerics.pointwise_least_squares import PointwiseProblem, PointwiseResidual, solve
from sciml.numerics.random import generator


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=generator(seed, *shape))


class Reaction(PointwiseResidual):
    """u_t - k u (1 - u) with a coefficient, by hand."""

    def value(self, v: Tensor, k: Tensor) -> Tensor:
        return v[:, 1] - k * v[:, 0] * (1 - v[:, 0])

    def gradient(self, v: Tensor, k: Tensor) -> Tensor:
        return torch.stack([-k * (1 - 2 * v[:, 0]), torch.ones_like(v[:, 0])], 1)

    def curvature(self, v: Tensor, k: Tensor) -> Tensor:
        total = torch.zeros(len(v), 2, 2, v.shape[2], dtype=v.dtype)
        total[:, 0, 0] = 2 * k
        return total


class Unhelped(PointwiseResidual):
    """The same, without its derivatives."""

    def value(self, v: Tensor, k: Tensor) -> Tensor:
        return v[:, 1] - k * v[:, 0] * (1 - v[:, 0])


class Transport(PointwiseResidual):
    """u_t + k u_x - 1."""

    linear = True

    def value(self, v: Tensor, k: Tensor) -> Tensor:
        return v[:, 0] + k * v[:, 1] - 1


class Wrong(Unhelped):
    def curvature(self, v: Tensor, k: Tensor) -> Tensor:
        return 3 * super().curvature(v, k)


ITEMS, POINTS, UNKNOWNS = 3, 10, 4
STEEPNESS = torch.tensor([[0.1], [0.5], [2.0]], dtype=torch.float64)  # unlike numbers of iterations


def tensors(constraints: int) -> list[Tensor]:
    """Terms, A, b, C, d and a coefficient."""
    return [
        normal(ITEMS, 2, POINTS, UNKNOWNS),
        normal(ITEMS, 5, UNKNOWNS),
        0.5 + 0.3 * normal(ITEMS, 5),
        normal(ITEMS, constraints, UNKNOWNS),
        0.3 * normal(ITEMS, constraints, seed=1),
        STEEPNESS.clone(),
    ]


def problem_of(
    terms: Tensor, a: Tensor, b: Tensor, c: Tensor, d: Tensor, k: Tensor, residual: PointwiseResidual | None = None
) -> PointwiseProblem:
    weights = torch.linspace(0.5, 1.5, terms.shape[2], dtype=torch.float64)
    return PointwiseProblem(terms, residual or Reaction(), (k,), weights, (a, b), (c, d))


@pytest.mark.parametrize("constraints", [0, 2])
def test_gradients_in_everything_are_those_of_differences_for_items_of_unlike_iteration_counts(
    constraints: int,
) -> None:
    arguments = [each.requires_grad_() for each in tensors(constraints)]
    _, report = solve(problem_of(*arguments))
    assert report.minimum.status == ("converged",) * ITEMS
    assert len(set(report.minimum.iterations.tolist())) > 1
    assert bool((report.minimum.cost > 0.1).all())  # where Gauss and Newton's Hessian is wrong
    assert not bool(report.gauss_newton.any())
    assert torch.autograd.gradcheck(
        lambda *given: solve(problem_of(*given))[0], arguments, eps=1e-6, atol=1e-6, rtol=1e-4, fast_mode=True
    )


@pytest.mark.parametrize("constraints", [0, 2])
def test_tangents_in_forward_mode_are_the_transposes_of_gradients(constraints: int) -> None:
    arguments, directions = tensors(constraints), [normal(*each.shape, seed=7) for each in tensors(constraints)]
    with torch.autograd.forward_ad.dual_level():
        duals = [torch.autograd.forward_ad.make_dual(*pair) for pair in zip(arguments, directions, strict=True)]
        tangent = torch.autograd.forward_ad.unpack_dual(solve(problem_of(*duals))[0]).tangent
    leaves = [each.requires_grad_() for each in arguments]
    cotangent = normal(ITEMS, UNKNOWNS, seed=3)
    gradients = torch.autograd.grad((solve(problem_of(*leaves))[0] * cotangent).sum(), leaves)
    pairs = zip(gradients, directions, strict=True)
    assert float((tangent * cotangent).sum()) == pytest.approx(sum(float((g * t).sum()) for g, t in pairs), rel=1e-10)


def unrolled(terms: Tensor, a: Tensor, b: Tensor, k: Tensor, steps: int) -> Tensor:
    """Newton's method with a graph, from zero: differentiated through all of its steps."""
    weights = torch.linspace(0.5, 1.5, POINTS, dtype=torch.float64)

    def gradient(w: Tensor) -> Tensor:
        u, u_t = (terms @ w[:, None, :, None])[..., 0].unbind(1)
        residual, slope = u_t - k * u * (1 - u), -k * (1 - 2 * u)
        jacobian = slope[..., None] * terms[:, 0] + terms[:, 1]
        misfit = (a @ w[..., None])[..., 0] - b
        return (jacobian * (weights * residual)[..., None]).sum(1) + (a * misfit[..., None]).sum(1)

    w = solve(problem_of(*tensors(0)))[0].detach() + 0.01  # near the same minimum, where Newton's method converges
    for _ in range(steps):
        rows = jacrev(lambda x: gradient(x).sum(0))(w).transpose(0, 1)  # items do not depend on one another
        w = w - torch.linalg.solve(rows, gradient(w))
    return w


def test_gradients_are_those_of_an_unrolled_iteration() -> None:
    terms, a, b, c, d, k = [each.requires_grad_() for each in tensors(0)]
    cotangent = normal(ITEMS, UNKNOWNS, seed=3)
    w = solve(problem_of(terms, a, b, c, d, k))[0]
    reference = unrolled(terms, a, b, k, 8)
    torch.testing.assert_close(w, reference, rtol=1e-12, atol=1e-13)
    for leaf in (terms, a, b, k):
        found = torch.autograd.grad((w * cotangent).sum(), leaf, retain_graph=True)[0]
        expected = torch.autograd.grad((reference * cotangent).sum(), leaf, retain_graph=True)[0]
        assert float((found - expected).norm()) <= 1e-9 * float(expected.norm())


def test_gauss_and_newtons_hessian_errs_at_a_residual_and_is_exact_without() -> None:
    def gradient(hessian: str, right: Tensor) -> Tensor:
        terms, a, _, c, d, k = tensors(0)
        a.requires_grad_()
        w, report = solve(problem_of(terms, a, right, c, d, k), hessian=hessian)
        assert bool(report.gauss_newton.all()) == (hessian == "gauss_newton")
        return torch.autograd.grad(w[:, 0].sum(), a)[0]

    right = tensors(0)[2]
    exact, approximate = gradient("exact", right), gradient("gauss_newton", right)
    assert float((exact - approximate).norm()) > 1e-3 * float(exact.norm())
    zero = torch.zeros_like(right)  # w = 0 solves everything
    exact, approximate = gradient("exact", zero), gradient("gauss_newton", zero)
    torch.testing.assert_close(exact, approximate, rtol=0, atol=1e-10)


def test_memory_for_the_gradient_does_not_grow_with_iterations() -> None:
    def saved(solves: int) -> tuple[int, int]:
        kept = []
        arguments = [each.requires_grad_() for each in tensors(0)]
        settings = BatchedSettings(max_solves=solves, stationarity=1e-12, damping=1.0)
        with saved_tensors_hooks(lambda each: (kept.append(each.numel() * each.element_size()), each)[1], lambda x: x):
            _, report = solve(problem_of(*arguments), settings=settings)
        return sum(kept), int(report.minimum.iterations.max())

    few, many = saved(2), saved(30)
    assert many[1] > 4 * few[1]
    assert many[0] == few[0] > 0


def test_a_batch_equals_a_loop_over_its_items() -> None:
    arguments = tensors(2)
    together = solve(problem_of(*arguments))[0]
    for item in range(ITEMS):
        alone = solve(problem_of(*(each[item : item + 1] for each in arguments)))[0]
        torch.testing.assert_close(alone[0], together[item], rtol=1e-10, atol=1e-12)


def test_one_item_equals_the_solver_of_one_problem() -> None:
    terms, a, b, c, d, k = (each[2:] for each in tensors(0))
    weights = torch.linspace(0.5, 1.5, POINTS, dtype=torch.float64)

    def residual(w: Tensor) -> Tensor:
        points = weights.sqrt() * Reaction().value(terms @ w, k)[0]
        return torch.cat([points, a[0] @ w - b[0]])

    group = Residuals("all", residual, weight=POINTS + 5.0, pointwise=False)
    start = torch.zeros(UNKNOWNS, dtype=torch.float64)
    expected = LevenbergMarquardt(tolerance=0.0, max_solves=100, patience=100).minimise([group], start)
    w, report = solve(problem_of(terms, a, b, c, d, k))
    torch.testing.assert_close(w[0], expected.value, rtol=1e-7, atol=1e-7)
    assert 2 * float(report.minimum.cost) == pytest.approx(expected.cost, rel=1e-12)


def test_a_linear_problem_equals_lstsq_in_one_step() -> None:
    terms, a, b, _, _, k = tensors(0)
    problem = PointwiseProblem(terms, Transport(), (k,), rows=(a, b))
    w, report = solve(problem)
    matrix = torch.cat([terms[:, 0] + k[..., None] * terms[:, 1], a], 1)
    right = torch.cat([torch.ones(ITEMS, POINTS, dtype=torch.float64), b], 1)
    expected = torch.linalg.lstsq(matrix, right[..., None]).solution[..., 0]
    torch.testing.assert_close(w, expected, rtol=1e-12, atol=1e-12)
    assert report.minimum.iterations.tolist() == [1] * ITEMS
    assert report.minimum.worst == "converged"


def test_a_linear_problem_with_constraints_solves_the_equations_of_lagrange() -> None:
    terms, a, b, c, d, k = tensors(2)
    w, _ = solve(PointwiseProblem(terms, Transport(), (k,), rows=(a, b), constraints=(c, d)), start=normal(ITEMS, 4))
    matrix = torch.cat([terms[:, 0] + k[..., None] * terms[:, 1], a], 1)
    right = torch.cat([torch.ones(ITEMS, POINTS, dtype=torch.float64), b], 1)
    top = torch.cat([matrix.mT @ matrix, c.mT], 2)
    system = torch.cat([top, torch.cat([c, c.new_zeros(ITEMS, 2, 2)], 2)], 1)
    expected = torch.linalg.solve(system, torch.cat([(matrix.mT @ right[..., None])[..., 0], d], 1))[:, :UNKNOWNS]
    torch.testing.assert_close(w, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("residual", [Reaction(), Transport()], ids=["nonlinear", "linear"])
def test_constraints_hold_to_rounding_whatever_the_start(residual: PointwiseResidual) -> None:
    arguments = tensors(3)
    w, _ = solve(problem_of(*arguments, residual), start=5 * normal(ITEMS, UNKNOWNS))
    assert float(((arguments[3] @ w[..., None])[..., 0] - arguments[4]).abs().max()) < 1e-13


def test_derivatives_of_a_residual_by_hand_are_those_by_automatic_differentiation() -> None:
    v, k = normal(ITEMS, 2, 6), STEEPNESS
    for name in ("gradient", "curvature"):
        torch.testing.assert_close(getattr(Reaction(), name)(v, k), getattr(Unhelped(), name)(v, k))
    assert not bool(Transport().curvature(v, k).any())
    arguments = tensors(2)
    by_hand, found = (solve(problem_of(*arguments, each))[0] for each in (Reaction(), Unhelped()))
    torch.testing.assert_close(by_hand, found, rtol=1e-12, atol=1e-13)


def test_gradients_without_derivatives_by_hand_pass_gradcheck() -> None:
    arguments = [each.requires_grad_() for each in tensors(1)]
    assert torch.autograd.gradcheck(
        lambda *given: solve(problem_of(*given, Unhelped()))[0],
        arguments,
        eps=1e-6,
        atol=1e-6,
        rtol=1e-4,
        fast_mode=True,
    )


def test_second_derivatives_that_do_not_fit_are_found_out() -> None:
    arguments = [each.requires_grad_() for each in tensors(0)]
    w, _ = solve(problem_of(*arguments, Wrong()))
    with pytest.raises(DivergenceError, match="correct gradient and curvature of the residual"):
        w.sum().backward()


def test_an_item_that_rounding_has_stalled_has_converged_after_the_last_step() -> None:
    settings = BatchedSettings(stationarity=1e-12, tolerance=0.0)  # far below what costs resolve
    w, report = solve(problem_of(*tensors(0)), settings=settings)
    assert report.minimum.status == ("converged",) * ITEMS
    assert float(report.minimum.gradient_norm.max()) < 1e-12
    torch.testing.assert_close(report.minimum.w, w, rtol=0, atol=0)
    early = BatchedSettings(max_solves=1)
    assert solve(problem_of(*tensors(0)), settings=early)[1].minimum.worst == "limit"


def test_the_adjoint_solve_is_exact_after_a_long_last_step() -> None:
    arguments = [each.requires_grad_() for each in tensors(1)]
    w, report = solve(problem_of(*arguments), settings=BatchedSettings(max_solves=2))
    w.sum().backward()
    adjoint = report.implicit.adjoint
    assert report.minimum.worst == "limit"
    assert float((adjoint.residual / adjoint.scale).max()) < 1e-12


class NotLinear(Unhelped):
    linear = True


def test_a_residual_that_only_says_that_it_is_linear_is_found_out() -> None:
    with pytest.raises(InputError, match="NotLinear says that it is linear, and a step changes"):
        solve(problem_of(*tensors(1), NotLinear()))


class Circle(PointwiseResidual):
    """1 - u^2, whose minimum at u = 0 under a constraint that keeps it there has a negative curvature."""

    def value(self, v: Tensor) -> Tensor:
        return 1 - v[:, 0] ** 2


def test_a_hessian_that_is_not_positive_definite_is_replaced_and_told() -> None:
    terms = torch.ones(1, 1, 2, 1, dtype=torch.float64).requires_grad_()
    rows = (torch.ones(1, 1, 1, dtype=torch.float64), torch.zeros(1, 1, dtype=torch.float64))
    start = torch.full((1, 1), 0.1, dtype=torch.float64)
    settings = BatchedSettings(max_solves=1, largest_damping=1e4, damping=1e4)  # ends far from the minimum
    w, report = solve(PointwiseProblem(terms, Circle(), rows=rows), start, settings=settings)
    assert report.minimum.status == ("limit",)
    assert report.gauss_newton.tolist() == [True]
    with pytest.warns(UserWarning, match="Hessian of 1 of 1 items is not positive definite"):
        w.sum().backward()
    assert bool(terms.grad.isfinite().all())


def test_dependent_basis_functions_are_refused_by_item() -> None:
    terms, a, b, c, d, k = tensors(0)
    for tensor in (terms, a):
        tensor[1, ..., 2] = 2 * tensor[1, ..., 0] - tensor[1, ..., 3]
    with pytest.raises(SingularSystemError, match=r"item 1 .*: 3 of 4 columns of its Jacobian are independent"):
        solve(PointwiseProblem(terms, Transport(), (k,), rows=(a, b)))
    w, _ = solve(problem_of(terms.requires_grad_(), a, b, c, d, k))  # damping chooses one of the minima
    with pytest.raises(SingularSystemError, match="the derivative of the solution of item 1 does not exist"):
        w.sum().backward()


def broken(position: int, change: str) -> list[Tensor]:
    given = tensors(2)
    if change == "nan":
        given[position][1].flatten()[0] = torch.nan
    elif change == "single":
        given[position] = given[position].float()
    else:
        given[position] = given[position][..., :-1]
    return given


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (broken(0, "nan"), "the terms of 1 of 3 items, the first of them item 1, are not finite"),
        (broken(1, "nan"), "the rows of 1 of 3 items, the first of them item 1, are not finite"),
        (broken(4, "nan"), "the constraints of 1 of 3 items"),
        (broken(5, "nan"), "the coefficient 0 of 1 of 3 items"),
        (broken(0, "single"), "the terms are of type torch.float32, expected torch.float64"),
        (broken(1, "short"), "the shape of the matrices of the rows"),
        (broken(2, "short"), "the shape of the matrices of the rows"),
        (broken(5, "short"), "coefficient 0 has shape"),
    ],
)
def test_input_that_does_not_fit_is_refused_with_a_sentence(given: list[Tensor], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        problem_of(*given)


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        (torch.ones(POINTS - 1, dtype=torch.float64), "the shape of the weights of the points"),
        (torch.ones(POINTS), "weights of the points are of type torch.float32, expected torch.float64"),
        (torch.ones(POINTS, dtype=torch.float64, requires_grad=True), "and require gradients, expected"),
        (torch.full((POINTS,), torch.inf, dtype=torch.float64), "negative or not finite"),
        (-torch.ones(ITEMS, POINTS, dtype=torch.float64), "negative or not finite"),
    ],
)
def test_weights_that_would_be_misunderstood_are_refused(weights: Tensor, sentence: str) -> None:
    terms, *_, k = tensors(0)
    with pytest.raises(InputError, match=sentence):
        PointwiseProblem(terms, Reaction(), (k,), weights)


def test_inference_mode_finds_the_same_minima_with_derivatives_by_automatic_differentiation() -> None:
    expected, _ = solve(problem_of(*tensors(1), residual=Unhelped()))
    with torch.inference_mode():
        found, _ = solve(problem_of(*(each.clone() for each in tensors(1)), residual=Unhelped()))
    assert torch.equal(found, expected)


class OnlyFirst(PointwiseResidual):
    """A residual that does not depend on its terms where it is a constant."""

    def value(self, v: Tensor, *coefficients: Tensor) -> Tensor:
        return coefficients[0].expand(v[:, 0].shape)


def test_a_residual_that_does_not_depend_on_its_terms_has_derivatives_of_zero() -> None:
    v, k = normal(ITEMS, 2, POINTS), STEEPNESS
    assert not OnlyFirst().gradient(v, k).any()
    assert not OnlyFirst().gradient(v, k.clone().requires_grad_()).any()
    assert OnlyFirst().curvature(v, k).shape == (ITEMS, 2, 2, POINTS)


def test_constraints_that_follow_from_one_another_are_refused_by_item() -> None:
    terms, a, b, c, d, k = tensors(2)
    c[2, 1] = -3 * c[2, 0]
    with pytest.raises(InputError, match="the 2 equality constraints of item 2 have the rank 1"):
        problem_of(terms, a, b, c, d, k)
    with pytest.raises(InputError, match="4 equality constraints for 4 unknowns"):
        problem_of(terms, a, b, normal(ITEMS, 4, 4), normal(ITEMS, 4), k)


def test_fewer_residuals_than_unknowns_are_refused() -> None:
    terms, _, _, _, _, k = tensors(0)
    with pytest.raises(InputError, match="3 residuals of each item, at 3 points and in rows, determine 4 unknowns"):
        PointwiseProblem(terms[:, :, :3], Reaction(), (k,))
    c, d = normal(ITEMS, 1, 4), normal(ITEMS, 1)
    PointwiseProblem(terms[:, :, :3], Reaction(), (k,), constraints=(c, d))  # one is fixed


def coupled(*given: Tensor) -> PointwiseProblem:
    """Items of two members each, which share rows and a constraint."""
    terms, a, b, k, matrix, level, c, d = given
    return PointwiseProblem(terms, Reaction(), (k,), None, (a, b), (c, d), 2, (matrix, level))


def coupled_tensors() -> list[Tensor]:
    terms, a, b = normal(4, 2, POINTS, UNKNOWNS), normal(4, 5, UNKNOWNS), 0.5 + 0.3 * normal(4, 5)
    k = torch.tensor([[0.1], [0.2], [1.0], [2.0]], dtype=torch.float64)
    return [terms, a, b, k, normal(2, 3, 8), normal(2, 3), normal(2, 1, 8), 0.1 * normal(2, 1)]


def test_gradients_of_coupled_members_are_those_of_differences() -> None:
    arguments = [each.requires_grad_() for each in coupled_tensors()]
    _, report = solve(coupled(*arguments))
    assert report.minimum.status == ("converged",) * 2
    assert torch.autograd.gradcheck(
        lambda *given: solve(coupled(*given))[0], arguments, eps=1e-6, atol=1e-6, rtol=1e-4, fast_mode=True
    )


def test_coupled_members_solve_the_problem_of_one_member_with_all_unknowns() -> None:
    terms, a, b, k, matrix, level, c, d = coupled_tensors()
    wide = torch.zeros(2, 2, 2 * POINTS, 8, dtype=torch.float64)  # the terms of both, each in its own columns
    rows = torch.zeros(2, 13, 8, dtype=torch.float64)
    for member in range(4):
        item, side = divmod(member, 2)
        wide[item, :, side * POINTS : (side + 1) * POINTS, 4 * side : 4 * side + 4] = terms[member]
        rows[item, 5 * side : 5 * side + 5, 4 * side : 4 * side + 4] = a[member]
    rows[:, 10:] = matrix
    right = torch.cat([b.view(2, 10), level], 1)
    at_points = k.repeat_interleave(POINTS, 1).view(2, 2 * POINTS)
    one = solve(PointwiseProblem(wide, Reaction(), (at_points,), rows=(rows, right), constraints=(c, d)))
    two = solve(coupled(terms, a, b, k, matrix, level, c, d))
    torch.testing.assert_close(one[0], two[0], rtol=1e-10, atol=1e-11)
    torch.testing.assert_close(one[1].minimum.cost, two[1].minimum.cost, rtol=1e-12, atol=0)


def test_members_without_couplings_are_those_on_their_own() -> None:
    terms, a, b, k, *_ = coupled_tensors()
    alone = solve(PointwiseProblem(terms, Reaction(), (k,), rows=(a, b)))[0]
    together = solve(PointwiseProblem(terms, Reaction(), (k,), rows=(a, b), group=2))[0]
    torch.testing.assert_close(together.view(4, UNKNOWNS), alone, rtol=1e-10, atol=1e-11)


def test_groups_that_do_not_divide_the_members_are_refused() -> None:
    terms, *_, k = tensors(0)
    with pytest.raises(InputError, match="3 members in groups of 2, expected a multiple"):
        PointwiseProblem(terms, Reaction(), (k,), group=2)
