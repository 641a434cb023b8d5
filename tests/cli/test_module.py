"""``--module FILE.py``: a user's own classes in every verb, and nowhere a file that is imported by itself."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from toy_runs import wait_for
from toy_solves import start_command, states_of

from sciml import strict_yaml, weights
from sciml.errors import CheckpointError, ConfigError
from sciml.mesh import make_mesh, read_mesh, read_series
from sciml.mesh.files import write_fields
from sciml.training import load_field
from sciml.training.config import load_config
from sciml.training.run import evaluate, finished, load_task, train

FISHER = """
import math

import torch
from sciml.domains import Box
from sciml.insr import EvolutionProblem
from sciml.nets import TanhNetwork


class Fisher(EvolutionProblem):
    order = 2

    def __init__(self, diffusivity: float = 1.0, growth: float = 1.0) -> None:
        self.diffusivity, self.growth, self.domain = diffusivity, growth, Box([-10.0], [20.0])

    def rate(self, points, u, time):
        return self.diffusivity * u.second[0] + self.growth * u.value * (1 - u.value)

    def exact(self, points, time):
        speed = 5 * math.sqrt(self.growth * self.diffusivity / 6)
        return (1 + torch.exp(math.sqrt(self.growth / self.diffusivity / 6) * (points - speed * time))) ** -2

    def initial(self, points):
        return self.exact(points, 0.0)

    def on_boundary(self, at, u, time):
        return u.value - self.exact(at.points, time)
"""
NETWORK = """
from sciml.nets import TanhNetwork


class Narrow(TanhNetwork):
    def __init__(self, width: int = 4) -> None:
        super().__init__(1, width=width, box=[[-10.0], [20.0]])
"""
PARTICLE = """
import time
from pathlib import Path

import torch
from torch import nn
from sciml.training.task import Task


class Scale(nn.Module):
    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))


class Particle(Task):
    epochs_of = "steps"
    precisions = ("64-true",)

    def __init__(self, scale: Scale, steps: int = 8, gate: str | None = None, closed_after: int = 0) -> None:
        super().__init__()
        self.scale, self.steps, self.gate, self.closed_after = scale, steps, gate, closed_after
        self.register_buffer("x", torch.ones(()))

    def advance(self, batch):
        while self.gate and self.current_epoch >= self.closed_after and not Path(self.gate).exists():
            time.sleep(0.002)
        noise = torch.randn((), dtype=torch.float64, generator=self.generator())
        self.x += 0.1 * (noise - self.scale.factor * self.x)
        (self.run_folder / "states").mkdir(exist_ok=True)
        (self.run_folder / "states" / f"{self.current_epoch + 1}.txt").touch()
        return {"x": self.x.clone()}

    def solution(self, folder):
        return {"position": float(self.x)}

    def evaluate(self, data):
        return {"position": float(self.x)}

    def predict_file(self, source: Path, output: Path, *, factor: float = 1.0) -> dict[str, float]:
        output.write_text(f"{factor * float(self.x)}")
        return {"position": factor * float(self.x)}
"""
LEARNS = """
import torch
from lightning import LightningDataModule
from sciml.training.task import Task
from torch.utils.data import DataLoader, Dataset


class Line(Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, number):
        return torch.tensor([number / 8.0]), torch.tensor([3 * number / 8.0])


class Lines(LightningDataModule):
    def __init__(self, workers: int = 0) -> None:
        super().__init__()
        self.workers = workers

    def train_dataloader(self):
        return DataLoader(Line(), 4, num_workers=self.workers)

    def val_dataloader(self):
        return DataLoader(Line(), 4)


class Slope(Task):
    def __init__(self, start: float = 0.0) -> None:
        super().__init__()
        self.slope = torch.nn.Parameter(torch.tensor(start))

    def loss(self, batch):
        x, y = batch
        return {"data": (self.slope * x - y).square().mean()}
