"""The error of an implicit gradient: in proportion to the tolerances, below its bound, with memory for no iteration."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch.autograd import grad

from sciml.errors import InputError
from sciml.numerics.implicit import GMRES, ConjugateGradients, Dense, Given, fixed_point, linear_system, root
from sciml.numerics.implicit.bounds import norm_bound

ITEMS, UNKNOWNS = 4, 12
TOLERANCES = (1e-3, 1e-5, 1e-7, 1e-9)


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    drawn = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return drawn.requires_grad_()


def product(x, m):
    return (m @ x[..., None])[..., 0]


def contraction(x, m, b):
    return product(x, m) + b


def picard(m, b, rtol):
    x = torch.zeros_like(b)
    while True:
        new = contraction(x, m, b)
        if (new - x).norm() <= rtol * b.norm():
            return new
        x = new


def contracting(gamma, items=ITEMS):
    """Matrices whose largest singular value is gamma."""
    drawn = draw(items, UNKNOWNS, UNKNOWNS)
    return (gamma * drawn / torch.linalg.matrix_norm(drawn, 2)[:, None, None]).detach().requires_grad_()


def item_error(found, exact):
    pairs = zip(found, exact, strict=True)
    return torch.stack([(one - other).flatten(1).norm(dim=1) for one, other in pairs]).norm(dim=0)


@pytest.mark.parametrize("gamma", [0.5, 0.9])
@pytest.mark.parametrize("adjoint", [lambda rtol: Dense(), lambda rtol: GMRES(rtol=rtol)], ids=["dense", "gmres"])
def test_gradient_errors_of_a_contraction_follow_the_tolerance_below_their_bound(gamma, adjoint):
    """Banach: |(I - M)^-1| <= 1 / (1 - gamma)."""
    m, b, cotangent = contracting(gamma), draw(ITEMS, UNKNOWNS, seed=1), draw(ITEMS, UNKNOWNS, seed=2).detach()
    solved = torch.linalg.solve(torch.eye(UNKNOWNS) - m, b)
    exact = grad(solved, (m, b), cotangent)
    largest = []
    for rtol in TOLERANCES:
        x, report = fixed_point(
            contraction, lambda m, b, rtol=rtol: picard(m, b, rtol), m, b, adjoint=adjoint(rtol), batch=1
        )
        error = item_error(grad(x, (m, b), cotangent), exact)
        bound = report.gradient_bound(1 / (1 - gamma))
        assert bound.shape == (ITEMS,)
        assert (error <= bound).all() and (bound <= 1000 * error).all()
        assert (error <= report.gradient_bound()).all()  # with an estimate of the inverse
        assert ((x - solved).norm(dim=1) <= report.solution_bound(1 / (1 - gamma))).all()
        largest.append(float(error.max()))
    for before, after in itertools.pairwise(largest):  # 100 times less tolerance, 100 times less error
        assert 1e-3 < after / before < 1e-1


@pytest.mark.parametrize(
    "adjoint", [lambda rtol: Dense(), lambda rtol: ConjugateGradients(rtol=rtol)], ids=["dense", "cg"]
)
def test_gradient_errors_of_a_definite_system_stay_below_their_bound(adjoint):
    """A = diag(1 .. n) + K K^T with K as parameter, solved by conjugate gradients; |A^-1| <= 1 / lambda_min."""
    k, b = (0.3 * draw(ITEMS, UNKNOWNS, 2)).detach().requires_grad_(), draw(ITEMS, UNKNOWNS, seed=1)
    cotangent = draw(ITEMS, UNKNOWNS, seed=2).detach()
    diagonal = torch.arange(1.0, UNKNOWNS + 1, dtype=torch.float64)
    matrix = torch.diag(diagonal) + k @ k.mT
    smallest = torch.linalg.eigvalsh(matrix.detach())[:, 0]
    exact = grad(torch.linalg.solve(matrix, b), (b, k), cotangent)
    errors = []
    for rtol in TOLERANCES:
        x, report = linear_system(
            lambda x, k: diagonal * x + product(product(x, k.mT), k),
            lambda b, k, rtol=rtol: (
                torch.linalg.solve(matrix.detach(), b) + rtol * draw(ITEMS, UNKNOWNS, seed=3).detach()
            ),
            b,
            k,
            adjoint=adjoint(rtol),
            batch=1,
        )
        error = item_error(grad(x, (b, k), cotangent), exact)
        assert (error <= report.gradient_bound(1 / smallest)).all() and (error <= report.gradient_bound()).all()
        errors.append(float(error.max()))
    assert errors[-1] < 1e-5 * errors[0]


def test_the_bound_of_a_nonlinear_root_holds_for_small_residuals():
    p, cotangent = (draw(ITEMS, UNKNOWNS) ** 2 + 1).detach().requires_grad_(), draw(ITEMS, UNKNOWNS, seed=1).detach()
    exact = (cotangent / (3 * p ** (2 / 3)),)
    for distance in TOLERANCES:
        x, report = root(lambda x, p: x**3 - p, lambda p, d=distance: p ** (1 / 3) + d, p, adjoint=Dense(), batch=1)
        error, bound = item_error(grad(x, (p,), cotangent), exact), report.gradient_bound()
        assert (error <= bound).all() and (bound <= 300 * error).all()


def test_items_that_share_an_argument_have_one_bound():
    m, b = contracting(0.5, items=1)[0].detach().requires_grad_(), draw(ITEMS, UNKNOWNS, seed=1)
    cotangent = draw(ITEMS, UNKNOWNS, seed=2).detach()
    exact = grad(torch.linalg.solve(torch.eye(UNKNOWNS) - m, b[..., None])[..., 0], (m, b), cotangent)
    x, report = fixed_point(contraction, lambda m, b: picard(m, b, 1e-4), m, b, adjoint=Dense(), batch=1)
    found = grad(x, (m, b), cotangent)
    error = torch.cat([(one - other).flatten() for one, other in zip(found, exact, strict=True)]).norm()
    for bound in (
        report.gradient_bound(2.0),
        report.gradient_bound(torch.full((ITEMS,), 2.0)),
        report.gradient_bound(),
    ):
        assert bound.shape == () and error <= bound <= 1000 * error


def test_arguments_as_long_as_the_batch_count_as_shared_if_the_condition_shares_them():
    """A matrix over the unknowns of every item, with as many items as unknowns."""
    size = 5
    exact_bias, cotangent = draw(size, size, seed=1), draw(size, size, seed=2).detach()

    def solve(m, b, shared):
        matrix = torch.eye(size) - (m if shared else torch.diag_embed(m))
        return torch.linalg.solve(matrix.detach(), b[..., None])[..., 0] + 1e-5 * draw(size, size, seed=3).detach()

    for seed in range(20):
        m = (0.15 * draw(size, size, seed=seed)).detach().requires_grad_()
        for shared in (True, False):
            x, report = fixed_point(
                lambda x, m, b, shared=shared: (product(x, m) if shared else m * x) + b,
                lambda m, b, shared=shared: solve(m, b, shared),
                m,
                exact_bias,
                adjoint=Dense(),
                batch=1,
            )
            found = grad(x, (m, exact_bias), cotangent)
            matrix = torch.eye(size) - (m if shared else torch.diag_embed(m))
            exact = grad(torch.linalg.solve(matrix, exact_bias[..., None])[..., 0], (m, exact_bias), cotangent)
            error, bound = item_error(found, exact), report.gradient_bound()
            assert bound.shape == (() if shared else (size,))
            assert ((error.norm() if shared else error) <= bound).all()


@pytest.mark.parametrize("other", [1, 31, 32, 64, 1055])
def test_two_items_among_many_that_share_an_argument_are_found(other):
    """Item 0 reads the number of another item as well, at first through its solution, then by itself."""
    p = torch.linspace(1, 2, 1056, dtype=torch.float64)[:, None].requires_grad_()
    mask = torch.zeros_like(p).index_fill(0, torch.tensor([0]), 1.0).detach()
    for condition in (
        lambda x, p: x - p - 0.1 * mask * p[other] * (x - x.detach()),
        lambda x, p: x - p - mask * (p[other] - p[other].detach()),
    ):
        x, report = root(condition, lambda p: p + 1e-6, p, batch=1)
        x.sum().backward()
        assert report.gradient_bound(2.0).shape == ()
    x, report = root(lambda x, p: x - p, lambda p: p + 1e-6, p, batch=1)
    x.sum().backward()
    assert report.gradient_bound(2.0).shape == (1056,)


def test_the_bound_of_the_solution_needs_no_gradient_and_is_of_each_item():
    """Square roots too large by a millionth, of items that share their argument."""
    p = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    factors = torch.tensor([[1.0], [4.0], [9.0]], dtype=torch.float64)
    x, report = root(
        lambda x, p: x**2 - factors * p, lambda p: (factors * p).sqrt() + 1e-6, p, adjoint=Dense(), batch=1
    )
    for bound in (report.solution_bound(), report.solution_bound(1 / (2 * x.detach()[:, 0]))):
        assert bound.shape == (3,)
        assert (bound >= 0.999e-6).all() and (bound <= 2.4e-6).all()
    with pytest.raises(InputError, match="one for each item"):
        report.solution_bound(torch.ones(2))


def test_a_gradient_from_wrong_factors_is_found_out_by_its_bound():
    m, b = contracting(0.5), draw(ITEMS, UNKNOWNS, seed=1)
    wrong = Given(lambda right: right, rtol=None)  # the identity in place of the inverse
    x, report = fixed_point(contraction, lambda m, b: picard(m, b, 1e-12), m, b, adjoint=wrong, batch=1)
    cotangent = draw(ITEMS, UNKNOWNS, seed=2).detach()
    exact = grad(torch.linalg.solve(torch.eye(UNKNOWNS) - m, b), (m, b), cotangent)
    error = item_error(grad(x, (m, b), cotangent), exact)
    assert (error > 0.1).all() and (error <= report.gradient_bound(2.0)).all()
    assert (report.adjoint.residual > 0.1 * report.adjoint.scale).all()


def test_norms_are_bounded_from_above_by_little_more_than_they_are():
    for seed in range(20):
        m = draw(3, 40, 40, seed=seed).detach()
        bound = norm_bound(lambda v, m=m: product(product(v, m.mT), m), m[..., 0], 1, 32)
        ratio = bound / torch.linalg.matrix_norm(m, 2)
        assert (ratio >= 1).all() and (ratio <= 1.8).all()
    assert norm_bound(torch.zeros_like, m[..., 0], 1, 32).tolist() == [0.0, 0.0, 0.0]


def test_bounds_without_a_gradient_or_of_changed_arguments_are_refused():
    p = (draw(3).detach() + 3).requires_grad_()
    x, report = root(lambda x, p: x**2 - p, torch.sqrt, p)
    with pytest.raises(InputError, match="no gradient has been computed"):
        report.gradient_bound()
    x.sum().backward()
    with pytest.raises(InputError, match="inverse_norm is -1"):
        report.gradient_bound(-1.0)
    with torch.no_grad():
        p += 1.0
    with pytest.raises(InputError, match="changed in place"):
        report.gradient_bound()
    assert "adjoint solve" in repr(report)


# Memory, on a graph with 64 nodes of degree 5 and 8 heads.
NODES, DEGREE, HEADS = 64, 5, 8


def head(x, w, b, source, target):
    return b + torch.zeros_like(x).index_add(0, target, 0.5 / DEGREE * w * x[source])


def iterated(w, b, source, target, rtol):
    x, count = torch.zeros_like(b), 0
    while True:
        new, count = head(x, w, b, source, target), count + 1
        if (new - x).detach().norm() <= rtol * b.detach().norm():
            return new, count
        x = new


def saved_bytes(function):
    """Return the bytes that autograd keeps, each storage once, and what the function returns."""
    sizes = {}

    def pack(tensor):
        sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes(), tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = function()
    return sum(size for size, _ in sizes.values()), result


def test_memory_is_constant_in_the_iterations_and_a_fifth_of_that_of_the_unrolled_solver():
    indices = torch.randint(NODES, (NODES * DEGREE,), generator=torch.Generator().manual_seed(0))
    target = torch.arange(NODES).repeat_interleave(DEGREE)
    w, b = (
        torch.rand(NODES * DEGREE, HEADS, dtype=torch.float64, generator=torch.Generator().manual_seed(1)),
        draw(NODES, HEADS),
    )
    w.requires_grad_()

    def mapping(x, w, b):
        return head(x, w, b, indices, target)

    def solved(rtol):
        return fixed_point(mapping, lambda w, b: iterated(w, b, indices, target, rtol), w, b)

    kept, counts = [], []
    for rtol in (1e-3, 1e-6, 1e-12):
        size, (x, report) = saved_bytes(lambda rtol=rtol: solved(rtol))
        kept.append(size)
        counts.append(report.info)
    assert counts[2] > 2 * counts[0] and len(set(kept)) == 1
    implicit = grad((x**2).sum(), (w, b))
    unrolled, (y, _) = saved_bytes(lambda: iterated(w, b, indices, target, 1e-6))
    assert unrolled >= 5 * kept[0]
    for one, other in zip(implicit, grad((y**2).sum(), (w, b)), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
