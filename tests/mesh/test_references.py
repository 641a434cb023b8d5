"""Mesh files that name other files: those of their own folder are read, all others refused before they are opened."""

from __future__ import annotations

import os

import h5py
import meshio
import numpy as np
import pytest

from sciml.errors import DataFormatError, MeshFileError
from sciml.mesh import read_mesh

POINTS = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])


@pytest.fixture
def folder(tmp_path):
    """A folder with a mesh ``m.xdmf`` and ``m.h5`` as meshio writes them."""
    inner = tmp_path / "inner"
    inner.mkdir()
    meshio.write(inner / "m.xdmf", meshio.Mesh(POINTS, {"triangle": [[0, 1, 2]]}))
    return inner


def rename(folder, name: str, format_: str = "HDF") -> None:
    """Let the points of the mesh lie in another file."""
    text = (folder / "m.xdmf").read_text()
    place = text.index("m.h5:", text.index("<Geometry"))
    text = text[:place] + name + text[place + len("m.h5") :]
    if format_ != "HDF":
        start = text.index("<Geometry")
        text = text[:start] + text[start:].replace('Format="HDF"', f'Format="{format_}"', 1).replace(":/data0", "", 1)
    (folder / "m.xdmf").write_text(text)


def test_a_mesh_of_another_program_is_read_with_the_files_beside_it(folder):
    assert np.allclose(read_mesh(folder / "m.xdmf")[0].points, POINTS)
    (folder / "deep").mkdir()
    (folder / "m.h5").rename(folder / "deep" / "m.h5")
    (folder / "m.xdmf").write_text((folder / "m.xdmf").read_text().replace("m.h5:", "deep/m.h5:"))
    assert np.allclose(read_mesh(folder / "m.xdmf")[0].points, POINTS)


@pytest.mark.parametrize("kind", ["HDF", "Binary"])
@pytest.mark.parametrize("name", ["../secret.h5", "ABSOLUTE", "deep/../../secret.h5", r"..\secret.h5"])
def test_xdmf_reads_nothing_outside_of_its_folder(folder, kind, name):
    secret = folder.parent / "secret.h5"
    os.mkfifo(secret)  # which would be waited for if it were opened
    rename(folder, name.replace("ABSOLUTE", str(secret)), kind)
    with pytest.raises(MeshFileError, match=r"names the file .* expected one in its own folder"):
        read_mesh(folder / "m.xdmf")


@pytest.mark.parametrize("kind", ["HDF", "Binary"])
def test_xdmf_reads_no_pipe(folder, kind):
    os.mkfifo(folder / "pipe.h5")
    rename(folder, "pipe.h5", kind)
    with pytest.raises(MeshFileError, match="is a pipe, expected a regular file"):
        read_mesh(folder / "m.xdmf")


def test_the_hdf5_file_of_xdmf_leads_to_no_other_file(folder):
    os.mkfifo(folder / "secret")
    with h5py.File(folder / "m.h5", "r+") as file:
        names = list(file)
        del file[names[0]]
        file[names[0]] = h5py.ExternalLink(str(folder / "secret"), "x")
    with pytest.raises((MeshFileError, DataFormatError), match="link to another file"):
        read_mesh(folder / "m.xdmf")


ABAQUS = "*NODE\n1, 0.0, 0.0\n2, 1.0, 0.0\n3, 0.0, 1.0\n*ELEMENT, TYPE=CPS3\n1, 1, 2, 3\n"


def test_abaqus_includes_files_beside_it(tmp_path):
    (tmp_path / "part.inp").write_text(ABAQUS)
    (tmp_path / "main.inp").write_text("*INCLUDE, INPUT=part.inp\n")
    assert read_mesh(tmp_path / "main.inp")[0].n_points == 3


INCLUDES = [
    "*INCLUDE, INPUT={}",
    "*include,input = {}",
    "  *Include, INPUT={}",
    "*IN*CLUDE, INPUT={}",
    "INCLUDE*, INPUT=part.inp, FURTHER={}",
    "INCLUDE, INPUT={}",
    "** a comment\r*INCLUDE, INPUT={}",
    "** a comment\r\n*INCLUDE, INPUT={}\r*NODE",
    "*INCLUDE, INPUT=part.inp\v={}",
    "*\u0131nclude, INPUT={}",
]


@pytest.mark.parametrize("line", INCLUDES)
@pytest.mark.parametrize("name", ["../secret.inp", "ABSOLUTE"])
def test_abaqus_includes_nothing_outside_of_its_folder(folder, line, name):
    os.mkfifo(folder.parent / "secret.inp")
    name = name.replace("ABSOLUTE", str(folder.parent / "secret.inp"))
    (folder / "part.inp").write_text(ABAQUS)
    (folder / "main.inp").write_bytes((line.format(name) + "\n").encode())
    with pytest.raises(MeshFileError, match="own folder"):
        read_mesh(folder / "main.inp")


def test_abaqus_includes_neither_itself_nor_a_pipe_nor_a_file_of_the_working_directory(folder, monkeypatch):
    (folder / "main.inp").write_text("*INCLUDE, INPUT=main.inp\n")
    with pytest.raises(MeshFileError, match="included by itself"):
        read_mesh(folder / "main.inp")
    os.mkfifo(folder / "pipe.inp")
    (folder / "main.inp").write_text("*INCLUDE, INPUT=pipe.inp\n")
    with pytest.raises(MeshFileError, match="is a pipe"):
        read_mesh(folder / "main.inp")
    monkeypatch.chdir(folder.parent)
    for place in (folder, folder.parent):
        (place / "part.inp").write_text(ABAQUS)
    (folder / "main.inp").write_text("*INCLUDE, INPUT=part.inp\n")
    with pytest.raises(MeshFileError, match="in the working directory too"):
        read_mesh(folder / "main.inp")


def test_an_include_in_a_comment_is_none(tmp_path):
    (tmp_path / "main.inp").write_text("**INCLUDE, INPUT=/nowhere.inp\n" + ABAQUS)
    assert read_mesh(tmp_path / "main.inp")[0].n_points == 3
