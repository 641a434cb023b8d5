"""Arrays at the entries of the package: what is not real numbers is refused, and numbers of any type mean the same."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sciml import metrics
from sciml.data import DataField, DatasetWriter, Description, open_dataset
from sciml.data.normalise import Normaliser
from sciml.errors import InputError, SciMLError
from sciml.linalg import VoxelPoisson, solve
from sciml.linalg.sparse_files import read_system, read_vector, write_cells
from sciml.linalg.validation import check_spd_matrix
from sciml.mesh import Field, Grid, Group, Mesh

SHAPE = (4, 4)
CELLS = np.zeros(SHAPE, np.uint8)
BOX = VoxelPoisson.from_cells(CELLS, outside="dirichlet")
ABOUT = Description("waves", Grid(SHAPE), np.zeros(1), (DataField("u", (), "float64"),), trajectories=1)


def from_file(arrays: dict[str, Any], read: Callable[[Path], Any]) -> Any:
    """Return what is read from an ``.npz`` that holds the arrays as they are."""
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "system.npz"
        path.write_bytes(stream.getvalue())
        return read(path)


def written(values: Any) -> np.ndarray:
    """Return a trajectory as it comes back from a data set."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "waves.h5"
        with DatasetWriter(path, ABOUT) as writer:
            writer.append({"u": values[None]})
        with open_dataset(path) as data:
            return data.read("u", 0)


def fitted(values: Any) -> np.ndarray:
    normaliser = Normaliser(SHAPE[-1])
    normaliser.fit([values])
    return normaliser.mean.numpy()


def stored(values: Any) -> np.ndarray:
    with TemporaryDirectory() as folder:
        write_cells(Path(folder) / "system.npz", CELLS, values)
        return read_system(Path(folder) / "system.npz").b


def operator_of(coefficient: Any) -> np.ndarray:
    """Return the diagonal of a system whose coefficient comes from a file."""
    file = from_file({"cells": CELLS, "b": np.ones(SHAPE), "coefficient": coefficient}, read_system)
    return VoxelPoisson.from_cells(file.cells, coefficient=file.coefficient).diagonal


REAL: dict[str, Callable[[Any], Any]] = {
    "b of solve": lambda a: solve(BOX, a, method="fft").x,
    "x0 of solve": lambda a: solve(BOX, np.ones(SHAPE), x0=a, method="fft").x,
    "coefficient": lambda a: VoxelPoisson.from_cells(CELLS, coefficient=a).diagonal,
    "spacing": lambda a: VoxelPoisson.from_cells(CELLS, spacing=a[0, :2]).diagonal,
    "matvec": BOX.matvec,
    "velocity of a divergence": lambda a: VoxelPoisson.from_cells(CELLS[:3, :]).divergence(a, np.ones((3, 5))),
    "dense matrix": lambda a: check_spd_matrix(a * np.eye(4, dtype=a.dtype) if a.dtype.kind in "biuf" else a).toarray(),
    "values of an error": lambda a: metrics.relative_l2(a, np.full(SHAPE, 2.0)),
    "reference of an error": lambda a: metrics.max_error(np.zeros(SHAPE), a),
    "weights of an error": lambda a: metrics.relative_l2(np.zeros(SHAPE), np.ones(SHAPE), a),
    "times of a field": lambda a: Field("u", np.zeros((1, 4, 4)), Grid(SHAPE), times=a.reshape(-1)[:1]).times,
    "points of a mesh": lambda a: Mesh(a[:, :2], {}).points,
    "trajectory of a data set": written,
    "training values": fitted,
    "b of a written system": stored,
    "b of a system": lambda a: from_file({"cells": CELLS, "b": a}, read_system).b,
    "coefficient of a system": operator_of,
    "right-hand side of a file": lambda a: from_file({"b": a}, read_vector),
}
WHOLE: dict[str, Callable[[Any], Any]] = {
    "cells": lambda a: VoxelPoisson.from_cells(a),
    "cells of a system": lambda a: from_file({"cells": a, "b": np.ones(SHAPE)}, read_system),
    "nodes of a mesh": lambda a: Mesh([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], {"triangle": a[:1, :3]}),
    "members of a group": lambda a: Group(1, cells=a[0]),
}
NUMBERS = ["?", "i1", "u2", ">i4", "i8", "u8", "f2", "f4", ">f4", "f8", ">f8", "g"]
NO_NUMBERS = ["c8", "c16", "G", "U3", "S3", "M8[s]", "m8[D]", "f8,i4", "V4", "O"]


