"""Whole simulations from four numbers, and from their first frame: every option of the layer at equal updates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sciml.bench.frame import Bound, Case, Group, Limit, Row
from sciml.bench.generative.rows.common import BY_CALLS, CALLS, COSTS, SCORES, SCREENED, THREE, TWO, row, within

CAPTION: dict[str, Any] = {"condition": "caption", "updates": 2200, "at": 8}
FIRST: dict[str, Any] = {"condition": "first", "updates": 1100, "at": 4}
ONE: dict[str, Any] = {"calls": [1], "at": 1}
FEW: dict[str, Any] = {"calls": [1, 2, 4], "at": 1}
CURVED = {"path": "trigonometric"}
PRESERVING = {"path": "variance-preserving"}
FRAME, LINEAR = {"source": "persistence"}, {"source": "linear"}
COMPLETED = {"completed": True}

# Method: title, sampler and options, all others being those of the linear path, the velocity and equal times.
OPTIONS: dict[str, tuple[str, str, Mapping[str, Any]]] = {
    "straight": ("linear path", "euler", {}),
    "trigonometric": ("trigonometric path", "euler", CURVED),
    "completed": ("trigonometric path, completed", "euler", {**CURVED, **COMPLETED}),
    "gaussian": ("trigonometric path, Gaussian steps", "gaussian", CURVED),
    "variance-preserving": ("variance-preserving path", "euler", PRESERVING),
    "cosine": ("cosine path", "euler", {"path": "cosine"}),
    "data": ("linear path, data (x)", "ddim", {"prediction": "data"}),
    "noise-leading": ("variance-preserving path, noise (eps), DDIM leading", "ddim-leading",
                      {**PRESERVING, "prediction": "noise"}),
    "noise-trailing": ("variance-preserving path, noise (eps), DDIM trailing", "ddim",
                       {**PRESERVING, "prediction": "noise"}),
    "velocity-trailing": ("variance-preserving path, velocity (v), DDIM trailing", "ddim", PRESERVING),
    "huber": ("trigonometric path, Huber", "euler", {**CURVED, "residual": "huber"}),
    "cauchy": ("trigonometric path, Cauchy", "euler", {**CURVED, "residual": "cauchy"}),
    "logit-normal": ("trigonometric path, logit-normal times", "euler", {**CURVED, "times": "logit_normal"}),
    "nearest": ("linear path, nearest of 4 noises", "euler", {"coupling": "nearest"}),
    "transport": ("linear path, minibatch transport within quarters of the conditions", "euler",
                  {"coupling": "transport"}),
    "energy-score": ("energy score, one call", "ddim", {"objective": "energy-score", **ONE}),
    "energy-score-completed": ("energy score, one call, completed", "ddim",
                               {"objective": "energy-score", **ONE, **COMPLETED}),
    "mean-flow": ("MeanFlow, one call", "euler", {"objective": "mean-flow", **FEW}),
    "distilled": ("consistency, distilled after half of the updates, one call", "consistency",
                  {"objective": "distilled", **FEW}),
    "consistency": ("consistency without a teacher, one call", "consistency", {"objective": "consistency", **FEW}),
    "reflow": ("reflow after half of the updates, one call", "euler", {"objective": "reflow", "at": 1}),
}  # fmt: skip
# Sources that are guesses, which take a first frame.
INFORMED: dict[str, tuple[str, str, Mapping[str, Any]]] = {
    "informed": ("from the first frame", "euler", FRAME),
    "informed-completed": ("from the first frame, completed", "euler", {**FRAME, **COMPLETED}),
    "informed-gaussian": ("from the first frame, Gaussian steps", "gaussian", FRAME),
    "informed-wide": ("from the first frame, noise 0.8", "euler", {**FRAME, "source_noise": 0.8}),
    "mean": ("from the linear mean", "euler", LINEAR),
    "mean-completed": ("from the linear mean, completed", "euler", {**LINEAR, **COMPLETED}),
    "mean-gaussian": ("from the linear mean, Gaussian steps, completed", "gaussian", {**LINEAR, **COMPLETED}),
    "mean-narrow": ("from the linear mean, noise 0.3, completed", "euler",
                    {**LINEAR, "source_noise": 0.3, **COMPLETED}),
    "informed-energy-score": ("energy score from the first frame, one call", "ddim",
                              {"objective": "energy-score", **FRAME, **ONE}),
    "mean-energy-score": ("energy score from the linear mean, one call, completed", "ddim",
                          {"objective": "energy-score", **LINEAR, **ONE, **COMPLETED}),
    "mean-energy-score-4": ("the same by 4 members", "ddim",
                            {"objective": "energy-score", "score_members": 4, **LINEAR, **ONE, **COMPLETED}),
    "mean-energy-score-wide": ("the same with noise 0.8", "ddim",
                               {"objective": "energy-score", "source_noise": 0.8, **LINEAR, **ONE, **COMPLETED}),
}  # fmt: skip

REPEATED = {  # with all seeds
    *("straight", "trigonometric", "completed", "energy-score", "informed", "informed-completed", "mean-completed"),
    "mean-energy-score",
}


def floors(condition: Mapping[str, Any], degree: int) -> tuple[Row, ...]:
    """Return the rows of what needs no generative model."""
    law = {"degree": degree, **condition}
    return (
        row(
            "analogs", "the 8 nearest simulations of the training (analogs)", "floors:analogs", "classical", **condition
        ),
        row("linear", "linear-Gaussian law", "floors:linear_gaussian", "classical", **law),
        row(
            "linear-completed",
            "linear-Gaussian law, completed",
            "floors:linear_gaussian",
            "classical",
            **law,
            **COMPLETED,
        ),
        row("climatology", "8 simulations of the training at random", "floors:climatology", "classical", **condition),
        row("persistence", "the first frame at all times", "floors:persistence", "classical", **condition),
        row("regression", "regression by the same network", "floors:regression", "neural", **condition),
    )


def flows(condition: Mapping[str, Any], options: Mapping[str, tuple[str, str, Mapping[str, Any]]]) -> tuple[Row, ...]:
    """Return the rows of flows."""
    return tuple(
        row(method, title, "flows:flow", screened=method not in REPEATED,
            **{**condition, "calls": CALLS, "sampler": sampler, **own})
        for method, (title, sampler, own) in options.items()
    )  # fmt: skip


def _few_calls(method: str) -> tuple[Limit, ...]:
    """Return the limits of a flow with few calls against itself with 50."""
    return tuple(
        Limit(f"{calls} calls over its own 50, {method}", method,
              (Bound(f"energy_{calls}", 1.03, of="energy_50", form=THREE),))
        for calls in (4, 2)
    )  # fmt: skip


_BEST = tuple(
    Bound("energy", 0.87, 0.75, over=rival, form=TWO) for rival in ("analogs", "linear-completed", "regression")
)

GROUPS = (
    Group(
        "caption",
        "simulations from four numbers: mass and centre of the first smoke, and buoyancy",
        (*SCORES, *BY_CALLS, *COSTS),
        (*floors(CAPTION, degree=2), *flows(CAPTION, OPTIONS)),
        (
            Limit("four numbers, 8 calls: energy score over analogs / over regression", "trigonometric",
                  (Bound("energy", 1.02, 0.97, over="analogs", form=TWO),
                   Bound("energy", 0.75, 0.68, over="regression", form=TWO)), beside="analogs"),
            Limit("its spread over skill", "trigonometric", within("ratio", 0.9, 1.1), beside="analogs"),
            Limit("its coverage by 8 members", "trigonometric", within("coverage", 0.74, 0.82), beside="analogs"),
            *_few_calls("trigonometric"),
            Limit("one call: energy score over that of 8 calls", "energy-score",
                  (Bound("energy", 1.05, 1.02, over="trigonometric", form=TWO),)),
            Limit("one call: spread over skill", "energy-score", (Bound("ratio", 0.85, most=False, form=TWO),)),
        ),
        (Case("smoke from four numbers, 8 calls: energy score", "trigonometric", "energy", TWO),),
        note="Scores are those of 8 calls, of one for generators of one call. Completed members have what the 160 "
        "modes miss of the nearest simulations of the training. " + SCREENED,
    ),
    Group(
        "first",
        "simulations from their first frame and the buoyancy",
        (*SCORES, *BY_CALLS, *COSTS),
        (*floors(FIRST, degree=1), *flows(FIRST, OPTIONS | INFORMED)),
        (
            *(
                limit
                for method, title in (("informed", "from the first frame"),
                                      ("mean-completed", "from the linear mean, completed"))
                for limit in (
                    Limit(f"{title}, 4 calls: energy score over analogs / linear-Gaussian / regression", method,
                          _BEST, beside="analogs"),
                    Limit(f"{title}, 4 calls: spread over skill", method, within("ratio", 0.85, 1.15, (0.95, 1.05)),
                          beside="analogs"),
                )
            ),
            *_few_calls("mean-completed"),
            Limit("first frame, one call: energy score over that of 4 calls", "mean-energy-score",
                  (Bound("energy", 1.05, 1.02, over="mean-completed", form=TWO),)),
            Limit("first frame, one call: spread over skill", "mean-energy-score",
                  (Bound("ratio", 0.85, most=False, form=TWO),)),
        ),
        (
            Case("smoke from its first frame, 4 calls: energy score", "mean-completed", "energy", TWO),
            Case("smoke from its first frame, one call: energy score", "mean-energy-score", "energy", TWO),
        ),
        note="Scores are those of 4 calls, of one for generators of one call. Guesses have noise of 0.5. A linear mean "
        "is that of the linear-Gaussian law; for the training it is left one out. " + SCREENED,
    ),
)  # fmt: skip
