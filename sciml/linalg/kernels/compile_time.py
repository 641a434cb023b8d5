"""The wall time that numba spends on compiling kernels: once on a machine, as loads from the cache do not count."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def compile_time() -> Iterator[Callable[[], float]]:
    """Yield a function that returns the seconds of compiling since the beginning of the context."""
    from sciml.linalg.kernels.guarded_numba import event

    with event.install_listener("numba:compile", event.TimingListener()) as listener:
        yield lambda: listener.duration if listener.done else 0.0
