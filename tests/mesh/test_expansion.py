"""Mesh files that become much more in memory than they are: refused before they do."""

from __future__ import annotations

import base64
import lzma
import struct
import tracemalloc
import zlib
from pathlib import Path

import meshio
import numpy as np
import pytest

from sciml.errors import MeshFileError
from sciml.mesh import expansion, read_mesh
from sciml.mesh.expansion import largest_size

COMPRESSORS = {"vtkZLibDataCompressor": zlib.compress, "vtkLZMADataCompressor": lzma.compress}
POINTS = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]).tobytes()
CELLS = {"connectivity": ("Int64", np.arange(3)), "offsets": ("Int64", np.array([3])), "types": ("UInt8", [5])}
LARGE = bytes(2**24)


def packed(compressor: str, *blocks: bytes) -> tuple[bytes, bytes]:
    """The header and the blocks of compressed data of VTK."""
    small = [COMPRESSORS[compressor](block) for block in blocks]
    sizes = (len(blocks), len(blocks[0]), 0, *map(len, small))
    return struct.pack(f"<{len(sizes)}I", *sizes), b"".join(small)


def vtu(path: Path, compressor: str, *blocks: bytes, form: str = "binary") -> Path:
    """A triangle with a field of compressed blocks."""
    text, raw = [], b""
    types = np.array([5], np.uint8).tobytes()
    arrays = {"points": ("Float64", POINTS), "connectivity": ("Int64", np.arange(3).tobytes())}
    arrays |= {"offsets": ("Int64", np.array([3]).tobytes()), "types": ("UInt8", types), "u": ("Float64", blocks)}
    for name, (kind, content) in arrays.items():
        header, data = packed(compressor, *(content if name == "u" else [content]))
        about = f'<DataArray type="{kind}" Name="{name}" NumberOfComponents="{3 if name == "points" else 1}" '
        if form == "binary":
            inner = (base64.b64encode(header) + base64.b64encode(data)).decode()
            text.append(f'{about} format="binary">{inner}</DataArray>')
        else:
            text.append(f'{about} format="appended" offset="{len(raw)}"/>')
            raw += header + data if form == "raw" else base64.b64encode(header) + base64.b64encode(data)
    encoding = "raw" if form == "raw" else "base64"
    appended = (
        b"" if form == "binary" else f'<AppendedData encoding="{encoding}">_'.encode() + raw + b"\n</AppendedData>"
    )
    head = f'<VTKFile type="UnstructuredGrid" version="1.0" byte_order="LittleEndian" compressor="{compressor}">'
    piece = f'<UnstructuredGrid><Piece NumberOfPoints="3" NumberOfCells="1"><Points>{text[0]}</Points>'
    piece += f"<Cells>{''.join(text[1:4])}</Cells><PointData>{text[4]}</PointData></Piece></UnstructuredGrid>"
    path.write_bytes((head + piece).encode() + appended + b"</VTKFile>")
    return path


@pytest.mark.parametrize("form", ["binary", "base64", "raw"])
@pytest.mark.parametrize("compressor", COMPRESSORS)
def test_compressed_data_have_a_limit(tmp_path, monkeypatch, compressor, form):
    monkeypatch.setattr(expansion, "SMALL", 2**20)
    monkeypatch.setattr(expansion, "LARGEST_RATIO", 10)
    fine = vtu(tmp_path / "fine.vtu", compressor, np.arange(3.0).tobytes(), form=form)
    mesh, (field,) = read_mesh(fine)
    assert mesh.n_points == 3 and field.values.ravel().tolist() == [0, 1, 2]
    bomb = vtu(tmp_path / "bomb.vtu", compressor, LARGE, form=form)
    many = vtu(tmp_path / "many.vtu", compressor, *[bytes(2**18)] * 40, form=form)  # each of which is small
    assert max(path.stat().st_size for path in (bomb, many)) < 2**17
    tracemalloc.start()
    for path in (bomb, many):
        with pytest.raises(MeshFileError, match="too large for a file of its size"):
            read_mesh(path)
    if compressor == "vtkZLibDataCompressor":  # the dictionaries of the other one are larger than the data
        assert tracemalloc.get_traced_memory()[1] < 2**23
    tracemalloc.stop()


@pytest.mark.parametrize("compressor", COMPRESSORS)
def test_compressed_data_that_are_cut_off_are_refused(tmp_path, compressor):
    path = vtu(tmp_path / "a.vtu", compressor, np.arange(3.0).tobytes(), form="binary")
    before, start, after = path.read_text().rpartition('format="binary">')
    data, end, rest = after.partition("</DataArray>")
    path.write_text(before + start + data[:-12] + end + rest)
    with pytest.raises(MeshFileError):
        read_mesh(path)


def test_a_large_field_of_zeros_is_read(tmp_path):
    """No honest file is refused: coordinates do not shrink as zeros do."""
    points = np.random.default_rng(0).random((20_000, 3))
    cells = {"triangle": np.arange(19_998).reshape(-1, 3)}
    fields = {f"u{k}": np.zeros(len(points)) for k in range(100)}
    meshio.write(tmp_path / "a.vtu", meshio.Mesh(points, cells, fields))
    assert largest_size((tmp_path / "a.vtu").stat().st_size) > 10 * 100 * points.nbytes / 3
    assert len(read_mesh(tmp_path / "a.vtu")[1]) == 100


def test_arrays_that_share_their_data_have_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(expansion, "SMALL", 2**20)
    data = base64.b64encode(struct.pack("<I", 2**16) + bytes(2**16)).decode()
    arrays = "".join(f'<DataArray type="UInt8" Name="u{k}" format="appended" offset="0"/>' for k in range(2000))
    (tmp_path / "a.vtu").write_text(
        '<VTKFile type="UnstructuredGrid" version="1.0" byte_order="LittleEndian"><UnstructuredGrid><FieldData>'
        f'{arrays}</FieldData></UnstructuredGrid><AppendedData encoding="base64">_{data}</AppendedData></VTKFile>'
    )
    with pytest.raises(MeshFileError, match="2000 arrays share data"):
        read_mesh(tmp_path / "a.vtu")


@pytest.mark.parametrize(
    "text",
    [
        "DATASET STRUCTURED_POINTS\nDIMENSIONS 5000 5000 5000\nORIGIN 0 0 0\nSPACING 1 1 1\n",
        "DATASET UNSTRUCTURED_GRID\nPOINTS 99999999999 double\n0 0 0\n",
        f"DATASET STRUCTURED_POINTS\nDIMENSIONS {10**30} 1 1\nORIGIN 0 0 0\nSPACING 1 1 1\n",
    ],
)
@pytest.mark.parametrize("version", ["3.0", "5.1"])
def test_counts_that_a_vtk_file_cannot_have_are_refused(tmp_path, text, version):
    (tmp_path / "a.vtk").write_text(f"# vtk DataFile Version {version}\ntitle\nASCII\n{text}")
    with pytest.raises(MeshFileError, match="points or cells are announced"):
        read_mesh(tmp_path / "a.vtk")
