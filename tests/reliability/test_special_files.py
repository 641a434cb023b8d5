"""Pipes, devices, folders and endless files in the place of any file of any verb: one sentence, no hang, no memory."""

from __future__ import annotations

import os
import resource
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from sciml.errors import InputError
from sciml.regular_files import open_regular, read_bytes, read_text, regular_file

SECONDS = 300  # for one verb: a hang, on the slowest machine
READ = """
cite X.yaml
train X.yaml -o new
solve X.yaml -o new
train X.yaml --resume
evaluate X.safetensors
predict X.safetensors system.npz -o new.npz
predict runs/trained X.npz -o new.npz
precondition X.npz
precondition X.mtx
precondition X.bin
precondition system.npz --rhs X.npy
precondition system.npz --rhs X.npz
precondition system.npz --method dcdm --weights X.safetensors
mesh info X.vtu
mesh info X.vtk
mesh info X.xdmf
mesh info X.msh
mesh info X.med
mesh info X.inp
mesh info X.stl
mesh info X.obj
mesh info X.ply
mesh convert X.vtu new.vtu
data info X.h5
data check X.h5
data convert X.h5 new.h5
demo X.stl --only poisson --size 8 -o new
train trained.yaml --module X.py -o new
"""
WRITTEN = """
export runs/trained -o X.safetensors
predict runs/trained system.npz -o X.npz
precondition system.npz -o X.npz
precondition system.npz -o X.vtu
precondition system.npz -o X.xdmf
precondition system.npz --plot X.png
mesh convert mesh.vtu X.vtu
mesh make square -o X.med
data convert heat.h5 X.h5
data generate heat size=9 -n 2 -o X.h5
train trained.yaml -o X.run
solve solved.yaml -o X.run
demo --only poisson --size 8 -o X.run
"""
OF_A_RUN = ["config.yaml", "checkpoints/last.ckpt"]


def lines(text: str) -> list[str]:
    return text.strip().splitlines()


@pytest.fixture(autouse=True)
def no_hang() -> Iterator[None]:
    """End a read that waits for ever."""
    before = signal.signal(signal.SIGALRM, hang)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def hang(*arguments: object) -> None:
    pytest.fail("the verb hangs")


@pytest.fixture
def folder(workshop, tmp_path, monkeypatch) -> Path:
    copy = shutil.copytree(workshop, tmp_path / "copy")
    monkeypatch.chdir(copy)
    return copy


def in_place_of(words: str, name: str) -> tuple[list[str], str]:
    """Return the words with a name in the place of X, and the file that they mean."""
    said = [word.replace("X.", f"{name}.") for word in words.split()]
    return said, next(word for word in said if word.startswith(f"{name}."))


def refused(answer: tuple[int, str, str]) -> str:
    code, _, err = answer
    assert code == 2 and err.splitlines()[-1].startswith("sciml: "), answer
    assert sum(line.startswith("sciml: ") for line in err.splitlines()) == 1 and "Traceback" not in err
    return err


@pytest.mark.parametrize("words", [*lines(READ), *lines(WRITTEN)])
def test_a_pipe_is_refused_by_every_verb(sciml, folder, words):
    said, name = in_place_of(words, "pipe")
    os.mkfifo(name)
    before = sorted(folder.iterdir())
    assert name in refused(sciml(*said))
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize("words", lines(READ))
@pytest.mark.parametrize("target", ["/dev/zero", "/proc/self/status"])
def test_a_device_and_an_endless_file_are_refused_by_every_verb(sciml, folder, words, target):
    said, name = in_place_of(words, "device")
    Path(name).symlink_to(target)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(sciml(*said))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 20  # KiB


@pytest.mark.parametrize("name", OF_A_RUN)
@pytest.mark.parametrize("verb", ["evaluate runs/trained", "predict runs/trained system.npz -o new.npz"])
def test_a_pipe_in_a_run_folder_is_refused(sciml, folder, verb, name):
    (folder / "runs/trained" / name).unlink()
    os.mkfifo(folder / "runs/trained" / name)
    refused(sciml(*verb.split()))


def test_only_regular_files_are_read_and_no_further_than_they_are_long(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"one\r\ntwo\n")
    assert regular_file(path) == path and read_text(path) == "one\ntwo\n" and read_bytes(path, 9) == b"one\r\ntwo\n"
    with pytest.raises(InputError, match="larger than 8 bytes"):
        read_bytes(path, 8)
    os.mkfifo(tmp_path / "pipe")
    for special in (tmp_path, tmp_path / "pipe", "/dev/zero", "/dev/null"):
        for read in (regular_file, open_regular, read_bytes, read_text):
            with pytest.raises(InputError, match="expected a regular file"):
                read(special)
    with pytest.raises(FileNotFoundError):
        regular_file(tmp_path / "missing")
    assert read_bytes("/proc/self/status") == b""  # of no size, whatever there is to read


def test_a_config_may_come_through_a_pipe_that_the_shell_has_opened(tmp_path):
    reader, writer = os.pipe()
    os.write(writer, b"seed: 1\n")
    os.close(writer)
    assert read_text(f"/dev/fd/{reader}", 1000) == "seed: 1\n"
    os.close(reader)
