"""The list of the benchmarks, each imported when it is used."""

from __future__ import annotations

from importlib import import_module

from sciml.bench.benchmark import Benchmark
from sciml.checks import choice

# Name -> benchmark, in the order in which they run and are listed.
BENCHMARKS = {
    "poisson": "sciml.bench.poisson.benchmark:BENCHMARK",
    "dcdm": "sciml.bench.dcdm.benchmark:BENCHMARK",
    "insr": "sciml.bench.insr.benchmark:BENCHMARK",
    "lpinn": "sciml.bench.lpinn.benchmark:BENCHMARK",
    "cgs": "sciml.bench.cgs.benchmark:BENCHMARK",
    "hcmoe": "sciml.bench.hcmoe.benchmark:BENCHMARK",
    "gfi": "sciml.bench.gfi.benchmark:BENCHMARK",
    "generative": "sciml.bench.generative.benchmark:BENCHMARK",
    "text2pde": "sciml.bench.text2pde.benchmark:BENCHMARK",
    "training": "sciml.bench.training.benchmark:BENCHMARK",
}


def load_benchmark(name: str) -> Benchmark:
    """Import and return a benchmark by its name.

    Raises
    ------
    InputError
        There is none of that name.
    """
    module, _, attribute = BENCHMARKS[choice("the benchmark", name, BENCHMARKS)].partition(":")
    return getattr(import_module(module), attribute)


def load_benchmarks() -> list[Benchmark]:
    """Import and return every benchmark."""
    return [load_benchmark(name) for name in BENCHMARKS]