"""
CANARY = "from pathlib import Path\nPath({!r}).touch()\n"


def front(problem: str = "my_problem.Fisher", network: str = "sciml.nets.TanhNetwork", **arguments: object) -> dict:
    """The config of a front that moves in two short steps."""
    inputs = {"inputs": 1, "width": 4, "box": [[-10], [20]]} if network.startswith("sciml") else {}
    task = {
        "problem": {"class_path": problem, "init_args": arguments},
        "networks": {"u": {"class_path": network, "init_args": inputs}},
        "integrator": {"class_path": "sciml.insr.RungeKutta", "init_args": {"rule": "midpoint"}},
        "time_step": 0.1, "steps": 2, "points": {"count": 60}, "output": {"times": 2, "animation": False},
    }  # fmt: skip
    return {"title": "a front", "task": {"class_path": "sciml.insr.TimeStepping", "init_args": task}}


def particle(**arguments: object) -> dict:
    scale = {"class_path": "particle.Scale", "init_args": {"factor": 0.5}}
    return {
        "title": "a particle",
        "task": {"class_path": "particle.Particle", "init_args": {"scale": scale, **arguments}},
        "trainer": {"accelerator": "cpu"},
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder in which nothing is on the path of Python: files of classes in ``code``, and configs."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "code").mkdir()
    for name, text in [("my_problem", FISHER), ("my_net", NETWORK), ("particle", PARTICLE), ("learns", LEARNS)]:
        (folder / "code" / f"{name}.py").write_text(text)
    learns = {
        "title": "a line", "task": {"class_path": "learns.Slope"},
        "data": {"class_path": "learns.Lines", "init_args": {"workers": 1}},
        "training": {"phases": [{"epochs": 2, "learning_rate": 0.1}], "updates_per_batch": 5},
        "trainer": {"accelerator": "cpu"},
    }  # fmt: skip
    for name, values in {"front": front(), "particle": particle(), "learns": learns}.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(values))
    return folder


@pytest.fixture
def run(folder, command) -> Path:
    """The folder of a finished run of a user's task, with exported weights beside it."""
    run = folder / "runs" / "particle"
    if not finished(run):
        assert command("solve", "particle.yaml", "--module", "code/particle.py")[::2] == (0, "")
        assert command("export", run, "-o", folder / "mine.safetensors", "--module", "code/particle.py")[::2] == (0, "")
    return run


def refused(answer: tuple[int, str, str]) -> str:
    code, out, err = answer
    assert code == 2 and (not out or "has finished already" in out)
    assert err.startswith("sciml: ") and err.count("\n") == 1 and len(err) < 600
    return err


def test_a_problem_of_ones_own_has_all_that_a_shipped_one_has(folder, command):
    module = ["--module", "code/my_problem.py"]
    code, out, err = command("solve", "front.yaml", *module)
    assert (code, err) == (0, "")
    run = folder / "runs" / "front"
    record = {"name": "my_problem", "sha256": hashlib.sha256(FISHER.encode()).hexdigest()}
    assert yaml.safe_load((run / "config.yaml").read_text())["modules"] == [record]
    assert finished(run)["config"]["modules"] == [record]
    assert "Fisher" in out and finished(run)["metrics"]["relative_l2"] < 0.05
    assert (run / "figures" / "u.png").stat().st_size > 5000
    assert read_series(run / "fields.xdmf")["u"].values.shape[0] == 2
    assert "has finished already" in command("solve", run, "--resume", *module)[1]
    write_fields(folder / "line.vtu", make_mesh("interval", 3), {})
    assert command("predict", run, "line.vtu", "-o", "u.vtu", *module)[::2] == (0, "")
    _, fields = read_mesh(folder / "u.vtu")
    assert {field.name for field in fields} == {"u", "u_exact"}
    code, out, err = command("evaluate", run, "--json", *module)
    assert (code, err) == (0, "") and json.loads(out)["relative_l2"] == finished(run)["metrics"]["relative_l2"]
    field = load_field(run, modules=[folder / "code" / "my_problem.py"])
    assert field(np.zeros((1, 1)), 0.2) == pytest.approx(fields[0].values[0], rel=1e-12)
    assert command("export", run, "-o", "weights.safetensors", *module)[::2] == (0, "")
    assert command("evaluate", "weights.safetensors", "--json", *module)[1] == out


