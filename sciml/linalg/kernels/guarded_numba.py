"""numba, without the settings that it takes from the working directory: the only module that imports it.

numba reads ``.numba_config.yaml`` there when it is imported and again whenever it compiles. That file may name a folder
of compiled kernels, which numba unpickles, and modules, which it imports: whoever made the folder would run a program.
"""

from __future__ import annotations

import os

from sciml.errors import InputError

SETTINGS = ".numba_config.yaml"

if os.path.lexists(SETTINGS):
    raise InputError(
        f"the working directory holds {SETTINGS}, which numba would obey: it can run programs; remove it or work in "
        "another folder, and set what you need of it by variables such as NUMBA_NUM_THREADS."
    )

import numba  # noqa: E402
from numba import njit, prange, types  # noqa: E402
from numba.core import caching, config, event  # noqa: E402
from numba.extending import overload  # noqa: E402

config._config_fname = os.devnull  # what numba looks for whenever it compiles

__all__ = ["caching", "event", "njit", "numba", "overload", "prange", "types"]
