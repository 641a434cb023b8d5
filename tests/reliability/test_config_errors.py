"""Wrong configs, through the command line: exit code 2, and one sentence that names the file and the key."""

from __future__ import annotations

import signal

import pytest
import yaml

from sciml.cli import main

RIGHT = {
    "title": "a box",
    "seed": 0,
    "task": {"class_path": "sciml.dcdm.DirectionTask", "init_args": {"dimension": 2, "filters": 4}},
    "data": {
        "class_path": "sciml.dcdm.RitzDirections",
        "init_args": {"dimension": 2, "sizes": [16], "cases": {"box": 1}},
    },
    "training": {"phases": [{"optimizer": "adam", "learning_rate": 1e-3, "epochs": 1}]},
    "trainer": {"precision": "32-true"},
    "paper": {"claim": "few iterations", "source": "the paper"},
    "cite": ["kaneda2023"],
}
SCREEN = 24 * 80  # characters

# What is changed (a value of None takes the key away), and what the sentence must say.
WRONG_KEYS = {
    "misspelt section": ({"trianing": {}}, ["'trianing'", "did you mean 'training'?"]),
    "unknown section": ({"optimiser": "adam"}, ["'optimiser'"]),
    "no title": ({"title": None}, ["title is missing"]),
    "no task": ({"task": None}, ["task is missing"]),
    "no class": ({"task": {"init_args": {}}}, ["task.class_path is missing"]),
    "misspelt class_path": ({"task.class_pat": "x"}, ["task has no 'class_pat'", "'class_path'?"]),
    "misspelt parameter": ({"task.init_args.filtres": 8}, ["task.init_args has no 'filtres'", "mean 'filters'?"]),
    "misspelt parameter of the data": ({"data.init_args.size": [8]}, ["data.init_args has no 'size'", "'sizes'?"]),
    "misspelt setting": ({"training.gradient_clipp": 1}, ["training has no 'gradient_clipp'", "'gradient_clip'?"]),
    "misspelt key of a phase": (
        {"training.phases": [{"epochs": 1, "learning_rte": 1e-3}]},
        ["training.phases.0 has no 'learning_rte'", "did you mean 'learning_rate'?"],
    ),
    "misspelt key of the trainer": ({"trainer.precison": "32-true"}, ["trainer has no 'precison'", "'precision'?"]),
    "a key that is ours": ({"trainer.max_epochs": 3}, ["trainer.max_epochs", "training.phases.N.epochs"]),
    "misspelt key of the paper": ({"paper.claims": "x"}, ["paper has no 'claims'", "'claim'?"]),
    "no epochs": (
        {"training.phases": [{"optimizer": "adam"}]},
        ["training.phases.0.epochs is missing"],
    ),
    "no phases": ({"training": {"gradient_clip": 1.0}}, ["training.phases is missing"]),
}
WRONG_VALUES = {
    "text for a number": ({"task.init_args.filters": "many"}, ["task.init_args.filters is 'many'", "a whole number"]),
    "a fraction for a count": ({"task.init_args.filters": 4.5}, ["task.init_args.filters is 4.5", "a whole number"]),
    "true for a count": ({"task.init_args.filters": True}, ["task.init_args.filters is true", "a whole number"]),
    "null for a count": ({"task.init_args.filters": [None]}, ["task.init_args.filters is [None]"]),
    "text for a list": ({"data.init_args.sizes": "large"}, ["data.init_args.sizes is 'large'", "a list"]),
    "misspelt choice": (
        {"training.phases": [{"epochs": 1, "optimizer": "adm"}]},
        ["training.phases.0.optimizer is 'adm'", "did you mean 'adam'?"],
    ),
    "a number below its range": ({"training.phases": [{"epochs": 0}]}, ["epochs", "0", "at least 1"]),
    "no list of phases": ({"training.phases": 20}, ["training.phases is 20", "a list"]),
    "an empty list of phases": ({"training.phases": []}, ["training.phases is empty"]),
    "a seed below zero": ({"seed": -1}, ["seed is -1"]),
    "text for init_args": ({"task.init_args": "none"}, ["task.init_args is 'none'", "dimension"]),
    "a precision that the task forbids": ({"trainer.precision": "16-mixed"}, ["trainer.precision", "32-true"]),
    "text for the task": ({"task": "dcdm"}, ["task is 'dcdm'", "class_path"]),
    "unknown reference": ({"cite": ["kaneda2032"]}, ["'kaneda2032'", "'kaneda2023'?"]),
}
WRONG_CLASSES = {
    "misspelt class": (
        {"task.class_path": "sciml.dcdm.DirectionTsak"},
        ["no class that a config may name", "'sciml.dcdm.DirectionTask'?"],
    ),
    "misspelt module": (
        {"task.class_path": "sciml.dcmd.DirectionTask"},
        ["no class that a config may name", "'sciml.dcdm.DirectionTask'?"],
    ),
    "a class that is no task": ({"task.class_path": "torch.nn.Linear"}, ["task.class_path", "expected a Task"]),
    "data for the task": ({"task.class_path": "sciml.dcdm.RitzDirections"}, ["expected a Task"]),
    "a function": ({"task.class_path": "sciml.dcdm.shipped"}, ["no class that a config may name", "expected a Task"]),
    "a class from outside": (
        {"task.class_path": "subprocess.Popen"},
        ["subprocess.Popen", "no class that a config may name"],
    ),
    "a class from outside, deep inside": (
        {"training.phases": [{"epochs": 1, "options": {"betas": {"class_path": "os.system"}}}]},
        ["training.phases.0.options.betas", "names a class, but only plain values are expected"],
    ),
    "no name of a class": ({"data.class_path": "rm -rf /"}, ["data.class_path is 'rm -rf /'", "expected a class"]),
}
CHANGES = WRONG_KEYS | WRONG_VALUES | WRONG_CLASSES