def test_every_verb_takes_a_task_of_ones_own(run, folder, command):
    module = ["--module", "code/particle.py"]
    position = finished(run)["metrics"]["position"]
    (folder / "in.txt").write_text("")
    for weights_or_run in (run, "mine.safetensors"):
        assert json.loads(command("evaluate", weights_or_run, "--json", *module)[1]) == {"position": position}
        words = ["predict", weights_or_run, "in.txt", "-o", "out.txt", *module, "factor=2"]
        assert command(*words)[::2] == (0, "")
        assert float((folder / "out.txt").read_text()) == 2 * position
    printed = yaml.safe_load(command("solve", run, "--print-config", *module)[1])
    assert printed == yaml.safe_load((run / "config.yaml").read_text())
    assert weights.read_card(folder / "mine.safetensors").config == printed


def test_the_same_in_python(run, folder):
    modules = [folder / "code" / "particle.py"]
    config = load_config(folder / "particle.yaml", ["task.init_args.steps=3"], modules=modules)
    assert config.task_class.__module__ == "particle"
    metrics = train(config, folder / "runs" / "python")["metrics"]
    assert evaluate(folder / "runs" / "python", modules=modules) == {"position": metrics["position"]}
    assert float(load_task(folder / "runs" / "python", modules=modules).x) == metrics["position"]
    with pytest.raises(ConfigError, match=r"give --module path/to/particle\.py"):
        load_task(folder / "runs" / "python")
    with pytest.raises(CheckpointError, match=r"give --module path/to/particle\.py"):
        load_task(folder / "mine.safetensors")


def test_arguments_are_the_keys_of_the_config_and_key_value_changes_them(folder, command):
    words = ["solve", "front.yaml", "--module", "code/my_problem.py", "--print-config"]
    key = "task.init_args.problem.init_args"
    code, out, _ = command(*words, f"{key}.growth=2")
    assert code == 0
    found = yaml.safe_load(out)["task"]["init_args"]["problem"]
    assert found == {"class_path": "my_problem.Fisher", "init_args": {"diffusivity": 1.0, "growth": 2.0}}
    assert "did you mean 'growth'?" in refused(command(*words, f"{key}.grwth=2"))
    assert f"{key}.growth is 'fast', expected a number" in refused(command(*words, f"{key}.growth=fast"))
    assert "did you mean 'my_problem.Fisher'?" in refused(
        command(*words, "task.init_args.problem.class_path=my_problem.Fischer")
    )


def test_a_class_outside_of_the_list_is_answered_with_the_option(command):
    words = ["solve", "front.yaml", "--print-config"]
    assert "for a class of your own, give its file: --module my_problem.py (in Python, modules=" in refused(
        command(*words)
    )
    for known in ("torch.nn.Linear", "os.system", "sciml.insr.Advektion"):
        assert "--module" not in refused(command(*words, f"task.init_args.problem.class_path={known}"))


def test_a_class_imported_by_the_file_or_of_another_kind_is_refused(folder, command):
    words = ["solve", "front.yaml", "--module", "code/my_problem.py", "--print-config"]
    key = "task.init_args.problem.class_path"
    for path in ("my_problem.EvolutionProblem", "my_problem.TanhNetwork", "my_problem.math", "my_problem"):
        refused(command(*words, f"{key}={path}"))
    refused(command(*words, "task.init_args.networks.u.class_path=my_problem.Fisher"))
    refused(command(*words, "task.class_path=my_problem.Fisher"))


