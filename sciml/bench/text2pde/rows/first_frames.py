"""Whole simulations from their first frames, beside classical ensembles and networks that step in time."""

from __future__ import annotations

from typing import Any

from sciml.bench.frame import Bound, Case, Column, Group, Limit, Row
from sciml.bench.text2pde.rows.common import (
    AUTOENCODER,
    QUICK_AUTOENCODER,
    QUICK_SECOND,
    QUICK_SIZES,
    SHORT,
    THREE,
    TWO,
)

CALLS = [1, 2, 4, 8, 50]
_SIZES: dict[str, Any] = {"train": 800, "tests": 64}
_BUDGET = 700.0  # CPU seconds of a network, both stages together
_CONFIG = "text2pde/smoke_ff_cpu"
_FRACTIONS = "data.init_args.fractions=[0.96, 0.04]"
_EPOCHS = "training.phases.0.epochs"
_STAGES: dict[str, Any] = {**_SIZES, "config": _CONFIG, "autoencoder": AUTOENCODER,
                           "autoencoder_changes": [_FRACTIONS, f"{_EPOCHS}=12"]}  # fmt: skip
_ONE_CALL = ["task.init_args.sampler={class_path: sciml.generative.DDIM}", "task.init_args.steps=1"]


def _network(method: str, title: str, kind: Any, epochs: int, *changes: str, **settings: Any) -> Row:
    given = {**_STAGES, "at": 4, "calls": CALLS, "changes": [_FRACTIONS, f"{_EPOCHS}={epochs}", *changes], **settings}
    at = min(2, given["at"])
    quick = {**QUICK_SIZES, **QUICK_AUTOENCODER, "at": at, "calls": [1, at][:at], "changes": [*QUICK_SECOND, *changes]}
    return Row(method, title, "networks:network", kind, given, quick)


def _one_call(method: str, title: str, kind: Any, epochs: int, objective: str, **settings: Any) -> Row:
    change = f"task.init_args.objective.class_path={objective}"  # on the path of the config
    return _network(method, title, kind, epochs, change, *_ONE_CALL, at=1, calls=[1], **settings)


def _floor(method: str, title: str, function: str, **settings: Any) -> Row:
    fewer = {name: value for name, value in (("frame_modes", 4), ("modes", 4)) if name in settings}
    return Row(method, title, f"floors:{function}", "classical", {**_SIZES, **settings}, {**QUICK_SIZES, **fewer})


def _stepper(rival: str, title: str) -> Row:
    return Row(rival, f"{title}, from frame to frame", "networks:stepper", "neural",
               {**_SIZES, "rival": rival, "budget": _BUDGET, "trials": 3},
               {**QUICK_SIZES, "budget": 0.1, "trials": 1})  # fmt: skip


_RIVALS = ("analogs", "linear-completed", "regression", "fno", "unet", "resnet")
_CALIBRATED = (
    Bound("ratio", 0.85, 0.95, most=False, form=TWO),
    Bound("ratio", 1.15, 1.05, form=TWO),
)


def _limits(method: str, title: str) -> tuple[Limit, ...]:
    return (
        Limit(f"{title}, 4 calls: energy score over analogs / linear-Gaussian / regression / FNO / U-Net / ResNet",
              method, tuple(Bound("energy", 0.9, 0.75, over=rival, form=TWO) for rival in _RIVALS), beside="analogs"),
        Limit(f"{title}, 4 calls: spread over skill", method, _CALIBRATED, beside="analogs"),
        Limit(f"{title}: energy score of 4 calls over its own 50", method,
              (Bound("energy_4", 1.03, of="energy_50", form=THREE),)),
    )  # fmt: skip


GROUPS = (
    Group(
        "first",
        "simulations of smoke from their first frame and buoyancy, 64 x 64 cells and 32 frames",
        (
            Column("sample", "rel. L2 of a member", THREE),
            Column("mean", "of the mean", THREE),
            Column("energy", "energy score", THREE),
            Column("ratio", "spread / skill", TWO),
            Column("coverage", "coverage", TWO),
            *(Column(f"energy_{calls}", f"with {calls} call{'s' * (calls > 1)}", THREE) for calls in CALLS),
            Column("update", "an update [ms]", SHORT),
            Column("draw", "a member [ms]", SHORT),
        ),
        (
            _floor("persistence", "the first frame at all times", "persistence"),
            _floor("analogs", "the 8 nearest simulations of the training (analogs)", "analogs", frame_modes=96),
            _floor("linear", "linear-Gaussian law", "linear_gaussian", frame_modes=96, modes=160, completed=False),
            _floor("linear-completed", "linear-Gaussian law, completed", "linear_gaussian", frame_modes=96, modes=160,
                   completed=True),
            Row("shipped", "shipped weights", "networks:shipped", "ours", {**_SIZES, "at": 4, "calls": CALLS},
                {**QUICK_SIZES, "at": 1, "calls": [1]}),
            _network("trained", "the config, trained for as long as its rivals", "ours", 50),
            _one_call("energy-score", "the same network by the energy score, one call", "ours", 30,
                      "sciml.generative.EnergyScoreObjective"),
            _one_call("regression", "regression by the same network", "neural", 50, "regression.Regression",
                      regression=True, members=1),
            _stepper("fno", "Fourier neural operator"),
            _stepper("unet", "U-Net"),
            _stepper("resnet", "dilated residual network"),
        ),
        (*_limits("shipped", "shipped weights"), *_limits("trained", "trained for as long as its rivals")),
        (
            Case("smoke, 64², from its first frame, 4 calls: energy score", "trained", "energy", TWO, featured=True),
            Case("the same by shipped weights, 2 CPU hours of training: energy score", "shipped", "energy", TWO),
        ),
        note="All networks but the shipped one were trained on the same 800 simulations for about 700 CPU seconds, "
        "with those of the autoencoder where there is one; rivals learn steps, in chains of three. Completed members "
        "have what 160 modes miss of the nearest simulations. Of a single prediction, the energy score is its error.",
    ),
)  # fmt: skip
