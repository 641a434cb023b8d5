"""Folders from elsewhere may hold links to any file: no run empties, changes or removes what they lead to."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from toy_runs import toy

from sciml.atomic import write_text
from sciml.errors import InputError
from sciml.run_folder import LOCK, FolderLock, RunFolder, check_writable
from sciml.training.run import evaluate, train

TEXTS = ["config.yaml", "environment.json", "metrics.csv", "result.json"]
WRITTEN = [*TEXTS, "checkpoints/last.ckpt", "checkpoints/best.ckpt", "figures/history.png"]
FOLDERS = ["checkpoints", "figures", "states"]
MINE = "mine: not to be changed\n" * 10


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("whole") / "run"
    train(toy(), folder)
    torch.set_num_threads(threads)
    return folder


@pytest.fixture(autouse=True)
def no_curves(monkeypatch):
    monkeypatch.setattr("sciml.plots.training_history", lambda rows, path, **words: write_text(path, "a picture"))


@pytest.fixture
def mine(tmp_path) -> Path:
    """A file of the user, outside the run."""
    path = tmp_path / "mine" / "last.ckpt"
    path.parent.mkdir()
    path.write_text(MINE)
    return path


def unfinished(whole: Path, folder: Path) -> Path:
    """Return a copy of a run that ended before its result."""
    shutil.copytree(whole, folder)
    (folder / "result.json").unlink()
    return folder


@pytest.mark.parametrize("plant", ["symlink_to", "hardlink_to"])
def test_the_lock_is_not_a_link(tmp_path, mine, plant):
    getattr(tmp_path / LOCK, plant)(mine)
    with pytest.raises(InputError, match=r"\.lock is .*remove it"), FolderLock(tmp_path):
        pass
    assert mine.read_text() == MINE


def test_the_lock_is_a_regular_file(tmp_path):
    os.mkfifo(tmp_path / LOCK)
    with pytest.raises(InputError, match="not a file of its own"), FolderLock(tmp_path):
        pass


def plant(folder: Path, names: Sequence[str], mine: Path) -> None:
    """Put links to a file of the user in the places of files of a run."""
    for name in names:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(mine)


@pytest.mark.parametrize("way", ["resume", "overwrite"])
def test_a_run_writes_through_no_link_in_the_place_of_its_parts(whole, tmp_path, mine, way):
    folder = unfinished(whole, tmp_path / "run")
    plant(folder, [f"{name}.part" for name in WRITTEN], mine)
    train(toy(), folder, **{way: True})
    assert mine.read_text() == MINE and not list(folder.rglob("*.part"))


def test_a_run_that_is_overwritten_writes_through_no_link_in_the_place_of_its_files(whole, tmp_path, mine):
    folder = unfinished(whole, tmp_path / "run")
    plant(folder, [name for name in WRITTEN if name != "environment.json"], mine)
    train(toy(), folder, overwrite=True)
    assert mine.read_text() == MINE and not any((folder / name).is_symlink() for name in WRITTEN)


@pytest.mark.parametrize("name", ["environment.json", "metrics.csv", "checkpoints/best.ckpt", "figures/history.png"])
def test_a_run_that_is_resumed_refuses_links_in_the_place_of_its_files(whole, tmp_path, mine, name):
    folder = unfinished(whole, tmp_path / "run")
    shutil.copy(folder / "checkpoints" / "last.ckpt", mine)  # what is read there is sound
    before = mine.read_bytes()
    plant(folder, [name], mine)
    with pytest.raises(InputError, match=rf"{name} is a symbolic link"):
        train(toy(), folder, resume=True)
    assert mine.read_bytes() == before and not (folder / LOCK).exists()


@pytest.mark.parametrize("name", FOLDERS)
def test_no_folder_of_a_run_is_a_link_to_another_one(whole, tmp_path, mine, name):
    folder = unfinished(whole, tmp_path / "run")
    if (folder / name).exists():
        shutil.rmtree(folder / name)
    (folder / name).symlink_to(mine.parent)
    with pytest.raises(InputError, match="is a symbolic link"):
        train(toy(), folder, overwrite=True)
    assert os.listdir(mine.parent) == ["last.ckpt"] and mine.read_text() == MINE


def test_what_a_kill_left_is_not_looked_for_behind_links(whole, tmp_path, mine):
    folder = unfinished(whole, tmp_path / "run")
    download = mine.with_name("film.part")
    download.write_text("half a film")
    (folder / "downloads").symlink_to(mine.parent)
    train(toy(), folder, resume=True)
    assert download.read_text() == "half a film"


def test_the_numbers_of_an_evaluation_go_through_no_link(whole, tmp_path, mine):
    shutil.copytree(whole, tmp_path / "run")
    (tmp_path / "run" / "evaluation.json").symlink_to(mine)
    with pytest.raises(InputError, match="symbolic link"):
        evaluate(tmp_path / "run")
    assert mine.read_text() == MINE


def test_a_run_may_lie_behind_a_link(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "runs").symlink_to(tmp_path / "disk")
    with FolderLock(tmp_path / "runs" / "a"):
        RunFolder(tmp_path / "runs" / "a").finish("finished", {})
    assert (tmp_path / "disk" / "a" / "result.json").is_file()


def test_an_output_that_is_a_link_is_refused_before_the_work(tmp_path, mine):
    (tmp_path / "x.npz").symlink_to(mine)
    with pytest.raises(InputError, match=r"x\.npz is a symbolic link to .*last\.ckpt"):
        check_writable(tmp_path / "x.npz", (".npz",))
    assert (tmp_path / "x.npz").is_symlink() and mine.read_text() == MINE
