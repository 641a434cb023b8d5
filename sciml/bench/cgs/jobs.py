"""The frame of the measurements of ``sciml bench cgs``, and the one that trains a shipped config.

A job is a dict of plain values, made from a :class:`~sciml.bench.frame.Row`: ``group``, ``method``, ``title``,
``kind``, ``seed``, ``threads`` and the settings of the row. Its function takes the job and returns a dict:

- ``last``: the measured quantities by name, plain numbers that the groups in :mod:`~sciml.bench.cgs.rows` show in
  columns and hold against their limits;
- ``seconds``: CPU time of what a user of the method would wait for, set-up or training included;
- ``failed``: None, or the sentence of an error that belongs to the method and not to the program.

:func:`~sciml.bench.outcome.outcome` makes that dict. The functions lie in one module per part, such as
:mod:`sciml.bench.cgs.values`; a new measurement is a function there and a row in :mod:`~sciml.bench.cgs.rows`. A
function imports torch-geometric and Lightning, if at all, when it runs.
"""

from __future__ import annotations

import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from sciml.bench.outcome import outcome
from sciml.bench.worker import Job


def trained(job: Job) -> dict[str, Any]:
    """Train the config ``job["config"]`` with ``job["changes"]``, and measure it on the test sets of its data.

    The seed of the job takes the place of those that ``job["seeded"]`` names, by default that of the config alone;
    ``["seed", "data.init_args.seed"]`` has other test sets for each seed, too.

    Returns
    -------
    dict
        ``last`` holds ``weights``, their number; the metrics of ``sciml evaluate`` by their names; and, if
        ``job["evaluation"]`` names a function ``"module:name"`` of a trained task and the job, what that returns.
        ``seconds`` is the CPU time of the training, its data included.
    """
    return outcome(lambda: _train_and_measure(job))


def _train_and_measure(job: Job) -> dict[str, float]:
    from sciml.training import run
    from sciml.training.config import load_config

    seeds = [f"{key}={job['seed']}" for key in job.get("seeded", ("seed",))]
    config = load_config(job["config"], [*seeds, *job.get("changes", ())])
    with tempfile.TemporaryDirectory(prefix="sciml-bench-") as folder:
        begin = time.process_time()
        run.train(config, Path(folder) / "run")
        seconds = time.process_time() - begin
        found = dict(run.evaluate(Path(folder) / "run"))
        task = run.load_task(Path(folder) / "run")
    if job.get("evaluation"):
        module, _, name = job["evaluation"].partition(":")
        found |= getattr(import_module(module), name)(task, job)
    return found | {"seconds": seconds, "weights": float(sum(each.numel() for each in task.parameters()))}
