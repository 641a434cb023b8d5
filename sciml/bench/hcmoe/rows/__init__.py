"""The measurements of ``sciml bench hcmoe`` as data, one module for each part.

To add a measurement: write its function in a module of the package above, and add a :class:`~sciml.bench.frame.Row` to
a group here, with the columns that show its quantities and its limits.
"""

from sciml.bench.frame import Group
from sciml.bench.hcmoe.rows import (
    costs,
    families,
    flows,
    gradients,
    inversions,
    layers,
    operators,
    solutions,
    vorticity,
)

GROUPS: tuple[Group, ...] = (
    *solutions.GROUPS,
    *families.GROUPS,
    *layers.GROUPS,
    *gradients.GROUPS,
    *inversions.GROUPS,
    *flows.GROUPS,
    *operators.GROUPS,
    *vorticity.GROUPS,
    *costs.GROUPS,
)
