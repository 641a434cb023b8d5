"""Run folders: what they record, what they refuse, and that a result appears only when a run has finished."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import sciml
from sciml.errors import InputError
from sciml.run_folder import RunFolder, check_writable, environment


def read(path: Path) -> dict:
    return json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(f"{path} holds {name}"))


def test_a_new_run_has_an_environment_and_no_result_yet(tmp_path):
    run = RunFolder(tmp_path / "deep" / "run")
    assert [path.name for path in run.path.iterdir()] == ["environment.json"]
    found = read(run / "environment.json")
    assert found["sciml"] == sciml.__version__
    assert found["packages"]["numpy"] == np.__version__
    assert found["cores"] >= 1
    assert found["processor"]


def test_the_result_has_the_fields_that_every_run_has(tmp_path):
    run = RunFolder(tmp_path / "run")
    run.finish("converged", {"error": np.float32(0.5), "bad": math.nan}, seed=7, config={"size": np.int64(8)})
    result = read(run / "result.json")
    assert list(result) == ["status", "metrics", "seconds", "seed", "config", "version", "sha256"]
    assert result["metrics"] == {"error": 0.5, "bad": None}
    assert (result["status"], result["seed"], result["config"]) == ("converged", 7, {"size": 8})
    assert result["seconds"] >= 0.0


def test_a_folder_with_files_in_it_is_refused_and_left_as_it_was(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(InputError, match="is not empty"):
        RunFolder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_overwriting_removes_the_old_result_before_the_run_and_keeps_other_files(tmp_path):
    RunFolder(tmp_path / "run").finish("converged", {})
    (tmp_path / "run" / "notes.txt").write_text("mine")
    run = RunFolder(tmp_path / "run", overwrite=True)
    assert not (run / "result.json").exists()
    assert (run / "notes.txt").read_text() == "mine"


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "run").write_text("a file")
    with pytest.raises(InputError, match="is a file"):
        RunFolder(tmp_path / "run", overwrite=True)
    with pytest.raises(InputError, match="cannot be written"):
        RunFolder(tmp_path / "run" / "below")


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    run = RunFolder(tmp_path / "run")
    run.write_text("table.md", "old")
    with pytest.raises(UnicodeEncodeError):
        run.write_text("table.md", "half \ud800")
    assert (run / "table.md").read_text() == "old"
    assert not list(run.path.glob("*.part"))


def test_a_clone_records_its_commit(repository):
    if not (repository / ".git").exists():
        pytest.skip("this is no clone")
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=repository, capture_output=True, text=True, check=True
    ).stdout.strip()
    found = environment()
    assert found["commit"] == head
    assert isinstance(found["dirty"], bool)


def test_the_command_line_is_recorded_so_that_a_shell_takes_it(tmp_path):
    code = "from sciml.run_folder import environment; print(environment()['command'])"
    package_home = str(Path(sciml.__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, "-c", code, "demo", "a b.ply"],
        capture_output=True, text=True, check=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": package_home},
    )  # fmt: skip
    assert done.stdout == "-c demo 'a b.ply'\n"


@pytest.mark.parametrize(
    ("name", "reason"),
    [("x.csv", "its ending is '.csv'"), ("x", "its ending is ''"), ("absent/x.npz", "No such file"),
     ("folder.npz", "is a folder"), ("file/x.npz", "Not a directory")],
)  # fmt: skip
def test_a_place_that_cannot_be_written_is_refused_beforehand(tmp_path, name, reason):
    (tmp_path / "folder.npz").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=reason):
        check_writable(tmp_path / name, (".npz",))


def test_asking_whether_a_place_can_be_written_leaves_no_file(tmp_path):
    check_writable(tmp_path / "x.npz", (".npz",))
    assert not list(tmp_path.iterdir())
