"""``sciml mesh`` through the real entry point."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sciml.mesh import Grid, make_channel, make_mesh, read_mesh, write_fields
from sciml.mesh.obstacles import Circle, Ellipse, Polygon


@pytest.fixture
def sciml(repository: Path, tmp_path: Path):
    """Run ``python -m sciml`` in an empty folder."""

    def call(*words: object) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(repository), "OMP_NUM_THREADS": "1"}
        return subprocess.run(
            [sys.executable, "-m", "sciml", *map(str, words)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=3600,
        )

    return call


def test_make_convert_and_info_agree_about_a_disk(sciml, tmp_path):
    assert sciml("mesh", "make", "disk", "-o", "disk.msh", "-r", 4).returncode == 0
    assert sciml("mesh", "convert", "disk.msh", "disk.vtu").returncode == 0
    done = sciml("mesh", "info", "disk.vtu", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    info = json.loads(done.stdout)
    expected = make_mesh("disk", 4)
    assert (info["points"], info["cells"]) == (expected.n_points, {"triangle": expected.n_cells})
    assert info["groups"] == {"boundary": {"dim": 1, "size": info["boundary_facets"]}}
    assert info["volume"] == pytest.approx(np.pi, rel=2e-3)
    table = sciml("mesh", "info", "disk.vtu")
    assert table.returncode == 0
    assert "group: boundary" in table.stdout


def test_an_interval_of_any_ends_is_made_and_read_back(sciml, tmp_path):
    done = sciml("mesh", "make", "interval", "--from", -2, "--to", 2, "--cells", 10, "-o", "line.vtu")
    assert (done.returncode, done.stderr) == (0, "")
    mesh, _ = read_mesh(tmp_path / "line.vtu")
    assert np.allclose(mesh.points[:, 0], np.linspace(-2, 2, 11), atol=1e-15)
    assert sciml("mesh", "make", "interval", "--to", 3, "-r", 1, "-o", "short.msh").returncode == 0
    assert np.allclose(read_mesh(tmp_path / "short.msh")[0].points[:, 0], [0, 1.5, 3])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["interval", "--from", "2", "--to", "-2"], "the interval is from 2 to -2"),
        (["interval", "--from", "nan"], "lower end of an interval is nan"),
        (["interval", "--cells", "5", "-r", "2"], "--cells 5 and --refinements 2 both set the cells"),
        (["interval", "--to", "2", "-r", "-1"], "--refinements is -1"),
        (["disk", "--to", "2"], "--to with the shape disk: it has --refinements only"),
    ],
)
def test_an_interval_that_cannot_be_made_is_a_sentence_and_no_file(sciml, tmp_path, words, sentence):
    done = sciml("mesh", "make", *words, "-o", "line.vtu")
    assert done.returncode == 2 and sentence in done.stderr and len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "obstacle"),
    [
        (["--centre", 0.5, 0.2, "--radius", 0.06], Circle((0.5, 0.2), 0.06)),
        (["--centre", 0.5, 0.2, "--semi-axes", 0.06, 0.04, "--angle", 20], Ellipse((0.5, 0.2), (0.06, 0.04), 20)),
        (
            ["--corner", "0.4,0.1", "--corner", "0.5,0.2", "--corner", "0.4,0.3"],
            Polygon(((0.4, 0.1), (0.5, 0.2), (0.4, 0.3))),
        ),
    ],
)
def test_the_options_of_a_channel_are_its_arguments(sciml, tmp_path, words, obstacle):
    done = sciml("mesh", "make", "channel", *words, "--length", 1, "--size", 0.02, "--growth", 0.2, "-o", "channel.msh")
    assert (done.returncode, done.stderr) == (0, "")
    expected = make_channel(obstacle, length=1.0, size=0.02, growth=0.2)
    mesh, _ = read_mesh(tmp_path / "channel.msh")
    assert np.allclose(mesh.points, expected.points, rtol=0, atol=1e-12)
    assert {name: len(group) for name, group in mesh.groups.items()} == {
        name: len(group) for name, group in expected.groups.items()
    }


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--radius", "0.3"], "expected a place inside the channel"),
        (["--radius", "0.19"], "the gap between obstacle and inlet is 0.01"),
        (["--radius", "0.01", "--size", "0.02"], "too coarse for an obstacle with a radius of curvature of 0.01"),
        (["--size", "0.2"], "the size is 0.2"),
        (["--radius", "0.05", "--angle", "3"], "--angle with a circle: it has --centre, --radius only"),
        (["--corner", "0.3"], "--corner is '0.3', expected two numbers"),
        (["--corner", "0.3,0.1", "--radius", "0.1"], "--radius with --corner of a polygon"),
        (["-r", "3"], "--refinements with the shape channel"),
    ],
)
def test_a_channel_that_cannot_be_made_is_a_sentence_and_no_file(sciml, tmp_path, words, sentence):
    done = sciml("mesh", "make", "channel", *words, "-o", "channel.vtu")
    assert done.returncode == 2 and sentence in done.stderr and len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_convert_takes_the_last_step_of_a_series(sciml, tmp_path):
    from sciml.mesh import SeriesWriter

    grid = Grid((3, 2), centring="cell")
    with SeriesWriter(tmp_path / "s.xdmf", grid) as series:
        for time in (0.0, 1.0):
            series.append(time, u=np.full((3, 2), time))
    assert sciml("mesh", "convert", "s.xdmf", "last.vtu").returncode == 0
    _, (u,) = read_mesh(tmp_path / "last.vtu")
    assert np.array_equal(u.values, np.ones(6))


def test_wrong_input_is_one_sentence_and_exit_code_two_and_writes_nothing(sciml, tmp_path):
    (tmp_path / "junk.vtu").write_bytes(b"\x00\xff" * 50)
    write_fields(tmp_path / "good.vtu", make_mesh("square", 1), {})
    before = sorted(os.listdir(tmp_path))
    for words in (
        ("info", "junk.vtu"),
        ("info", "absent.msh"),
        ("convert", "good.vtu", "out.stl"),
        ("convert", "good.vtu", "no/out.vtu"),
        ("make", "klein_bottle", "-o", "k.vtu"),
        ("make", "cube", "-r", "99", "-o", "k.vtu"),
    ):
        done = sciml("mesh", *words)
        assert done.returncode == 2, words
        assert done.stdout == ""
        assert done.stderr.startswith("sciml: ")
        assert done.stderr.count("\n") == 1
    assert sorted(os.listdir(tmp_path)) == before


def test_importing_the_package_of_meshes_loads_no_reader(repository):
    code = (
        "import sys, sciml.mesh; from sciml.mesh import Grid, Mesh, Field; "
        "sys.exit(any(name in sys.modules for name in ('meshio', 'h5py', 'skfem', 'torch', 'numba', 'scipy')))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=repository, check=False).returncode == 0
