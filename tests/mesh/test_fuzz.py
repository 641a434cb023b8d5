"""300 mutated files per reader: only our errors, no exit, no hang, no flood of memory, nothing printed."""

from __future__ import annotations

import resource
import signal
import sys
import warnings
from pathlib import Path

import meshio
import numpy as np
import pytest

from sciml.errors import DataFormatError, MeshFileError
from sciml.mesh import Group, Mesh, SeriesWriter, make_mesh, read_mesh, read_series, write_fields
from sciml.mesh.files import READ

MUTATIONS = 300
SECONDS = 3.0  # for one file
MEMORY = 500  # MB of growth over all files of a reader


class TooSlow(BaseException):
    """Not an Exception, so that no reader can swallow it."""


def write_examples(folder: Path, suffix: str) -> list[Path]:
    """Write small valid files of a format: each flavour that a reader treats on its own."""
    square = make_mesh("square", 1)
    square = Mesh(square.points, square.cells, {"part": Group(2, cells=[1, 3]), **square.groups})
    data = {"u": np.linspace(0, 1, square.n_points), "k": np.arange(square.n_cells)}
    if suffix in (".vtu", ".msh", ".med", ".xdmf"):
        write_fields(folder / f"ours{suffix}", square, data)
    other = meshio.Mesh(
        np.pad(square.points, ((0, 0), (0, 1))),
        dict(square.cells),
        point_data={"u": data["u"]},
        cell_data={"k": [data["k"]]},
    )
    bare = meshio.Mesh(other.points, other.cells)
    flavours = {
        ".vtu": [("ascii", other, {"file_format": "vtu", "binary": False})],
        ".vtk": [
            (f"{form}{b}", other, {"file_format": form, "binary": b})
            for form in ("vtk42", "vtk51")
            for b in (False, True)
        ],
        ".xdmf": [(form, other, {"file_format": "xdmf", "data_format": form}) for form in ("XML", "HDF")],
        ".msh": [
            ("41", other, {"file_format": "gmsh", "binary": True}),
            ("41a", bare, {"file_format": "gmsh", "binary": False}),
            ("22a", bare, {"file_format": "gmsh22", "binary": False}),
        ],
        ".inp": [("inp", bare, {"file_format": "abaqus"})],
        ".stl": [(f"stl{b}", bare, {"file_format": "stl", "binary": b}) for b in (False, True)],
        ".obj": [("obj", bare, {"file_format": "obj"})],
        ".ply": [(f"ply{b}", bare, {"file_format": "ply", "binary": b}) for b in (False, True)],
    }
    for name, mesh, options in flavours.get(suffix, []):
        meshio.write(folder / f"{name}{suffix}", mesh, **options)
    return sorted(folder.glob(f"*{suffix}"))


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """Truncate, flip bytes, splice a piece elsewhere, or put a large number in place of a small one."""
    kind, n = rng.integers(4), len(content)
    if kind == 0:
        return content[: rng.integers(n)]
    out = bytearray(content)
    if kind == 1:
        for place in rng.integers(n, size=rng.integers(1, 9)):
            out[place] ^= 1 << int(rng.integers(8))
    elif kind == 2:
        start, length, target = rng.integers(n), rng.integers(1, 200), rng.integers(n)
        out[target:target] = content[start : start + length]
    else:
        digits = [k for k, byte in enumerate(content) if 48 <= byte <= 57]
        place = digits[rng.integers(len(digits))]
        out[place : place + 1] = str(rng.choice([0, -1, 99999999, 2**31 - 1, 2**62])).encode()
    return bytes(out)


def stop(number, frame):
    raise TooSlow


@pytest.mark.parametrize("suffix", [*READ, ".h5"])
def test_mutated_files_raise_only_our_errors(suffix, tmp_path, capfd):
    if suffix == ".h5":
        with SeriesWriter(tmp_path / "s.xdmf", make_mesh("square", 1)) as series:
            for step in range(2):
                series.append(step, u=np.arange(9.0))
        examples, read = [tmp_path / "s.h5"], read_series
    else:
        examples, read = write_examples(tmp_path, suffix), read_mesh
    capfd.readouterr()
    contents = [path.read_bytes() for path in examples]
    for path in examples:
        read(path)  # the files are good before they are mutated
    rng = np.random.default_rng(list(suffix.encode()))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    previous = signal.signal(signal.SIGALRM, stop)
    refused, sentences = 0, []
    try:
        for k in range(MUTATIONS):
            path, content = examples[k % len(examples)], contents[k % len(examples)]
            bad = mutated(content, rng)
            path.write_bytes(bad)
            signal.setitimer(signal.ITIMER_REAL, SECONDS)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    read(path)
            except (MeshFileError, DataFormatError) as error:
                refused += 1
                sentences.append(str(error))
            except TooSlow:
                pytest.fail(f"reading took more than {SECONDS} s: {bad[:2000]!r}")
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.signal(signal.SIGALRM, previous)
    assert refused > MUTATIONS / 10
    assert not [sentence for sentence in sentences if "\n" in sentence]
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there, in KB elsewhere
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * unit < MEMORY * 2**20
    assert capfd.readouterr().out == ""
