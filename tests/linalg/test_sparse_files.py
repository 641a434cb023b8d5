"""Linear systems come back from every file format as they were written, and damaged files are refused by a sentence."""

import gzip
import io
import pickle
import struct
import tracemalloc
import zipfile
from dataclasses import replace

import numpy as np
import pyamg
import pytest
import scipy.io
import scipy.sparse as sp

from sciml import npy_files
from sciml.cli.precondition import grid_of
from sciml.errors import DataFormatError, InputError, SciMLError
from sciml.linalg import VoxelPoisson, sparse_files, sparse_formats, validation

SHAPE = (5, 4, 3)
CELLS = np.random.default_rng(1).integers(0, 3, SHAPE).astype(np.uint8)
B = np.random.default_rng(2).standard_normal(SHAPE)
MATRIX = sp.csr_array(pyamg.gallery.poisson(SHAPE))
MATRIX.indices, MATRIX.indptr = MATRIX.indices.astype(np.int32), MATRIX.indptr.astype(np.int32)


def dcdm_matrix_bytes(matrix, letter="d") -> bytes:
    """The DCDM layout, packed value by value."""
    rows, columns = matrix.shape
    values, starts, indices = matrix.data.tolist(), matrix.indptr.tolist(), matrix.indices.tolist()
    head = struct.pack("<5i", rows, columns, len(values), rows, columns)
    body = struct.pack(f"<{len(values)}{letter}", *values)
    return head + body + struct.pack(f"<{rows}i", *starts[:-1]) + struct.pack(f"<{len(indices)}i", *indices)


def vector_bytes(values) -> bytes:
    return struct.pack(f"<Q{values.size}d", values.size, *values.ravel().tolist())


def flags_bytes(flags) -> bytes:
    return struct.pack(f"<Q{flags.size}i", flags.size, *flags.ravel().tolist())


def npz_bytes(**arrays) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def sparse_npz_bytes(matrix) -> bytes:
    stream = io.BytesIO()
    sp.save_npz(stream, matrix)
    return stream.getvalue()


def npy_bytes(values) -> bytes:
    stream = io.BytesIO()
    np.save(stream, values)
    return stream.getvalue()


def mtx_bytes(content, symmetry="general") -> bytes:
    stream = io.BytesIO()
    scipy.io.mmwrite(stream, content, symmetry=symmetry)
    return stream.getvalue()


def saved(folder, content: bytes, name: str = "file"):
    path = folder / name
    path.write_bytes(content)
    return path


VECTORS = {
    "npy": npy_bytes(B.ravel()),
    "npz": npz_bytes(b=B.ravel(), other=np.ones(3)),
    "npz_alone": npz_bytes(anything=B.ravel()),
    "mtx": mtx_bytes(B.reshape(-1, 1)),
    "mtx_sparse": mtx_bytes(sp.coo_array(B.reshape(-1, 1))),
    "mtx_gz": gzip.compress(mtx_bytes(B.reshape(-1, 1))),
    "bin": vector_bytes(B),
}
MATRICES = {
    "npz_csr": sparse_npz_bytes(MATRIX),
    "npz_csc": sparse_npz_bytes(MATRIX.tocsc()),
    "npz_coo": sparse_npz_bytes(MATRIX.tocoo()),
    "npz_dia": sparse_npz_bytes(MATRIX.todia()),
    "mtx": mtx_bytes(MATRIX),
    "mtx_symmetric": mtx_bytes(MATRIX, "symmetric"),
    "mtx_dense": mtx_bytes(MATRIX.toarray()),
    "mtx_dense_symmetric": mtx_bytes(MATRIX.toarray(), "symmetric"),
    "mtx_gz": gzip.compress(mtx_bytes(MATRIX, "symmetric")),
    "bin_double": dcdm_matrix_bytes(MATRIX, "d"),
    "bin_float": dcdm_matrix_bytes(MATRIX, "f"),
}


# ---------------------------------------------------------------------------------------------------- round trips


