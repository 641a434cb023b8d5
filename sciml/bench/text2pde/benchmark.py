"""``sciml bench text2pde``: simulations from their first frames beside classical ensembles, networks, the solver."""

from __future__ import annotations

from sciml.bench.benchmark import Benchmark
from sciml.bench.grouped import QUICK, Groups, Plan
from sciml.bench.report import span
from sciml.bench.results import Raw
from sciml.bench.text2pde.rows import GROUPS

MEASUREMENTS = ("autoencoders", "equations", "floors", "generator", "networks", "regression", "rivals", "simulations")
REFERENCES = ("incompressible_smoke", "incompressible_stable_fluids", "incompressible_staggered_kernels")


def legend(raw: Raw) -> str:
    """Return what the numbers of the tables count."""
    return (
        f"Medians over seeds {span(raw['plan']['seeds'])}, of data, weights and noise, with the range; settings were "
        "chosen on other seeds. Errors and energy scores are relative to the norm of each test, with each field in "
        "units of its deviation and without the given first frame, for 8 members; smaller is better. An honest "
        "ensemble has a spread over skill of 1 and a coverage of 0.78. Calls are those of the network for a member. "
        "CPU times, also the milliseconds of an update and of a member, are those of one thread, in total those of the "
        "training."
    )


CONTENTS = Groups("text2pde", "Text2PDE", "sciml.bench.text2pde", GROUPS)
BENCHMARK = Benchmark(
    name="text2pde",
    title="Text2PDE: whole simulations from their first frames, as ensembles",
    groups=CONTENTS.titles,
    plan=Plan(),
    quick=QUICK,
    quick_note="A quick run: one seed, few simulations, small networks; the limits are meant for the full one.",
    measured_code=(
        *("text2pde", "generative", "metrics", "data/smoke.py", "nets"),
        *(f"reference/{name}.py" for name in REFERENCES),
        *(f"bench/text2pde/{name}.py" for name in MEASUREMENTS),
    ),
    packages=("numpy", "scipy", "numba", "torch"),
    jobs=CONTENTS.jobs,
    checks=CONTENTS.checks,
    sections=CONTENTS.sections,
    headlines=CONTENTS.headlines,
    legend=legend,
)
