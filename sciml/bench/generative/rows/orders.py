"""Samplers on the exact flow of Gaussian data."""

from __future__ import annotations

from sciml.bench.frame import Bound, Case, Column, Group, Limit, Row
from sciml.bench.generative.rows.common import TWO, within
from sciml.bench.generative.rows.samplers import TITLES

ORDERS = {"euler": (0.9, 1.1), "heun": (1.8, 2.2), "ab2": (1.8, 2.2), "heavy-ball-2": (1.8, 2.2)}
NOISY = {"stochastic-euler": 64, "stochastic-heun": 64, "stochastic-gaussian": 2}  # calls

GROUPS = (
    Group(
        "orders",
        "samplers on the exact flow of Gaussian data",
        (
            Column("order", "order", TWO),
            Column("moments", "error of the moments, 64 calls"),
            Column("errors", "standard errors of the moments of 20,000 points", TWO),
        ),
        (
            *(
                Row(name, title, "orders:orders", settings={"path": "linear", "sampler": name, "at": 64}, drawn=False)
                for name, title in TITLES.items() if name not in (*NOISY, "ddpm")
            ),
            *(
                Row(name, TITLES[name], "orders:noisy",
                    settings={"path": "linear", "sampler": name, "at": calls, "draws": 20_000}, quick={"draws": 100})
                for name, calls in NOISY.items()
            ),
        ),
        (
            *(Limit(f"order of {TITLES[name]}", name, within("order", *span)) for name, span in ORDERS.items()),
            *(Limit(f"moments, {TITLES[name]}", name, (Bound("moments", 1e-3),))
              for name in ("heun", "ab2", "gaussian")),
            *(
                Limit(f"{TITLES[name]}, {calls} calls: moments in standard errors", name,
                      (Bound("errors", 3.0, form=TWO),))
                for name, calls in NOISY.items() if name != "stochastic-euler"
            ),
        ),
        (Case("exact flow of Gaussian data, 64 calls: error of the moments", "ab2", "moments"),),
        note="A linear path from standard normal noise to data with mean 0.7 and deviation 0.4. Orders are those from "
        "32 to 128 calls; samplers of orders above 2 start with lower ones. Noise is measured with 64 calls, of "
        "Gaussian steps with 2.",
    ),
)  # fmt: skip