@pytest.mark.parametrize("kind", MATRICES)
def test_a_matrix_written_by_a_foreign_writer_is_read_exactly(kind, tmp_path):
    matrix = sparse_files.read_matrix(saved(tmp_path, MATRICES[kind]))
    assert isinstance(matrix, sp.csr_array)
    np.testing.assert_array_equal(matrix.toarray(), MATRIX.toarray())


@pytest.mark.parametrize("kind", VECTORS)
def test_a_right_hand_side_in_a_file_of_its_own_is_read_exactly_beside_a_matrix(kind, tmp_path):
    rhs = saved(tmp_path, VECTORS[kind], "rhs")
    system = sparse_files.read_system(saved(tmp_path, MATRICES["bin_double"]), rhs)
    assert system.kind == "matrix" and system.cells is None
    np.testing.assert_array_equal(system.b, B.ravel())


def test_matrix_market_comments_blank_lines_and_patterns_are_read_as_scipy_reads_them(tmp_path):
    text = b"%%MatrixMarket matrix coordinate pattern symmetric\n% a comment\n\n 3 3 4\n1 1\n2 2\n3 3\n\n3 1\n"
    matrix = sparse_files.read_matrix(saved(tmp_path, text))
    np.testing.assert_array_equal(matrix.toarray(), scipy.io.mmread(io.BytesIO(text)).toarray())


def test_the_name_of_a_file_does_not_matter(tmp_path):
    matrix = saved(tmp_path, MATRICES["mtx_gz"], "matrix.npz")
    rhs = saved(tmp_path, VECTORS["bin"], "rhs.mtx")
    assert sparse_files.read_system(matrix, rhs).matrix.nnz == MATRIX.nnz


def test_every_format_of_a_sparse_npz_may_carry_its_right_hand_side(tmp_path):
    arrays = {"format": "csr", "shape": MATRIX.shape, "data": MATRIX.data}
    content = npz_bytes(**arrays, indices=MATRIX.indices, indptr=MATRIX.indptr, b=B)
    system = sparse_files.read_system(saved(tmp_path, content))
    np.testing.assert_array_equal(system.b, B)
    np.testing.assert_array_equal(system.matrix.toarray(), MATRIX.toarray())


@pytest.mark.parametrize("outside", [None, "dirichlet", {"x-": "dirichlet", "z+": "dirichlet"}])
def test_cells_written_by_sciml_come_back_with_everything_they_had(outside, tmp_path):
    path = tmp_path / "cells.npz"
    coefficient = 1.0 + B**2
    sparse_files.write_cells(path, CELLS, B, coefficient=coefficient, spacing=(0.1, 0.2, 0.4), outside=outside)
    system = sparse_files.read_system(path)
    assert system.kind == "cells" and system.matrix is None
    assert system.spacing == (0.1, 0.2, 0.4)
    np.testing.assert_array_equal(system.cells, CELLS)
    np.testing.assert_array_equal(system.b, B)
    np.testing.assert_array_equal(system.coefficient, coefficient)
    assert validation.check_outside(system.outside, 3) == validation.check_outside(outside or "neumann", 3)
    assert [p.name for p in tmp_path.iterdir()] == ["cells.npz"]


def test_plain_numpy_can_write_the_cells_file_and_the_sides_are_in_the_documented_order(tmp_path):
    sides = np.array([b"neumann", b"neumann", b"dirichlet", b"neumann"])
    content = npz_bytes(cells=CELLS[:, :, 0].astype(int), b=B[:, :, 0], spacing=0.5, outside=sides)
    system = sparse_files.read_system(saved(tmp_path, content))
    assert system.outside == {"x-": "neumann", "x+": "neumann", "y-": "dirichlet", "y+": "neumann"}
    assert system.spacing == (0.5, 0.5)


def test_a_flat_right_hand_side_takes_the_shape_of_the_cells(tmp_path):
    system = sparse_files.read_system(saved(tmp_path, npz_bytes(cells=CELLS, b=B.ravel())))
    np.testing.assert_array_equal(system.b, B)


