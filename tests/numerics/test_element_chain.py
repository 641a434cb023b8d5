"""Least squares on chains of elements against dense least squares on the assembled matrix."""

import pytest
import torch
from torch import Tensor

from sciml.errors import InputError
from sciml.numerics import element_chain
from sciml.numerics.batched_least_squares import minimise
from sciml.numerics.batched_steps import DenseLinearisation
from sciml.numerics.element_chain import ChainLinearisation, ChainUnknowns
from sciml.numerics.random import generator
from sciml.status import Status


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=generator(seed, *shape))


def chain(items: int, elements: int, interior: int, face: int = 4, ends: tuple[int, int] = (2, 1)):
    """Return unknowns, the rows of each element, and the same rows as one matrix for the whole vector."""
    unknowns = ChainUnknowns(elements, interior, drawn(items, face, ends[0]), drawn(items, face, ends[1], seed=1))
    rows = drawn(items, elements, interior + 2 * face + 5, interior + 2 * face)
    identity = torch.eye(unknowns.count, dtype=torch.float64).repeat(items, 1, 1)
    columns = []
    for column in range(unknowns.count):
        faces, inside = unknowns.expand(identity[:, column])
        local = torch.cat([inside, faces[:, :-1], faces[:, 1:]], 2)
        columns.append((rows @ local[..., None])[..., 0].flatten(1))
    return unknowns, rows, torch.stack(columns, 2)


CASES = [(1, 1, 3), (2, 2, 3), (3, 5, 4), (2, 4, 0)]


@pytest.mark.parametrize(("items", "elements", "interior"), CASES)
@pytest.mark.parametrize("damping", [0.0, 0.3])
def test_steps_gradients_and_scales_are_those_of_the_dense_matrix(items, elements, interior, damping):
    unknowns, rows, matrix = chain(items, elements, interior)
    residual = drawn(*rows.shape[:3])
    sparse = ChainLinearisation(unknowns, residual, lambda part: rows[:, part])
    dense = DenseLinearisation(residual.flatten(1), lambda: matrix)
    dampings = torch.full((items,), damping, dtype=torch.float64) * torch.arange(1, items + 1)
    assert torch.allclose(sparse.cost, dense.cost, rtol=1e-14)
    assert torch.allclose(sparse.gradient, dense.gradient, atol=1e-12)
    assert torch.allclose(sparse.scale, dense.scale, rtol=1e-12)
    assert torch.allclose(sparse.step(dampings), dense.step(dampings), atol=1e-10)


def test_values_at_faces_and_their_gradients_are_adjoint():
    unknowns, _, _ = chain(2, 3, 4)
    w, faces, inside = drawn(2, unknowns.count), drawn(2, 4, 4), drawn(2, 3, 4)
    here, there = unknowns.expand(w)
    forward = (here * faces).sum() + (there * inside).sum()
    assert float(forward) == pytest.approx(float((w * unknowns.restrict(faces, inside)).sum()), rel=1e-13)


def test_a_badly_conditioned_chain_is_solved_where_normal_equations_have_no_digits():
    unknowns, rows, _ = chain(1, 4, 3)
    rows = rows * torch.logspace(0, -9, rows.shape[3], dtype=torch.float64)
    exact = drawn(1, unknowns.count)
    faces, inside = unknowns.expand(exact)
    right = -(rows @ torch.cat([inside, faces[:, :-1], faces[:, 1:]], 2)[..., None])[..., 0]
    found = ChainLinearisation(unknowns, right, lambda part: rows[:, part]).step(torch.zeros(1, dtype=torch.float64))
    assert (found - exact).abs().max() < 1e-4  # condition 1e10; its square has no correct digit


class Squares:
    """Chains of residuals ``rows @ (w + w^3 / 10) - data``, whose minimum is known."""

    def __init__(self, items: int) -> None:
        self.unknowns, self.rows, self.matrix = chain(items, 4, 3, face=2, ends=(1, 1))
        self.truth = 0.5 * drawn(items, self.unknowns.count, seed=2)

    def linearise(self, w: Tensor, items: Tensor) -> ChainLinearisation:
        unknowns, rows = self.unknowns.chosen(items), self.rows[items]

        def local(z: Tensor) -> Tensor:
            faces, inside = unknowns.expand(z)
            return torch.cat([inside, faces[:, :-1], faces[:, 1:]], 2)

        now, right = local(w), local(self.truth[items])
        residual = (rows @ (now + now**3 / 10 - right - right**3 / 10)[..., None])[..., 0]
        return ChainLinearisation(unknowns, residual, lambda part: (rows * (1 + 0.3 * now**2)[:, :, None])[:, part])


def test_nonlinear_chains_converge_together_to_what_each_converges_to_alone():
    problem = Squares(3)
    report = minimise(problem, torch.zeros_like(problem.truth))
    assert report.status == (Status.CONVERGED,) * 3
    assert torch.allclose(report.w, problem.truth, atol=1e-7)
    for item in range(3):
        alone = Squares(3)
        alone.unknowns, alone.rows = problem.unknowns.chosen(torch.tensor([item])), problem.rows[item : item + 1]
        alone.truth = problem.truth[item : item + 1]
        assert torch.allclose(minimise(alone, torch.zeros_like(alone.truth)).w, report.w[item : item + 1], atol=1e-10)


def test_elements_are_factorised_a_few_at_a_time_with_the_same_result(monkeypatch):
    unknowns, rows, _ = chain(2, 5, 3)
    residual, cotangent, asked = drawn(*rows.shape[:3]), drawn(2, unknowns.count), []

    def found(at_once):
        monkeypatch.setattr(element_chain, "AT_ONCE", at_once)
        linearisation = ChainLinearisation(unknowns, residual, lambda part: asked.append(part) or rows[:, part])
        return linearisation.step(torch.zeros(2, dtype=torch.float64)), linearisation.adjoint(cotangent)

    together = found(1 << 30)
    assert len(asked) == 2
    two_elements = 2 * rows[:, 0].numel() * rows.element_size()
    for one, other in zip(found(two_elements), together, strict=True):
        assert torch.allclose(one, other, atol=1e-13)
    assert asked[2:] == [slice(0, 2), slice(2, 4), slice(4, 6)] * 2


def test_too_few_rows_and_ends_of_another_shape_are_refused():
    unknowns, rows, _ = chain(1, 2, 3)
    with pytest.raises(InputError, match="5 residuals for 11 unknowns"):
        ChainLinearisation(unknowns, drawn(1, 2, 5), lambda part: rows[:, part, :5]).step(
            torch.zeros(1, dtype=torch.float64)
        )
    with pytest.raises(InputError, match="last face of a chain has a matrix of shape"):
        ChainUnknowns(2, 3, drawn(1, 4, 2), drawn(1, 3, 2))


@pytest.mark.parametrize(("items", "elements", "interior"), CASES)
def test_the_adjoint_of_the_step_is_its_transpose(items, elements, interior):
    unknowns, rows, _ = chain(items, elements, interior)
    residual, cotangent = drawn(*rows.shape[:3]), drawn(items, unknowns.count, seed=3)
    linearisation = ChainLinearisation(unknowns, residual, lambda part: rows[:, part])
    forward = (linearisation.step(torch.zeros(items, dtype=torch.float64)) * cotangent).sum()
    assert float(forward) == pytest.approx(float((residual * linearisation.adjoint(cotangent)).sum()), rel=1e-9)
