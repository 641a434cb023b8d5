"""A disk that fills up, in every verb that writes: one sentence, one exit code, old files as they were, no halves."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from sciml.cli.frame import FAILED, explain
from sciml.errors import InputError, MeshFileError

CASES = {  # words after sciml, and a number of bytes beyond which no file grows
    "data generate": ("data generate heat size=9 -n 2 -o new.h5", 1000),
    "data convert": ("data convert heat.h5 new.h5", 1000),
    "mesh make .vtu": ("mesh make square -o new.vtu", 1000),
    "mesh make .xdmf": ("mesh make square -o new.xdmf", 1000),
    "mesh make .msh": ("mesh make square -o new.msh", 1000),
    "mesh make .med": ("mesh make square -o new.med", 1000),
    "mesh convert": ("mesh convert mesh.vtu new.med", 1000),
    "precondition .npz": ("precondition system.npz -o new.npz", 100),
    "precondition .vtu": ("precondition system.npz -o new.vtu", 1000),
    "precondition .xdmf": ("precondition system.npz -o new.xdmf", 1000),
    "precondition .png": ("precondition system.npz --plot new.png", 1000),
    "precondition .svg": ("precondition system.npz --plot new.svg", 1000),
    "precondition .pdf": ("precondition system.npz --plot new.pdf", 1000),
    "predict": ("predict runs/trained system.npz -o new.npz", 100),
    "evaluate": ("evaluate runs/solved", 100),
    "export": ("export runs/trained -o new.safetensors", 1000),
    "train, environment": ("train trained.yaml -o new", 100),
    "train, checkpoint": ("train trained.yaml -o new", 1000),
    "train, figure": ("train trained.yaml -o new", 25_000),
    "solve, environment": ("solve solved.yaml -o new", 100),
    "solve, checkpoint": ("solve solved.yaml -o new", 2500),
    "solve, figure": ("solve solved.yaml -o new", 12_000),
    "demo, environment": ("demo --only poisson --size 8 -o new", 100),
    "demo, chapter": ("demo --only poisson --size 8 -o new", 12_000),
}


@pytest.fixture
def folder(workshop, tmp_path, monkeypatch) -> Path:
    """A copy of the inputs, in which the test runs."""
    copy = shutil.copytree(workshop, tmp_path / "copy")
    monkeypatch.chdir(copy)
    return copy


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("name", CASES)
def test_a_disk_that_fills_up_is_one_sentence_and_one_exit_code(sciml, folder, small_files, name):
    words, size = CASES[name]
    target = folder / words.split()[-1]
    if words.split()[0] in ("mesh", "precondition", "predict", "export"):
        target.write_bytes(b"an old file")
    before = contents(folder)
    small_files(size)
    code, _, err = sciml(*words.split())
    small_files(None)
    *progress, sentence = err.splitlines()
    assert code == FAILED and not any(line.startswith("sciml: ") for line in progress)
    assert sentence.startswith("sciml: the largest size of a file is reached, ")
    assert sentence.endswith(" could not be written; free some space or write elsewhere")
    after = contents(folder)
    assert all(after[path] == content for path, content in before.items())
    assert all(path.startswith(str(folder / "new/")) for path in set(after) - set(before))
    assert not list(folder.rglob("*.part")) and not (folder / "new" / "result.json").exists()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_told_from_wrong_input_whatever_was_made_of_it(code):
    full = OSError(code, os.strerror(code), "x.vtu")
    try:
        try:
            raise MeshFileError("x.vtu cannot be written") from full
        except MeshFileError as error:
            raise InputError("no output") from error
    except InputError as error:
        sentence, number = explain(error)
    assert number == FAILED and "x.vtu could not be written" in sentence
    assert explain(InputError("no output"))[1] != FAILED
    assert explain(OSError(errno.EIO, "broken", "x.vtu"))[1] != FAILED


def test_no_room_for_temporary_files_is_a_sentence():
    sentence, code = explain(FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']"))
    assert code == FAILED and "TMPDIR" in sentence
