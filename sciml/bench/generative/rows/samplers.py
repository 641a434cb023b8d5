"""One flow by all samplers."""

from __future__ import annotations

from sciml.bench.frame import Group, Row
from sciml.bench.generative.rows.common import BY_CALLS, CALLS, COSTS, SCORES, SCREENED, row

TITLES = {
    "euler": "Euler",
    "heun": "Heun",
    "ab2": "Adams-Bashforth of order 2",
    **{f"heavy-ball-{order}": f"heavy ball of order {order}" for order in (1, 2, 3, 4)},
    "ddim": "DDIM",
    "ddpm": "DDPM",
    "stochastic-euler": "Euler with noise",
    "stochastic-heun": "Heun with noise",
    "gaussian": "Gaussian steps",
    "stochastic-gaussian": "Gaussian steps with noise",
}


def _rows(path: str) -> tuple[Row, ...]:
    return tuple(
        row(f"{path}-{name}", f"{path} path, {title}", "flows:flow", sampler=name, path=path, condition="caption",
            updates=2200, at=8, calls=CALLS, screened=True)
        for name, title in TITLES.items()
    )  # fmt: skip


GROUPS = (
    Group(
        "samplers",
        "samplers: the same flows from four numbers, trained on the linear and on the trigonometric path",
        (*SCORES, *BY_CALLS, *COSTS),
        (*_rows("linear"), *_rows("trigonometric")),
        note="Scores are those of 8 calls. " + SCREENED,
    ),
)
