"""Two runs into one folder: the second is refused, whatever the first one was, and a dead one keeps nobody out."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from toy_runs import start, toy, wait_for, weights_of

from sciml.errors import InputError
from sciml.run_folder import LOCK, FolderLock
from sciml.training.run import export_weights, finished, load_task, train

HOLD = """
import os, signal, sys
from sciml.run_folder import FolderLock
with FolderLock(sys.argv[1]):
    if os.fork() == 0:  # a worker that outlives its parent
        signal.pause()
        os._exit(0)
    print("locked", flush=True)
    signal.pause()
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "run")], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout.readline() == "locked\n"
    yield process
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()


def test_a_second_process_is_refused_until_the_first_is_dead(tmp_path, holder):
    folder = tmp_path / "run"
    for _ in range(2):  # to be refused does not free the lock
        with pytest.raises(InputError, match=f"in use by a run, process {holder.pid} on "), FolderLock(folder):
            pass
    holder.kill()
    holder.wait()  # its worker is alive
    assert (folder / LOCK).read_text().startswith(f"process {holder.pid} ")
    with FolderLock(folder):
        assert (folder / LOCK).read_text().startswith(f"process {os.getpid()} ")
    assert not list(folder.iterdir())


def test_a_folder_is_locked_where_the_disk_is_full(tmp_path, monkeypatch):
    def full(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with FolderLock(tmp_path / "run") as lock:
            kept = list(lock.path.iterdir())
    assert kept == [tmp_path / "run" / LOCK] and not list((tmp_path / "run").iterdir())


def test_a_second_run_of_the_same_process_is_refused(tmp_path):
    with FolderLock(tmp_path / "run"):
        with pytest.raises(InputError, match="in use by a run of this process"), FolderLock(tmp_path / "run"):
            pass
        with pytest.raises(InputError, match="in use"), FolderLock(tmp_path / "elsewhere" / ".." / "run"):
            pass
    with FolderLock(tmp_path / "run"):
        pass


def test_a_lock_file_that_nobody_holds_is_taken_over(tmp_path):
    (tmp_path / LOCK).write_text("process 1 on elsewhere\n" * 3)
    with FolderLock(tmp_path):
        assert (tmp_path / LOCK).read_text().count("\n") == 1


def test_of_many_at_once_one_at_a_time_holds_the_lock(tmp_path):
    script = """
import sys, time
from pathlib import Path
from sciml.errors import InputError
from sciml.run_folder import FolderLock
taken = 0
while taken < 30:
    try:
        with FolderLock(sys.argv[1]):
            with open(sys.argv[2], "x"):  # fails if another one is inside
                pass
            time.sleep(0.001)
            Path(sys.argv[2]).unlink()
            taken += 1
    except InputError:
        pass
print(taken)
"""
    crowd = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path / "run"), str(tmp_path / "inside")],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(3)
    ]  # fmt: skip
    answers = [process.communicate(timeout=3600) for process in crowd]
    assert [error for _, error in answers] == ["", "", ""]
    assert [taken for taken, _ in answers] == ["30\n"] * 3


def test_the_lock_works_from_a_thread(tmp_path):
    found: list[str] = []

    def try_it() -> None:
        try:
            with FolderLock(tmp_path):
                found.append("taken")
        except InputError:
            found.append("refused")

    for _ in range(2):
        with FolderLock(tmp_path):
            thread = threading.Thread(target=try_it)
            thread.start()
            thread.join()
    assert found == ["refused", "refused"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "run").mkdir(mode=0o500)
    with pytest.raises(InputError, match="cannot be locked"), FolderLock(Path(tmp_path / "run")):
        pass


def test_a_run_in_progress_is_neither_resumed_nor_overwritten_nor_exported(tmp_path):
    folder, endless = tmp_path / "run", {"seconds": 3600.0}
    process = start(folder, endless)
    try:
        wait_for(folder / "checkpoints" / "last.ckpt")
        config = (folder / "config.yaml").read_bytes()
        for options in ({"resume": True}, {"overwrite": True}, {}):
            with pytest.raises(InputError, match=f"in use by a run, process {process.pid} on "):
                train(toy(**endless), folder, **options)
        with pytest.raises(InputError, match="holds no finished run"):
            export_weights(folder, tmp_path / "w.safetensors")
        assert load_task(folder)  # the initial weights
        assert (folder / "config.yaml").read_bytes() == config
        assert not list(tmp_path.glob("w.*"))
    finally:
        process.kill()
        process.join()


def test_of_two_resumptions_at_once_one_goes_on_and_the_other_is_refused(tmp_path):
    folder, slow = tmp_path / "run", {"seconds": 0.01}
    stopped, whole = start(folder, slow), start(tmp_path / "whole", slow)
    wait_for(folder / "checkpoints" / "last.ckpt")
    stopped.kill()
    stopped.join()
    pair = [start(folder, slow, resume=True) for _ in range(2)]
    for each in (whole, *pair):
        each.join(3600)
    # one that comes after the end of the other finds that there is nothing to do
    assert sorted(each.exitcode for each in pair) in ([0, 2], [0, 0])
    assert weights_of(folder) == weights_of(tmp_path / "whole")
    assert finished(folder)["metrics"] == finished(tmp_path / "whole")["metrics"]
