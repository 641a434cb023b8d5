"""Velocities without divergence: those of a solver are, random ones become it, by the shortest way."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sciml.errors import ConfigError
from sciml.mesh import Grid
from sciml.reference.incompressible_stable_fluids import GridFlow, StableFluids
from sciml.text2pde.constraints import TrajectoryConstraints
from sciml.text2pde.divergence import DivergenceFree

CELLS = 24
GRID = Grid((CELLS, CELLS), (-1.0, -1.0), (1.0, 1.0), centring="cell")


def solver_velocity() -> np.ndarray:
    """Return a flow without divergence at the centres of the cells, of a solver on a staggered grid."""
    random = np.random.default_rng(0)
    faces = random.standard_normal((CELLS + 1, CELLS)), random.standard_normal((CELLS, CELLS + 1))
    flow = StableFluids(CELLS).project(GridFlow(*faces))
    return np.stack([(flow.along[1:] + flow.along[:-1]) / 2, (flow.across[:, 1:] + flow.across[:, :-1]) / 2])


def test_the_flow_of_a_solver_has_no_divergence_and_is_left_alone() -> None:
    velocity, projection = solver_velocity(), DivergenceFree(GRID)
    assert np.abs(projection.divergence(velocity)).max() < 1e-10
    np.testing.assert_allclose(projection(velocity), velocity, atol=1e-11)


def test_projections_are_orthogonal_and_idempotent() -> None:
    random, projection = np.random.default_rng(1).standard_normal((3, 2, CELLS, CELLS)), DivergenceFree(GRID)
    found = projection(random)
    assert np.abs(projection.divergence(found)).max() < 1e-10 < np.abs(projection.divergence(random)).max()
    np.testing.assert_allclose(projection(found), found, atol=1e-11)
    inside = projection(np.random.default_rng(2).standard_normal((3, 2, CELLS, CELLS)))
    assert np.abs(np.sum((random - found) * inside, axis=(1, 2, 3))).max() < 1e-10  # the shortest way


def test_it_is_the_divergence_of_smooth_flows_in_boxes_of_any_size_in_two_and_three_dimensions() -> None:
    for dim in (2, 3):
        errors = []
        for cells in (16, 32):
            grid = Grid((cells,) * dim, (0.0,) * dim, (2.0, 1.0, 3.0)[:dim], centring="cell")
            x = np.moveaxis(grid.coordinates(), -1, 0)
            waves = [np.pi / side for side in grid.upper]
            velocity = np.stack(
                [
                    np.sin(waves[own] * x[own]) * np.prod([np.cos(waves[k] * x[k]) for k in range(dim) if k != own], 0)
                    for own in range(dim)
                ]
            )
            exact = sum(waves) * np.prod([np.cos(wave * each) for wave, each in zip(waves, x, strict=True)], 0)
            errors.append(np.abs(DivergenceFree(grid).divergence(velocity) - exact).max())
        assert np.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.1)  # second order, as on a staggered grid


@pytest.mark.parametrize(
    ("options", "words"), [({"centring": "vertex"}, "one of vertices"), ({"periodic": True}, "periodic")]
)
def test_grids_without_walls_between_cells_are_refused(options: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        DivergenceFree(Grid((8, 8), **{"centring": "cell", **options}))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_constraints_leave_what_they_are_given(dtype) -> None:
    found = torch.from_numpy(np.random.default_rng(3).standard_normal((2, 3, 4, CELLS, CELLS))).to(dtype)
    given = found.clone()
    moved = TrajectoryConstraints(["u", "v", "smoke"], True, ["u", "v"])(found, torch.zeros(2, 3, CELLS, CELLS), GRID)
    assert not moved[:, :, 0].any() and np.abs(moved[:, :2] - found[:, :2].numpy()).max() > 0.1
    assert torch.equal(found, given)