def test_two_files_and_a_class_inside_of_another(folder, command, tmp_path):
    (tmp_path / "two.yaml").write_text(yaml.safe_dump(front(network="my_net.Narrow")))
    modules = ["--module", "code/my_problem.py", "--module", "code/my_net.py"]
    words = ["solve", tmp_path / "two.yaml", "-o", tmp_path / "run"]
    assert command(*words, *modules)[::2] == (0, "")
    config = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert [record["name"] for record in config["modules"]] == ["my_net", "my_problem"]
    assert config["task"]["init_args"]["networks"]["u"] == {"class_path": "my_net.Narrow", "init_args": {"width": 4}}
    assert command("evaluate", tmp_path / "run", *modules[2:], *modules[:2])[0] == 0  # in any order
    assert "classes of my_net.py (SHA" in refused(command("evaluate", tmp_path / "run", *modules[:2]))
    assert "my_net.py (SHA-256" in refused(command("evaluate", tmp_path / "run"))


def test_a_file_that_the_config_does_not_need_is_refused(folder, command):
    words = ["solve", "front.yaml", "--module", "code/my_problem.py", "--module", "code/my_net.py", "--print-config"]
    assert "it uses nothing of code/my_net.py, which defines my_net.Narrow" in refused(command(*words))
    assert "uses nothing of code/my_net.py" in refused(
        command("solve", "insr/heat_1d_cpu", "--module", "code/my_net.py", "--print-config")
    )


def test_data_and_a_task_of_ones_own_are_trained_by_processes_that_read_ahead(folder, command):
    code, out, err = command("train", "learns.yaml", "--module", "code/learns.py")
    assert (code, err) == (0, "")
    assert "to measure it, `sciml evaluate runs/learns --module code/learns.py`" in out
    losses = [float(row.split(",")[-1]) for row in (folder / "runs" / "learns" / "metrics.csv").read_text().split()[1:]]
    assert len(losses) == 2 and losses[1] < losses[0]
    assert command("evaluate", "runs/learns", "--module", "code/learns.py")[0] == 0


