"""A finished run of which one file is damaged, through every verb: one sentence, and the other files as they were.

A verb that does not need the damaged file may go on; then its answer is that of the sound run.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy_runs import toy, weights_of

from sciml.cli import main
from sciml.training.run import evaluate, train


@pytest.fixture(scope="module", autouse=True)
def no_curves():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sciml.plots.training_history", lambda rows, path, **words: path.write_bytes(b"drawn"))
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    train(toy(), folder)
    return folder


def as_json(change: Callable[[Any], Any]) -> Callable[[bytes], bytes]:
    return lambda data: json.dumps(change(json.loads(data))).encode()


def flipped(seed: int) -> Callable[[bytes], bytes]:
    def flip(data: bytes) -> bytes:
        place, bit = np.random.default_rng(seed).integers([len(data), 8])
        return data[:place] + bytes([data[place] ^ (1 << int(bit))]) + data[place + 1 :]

    return flip


def swapped(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    return lambda data: data.replace(old, new)


ANY = {
    "empty": lambda data: b"",
    "half": lambda data: data[: len(data) // 2],
    "binary": lambda data: bytes(range(256)) * 4,
    "zeros": lambda data: bytes(len(data)),
    "a list": lambda data: b"[1]",
    "null": lambda data: b"null",
    "nested": lambda data: b"[" * 10**5,
    "not utf-8": lambda data: data[:20] + b"\xff\xfe" + data[20:],
    **{f"flip {seed}": flipped(seed) for seed in range(6)},
}
RESULT = {
    "unknown status": as_json(lambda values: {**values, "status": "victorious"}),
    "no status": as_json(lambda values: {name: values[name] for name in values if name != "status"}),
    "metrics a list": as_json(lambda values: {**values, "metrics": [1]}),
    "metrics huge": lambda data: data.replace(b'"metrics": {', b'"metrics": {"x": ' + b"1" * 401 + b","),
    "NaN": swapped(b'"seed": 5', b'"seed": NaN'),
    "seconds text": as_json(lambda values: {**values, "seconds": "long"}),
    "twice": swapped(b'"seed"', b'"status"'),
}
ENVIRONMENT = {
    "no command": as_json(lambda values: {name: values[name] for name in values if name != "command"}),
    "resumed a number": as_json(lambda values: {**values, "resumed": 3}),
    "resumed numbers": as_json(lambda values: {**values, "resumed": [3]}),
    "changed a list": as_json(lambda values: {**values, "resumed": [{"changed": [1]}]}),
    "packages a list": as_json(lambda values: {**values, "packages": [1]}),
}
METRICS = {
    "ragged": lambda data: data + b"6,48,0.5,1,2,3,4,5,6\n",
    "words": lambda data: data + b"6,48,a,b,c,d\n",
    "backwards": lambda data: data + b"1,48,0.1,1,2,3\n",
    "another table": lambda data: b"a,b\n1,2\n",
    "huge cell": lambda data: data + b"6," + b"1" * 200_000 + b"\n",
}
CONFIG = {
    "seed": swapped(b"seed: 5", b"seed: 6"),
    "rate": swapped(b"0.01", b"0.02"),
    "class": swapped(b"toy_runs.Noisy", b"toy_runs.Points"),
    "foreign class": swapped(b"toy_runs.Noisy", b"subprocess.Popen"),
    "unknown key": lambda data: data + b"sede: 3\n",
    "twice": lambda data: data + b"seed: 3\n",
    "huge": swapped(b"width: 8", b"width: " + b"9" * 400),
    "alias": lambda data: b"a: &a [1]\nb: *a\n" + data,
}
FILES = {
    "result.json": ANY | RESULT,
    "environment.json": ANY | ENVIRONMENT,
    "metrics.csv": ANY | METRICS,
    "config.yaml": ANY | CONFIG,
    "checkpoints/last.ckpt": ANY,
    "evaluation.json": ANY,
}
# Verbs that read a file and refuse whatever is not what a run writes. A flipped bit may be in a place that means
# nothing, and a table without a whole line is one that was cut short by a kill.
READERS = {
    "result.json": {"evaluate", "predict", "export", "resume"},
    "environment.json": {"export", "resume"},
    "metrics.csv": {"resume"},
    "config.yaml": {"evaluate", "predict", "export", "resume"},
    "checkpoints/last.ckpt": {"evaluate", "predict", "export", "resume"},
    "evaluation.json": set(),
}
CUT_SHORT = {"empty", "half", "zeros", "a list", "null", "nested"}
CASES = [(file, name) for file, kinds in FILES.items() for name in kinds]


def contents(folder: Path) -> dict[str, bytes]:
    """All files but the one that is only written."""
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {name: data for name, data in files.items() if name != "evaluation.json"}


def call(capsys, *words: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    said = capsys.readouterr()
    return left.value.code, said.out, said.err


@pytest.mark.parametrize(("file", "damage"), CASES, ids=[f"{file}-{name}" for file, name in CASES])
def test_every_verb_answers_a_damaged_file_in_a_sentence(run, tmp_path, capsys, file, damage):
    verbs = {
        "evaluate": ["evaluate", "{run}", "--json"],
        "predict": ["predict", "{run}", "-o", tmp_path / "out.vtu"],
        "export": ["export", "{run}", "-o", tmp_path / "w.safetensors"],
        "train": ["train", "{run}"],
        "print": ["train", "{run}", "--print-config"],
        "cite": ["cite", "{run}/config.yaml"],
        "resume": ["train", "{run}", "--resume", "--json"],
    }
    folder = shutil.copytree(run, tmp_path / "run")
    (folder / "evaluation.json").write_text('{"metrics": {}}\n')
    path = folder / file
    path.write_bytes(FILES[file][damage](path.read_bytes()))
    before, metrics = contents(folder), evaluate(run)
    for verb, words in verbs.items():
        code, out, error = call(capsys, *(str(word).replace("{run}", str(folder)) for word in words))
        assert code in (0, 2), (verb, error)
        if code == 2:
            assert error.startswith("sciml: ") and error.count("\n") == 1 and len(error) < 1500, (verb, error)
        elif verb == "evaluate":
            assert json.loads(out) == metrics, "the answer of the sound run"
        if verb in READERS[file] and "flip" not in damage and not (file == "metrics.csv" and damage in CUT_SHORT):
            assert code == 2 and Path(file).name in error, (verb, error)
        assert contents(folder) == before, verb
        assert (tmp_path / "w.safetensors").exists() is (tmp_path / "w.yaml").exists()


UNFINISHED = [case for case in CASES if case[0] not in ("result.json", "evaluation.json")]


@pytest.mark.parametrize(("file", "damage"), UNFINISHED, ids=[f"{file}-{name}" for file, name in UNFINISHED])
def test_a_run_that_was_killed_is_not_resumed_from_a_damaged_file(run, tmp_path, capsys, file, damage):
    folder = shutil.copytree(run, tmp_path / "run")
    (folder / "result.json").unlink()
    path = folder / file
    path.write_bytes(FILES[file][damage](path.read_bytes()))
    before = contents(folder)
    code, _, error = call(capsys, "train", folder, "--resume", "--json")
    if "flip" in damage or (file == "metrics.csv" and damage in CUT_SHORT):
        assert code in (0, 2), error
    else:
        assert code == 2 and Path(file).name in error, error
    if code == 2:
        assert error.startswith("sciml: ") and error.count("\n") == 1, error
        assert contents(folder) == before
    else:
        assert json.loads((folder / "result.json").read_text())["status"] == "finished"


@pytest.mark.parametrize("is_finished", [True, False])
@pytest.mark.parametrize(
    "file", ["result.json", "environment.json", "metrics.csv", "config.yaml", "checkpoints/last.ckpt"]
)
def test_a_file_that_is_missing_is_written_again_or_named(run, tmp_path, capsys, file, is_finished):
    folder = shutil.copytree(run, tmp_path / "run")
    for name in {file} if is_finished else {file, "result.json"}:
        (folder / name).unlink()
    before = contents(folder)
    code, _, error = call(capsys, "train", folder, "--resume", "--json")
    if file == "config.yaml" or (file == "checkpoints/last.ckpt" and not is_finished):
        assert code == 2 and Path(file).name in error and error.startswith("sciml: "), error
        assert contents(folder) == before
    else:
        assert code == 0, error
        assert not (folder / file).exists() or weights_of(folder) == weights_of(run)
