"""The measurements of ``sciml bench text2pde`` on the data: what the generator of smoke keeps, and what it takes."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from sciml.bench.measure import cpu_timed
from sciml.bench.outcome import outcome
from sciml.bench.worker import Job
from sciml.data import generate
from sciml.reference.incompressible_smoke import RisingSmoke, random_smoke

CELLS, FRAMES, BUOYANCY = 64, 32, 0.35


def kept(job: Job) -> dict[str, Any]:
    """Measure what ``job["flows"]`` flows of a ``case`` keep over 32 frames of 64 x 64 cells.

    Returns
    -------
    dict
        ``divergence``, the largest one in any cell and frame; ``lost``, the largest share of the smoke that goes or
        comes; ``seconds`` of all flows.
    """

    def measure() -> dict[str, float]:
        problem = RisingSmoke(CELLS, case=job["case"])
        method, divergence, lost = problem.method(BUOYANCY), 0.0, 0.0
        for number in range(job["flows"]):
            flow = problem.still(random_smoke(CELLS, np.random.default_rng((job["seed"], number)), job["case"]))
            total = flow.density.sum()
            for _ in range(FRAMES - 1):
                flow = problem.advanced(flow, BUOYANCY, 1)
                divergence = max(divergence, float(np.abs(method.divergence(flow)).max()))
            lost = max(lost, abs(float(1 - flow.density.sum() / total)))
        return {"divergence": divergence, "lost": lost}

    return outcome(measure)


def made(job: Job) -> dict[str, Any]:
    """Make ``job["count"]`` trajectories of a ``case``, as ``sciml data generate smoke`` does.

    Returns
    -------
    dict
        ``made``, CPU seconds; ``different``, how many of the bytes of a data set of ``job["few"]`` trajectories, made
        by two processes, are not those of one made by one process.
    """

    def measure() -> dict[str, float]:
        options = {"case": job["case"]}
        with tempfile.TemporaryDirectory(prefix="sciml-bench-") as folder:
            found = {"different": _different(job, options, Path(folder))} if "few" in job else {}
            all_of_them = Path(folder, "all.h5")
            _, seconds = cpu_timed(
                lambda: generate("smoke", job["count"], all_of_them, options=options, seed=job["seed"])
            )
        return {**found, "made": seconds, "seconds": seconds}

    return outcome(measure)


def _different(job: Job, options: dict[str, str], folder: Path) -> float:
    """Return the number of bytes in which the data sets of one process and of two differ."""
    paths = [folder / f"{jobs}.h5" for jobs in (1, 2)]
    for jobs, path in enumerate(paths, start=1):
        generate("smoke", job["few"], path, options=options, seed=job["seed"], jobs=jobs)
    one, other = (np.frombuffer(path.read_bytes(), np.uint8) for path in paths)
    return float(abs(len(one) - len(other)) or (one != other).sum())
