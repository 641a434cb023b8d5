"""Guidance of one flow, by its condition, by smoke below 0, and by constraints."""

from __future__ import annotations

from typing import Any

from sciml.bench.frame import Bound, Column, Group, Limit, Row
from sciml.bench.generative.rows.common import COSTS, SCORES, THREE, TWO, row


def _row(method: str, title: str, guidance: str, **settings: Any) -> Row:
    return row(method, title, "guided:guided", guidance=guidance, condition="caption", dropped=0.1, updates=2200, at=8,
               path="trigonometric", sampler="ddim", **settings)  # fmt: skip


GROUPS = (
    Group(
        "guidance",
        "guidance: a flow from four numbers whose condition is dropped in a tenth of the training",
        (
            *SCORES,
            Column("caption", "missed of the numbers"),
            Column("negative", "smoke below 0"),
            Column("calls", "calls", "{:.1f}".format),
            *COSTS,
        ),
        (
            _row("free", "no guidance", "none"),
            _row("scale-1.5", "classifier-free, scale 1.5", "classifier-free", scale=1.5),
            _row("scale-3", "classifier-free, scale 3", "classifier-free", scale=3.0),
            _row("adaptive", "adaptive, scale 1.5", "adaptive", scale=1.5, threshold=0.95),
            _row("positive", "by the residual of smoke below 0", "positive", strength=1.0),
            _row("constraints", "the numbers as constraints", "constraints"),
        ),
        (
            Limit("constraints: missed of the numbers", "constraints", (Bound("caption", 1e-5),), beside="free"),
            Limit("smoke below 0, guided by its residual over free", "positive",
                  (Bound("negative", 0.5, over="free", form=TWO),), beside="free"),
            Limit("their energy score over that without", "constraints",
                  (Bound("energy", 1.0, over="free", form=THREE),), beside="free"),
        ),
        note="DDIM with 8 steps on a trigonometric path. Members beyond scale 1 follow their condition more closely "
        "than the simulations do, and are too much alike.",
    ),
)  # fmt: skip
