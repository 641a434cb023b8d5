"""The cases of ``sciml bench lpinn``: shipped configs with changes, their limits, and their competitors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sciml.bench.paper import paper_value
from sciml.bench.report import DASH

_TASK = "task.init_args"
SPEEDS = (30.0, 50.0, 100.0, 1000.0)
_VOLUMES = ("finite_volumes", "finite volumes (WENO5), {} cells", (256, 1024))
_SPECTRAL = ("spectral", "Fourier collocation, {} points", (64, 256))
_FRONTS = ("spectral", "Fourier collocation, {} points", (512, 2048))
_STEPS = ("semi_lagrangian", "semi-Lagrangian, quintic, {0} x {0} nodes", (65, 129))
_TRACED = ("traced", "paths traced backwards to 1e-{}", (10,))
_RANDOM = f"{_TASK}.zero_start=false"  # a network that is zero would be the solution
_ADAM = (
    f"{_TASK}.fitting={{class_path: sciml.lpinn.GradientRounds, init_args: {{learning_rate: 0.003, updates: 500}}}}",
    f"{_TASK}.rounds=4",
    f"{_TASK}.points.count=600",
)


def speed(value: float) -> str:
    """Return the change of a config that sets the speed of convection."""
    return f"{_TASK}.problem.init_args.speed={value}"


@dataclass(frozen=True)
class Case:
    """A config with changes, its limits and its classical competitors.

    Attributes
    ----------
    group, method, title : its place and its name in the tables
    config, changes : what is solved, and how
    must, goal : largest error and the one hoped for, if there are any
    claim : the config and the metric that hold the number of the paper
    fails : the error that a PINN in the Eulerian frame has at least, for the comparison to mean something
    solves : at most
    classical : functions of :mod:`sciml.bench.lpinn.grids`, their titles, and their numbers of cells, modes or nodes
    """

    group: str
    method: str
    title: str
    config: str
    changes: tuple[str, ...] = ()
    must: float | None = None
    goal: float | None = None
    claim: tuple[str, str] | None = None
    fails: float | None = None
    solves: int | None = None
    classical: tuple[tuple[str, str, tuple[int, ...]], ...] = ()

    @property
    def paper(self) -> str:
        """The number of the paper, or a dash."""
        return paper_value(*self.claim) if self.claim else DASH


def _convection() -> tuple[Case, ...]:
    group = "convection"
    claims = {
        30.0: ("lpinn/convection_paper_cpu", "relative_spectral"),
        50.0: ("lpinn/convection_cpu", "relative_l2"),
    }
    moving = [
        Case(group, f"speed{value:g}", f"speed {value:g}, Lagrangian, from random weights", "convection_cpu",
             (speed(value), _RANDOM), must=1e-12, claim=claims.get(value), solves=30,
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
    *_convection(),
    Case("convection", "adam", "speed 50, Lagrangian, Adam", "convection_adam_cpu", must=3.4e-2,
         claim=("lpinn/convection_adam_cpu", "relative_l2")),
    Case("convection", "rest-adam", "speed 50, Eulerian, Adam", "convection_eulerian_cpu", _ADAM, fails=0.9),
    Case("diffusion", "strong", "convection-diffusion, viscosity 0.1", "convection_diffusion_cpu", must=1e-6,
         classical=(_VOLUMES, _SPECTRAL)),
    Case("diffusion", "weak", "convection-diffusion, viscosity 0.01", "convection_diffusion_cpu",
         (f"{_TASK}.problem.init_args.viscosity=0.01",), must=1e-6, classical=(_VOLUMES, _SPECTRAL)),
    Case("variable", "lpinn", "speed 1 + sin(x) / 2, T = 2 pi", "variable_convection_cpu", must=1e-6,
         classical=(_VOLUMES, _SPECTRAL, _TRACED)),
    Case("burgers", "fast", "Burgers, mean 50, viscosity 0.01", "burgers_cpu", must=1e-4, goal=1e-5,
         classical=(_VOLUMES, _FRONTS)),
    Case("burgers", "standard", "Burgers, viscosity 0.01 / pi", "burgers_standard_cpu", must=1e-3, goal=1e-6,
         classical=(_VOLUMES, _FRONTS)),
    Case("inviscid", "lpinn", "Burgers without viscosity, t = 2, least action", "inviscid_burgers_cpu", must=1e-5,
         classical=(_VOLUMES,)),
    Case("plane", "rotation", "rotation, one revolution", "rotation_cpu", must=1e-4, goal=1e-6,
         classical=(_STEPS, _TRACED)),
    Case("plane", "swirl", "swirl, to the largest deformation", "swirl_cpu",
         (f"{_TASK}.problem.init_args.duration=0.75", f"{_TASK}.slabs=6"), must=1e-3, classical=(_STEPS, _TRACED)),
    Case("plane", "reversal", "swirl, reversed", "swirl_cpu", must=1e-3, classical=(_STEPS, _TRACED)),
    Case("plane", "diffusion", "rotation and diffusion", "rotation_diffusion_cpu", classical=(_STEPS,)),
    Case("bounded", "channel", "an interval with inflow and outflow", "inflow_cpu"),
    Case("bounded", "layer", "a boundary layer, Eulerian", "boundary_layer_cpu"),
    Case("bounded", "disc", "rotation in a disc", "disc_cpu"),
)  # fmt: skip
LIMITED = tuple(case for case in CASES if case.must or case.fails)


@dataclass(frozen=True)
class EulerianPinn:
    """A PINN in the Eulerian frame: a class of :mod:`sciml.lpinn.baselines`.

    Attributes
    ----------
    name, title, baseline : in the results, in the tables, and the class
    settings : on every problem
    on : better settings on some problems, by the name of the comparison
    """

    name: str
    title: str
    baseline: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    on: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Comparison:
    """A problem on which all PINNs in the Eulerian frame have the same CPU time."""

    group: str
    name: str
    title: str
    config: str
    changes: tuple[str, ...]
    seconds: float
    ours: tuple[str, str]  # group and method of our row


EULERIAN_PINNS = (
    EulerianPinn("deepxde-soft", "PINN by DeepXDE, soft conditions", "DeepXdePinn", {"conditions": "soft"}),
    EulerianPinn("deepxde-hard", "PINN by DeepXDE, hard conditions", "DeepXdePinn", {"conditions": "hard"}),
    EulerianPinn("curriculum", "curriculum of speeds", "Curriculum",
          on={"burgers": {"stages": 5, "last": 0.6, "enough": 0.1, "points": {"count": 1000, "adaptive": 0.5}}}),
    EulerianPinn("sequence", "sequence to sequence", "SequenceToSequence",
          on={"speed50": {"windows": 20, "width": 14, "layers": 2, "points": {"count": 400}}}),
    EulerianPinn("xpinn", "XPINN", "Xpinn",
          on={"speed30": {"width": 12, "points": 300},
              "burgers": {"times": 2, "layers": 3, "points": 500, "weight": 10.0}}),
    EulerianPinn("fourier", "Fourier features, causal weights", "FourierCausal"),
)  # fmt: skip
COMPARISONS = (
    Comparison("rivals", "speed30", "speed 30", "convection_cpu", (speed(30.0),), 60.0, ("convection", "speed30")),
    Comparison("rivals", "speed50", "speed 50", "convection_cpu", (speed(50.0),), 60.0, ("convection", "speed50")),
    Comparison(
        "front", "burgers", "Burgers, viscosity 0.01 / pi", "burgers_standard_cpu", (), 80.0, ("burgers", "standard")
    ),
)
