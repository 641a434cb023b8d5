"""Jacobians of residuals: dense, in chunks and as products, beside automatic differentiation of the whole."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.func import jacrev

from sciml.errors import InputError
from sciml.numerics import linearisation
from sciml.numerics.linearisation import Residuals, ResidualSystem
from sciml.numerics.random import generator

COLUMNS = 6


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=generator(seed, *shape))


def curve(weights: Tensor, points: Tensor, target: Tensor) -> Tensor:
    """Two residuals a point."""
    value = torch.tanh(points * weights[:2]) @ weights[2:4]
    return torch.stack([value - target[:, 0], torch.sin(value) * weights[4] + weights[5] ** 2], 1)


def ends(weights: Tensor, points: Tensor) -> Tensor:
    """One residual a point, without an axis of channels."""
    return weights[0] * points[:, 0] ** 2 - weights[3] * weights[1]


def differences(weights: Tensor) -> Tensor:
    """Residuals that are about no points."""
    return weights[1:] ** 2 - weights[:-1]


def groups(points: int = 9, boundary: int = 3) -> list[Residuals]:
    return [
        Residuals("equation", curve, (normal(points, 2), normal(points, 1, seed=1)), 2.0),
        Residuals("boundary", ends, (normal(boundary, 2, seed=2),), 0.01),
        Residuals("smooth", differences, weight=0.3, pointwise=False),
    ]


def stacked(system: ResidualSystem, weights: Tensor) -> Tensor:
    """The definition: the sum of squares is the sum of weighted means."""
    parts = []
    for group in system.groups:
        values = group.function(weights, *group.data)
        parts.append((group.weight / len(values)) ** 0.5 * values.flatten())
    return torch.cat(parts)


@given(points=st.integers(1, 12), boundary=st.integers(1, 5), chunk=st.integers(1, 2000), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_chunks_of_any_size_make_up_the_jacobian_of_the_whole(
    points: int, boundary: int, chunk: int, seed: int
) -> None:
    system, weights = ResidualSystem(groups(points, boundary), COLUMNS), normal(COLUMNS, seed=seed)
    expected = jacrev(lambda vector: stacked(system, vector))(weights)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linearisation, "CHUNK_BYTES", chunk)
        blocks = list(system.jacobian_chunks(weights))
    torch.testing.assert_close(torch.cat(blocks), expected, rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(system.residual(weights), stacked(system, weights))
    assert system.rows == len(expected) == 2 * points + boundary + COLUMNS - 1
    # Never more than asked for, but for one point, which may have two rows.
    assert max(len(block) for block in blocks) <= max(2, chunk // (8 * COLUMNS))


def test_products_are_those_with_the_jacobian_and_its_transpose() -> None:
    system, weights = ResidualSystem(groups(), COLUMNS), normal(COLUMNS, seed=3)
    jacobian = torch.cat(list(system.jacobian_chunks(weights)))
    forward, transposed = system.products(weights)
    right, left = normal(COLUMNS, seed=4), normal(len(jacobian), seed=5)
    torch.testing.assert_close(forward(right), jacobian @ right, rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(transposed(left), jacobian.T @ left, rtol=1e-12, atol=1e-13)
    assert float(forward(right) @ left) == pytest.approx(float(right @ transposed(left)), rel=1e-12)


def test_chosen_columns_are_those_of_the_whole() -> None:
    system, weights = ResidualSystem(groups(), COLUMNS), normal(COLUMNS, seed=3)
    chosen = torch.tensor([1, 4, 5])
    part, whole = (torch.cat(list(system.jacobian_chunks(weights, columns))) for columns in (chosen, None))
    assert torch.equal(part, whole[:, chosen])


def test_pointwise_or_not_the_jacobian_is_the_same() -> None:
    data, weights = (normal(8, 2), normal(8, 1, seed=1)), normal(COLUMNS, seed=3)
    one, other = (
        torch.cat(list(ResidualSystem([Residuals("r", curve, data, 1.5, flag)], COLUMNS).jacobian_chunks(weights)))
        for flag in (True, False)
    )
    torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-14)


def test_residuals_with_input_derivatives_have_exact_jacobians() -> None:
    """A Jacobian of derivatives: the third derivative of the network enters."""

    def slope(weights: Tensor, points: Tensor) -> Tensor:
        def value(x: Tensor) -> Tensor:
            return weights[0] * torch.sin(weights[1] * x).sum()

        return torch.func.vmap(torch.func.grad(value))(points)

    weights, points = torch.tensor([0.7, 1.3], dtype=torch.float64), normal(5, 1)
    jacobian = torch.cat(list(ResidualSystem([Residuals("slope", slope, (points,))], 2).jacobian_chunks(weights)))
    phase = weights[1] * points[:, 0]
    by_weight = weights[1] * torch.cos(phase)
    by_frequency = weights[0] * (torch.cos(phase) - phase * torch.sin(phase))
    torch.testing.assert_close(jacobian, torch.stack([by_weight, by_frequency], 1) / 5**0.5)


def test_losses_are_weighted_means_and_add_up_to_the_sum_of_squares() -> None:
    system, weights = ResidualSystem(groups(), COLUMNS), normal(COLUMNS, seed=3)
    losses = system.losses(weights)
    assert list(losses) == ["equation", "boundary", "smooth"]
    residuals = ends(weights, normal(3, 2, seed=2))
    assert losses["boundary"] == pytest.approx(0.01 * float(residuals.square().mean()))
    assert sum(losses.values()) == pytest.approx(float(system.residual(weights).square().sum()))
    assert float(system.groups[1].loss(weights)) == losses["boundary"]


def test_a_weight_scales_as_its_square_root_scales_the_residuals() -> None:
    points, weights = (normal(7, 2),), normal(COLUMNS, seed=3)
    weighted = ResidualSystem([Residuals("ends", ends, points, 9.0)], COLUMNS)
    tripled = ResidualSystem([Residuals("ends", lambda w, x: 3 * ends(w, x), points)], COLUMNS)
    torch.testing.assert_close(weighted.residual(weights), tripled.residual(weights))
    torch.testing.assert_close(*(torch.cat(list(s.jacobian_chunks(weights))) for s in (weighted, tripled)))


def test_results_have_no_graph() -> None:
    system, weights = ResidualSystem(groups(), COLUMNS), normal(COLUMNS, seed=3).requires_grad_()
    assert not system.residual(weights).requires_grad
    assert not any(block.requires_grad for block in system.jacobian_chunks(weights))


def test_a_single_number_is_a_residual_too() -> None:
    system = ResidualSystem([Residuals("norm", lambda w: w.square().sum() - 1, pointwise=False)], 3)
    weights = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    assert system.residual(weights).tolist() == [13.0]
    assert torch.cat(list(system.jacobian_chunks(weights))).tolist() == [[2.0, 4.0, 6.0]]


@pytest.mark.parametrize("weight", [0, -1.0, float("nan"), float("inf"), "1"])
def test_weights_that_are_no_positive_numbers_are_refused(weight: object) -> None:
    with pytest.raises(InputError, match=r"the weight of the residuals 'wall' is .*, expected a positive number"):
        Residuals("wall", ends, (normal(3, 2),), weight)


def test_data_and_groups_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(InputError, match=r"the data of the residuals 'r' have \[3, 4\] rows, expected the same"):
        Residuals("r", curve, (normal(3, 2), normal(4, 1)))
    with pytest.raises(InputError, match=r"the data of the residuals 'r' have \[0\] rows"):
        Residuals("r", ends, (torch.zeros(0, 2),))
    with pytest.raises(InputError, match="the data of the residuals 'r' have no rows"):
        Residuals("r", differences)
    with pytest.raises(InputError, match="there are no residuals, expected at least one group"):
        ResidualSystem([], 3)
    with pytest.raises(InputError, match="the groups of residuals are called smooth, smooth; give each its own name"):
        ResidualSystem([groups()[2]] * 2, 3)


@pytest.mark.parametrize("at_once", [1, 2, 4, 100])
def test_many_points_are_evaluated_and_multiplied_in_pieces(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    system, weights, longest = ResidualSystem(groups(), COLUMNS), normal(COLUMNS, seed=3), []
    expected, jacobian = stacked(system, weights), torch.cat(list(system.jacobian_chunks(weights)))
    monkeypatch.setattr(linearisation, "POINTS_AT_ONCE", at_once)

    def watched(vector: Tensor, points: Tensor, target: Tensor) -> Tensor:
        longest.append(len(points))
        return curve(vector, points, target)

    given = [Residuals("equation", watched, groups()[0].data, 2.0), *groups()[1:]]
    pieces = ResidualSystem(given, COLUMNS)
    torch.testing.assert_close(pieces.residual(weights), expected, rtol=1e-14, atol=1e-15)
    forward, transposed = pieces.products(weights)
    right, left = normal(COLUMNS, seed=4), normal(len(jacobian), seed=5)
    torch.testing.assert_close(forward(right), jacobian @ right, rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(transposed(left), jacobian.T @ left, rtol=1e-12, atol=1e-13)
    assert max(longest) == min(at_once, 9)