FILES = {
    "empty": (b"", "is empty"),
    "only a comment": (b"# nothing\n", "is empty"),
    "broken YAML": (b"title: [a, b\ntask: {", "line 2"),
    "a tab": (b"title: a\n\ttask: b\n", "line 2"),
    "a list": (b"- title\n- task\n", "expected keys"),
    "a number": (b"42\n", "expected keys"),
    "a key twice": (b"title: a\nseed: 0\ntitle: b\n", "line 3"),
    "an alias": (b"title: &a x\ntask: *a\n", "line 2"),
    "an object of Python": (b"title: !!python/object/apply:os.system ['touch pwned']\n", "line 1"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40, "is not text"),
    "control characters": (b"title: \x00\x01\x02\n", "YAML"),
    "a hundred thousand brackets": (b"[" * 100_000, "nested too deeply"),
}

OVERRIDES = {
    "no equals sign": ("training.gradient_clip", "key=value"),
    "no key": ("=3", "key=value"),
    "an empty step": ("task..filters=3", "key=value"),
    "an unknown key": ("task.init_args.filtres=3", "did you mean 'filters'?"),
    "a phase too many": ("training.phases.1.epochs=3", "training.phases is a list of 1"),
    "a phase by name": ("training.phases.first.epochs=3", "training.phases is a list of 1"),
    "a key below a number": ("seed.value=3", "seed is 0"),
    "a value that is no YAML": ("title=[", "title=["),
    "a value of the wrong type": ("training.phases.0.epochs=five", "a whole number"),
}


@pytest.fixture
def sentence(tmp_path, monkeypatch, capsys):
    """What ``sciml train`` says about a wrong config on standard error."""
    monkeypatch.chdir(tmp_path)
    handler = signal.getsignal(signal.SIGTERM)

    def call(*words: object) -> str:
        with pytest.raises(SystemExit) as left:
            main(["train", *map(str, words), "-o", "run"])
        said = capsys.readouterr()
        assert left.value.code == 2, said.err
        assert said.out == ""
        assert said.err.startswith("sciml: ")
        assert said.err.count("\n") == 1 and len(said.err) <= SCREEN
        assert not (tmp_path / "run").exists(), "nothing is made before the config is right"
        return said.err

    yield call
    signal.signal(signal.SIGTERM, handler)


def changed(changes: dict[str, object]) -> dict[str, object]:
    values = yaml.safe_load(yaml.safe_dump(RIGHT))
    for key, value in changes.items():
        *path, last = key.split(".")
        place = values
        for step in path:
            place = place[step]
        if value is None:
            del place[last]
        else:
            place[last] = value
    return values


def test_the_config_that_the_others_spoil_is_right(tmp_path):
    from sciml.training.config import load_config

    (tmp_path / "x.yaml").write_text(yaml.safe_dump(RIGHT))
    assert load_config(tmp_path / "x.yaml").title == "a box"


@pytest.mark.parametrize(("changes", "words"), CHANGES.values(), ids=CHANGES)
def test_a_wrong_config_names_file_and_key(sentence, tmp_path, changes, words):
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(changed(changes)))
    said = sentence("x.yaml")
    assert "x.yaml: " in said
    assert all(word in said for word in words), said


@pytest.mark.parametrize(("content", "word"), FILES.values(), ids=FILES)
def test_a_file_that_is_no_config_is_named_and_runs_nothing(sentence, tmp_path, content, word):
    (tmp_path / "x.yaml").write_bytes(content)
    said = sentence("x.yaml")
    assert "x.yaml" in said and word in said
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(("override", "word"), OVERRIDES.values(), ids=OVERRIDES)
def test_a_wrong_override_is_repeated(sentence, tmp_path, override, word):
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(RIGHT))
    said = sentence("x.yaml", override)
    assert override in said and word in said


def test_a_file_that_is_not_there_and_a_folder(sentence, tmp_path):
    (tmp_path / "box.yaml").write_text(yaml.safe_dump(RIGHT))
    assert "bxo.yaml does not exist; did you mean box.yaml?" in sentence("bxo.yaml")
    assert "no/where.yaml does not exist" in sentence("no/where.yaml")
    (tmp_path / "folder").mkdir()
    assert "folder is a folder, expected a config file" in sentence("folder")