def test_a_right_hand_side_file_takes_precedence_over_the_one_in_the_system(tmp_path):
    path, rhs = saved(tmp_path, npz_bytes(cells=CELLS, b=B)), saved(tmp_path, vector_bytes(-B), "rhs")
    np.testing.assert_array_equal(sparse_files.read_system(path, rhs).b, -B)


def test_flags_become_cells_with_the_last_axis_fastest(tmp_path):
    flags = np.array([2, 3, 0, 1, 2, 2, 2, 2])
    path, rhs = saved(tmp_path, flags_bytes(flags)), saved(tmp_path, vector_bytes(np.arange(8.0)), "rhs")
    cube = sparse_files.read_system(path, rhs)
    np.testing.assert_array_equal(cube.cells, [[[0, 1], [2, 2]], [[0, 0], [0, 0]]])
    assert cube.b[1, 0, 1] == 5.0
    np.testing.assert_array_equal(sparse_files.read_system(path, rhs, shape=(2, 4)).cells, [[0, 1, 2, 2], [0, 0, 0, 0]])


@pytest.mark.parametrize(("dtype", "letter"), [(np.float64, "d"), (np.float32, "f")])
def test_the_binary_matrix_writer_writes_the_documented_bytes(dtype, letter, tmp_path):
    sparse_files.write_binary_matrix(tmp_path / "A.bin", MATRIX, dtype=dtype)
    assert (tmp_path / "A.bin").read_bytes() == dcdm_matrix_bytes(MATRIX, letter)


def test_the_binary_vector_writer_writes_the_documented_bytes(tmp_path):
    sparse_files.write_binary_vector(tmp_path / "b.bin", B)
    assert (tmp_path / "b.bin").read_bytes() == vector_bytes(B)
    np.testing.assert_array_equal(sparse_files.read_vector(tmp_path / "b.bin"), B.ravel())


def test_the_solution_is_written_in_its_shape_and_replaces_an_older_one(tmp_path):
    path = saved(tmp_path, b"older", "x.npz")
    sparse_files.write_solution(path, B)
    with np.load(path, allow_pickle=False) as archive:
        assert archive.files == ["x"]
        np.testing.assert_array_equal(archive["x"], B)
    assert [p.name for p in tmp_path.iterdir()] == ["x.npz"]


def test_a_writer_that_fails_leaves_the_older_file_and_nothing_beside_it(tmp_path, monkeypatch):
    path = saved(tmp_path, b"older", "x.npz")

    def full_disk(stream, **arrays):
        stream.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(DataFormatError, match="cannot be written: No space left on device"):
        sparse_files.write_solution(path, B)
    assert path.read_bytes() == b"older"
    assert [p.name for p in tmp_path.iterdir()] == ["x.npz"]


