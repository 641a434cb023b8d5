"""Measure wall time, CPU time and memory, and let methods take turns."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

Value = TypeVar("Value")


def interleave(repetitions: Mapping[str, int]) -> list[str]:
    """Return the order in which methods take turns: each as often as asked, its turns spread evenly over the whole.

    A slow spell of the machine thus affects all of them alike.

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
    """Return the value of a function, and the wall time and the CPU time of all threads that it took, in seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    value = function()
    return value, time.perf_counter() - wall, time.process_time() - cpu


def cpu_timed(function: Callable[[], Value]) -> tuple[Value, float]:
    """Return the value of a function, and the CPU time of all threads that it took, in seconds."""
    value, _, seconds = timed(function)
    return value, seconds


def medians_of_turns(functions: Mapping[str, Callable[[], Any]], turns: int) -> dict[str, float]:
    """Return the median CPU seconds of functions that take turns, so often each."""
    found: dict[str, list[float]] = {name: [] for name in functions}
    for name in interleave(dict.fromkeys(functions, turns)):
        found[name].append(cpu_timed(functions[name])[1])
    return {name: median(seconds) for name, seconds in found.items()}


def load_average() -> float | None:
    """Return the number of processes that compete for the processor, averaged over a minute; None where unknown."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def extra_memory(function: Callable[[], Any]) -> dict[str, int]:
    """Measure resident memory in bytes: before a function, at its peak, the difference, and since the process began.

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


def kept_bytes(function: Callable[[], object]) -> int:
    """Return the bytes that autograd keeps while a function runs, each tensor counted once."""
    from torch import Tensor
    from torch.autograd.graph import saved_tensors_hooks

    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        result = function()
    del result
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


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
