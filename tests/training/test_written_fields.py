"""``sciml predict`` of a solution: points that are read, times, and what each kind of file holds."""

from __future__ import annotations

import csv
import io
import os
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import meshio
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sciml import npy_files
from sciml.domains import Box
from sciml.errors import DataFormatError, InputError
from sciml.mesh import make_mesh, read_series
from sciml.mesh.files import write_mesh
from sciml.training.output import Output
from sciml.training.solve_task import SolveTask
from sciml.training.written_fields import Points, check_output, read_place


class Ramp:
    """``u = x + 10 t`` in a box."""

    def __init__(self, dim: int = 2) -> None:
        self.domain, self.duration = Box([0.0] * dim, [1.0] * dim), 1.0

    def exact(self, points: Tensor, time: float) -> Tensor:
        return points[:, :1] + 10 * time


class Known(SolveTask):
    """The exact solution, and a vector."""

    def fields_at(self, time: float):
        def fields(points: Tensor) -> dict[str, Tensor]:
            return {"u": self.problem.exact(points, time), "velocity": torch.cat([points[:, :1] * 0 + time] * 2, 1)}

        return fields


def task(dim: int = 2) -> Known:
    return Known(Ramp(dim), Output(grid=[3, 2], times=3) if dim == 2 else None)


def points() -> np.ndarray:
    return np.random.default_rng(0).random((6, 2))


# Files of fields


def test_a_table_of_arrays_has_points_times_and_fields_on_the_grid_of_the_run(tmp_path: Path) -> None:
    numbers = task().predict_file(None, tmp_path / "u.npz", time=[0.75, 0.25, 0.25])
    assert numbers == {"points": 6.0, "times": 2.0}
    with np.load(tmp_path / "u.npz") as found:
        assert set(found.files) == {"points", "times", "u", "u_exact", "velocity"}
        assert found["times"].tolist() == [0.25, 0.75]
        assert found["points"].shape == (3, 2, 2) and found["velocity"].shape == (2, 3, 2, 2)
        expected = found["points"][..., 0] + 10 * found["times"][:, None, None]
        assert found["u"] == pytest.approx(expected) and found["u_exact"] == pytest.approx(expected)


def test_a_series_has_all_times_of_the_output_and_one_time_is_a_snapshot(tmp_path: Path) -> None:
    assert task().predict_file(None, tmp_path / "all.xdmf", time="all") == {"points": 6.0, "times": 3.0}
    series = read_series(tmp_path / "all.xdmf")
    assert list(series.times) == [0.0, 0.5, 1.0]
    assert {field.name for field in series.fields} == {"u", "u_exact", "velocity"}
    assert series["u"].values[:, 2, 0] == pytest.approx([1, 6, 11])
    assert task().predict_file(None, tmp_path / "end.xdmf") == {"points": 6.0}
    assert read_series(tmp_path / "end.xdmf").times is None
    task().predict_file(None, tmp_path / "list.xdmf", time=[0.5])
    assert list(read_series(tmp_path / "list.xdmf").times) == [0.5]


def test_a_table_of_text_has_a_row_for_each_time_and_point(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "points.csv", points(), delimiter=",", header="x,y", comments="")
    task().predict_file(tmp_path / "points.csv", tmp_path / "u.csv", time=[0.0, 0.5])
    rows = list(csv.DictReader(io.StringIO((tmp_path / "u.csv").read_text())))
    assert list(rows[0]) == ["t", "x", "y", "u", "velocity_0", "velocity_1", "u_exact"]
    assert len(rows) == 12
    for row, point in zip(rows[6:], points(), strict=True):
        assert [float(row["x"]), float(row["y"])] == pytest.approx(point, rel=1e-12)
        assert float(row["t"]) == float(row["velocity_1"]) == 0.5
        assert float(row["u"]) == float(row["x"]) + 5


