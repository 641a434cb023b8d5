"""Time and memory of solvers that take turns on one system."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from sciml.bench.poisson.peers import Peer, System

Value = TypeVar("Value")


def interleave(repetitions: Mapping[str, int]) -> list[str]:
    """Order in which solvers take turns: each as often as asked, its turns spread evenly over the whole.

    A slow spell of the machine so falls on all alike.

    >>> interleave({"a": 3, "b": 1, "c": 1})
    ['a', 'a', 'b', 'c', 'a']
    """
    turns = [
        ((turn + 0.5) / count, position, name)
        for position, (name, count) in enumerate(repetitions.items())
        for turn in range(count)
    ]
    return [name for _, _, name in sorted(turns)]


def timed(function: Callable[[], Value]) -> tuple[Value, float, float]:
    """Value of a function, and the wall and CPU seconds (of all threads) that it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    value = function()
    return value, time.perf_counter() - wall, time.process_time() - cpu


def run_peer(
    peer: Peer, system: System, rtol: float, again: np.ndarray | None = None, *, busy: bool = False
) -> dict[str, Any]:
    """Set a solver up and solve once, from nothing; then a second time, with the set-up it has, for ``again``.

    ``busy`` lets an untimed run go right before, so that the second core of a machine is awake when the clock starts.

    Returns
    -------
    dict
        ``setup_seconds, setup_cpu_seconds, solve_seconds, solve_cpu_seconds, iterations, true_residual`` (relative,
        recomputed here), ``again_seconds`` and ``again_iterations`` of the second solve, if any.
    """
    b = system.b[system.problem.fluid] if peer.flat else system.b
    gc.collect()
    if busy:
        peer.prepare(system)(b, rtol)
    solve, setup, setup_cpu = timed(lambda: peer.prepare(system))
    (x, iterations), seconds, cpu = timed(lambda: solve(b, rtol))
    result = {
        "setup_seconds": setup,
        "setup_cpu_seconds": setup_cpu,
        "solve_seconds": seconds,
        "solve_cpu_seconds": cpu,
        "iterations": iterations,
        "true_residual": true_residual(system, x),
    }
    if again is not None:
        right = again[system.problem.fluid] if peer.flat else again
        (_, count), seconds, _ = timed(lambda: solve(right, rtol))
        result |= {"again_seconds": seconds, "again_iterations": count}
    return result


def true_residual(system: System, x: np.ndarray) -> float:
    """|b - A x| / |b| for x over the unknowns or over the whole grid."""
    fluid = system.problem.fluid
    if x.shape != fluid.shape:
        flat, x = x, np.zeros(fluid.shape)
        x[fluid] = flat
    return float(np.linalg.norm(system.b - system.problem.matvec(x)) / np.linalg.norm(system.b))


def load_average() -> float | None:
    """Processes that compete for the processor, averaged over a minute; None where the system does not tell."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def extra_memory(function: Callable[[], Any]) -> dict[str, int]:
    """Bytes of resident memory: before a function, at its peak, the difference, and the peak since the process began.

    On Linux the peak is reset first; elsewhere it is that of the whole life of the process, and the difference may come
    out too small if the process once used more.
    """
    gc.collect()
    earlier = _status("VmHWM") or 0
    _return_free_memory()
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS") or _life_peak()
    kept = function()
    peak = _status("VmHWM") or _life_peak()
    del kept
    return {
        "before_bytes": before,
        "peak_bytes": peak,
        "extra_bytes": peak - before,
        "process_peak_bytes": max(peak, earlier),
    }


def _return_free_memory() -> None:
    """Hand what the allocator holds in reserve back to the system, or the function could take it unseen."""
    with suppress(OSError, AttributeError):  # glibc only
        ctypes.CDLL(None).malloc_trim(0)


def _status(field: str) -> int | None:
    """A field of /proc/self/status in bytes, None where there is none."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    return None


def _life_peak() -> int:
    import resource  # not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