@pytest.mark.slow
def test_ranks_that_lightning_starts_load_the_file_too(folder, tmp_path):
    words = [sys.executable, "-m", "sciml", "train", "learns.yaml", "--module", "code/learns.py"]
    ranks = ["trainer.devices=2", "trainer.strategy=ddp", "data.init_args.workers=0"]
    done = subprocess.run(
        [*words, *ranks, "-o", str(tmp_path / "run")], cwd=folder, capture_output=True, text=True, timeout=3600,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert finished(tmp_path / "run")


def test_a_run_of_ones_own_class_that_is_killed_goes_on_bit_for_bit(folder, tmp_path):
    gate = tmp_path / "gate"
    (tmp_path / "slow.yaml").write_text(yaml.safe_dump(particle(gate=str(gate), closed_after=3)))
    module = ["--module", folder / "code" / "particle.py"]
    words = ["solve", tmp_path / "slow.yaml", "--resume", *module, "-o"]
    run = tmp_path / "run"
    process = start_command(tmp_path, *words, run)
    wait_for(run / "states" / "3.txt")
    os.kill(process.pid, signal.SIGKILL)
    process.join(3600)
    gate.touch()
    assert finished(run) is None
    for again in (["solve", run, "--resume", *module], [*words, tmp_path / "whole"]):
        process = start_command(tmp_path, *again)
        process.join(3600)
        assert process.exitcode == 0
    assert states_of(run) == states_of(tmp_path / "whole")
    assert finished(run)["metrics"] == finished(tmp_path / "whole")["metrics"]


def test_an_interrupted_run_names_the_file_in_the_command_that_resumes_it(folder, command, tmp_path):
    stops = tmp_path / "particle.py"
    stop = "        if self.current_epoch == 2:\n            raise KeyboardInterrupt\n"
    stops.write_text(PARTICLE.replace("        noise =", stop + "        noise ="))
    code, _, err = command("solve", "particle.yaml", "--module", stops, "-o", tmp_path / "run")
    assert code == 130
    assert err.endswith(f"resume with `sciml solve {tmp_path / 'run'} --resume --module {stops}`\n")


VERBS = [
    ["solve", "{run}", "--resume"],
    ["solve", "{run}", "--overwrite"],
    ["solve", "{run}", "--print-config"],
    ["solve", "{run}/config.yaml", "-o", "elsewhere"],
    ["train", "{run}", "--resume"],
    ["train", "particle.yaml", "-o", "{run}", "--resume"],
    ["evaluate", "{run}"],
    ["evaluate", "{run}.safetensors"],
    ["predict", "{run}", "in.txt", "-o", "out.txt"],
    ["export", "{run}", "-o", "out.safetensors"],
    ["predict", "{run}.safetensors", "in.txt", "-o", "out.txt"],
]


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_a_file_that_has_changed_is_refused_and_not_executed(run, folder, command, tmp_path, verb):
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    for ending in (".safetensors", ".yaml"):
        shutil.copy(folder / f"mine{ending}", copy.with_name(f"copy{ending}"))
    (folder / "in.txt").write_text("")
    changed = tmp_path / "particle.py"
    changed.write_text(PARTICLE + CANARY.format(str(tmp_path / "canary")))
    before = {file: file.read_bytes() for file in copy.rglob("*") if file.is_file()}
    said = refused(command(*(word.format(run=copy) for word in verb), "--module", changed))
    if verb[1] == "particle.yaml":  # a new config, whose resumption is refused
        assert "differs from" in said and "modules" in said
    else:
        assert "is not the file that this was made with" in said and "restore the file, or start a new run" in said
        assert not (tmp_path / "canary").exists()
    assert {file: file.read_bytes() for file in copy.rglob("*") if file.is_file()} == before


def test_a_new_run_may_be_started_with_the_changed_file(run, command, tmp_path):
    changed = tmp_path / "particle.py"
    changed.write_text(PARTICLE + "# better\n")
    words = ["solve", run / "config.yaml", "modules=null", "--module", changed, "-o", tmp_path / "new"]
    assert command(*words)[0] == 0
    assert finished(tmp_path / "new")["metrics"] == finished(run)["metrics"]


@pytest.mark.parametrize("verb", [*VERBS, ["solve", "particle.yaml", "-o", "elsewhere"]], ids=" ".join)
def test_no_file_is_ever_imported_by_itself(run, folder, command, tmp_path, monkeypatch, verb):
    """Files of the name lie in the current folder, in the run, beside the config and on the path of Python."""
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    for ending in (".safetensors", ".yaml"):
        shutil.copy(folder / f"mine{ending}", copy.with_name(f"copy{ending}"))
    (folder / "in.txt").write_text("")
    (tmp_path / "path").mkdir()
    trap = PARTICLE + CANARY.format(str(tmp_path / "canary"))
    traps = [place / "particle.py" for place in (folder, copy, tmp_path, tmp_path / "path")]
    monkeypatch.syspath_prepend(tmp_path / "path")
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    monkeypatch.delitem(sys.modules, "particle", raising=False)
    try:
        for path in traps:
            path.write_text(trap)
        said = refused(command(*(word.format(run=copy) for word in verb)))
    finally:
        traps[0].unlink()
    assert "--module" in said
    assert not (tmp_path / "canary").exists() and "particle" not in sys.modules


SHA = "0" * 64


@pytest.mark.parametrize(
    "modules",
    [
        [{"name": "os", "sha256": SHA}], [{"name": "../particle", "sha256": SHA}], [{"name": "a.b", "sha256": SHA}],
        [{"name": "particle", "sha256": [SHA]}], [{"name": "particle", "sha256": SHA, "path": "code/particle.py"}],
        ["code/particle.py"], "code/particle.py", {"particle": SHA}, 3, [{"name": "particle"}],
        [{"name": "particle", "sha256": SHA}] * 2, [{"name": "a", "sha256": SHA}] * 2000,
    ],
    ids=lambda value: repr(value)[:50],
)  # fmt: skip
@pytest.mark.parametrize("given", [[], ["--module", "code/particle.py"]], ids=["missing", "given"])
def test_hostile_records_of_files_are_one_sentence(run, folder, command, tmp_path, modules, given):
    card = yaml.safe_load((folder / "mine.yaml").read_text())
    del card[weights.OWN_CHECKSUM]  # as in cards of earlier versions; who writes a hostile one can compute it
    shutil.copytree(run, tmp_path / "run")
    config = {**yaml.safe_load((run / "config.yaml").read_text()), "modules": modules}
    (tmp_path / "run" / "config.yaml").write_text(strict_yaml.dump(config))
    shutil.copy(folder / "mine.safetensors", tmp_path / "bad.safetensors")
    (tmp_path / "bad.yaml").write_text(strict_yaml.dump({**card, "config": config}))
    own = tmp_path / "run" / "config.yaml"
    for words in (["train", own, "-o", tmp_path / "new"], ["evaluate", tmp_path / "bad.safetensors"]):
        said = refused(command(*words, *given))
        assert "modules" in said and " expected " in said
    assert "is not the config of" in refused(command("evaluate", tmp_path / "run", *given))


def test_a_record_of_a_file_that_defines_nothing_of_the_config_is_no_way_around_it(run, folder, command, tmp_path):
    """A card that names the right file, and a class that this file does not define."""
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["task"]["init_args"]["scale"]["class_path"] = "subprocess.Popen"
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / "config.yaml").write_text(strict_yaml.dump(config))
    refused(command("evaluate", tmp_path / "run", "--module", "code/particle.py"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "def __init__(self, factor) -> None:",
            "task.init_args.factor: the parameter factor has no annotation",
        ),
        ("def __init__(self, factor: 'Undefined') -> None:", "the annotations of Own cannot be read"),
    ],
)
def test_a_constructor_that_no_config_can_call_is_refused_in_a_sentence(folder, command, tmp_path, text, reason):
    (tmp_path / "own.py").write_text(
        f"from sciml.training.task import Task\n\n\nclass Own(Task):\n    epochs_of = 'factor'\n\n    {text}\n"
        "        super().__init__()\n"
    )
    values = {"title": "mine", "task": {"class_path": "own.Own", "init_args": {"factor": 1}}}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(values))
    assert reason in refused(command("train", tmp_path / "own.yaml", "--module", tmp_path / "own.py"))


