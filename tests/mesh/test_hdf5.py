"""HDF5 files: a full disk is an error and no crash, and nothing that is read lies in another file."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from sciml.errors import DataFormatError, MeshFileError
from sciml.mesh import Grid, SeriesWriter, make_mesh, read_mesh, read_series, write_fields
from sciml.mesh.hdf5 import NewFile, Storage, inside

# A process of its own: the library used to end it with a segmentation fault, at the latest in its last act.
FULL = """
import os, resource, sys
import numpy as np
from sciml.atomic import is_full
from sciml.mesh import Grid, make_mesh, write_fields
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
on = Grid((64, 64)) if sys.argv[1] == "out.xdmf" else make_mesh("square", 6)
size = on.shape if isinstance(on, Grid) else on.n_points
try:
    write_fields(sys.argv[1], on, {name: np.random.default_rng(0).random(size) for name in "abcdefgh"})
except OSError as error:
    print(is_full(error), error.filename)
"""


@pytest.mark.parametrize("name", ["out.xdmf", "out.med", "out.vtu", "out.msh"])
def test_a_disk_that_fills_up_is_an_error_and_leaves_the_old_file_alone(tmp_path, name):
    write_fields(tmp_path / name, make_mesh("square", 1), {})
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    command = [sys.executable, "-c", FULL, name]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=3600, check=False)
    assert (answer.returncode, answer.stderr) == (0, "")
    full, named = answer.stdout.split()
    assert full == "True" and named.startswith("out.") and not named.endswith(".part")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
@pytest.mark.parametrize("after", [0, 1, 5, 9])
def test_every_write_of_a_series_may_fail(tmp_path, monkeypatch, code, after):
    real, writes = Storage._write, []

    def failing(self, view):
        writes.append(view)
        if len(writes) > after:
            raise OSError(code, os.strerror(code))
        real(self, view)

    monkeypatch.setattr(Storage, "_write", failing)
    with pytest.raises(OSError) as caught, SeriesWriter(tmp_path / "run.xdmf", Grid((300, 300))) as series:
        for step in range(4):
            series.append(step, u=np.random.default_rng(step).random((300, 300)))
    assert (caught.value.errno, Path(caught.value.filename).name) == (code, "run.h5")
    assert not list(tmp_path.iterdir())


def test_an_interrupt_inside_the_library_is_raised_outside_of_it(tmp_path, monkeypatch):
    new = NewFile(tmp_path / "a.h5")
    monkeypatch.setattr(Storage, "_write", interrupt)
    with pytest.raises(KeyboardInterrupt), new.writing() as file:
        file["u"] = np.zeros(100)
        file.flush()
    new.abandon()
    assert not list(tmp_path.iterdir())


def interrupt(*arguments: object) -> None:
    raise KeyboardInterrupt


# ------------------------------------------------------------------------------------------------------- reading


def pointing(path: Path, name: str, other: Path) -> dict[str, h5py.File]:
    """Replace a data set of a file by one that lies in another file, in all ways of HDF5; return what was done."""
    with h5py.File(path, "r+") as file:
        data = file[name]
        shape, dtype, attributes = data.shape, data.dtype, dict(data.attrs)
        del file[name]
        kind = path.stem
        if kind == "external":
            other.write_bytes(bytes(int(np.prod(shape)) * dtype.itemsize))
            file.create_dataset(name, shape, dtype, external=[(str(other), 0, h5py.h5f.UNLIMITED)])
        elif kind == "virtual":
            layout = h5py.VirtualLayout(shape, dtype)
            layout[...] = h5py.VirtualSource(str(other), "x", shape)
            file.create_virtual_dataset(name, layout)
        elif kind == "link":
            file[name] = h5py.ExternalLink(str(other), "x")
        else:
            file["away"] = h5py.ExternalLink(str(other), "/")
            file[name] = h5py.SoftLink("/away/x")
        if kind in ("external", "virtual"):
            file[name].attrs.update(attributes)


WAYS = ["external", "virtual", "link", "soft"]
PLACES = ["mesh/points", "mesh/cells/triangle", "mesh/groups/boundary", "fields/u", "time"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("way", WAYS)
def test_a_series_reads_nothing_of_another_file(tmp_path, way, place):
    mesh, other = make_mesh("square", 1), tmp_path / "secret"
    with SeriesWriter(tmp_path / f"{way}.xdmf", mesh) as series:
        series.append(0.0, u=np.zeros(mesh.n_points))
    os.mkfifo(other)  # which would be waited for if it were opened
    if way == "external":
        other.unlink()
    pointing(tmp_path / f"{way}.h5", place, other)
    for read in (read_series, read_mesh):
        with pytest.raises((DataFormatError, MeshFileError), match="another file"):
            read(tmp_path / f"{way}.xdmf")


@pytest.mark.parametrize("way", WAYS)
def test_a_med_file_reads_nothing_of_another_file(tmp_path, way):
    path = tmp_path / f"{way}.med"
    write_fields(path, make_mesh("square", 1), {})
    names: list[str] = []
    with h5py.File(path) as file:
        file.visit(names.append)
        name = next(name for name in names if name.endswith("/COO"))
    os.mkfifo(tmp_path / "secret")
    if way == "external":
        (tmp_path / "secret").unlink()
    pointing(path, name, tmp_path / "secret")
    with pytest.raises((DataFormatError, MeshFileError), match="another file"):
        read_mesh(path)


def test_soft_links_inside_the_file_are_followed_and_loops_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["group/u"] = [1.0, 2.0]
        file["absolute"], file["group/relative"] = h5py.SoftLink("/group/u"), h5py.SoftLink("u")
        file["chain"], file["loop"] = h5py.SoftLink("absolute"), h5py.SoftLink("loop")
        for name in ("absolute", "group/relative", "chain", "/group/u"):
            assert inside(file, name)[()].tolist() == [1.0, 2.0]
        with pytest.raises(DataFormatError, match="loop of links"):
            inside(file, "loop")
        with pytest.raises(KeyError):
            inside(file, "nothing")


def test_links_that_multiply_and_names_below_a_data_set_are_refused(tmp_path, monkeypatch):
    opened = []
    take = h5py.Group.__getitem__
    monkeypatch.setattr(h5py.Group, "__getitem__", lambda group, name: opened.append(name) or take(group, name))
    with h5py.File(tmp_path / "a.med", "w") as file:
        file["u"] = [1.0]
        file["s0"] = h5py.SoftLink("/")
        for level in range(1, 9):
            file[f"s{level}"] = h5py.SoftLink("/".join([f"s{level - 1}"] * 60))
        file["v"], file["w"] = h5py.SoftLink("s8/u"), h5py.SoftLink("s0/s0/./u")
        for name in ("v", "s8", "s8/u"):
            with pytest.raises(DataFormatError, match="a loop of links, or too many"):
                inside(file, name)
        assert inside(file, "w")[()].tolist() == [1.0] and inside(file, "/" + "./" * 3000 + "u")
        for name in ("u/x", "u/x/y", "nothing/x"):
            with pytest.raises(KeyError):
                inside(file, name)
    with pytest.raises((DataFormatError, MeshFileError), match="a loop of links, or too many"):
        read_mesh(tmp_path / "a.med")
    assert len(opened) < 4000


def test_a_size_that_a_series_cannot_hold_is_refused_before_memory_is_taken(tmp_path):
    mesh = make_mesh("square", 1)
    write_fields(tmp_path / "a.xdmf", mesh, {"u": np.zeros(mesh.n_points)})
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        del file["fields/u"]
        huge = file.create_dataset("fields/u", (10**12,), "f8", chunks=(1000,))
        huge.attrs.update({"location": np.bytes_("points"), "order": 0, "components": ()})
    with pytest.raises((DataFormatError, MeshFileError), match="not complete"):
        read_mesh(tmp_path / "a.xdmf")
