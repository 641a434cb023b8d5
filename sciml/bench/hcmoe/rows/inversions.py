"""An inverse problem: coefficients from noisy readings, beside least squares with a classical solver."""

from __future__ import annotations

from sciml.bench.frame import Bound, Column, Group, Limit, Row

_PLAIN, _COUNT = "{:.2f}".format, "{:,.0f}".format
_CASE = {"config": "hcmoe/inverse_burgers_cpu"}

GROUPS = (
    Group(
        "inverse",
        "viscosity and 8 waves of the start of Burgers' equation from 64 readings with 1 % noise",
        (
            Column("error", "error over the deviation, rms", _PLAIN),
            Column("error_most", "largest", _PLAIN),
            Column("misfit", "misfit over the noise", _PLAIN),
            Column("solves", "solutions", _COUNT),
            Column("forward_error", "relative error of the solver"),
        ),
        (
            Row("experts", "12 coupled experts, adjoint solves", "inversions:experts", "ours", _CASE),
            Row("scipy", "scipy's least squares, Fourier collocation, differences", "inversions:least_squares",
                "classical", {**_CASE, "number": 128, "steps": 64}),
        ),
        (
            Limit("inverse Burgers: rms error of 9 coefficients over the deviations of Cramér and Rao", "experts",
                  (Bound("error", 2.0, form=_PLAIN),), beside="scipy"),
        ),
        note="Points and noise are drawn for each seed. Deviations are those of Cramér and Rao at the true "
        "coefficients, of the logarithm of the viscosity; an unbiased estimate that reaches them has errors near 1.",
    ),
)  # fmt: skip
