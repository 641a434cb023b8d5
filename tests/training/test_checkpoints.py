"""Checkpoints: what is damaged is refused, what is hostile does nothing, what is there survives a full disk."""

from __future__ import annotations

import errno
import os
import pickle
import struct
import zipfile
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch

from sciml import atomic
from sciml.errors import CheckpointError
from sciml.training.checkpoints import read_checkpoint, write_checkpoint

WEIGHTS = {"state_dict": {"weight": torch.arange(600.0).reshape(20, 30), "step": torch.tensor(3)}, "epoch": 4}
JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffdb0043") + bytes(range(256)) * 8 + b"\xff\xd9"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "checkpoints" / "last.ckpt"
    write_checkpoint(WEIGHTS, path)
    return path


def test_what_is_written_is_read_and_torch_and_zip_read_it_as_well(checkpoint):
    for found in (read_checkpoint(checkpoint), torch.load(checkpoint, weights_only=True)):
        assert found["epoch"] == 4
        assert torch.equal(found["state_dict"]["weight"], WEIGHTS["state_dict"]["weight"])
    assert zipfile.ZipFile(checkpoint).testzip() is None
    assert [path.name for path in checkpoint.parent.iterdir()] == ["last.ckpt"]


@pytest.mark.parametrize("tenth", range(10))
def test_a_checkpoint_cut_short_is_refused(checkpoint, tenth):
    data = checkpoint.read_bytes()
    checkpoint.write_bytes(data[: len(data) * tenth // 10 + (tenth == 9) * (len(data) // 10 - 1)])
    with pytest.raises(CheckpointError, match=r"last\.ckpt is damaged"):
        read_checkpoint(checkpoint)


def test_each_flipped_bit_is_found(checkpoint):
    data = checkpoint.read_bytes()
    draws = np.random.default_rng(0)
    places = [*draws.integers(0, len(data), 60), 0, len(data) - 1, *range(len(data) - 95, len(data), 7)]
    for place in places:
        damaged = bytearray(data)
        damaged[place] ^= 1 << draws.integers(8)
        checkpoint.write_bytes(damaged)
        with pytest.raises(CheckpointError, match="is damaged"):
            read_checkpoint(checkpoint)


@pytest.mark.parametrize("contents", [b"", b"x", JPEG, b"PK\x05\x06" + bytes(18), bytes(5000)])
def test_other_files_are_refused(checkpoint, contents):
    checkpoint.write_bytes(contents)
    with pytest.raises(CheckpointError, match=r"damaged or no checkpoint of sciml"):
        read_checkpoint(checkpoint)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(CheckpointError, match="does not exist"):
        read_checkpoint(tmp_path / "last.ckpt")
    with pytest.raises(CheckpointError, match="is a folder, expected a regular file"):
        read_checkpoint(tmp_path)


class Hostile:
    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self):
        return os.system, (f"touch {self.canary}",)


@pytest.mark.parametrize(
    "place", ["alone", "beside weights", "with a checksum", "a bare pickle", "a bare pickle, sealed"]
)
def test_a_hostile_pickle_is_refused_and_runs_nothing(tmp_path, place):
    canary, path = tmp_path / "canary", tmp_path / "last.ckpt"
    hostile = {"state_dict": {"weight": torch.ones(2), "other": Hostile(canary)}}
    if place == "alone":
        torch.save(Hostile(canary), path)
    elif place == "beside weights":
        torch.save(hostile, path)
    elif place == "with a checksum":
        write_checkpoint(hostile, path)
    else:
        path.write_bytes(pickle.dumps(hostile, protocol=2))
        if "sealed" in place:
            data = path.read_bytes() + b"PK\x05\x06" + bytes(16) + struct.pack("<H", 71)
            path.write_bytes(data + b"sha256:" + sha256(data).hexdigest().encode())
    with pytest.raises(CheckpointError):
        read_checkpoint(path)
    assert not canary.exists()
    # the trap is armed: whoever unpickles it does run it
    if place == "with a checksum":
        torch.load(path, weights_only=False)
        assert canary.exists()


@pytest.mark.parametrize("contents", [{"epoch": 3}, [torch.ones(1)], {"state_dict": 3}])
def test_a_checkpoint_without_weights_is_refused(tmp_path, contents):
    path = tmp_path / "last.ckpt"
    if isinstance(contents, dict):
        write_checkpoint(contents, path)
        with pytest.raises(CheckpointError, match="holds no weights"):
            read_checkpoint(path)
    else:
        torch.save(contents, path)
        with pytest.raises(CheckpointError, match="damaged or no checkpoint"):
            read_checkpoint(path)


def test_a_full_disk_is_named_and_leaves_the_checkpoint_before(checkpoint, monkeypatch):
    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(atomic.os, "fsync", fail)
    with pytest.raises(OSError) as caught:
        write_checkpoint({**WEIGHTS, "epoch": 5}, checkpoint)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(checkpoint))
    assert read_checkpoint(checkpoint)["epoch"] == 4
    assert [path.name for path in checkpoint.parent.iterdir()] == ["last.ckpt"]


def test_a_process_killed_while_writing_leaves_the_checkpoint_before(checkpoint, monkeypatch):
    class Killed(BaseException):
        pass

    def kill(descriptor: int) -> None:
        raise Killed

    monkeypatch.setattr(atomic.os, "fsync", kill)
    with pytest.raises(Killed):
        write_checkpoint({**WEIGHTS, "epoch": 5}, checkpoint)
    assert read_checkpoint(checkpoint)["epoch"] == 4
