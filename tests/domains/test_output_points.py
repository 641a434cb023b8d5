"""Where fields are written: lattices that fill a box, and mesh files that lie in it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sciml.domains import Box
from sciml.domains.output_points import array_on, check_inside, place_in, points_of
from sciml.errors import InputError, MeshFileError
from sciml.mesh import Mesh, make_mesh
from sciml.mesh.files import write_mesh

SQUARE = Box([-1, -1], [1, 1])


def test_a_lattice_fills_the_box_with_as_many_values_as_are_wanted_or_usual():
    assert place_in(SQUARE, [5, 3], None, [9, 9]).shape == (5, 3)
    assert place_in(SQUARE, None, None, [9, 7]).shape == (9, 7)


def test_values_return_to_the_shape_of_the_place_they_came_from():
    for place in (place_in(SQUARE, [4, 3], None, []), make_mesh("square", 1)):
        points = points_of(place)
        array = array_on(place, points[:, :1] + 10 * points[:, 1:])
        coordinates = place.points if isinstance(place, Mesh) else place.coordinates()
        assert np.array_equal(array, coordinates[..., 0] + 10 * coordinates[..., 1])
        assert points.dtype == torch.float64


def test_a_mesh_file_is_taken_if_it_lies_inside(tmp_path):
    disk = make_mesh("disk", 2)
    write_mesh(tmp_path / "disk.vtu", disk)
    assert place_in(SQUARE, None, tmp_path / "disk.vtu", []).n_points == disk.n_points
    with pytest.raises(InputError, match=r"disk\.vtu has \d+ of \d+ points outside the box .* \[0\.0, -1\.0\]"):
        place_in(Box([0, -1], [1, 1]), None, tmp_path / "disk.vtu", [])
    check_inside(Mesh(disk.points * (1 + 1e-9), disk.cells), SQUARE, "rounded")


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        (([5, 5], "a.vtu"), InputError, "on a grid or on a mesh, got both"),
        (([5], None), InputError, r"the grid of the output is \[5\], expected at least 2 values along each of 2 axes"),
        (([5, 1], None), InputError, "at least 2 values along each of 2 axes"),
        ((None, "none.vtu"), MeshFileError, "none.vtu"),
    ],
)
def test_what_is_no_place_is_a_sentence(arguments, error, sentence):
    with pytest.raises(error, match=sentence):
        place_in(SQUARE, *arguments, [9, 9])


def test_a_mesh_of_another_dimension_is_refused():
    with pytest.raises(InputError, match="line has 1 dimensions, expected 2"):
        check_inside(make_mesh("interval", 1), SQUARE, "line")
