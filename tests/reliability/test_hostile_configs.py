"""Hostile configs, run folders, cards and words: whatever they name, nothing of it is imported, run or written.

Each is put through every verb that reads it, by `hostile_program.py`, in one process with an audit hook. A canary is a
file that the payload would make if it ran.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

LEARN = {
    "title": "a box",
    "seed": 0,
    "task": {
        "class_path": "sciml.dcdm.DirectionTask",
        "init_args": {"dimension": 2, "filters": 4, "pairs": [1, 1, 1]},
    },
    "data": {
        "class_path": "sciml.dcdm.RitzDirections",
        "init_args": {
            "dimension": 2, "sizes": [16], "cases": {"box": 1}, "vectors": 8, "batch_size": 2, "batches_per_epoch": 1,
            "validation_batches": 1, "test_cases": [], "test_sizes": [],
        },
    },
    "training": {"phases": [{"optimizer": "adam", "epochs": 1}]},
    "trainer": {"accelerator": "cpu"},
}  # fmt: skip
NETWORK = {"class_path": "sciml.nets.TanhNetwork", "init_args": {"inputs": 1, "width": 4, "layers": 1}}
SOLVE = {
    "title": "heat",
    "seed": 0,
    "task": {
        "class_path": "sciml.insr.TimeStepping",
        "init_args": {
            "problem": {"class_path": "sciml.insr.Heat"},
            "networks": {"u": NETWORK},
            "integrator": {"class_path": "sciml.insr.RungeKutta", "init_args": {"rule": "implicit_euler"}},
            "time_step": 0.01,
            "steps": 1,
            "points": {"count": 20, "boundary": 2},
            "output": {"grid": [9], "animation": False},
            "fitting": {"class_path": "sciml.insr.LeastSquaresFit", "init_args": {"initial_tolerance": 10.0}},
        },
    },
    "trainer": {"accelerator": "cpu"},
}
BASES = {"learn": LEARN, "solve": SOLVE}
CANARY = "CANARY"
TOUCH = ["/usr/bin/touch", CANARY]
HANDLER = {
    "class_path": "torch.distributed.elastic.multiprocessing.subprocess_handler.subprocess_handler.SubprocessHandler",
    "init_args": {
        "entrypoint": TOUCH[0], "args": [CANARY], "env": {}, "stdout": None, "stderr": None, "local_rank_id": 0,
        "numa_options": None,
    },
}  # fmt: skip

# Classes and functions of the standard library, of what is installed and of sciml, with the arguments that do harm.
PAYLOADS: dict[str, tuple[Any, dict[str, Any]]] = {
    "Popen": ("subprocess.Popen", {"args": TOUCH}),
    "system": ("os.system", {"command": f"touch {CANARY}"}),
    "posix": ("posix.system", {"command": f"touch {CANARY}"}),
    "exec": ("builtins.exec", {"source": f"open('{CANARY}', 'w')"}),
    "open": ("builtins.open", {"file": CANARY, "mode": "w"}),
    "FileIO": ("io.FileIO", {"file": CANARY, "mode": "w"}),
    "logging": ("logging.FileHandler", {"filename": CANARY}),
    "run_path": ("runpy.run_path", {"path_name": CANARY}),
    "import_module": ("importlib.import_module", {"name": "antigravity"}),
    "Process": ("multiprocessing.Process", {"target": "os.system", "args": [f"touch {CANARY}"]}),
    "Timer": ("threading.Timer", {"interval": 0, "function": "os.system", "args": [f"touch {CANARY}"]}),
    "CDLL": ("ctypes.CDLL", {"name": CANARY}),
    "sqlite": ("sqlite3.Connection", {"database": CANARY}),
    "shelve": ("shelve.DbfilenameShelf", {"filename": CANARY}),
    "socket": ("socket.create_connection", {"address": ["localhost", 1]}),
    "hub": ("torch.hub.load", {"repo_or_dir": "a/b", "model": CANARY, "trust_repo": True}),
    "load": ("torch.load", {"f": CANARY, "weights_only": False}),
    "jit": ("torch.jit.load", {"f": CANARY}),
    "package": ("torch.package.PackageExporter", {"f": CANARY}),
    "extension": ("torch.utils.cpp_extension.load_inline", {"name": CANARY, "cpp_sources": "int main() {}"}),
    "SummaryWriter": ("torch.utils.tensorboard.SummaryWriter", {"log_dir": CANARY}),
    "FileStore": ("torch.distributed.FileStore", {"file_name": CANARY, "world_size": 1}),
    "a module of torch": ("torch.nn.Linear", {"in_features": 10**6, "out_features": 10**6}),
    "an optimizer": ("torch.optim.Adam", {"params": []}),
    "CSVLogger": ("lightning.pytorch.loggers.CSVLogger", {"save_dir": CANARY}),
    "LightningCLI": ("lightning.pytorch.cli.LightningCLI", {"args": [CANARY]}),
    "strategy": ("lightning.pytorch.strategies.DDPStrategy", {}),
    "profiler": ("lightning.pytorch.profilers.SimpleProfiler", {"dirpath": CANARY, "filename": CANARY}),
    "h5py": ("h5py.File", {"name": CANARY, "mode": "w"}),
    "memmap": ("numpy.memmap", {"filename": CANARY, "mode": "w+", "shape": [9]}),
    "numpy's load": ("numpy.load", {"file": CANARY, "allow_pickle": True}),
    "command line": ("sciml.cli.main", {"arguments": ["cite"]}),
    "a file of sciml": ("sciml.atomic.AtomicFile", {"path": CANARY}),
    "a folder of sciml": ("sciml.run_folder.RunFolder", {"folder": CANARY}),
    "a writer of sciml": ("sciml.data.formats.DatasetWriter", {"path": CANARY, "description": None}),
    "a class that needs objects": ("sciml.domains.Region", {"geometry": HANDLER}),
    "a base class": ("sciml.training.Task", {}),
    "a function of sciml": ("sciml.mesh.write_mesh", {"path": CANARY}),
    "what a module imports": ("sciml.atomic.os.system", {"command": f"touch {CANARY}"}),
    "what a former module imports": ("sciml.pde.sampling.math.inf", {}),
    "attributes": ("sciml.nets.Siren.__init__.__globals__", {}),
    "builtins of a module": ("sciml.nets.__builtins__.exec", {}),
    "the class of a class": ("sciml.nets.Siren.__class__", {}),
    "a relative name": ("..os.system", {}),
    "an empty step": ("sciml..nets.Siren", {"inputs": 1}),
    "a name with a space": ("sciml.nets.Siren ", {"inputs": 1}),
    "a name with a line end": ("sciml.nets.Siren\nos.system", {}),
    "a name with a null": ("sciml.nets.Siren\\0", {}),
    "a letter of another alphabet": ("sciml.nеts.Siren", {"inputs": 1}),
    "letters of full width": ("ｓciml.nets.Siren", {"inputs": 1}),
    "a path": (f"../{CANARY}.py:Spy", {}),
    "a module beside the config": ("spy.Spy", {}),
    "a long name": ("sciml." + "a." * 20_000 + "B", {}),
    "no name": ("", {}),
    "a list for a name": (["os.system"], {}),
    "a mapping for a name": ({"class_path": "os.system"}, {}),
    "a number for a name": (7, {}),
    "no value for a name": (None, {}),
}  # fmt: skip

# Keys at which a class is named that has no business there.
PLACES = {
    "learn": [
        "title", "seed", "cite", "cite.0", "data", "training", "training.phases", "training.phases.0",
        "training.phases.0.epochs", "training.phases.0.options", "training.phases.0.options.betas",
        "training.phases.0.options.betas.0", "training.phases.0.options.betas.0.deep.0.deep", "training.weights",
        "training.weights.data", "trainer", "trainer.logger", "trainer.strategy", "trainer.accelerator",
        "trainer.devices", "trainer.devices.0", "trainer.precision", "trainer.callbacks", "trainer.plugins", "paper",
        "paper.metrics", "task.init_args.pairs", "task.init_args.pairs.0", "task.init_args.scaled",
        "data.init_args.cases", "data.init_args.cases.box", "data.init_args.test_cases.0", "data.init_args.sizes",
    ],
    "solve": [
        "task", "task.init_args", "task.init_args.problem", "task.init_args.networks", "task.init_args.integrator",
        "task.init_args.integrator.init_args.rule", "task.init_args.time_step", "task.init_args.points",
        "task.init_args.points.count", "task.init_args.output", "task.init_args.output.mesh",
        "task.init_args.output.grid", "task.init_args.fitting", "task.init_args.fitting.init_args.step",
        "task.init_args.fitting.init_args.step.method", "task.init_args.problem.init_args.lower",
    ],
}  # fmt: skip
# Values that are no class, but that some reader of configs would run, expand, follow or drown in.
VALUES: dict[str, tuple[str, str, Any]] = {
    "a string for a class": ("solve", "task.init_args.networks.u", "os.system"),
    "a string for a class of torch": ("solve", "task.init_args.networks.u", "torch.hub.load"),
    "a string for a section": ("learn", "task", "subprocess.Popen"),
    "a list for arguments": ("solve", "task.init_args.networks.u.init_args", [1, 2]),
    "text for arguments": ("solve", "task.init_args.networks.u.init_args", f"open('{CANARY}', 'w')"),
    "another key beside a class": ("solve", "task.init_args.networks.u.dict_kwargs", {"x": HANDLER}),
    "a variable of the environment": ("learn", "seed", "${HOME}"),
    "a command in a shell": ("learn", "seed", f"$(touch {CANARY})"),
    "a template": ("learn", "training.phases.0.epochs", f"{{{{ open('{CANARY}', 'w') }}}}"),
    "an expression": ("learn", "training.phases.0.epochs", f"__import__('os').system('touch {CANARY}')"),
    "a strategy that Lightning imports": ("learn", "trainer.strategy", "deepspeed"),
    "a strategy by its class": ("learn", "trainer.strategy", "lightning.pytorch.strategies.DDPStrategy"),
    "an accelerator that there is not": ("learn", "trainer.accelerator", "quantum"),
    "a plugin": ("learn", "trainer.plugins", ["os.system"]),
    "a folder of Lightning": ("learn", "trainer.default_root_dir", CANARY),
    "a config for a value": ("learn", "task.init_args", "__default_config__.yaml"),
    "a number beyond all": ("learn", "seed", 10**400),
    "not a number": ("solve", "task.init_args.time_step", float("nan")),
    "a device for data": (
        "learn", "data", {"class_path": "sciml.data.FieldData", "init_args": {"path": "/dev/zero"}},
    ),
    "another machine for a mesh": ("solve", "task.init_args.output", {"mesh": "//host.invalid/share/a.vtu"}),
    "a text for a mesh": ("solve", "task.init_args.output", {"mesh": "/etc/passwd"}),
    "a text for data": ("learn", "data", {"class_path": "sciml.data.FieldData", "init_args": {"path": "/etc/passwd"}}),
    "a pipe for a mesh": ("solve", "task.init_args.output", {"mesh": "pipe.vtu"}),
    "a device for a mesh": ("solve", "task.init_args.output", {"mesh": "/dev/zero"}),
    "a network without end": ("solve", "task.init_args.networks.u.init_args.layers", 10**9),
    "a network without bounds": ("solve", "task.init_args.networks.u.init_args.width", 10**9),
    "filters without bounds": ("learn", "task.init_args.filters", 10**6),
    "a grid without bounds": ("solve", "task.init_args.output.grid", [10**9]),
}  # fmt: skip
TEXTS = {
    "an object of Python": "title: !!python/object/apply:os.system ['touch CANARY']\ntask: 1",
    "a new object of Python": "title: !!python/object/new:subprocess.Popen [['touch', 'CANARY']]\ntask: 1",
    "a name of Python": "title: !!python/name:os.system\ntask: 1",
    "a module of Python": "title: !!python/module:antigravity\ntask: 1",
    "a tag by its address": "title: !<tag:yaml.org,2002:python/object/apply:os.system> ['touch CANARY']\ntask: 1",
    "a key twice": "title: a\ntask: {class_path: sciml.dcdm.DirectionTask, class_path: os.system}",
    "a list for a key": "title: a\n? [CANARY]\n: 1",
    "merge keys": "title: a\ntask: {<<: {class_path: os.system}}",
    "a thousand laughs": "title: &a [x, x]\nseed: &b [*a, *a]\ntask: [*b, *b]",
    "a list for all": "- CANARY",
    "text for all": "CANARY",
}
WORDS = {
    "an override that names a class": ["train", "learn.yaml", f"training.phases.0.options={json.dumps(HANDLER)}"],
    "an override of a name": ["train", "learn.yaml", "task.class_path=os.system"],
    "an override below a class": ["train", "learn.yaml", "task.class_path.__class__=os.system"],
    "an override with a tag": ["train", "learn.yaml", "seed=!!python/object/apply:os.system ['touch CANARY']"],
    "an override with an attribute": ["train", "learn.yaml", "__class__.__init__=1"],
    "an option of a generator": ["data", "generate", "heat", "-n", "1", "-o", "new.h5", f"size={json.dumps(HANDLER)}"],
    "an option of a generator by name": ["data", "generate", "os.system", "-n", "1", "-o", "new.h5"],
    "an option of a prediction": ["predict", "solve_good.safetensors", f"time={json.dumps(HANDLER)}", "-o", "out.npz"],
    "a reference": ["cite", json.dumps(HANDLER)],
    "a method": ["precondition", "system.npz", "--method", "os.system"],
}  # fmt: skip
# These are well-formed, so that a run of one's own may begin; what they ask for is refused when it is opened or built.
LATE = ("a device for data", "a pipe for a mesh", "a device for a mesh", "a network without bounds")
LATE += (
    "another machine for a mesh",
    "a text for a mesh",
    "a text for data",
    "a network without end",
    "a grid without bounds",
    "filters without bounds",
)
OWN = ("train", "solve", "--print-config", "--resume")
READS_NO_CONFIG = ("precondition",)  # it takes the arguments of the task alone


def changed(kind: str, key: str, value: Any) -> str:
    """Return a config with another value at a dotted key; what is missing on the way is made."""
    values = deepcopy(BASES[kind])
    *steps, last = key.split(".")
    place: Any = values
    for step, after in zip(steps, [*steps, last][1:], strict=True):
        empty: Any = [None] if after.isdigit() else {}
        if isinstance(place, list):
            place[int(step)] = place[int(step)] or empty
            place = place[int(step)]
        else:
            place[step] = place.get(step) or empty
            place = place[step]
    if isinstance(place, list):
        place[int(last)] = value
    else:
        place[last] = value
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def cases() -> dict[str, dict[str, Any]]:
    """Return all cases by name."""
    found: dict[str, dict[str, Any]] = {}
    for name, (path, arguments) in PAYLOADS.items():
        payload = {"class_path": path, "init_args": arguments}
        for purpose, kind, key in (
            ("for a network", "solve", "task.init_args.networks.u"),
            ("for a number", "learn", "training.phases.0.options.eps"),
        ):
            found[f"{name}, {purpose}"] = {"kind": kind, "text": changed(kind, key, payload)}
    for kind, places in PLACES.items():
        found |= {f"at {place}": {"kind": kind, "text": changed(kind, place, HANDLER)} for place in places}
    found |= {name: {"kind": kind, "text": changed(kind, key, value)} for name, (kind, key, value) in VALUES.items()}
    found |= {name: {"kind": "learn", "text": text} for name, text in TEXTS.items()}
    return found | {name: {"words": {"the words": words}} for name, words in WORDS.items()}


CASES = cases()


@pytest.fixture(scope="module")
def answers(tmp_path_factory) -> dict[str, dict[str, Any]]:
    """What the program found, by case and verb."""
    folder = tmp_path_factory.mktemp("hostile")
    for kind, values in BASES.items():
        (folder / f"{kind}.yaml").write_text(yaml.safe_dump(values))
    (folder / "wrong.yaml").write_text("title: [")
    (folder / "spy.py").write_text(f"open('{CANARY}', 'w')\nclass Spy: 0\n")
    (folder / "cases.json").write_text(json.dumps(CASES))
    np.savez(folder / "system.npz", cells=np.zeros((16, 16), np.uint8), b=np.ones((16, 16)), outside="dirichlet")
    os.mkfifo(folder / "pipe.vtu")
    program = Path(__file__).with_name("hostile_program.py")
    paths = [str(Path(__file__).parents[2]), str(folder)]  # the folder too: a config could import what lies beside it
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}
    words = [sys.executable, program, folder]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads((folder / "answer.json").read_text())
    assert not list(folder.rglob(f"{CANARY}*")), "a payload ran"
    return found


@pytest.mark.parametrize("name", CASES)
def test_nothing_that_a_hostile_file_names_is_imported_run_or_written(answers, name):
    found = dict(answers[name])
    assert [path for path in found.pop("files") if name not in LATE] == [], "a file that is refused makes no other"
    for verb, done in found.items():
        if name not in LATE or verb not in OWN:
            assert done["seen"] == [], f"{verb}: {done}"


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_file_is_refused_in_one_sentence_by_every_verb(answers, name):
    for verb, done in answers[name].items():
        if verb == "files":
            continue
        if verb in READS_NO_CONFIG and done["code"] in (0, 1):
            continue
        if verb == "export" and name in ("a device for data", "a text for data"):  # the task and its weights are right
            continue
        if verb == "--print-config" and name in LATE and done["code"] == 0:
            continue
        assert done["code"] == 2, f"{verb}: {done}"
        assert done["err"].startswith("sciml: ") and done["err"].count("\n") == 1, f"{verb}: {done}"
        assert len(done["err"]) < 24 * 80, f"{verb}: {done}"
