"""The cases on which solvers are measured are what their descriptions say, and depend on nothing but their seed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from sciml.errors import InputError
from sciml.linalg import VoxelPoisson
from sciml.reference.poisson_cases import CASES, CONTRAST, DIRICHLET, SOLID, closed_components, poisson_case

EVERY_CASE = [(name, dimension) for name in CASES for dimension in (2, 3)]


def problem_of(case):
    return VoxelPoisson.from_cells(case.cells, coefficient=case.coefficient, outside=case.outside)


@pytest.mark.parametrize(("name", "dimension"), EVERY_CASE)
def test_a_case_depends_on_its_seed_alone(name: str, dimension: int) -> None:
    np.random.default_rng(0).standard_normal(5)
    first, second = poisson_case(name, 24, 3, dimension), poisson_case(name, 24, 3, dimension)
    assert first.cells.shape == (24,) * dimension
    np.testing.assert_array_equal(first.cells, second.cells)
    np.testing.assert_array_equal(first.right_hand_side(), second.right_hand_side())
    if name == "jumps":
        np.testing.assert_array_equal(first.coefficient, second.coefficient)
    if name in ("mixed", "jumps", "closed"):
        assert (poisson_case(name, 24, 4, dimension).cells != first.cells).any()


@pytest.mark.parametrize(("name", "dimension"), EVERY_CASE)
def test_every_unknown_has_an_equation(name: str, dimension: int) -> None:
    for seed in range(5):
        problem = problem_of(poisson_case(name, 16, seed, dimension))
        assert problem.to_csr().diagonal().min() > 0


@pytest.mark.parametrize("kind", ["white", "smooth"])
@pytest.mark.parametrize(("name", "dimension"), EVERY_CASE)
def test_the_right_hand_side_is_orthogonal_to_the_null_space(name: str, dimension: int, kind: str) -> None:
    case = poisson_case(name, 20, 1, dimension)
    b = case.right_hand_side(kind)
    problem = problem_of(case)
    assert not b[~case.fluid].any()
    assert np.linalg.norm(b) > 0
    labels, count = ndimage.label(case.fluid)
    for label in range(1, count + 1):
        null = np.where(labels == label, 1.0, 0.0)
        if np.abs(problem.matvec(null)).max() == 0:
            assert abs((null * b).sum()) <= 1e-12 * np.abs(b).sum()


def test_the_closed_components_are_those_whose_constants_the_operator_annihilates() -> None:
    cells = np.zeros((9, 8), np.uint8)
    cells[4] = SOLID  # two rooms, one of them beside p = 0
    cells[8, 7] = DIRICHLET
    (room,) = closed_components(cells, {})
    np.testing.assert_array_equal(np.transpose(room), np.argwhere(np.arange(9)[:, None] < np.full((9, 8), 4)))
    assert closed_components(cells, {"x-": "dirichlet"}) == []


def test_the_fluid_of_the_mixed_case_fills_72_percent_of_the_box() -> None:
    shares = [poisson_case("mixed", 32, seed).fluid.mean() for seed in range(100, 110)]
    assert np.mean(shares) == pytest.approx(0.72, abs=0.015)
    cells = poisson_case("mixed", 32, 100).cells
    assert (cells == DIRICHLET).any() and (cells == SOLID).any()


@pytest.mark.parametrize("size", [12, 33, 64])
@pytest.mark.parametrize("dimension", [2, 3])
def test_the_walls_leave_one_connected_fluid_that_a_path_crosses_by_detours(size: int, dimension: int) -> None:
    fluid = poisson_case("walls", size, dimension=dimension).fluid
    assert ndimage.label(fluid)[1] == 1
    blocked = [i for i in range(size) if not fluid[i].all()]
    assert len(blocked) == 5 * max(1, size // 64)
    assert 0.1 < fluid[blocked].mean() < 0.45  # gaps of about a fifth of the height


def test_the_jumps_are_blobs_of_a_coefficient_1000_times_that_around_them() -> None:
    coefficient = poisson_case("jumps", 32, 100).coefficient
    assert set(np.unique(coefficient)) == {1.0, CONTRAST}
    assert 0.25 < (coefficient == CONTRAST).mean() < 0.5
    faces = sum(np.count_nonzero(np.diff(coefficient, axis=axis)) for axis in range(3))
    assert faces < 0.1 * 3 * coefficient.size  # blobs, not noise


def test_the_closed_case_has_more_than_one_closed_component() -> None:
    for seed in range(3):
        case = poisson_case("closed", 16, seed)
        assert len(closed_components(case.cells, case.outside)) >= 2
        assert not problem_of(case).dirichlet.any()


def test_the_smoke_obstacle_has_the_volume_of_its_sphere() -> None:
    solid = poisson_case("smoke", 64).cells == SOLID
    assert solid.mean() == pytest.approx(4 / 3 * np.pi * 0.15**3, rel=0.02)


def test_the_box_has_the_eigenvalues_of_the_sine_transform() -> None:
    matrix = problem_of(poisson_case("box", 12, dimension=2)).to_csr().toarray()
    line = 4 * np.sin(np.pi * np.arange(1, 13) / 26) ** 2
    np.testing.assert_allclose(np.linalg.eigvalsh(matrix), np.sort(np.add.outer(line, line).ravel()), atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("maze", 16), "the Poisson case is 'maze', expected one of"),
        (("box", 11), "per axis is 11, expected a whole number of at least 12"),
        (("box", 16, 0, 1), "the dimension is 1, expected one of 2, 3"),
    ],
)
def test_a_wrong_argument_is_named(arguments, words: str) -> None:
    with pytest.raises(InputError, match=words):
        poisson_case(*arguments)


def test_a_wrong_right_hand_side_is_named() -> None:
    with pytest.raises(InputError, match="white, smooth"):
        poisson_case("box", 12).right_hand_side("pink")
