"""The measurements of ``sciml bench gfi`` as data, one module for each part.

To add a measurement: write its function in a module of the package above, and add a :class:`~sciml.bench.frame.Row` to
a group here, with the columns that show its quantities and its limits.
"""

from sciml.bench.frame import Group
from sciml.bench.gfi.rows import maps, networks, refinements, waves

GROUPS: tuple[Group, ...] = (*waves.GROUPS, *maps.GROUPS, *networks.GROUPS, *refinements.GROUPS)
