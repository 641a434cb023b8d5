"""The variants of ``sciml bench insr``: the ablation of the pulse in 1-D, and the classical methods of each case."""

from __future__ import annotations

from typing import Any

_TASK = "task.init_args"
_NETWORK, _PROBLEM, _RULE = f"{_TASK}.networks.u", f"{_TASK}.problem.init_args", f"{_TASK}.integrator"
# Fourier modes with a longer period than the box do not make a network periodic on it.
_LONG = "class_path: sciml.nets.FourierNetwork, init_args: {inputs: 1, width: 16, box: [[-2.5], [2.5]], waves: 10}"
_PENALTY = f"{_PROBLEM}.boundary=zero"


def _rule(name: str) -> list[str]:
    return [f"{_RULE}={{class_path: sciml.insr.RungeKutta, init_args: {{rule: {name}}}}}"]


def _network(text: str) -> str:
    return f"{_NETWORK}={{{text}}}"


_SINE = "class_path: sciml.nets.Siren, init_args: {inputs: 1, width: 16, hidden_layers: 2, frequency: %g}"
_TANH = "class_path: sciml.nets.TanhNetwork, init_args: {inputs: 1, width: 16, layers: 3, box: [[-2], [2]], spread: 8}"
_HARD = "class_path: sciml.nets.ansatz.VanishingOnBox, init_args: {network: {%s}, box: [[-2], [2]]}"

# By method: title, and changes of the config. One thing at a time; only Fourier modes can be periodic, hence other
# bases differ in one thing from the row with the penalty.
ABLATION: dict[str, tuple[str, list[str]]] = {
    "base": ("Fourier modes, periodic, Padé(2,2), least squares", []),
    "penalty": ("boundary: penalty, not periodic", [_PENALTY, _network(_LONG)]),
    "hard": ("boundary: by the ansatz, not periodic", [_PENALTY, _network(_HARD % _LONG)]),
    "sine": ("basis: sine network, frequency 10 (boundary: penalty)", [_PENALTY, _network(_SINE % 10)]),
    "sine30": ("basis: sine network, frequency 30 (boundary: penalty)", [_PENALTY, _network(_SINE % 30)]),
    "tanh": ("basis: tanh network (boundary: penalty)", [_PENALTY, _network(_TANH)]),
    "implicit_euler": ("scheme: implicit Euler", _rule("implicit_euler")),
    "midpoint": ("scheme: midpoint", _rule("midpoint")),
    "sdirk3": ("scheme: SDIRK3, three fits per step", _rule("sdirk3")),
    "rk4": ("scheme: RK4, four fits per step", _rule("rk4")),
    "adam": ("optimiser: tuned Adam, as much time", []),
}

# Scheme in space and in time, nodes, title: 901 numbers are the memory of the network of the paper, 561 of ours.
ADVECTION_GRIDS: list[tuple[str, str, int, str]] = [
    ("upwind", "midpoint", 901, "upwind + midpoint (the paper's grid)"),
    ("central4", "midpoint", 901, "4th-order differences + midpoint"),
    ("central4", "pade22", 901, "4th-order differences + Padé(2,2)"),
    ("splines", "exact", 901, "semi-Lagrangian, cubic splines"),
    ("upwind", "midpoint", 561, "upwind + midpoint, equal memory"),
    ("central4", "pade22", 561, "4th-order differences + Padé(2,2), equal memory"),
    ("splines", "exact", 561, "semi-Lagrangian, cubic splines, equal memory"),
    ("waves", "exact", 64, "64 Fourier modes, exact in time"),
]
# Degree, cells along each axis, grading towards the corners, whether refined to equal time, title: 12 cells of P1 and 6
# of P2 have the 626 numbers of the network.
TENSION_ELEMENTS: list[tuple[int, int, float, bool, str]] = [
    (1, 12, 1.0, False, "P1 elements, equal memory"),
    (1, 12, 2.0, False, "P1 elements, graded towards the corners, equal memory"),
    (2, 6, 1.0, False, "P2 elements, equal memory"),
    (2, 6, 2.0, False, "P2 elements, graded towards the corners, equal memory"),
    (1, 12, 2.0, True, "P1 elements, graded, refined to equal time"),
    (2, 12, 2.0, False, "P2 elements, graded, 12 cells"),
]
BURGERS_GRIDS: list[tuple[str, int, str]] = [
    ("central2", 229, "2nd-order differences"),
    ("central4", 229, "4th-order differences"),
    ("waves", 228, "Fourier modes, RK4 in time"),
]
PLAIN: dict[str, Any] = {"back_trace": "euler"}
BEST: dict[str, Any] = {"interpolation": "cubic", "back_trace": "rk4", "splitting": "reflection"}
# Cells per axis, 0 for as many as have the memory of the network; arguments of StableFluids; title.
FLOW_GRIDS: list[tuple[str, int, dict[str, Any], str]] = [
    ("stable48", 48, PLAIN, "stable fluids 48² (the paper's grid)"),
    ("cubic48", 48, BEST, "stable fluids 48², cubic, with reflection"),
    ("stable", 0, PLAIN, "stable fluids, equal memory"),
    ("cubic", 0, BEST, "stable fluids, cubic, with reflection, equal memory"),
    ("stable128", 128, PLAIN, "stable fluids 128²"),
    ("cubic128", 128, BEST, "stable fluids 128², cubic, with reflection"),
]