@pytest.mark.parametrize("ending", [".npz", ".npy", ".csv"])
def test_points_of_ones_own_are_vertices_in_paraview(tmp_path: Path, ending: str) -> None:
    source = tmp_path / f"points{ending}"
    if ending == ".npz":
        np.savez(source, points=points(), other=1)
    elif ending == ".npy":
        np.save(source, points().astype(np.float32))
    else:
        np.savetxt(source, points(), delimiter=",")
    task().predict_file(source, tmp_path / "u.vtu", time=0.5)
    read = meshio.read(tmp_path / "u.vtu")
    assert read.points[:, :2] == pytest.approx(points(), rel=1e-6)
    assert read.point_data["u"].ravel() == pytest.approx(read.points[:, 0] + 5)
    assert read.point_data["u_exact"].ravel() == pytest.approx(read.points[:, 0] + 5)
    assert [block.type for block in read.cells] == ["vertex"]


def test_points_of_one_or_many_dimensions(tmp_path: Path) -> None:
    (tmp_path / "line.csv").write_text("0.25\n0.5\n")
    task(1).predict_file(tmp_path / "line.csv", tmp_path / "u.npz")
    with np.load(tmp_path / "u.npz") as found:
        assert found["points"].ravel().tolist() == [0.25, 0.5] and found["u"].tolist() == [[10.25, 10.5]]
    np.save(tmp_path / "five.npy", np.full((2, 5), 0.5))
    task(5).predict_file(tmp_path / "five.npy", tmp_path / "u.csv", time=0.0)
    assert (tmp_path / "u.csv").read_text().splitlines()[0].startswith("t,x0,x1,x2,x3,x4,u,velocity_0")
    with pytest.raises(InputError, match="the fields have 5 dimensions and no grid of their own; give a file with"):
        task(5).predict_file(None, tmp_path / "u.csv")


def test_progress_is_told_before_each_time(tmp_path: Path) -> None:
    told: list[tuple[float, str]] = []
    task().predict_file(None, tmp_path / "u.npz", time=[0.0, 0.5], progress=lambda *what: told.append(what))
    assert told == [(0.0, "t = 0"), (0.5, "t = 0.5")]


# What is refused


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"x,y\n1,2\n3\n", r"line 3 of .* has 1 column, but the first row has 2"),
        (b"x,y,z\n1,2\n", r"line 2 of .* has 2 columns, but the first row has 3"),
        (b"1,2,\n3,4\n", r"line 1 of .* has '' where a number is expected"),
        (b"1,2,\n3,4,\n", r"line 1 of .* has '' where a number is expected"),
        (b"x,y\nx,y\n1,2\n", r"line 2 of .* has 'x' where a number is expected"),
        (b"# x,y\nx,2\n", r"line 2 of .* has 'x' where a number is expected"),
        (b"0.l,0.2\n1,2\n", r"line 1 of .* has '0.l' where a number is expected"),
        (b"0.1x,.2x\n1,2\n", r"line 1 of .* has '0.1x' where a number is expected"),
        (b"0.1 0.2\n1 2\n", r"line 1 of .* has '0.1 0.2' where a number is expected"),
        (b"1_0,2\n", r"line 1 of .* has '1_0' where a number is expected"),
        (b"0.1;0.2\n", r"line 1 of .* has a semicolon, expected commas"),
        (b"x;y\n0,1;0,2\n", r"line 1 of .* has a semicolon, expected commas"),
        (b"x,y\n1\t2\n", r"line 2 of .* has a tab, expected commas"),
        (b"x,y\n", "has no points, expected at least one"),
        (b"", "cannot be read as a table of points|has no points|shape of the points"),
        (b"1\n2\n", r"the shape of the points in .* is \(2, 1\), expected \(number of points, 2\)"),
        (b"1,2\n3,nan\n", "1 of 4 values of the points in .* are not finite"),
        (b"\xff\xfe\x00", "cannot be read as a table of points"),
    ],
)  # fmt: skip
def test_a_table_that_is_none_is_a_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "points.csv").write_bytes(content)
    with pytest.raises(DataFormatError, match=sentence):
        read_place(tmp_path / "points.csv", 2)


