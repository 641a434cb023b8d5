"""The measurements of ``sciml bench generative`` as data, one module for each part.

To add a measurement: write its function in a module of the package above, and add a :class:`~sciml.bench.frame.Row` to
a group here, with the columns that show its quantities and its limits.
"""

from sciml.bench.frame import Group
from sciml.bench.generative.rows import conditional, guided, orders, samplers, sensors

GROUPS: tuple[Group, ...] = (
    *orders.GROUPS,
    *conditional.GROUPS,
    *samplers.GROUPS,
    *guided.GROUPS,
    *sensors.GROUPS,
)