def test_writers_refuse_what_the_format_cannot_hold(tmp_path):
    with pytest.raises(InputError, match=r"ends in \.npz"):
        sparse_files.write_solution(tmp_path / "x.vtu", B)
    with pytest.raises(DataFormatError, match="cannot be written"):
        sparse_files.write_solution(tmp_path / "absent" / "x.npz", B)
    with pytest.raises(InputError, match="float32 or float64"):
        sparse_files.write_binary_matrix(tmp_path / "A.bin", MATRIX, dtype=np.float16)
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------------------------------ bad files


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (npz_bytes(cells=CELLS, b=B[1:]), r"b has shape \(4, 4, 3\) but cells has shape \(5, 4, 3\)"),
        (npz_bytes(cells=CELLS, b=B, coefficient=B[0]), r"coefficient has shape \(4, 3\) but cells"),
        (npz_bytes(cells=CELLS, b=B, spacing=np.ones(2)), r"spacing has shape \(2,\)"),
        (npz_bytes(cells=CELLS, b=B, spacing=-1.0), "spacing must be finite and > 0"),
        (
            npz_bytes(cells=CELLS, b=B, outside="open"),
            "x- is 'open', expected one of neumann, dirichlet",
        ),
        (npz_bytes(cells=CELLS.astype(float), b=B), "cells are floating-point numbers, expected whole ones"),
        (npz_bytes(cells=CELLS, b=B, outside=np.array(["neumann"] * 4)), "the 6 texts of the sides .*write_cells"),
        (npz_bytes(cells=CELLS, b=B, outside=np.ones(6)), "an array of floating-point numbers .*write_cells"),
        (npz_bytes(cells=CELLS, b=B, coefficients=B), "'coefficients', expected one of .*; did you mean 'coefficient'"),
        (npz_bytes(cells=CELLS, b=B, Outside="dirichlet"), "'Outside', expected .*; did you mean 'outside'"),
        (npz_bytes(cells=CELLS, b=B, k=B), "'k', expected one of cells, b, coefficient, spacing, outside"),
        (npz_bytes(cells=CELLS, b=B * (1 + 0j)), "the values of b are complex"),
        (npz_bytes(cells=CELLS, b=B.astype(str)), "the values of b are texts"),
        (npz_bytes(cells=CELLS, b=B.astype("M8[s]")), "the values of b are dates"),
        (npz_bytes(cells=CELLS, b=B.astype("m8[s]")), "the values of b are durations"),
        (npz_bytes(cells=CELLS, b=np.zeros(B.shape, "f8,i4")), "the values of b are records"),
        (npz_bytes(cells=CELLS), "no right-hand side; give one"),
        (flags_bytes(np.full(8, 2)), "no right-hand side; give one"),
        (flags_bytes(np.array([2, 9, 2, 2, 2, 2, 2, 9])), r"flag 9 \(2 unknown flags in all\)"),
        (flags_bytes(np.full(9, 2)), "do not fill the shape"),
    ],
)
def test_values_that_disagree_are_input_errors_that_name_the_file(content, sentence, tmp_path):
    path = saved(tmp_path, content, "named.file")
    with pytest.raises(InputError, match=sentence) as caught:
        sparse_files.read_system(path)
    assert "named.file" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (npz_bytes(velocity=B), "holds the arrays velocity, expected 'cells' or"),
        (npz_bytes(Cells=CELLS, b=B), "Cells, b, expected .*; did you mean 'cells'"),
        (sparse_npz_bytes(MATRIX.tobsr((3, 3))), "format 'bsr', expected csr, csc, coo or dia"),
        (MATRICES["bin_double"][:-1], "none of an .npz with cells .* or it is truncated"),
        (VECTORS["bin"], "it holds a vector"),
        (VECTORS["npy"], "it holds a vector"),
        (b"", "none of an .npz with cells"),
        (b"solid cube\nendsolid\n", "none of an .npz with cells"),
        (MATRICES["npz_csr"][:200], "zip"),
        (MATRICES["mtx_gz"][:-30], "linear system"),
        (b"%%MatrixMarket matrix coordinate real general\n9 9 999999999999\n1 1 1\n", "declares 999999999999 entries"),
        (b"%%MatrixMarket matrix coordinate real general\n999999999999 9 1\n1 1 1\n", "does not fit its"),
        (b"%%MatrixMarket matrix array real general\n999999 999999\n1\n", "holds 1 numbers"),
        (
            b"%%MatrixMarket matrix coordinate real general\n2 2 1\n1 3 1\n",
            "column numbers are not all whole and from 1",
        ),
        (b"%%MatrixMarket matrix coordinate real general\n2 2 1\n1 x 1\n", "entries are not all numbers"),
        (b"%%MatrixMarket matrix coordinate complex general\n2 2 1\n1 1 1 1\n", "it is complex and general"),
        (
            b"%%MatrixMarket matrix coordinate real symmetric\n2 2 4\n1 1 2\n2 2 2\n1 2 -1\n2 1 -1\n",
            "both sides of the diagonal",
        ),
        (b"%%MatrixMarket matrix coordinate real skew-symmetric\n2 2 1\n2 1 1\n", "it is real and skew-symmetric"),
        (b"%%MatrixMarket matrix coordinate complex hermitian\n1 1 1\n1 1 1 0\n", "it is complex and hermitian"),
        (b"%%MatrixMarket matrix coordinate real general\n1 1 1\n0 0 1\n", "row numbers are not all whole and from 1"),
        (b"%%MatrixMarket vector coordinate real general\n1 1 1\n", "its first line is not"),
        (b"%%MatrixMarket matrix coordinate real general\n% no size\n", "its size line is"),
        (struct.pack("<5i", 1, 1, 2**31 - 1, 1, 1) + bytes(16), "none of an .npz with cells"),
        (pickle.dumps({"cells": 1}), "none of an .npz with cells"),
    ],
)
def test_a_foreign_or_truncated_system_is_refused_with_its_name_and_the_reason(content, reason, tmp_path):
    with pytest.raises(DataFormatError, match=reason) as caught:
        sparse_files.read_system(saved(tmp_path, content, "named.file"), saved(tmp_path, VECTORS["bin"], "rhs"))
    assert "named.file" in str(caught.value) or "rhs" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (npy_bytes(B.astype(complex)), "the values of the vector are complex"),
        (npz_bytes(x=B, y=B), "expected 'b' or one array alone"),
        (mtx_bytes(MATRIX), "the vector is a matrix"),
        (vector_bytes(B)[:-3], "none of an .npy"),
        (b"1.0 2.0 3.0\n", "none of an .npy"),
    ],
)
def test_a_file_that_is_not_a_real_vector_is_refused_with_the_reason(content, reason, tmp_path):
    with pytest.raises((DataFormatError, InputError), match=reason):
        sparse_files.read_vector(saved(tmp_path, content))


