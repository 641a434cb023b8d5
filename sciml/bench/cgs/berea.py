"""The measurements of ``sciml bench cgs`` on a pore network of Berea sandstone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sciml.bench.cgs.jobs import trained
from sciml.bench.outcome import outcome
from sciml.bench.reference_data import reference_file
from sciml.bench.worker import Job
from sciml.errors import InputError

PUBLISHED = 1.1114  # darcy, by an independent program with the shape factors of the files


def learned(job: Job) -> dict[str, Any]:
    """Train ``job["config"]`` on boxes of one half, see `sciml.cgs.RockBoxes`, and measure it on the rest."""

    def measure() -> dict[str, float]:
        found = trained({**job, "changes": [f"data.init_args.network={data_file()}", *job.get("changes", ())]})
        if found["failed"]:
            raise InputError(found["failed"])
        return {**found["last"], "seconds": found["seconds"]}

    return outcome(measure)


def circular(job: Job) -> dict[str, Any]:
    """Measure the permeability by circular cross sections on the test sets of the learned law."""

    def measure() -> dict[str, float]:
        from sciml.cgs import RockBoxes

        data = RockBoxes(str(data_file()), tuple(job["edges"]))
        return {name.removeprefix("circular_"): error for name, error in data.baselines().items()}

    return outcome(measure)


def solved(job: Job) -> dict[str, Any]:
    """Measure the permeability of the whole rock with its shape factors, by `sciml.cgs.NetworkFlow`.

    Returns
    -------
    dict
        ``last`` holds ``permeability_error_rock``, against an independent program, and the metrics of the task.
    """

    def measure() -> dict[str, float]:
        from sciml.cgs import NetworkFlow

        found = NetworkFlow(str(data_file())).flow.metrics()
        return {**found, "permeability_error_rock": abs(found["permeability_darcy"] / PUBLISHED - 1.0)}

    return outcome(measure)


def data_file() -> Path:
    """Return a file of the network in the reference data."""
    return reference_file("porenetworks", "Berea_node1.dat", kind="a pore network in Statoil format")
