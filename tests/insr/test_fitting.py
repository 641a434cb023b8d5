"""One fit: which points it sees, and how least squares and the published Adam end."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from sciml.domains import Box, MeshDomain
from sciml.errors import InputError
from sciml.insr.fitting import AdamFit, Fit, FitPoints, LeastSquaresFit, Sample
from sciml.mesh import Mesh
from sciml.numerics.least_squares import LevenbergMarquardt, Residuals
from sciml.numerics.random import generator

SQUARE = Box([-1.0, 0.0], [1.0, 3.0])
RING = Box([0.0], [1.0], True)
TRIANGLE = MeshDomain(Mesh([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], {"triangle": [[0, 1, 2]]}))


def line(start: tuple[float, float] = (0.0, 0.0), noise: float = 0.0) -> Fit:
    """Find ``a + b x`` that is ``1 + 2 x``, but for something that no line follows."""

    def residual(weights: Tensor, points: Tensor) -> Tensor:
        x = points[:, :1]
        return weights[0] + weights[1] * x - (1 + 2 * x + noise * torch.cos(9 * x))

    return Fit(
        "u",
        torch.tensor(start, dtype=torch.float64),
        lambda sample: [Residuals("equation", residual, (sample.interior,))],
    )


def drawing(domain: Box = RING, count: int = 16) -> tuple[Callable[[int, Tensor], Sample], list[tuple[int, Tensor]]]:
    """Points by their number, and a list of what was asked for."""
    asked: list[tuple[int, Tensor]] = []

    def draw(number: int, weights: Tensor) -> Sample:
        asked.append((number, weights.clone()))
        return FitPoints(count).sample(domain, generator(0, number))

    return draw, asked


# ---------------------------------------------------------------------------------------------------------------------
# Points


@pytest.mark.parametrize("kind", ["uniform", "stratified", "shifted"])
@pytest.mark.parametrize("adaptive", [0.0, 0.25, 1.0])
def test_as_many_points_are_drawn_as_asked_for_and_all_lie_inside(kind: str, adaptive: float) -> None:
    count = 144 if adaptive == 0.25 else 100  # 100 or 108 points of a lattice, which is what "stratified" needs
    fit = line()
    sample = FitPoints(count, kind, adaptive=adaptive).sample(SQUARE, generator(1), fit)
    lattice = round((count * (1 - adaptive)) ** 0.5) ** 2 if kind == "stratified" else round(count * (1 - adaptive))
    assert len(sample.interior) == lattice + round(count * adaptive)
    assert bool(SQUARE.contains(sample.interior).all())


def test_there_are_ten_points_or_one_per_cent_on_the_boundary_unless_said_otherwise() -> None:
    assert len(FitPoints(300).sample(SQUARE, generator(0)).boundary.points) == 10
    assert len(FitPoints(2500).sample(SQUARE, generator(0)).boundary.points) == 25
    assert len(FitPoints(300, boundary=40).sample(SQUARE, generator(0)).boundary.points) == 40
    assert len(FitPoints(300, boundary=7).sample(TRIANGLE, generator(0)).boundary.points) == 7
    assert FitPoints(300).sample(RING, generator(0)).boundary is None


def test_only_boxes_that_are_periodic_along_every_axis_have_no_boundary() -> None:
    assert not RING.has_boundary
    assert SQUARE.has_boundary
    assert TRIANGLE.has_boundary
    assert Box([0.0, 0.0], [1.0, 1.0], [True, False]).has_boundary


def test_points_are_those_of_the_generator() -> None:
    points, fit = FitPoints(64, adaptive=0.5), line()
    first, again, other = (points.sample(SQUARE, generator(seed), fit) for seed in (3, 3, 4))
    assert torch.equal(first.interior, again.interior) and torch.equal(first.boundary.points, again.boundary.points)
    assert not torch.equal(first.interior, other.interior)


def test_adaptive_points_go_where_the_residual_is_large() -> None:
    def residual(weights: Tensor, points: Tensor) -> Tensor:
        return weights * (points[:, :1] > 0.9)  # wrong in a tenth of the interval

    fit = Fit("u", torch.ones(1).double(), lambda sample: [Residuals("equation", residual, (sample.interior,))])
    share = {}
    for adaptive in (0.0, 1.0):
        points = FitPoints(2000, "uniform", adaptive=adaptive).sample(Box([0.0], [1.0]), generator(0), fit).interior
        share[adaptive] = float((points > 0.9).double().mean())
    assert share[0.0] == pytest.approx(0.1, abs=0.02)
    # Density 1.1 in that tenth and 0.1 elsewhere, drawn from four times as many candidates: at most all of them there.
    assert share[1.0] > 0.3
    right = Fit("u", torch.zeros(1).double(), fit.residuals)  # no residual anywhere: evenly spread
    points = FitPoints(2000, adaptive=1.0).sample(Box([0.0], [1.0]), generator(0), right).interior
    assert float((points > 0.9).double().mean()) == pytest.approx(0.1, abs=0.03)


def test_without_a_fit_to_guide_them_no_points_are_adaptive() -> None:
    one, other = (FitPoints(50, adaptive=share).sample(SQUARE, generator(0)).interior for share in (0.0, 0.7))
    assert torch.equal(one, other)


def test_proposals_find_what_random_points_miss_and_are_moved_inside() -> None:
    box = Box([-100.0], [100.0])

    def residual(weights: Tensor, points: Tensor) -> Tensor:
        return weights * torch.exp(-(points**2) / 2e-4)

    def near(count: int, draws: torch.Generator) -> Tensor:
        return 0.01 * torch.randn(count, 1, generator=draws)

    def outside(count: int, draws: torch.Generator) -> Tensor:
        return torch.full((count, 1), 1e3)

    fit = Fit("u", torch.ones(1).double(), lambda sample: [Residuals("equation", residual, (sample.interior,))])
    points = FitPoints(500, adaptive=0.5)
    blind = points.sample(box, generator(0), fit).interior
    led = points.sample(box, generator(0), fit, [near, outside]).interior
    assert int((blind.abs() < 0.03).sum()) <= 2
    assert int((led.abs() < 0.03).sum()) > 150
    assert led.dtype == torch.float64 and bool(box.contains(led).all())


def test_points_are_moved_onto_boxes_and_left_on_meshes() -> None:
    points = torch.tensor([[2.0, 1.0]], dtype=torch.float64)
    assert SQUARE.wrap(points).tolist() == [[1.0, 1.0]]
    assert TRIANGLE.wrap(points) is points
    half = Box([0.0, 0.0], [1.0, 1.0], [True, False])
    assert half.wrap(torch.tensor([[1.25, 1.25]], dtype=torch.float64)).tolist() == [[0.25, 1.0]]


@pytest.mark.parametrize("share", [0.01, 0.5])
def test_adaptive_points_go_to_the_part_of_the_boundary_where_its_condition_is_hurt(share: float) -> None:
    def wall(weights: Tensor, points: Tensor, normals: Tensor) -> Tensor:
        return weights * (normals[:, :1] > 0.5)  # wrong on the right face alone

    def residuals(sample: Sample) -> list[Residuals]:
        equation = Residuals("equation", lambda w, x: 0 * w * x[:, :1], (sample.interior,))
        return [equation, Residuals("boundary", wall, tuple(sample.boundary))]

    fit = Fit("u", torch.ones(1).double(), residuals)
    points, normals = FitPoints(400, "uniform", boundary=100, adaptive=share).sample(SQUARE, generator(0), fit).boundary
    assert len(points) == 100 + 100 * share
    assert bool((normals.abs().sum(1) == 1).all())
    on_face = torch.where(normals > 0, points - torch.tensor(SQUARE.upper), points - torch.tensor(SQUARE.lower))
    assert float((on_face * normals).abs().max()) == 0
    if share == 0.5:
        right = float((normals[100:, 0] > 0.5).double().mean())
        assert right > 1.5 * float((normals[:100, 0] > 0.5).double().mean())


def test_points_of_two_samples_are_joined_and_change_their_precision_together() -> None:
    one, other = (FitPoints(40).sample(SQUARE, generator(seed)) for seed in (0, 1))
    both = one.joined(other).to(torch.float32)
    assert torch.equal(both.interior, torch.cat([one.interior, other.interior]).float())
    assert torch.equal(both.boundary.normals, torch.cat([one.boundary.normals, other.boundary.normals]).float())
    rings = [FitPoints(40).sample(RING, generator(seed)) for seed in (0, 1)]
    assert rings[0].joined(rings[1]).boundary is None


@pytest.mark.parametrize("count", [0, -3, 2.5, True])
def test_counts_that_are_no_positive_whole_numbers_are_refused(count: object) -> None:
    with pytest.raises(InputError, match=r"the count of points is .+, expected a whole number of at least 1"):
        FitPoints(count)


@pytest.mark.parametrize("share", [-0.1, 1.5, math.nan])
def test_adaptive_shares_beyond_0_and_1_are_refused(share: float) -> None:
    with pytest.raises(InputError, match=r"the adaptive share of the points is .+, expected a number from 0 to 1"):
        FitPoints(10, adaptive=share)


def test_adaptive_points_are_refused_where_an_energy_is_minimised() -> None:
    fit = line()
    energy = Fit("u", fit.start, fit.residuals, integral=True)
    with pytest.raises(
        InputError, match="adaptive points would change the energy that is minimised; set adaptive to 0"
    ):
        FitPoints(10, adaptive=0.5).sample(RING, generator(0), energy)


# ---------------------------------------------------------------------------------------------------------------------
# Least squares


def test_least_squares_fits_a_step_on_one_set_of_points() -> None:
    draw, asked = drawing()
    fitted = LeastSquaresFit().fit(line(), draw, generator(0))
    assert fitted.parameters.tolist() == pytest.approx([1.0, 2.0], abs=1e-7)
    assert fitted.status == "converged" and fitted.rms < 1e-8 and fitted.solves <= 3
    assert [number for number, _ in asked] == [0]


def test_a_start_is_fitted_on_new_points_from_the_last_weights_until_nothing_is_left_to_do() -> None:
    draw, asked = drawing()
    fitted = LeastSquaresFit(rounds=5).fit_initial(line(), draw, generator(0))
    assert [number for number, _ in asked] == [0, 1]  # the second set confirms the first
    assert asked[0][1].tolist() == [0.0, 0.0]
    assert asked[1][1].tolist() == pytest.approx([1.0, 2.0], abs=1e-6)
    assert fitted.parameters.tolist() == pytest.approx([1.0, 2.0], abs=1e-7)
    draw, asked = drawing()
    noisy = LeastSquaresFit(rounds=3).fit_initial(line(noise=0.1), draw, generator(0))
    assert [number for number, _ in asked] == [0, 1, 2]
    assert noisy.solves >= 3 and 0.05 < noisy.rms < 0.1


def test_the_settings_of_steps_and_start_are_kept_apart() -> None:
    fitting = LeastSquaresFit(
        step=LevenbergMarquardt(max_solves=1, damping=1e3), initial=LevenbergMarquardt(max_solves=50)
    )
    draw, _ = drawing()
    assert fitting.fit(line(), draw, generator(0)).status == "limit"
    assert fitting.fit_initial(line(), draw, generator(0)).status == "converged"


def test_a_step_is_checked_on_unseen_points_which_join_where_it_fails_there() -> None:
    """A residual that the first points do not see: there, the weights are wrong."""

    def residual(weights: Tensor, points: Tensor) -> Tensor:
        return weights[0] + weights[1] * (points[:, :1] > 0.5) - 1

    fit = Fit("u", torch.tensor([0.0, 5.0]).double(), lambda s: [Residuals("equation", residual, (s.interior,))])
    asked: list[int] = []

    def draw(number: int, weights: Tensor) -> Sample:
        asked.append(number)
        points = torch.linspace(0, 0.4 if number == 0 else 1.0, 9, dtype=torch.float64)
        return Sample(points[:, None])

    blind = LeastSquaresFit().fit(fit, draw, generator(0))
    assert blind.parameters.tolist() == pytest.approx([1.0, 5.0])
    checked = LeastSquaresFit(checks=3).fit(fit, draw, generator(0))
    assert checked.parameters.tolist() == pytest.approx([1.0, 0.0], abs=1e-6)
    assert asked == [0, 0, 1, 2]  # the second check confirms
    assert checked.solves > blind.solves


# ---------------------------------------------------------------------------------------------------------------------
# Adam


def constant(value: float = 1.0) -> Fit:
    """A residual that no weights change."""
    return Fit(
        "u",
        torch.zeros(2).double(),
        lambda sample: [Residuals("equation", lambda w, x: value + 0 * w.sum() * x, (sample.interior,))],
    )


def test_on_a_plateau_the_rate_falls_to_its_smallest_value_and_adam_stops_as_published() -> None:
    """From 1e-4 to 1e-8 in four steps, each after one iteration more than the patience."""
    for patience in (7, 20):
        draw, asked = drawing()
        fitted = AdamFit(patience=patience).fit(constant(), draw, generator(0))
        assert fitted.status == "converged"
        assert fitted.solves == 1 + 4 * (patience + 1) == len(asked)
        assert fitted.rms == pytest.approx(1.0)
        assert [number for number, _ in asked] == list(range(fitted.solves))  # new points in every iteration


def test_adam_steps_are_those_of_torch_and_lead_to_the_minimum() -> None:
    draw, asked = drawing(count=64)
    fit = line()
    fitted = AdamFit(rate=0.05, iterations=600, patience=600).fit(fit, draw, generator(0))
    assert fitted.parameters.tolist() == pytest.approx([1.0, 2.0], abs=1e-2)
    # The first step of Adam has the length of the rate along every axis, whatever the gradient is.
    assert asked[1][1].tolist() == pytest.approx([0.05, 0.05], rel=1e-5)
    assert not fitted.parameters.requires_grad and fit.start.tolist() == [0.0, 0.0]


def test_adam_ends_at_its_iterations_and_its_seconds(ticking_clock: None) -> None:
    draw, _ = drawing()
    assert AdamFit(iterations=9).fit(line(), draw, generator(0)).solves == 9
    hurried = AdamFit(iterations=10**6, patience=10**6, seconds=0.05).fit(line(), draw, generator(0))
    assert hurried.status == "limit" and 4 <= hurried.solves <= 6  # of 0.01 s


def test_adam_reports_a_loss_that_is_not_finite_any_more() -> None:
    draw, _ = drawing()
    fitted = AdamFit().fit(constant(math.inf), draw, generator(0))
    assert fitted.status == "diverged" and fitted.solves == 1 and fitted.rms == math.inf


def test_adam_fits_a_start_as_it_fits_a_step() -> None:
    one, other = (
        method(line(), drawing()[0], generator(0))
        for method in (AdamFit(iterations=20).fit, AdamFit(iterations=20).fit_initial)
    )
    assert torch.equal(one.parameters, other.parameters)


@pytest.mark.parametrize("wrong", [{"rate": 0.0}, {"factor": 1.0}, {"factor": 0.0}, {"iterations": 0}, {"patience": 0}])
def test_settings_of_adam_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=r"(Adam|learning rate) is .+, expected a"):
        AdamFit(**wrong)


def test_a_step_is_fitted_again_where_new_points_see_what_the_first_ones_did_not() -> None:
    """The first points are all on the left; a line and a parabola agree there, and nowhere else."""
    left, whole = (torch.linspace(a, b, 30, dtype=torch.float64)[:, None] for a, b in ((-1e-3, 0.0), (-1.0, 1.0)))

    def residuals(sample: Sample) -> list[Residuals]:
        return [Residuals("fit", lambda w, x: w[0] + w[1] * x + w[2] * x**2 - x, (sample.interior,))]

    fit = Fit("u", torch.tensor([0.0, 0.0, 5.0], dtype=torch.float64), residuals)
    method = LevenbergMarquardt(tolerance=1e-9, max_solves=4, damping=1e-9, smallest_damping=1e-9)

    def draw(number: int, weights: torch.Tensor) -> Sample:
        return Sample(whole if number else left)

    blind = LeastSquaresFit(method).fit(fit, draw, generator(0))
    checked = LeastSquaresFit(method, checks=1).fit(fit, draw, generator(0))
    assert abs(blind.parameters[2]) > 1
    assert torch.allclose(checked.parameters, torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64), atol=1e-7)
    assert checked.solves > blind.solves
