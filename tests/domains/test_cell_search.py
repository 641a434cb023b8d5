"""Points in the cells of a mesh: as by looking at all cells, with the work of looking at a few."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sciml.domains import MeshDomain
from sciml.domains.cell_search import CellSearch
from sciml.mesh import Mesh, make_mesh

ROUNDING = 1e-11


def by_looking_at_all(corners: np.ndarray, points: np.ndarray, slack: float) -> np.ndarray:
    """Whether points lie in simplices, each point compared with each of them."""
    origin, edges = corners[:, 0], (corners[:, 1:] - corners[:, :1]).transpose(0, 2, 1)
    away = points[:, None] - origin
    shares = np.einsum("mji,nmi->nmj", np.linalg.pinv(edges), away)
    size = np.abs(edges).max(axis=(1, 2))
    beside = np.linalg.norm(away - np.einsum("mij,nmj->nmi", edges, shares), axis=2) / size
    return ((shares >= -slack).all(2) & (shares.sum(2) <= 1 + slack) & (beside <= slack)).any(1)


def graded() -> Mesh:
    """An interval whose cells become 2^40 times smaller."""
    points = np.r_[0.0, 2.0 ** -np.arange(40, -1, -1.0)][:, None]
    return Mesh(points, {"line": np.stack([np.arange(41), np.arange(1, 42)], axis=1)})


def slivers() -> Mesh:
    """Triangles a thousand times longer than wide, far from the origin."""
    x, y = np.meshgrid(np.linspace(0, 1000, 3), np.linspace(0, 10, 21))
    number = np.arange(63).reshape(21, 3)
    lower = [number[:-1, :-1], number[:-1, 1:], number[1:, 1:]]
    upper = [number[:-1, :-1], number[1:, 1:], number[1:, :-1]]
    cells = np.concatenate([np.stack([part.ravel() for part in half], axis=1) for half in (lower, upper)])
    return Mesh(np.stack([x.ravel() + 1e5, y.ravel() - 1e5], axis=1), {"triangle": cells})


MESHES = {
    "disk": make_mesh("disk", 2),
    "l_shape": make_mesh("l_shape", 2),
    "ball": make_mesh("ball", 1),
    "sphere": make_mesh("sphere", 1),
    "graded": graded(),
    "slivers": slivers(),
}


def corners_of(mesh: Mesh) -> np.ndarray:
    name = {1: "line", 2: "triangle", 3: "tetra"}[mesh.topological_dim]
    return mesh.points[mesh.cells[name]]


@pytest.mark.parametrize("name", MESHES)
@pytest.mark.parametrize("slack", [0.0, 1e-9, 1e-6, 0.3])
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_the_answer_is_that_of_looking_at_all_cells(name: str, slack: float, data: st.DataObject) -> None:
    mesh = MESHES[name]
    corners = corners_of(mesh)
    cell = data.draw(st.integers(0, len(corners) - 1))
    share = st.sampled_from([0.0, 1.0, 0.5, -1e-3, 1e-3, -0.5 * slack, -2 * slack]) | st.floats(-2, 2)
    shares = np.array(data.draw(st.lists(share, min_size=corners.shape[1] - 1, max_size=corners.shape[1] - 1)))
    beside = np.zeros((1, mesh.dim))
    beside[0, -1] = data.draw(st.sampled_from([0.0, 1e-7, 0.1]))
    near = corners[cell, 0] + shares @ (corners[cell, 1:] - corners[cell, 0])
    mixed = (corners[:, :1] + 3 * corners[:, 1:2]) / 4
    points = np.concatenate([near[None], near + beside, corners[cell], mesh.points, mixed[:, 0], corners.mean(axis=1)])
    found = CellSearch(corners).contains(points, slack)
    # the sums of a product are rounded in another order
    assert (by_looking_at_all(corners, points, slack - ROUNDING) <= found).all()
    assert (found <= by_looking_at_all(corners, points, slack + ROUNDING)).all()


def test_points_that_are_not_finite_or_far_away_are_outside() -> None:
    search = CellSearch(corners_of(MESHES["disk"]))
    points = np.array([[np.nan, 0.0], [np.inf, 0.0], [0.0, 0.0], [1e300, 0.0], [3.0, 0.0]])
    assert search.contains(points, 1e-9).tolist() == [False, False, True, False, False]
    assert search.contains(points[:0], 1e-9).shape == (0,)


@pytest.mark.parametrize("name", ["disk", "ball", "graded", "slivers"])
def test_a_point_is_compared_with_few_cells_and_the_cells_are_prepared_once(name: str, monkeypatch) -> None:
    prepared, compared = [], []
    pinv, inside = np.linalg.pinv, CellSearch._inside
    monkeypatch.setattr(np.linalg, "pinv", lambda cells: prepared.append(len(cells)) or pinv(cells))
    monkeypatch.setattr(
        CellSearch, "_inside", lambda self, points, *rest: compared.append(len(points)) or inside(self, points, *rest)
    )
    mesh = make_mesh(name, 4 if name == "disk" else 2) if name in ("disk", "ball") else MESHES[name]
    domain = MeshDomain(mesh)
    points = domain.interior(2000, torch.Generator().manual_seed(0))
    for _ in range(3):
        assert domain.contains(points).all()
    assert prepared == [len(corners_of(mesh))]
    assert sum(compared) < 3 * len(points) * {"disk": 8, "ball": 60, "graded": 4, "slivers": 80}[name]


def test_many_pairs_of_points_and_cells_are_compared_in_parts(monkeypatch) -> None:
    parts, inside = [], CellSearch._inside
    monkeypatch.setattr("sciml.domains.cell_search.PAIRS", 100)
    monkeypatch.setattr(
        CellSearch, "_inside", lambda self, points, *rest: parts.append(len(points)) or inside(self, points, *rest)
    )
    domain = MeshDomain(MESHES["disk"])
    points = torch.cat([domain.interior(500, torch.Generator().manual_seed(0)), torch.full((3, 2), 2.0)])
    assert domain.contains(points).tolist() == [True] * 500 + [False] * 3
    assert len(parts) > 5 and max(parts) < 200
