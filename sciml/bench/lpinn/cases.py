"""What ``sciml bench lpinn`` solves: shipped configs with changes, what they must reach, and who solves them too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_TASK = "task.init_args"
SPEEDS = (30.0, 50.0, 100.0, 1000.0)
_VOLUMES = ("finite_volumes", "finite volumes (WENO5), {} cells", (256, 1024))
_SPECTRAL = ("spectral", "Fourier collocation, {} points", (64, 256))
_FRONTS = ("spectral", "Fourier collocation, {} points", (512, 2048))
_STEPS = ("semi_lagrangian", "semi-Lagrangian, quintic, {0} x {0} nodes", (65, 129))
_TRACED = ("traced", "paths traced backwards to 1e-{}", (10,))
_RANDOM = f"{_TASK}.zero_start=false"  # the network that is zero would be the answer
_ADAM = (
    f"{_TASK}.fitting={{class_path: sciml.lpinn.Gradient, init_args: {{learning_rate: 0.003, updates: 500}}}}",
    f"{_TASK}.rounds=4",
    f"{_TASK}.points.count=600",
)


def speed(value: float) -> str:
    """A change of the speed of a wave."""
    return f"{_TASK}.problem.init_args.speed={value}"


@dataclass(frozen=True)
class Case:
    """A config, with changes.

    Attributes
    ----------
    group, method, title : where it stands in the tables
    config, changes : what is solved, and how
    must, goal, paper : largest error, the one hoped for, and what the paper says, as far as there are any
    fails : for the frame at rest, the error that it has at least, for the comparison to mean something
    solves : at most
    classical : functions of :mod:`sciml.bench.lpinn.rivals`, their titles, and numbers of cells, modes or nodes
    """

    group: str
    method: str
    title: str
    config: str
    changes: tuple[str, ...] = ()
    must: float | None = None
    goal: float | None = None
    paper: str = "–"
    fails: float | None = None
    solves: int | None = None
    classical: tuple[tuple[str, str, tuple[int, ...]], ...] = ()


def _waves() -> tuple[Case, ...]:
    group, papers = "convection", {30.0: "4.5e-2", 50.0: "3.4e-2"}
    moving = [
        Case(group, f"speed{value:g}", f"speed {value:g}, Lagrangian, from random weights", "convection_cpu",
             (speed(value), _RANDOM), must=1e-12, paper=papers.get(value, "–"), solves=30,
             classical=(_VOLUMES, _SPECTRAL) if value == 50.0 else (_SPECTRAL,))
        for value in SPEEDS
    ]  # fmt: skip
    resting = [
        Case(group, f"rest{value:g}", f"speed {value:g}, Eulerian", "convection_eulerian_cpu", (speed(value),),
             fails=0.5)
        for value in SPEEDS
    ]  # fmt: skip
    return (*moving, *resting)


CASES = (
    *_waves(),
    Case("convection", "adam", "speed 50, Lagrangian, Adam", "convection_adam_cpu", must=3.4e-2, paper="3.4e-2"),
    Case("convection", "rest-adam", "speed 50, Eulerian, Adam", "convection_eulerian_cpu", _ADAM, fails=0.9),
    Case("diffusion", "strong", "convection and diffusion, viscosity 0.1", "convection_diffusion_cpu", must=1e-6,
         classical=(_VOLUMES, _SPECTRAL)),
    Case("diffusion", "weak", "convection and diffusion, viscosity 0.01", "convection_diffusion_cpu",
         (f"{_TASK}.problem.init_args.viscosity=0.01",), must=1e-6, classical=(_VOLUMES, _SPECTRAL)),
    Case("variable", "lpinn", "speed 1 + sin(x) / 2, T = 2 pi", "variable_convection_cpu", must=1e-6,
         classical=(_VOLUMES, _SPECTRAL, _TRACED)),
    Case("burgers", "fast", "Burgers, mean 50, viscosity 0.01", "burgers_cpu", must=1e-4, goal=1e-5,
         paper="floor 1.26e-2", classical=(_VOLUMES, _FRONTS)),
    Case("burgers", "standard", "Burgers, viscosity 0.01 / pi", "burgers_standard_cpu", must=1e-3, goal=1e-6,
         classical=(_VOLUMES, _FRONTS)),
    Case("inviscid", "lpinn", "Burgers without viscosity, t = 2, least action", "inviscid_burgers_cpu", must=1e-5,
         classical=(_VOLUMES,)),
    Case("plane", "rotation", "rotation, one revolution", "rotation_cpu", must=1e-4, goal=1e-6,
         classical=(_STEPS, _TRACED)),
    Case("plane", "swirl", "swirl, to the largest deformation", "swirl_cpu",
         (f"{_TASK}.problem.init_args.duration=0.75", f"{_TASK}.slabs=6"), must=1e-3, classical=(_STEPS, _TRACED)),
    Case("plane", "reversal", "swirl, there and back", "swirl_cpu", must=1e-3, classical=(_STEPS, _TRACED)),
    Case("plane", "diffusion", "rotation and diffusion", "rotation_diffusion_cpu", classical=(_STEPS,)),
    Case("bounded", "channel", "an interval that is flowed through", "inflow_cpu"),
    Case("bounded", "layer", "a boundary layer, Eulerian", "boundary_layer_cpu"),
    Case("bounded", "disc", "rotation in a disc", "disc_cpu"),
)  # fmt: skip
LIMITED = tuple(case for case in CASES if case.must or case.fails)


@dataclass(frozen=True)
class Rival:
    """A usual PINN in a frame at rest: a class of :mod:`sciml.lpinn.baselines`.

    Attributes
    ----------
    name, title, baseline : in the results, in the tables, and the class
    settings : on every ground; as ours, a rival may have others ``on`` one of them where those are better
    """

    name: str
    title: str
    baseline: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    on: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Ground:
    """A problem on which all rivals have the same processor time."""

    group: str
    name: str
    title: str
    config: str
    changes: tuple[str, ...]
    seconds: float
    ours: tuple[str, str]  # group and method of our row


RIVALS = (
    Rival("deepxde-soft", "PINN by DeepXDE, soft conditions", "DeepXdePinn", {"conditions": "soft"}),
    Rival("deepxde-hard", "PINN by DeepXDE, hard conditions", "DeepXdePinn", {"conditions": "hard"}),
    Rival("curriculum", "curriculum of speeds", "Curriculum",
          on={"burgers": {"stages": 5, "last": 0.6, "enough": 0.1, "points": {"count": 1000, "adaptive": 0.5}}}),
    Rival("sequence", "sequence to sequence", "SequenceToSequence",
          on={"speed50": {"windows": 20, "width": 14, "layers": 2, "points": {"count": 400}}}),
    Rival("xpinn", "XPINN", "Xpinn",
          on={"speed30": {"width": 12, "points": 300},
              "burgers": {"times": 2, "layers": 3, "points": 500, "weight": 10.0}}),
    Rival("fourier", "Fourier features, causal weights", "FourierCausal"),
)  # fmt: skip
GROUNDS = (
    Ground("rivals", "speed30", "speed 30", "convection_cpu", (speed(30.0),), 60.0, ("convection", "speed30")),
    Ground("rivals", "speed50", "speed 50", "convection_cpu", (speed(50.0),), 60.0, ("convection", "speed50")),
    Ground(
        "front", "burgers", "Burgers, viscosity 0.01 / pi", "burgers_standard_cpu", (), 80.0, ("burgers", "standard")
    ),
)