@pytest.mark.parametrize(
    "change",
    [
        {"indices": MATRIX.indices + 1},
        {"indices": -MATRIX.indices},
        {"indices": MATRIX.indices[:-1]},
        {"indptr": MATRIX.indptr[::-1]},
        {"indptr": MATRIX.indptr[:-1]},
        {"indptr": np.zeros_like(MATRIX.indptr)},
        {"shape": (-1, 60)},
        {"shape": (2**60, 60)},
        {"shape": (60,)},
        {"format": "csr csr"},
    ],
)
def test_sparse_arrays_with_indices_out_of_range_never_reach_scipy(change, tmp_path):
    arrays = {"format": "csr", "shape": MATRIX.shape, "data": MATRIX.data}
    arrays |= {"indices": MATRIX.indices, "indptr": MATRIX.indptr} | change
    with pytest.raises(DataFormatError, match="cannot be read as a sparse matrix"):
        sparse_files.read_matrix(saved(tmp_path, npz_bytes(**arrays)))


def test_names_and_kinds_of_the_arrays_of_a_sparse_matrix_are_checked(tmp_path):
    arrays = {"format": "csr", "shape": MATRIX.shape, "data": MATRIX.data}
    arrays |= {"indices": MATRIX.indices, "indptr": MATRIX.indptr}
    for change, words in (
        ({"indices": MATRIX.indices.astype(float)}, "indices are floating-point numbers, expected whole ones"),
        ({"data": MATRIX.data + 0j}, "the values of data are complex"),
        ({"B": B}, "'B', expected one of format, .*; did you mean 'b'"),
        ({"rhs": B}, "'rhs', expected one of format, "),
    ):
        with pytest.raises(InputError, match=words):
            sparse_files.read_matrix(saved(tmp_path, npz_bytes(**(arrays | change))))


def test_a_name_that_is_there_twice_is_refused_instead_of_the_first_of_the_two_being_dropped(tmp_path):
    stream = io.BytesIO(npz_bytes(cells=CELLS, b=B))
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(stream, "a") as archive:
        archive.writestr("b.npy", npy_bytes(2 * B))
    with pytest.raises(DataFormatError, match="it has two arrays 'b'"):
        sparse_files.read_system(saved(tmp_path, stream.getvalue()))


