"""Importing sciml is cheap and leaves the process as it was."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

import sciml

PACKAGE = Path(sciml.__file__).parent
HEAVY = ["torch", "numba", "scipy", "matplotlib", "lightning", "typer", "rich", "meshio", "h5py", "pyamg", "skfem"]

LOADED_BY = """
import importlib, sys
for name in sys.argv[2].split(","):
    importlib.import_module(name)
print(",".join(name for name in sys.argv[1].split(",") if name in sys.modules))
"""

# Other people's libraries come first, so that what they do on import is not laid at our door.
LAZY = sorted(
    ".".join(path.parent.relative_to(PACKAGE.parent).parts)
    for path in PACKAGE.rglob("__init__.py")
    if "lazy_exports(" in path.read_text(encoding="utf-8")
)

STATE_AFTER_IMPORTS = """
import contextlib, importlib, io, json, logging, os, random, signal, sys, warnings
import numpy, torch
for name in sys.argv[1].split(","):
    with contextlib.suppress(ImportError):
        importlib.import_module(name)
import scipy.sparse.linalg, scipy.fft, scipy.io, matplotlib.pyplot, numba, torch.utils.checkpoint

def state():
    return {
        "numpy's error state": repr(numpy.geterr()),
        "numpy's print options": repr(numpy.get_printoptions()),
        "numpy's global random state": repr(numpy.random.get_state()[1:3]),
        "Python's global random state": hash(random.getstate()),
        "torch's default dtype": repr(torch.get_default_dtype()),
        "torch's default device": repr(torch.get_default_device()),
        "torch's threads": torch.get_num_threads(),
        "torch's gradient switch": torch.is_grad_enabled(),
        "torch's random state": hash(torch.get_rng_state().numpy().tobytes()),
        "torch's deterministic switch": torch.are_deterministic_algorithms_enabled(),
        "numba's threads": numba.get_num_threads(),
        "matplotlib's settings": hash(repr(dict(matplotlib.rcParams))),
        "the warnings filters": repr(warnings.filters),
        "the root logger": repr((logging.root.handlers, logging.root.level)),
        "the signal handlers": repr([signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]),
        "the exception hook": repr(sys.excepthook),
        "the environment": repr(sorted(os.environ.items())),
        "the working folder": os.getcwd(),
    }

state()  # asking numba starts its threads, which is no fault of ours either
offences = []
for module in sys.argv[2].split(","):
    before, said = state(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        importlib.import_module(module)
    after = state()
    offences += [f"importing {module} changes {what}" for what in before if before[what] != after[what]]
    if said.getvalue():
        offences.append(f"importing {module} writes {said.getvalue()!r}")
print(json.dumps(offences))
"""


def python(source: str, *words: str) -> str:
    command = [sys.executable, "-c", source, *words]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=3600, check=False)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.strip()


def all_modules() -> list[str]:
    names = [".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in PACKAGE.rglob("*.py")]
    return sorted(name.removesuffix(".__init__") for name in names if not name.endswith("__main__"))


@pytest.mark.parametrize("module", ["sciml", "sciml.errors", "sciml.cli"])
def test_the_front_door_loads_no_heavy_library(module: str) -> None:
    assert python(LOADED_BY, ",".join(HEAVY), module) == ""


def test_the_frame_of_the_command_line_loads_nothing_but_typer() -> None:
    others = [name for name in HEAVY if name not in ("typer", "rich")]
    assert python(LOADED_BY, ",".join(["numpy", *others]), "sciml.cli.frame") == ""


def test_importing_any_module_leaves_no_trace_and_prints_nothing() -> None:
    offences = json.loads(python(STATE_AFTER_IMPORTS, ",".join(HEAVY), ",".join(all_modules())))
    assert not offences, "\n".join(offences)


# What a user asks of a package that is optional, by that package.
ASKS_FOR = {
    "distributed": "from sciml.data.generation import dask_executor; dask_executor('tcp://localhost:1').__enter__()",
    "segyio": "from sciml.data.formats.segy import read_segy; read_segy('line.sgy')",
    "tensorboard": "from sciml.training.callbacks import _tensorboard; _tensorboard()",
    "pytorch_optimizer": "from sciml.numerics.optimizers import _soap; _soap()",
}

WITHOUT_EXTRAS = """
import importlib, json, sys
from sciml.errors import MissingExtraError

for name in sys.argv[1].split(","):
    sys.modules[name] = None  # importing it raises ImportError, as if it were not installed
faults = []
for module in sys.argv[2].split(","):
    try:
        importlib.import_module(module)
    except ImportError as error:
        faults.append(f"importing {module}: {error}")
for package, source in json.loads(sys.argv[3]).items():
    try:
        exec(source)
    except MissingExtraError as error:
        if "install" not in str(error):
            faults.append(f"{package}: {error}")
    except Exception as error:
        faults.append(f"{package}: {error!r}")
    else:
        faults.append(f"{package}: nothing raised")
from sciml.bench.poisson.peers import PEERS
if any(peer.package in sys.argv[1].split(",") and peer.installed for peer in PEERS.values()):
    faults.append("a peer without its package counts as installed")
print(json.dumps(faults))
"""


def test_without_the_optional_packages_everything_imports_and_says_what_is_missing() -> None:
    blocked = ",".join(["dask", "distributed", "ilupp", "segyio", "tensorboard", "pytorch_optimizer"])
    faults = json.loads(python(WITHOUT_EXTRAS, blocked, ",".join(all_modules()), json.dumps(ASKS_FOR)))
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("name", LAZY)
def test_a_package_that_loads_its_names_lazily_lists_them_all_and_each_exists(name):
    package = importlib.import_module(name)
    assert set(package.__all__) <= set(dir(package)), f"dir({name}) lacks some of its names"
    assert "__name__" in dir(package) and len(set(package.__all__)) == len(package.__all__)
    for public in package.__all__:
        assert getattr(package, public) is not None
    with pytest.raises(AttributeError, match="has no attribute 'no_such_name'"):
        getattr(package, "no_such_name")  # noqa: B009 - the name exists nowhere
