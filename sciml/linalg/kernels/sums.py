"""Sums whose order is written down, and the options with which the kernels on the CPU are compiled.

Without the licences of ``fastmath``, LLVM keeps to the order of the operations in the source, so that a kernel that was
compiled in this process has the bits of one that was loaded from the cache: numba compiles the body of a parallel loop
twice, and the two may differ by rounding where the order is left to the compiler. Loops over slices are vectorised all
the same; sums are not, unless they are laid out for it as here.
"""

from __future__ import annotations

import numpy as np

from sciml.linalg.kernels.compiled import kernel
from sciml.linalg.kernels.layout import Array

OPTIONS = {"nogil": True}
LANES = 128  # partial sums, a power of two: enough to be worth the checks before each vectorised loop


@kernel(**OPTIONS)
def dot(a: Array, b: Array) -> float:
    """Return a . b in double precision as :data:`LANES` partial sums, which are added up in pairs at the end."""
    lanes, rows = np.zeros(LANES), a.size // LANES
    for i in range(rows):
        left, right = a[i * LANES : (i + 1) * LANES], b[i * LANES : (i + 1) * LANES]
        for k in range(LANES):
            lanes[k] += left[k] * right[k]
    for k in range(rows * LANES, a.size):
        lanes[k - rows * LANES] += a[k] * b[k]
    width = LANES // 2
    while width:
        low, high = lanes[:width], lanes[width : 2 * width]
        for k in range(width):
            low[k] += high[k]
        width //= 2
    return lanes[0]


@kernel(**OPTIONS)
def in_order(parts: Array) -> float:
    """Return the sum of the parts of several threads in the order of the parts, whoever was ready first."""
    total = 0.0
    for k in range(parts.size):
        total += parts[k]
    return total