def test_an_exception_in_a_method_is_a_sentence_with_file_and_line(folder, command, tmp_path):
    broken = tmp_path / "particle.py"
    broken.write_text(PARTICLE.replace("self.x += 0.1", "self.y += 0.1"))
    line = (
        broken.read_text().splitlines().index(next(row for row in broken.read_text().splitlines() if "self.y" in row))
    )
    code, _, err = command("solve", "particle.yaml", "--module", broken, "-o", tmp_path / "run")
    assert code == 1 and err.count("\n") == 1
    assert err.startswith(f"sciml: {broken}, line {line + 1}, in advance: AttributeError: 'Particle' object has no")


def test_a_file_with_an_error_is_a_sentence_with_its_line(folder, command, tmp_path):
    broken = tmp_path / "my_problem.py"
    for text, reason in [("x = 1\ndef (\n", "line 2: SyntaxError"), ("import no_such_module\n", "line 1: ModuleNot")]:
        broken.write_text(text)
        assert f"{broken}, {reason}" in refused(
            command("solve", "front.yaml", "--module", broken, "-o", tmp_path / "none")
        )
    assert "does not exist" in refused(command("solve", "front.yaml", "--module", "none.py", "-o", tmp_path / "none"))
    assert not (tmp_path / "none").exists()
