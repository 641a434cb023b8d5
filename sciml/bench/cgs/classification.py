"""The measurements of ``sciml bench cgs`` on the classification of graphs, by several protocols."""

from __future__ import annotations

from typing import Any

from sciml.bench.outcome import outcome
from sciml.bench.reference_data import reference_file
from sciml.bench.worker import Job


def cross_validation(job: Job) -> dict[str, Any]:
    """Cross-validate ``job["config"]`` with ``job["changes"]`` on the first ``job["folds"]`` folds of ``job["set"]``.

    The folds are drawn by the seed of the job: those that come with the sets were seen while the settings were chosen.

    The data lie in the folder that ``SCIML_REFERENCE_DATA`` names, as ``tu/SET/SET.txt``; without them the job fails
    with a sentence.

    Returns
    -------
    dict
        ``last`` holds the accuracies by protocol (:mod:`sciml.cgs.cross_validation`) and ``weights``.
    """

    def measure() -> dict[str, float]:
        from sciml.cgs.cross_validation import cross_validate
        from sciml.training.config import load_config

        name = job["set"]
        path = reference_file("tu", name, f"{name}.txt", kind="graphs in the text format of DGCNN")
        seeds = [f"{key}={job['seed']}" for key in ("seed", "data.init_args.seed", "data.init_args.split")]
        changes = [*seeds, f"data.init_args.path={path}", *job.get("changes", ())]
        config = load_config(job["config"], changes)
        weights = sum(each.numel() for each in config.build_task().parameters())
        folds = range(job["folds"]) if job.get("folds") else None
        return {**cross_validate(config, folds).protocols(), "weights": weights}

    return outcome(measure)
