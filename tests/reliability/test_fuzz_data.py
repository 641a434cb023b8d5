"""300 mutated files per layout: only our errors, no hang, no flood of memory, nothing printed."""

from __future__ import annotations

import resource
import sys
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from sciml.data import convert, inspect
from sciml.errors import DataFormatError
from tests.data import foreign

MUTATIONS = 300
SECONDS = 120.0  # for one file: a hang, on the slowest machine
MEMORY = 500  # MB of growth over all files of a layout


def _native(path: Path) -> None:
    foreign.the_well(path.with_suffix(".source"))
    convert([path.with_suffix(".source")], path)


def _array(path: Path) -> None:
    with open(path, "wb") as file:
        np.save(file, foreign.values(3, 1, 7, 5))


LAYOUTS = {
    "ours": _native,
    "the well": foreign.the_well,
    "tensor": foreign.pdebench_tensor,
    "fluid": foreign.pdebench_fluid,
    "groups": foreign.pdebench_groups,
    "pdearena": foreign.pdearena,
    "array": _array,
}


def mutated(content: bytes, random: np.random.Generator) -> bytes:
    """Truncate, flip bits, splice a piece elsewhere, or put zeros or ones over a piece."""
    kind, n = random.integers(4), len(content)
    if kind == 0:
        return content[: random.integers(n)]
    out = bytearray(content)
    if kind == 1:
        for place in random.integers(n, size=random.integers(1, 9)):
            out[place] ^= 1 << int(random.integers(8))
    elif kind == 2:
        start, length, target = random.integers(n), random.integers(1, 200), random.integers(n)
        out[target:target] = content[start : start + length]
    else:
        place, length = random.integers(n), random.integers(1, 9)
        out[place : place + length] = bytes([int(random.choice([0, 255]))]) * len(out[place : place + length])
    return bytes(out)


def read_all(path: Path, content: bytes, seed: int, pipe) -> None:
    """Read mutated files, and say after each what came of it; a child process does this, for the library may hang."""
    random = np.random.default_rng(seed)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(MUTATIONS):
        path.write_bytes(mutated(content, random))
        try:
            inspect(path)
            pipe.send("read")
        except DataFormatError as error:
            pipe.send("several lines" if "\n" in str(error) else "refused")
        except BaseException as error:
            pipe.send(repr(error))
            raise
    pipe.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_mutated_files_raise_only_our_errors(layout: str, tmp_path: Path, capfd) -> None:
    path = tmp_path / "good"
    LAYOUTS[layout](path)
    _, reports = inspect(path)
    assert all(report.sound for report in reports)  # the file is good before it is mutated
    context = get_context("forkserver")  # a fork of this process, which has threads, could hang by itself
    ours, theirs = context.Pipe()
    child = context.Process(
        target=read_all, args=(tmp_path / "bad", path.read_bytes(), len(layout), theirs), daemon=True
    )
    child.start()
    answers = []
    try:
        for _ in range(MUTATIONS):
            assert ours.poll(SECONDS), f"file {len(answers)} took more than {SECONDS} s: {tmp_path / 'bad'}"
            answers.append(ours.recv())
            assert answers[-1] in ("read", "refused")
        assert ours.poll(SECONDS)
        growth = ours.recv()
    finally:
        child.kill()
        child.join()
    assert answers.count("refused") > MUTATIONS / 10
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there, in KB elsewhere
    assert growth * unit < MEMORY * 2**20
    assert capfd.readouterr().out == ""
