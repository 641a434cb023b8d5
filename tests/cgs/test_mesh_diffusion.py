"""``sciml solve cgs/diffusion_cpu``: diffusion on a mesh in a file, its fluxes, and sentences about what is refused."""

import json

import numpy as np
import pytest

from sciml.cgs.mesh_diffusion import MeshDiffusion
from sciml.errors import InputError, SingularSystemError
from sciml.mesh import Field, Group, Mesh, make_mesh, read_mesh, write_mesh


@pytest.fixture
def strip(tmp_path):
    """A square with the groups left and right, and k = 1 in its lower half and 3 in its upper half."""
    square = make_mesh("square", 3)
    x, y = square.points.T
    ends = {name: np.flatnonzero(x == at)[:, None] for name, at in (("left", x.min()), ("right", x.max()))}
    mesh = Mesh(square.points, square.cells, {name: Group(0, facets=points) for name, points in ends.items()})
    upper = y[square.cells["triangle"]].mean(axis=1) > 0.5 * (y.min() + y.max())
    write_mesh(tmp_path / "strip.vtu", mesh, [Field("k", np.where(upper, 3.0, 1.0), mesh, "cells")])
    return tmp_path / "strip.vtu"


def test_heat_through_a_square_of_two_materials_is_that_of_both_in_parallel(in_process, strip, tmp_path):
    changes = (f"task.init_args.mesh={strip}", "task.init_args.dirichlet={left: 1, right: 0}")
    changes += ("task.init_args.coefficient_field=k", "task.init_args.source=0")
    code, _, error = in_process("solve", "cgs/diffusion_cpu", *changes, "-o", tmp_path / "run")
    assert code == 0, error
    metrics = json.loads((tmp_path / "run" / "result.json").read_text())["metrics"]
    assert metrics["outflow_right"] == pytest.approx(2.0, rel=1e-9, abs=0)  # of a square of any size
    assert metrics["outflow_left"] == pytest.approx(-2.0, rel=1e-9, abs=0)
    assert (metrics["smallest"], metrics["largest"], metrics["negative_edges"]) == (0, 1, 0)
    mesh, (u,) = read_mesh(tmp_path / "run" / "fields.xdmf")
    x = mesh.points[:, 0]
    np.testing.assert_allclose(u.values, (x.max() - x) / np.ptp(x), atol=1e-9)
    assert (tmp_path / "run" / "figures" / "u.png").exists()


def test_a_source_leaves_through_the_boundary(tmp_path):
    write_mesh(tmp_path / "disk.vtu", make_mesh("disk", 3))
    task = MeshDiffusion(str(tmp_path / "disk.vtu"), {"boundary": 0.0}, coefficient=2.0, source=3.0)
    (tmp_path / "figures").mkdir()
    metrics = task.solution(tmp_path)
    area = task.problem.geometry[0].sum()
    assert metrics["outflow_boundary"] == pytest.approx(3.0 * area, rel=1e-9, abs=0)
    radius = np.linalg.norm(task.problem.mesh.points, axis=1).max()
    assert metrics["largest"] == pytest.approx(3.0 * radius**2 / 8.0, rel=0.02, abs=0)  # f R^2 / (4 k) in the middle


@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        ({"mesh": "none.vtu"}, InputError, r"give one as task\.init_args\.mesh=PATH"),
        ({"dirichlet": {"lift": 1.0}}, InputError, "did you mean 'left'"),
        ({"dirichlet": {}}, SingularSystemError, "u is given nowhere"),
        ({"coefficient_field": "kk"}, InputError, "no scalar field 'kk' at its cells; it has k"),
        ({"coefficient": -1.0}, InputError, "expected more than 0"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence(strip, changes, error, sentence):
    task = MeshDiffusion(**{"mesh": str(strip), "dirichlet": {"left": 1.0}, **changes})
    with pytest.raises(error, match=sentence):
        task.problem.check_held()
