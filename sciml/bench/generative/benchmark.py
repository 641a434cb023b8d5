"""``sciml bench generative``: paths, objectives, samplers and guidance beside classical ensembles, at equal updates."""

from __future__ import annotations

from sciml.bench.generative.rows import GROUPS
from sciml.bench.grouped import Groups
from sciml.bench.report import span
from sciml.bench.results import Raw

MEASUREMENTS = ("ensembles", "floors", "flows", "guided", "networks", "orders", "sensors", "simulations")
REFERENCES = ("incompressible_smoke", "incompressible_stable_fluids", "incompressible_staggered_kernels")


def legend(raw: Raw) -> str:
    """Return what the numbers of the tables count."""
    return (
        f"Medians over seeds {span(raw['plan']['seeds'])}, of data, weights and noise, with the range; settings were "
        "chosen on other seeds. Errors and energy scores are relative to the norm of each test, for 8 members; smaller "
        "is better. An honest ensemble has a spread over skill of 1 and a coverage of 0.78. Calls are those of the "
        "network for a member; fine waves are their energy over that of the truth. CPU times, also the milliseconds of "
        "an update and of a member, are those of one thread, in total those of the training."
    )


BENCHMARK = Groups("generative", "Generative layer", "sciml.bench.generative", GROUPS).benchmark(
    title="Generative models of smoke: paths, objectives, samplers and guidance beside classical ensembles",
    quick_note="A quick run: one seed, few simulations and updates; the limits are meant for the full one.",
    measured_code=(
        *("generative", "metrics", "numerics/principal_modes.py", "numerics/projection.py", "data/smoke.py"),
        *(f"reference/{name}.py" for name in REFERENCES),
        *(f"bench/generative/{name}.py" for name in MEASUREMENTS),
    ),
    packages=("numpy", "scipy", "numba", "torch"),
    legend=legend,
)
