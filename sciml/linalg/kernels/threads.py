"""The thread pool that the numba kernels share, chosen to stay fast while other processes use the cores.

The default pool of numba, OpenMP, makes the threads of a kernel wait for one another in a busy loop. As soon as another
process wants one of the cores, every kernel waits for a time slice, and a solve becomes a hundred times slower. The
pool of oneTBB schedules by work stealing instead: the threads that run take over what is left.
"""

from __future__ import annotations

import ctypes
from functools import cache
from importlib import metadata


@cache
def prefer_work_stealing() -> bool:
    """Load oneTBB, where it is installed, before numba picks its pool; return whether it is there.

    The wheel puts the library where the dynamic linker does not look. Once it is loaded, numba finds it by its name.
    """
    try:
        files = metadata.files("tbb") or []
    except metadata.PackageNotFoundError:
        return False
    for file in files:
        if file.name.startswith("libtbb.so."):
            try:
                ctypes.CDLL(str(file.locate()), mode=ctypes.RTLD_GLOBAL)
            except OSError:
                continue
            return True
    return False
