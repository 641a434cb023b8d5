"""``sciml export``, and ``sciml precondition --weights`` with what it wrote."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from sciml.dcdm import DeepConjugateDirections, shipped
from sciml.linalg import VoxelPoisson, solve
from sciml.linalg.sparse_files import write_cells
from sciml.training.config import config_from_values
from sciml.training.run import load_task, train

CONFIG = {
    "title": "a small box",
    "task": {"class_path": "sciml.dcdm.DirectionTask", "init_args": {"dimension": 2, "filters": 4, "pairs": [1, 1, 1]}},
    "data": {
        "class_path": "sciml.dcdm.RitzDirections",
        "init_args": {"sizes": [16], "cases": {"box": 1}, "batch_size": 2, "batches_per_epoch": 3},
    },
    "training": {"phases": [{"epochs": 1}]},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with finished, unfinished and diverged runs, a system, and a config called small.yaml."""
    folder = tmp_path_factory.mktemp("export")
    train(config_from_values(CONFIG, "small.yaml"), folder / "small")
    for name in ("unfinished", "diverged"):
        shutil.copytree(folder / "small", folder / name)
    (folder / "unfinished" / "result.json").unlink()
    result = json.loads((folder / "small" / "result.json").read_text())
    del result["sha256"]  # as in results of earlier versions
    (folder / "diverged" / "result.json").write_text(json.dumps(result | {"status": "diverged"}))
    (folder / "small.yaml").write_text(yaml.safe_dump(CONFIG))
    write_cells(folder / "s.npz", box().cells, right_hand_side(), outside="dirichlet")
    return folder


def box() -> VoxelPoisson:
    return VoxelPoisson.from_cells(np.zeros((16, 16), np.uint8), outside="dirichlet")


def right_hand_side() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((16, 16))


def test_exported_weights_solve_as_the_network_of_the_run_does(folder, command):
    code, out, err = command("export", "small", "-o", "mine.safetensors")
    assert (code, out, err) == (0, "mine.safetensors and mine.yaml written; keep the two together\n", "")
    words = ["precondition", "s.npz", "--method", "dcdm", "--rtol", "1e-8", "--weights", "mine.safetensors"]
    code, out, err = command(*words, "-o", "x.npz", "--json")
    assert (code, err) == (0, "")
    mine = DeepConjugateDirections(load_task(folder / "small").network)
    expected = solve(box(), right_hand_side(), method=mine, rtol=1e-8)
    assert json.loads(out)["iterations"] == expected.iterations
    with np.load(folder / "x.npz") as file:
        np.testing.assert_allclose(file["x"], expected.x, rtol=1e-12, atol=1e-12)
    trained = json.loads(command("precondition", "s.npz", "--method", "dcdm", "--rtol", "1e-8", "--json")[1])
    assert trained["iterations"] < expected.iterations, "the weights are not those that are shipped"


def test_weights_that_are_shipped_go_by_their_name(command):
    assert "box2d_cpu" in shipped()
    words = ["precondition", "s.npz", "--method", "dcdm", "--json"]
    by_name, nearest = (json.loads(command(*words, *more)[1]) for more in (["--weights", "box2d_cpu"], []))
    assert by_name["iterations"] == nearest["iterations"] < 10


def test_json_tells_what_was_written_and_older_weights_are_replaced(folder, command):
    for _ in range(2):
        code, out, err = command("export", "small", "-o", "told.safetensors", "--json")
        assert (code, err) == (0, "")
        told = json.loads(out)
        assert (told["weights"], told["card"]) == ("told.safetensors", "told.yaml")
        assert told["sha256"] == hashlib.sha256((folder / "told.safetensors").read_bytes()).hexdigest()
        assert told["metrics"] == json.loads((folder / "small" / "result.json").read_text())["metrics"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["export", "unfinished", "-o", "a.safetensors"], "unfinished holds no finished run"),
        (["export", "diverged", "-o", "a.safetensors"], "is diverged, expected a finished one"),
        (["export", "smal", "-o", "a.safetensors"], "did you mean small?"),
        (["export", "box2d_cpu", "-o", "a.safetensors"], "exported already"),
        (["export", "small", "-o", "a.pt"], "its ending is '.pt', expected .safetensors"),
        (["export", "small", "-o", "no/a.safetensors"], "no/a.safetensors cannot be written"),
        (["export", "small", "-o", "small.safetensors"], "small.yaml exists and does not describe weights"),
        (["export", "small", "-o", "small/config.safetensors"], "config.yaml exists and does not describe weights"),
        (["precondition", "s.npz", "--weights", "box2d_cpu"], "dcdm or learned, got --method auto"),
        (["precondition", "s.npz", "--method", "cg", "--weights", "box2d_cpu"], "got --method cg"),
        (["precondition", "s.npz", "--method", "dcdm", "--weights", "small"], "`sciml export small -o"),
        (["precondition", "s.npz", "--method", "dcdm", "--weights", "a.safetensors"], "a.safetensors is neither"),
        (["precondition", "s.npz", "--method", "dcdm", "--weights", "box3d_cpu"], "for 3-D problems, got one in 2-D"),
        (["precondition", "s.npz", "--method", "learned", "--weights", "box2d_cpu"], "expected sciml.dcdm.Multigrid"),
    ],
)
def test_wrong_usage_is_one_sentence_and_nothing_is_written(folder, command, words, reason):
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    code, out, err = command(*words)
    assert (code, out) == (2, "")
    assert err.startswith("sciml: ") and err.count("\n") == 1
    assert reason in err
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("words", [["predict", "s.npz", "-o", "of_diverged.npz"], ["evaluate"]])
def test_a_run_that_diverged_is_used_only_by_the_name_of_its_checkpoint(folder, command, words):
    verb, *more = words
    code, out, err = command(verb, "diverged", *more)
    assert (code, out) == (2, "") and err.count("\n") == 1
    assert err.startswith("sciml: the run in diverged has diverged") and "diverged/checkpoints in place" in err
    assert not (folder / "of_diverged.npz").exists()
    code, out, err = command(verb, "diverged/checkpoints/last.ckpt", *more)
    assert (code, err) == (0, "") and out
    (folder / "of_diverged.npz").unlink(missing_ok=True)
    code, _, err = command("export", "diverged/checkpoints/last.ckpt", "-o", "a.safetensors")
    assert code == 2 and "is a checkpoint, expected the folder of a run" in err