def test_entries_that_are_given_twice_add_up_without_the_overflow_of_their_type(tmp_path):
    twice = {"format": "coo", "shape": (1, 1), "row": [0, 0], "col": [0, 0], "data": np.array([100, 100], np.int8)}
    assert sparse_files.read_matrix(saved(tmp_path, npz_bytes(**twice)))[0, 0] == 200.0
    text = b"%%MatrixMarket matrix coordinate integer general\n1 1 2\n1 1 100\n1 1 100\n"
    assert sparse_files.read_matrix(saved(tmp_path, text))[0, 0] == 200.0


def test_a_shape_that_contradicts_the_cells_of_the_file_is_refused(tmp_path):
    path = saved(tmp_path, npz_bytes(cells=CELLS, b=B))
    assert sparse_files.read_system(path, shape=CELLS.shape).cells.shape == CELLS.shape
    with pytest.raises(InputError, match=r"cells have the shape \(5, 4, 3\), got \(3, 4, 5\); leave the shape out"):
        sparse_files.read_system(path, shape=(3, 4, 5))


def test_missing_files_folders_and_cells_for_a_matrix_are_refused(tmp_path):
    with pytest.raises(DataFormatError, match=r"absent\.npz cannot be opened: No such file"):
        sparse_files.read_system(tmp_path / "absent.npz")
    with pytest.raises(DataFormatError, match="is a folder, expected a regular file"):
        sparse_files.read_vector(tmp_path)
    with pytest.raises(DataFormatError, match="expected a sparse matrix"):
        sparse_files.read_matrix(saved(tmp_path, npz_bytes(cells=CELLS, b=B)))
    with pytest.raises(InputError, match="b has 60 values but the matrix has 8 rows"):
        sparse_files.read_system(
            saved(tmp_path, dcdm_matrix_bytes(sp.csr_array(sp.eye_array(8)))), saved(tmp_path, vector_bytes(B), "rhs")
        )


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("name", ["cells", "b"])
def test_a_pickle_in_an_npz_is_refused_and_leaves_no_trace(name, tmp_path):
    trace = tmp_path / "trace"
    trap = np.empty((), object)
    trap[()] = Trap(trace)
    arrays = {"cells": CELLS, "b": B} | {name: trap}
    for read in (sparse_files.read_system, sparse_files.read_vector):
        with pytest.raises(DataFormatError, match="pickled objects are never loaded"):
            read(saved(tmp_path, npz_bytes(**arrays), "trap.npz"))
    assert not trace.exists()


def test_files_that_expand_beyond_the_memory_are_refused_before_they_do(tmp_path, monkeypatch):
    stream = io.BytesIO()
    np.savez_compressed(stream, cells=np.zeros((256, 256, 128), np.uint8), b=B)
    bombs = [stream.getvalue(), gzip.compress(b"%%MatrixMarket matrix array real general\n" + bytes(2**23))]
    for module in (sparse_formats, npy_files):
        monkeypatch.setattr(module, "memory_limit", lambda: 2**22)
    for bomb in bombs:
        assert len(bomb) < 2**16
        path = saved(tmp_path, bomb)
        tracemalloc.start()
        with pytest.raises(DataFormatError, match="it expands to"):
            sparse_files.read_system(path)
        assert tracemalloc.get_traced_memory()[1] < 2**24
        tracemalloc.stop()


