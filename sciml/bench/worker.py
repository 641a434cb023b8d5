"""Run jobs in a process of their own, with a fixed number of threads for every library in it.

A job is a dict with ``key``, ``function`` (``"module:name"``) and the arguments of that function; the function takes
the dict and returns another. Results come back one by one, and finished ones are never lost.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import IO, Any, cast

from sciml.errors import SciMLError

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
)
Job = dict[str, Any]


def run_jobs(
    jobs: Sequence[Job], threads: int, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Run jobs one after the other in one new process; yield (key, result) as each one finishes.

    Raises
    ------
    SciMLError
        A job failed, or the process ended early; the sentence names the job.
    """
    fixed = dict.fromkeys(THREAD_VARIABLES, str(threads))
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "sciml.bench.worker"],  # no modules from the working directory
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **fixed, **(environment or {})},
        text=True,
    )
    requests, answers = cast(IO[str], process.stdin), cast(IO[str], process.stdout)
    try:
        requests.write(json.dumps(list(jobs)))
        requests.close()
        for job in jobs:
            answer = json.loads(answers.readline() or "{}")
            if "error" in answer:
                raise SciMLError(f"{job['key']} failed: {answer['error']}")
            if "result" not in answer:
                raise SciMLError(f"{job['key']} failed: its process ended with code {process.wait()}.")
            yield job["key"], answer["result"]
        process.wait()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        answers.close()


def main() -> None:
    """Read jobs from standard input, write one line of JSON per result."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C reaches the parent too, which reports it
    # Libraries may write on standard output: give them standard error and keep the channel.
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for job in json.loads(sys.stdin.read()):
        module, _, name = job["function"].partition(":")
        try:
            answer = {"result": getattr(import_module(module), name)(job)}
        except (SciMLError, MemoryError) as error:
            answer = {"error": str(error) or type(error).__name__}
        channel.write(json.dumps(answer) + "\n")
        channel.flush()
        if "error" in answer:
            break


if __name__ == "__main__":
    main()