@pytest.mark.parametrize(
    "header", ["", "x,y\n", '"x","y"\n', "# from a probe\nx [m],y [m]\n", "\ufeffx,y\r\n", "# x,y\n\n", "e1,nano\n"]
)
def test_a_header_is_a_first_row_without_a_number_and_no_point_is_lost(tmp_path: Path, header: str) -> None:
    rows = '1,-2.5\n\n.5, 1e-3 # a comment\n"3","+4."\n'
    (tmp_path / "points.csv").write_text(header + rows, encoding="utf-8")
    found = read_place(tmp_path / "points.csv", 2)
    assert found.points.tolist() == [[1, -2.5], [0.5, 1e-3], [3, 4]]


@given(
    st.lists(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=2), min_size=1),
    st.sampled_from([repr, "{:.17g}".format, "{:+.17e}".format, "{:.17G}".format]),
)
def test_all_numbers_that_are_written_are_read(rows: list[list[float]], write: Callable[[float], str]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "points.csv"
        path.write_text("".join(",".join(map(write, row)) + "\n" for row in rows))
        assert read_place(path, 2).points.tolist() == rows


def test_arrays_that_are_no_points_are_a_sentence(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=points())
    np.save(tmp_path / "b.npy", np.array([[1j, 2]]))
    np.save(tmp_path / "c.npy", np.array([[None, "a"]], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "d.npz", points=np.array([["a", "b"]]))
    (tmp_path / "e.npz").write_bytes(b"PK\x03\x04 and no more")
    np.save(tmp_path / "f.npy", np.zeros((0, 2)))
    for name, sentence in {
        "a.npz": "holds x, expected an array with the name points",
        "b.npy": "the values of the points in .* are complex, expected real ones",
        "c.npy": "pickled objects are never loaded",
        "d.npz": "the values of the points in .* are texts, expected real ones",
        "e.npz": "cannot be read as a table of points",
        "f.npy": "has no points, expected at least one",
        "g.npy": "does not exist; check the name",
        "h.txt": r"its ending is '\.txt', expected one of \.vtu .*\.csv",
    }.items():
        with pytest.raises(DataFormatError, match=sentence):
            read_place(tmp_path / name, 2)


def test_tables_that_expand_beyond_the_memory_are_refused_before_they_do(tmp_path, monkeypatch) -> None:
    np.savez_compressed(tmp_path / "bomb.npz", points=np.zeros((2**18, 2)))
    np.savez_compressed(tmp_path / "fine.npz", points=np.zeros((3, 2)), further=np.zeros((2**18, 2)))
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (2**38, 2)})
    (tmp_path / "header.npy").write_bytes(header.getvalue() + bytes(64))
    for name in ("sparse.csv", "sparse.npy"):
        (tmp_path / name).write_bytes(b"\x93NUMPY\x01\x00" if name.endswith("npy") else b"")
        os.truncate(tmp_path / name, 2**40)  # no blocks of the disk
    with zipfile.ZipFile(tmp_path / "other.npz", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("points.npy", bytes(100))
    monkeypatch.setattr(npy_files, "memory_limit", lambda: 2**20)
    assert read_place(tmp_path / "fine.npz", 2).n_points == 3
    tracemalloc.start()
    for name in ("bomb.npz", "header.npy", "sparse.csv", "sparse.npy", "other.npz"):
        with pytest.raises(DataFormatError, match=rf"{name} cannot be read as a table of points: "):
            read_place(tmp_path / name, 2)
    assert tracemalloc.get_traced_memory()[1] < 2**22
    tracemalloc.stop()


@pytest.mark.parametrize("ending", [".csv", ".npy", ".npz"])
def test_a_pipe_is_no_table(tmp_path: Path, ending: str) -> None:
    os.mkfifo(tmp_path / f"pipe{ending}")  # which would be waited for if it were opened
    with pytest.raises(DataFormatError, match="is a pipe, expected a regular file"):
        read_place(tmp_path / f"pipe{ending}", 2)


def test_points_and_times_outside_are_refused_and_leave_no_file(tmp_path: Path) -> None:
    np.save(tmp_path / "far.npy", points() + 1)
    with pytest.raises(InputError, match=r"far\.npy has 6 of 6 points outside the box of the problem"):
        task().predict_file(tmp_path / "far.npy", tmp_path / "u.npz")
    for time, sentence in ((1.5, "the time is 1.5"), ([0.5, -1.0], "the time is -1"), ([], "there are no times")):
        with pytest.raises(InputError, match=sentence):
            task().predict_file(None, tmp_path / "u.npz", time=time)
    assert not (tmp_path / "u.npz").exists()


def test_a_file_that_cannot_hold_the_fields_is_refused_before_the_work() -> None:
    grid = task().place
    with pytest.raises(InputError, match=r"u\.vtu holds points of at most 3 dimensions, got 5; write \.npz or \.csv"):
        check_output(Path("u.vtu"), Points(np.zeros((1, 5))), [0.0], {"u": 1})
    for name in ("u.vtu", "u.msh", "u.med"):
        check_output(Path(name), grid, [0.0], {"u": 1})
        with pytest.raises(InputError, match=rf"{name} holds one time, got 2; write a series .* u\.xdmf, or .* u\.npz"):
            check_output(Path(name), grid, [0.0, 1.0], {"u": 1})
    with pytest.raises(
        InputError, match=r"its ending is '\.png', expected one of \.vtu \.xdmf \.msh \.med \.npz \.csv"
    ):
        check_output(Path("u.png"), grid, [0.0], {"u": 1})


@pytest.mark.parametrize(
    ("ending", "channels", "name"),
    [
        (".csv", {"u": 1, "t": 1}, "t"),
        (".csv", {"x": 1}, "x"),
        (".csv", {"u": 2, "u_0": 1}, "u_0"),
        (".csv", {"u,v": 1}, "u,v"),
        (".npz", {"u": 1, "points": 2}, "points"),
        (".npz", {"times": 1}, "times"),
        (".npz", {"file": 1}, "file"),
    ],
)
def test_a_field_that_has_the_name_of_another_column_is_refused_before_the_work(ending, channels, name) -> None:
    with pytest.raises(InputError, match=f"u{ending} cannot hold a field as '{name}'.*, or rename the field"):
        check_output(Path(f"u{ending}"), task().place, [0.0], channels)
    check_output(Path(f"u{ending}"), task().place, [0.0], {"u": 1, "t_0": 1, "velocity": 2, "z": 1})


def test_a_task_whose_field_is_named_like_a_coordinate_leaves_no_file(tmp_path: Path) -> None:
    class Named(Known):
        def fields_at(self, time: float):
            return lambda points: {"u": points[:, :1], "x": points[:, 1:], "u_exact": points[:, 1:]}

    other = Named(Ramp(), Output(grid=[3, 2]))
    with pytest.raises(InputError, match="cannot hold a field as 'x'"):
        other.predict_file(None, tmp_path / "u.csv")
    assert not list(tmp_path.iterdir())
    other.predict_file(None, tmp_path / "u.npz")
    with np.load(tmp_path / "u.npz") as found:
        assert found["u_exact"].tolist() == found["x"].tolist() != found["u"].tolist()


def test_a_mesh_file_is_taken_as_it_is(tmp_path: Path) -> None:
    write_mesh(tmp_path / "square.vtu", make_mesh("interval", 2))
    task(1).predict_file(tmp_path / "square.vtu", tmp_path / "u.xdmf", time=[0.0, 1.0])
    series = read_series(tmp_path / "u.xdmf")
    assert set(series.on.cells) == {"line"}
    assert series["u"].values[1] == pytest.approx(series.on.points[:, 0] + 10)