def test_a_header_that_promises_more_than_the_member_holds_allocates_nothing(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (2**38,)})
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("cells.npy", header.getvalue() + bytes(64))
    path, array = saved(tmp_path, content.getvalue()), saved(tmp_path, header.getvalue() + bytes(64), "array")
    tracemalloc.start()
    with pytest.raises(DataFormatError, match="needs 2199023255552 bytes, the file has 64"):
        sparse_files.read_system(path)
    with pytest.raises(DataFormatError, match="needs 2199023255552 bytes, the file has 64"):
        sparse_files.read_vector(array)
    assert tracemalloc.get_traced_memory()[1] < 2**22
    tracemalloc.stop()


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """Cut short, or some bytes changed, or a piece replaced by another one, or four bytes replaced by a large count."""
    damaged = bytearray(content)
    how, at = rng.integers(4), int(rng.integers(len(content)))
    if how == 0:
        del damaged[at:]
    elif how == 1:
        for place in rng.integers(len(content), size=int(rng.integers(1, 8))):
            damaged[place] ^= int(rng.integers(1, 256))
    elif how == 2:
        source, length = int(rng.integers(len(content))), int(rng.integers(1, 40))
        damaged[at : at + int(rng.integers(40))] = content[source : source + length]
    else:
        at = at % 64 if rng.random() < 0.5 else at
        damaged[at : at + 4] = rng.choice([b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff", b"9999", b"\x00\x00\x00\x40"])
    return bytes(damaged)


SYSTEMS = {
    "cells": npz_bytes(cells=CELLS, b=B, coefficient=1 + B**2, spacing=np.ones(3), outside=np.array("dirichlet")),
    "flags": flags_bytes(np.random.default_rng(3).integers(0, 4, 64)),
} | MATRICES


@pytest.mark.parametrize("kind", SYSTEMS)
def test_300_damaged_systems_raise_only_our_errors_and_allocate_little(kind, tmp_path):
    rng = np.random.default_rng(sum(kind.encode()))
    rhs = saved(tmp_path, vector_bytes(np.ones(64)) if kind == "flags" else VECTORS["bin"], "rhs")
    tracemalloc.start()
    sentences = []
    for _ in range(300):
        path = saved(tmp_path, mutated(SYSTEMS[kind], rng))
        try:
            system = sparse_files.read_system(path, rhs)
            if system.kind == "cells":
                validation.check_cells(system.cells)
            else:
                validation.check_spd_matrix(system.matrix)
        except SciMLError as error:
            sentences.append(str(error))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(sentences) > 50 and not any("\n" in sentence for sentence in sentences)
    assert peak < 2**27


@pytest.mark.parametrize("kind", VECTORS)
def test_300_damaged_vectors_raise_only_our_errors_and_allocate_little(kind, tmp_path):
    rng = np.random.default_rng(sum(kind.encode()))
    tracemalloc.start()
    sentences = []
    for _ in range(300):
        try:
            sparse_files.read_vector(saved(tmp_path, mutated(VECTORS[kind], rng)))
        except DataFormatError as error:
            sentences.append(str(error))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(sentences) > 50 and not any("\n" in sentence for sentence in sentences)
    assert peak < 2**27


def test_a_written_matrix_is_read_by_scipy_and_its_grid_and_right_hand_side_by_us(tmp_path):
    problem = VoxelPoisson.from_cells(np.zeros((4, 6), np.uint8), outside="dirichlet")
    b = np.arange(24.0)
    np.savez(tmp_path / "a.npz", **sparse_files.matrix_arrays(problem.to_csr(), b, spacing=(0.5, 2.0)))
    assert (sp.load_npz(tmp_path / "a.npz") != problem.to_csr()).nnz == 0
    file = sparse_files.read_system(tmp_path / "a.npz")
    assert np.array_equal(file.b, b) and file.spacing == (0.5, 2.0)
    grid = grid_of(VoxelPoisson.from_matrix(file.matrix), file)
    assert (grid.shape, grid.upper) == ((4, 6), (2.0, 12.0))
    with pytest.raises(InputError, match="expected one cell size or one per axis, 2 in all"):
        grid_of(problem, replace(file, spacing=(1.0, 1.0, 1.0)))


@pytest.mark.parametrize("spacing", [[0.0, 1.0], [np.nan], [], ["wide"], [[1.0, 1.0]]])
def test_a_spacing_that_is_none_is_refused_beside_a_matrix(tmp_path, spacing):
    arrays = sparse_files.matrix_arrays(sp.eye_array(4, format="csr"), np.ones(4), spacing=[1.0, 1.0])
    np.savez(tmp_path / "b.npz", **{**arrays, "spacing": np.array(spacing)})
    with pytest.raises((DataFormatError, InputError), match="spacing"):
        sparse_files.read_system(tmp_path / "b.npz")