@pytest.mark.parametrize("entry", REAL)
@given(kind=st.sampled_from(NUMBERS), turned=st.booleans())
def test_numbers_of_any_type_and_order_in_memory_mean_the_same(entry, kind, turned):
    ones = np.ones(SHAPE, kind)
    np.testing.assert_array_equal(REAL[entry](ones.T[::-1] if turned else ones), REAL[entry](np.ones(SHAPE)))


@pytest.mark.parametrize("entry", [*REAL, *WHOLE])
@given(kind=st.sampled_from(NO_NUMBERS))
def test_what_is_no_real_number_is_refused_even_without_an_imaginary_part(entry, kind):
    call = {**REAL, **WHOLE}[entry]
    values = np.ones(SHAPE, kind) if kind != "O" else np.full(SHAPE, 1.0, object)
    with pytest.raises(SciMLError, match=r"expected (real|whole|numerical) ones|Python objects"):
        call(values)


@pytest.mark.parametrize("entry", [entry for entry in REAL if "system" not in entry and "file" not in entry])
def test_masked_values_are_refused_at_every_entry(entry):
    masked = np.ma.masked_array(np.ones(SHAPE), np.eye(4, dtype=bool))
    if entry in ("spacing", "times of a field", "dense matrix", "points of a mesh"):
        masked = np.ma.masked_array(np.ones(SHAPE), np.ones(SHAPE, bool))
    with pytest.raises(InputError, match="are masked, expected"):
        REAL[entry](masked)


@pytest.mark.parametrize("entry", WHOLE)
@pytest.mark.parametrize("kind", ["f4", "f8", "?"])
def test_codes_and_numbers_of_points_are_whole(entry, kind):
    with pytest.raises(SciMLError, match=r"are (floating-point numbers|booleans), expected whole ones"):
        WHOLE[entry](np.zeros(SHAPE, kind))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("entry", ["b of solve", "x0 of solve", "weights of an error", "training values"])
def test_values_that_are_not_finite_are_refused_with_their_place(entry, bad):
    values = np.ones(SHAPE)
    values[2, 1] = bad
    with pytest.raises(InputError, match=rf"1 of 16 values of .* are not finite \({bad:g} at index \(2, 1\)\)"):
        REAL[entry](values)


def test_complex_fields_are_kept_and_masked_ones_refused():
    assert Field("u", np.ones(SHAPE, complex), Grid(SHAPE)).values.dtype == complex
    with pytest.raises(InputError, match="are masked"):
        Field("u", np.ma.masked_array(np.ones(SHAPE), np.eye(4, dtype=bool)), Grid(SHAPE))


@given(st.integers(-307, 307))
def test_errors_of_tiny_and_huge_values_neither_overflow_nor_vanish(exponent):
    size = 10.0**exponent
    u, v = np.array([size, -size]), np.array([-size, size])
    assert metrics.relative_l2(u, v) == pytest.approx(2.0)
    result = solve(BOX, np.full(SHAPE, size), method="fft")
    np.testing.assert_allclose(result.x / size, solve(BOX, np.ones(SHAPE), method="fft").x, rtol=1e-12)


def test_a_tensor_that_requires_a_gradient_is_taken_by_its_values():
    weight = torch.ones(SHAPE, requires_grad=True) * 2
    assert metrics.max_error(weight, np.zeros(SHAPE)) == 2.0
