"""Hostile checkpoints with a right checksum: whatever their state says, a run goes on exactly or is refused."""

from __future__ import annotations

import io
import shutil
import struct
import zipfile
from copy import deepcopy
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from toy_runs import toy, weights_of

from sciml.errors import CheckpointError, SciMLError
from sciml.training.checkpoint_states import check_state
from sciml.training.checkpoints import read_checkpoint, write_checkpoint
from sciml.training.run import load_task, train
from sciml.training.settings import Phase, Training


@pytest.fixture(scope="module", autouse=True)
def no_curves():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sciml.plots.training_history", lambda rows, path, **words: None)
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A run whose result is missing, as if it had been killed at its end."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    train(toy(), folder)
    (folder / "result.json").unlink()
    return folder


@pytest.fixture
def copy(run, tmp_path) -> Path:
    return shutil.copytree(run, tmp_path / "copy")


def put(folder: Path, key: str, value: object) -> dict[str, bytes]:
    """Set a value of the last checkpoint by its path, and return all files of the folder."""
    last = folder / "checkpoints" / "last.ckpt"
    checkpoint = deepcopy(read_checkpoint(last))
    place, *steps = checkpoint, *key.split("/")
    for step in steps[:-1]:
        place = place[int(step) if step.isdigit() else step]
    if value is None:
        place.pop(steps[-1], None)
    else:
        place[int(steps[-1]) if steps[-1].isdigit() else steps[-1]] = value
    write_checkpoint(checkpoint, last)
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


CURRENT = "loops/fit_loop/epoch_progress/current"
WRONG = {
    "epoch": [-5, 10**9, "4", 4.5, True, None, 0, 10**400],
    "global_step": [-1, "40", None, 1.5],
    f"{CURRENT}/processed": [-5, 6, 10**9, "5", None, {}],
    f"{CURRENT}/ready": [0, 10**9, "5", None],
    f"{CURRENT}/completed": [5.0, -1, 10**9],
    CURRENT: [None, 5, []],
    "loops": [None, 3, [], {}, {"fit_loop": 3}],
    "loops/fit_loop": [None, {}, 5],
    "loops/fit_loop/epoch_loop.batch_progress/current/ready": [-1, "4", 10**400],
    "loops/fit_loop/epoch_loop.state_dict/_batches_that_stepped": ["a", -1],
    "callbacks": [None, 3, []],
    "callbacks/Rows": [3, {}, {"seconds": "a"}, {"seconds": -1.0}, {"seconds": float("nan")}, {"seconds": 10**400}],
    "callbacks/EpochCheckpoints": [{}, {"name": 3, "best": 0.1}, {"name": None, "best": "small"}],
    "optimizer_states": [None, {}, 3, [], [{}], [{}] * 3],
    "lr_schedulers": [None, 3],
}


@pytest.mark.parametrize("key", WRONG)
def test_a_state_that_no_run_writes_is_refused_and_the_folder_stays_as_it_is(copy, run, key):
    for value in WRONG[key]:
        shutil.copy(run / "checkpoints" / "last.ckpt", copy / "checkpoints" / "last.ckpt")
        before = put(copy, key, value)
        with pytest.raises(CheckpointError, match=r"last\.ckpt is not the state of a run of 5 epochs: .*; use another"):
            train(toy(), copy, resume=True)
        assert {str(path): path.read_bytes() for path in copy.rglob("*") if path.is_file()} == before


UNFIT = {
    "optimizer_states": [[3, 3], [{}, {}], [{"state": {}, "param_groups": []}] * 2],
    "optimizer_states/0/param_groups/0/params": [[0, 1]],
    "current_model_state": [{}, 3],
    "state_dict": [{}],
    "averaging_state": [3],
}


@pytest.mark.parametrize("key", UNFIT)
def test_a_state_that_lightning_cannot_restore_is_refused(copy, run, key):
    for value in UNFIT[key]:
        shutil.copy(run / "checkpoints" / "last.ckpt", copy / "checkpoints" / "last.ckpt")
        put(copy, key, value)
        with pytest.raises(SciMLError, match=r"last\.ckpt"):
            train(toy(), copy, resume=True)


def test_further_keys_change_nothing(copy):
    put(copy, "further", {"a": [1, 2, torch.ones(3)]})
    train(toy(), copy, resume=True)
    assert weights_of(copy)


def test_the_state_of_a_data_loader_is_its_own_affair(copy):
    put(copy, "loops/fit_loop/state_dict/combined_loader", [{"at": 3.5, "name": "a"}])
    last = copy / "checkpoints" / "last.ckpt"
    check_state(read_checkpoint(last), last, Training(phases=[Phase(3), Phase(2)]))


def sealed(data: bytes) -> bytes:
    """Give an archive the checksum of sciml."""
    assert data[-22:-18] == b"PK\x05\x06"
    data = data[:-2] + struct.pack("<H", 71)
    return data + b"sha256:" + sha256(data).hexdigest().encode()


def test_an_archive_that_grows_when_it_is_read_is_refused(copy):
    last = copy / "checkpoints" / "last.ckpt"
    buffer = io.BytesIO()
    torch.save({"state_dict": {"weight": torch.zeros(10**6)}}, buffer)
    bomb = io.BytesIO()
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    last.write_bytes(sealed(bomb.getvalue()))
    with pytest.raises(CheckpointError, match="holds compressed records"):
        load_task(copy)


@pytest.mark.parametrize("place", ["state_dict", "optimizer_states", "further"])
def test_a_number_that_is_repeated_without_end_is_refused(copy, place):
    huge = torch.ones(1).expand(2**40)
    value = {"net.0.weight": huge} if place == "state_dict" else [{"state": {0: {"exp_avg": huge}}}]
    put(copy, place, value)
    with pytest.raises(CheckpointError, match="claims tensors of 4398046511"):
        load_task(copy)


def test_a_thousand_flipped_bytes_are_found(copy):
    last = copy / "checkpoints" / "last.ckpt"
    data = last.read_bytes()
    places = torch.randperm(len(data), generator=torch.Generator().manual_seed(0))[:1000].tolist()
    for place in places:
        last.write_bytes(data[:place] + bytes([data[place] ^ (1 + place % 255)]) + data[place + 1 :])
        with pytest.raises(CheckpointError, match="is damaged"):
            read_checkpoint(last)
