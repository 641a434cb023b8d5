"""Threads of their own for compiled loops, in which numbers too small for full precision count as zero.

Ahead of a wave its computed field decays through subnormal numbers, with which many processors compute several times
more slowly. Flushing them to zero is a state of each thread; here it is set in threads that end with the call, so
that the caller's arithmetic stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import torch

T = TypeVar("T")


def run_flushed(function: Callable[..., T], jobs: Iterable[Sequence[Any]], threads: int) -> Iterator[T]:
    """Call a function with the arguments of each job, in several threads, and yield the results in the jobs' order.

    Parameters
    ----------
    function : of which the calls may run at once
    jobs : the arguments of each call
    threads : how many calls run at once
    """
    with ThreadPoolExecutor(threads, initializer=torch.set_flush_denormal, initargs=(True,)) as pool:
        yield from pool.map(lambda job: function(*job), jobs)


def compiled(function: Any, arguments: Sequence[Any]) -> None:
    """Compile a kernel for the types of some arguments, or load it, in the caller's thread.

    numba and NumPy look at the smallest numbers when they are first used, which they should find as they are.
    """
    from sciml.linalg.kernels.guarded_numba import numba

    function.compile(tuple(numba.typeof(each) for each in arguments))
